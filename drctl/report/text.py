"""Findings as text for people: place, rule, message, the line with a caret, the way out."""

from __future__ import annotations

from collections.abc import Iterable

from drctl.text.diagnostic import Diagnostic
from drctl.text.source import SourceFile

_WIDEST = 160


def diagnostic_text(found: Diagnostic, source: SourceFile | None = None) -> str:
    """One finding over several lines; without `source` the line and its caret are left out."""
    head = f"{found.place}: {found.severity}: {found.message} [{found.code} {found.name}]"
    lines = [head]
    if source is not None and source.path == found.place.path:
        lines.extend(_excerpt(found, source))
    lines.extend(f"  {related.place}: {related.message}" for related in found.related)
    if found.hint:
        lines.append(f"  help: {found.hint}")
    return "\n".join(lines)


def _excerpt(found: Diagnostic, source: SourceFile) -> list[str]:
    text = source.line(found.place.line)
    shown = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text[:_WIDEST])
    start = found.place.column - 1
    if start > len(shown):
        return [f"  {shown}"]
    is_one_line = found.place.end_line == found.place.line
    end = found.place.end_column - 1 if is_one_line else len(shown)
    blank = "".join("\t" if c == "\t" else " " for c in shown[:start])
    return [f"  {shown}", f"  {blank}{'^' * max(1, min(end, len(shown)) - start)}"]


def to_lines(found: Iterable[Diagnostic], source: SourceFile | None = None) -> str:
    """All findings, one after the other, with a line end after each; empty when there are none."""
    return "".join(diagnostic_text(d, source) + "\n" for d in found)


def columns(rows: list[tuple[str, ...]], gap: str = "  ") -> list[str]:
    """Rows with aligned columns; the last one is not padded."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
