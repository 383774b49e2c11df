"""Findings as text for people: place, rule, message, the line with a caret, the way out."""

from __future__ import annotations

from collections.abc import Iterable

from drctl.text.diagnostic import Diagnostic
from drctl.text.secret import masked
from drctl.text.source import SourceFile

_WIDEST = 160
_BEFORE = 60
_MOST_OF_A_KIND = 5


def diagnostic_text(found: Diagnostic, source: SourceFile | None = None) -> str:
    """One finding over several lines; without `source` the line and its caret are left out."""
    rule = f"[{found.code} {found.name}]"
    lines = [f"{found.place}: {found.severity}: {printable(masked(found.message))} {rule}"]
    if source is not None and source.path == found.place.path:
        lines.extend(_excerpt(found, source))
    lines.extend(f"  {related.place}: {masked(related.message)}" for related in found.related)
    if found.hint:
        lines.append(f"  help: {found.hint}")
    return "\n".join(lines)


def _excerpt(found: Diagnostic, source: SourceFile) -> list[str]:
    """The part of the line around the finding, and a caret below; no caret where a password was
    taken out."""
    begin = max(0, found.place.column - 1 - _BEFORE) if found.place.column > _WIDEST else 0
    text = source.line(found.place.line, begin, begin + _WIDEST)
    shown = printable(text)
    if masked(text) != text:
        return [f"  {printable(masked(text))}"]
    start = found.place.column - 1 - begin
    if start > len(shown):
        return [f"  {shown}"]
    is_one_line = found.place.end_line == found.place.line
    end = found.place.end_column - 1 - begin if is_one_line else len(shown)
    blank = "".join("\t" if c == "\t" else " " for c in shown[:start])
    return [f"  {shown}", f"  {blank}{'^' * max(1, min(end, len(shown)) - start)}"]


def printable(text: str) -> str:
    """`text` with a replacement character for what cannot be shown."""
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)


def to_lines(found: Iterable[Diagnostic], *sources: SourceFile) -> str:
    """All findings, one after the other, with a line end after each; empty when there are none.
    `sources` are the files that they are in, as far as their lines are to be shown."""
    by_path = {source.path: source for source in sources}
    return "".join(diagnostic_text(d, by_path.get(d.place.path)) + "\n" for d in found)


def to_summary(found: Iterable[Diagnostic], *sources: SourceFile) -> str:
    """As `to_lines`, but of many findings of one kind only the first few, then the other lines."""
    kinds: dict[tuple[str, str], list[Diagnostic]] = {}
    for one in found:
        key = one.code, one.message if one.name == "pulse-rejects-line" else ""
        kinds.setdefault(key, []).append(one)
    parts = []
    for same in kinds.values():
        parts.append(to_lines(same[:_MOST_OF_A_KIND], *sources))
        rest = same[_MOST_OF_A_KIND:]
        if rest:
            lines = ", ".join(str(one.place.line) for one in rest[:_MOST_SHOWN_LINES])
            more = "" if len(rest) <= _MOST_SHOWN_LINES else " …"
            kind = f"[{same[0].code} {same[0].name}]"
            parts.append(f"  the same {len(rest)} more times {kind}: lines {lines}{more}\n")
    return "".join(parts)


_MOST_SHOWN_LINES = 20


def columns(rows: list[tuple[str, ...]], gap: str = "  ") -> list[str]:
    """Rows with aligned columns; the last one is not padded."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
