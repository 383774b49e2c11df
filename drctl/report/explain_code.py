"""What a finding of `drctl lint` means: why it matters, an example, and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drctl.report.explain_text import Page

if TYPE_CHECKING:
    from drctl.schema.finding import Explanation


def to_text(one: Explanation, width: int) -> str:
    """A page about one kind of finding."""
    page = Page(width)
    page.line(f"{one.code} {one.name} ({one.level})")
    page.blank()
    page.paragraph(one.meaning)
    page.blank()
    page.paragraph(one.why)
    page.blank()
    page.paragraph(f"What to do: {one.mend}")
    for title, text in (("with the finding", one.bad), ("without", one.good)):
        if text:
            page.blank()
            page.line(f"{title}:")
            _code(page, text)
    for name, text in one.files.items():
        page.blank()
        page.line(f"where {name} is:")
        _code(page, text)
    page.blank()
    page.line(f"silence it with: # drctl: ignore[{one.code}]")
    return page.text()


def _code(page: Page, text: str) -> None:
    for line in text.removesuffix("\n").split("\n"):
        page.line(f"    {line}".rstrip())


def to_json(one: Explanation) -> dict[str, Any]:
    """The same for programs (docs/explain.md)."""
    return {
        "code": one.code,
        "name": one.name,
        "severity": one.level,
        "meaning": one.meaning,
        "why": one.why,
        "mend": one.mend,
        "dialect": one.dialect,
        "bad": one.bad or None,
        "good": one.good or None,
        "files": dict(one.files),
    }
