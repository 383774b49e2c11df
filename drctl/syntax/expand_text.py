"""keepalived's first steps on one line of text: comments, braces, words. Pure, without places.

Facts: `decomment`, `read_line` and `alloc_strvec_r` of lib/parser.c, keepalived 2.2.7. A word here
is what a keyword's handler gets; scripts are split once more by other rules.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BLANK = " \t"
"""What is trimmed from lines; words are also separated by form feed, vertical tab and CR."""

ODD = re.compile(r"""[!#"'\\]""")
"""What only lines have that there may be something to say of."""
NOISE = re.compile(r'[!#"\\]')
"""What only lines with comments, quotes or escapes have."""

_WORD = re.compile(r"[^ \t\n\r\f\v]+")
_TOKEN = re.compile(r'"([^"]*)"|([^ \t\n\r\f\v"]+)|"')
_TO_BRACE = re.compile(r'(?:[^"{}]+|"[^"]*")*')
_BRACE = re.compile(r"[{}]")
_BACKSLASHES = re.compile(r"\\+\Z")

Words = tuple[str, ...]


Cut = tuple[int, int, str, None]
"""Where, how many code points are taken out, what is put there, and no step."""


class Clean(NamedTuple):
    """A line without its comment.

    `comment` is the offset of the comment in the line given, -1 without one; `escapes` are the
    offsets there of the backslashes that were taken out; `cuts` lead from that line to `text`.
    """

    text: str
    cuts: tuple[Cut, ...]
    is_open: bool = False
    is_continued: bool = False
    comment: int = -1
    escapes: tuple[int, ...] = ()

    @property
    def is_changed_again(self) -> bool:
        """Whether a second reading of `text` makes something else of it: what was escaped begins a
        comment then, and a backslash that only blanks followed ends the line."""
        if self.escapes:
            return True
        return not self.is_continued and self.text[-1:] == "\\" and ends_in_escape(self.text)


def decomment(line: str, *, keeps_continuation: bool = True) -> Clean:
    """`line` without comment and blanks around it; a backslash before `#` or `!` outside quotes is
    taken out and saves them. A backslash that ends the line stays, also that of a comment unless
    `keeps_continuation` is false (keepalived 2.4.0 and later)."""
    text = line.lstrip(BLANK)
    first = len(line) - len(text)
    cuts: list[Cut] = [(0, first, "", None)] if first else []
    escapes: list[int] = []
    pieces: list[str] = []
    is_open = False
    comment = -1
    at = kept_to = 0
    while found := NOISE.search(text, at):
        at = found.start()
        sign = text[at]
        if sign == '"':
            is_open = not is_open
        elif sign == "\\":
            if not is_open and text[at + 1 : at + 2] in ("#", "!"):
                cuts.append((at - len(escapes), 1, "", None))
                escapes.append(first + at)
                pieces.append(text[kept_to:at])
                kept_to = at + 1
            at += 1
        elif not is_open:
            comment = at - len(escapes)
            break
        at += 1
    if escapes:
        text = "".join((*pieces, text[kept_to:]))
    is_continued = ends_in_escape(text)
    if is_continued and comment >= 0 and not keeps_continuation:
        is_continued = False
        kept = text[:comment].rstrip(BLANK)
    elif comment >= 0:
        kept = text[:comment].rstrip(BLANK)
    else:
        kept = (text[:-1] if is_continued else text).rstrip(BLANK)
    end = "\\" if is_continued else ""
    if len(kept) + len(end) != len(text):
        cuts.append((len(kept), len(text) - len(kept), end, None))
    at_comment = comment + first + len(escapes) if comment >= 0 else -1
    return Clean(kept + end, tuple(cuts), is_open, is_continued, at_comment, tuple(escapes))


def ends_in_escape(text: str) -> bool:
    """Whether the last backslash of a text that ends in some is not escaped."""
    run = _BACKSLASHES.search(text)
    return run is not None and (run.end() - run.start()) % 2 == 1


def split_braces(text: str) -> list[tuple[int, int]]:
    """The logical lines in a line without comment, as half-open ranges: each brace outside quotes
    is one, so is what stands between two of them."""
    if "{" not in text and "}" not in text:
        return [(0, len(text))]
    ranges = []
    at = 0
    while at < len(text):
        end, rest = logical_end(text, at)
        ranges.append((at, end))
        at = rest
    return ranges


def logical_end(text: str, at: int = 0) -> tuple[int, int]:
    """Where the logical line that begins at `at` ends, and where the next one begins."""
    size = len(text)
    if text[at] in "{}":
        end = rest = at + 1
        while rest < size and text[rest] in BLANK:
            rest += 1
        return end, rest
    found = _TO_BRACE.match(text, at)
    rest = found.end() if found else size
    if rest < size and text[rest] == '"':
        rest = size
    return at + len(text[at:rest].rstrip(BLANK)), rest


def split_words(text: str) -> Words:
    """The words of a logical line. A quote that is not closed and what follows it are dropped."""
    if text.isascii() and text.isprintable() and '"' not in text:
        return tuple(text.split())
    if '"' not in text:
        return tuple(_WORD.findall(text))
    words = []
    for found in _TOKEN.finditer(text):
        quoted, plain = found.groups()
        if quoted is None and plain is None:
            break
        words.append(plain if quoted is None else quoted)
    return tuple(words)


def word_ranges(text: str) -> list[tuple[int, int]]:
    """Where the words of `split_words(text)` stand, quotes included."""
    ranges = []
    for found in _TOKEN.finditer(text):
        if found[0] == '"':
            break
        ranges.append(found.span())
    return ranges


def split_line(line: str) -> tuple[Words, ...]:
    """The words of each logical line of a physical line without comments, quotes and escapes."""
    return split_text(line.strip(BLANK))


def split_text(text: str) -> tuple[Words, ...]:
    """The words of each logical line in a line without comment."""
    if "{" not in text and "}" not in text:
        words = split_words(text)
        return (words,) if words else ()
    if text[-1] == "{" and '"' not in text and _BRACE.search(text, 0, len(text) - 1) is None:
        words = split_words(text[:-1])
        return (words, ("{",)) if words else (("{",),)
    parts = (split_words(text[start:end]) for start, end in split_braces(text))
    return tuple(words for words in parts if words)
