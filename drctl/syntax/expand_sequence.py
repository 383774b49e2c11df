"""`~SEQ` and `~LST`: the head of the line taken apart.

Facts: `add_seq` and `add_lst` of lib/parser.c, keepalived 2.2.7.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from drctl.syntax.expand_text import BLANK

_HEAD = re.compile(r"~SEQ(x?)[ \t]*\([ \t]*([^ \t,)]*)[ \t]*")
_LIST = re.compile(r"~LST[ \t]*\([ \t]*")
_NUMBER = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)?")
_LONGEST = 64
"""Buffer for the numbers, their commas and the closing parenthesis."""
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_EMPTY_NUMBER = re.compile(r",[ \t]*[,)]")
_OUTSIDE = re.compile(r'"[^"]*"|\$\{[^}]*\}|~LST[ \t]*\([^)]*\)')
_LARGEST = 2**63 - 1


class MalformedError(ValueError):
    """Why the head of a line is no sequence."""


class SequenceHead(NamedTuple):
    """`~SEQ(name, numbers)`; `end` is the offset of the text to repeat. `numbers` may still contain
    uses of definitions; the closing parenthesis is part of it."""

    name: str
    is_hex: bool
    numbers: str
    numbers_at: int
    end: int


def sequence_head(text: str) -> SequenceHead:
    """Take a line that begins with `~SEQ` apart; raises MalformedError."""
    found = _HEAD.match(text)
    if found is None:
        raise MalformedError("no '(' behind ~SEQ")
    at = found.end()
    if not found[2] or at >= len(text) or text[at] == ")":
        raise MalformedError("a name and at least one number are needed in the parentheses")
    at += 1
    while at < len(text) and text[at] in BLANK:
        at += 1
    close = text.find(")", at)
    if close < 0:
        raise MalformedError("the ')' is missing")
    if close + 1 - at + 1 > _LONGEST:
        raise MalformedError(f"more than {_LONGEST - 2} characters in front of the ')'")
    return SequenceHead(found[2], found[1] == "x", text[at : close + 1], at, _after(text, close))


def sequence_values(numbers: str, *, is_hex: bool) -> range:
    """The values of `[start,[step,]]end)` as a range; raises MalformedError."""
    values: list[int] = []
    at = 0
    while True:
        value, at = _number(numbers, at)
        values.append(value)
        while at < len(numbers) and numbers[at] in BLANK:
            at += 1
        sign = numbers[at : at + 1]
        if sign == ")":
            break
        if sign != "," or len(values) == 3:
            raise MalformedError(f"{sign or 'nothing'} where a ',' or the ')' is expected")
        at += 1
    if len(values) == 1:
        end = values[0]
        start, step = (-1 if end < 0 else 1), (-1 if end < 1 else 1)
    elif len(values) == 2:
        start, end = values
        step = 1 if start <= end else -1
    else:
        start, step, end = values
        if step == 0 or (start < end and step < 0) or (start > end and step > 0):
            raise MalformedError(f"steps of {step} do not lead from {start} to {end}")
    if is_hex and (start < 0 or end < 0):
        raise MalformedError("~SEQx takes no negative numbers")
    return range(start, end + (1 if step > 0 else -1), step)


def _number(text: str, at: int) -> tuple[int, int]:
    """C's strtol with base 0: no digits are 0."""
    found = _NUMBER.match(text, at)
    if found is None or found[2] is None:
        return 0, at
    digits = found[2].lower()
    base = 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10
    value = int(digits, base)
    value = -value if found[1] == "-" else value
    return max(-_LARGEST - 1, min(value, _LARGEST)), found.end()


class ListHead(NamedTuple):
    """`~LST(names, values)`: each row has as many values as there are names."""

    names: tuple[str, ...]
    rows: list[tuple[str, ...]]
    end: int


def list_head(text: str) -> ListHead:
    """Take a line that begins with `~LST` apart; raises MalformedError."""
    found = _LIST.match(text)
    if found is None:
        raise MalformedError("no '(' behind ~LST")
    cursor = _Cursor(text, found.end())
    names = cursor.group(stop="", most=None)
    cursor.expect(",")
    rows: list[tuple[str, ...]] = []
    while True:
        values = cursor.group(stop=")", most=len(names))
        rows.append((*values, *[""] * (len(names) - len(values))))
        if cursor.sign == ")":
            return ListHead(names, rows, _after(text, cursor.at))
        cursor.expect(",")


class _Cursor:
    """Where the reading of a list's head has come to."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at

    @property
    def sign(self) -> str:
        return self.text[self.at : self.at + 1]

    def skip(self) -> None:
        while self.sign and self.sign in BLANK:
            self.at += 1

    def expect(self, sign: str) -> None:
        if self.sign != sign:
            raise MalformedError(f"{self.sign or 'the end of the line'} where '{sign}' is expected")
        self.at += 1
        self.skip()

    def group(self, stop: str, most: int | None) -> tuple[str, ...]:
        """One word, or several in braces. Without braces the word ends at a comma or at `stop`."""
        is_braced = self.sign == "{"
        if is_braced:
            self.at += 1
            self.skip()
        words: list[str] = []
        ends = " \t,}" + stop
        while True:
            start = self.at
            while self.sign and self.sign not in ends:
                self.at += 1
            words.append(self.text[start : self.at])
            self.skip()
            if is_braced and self.sign == "}":
                self.at += 1
                self.skip()
                return tuple(words)
            if not is_braced and self.sign and self.sign in "," + stop:
                return tuple(words)
            if most is not None and len(words) == most and self.sign == ",":
                raise MalformedError(f"more than {most} values in one pair of braces")
            self.expect(",")


def _after(text: str, at: int) -> int:
    """The first offset behind `at` that is no blank."""
    at += 1
    while at < len(text) and text[at] in BLANK:
        at += 1
    return at


def oddity(text: str, names: tuple[str, ...], end: int) -> tuple[str, str] | None:
    """What the head of `text` does that nobody means, and the way out; `text[end:]` is repeated."""
    head, rest = text[:end].rstrip(BLANK), text[end:]
    what = head[:4]
    usual = "~LST(NAME, A, B)" if what == "~LST" else f"{what}(NAME, START, STEP, END)"
    if wrong := next((name for name in names if not _NAME.fullmatch(name)), None):
        shown = wrong or "an empty word"
        return (
            f"{head}: {shown} can be no name, so that the line is only repeated",
            f"write {usual}",
        )
    if not rest:
        return (
            f"{head} repeats nothing: nothing follows it",
            f"write {usual} in front of a statement",
        )
    if what == "~SEQ" and _EMPTY_NUMBER.search(head):
        return f"{head}: an empty number counts as 0", f"write {usual}"
    inside = _OUTSIDE.sub("", rest)
    if inside.count("{") > inside.count("}"):
        message = f"{head} repeats this line only, not the block that begins on it"
        return message, "write the whole block on this line, with its '}'"
    if "$" not in rest:
        shown = " and ".join(f"${{{name}}}" for name in names)
        return f"{head} repeats the line as it stands: it has no {shown}", f"use {shown} in it"
    return None
