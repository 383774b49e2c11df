"""`include` and its variants: the word, what it insists on, `include_check`.

Facts: `is_include`, `check_include`, `open_and_check_glob`, `include_check_set` of lib/parser.c,
keepalived 2.2.7.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from drctl.syntax.expand_text import BLANK, Words

READABLE, MATCH, WILDCARD, BRACES = 1, 2, 4, 8
"""What an include may insist on: that files can be read, that a named file exists, that a pattern
with wildcards matches, that all of a `{a,b}` list exist."""
EVERYTHING = READABLE | MATCH | WILDCARD | BRACES

_INCLUDE = re.compile(r"include([rmwba]?)[ \t\n\r\f\v][ \t]*")
_DEMANDS = {
    "": 0,
    "r": READABLE,
    "m": READABLE | MATCH,
    "w": READABLE | MATCH | WILDCARD,
    "b": READABLE | BRACES,
    "a": EVERYTHING,
}
_CHECKS = {
    "read": READABLE,
    "match": MATCH,
    "wildcard_match": WILDCARD,
    "brace_match": BRACES,
}
_OPENING_BRACE = re.compile(r"(?:[^\\{]|\\.)*\{")


class Include(NamedTuple):
    """An include statement: the pattern, its offset in the text, and the demands."""

    pattern: str
    at: int
    demands: int

    @property
    def has_braces(self) -> bool:
        """Whether the pattern has a `{a,b}` list."""
        return _OPENING_BRACE.match(self.pattern) is not None


def include_of(text: str) -> Include | None:
    """The include that a logical line is, None when it is none. The pattern is the whole rest of
    the line, quotes included."""
    if not text.startswith("include"):
        return None
    found = _INCLUDE.match(text)
    if found is None:
        return None
    return Include(text[found.end() :], found.end(), _DEMANDS[found[1]])


def checked(demands: int, words: Words) -> int:
    """What `include_check` with `words` behind it makes of the demands on later includes."""
    if not words:
        return EVERYTHING
    for index, word in enumerate(words):
        sign = word[:1] if word[:1] in ("+", "-") else ""
        flag = _CHECKS.get(word[len(sign) :], 0)
        if sign == "+":
            demands |= flag
        elif sign == "-":
            demands &= ~flag
        elif index == 0:
            demands = READABLE | flag if flag else 0
    return demands


def expand_braces(pattern: str) -> tuple[str, ...]:
    """The patterns that glob tries one after the other for a pattern with `{a,b}` lists, at most
    1,000."""
    done: list[str] = []
    open_ = [pattern]
    while open_ and len(done) + len(open_) <= 1000:
        text = open_.pop()
        begin, commas, end = _first_list(text)
        if end < 0:
            done.append(text)
            continue
        marks = [begin, *commas, end]
        choices = [text[a + 1 : b] for a, b in pairwise(marks)]
        open_ += [text[:begin] + choice + text[end + 1 :] for choice in reversed(choices)]
    return tuple(done)


def _first_list(text: str) -> tuple[int, list[int], int]:
    """The first brace list: where it begins, its commas, where it ends; -1 without one. `{}` is
    none."""
    at = text.find("{")
    while at >= 0:
        depth = 0
        commas: list[int] = []
        for offset in range(at, len(text)):
            sign = text[offset]
            if sign == "{":
                depth += 1
            elif sign == "}":
                depth -= 1
                if depth == 0:
                    if offset == at + 1:
                        break
                    return at, commas, offset
            elif sign == "," and depth == 1:
                commas.append(offset)
        at = text.find("{", at + 1)
    return -1, [], -1


def is_quoted(pattern: str) -> bool:
    """Whether quotes stand around the pattern, which keepalived takes for a part of the name."""
    text = pattern.strip(BLANK)
    return len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]
