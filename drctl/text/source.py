"""A configuration file in memory: bytes decoded once, without loss, and its line index.

The only module that turns offsets into lines and columns.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from drctl.quickclass import dataclass, field
from drctl.text.diagnostic import Diagnostic, Severity
from drctl.text.place import Place, Span

LONG_LINE = 1023
_MOST_LONG_LINES = 100
"""keepalived 2.2.7 splits a line at this many bytes and reads the rest as a new line."""

_ODD_CONTROL = re.compile(r"[\x00\x01-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class SourceFile:
    """Decoded text of one file.

    `text` keeps everything (byte-order mark, carriage returns, NUL): `encode(text)` gives the
    bytes back exactly. `encoding` is `utf-8`, `utf-16-le` or `utf-16-be` (a byte-order mark stays
    in the text) or the fallback `latin-1`, which maps every byte to one code point. `line_end` is
    a carriage return for a file that has no line feed but those: its text has line feeds in their
    place.
    """

    path: str
    text: str
    encoding: str = "utf-8"
    diagnostics: tuple[Diagnostic, ...] = ()
    line_end: str = "\n"
    _starts: list[int] = field(default_factory=list, repr=False, compare=False)

    def encode(self, text: str) -> bytes:
        """`text` in the bytes of this file's encoding, with its line ends."""
        if self.line_end != "\n":
            text = text.replace("\n", self.line_end)
        return text.encode(self.encoding)

    def line_starts(self) -> list[int]:
        """Offset of the first code point of each line; lines end at line feeds only."""
        if not self._starts:
            sizes = map(len, self.text.split("\n"))
            self._starts.extend(accumulate(sizes, lambda start, size: start + size + 1, initial=0))
            self._starts.pop()
        return self._starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of the code point at `offset`."""
        starts = self.line_starts()
        index = bisect_right(starts, offset) - 1
        return index + 1, offset - starts[index] + 1

    def place(self, span: Span) -> Place:
        """The place of `span`, which must lie inside the text."""
        starts = self.line_starts()
        line = bisect_right(starts, span.start)
        first = starts[line - 1]
        column = span.start - first + 1
        if line == len(starts) or span.end < starts[line]:
            return Place(self.path, line, column, line, span.end - first + 1)
        end_line, end_column = self.position(span.end)
        return Place(self.path, line, column, end_line, end_column)

    def line(self, number: int, begin: int = 0, end: int | None = None) -> str:
        """Text of line `number` (from 1) without its line end, or its columns from `begin` up to
        `end` (from 0, half-open)."""
        starts = self.line_starts()
        first = starts[number - 1]
        stop = starts[number] if number < len(starts) else len(self.text)
        if end is not None:
            stop = min(stop, first + end)
        return self.text[first + begin : stop].rstrip("\r\n")


def decode(path: str, raw: bytes) -> SourceFile:
    """Decode `raw` without loss; what is odd about the bytes becomes diagnostics."""
    text, encoding, remark = _decode(raw)
    line_end = "\n"
    if "\r" in text and "\n" not in text:
        text, line_end = text.replace("\r", "\n"), "\r"
    source = SourceFile(path, text, encoding, line_end=line_end)
    found: list[Diagnostic] = []
    if remark is not None:
        code, name, message, hint = remark
        found.append(_finding(source, 0, (code, name, Severity.WARNING), message, hint))
    found.extend(_oddities(source))
    return SourceFile(path, text, encoding, tuple(found), line_end)


def _decode(raw: bytes) -> tuple[str, str, tuple[str, str, str, str] | None]:
    name = _utf16_name(raw)
    if name is not None:
        try:
            text = raw.decode(name)
        except UnicodeDecodeError:
            text = ""
        if text:
            has_mark = text.startswith("\ufeff")
            mark = "" if has_mark else " without a byte-order mark"
            message = f"{name} text{mark}, which neither keepalived nor pulse can read"
            word = "UTF-16" if has_mark else name.upper().replace("16-", "16")
            hint = f"convert it: iconv -f {word} -t UTF-8"
            return text, name, ("DR011", "utf16-text", message, hint)
    try:
        return raw.decode("utf-8"), "utf-8", None
    except UnicodeDecodeError as bad:
        line = raw.count(b"\n", 0, bad.start) + 1
        message = (
            f"byte 0x{raw[bad.start]:02x} in line {line} is not UTF-8; file read as ISO 8859-1"
        )
        hint = "convert it: iconv -f ISO-8859-1 -t UTF-8"
        return raw.decode("latin-1"), "latin-1", ("DR010", "not-utf8", message, hint)


_SAMPLE_BYTES = 4096


def _utf16_name(raw: bytes) -> str | None:
    """The encoding of text in two-byte characters: it has a byte-order mark, or of nearly every
    pair of bytes the same one is NUL, and the other one never is."""
    if not raw or len(raw) % 2:
        return None
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16-le" if raw.startswith(b"\xff\xfe") else "utf-16-be"
    first, second = raw[:_SAMPLE_BYTES:2], raw[1:_SAMPLE_BYTES:2]
    enough = len(first) * 9 // 10
    if first.count(0) == 0 and second.count(0) > enough:
        return "utf-16-le"
    if second.count(0) == 0 and first.count(0) > enough:
        return "utf-16-be"
    return None


def _oddities(source: SourceFile) -> Iterator[Diagnostic]:
    text = source.text
    if text.startswith("\ufeff"):
        message = "byte-order mark, which keepalived and pulse read as part of the first keyword"
        rule = ("DR012", "byte-order-mark", Severity.WARNING)
        yield _finding(source, 0, rule, message, "remove the first three bytes")
    if source.line_end == "\r":
        what = (
            "lines that end with a carriage return alone are read as lines; keepalived takes the "
            "whole file for one"
        )
        rule = ("DR013", "carriage-return", Severity.WARNING)
        yield _finding(source, text.find("\n"), rule, what, "convert the file with mac2unix")
    elif (at := text.find("\r")) >= 0:
        crlf, line_feeds = text.count("\r\n"), text.count("\n")
        what = "carriage return before each line end" if crlf == line_feeds else "carriage return"
        rule = ("DR013", "carriage-return", Severity.WARNING)
        yield _finding(source, at, rule, what, "convert the file with dos2unix")
    if odd := _ODD_CONTROL.search(text):
        name = (
            "NUL byte, where reading the line ends"
            if odd[0] == "\0"
            else f"control character 0x{ord(odd[0]):02x}"
        )
        rule = ("DR014", "control-character", Severity.WARNING)
        hint = "remove it"
        if 4 * text.count("\0") > len(text):
            hint = "if these are two-byte characters: iconv -f UTF-16LE -t UTF-8"
        yield _finding(source, odd.start(), rule, name, hint)
    if text and not text.endswith("\n"):
        rule = ("DR015", "missing-final-newline", Severity.INFO)
        yield _finding(source, len(text) - 1, rule, "no line end after the last line", "add one")
    yield from _long_line(source)


def _long_line(source: SourceFile) -> Iterator[Diagnostic]:
    """A finding for each line that is too long, the first hundred of them."""
    if 4 * max(map(len, source.text.split("\n"))) <= LONG_LINE:
        return
    text, starts = source.text, source.line_starts()
    left = _MOST_LONG_LINES
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=True), 1):
        # at most four bytes a character
        if 4 * (end - start) <= LONG_LINE:
            continue
        size_bytes = len(text[start:end].encode("utf-8", "surrogatepass"))
        if size_bytes > LONG_LINE:
            message = (
                f"line of {size_bytes} bytes: keepalived reads {LONG_LINE}, and what follows as a "
                "line of its own"
            )
            rule = ("DR016", "long-line", Severity.WARNING)
            yield _finding(source, start, rule, message, f"shorten line {number}, comments too")
            left -= 1
            if not left:
                return


def _finding(
    source: SourceFile, offset: int, rule: tuple[str, str, Severity], message: str, hint: str
) -> Diagnostic:
    end = min(offset + 1, len(source.text))
    return Diagnostic(source.place(Span(offset, end)), *rule, message, hint)
