"""POSIX extended regular expressions in Python's words, over bytes.

nanny compiled `expect` with glibc's `regcomp(…, REG_EXTENDED)` in the C locale. Only whether there
is a match is asked, so leftmost-longest does not matter. Facts: regcomp(3), glibc's regcomp.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": "\t ",
    "cntrl": "\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@[-`{-~",
    "space": "\t-\r ",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_GNU_ESCAPES = {
    b"w": b"[0-9A-Za-z_]",
    b"W": b"[^0-9A-Za-z_]",
    b"s": b"[\\t-\\r ]",
    b"S": b"[^\\t-\\r ]",
}
_GNU_ANCHORS = {
    b"b": b"\\b",
    b"B": b"\\B",
    b"<": b"\\b(?=\\w)",
    b">": b"\\b(?<=\\w)",
    b"`": b"\\A",
    b"'": b"\\Z",
}
_SPECIAL = frozenset(b"\\^$.[]|()*+?{}")
_INTERVAL = re.compile(rb"\{([0-9]*)(,?)([0-9]*)\}")
LARGEST_REPEAT = 0x7FFF
DEEPEST_NESTING = 50


@dataclass(frozen=True, slots=True)
class BadRegex:
    """`problem` says in a few words why there is no translation."""

    problem: str


class _RefusedError(Exception):
    """Carries the problem out of the parser; never leaves this module."""


def to_python(pattern: bytes) -> bytes | BadRegex:
    """A pattern for `re.search(…, re.DOTALL)` that matches the same bytes (NUL excepted, which
    ends a text in C)."""
    try:
        translated = _Parser(pattern).parse()
        re.compile(translated, re.DOTALL)
    except _RefusedError as refused:
        return BadRegex(str(refused))
    except (re.error, OverflowError, RecursionError) as error:
        return BadRegex(f"{error}")
    return translated


class _Parser:
    """Recursive descent over the pattern; every method returns Python text for what it took."""

    def __init__(self, pattern: bytes) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0

    def parse(self) -> bytes:
        if b"\0" in self._pattern:
            raise _RefusedError("it holds a NUL byte")
        return self._alternatives()

    def _peek(self) -> bytes:
        return self._pattern[self._at : self._at + 1]

    def _take(self) -> bytes:
        found = self._peek()
        self._at += 1
        return found

    def _alternatives(self) -> bytes:
        branches = [self._branch()]
        while self._peek() == b"|":
            self._take()
            branches.append(self._branch())
        return b"|".join(branches)

    def _branch(self) -> bytes:
        pieces: list[bytes] = []
        while (next_one := self._peek()) and next_one != b"|":
            if next_one == b")" and self._depth:
                break
            pieces.append(self._piece())
        return b"".join(pieces)

    def _piece(self) -> bytes:
        if self._peek() in {b"*", b"+", b"?", b"{"}:
            raise _RefusedError(f"nothing to repeat before {self._peek().decode()}")
        atom, is_anchor = self._atom()
        repeats: list[bytes] = []
        while self._peek() in {b"*", b"+", b"?", b"{"}:
            repeats.append(self._repeat())
        if repeats and is_anchor:
            raise _RefusedError("it repeats an anchor")
        for index, repeat in enumerate(_joined(repeats)):
            atom = (b"(?:%b)%b" if index else b"%b%b") % (atom, repeat)
        return atom

    def _repeat(self) -> bytes:
        if self._peek() != b"{":
            return self._take()
        found = _INTERVAL.match(self._pattern, self._at)
        if found is None:
            raise _RefusedError("a { begins no interval")
        self._at = found.end()
        low, comma, high = found.groups()
        if not low and not high:
            raise _RefusedError("an interval without a number")
        if max(int(low or b"0"), int(high or b"0")) > LARGEST_REPEAT:
            raise _RefusedError(f"an interval above {LARGEST_REPEAT}")
        if low and high and int(low) > int(high):
            raise _RefusedError("an interval that ends before it begins")
        return b"{%b%b%b}" % (low or b"0", comma, high)

    def _atom(self) -> tuple[bytes, bool]:
        """The next atom, and whether it is an anchor."""
        taken = self._take()
        if taken == b"^":
            return b"\\A", True
        if taken == b"$":
            return b"\\Z", True
        if taken == b".":
            return b".", False
        if taken == b"(":
            return self._group(), False
        if taken == b"[":
            return self._bracket(), False
        if taken == b"\\":
            return self._escape()
        return _literal(taken[0]), False

    def _group(self) -> bytes:
        self._depth += 1
        if self._depth > DEEPEST_NESTING:
            raise _RefusedError(f"groups nested deeper than {DEEPEST_NESTING}")
        inner = self._alternatives()
        if self._take() != b")":
            raise _RefusedError("a ( without its )")
        self._depth -= 1
        return b"(?:%b)" % inner

    def _escape(self) -> tuple[bytes, bool]:
        escaped = self._take()
        if not escaped:
            raise _RefusedError("a backslash at its end")
        if escaped in _GNU_ANCHORS:
            return _GNU_ANCHORS[escaped], True
        if escaped in _GNU_ESCAPES:
            return _GNU_ESCAPES[escaped], False
        if b"1" <= escaped <= b"9":
            raise _RefusedError(f"a back reference \\{escaped.decode()}")
        return _literal(escaped[0]), False

    def _bracket(self) -> bytes:
        is_negated = self._peek() == b"^"
        if is_negated:
            self._take()
        members: set[int] = set()
        is_first = True
        while is_first or self._peek() != b"]":
            is_first = False
            low = self._member()
            if isinstance(low, frozenset):
                members |= low
            elif self._is_range():
                self._take()
                high = self._member()
                if isinstance(high, frozenset):
                    raise _RefusedError("a range that ends in a class")
                if high < low:
                    raise _RefusedError("a range that ends before it begins")
                members |= set(range(low, high + 1))
            else:
                members.add(low)
        self._take()
        return _byte_set(members, is_negated=is_negated)

    def _is_range(self) -> bool:
        rest = self._pattern[self._at : self._at + 2]
        return rest[:1] == b"-" and rest[1:] not in {b"]", b""}

    def _member(self) -> int | frozenset[int]:
        """A byte, or the bytes of a class."""
        taken = self._take()
        if not taken:
            raise _RefusedError("a [ without its ]")
        kind = self._peek()
        if taken != b"[" or kind not in {b":", b".", b"="}:
            return taken[0]
        end = self._pattern.find(kind + b"]", self._at + 1)
        if end < 0:
            raise _RefusedError(f"a [{kind.decode()} without its {kind.decode()}]")
        name = self._pattern[self._at + 1 : end]
        self._at = end + 2
        if kind == b":":
            characters = _CLASSES.get(name.decode("latin-1"))
            if characters is None:
                raise _RefusedError(f"an unknown class [:{name.decode('latin-1')}:]")
            return _class_bytes(characters)
        if len(name) != 1:
            raise _RefusedError("a collating element of several characters")
        return name[0] if kind == b"." else frozenset(name)


def _joined(repeats: list[bytes]) -> list[bytes]:
    """Neighbouring simple repeats as one: different ones after each other mean any number."""
    joined: list[bytes] = []
    for repeat in repeats:
        if joined and len(repeat) == 1 and len(joined[-1]) == 1:
            joined[-1] = repeat if repeat == joined[-1] else b"*"
        else:
            joined.append(repeat)
    return joined


def _literal(byte: int) -> bytes:
    if byte in _SPECIAL:
        return b"\\" + bytes([byte])
    return bytes([byte]) if 0x20 <= byte < 0x7F else b"\\x%02x" % byte


def _class_bytes(characters: str) -> frozenset[int]:
    pattern = re.compile(f"[{characters.replace('[', chr(92) + '[')}]".encode(), re.DOTALL)
    return frozenset(byte for byte in range(256) if pattern.match(bytes([byte])))


def _byte_set(members: set[int], *, is_negated: bool) -> bytes:
    """A Python bracket with these bytes, as ranges."""
    parts: list[bytes] = []
    ordered = sorted(members)
    start = 0
    for index, byte in enumerate(ordered):
        if index + 1 < len(ordered) and ordered[index + 1] == byte + 1:
            continue
        low = ordered[start]
        parts.append(_set_byte(low))
        if byte > low:
            parts.append((b"-" if byte > low + 1 else b"") + _set_byte(byte))
        start = index + 1
    return b"[%b%b]" % (b"^" if is_negated else b"", b"".join(parts))


def _set_byte(byte: int) -> bytes:
    character = bytes([byte])
    if character in b"-]^\\[":
        return b"\\" + character
    is_plain = character.isalnum() or character in b" ,.:;/_<>@%="
    return character if byte < 0x7F and is_plain else b"\\x%02x" % byte
