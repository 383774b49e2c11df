"""Findings that the user does not want to see: by code on the command line, or in a comment.

`# drctl: ignore[DR218]` (or `!`) behind a statement silences findings of this code in that line, on
a line of its own those in the next line that is not a comment. Several codes or names of rules are
separated by commas; `ignore` alone silences all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drctl.text.diagnostic import Diagnostic
    from drctl.text.source import SourceFile

_MARK = r"[#!][ \t]*drctl:[ \t]*ignore(?:\[([\w ,.-]*)\])?(?![\w\[])"
_EVERYTHING = frozenset({"*"})


def split_codes(texts: Iterable[str]) -> frozenset[str]:
    """Codes and names from texts with commas, codes in capitals."""
    words = (word.strip() for text in texts for word in text.split(","))
    return frozenset(word.upper() if word[:2].upper() == "DR" else word for word in words if word)


def silences(source: SourceFile) -> dict[int, frozenset[str]]:
    """What comments silence, by line."""
    if "drctl:" not in source.text:
        return {}
    found: dict[int, frozenset[str]] = {}
    lines = source.text.split("\n")
    statement = 0
    for mark in re.finditer(_MARK, source.text):
        number, column = source.position(mark.start())
        codes = _EVERYTHING if mark[1] is None else split_codes([mark[1]])
        if not lines[number - 1][: column - 1].strip():
            if statement <= number:
                statement = _next_statement(lines, number)
            number = statement if statement <= len(lines) else number
        found[number] = found.get(number, frozenset()) | codes
    return found


def _next_statement(lines: Sequence[str], number: int) -> int:
    """The next line below line `number` that is neither empty nor a comment; a number behind the
    last line where there is none."""
    for below in range(number, len(lines)):
        text = lines[below].strip()
        if text and text[0] not in "#!":
            return below + 1
    return len(lines) + 1


def is_silenced(
    found: Diagnostic, ignored: frozenset[str], by_line: dict[int, frozenset[str]]
) -> bool:
    """Whether a finding is one of those that are not wanted."""
    own = {found.code, found.name}
    if ignored and not own.isdisjoint(ignored):
        return True
    codes = by_line.get(found.place.line)
    return codes is not None and (codes is _EVERYTHING or "*" in codes or not own.isdisjoint(codes))
