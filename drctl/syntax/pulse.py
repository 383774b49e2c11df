"""What pulse 0.8.6 says about an lvs.cf: accepted, or the line where it stops and the message.

A pure emulation of its parser (lvsconfig.c), driven by `grammar/lvs_cf/`; no file, no resolver. It
knows nothing of what people meant: that is the lexer's business. Facts beyond the tables:

- A line ends at the next carriage return of the whole rest of the file, and only without one at the
  next line feed. The line feed behind a carriage return then starts a line of its own that counts
  as empty up to the next carriage return: in a file with CRLF throughout nothing but the first line
  is read. A comment swallows everything up to the carriage return.
- Words are looked for up to the first NUL only. A NUL at the start of a line ends the file; another
  one kills pulse, because the line has no end.
- A quotation mark at the start of a word is only looked for again behind the first blank.
- Directly inside a virtual or failover block, except on its first line, a quotation mismatch goes
  unnoticed: the line is cut off before the bad word. When that is the first word, the block ends.
- What follows a closing brace is not looked at; nothing has to be closed at the end of the file.

Some texts make the original read memory that it never wrote, so that the outcome depends on how it
was compiled. The verdict then is that of zeroed memory, and a note with the code `undefined` says
so.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from drctl.quickclass import dataclass
from drctl.schema.load import load_dialect
from drctl.schema.values import tcp_port
from drctl.units import c_integer, ipv4_number, is_host_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drctl.schema.table import Block, Dialect

QUOTATION: Final = "quotation mismatch"
EXTRA: Final = "unexpected arguments"
NO_EQUALS: Final = "equal (=) expected after command"
MISSING: Final = "missing arguments"
BAD_HOST: Final = "invalid host name or ip address"
BAD_ARGUMENT: Final = "invalid argument"
NO_INTEGER: Final = "integer expected"
NO_BOOLEAN: Final = "boolean expected"
UNKNOWN: Final = "unknown command"
NO_LIST: Final = "list expected"
BAD_MASK: Final = "Bad subnet mask specified"
EMPTY: Final = "Empty configuration"
CRASH: Final = "segmentation fault"
"""Not said by pulse itself: the process dies of this signal."""

MESSAGES: Final = (
    *(QUOTATION, EXTRA, NO_EQUALS, MISSING, BAD_HOST, BAD_ARGUMENT, NO_INTEGER, NO_BOOLEAN),
    *(UNKNOWN, NO_LIST, BAD_MASK, EMPTY),
)
"""The messages that the parser can produce. Three more are in its list but never come up:
"unexpected end of file", "Cannot use both virtual AND failover services", and an I/O error."""

_STACK_BYTES = 8 * 2**20
_RUBBISH = "\0"
"""Stands for a word whose text the original never wrote; equals no word that can be in a file."""
_CARELESS_BLOCK = "virtual"
"""The one table in whose blocks the outcome of splitting a line is dropped."""

_HEADERS = {"virtual": "virtual", "failover": "virtual", "server": "virtual/server"}
"""Tables of the blocks by the word that opens them; a failover has that of a virtual."""

_WORD = re.compile(r"[^ \t]+")
_BLANK = re.compile(r"[ \t]|\Z")
_NOT_BLANK = re.compile(r"[^ \t]|\Z")
_SERVICE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]*")
_QUOTE_END = {quote: re.compile(rf"[{quote}\n\r]|\Z") for quote in "\"'"}


@dataclass(frozen=True, slots=True)
class Note:
    """A remark on how a line was read that the verdict alone does not show.

    `line` is counted as pulse counts, `source_line` in line feeds, both from 1. Codes: `undefined`,
    `assumed-host` (a host name that was taken as one that resolves), `unknown-service`, `unread`
    (lines skipped because of a carriage return, or all behind a NUL), `cut` (the rest of a line is
    not looked at), `closed` (a quotation mismatch ended a block), `open` (a block not closed at the
    end), `mask-ignored`, `too-big`.
    """

    line: int
    code: str
    text: str
    source_line: int = 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line, from 1, that pulse stops at, with its message for it."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class PulseVerdict:
    """Whether pulse 0.8.6 takes a file.

    `line` is the number that pulse prints: from 1, counting as it does, 0 for an empty file; None
    when it accepts, like `message`, which is one of `MESSAGES` or `CRASH`. `source_line` is the
    line of the file, from 1 and counted in line feeds (carriage returns, where there is none),
    where that line of pulse's begins; it differs only in files with both.
    """

    accepts: bool
    line: int | None = None
    message: str | None = None
    source_line: int | None = None
    notes: tuple[Note, ...] = ()


def judge(text: str | bytes, resolve: Callable[[str], bool] | None = None) -> PulseVerdict:
    """Read `text` as pulse 0.8.6 would; a `str` stands for its UTF-8 bytes. Never raises.

    `resolve` says whether a host name (never an address) has an IPv4 address. Without it every name
    that has the form of one does, and a note says so for each.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return _Reading(raw.decode("latin-1"), resolve).verdict()


def refusals(text: str | bytes) -> tuple[Refusal, ...]:
    """Every line that pulse would stop at if all lines before it were right, in order.

    Carriage returns and NUL bytes, which confuse it about all that follows, are left out; where
    there is no line feed, carriage returns end the lines. A block's header that it refuses opens
    the block nevertheless, as its writer meant.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    line_end = b" " if b"\n" in raw else b"\n"
    clean = raw.replace(b"\r\n", b"\n").replace(b"\r", line_end).replace(b"\0", b"")
    return _Reading(clean.decode("latin-1"), None).refusals()


class _Level:
    """One open block. `words` is the highest number of words that a line in it has had so far: the
    original's array of words holds defined values up to that index and no further."""

    __slots__ = ("table", "words")

    def __init__(self, table: Block) -> None:
        self.table = table
        self.words = 0


@cache
def _dialect() -> Dialect:
    return load_dialect("lvs.cf")


class _Reading:
    """One run over one text; `text` has one character per byte."""

    def __init__(self, text: str, resolve: Callable[[str], bool] | None) -> None:
        self.whole = f"{text}\n"
        self.line_end = "\n" if "\n" in text or "\r" not in text else "\r"
        nul = self.whole.find("\0")
        self.text = self.whole if nul < 0 else self.whole[:nul]
        self.resolve = resolve
        self.line = 0
        self.source_line = 1
        self.notes: list[Note] = []
        self.blocks = _dialect().blocks
        self.maximum_words = _dialect().lexical.maximum_words
        self.levels = [_Level(self.blocks[""])]
        self.unread: list[tuple[int, int]] = []
        self.checks: dict[str, Callable[[str], str | None]] = {
            "integer": _check_integer,
            "boolean": _check_boolean,
            "port": self._check_port,
            "host": self._check_host,
            "host_set": self._check_host_set,
            "address": _check_address,
            "mask": _check_mask,
            "mask_or_anything": self._check_mask_or_anything,
        }

    def verdict(self) -> PulseVerdict:
        if self.whole == "\n":
            return PulseVerdict(accepts=False, line=0, message=EMPTY, source_line=0)
        if len(self.whole) >= _STACK_BYTES:
            self._note("too-big", "pulse keeps the file on its stack of usually 8 MiB and crashes")
        message = None
        for start, end in self._lines():
            message = self._line(start, end)
            if message is not None:
                break
        self._finish(is_at_end=message is None)
        notes = tuple(self.notes)
        if message is None:
            return PulseVerdict(accepts=True, notes=notes)
        return PulseVerdict(
            accepts=False,
            line=self.line,
            message=message,
            source_line=self.source_line,
            notes=notes,
        )

    def refusals(self) -> tuple[Refusal, ...]:
        found = []
        for start, end in self._lines():
            message = self._line(start, end)
            if message is not None:
                found.append(Refusal(self.line, message))
                self._go_on(self.text[start:end].split())
        return tuple(found)

    def _go_on(self, words: list[str]) -> None:
        """Behind a refused line: open or close the block that it meant to."""
        keyword = words[0].lower() if words else ""
        if keyword in _HEADERS:
            self.levels.append(_Level(self.blocks[_HEADERS[keyword]]))
        if len(words) > 1 and words[-1] == "}" and len(self.levels) > 1:
            self.levels.pop()

    def _lines(self) -> Iterator[tuple[int, int]]:
        """Start and end of each line; the end is -1 when a NUL comes before it."""
        text, size = self.text, len(self.text)
        start, end_cr = 0, text.find("\r")
        while start < size:
            if 0 <= end_cr < start:
                end_cr = text.find("\r", start)
            end = end_cr if end_cr >= 0 else text.find("\n", start)
            self.line += 1
            yield start, end
            self.source_line += text.count(self.line_end, start, end + 1)
            start = end + 1

    def _line(self, start: int, end: int) -> str | None:
        if end < 0:
            return CRASH
        body = self.text[start:end].lstrip(" \t")
        if not body or body[0] in "#\n":
            if "\n" in body and body.strip(" \t\n"):
                self.unread.append((self.line, self.source_line))
            return None
        words, is_sound = split_words(body, self.maximum_words)
        level = self.levels[-1]
        if not is_sound:
            if level.table.path != _CARELESS_BLOCK or not level.words:
                return QUOTATION
            self._note_mismatch(level, words)
            if not words:
                self.levels.pop()
                return None
        elif len(words) > level.words:
            level.words = len(words)
        if _RUBBISH in words:
            self._note("undefined", "a quotation mark alone at the end of the line: rubbish")
        return self._statement(level, words)

    def _statement(self, level: _Level, words: list[str]) -> str | None:
        if words[0] == "}" and len(self.levels) > 1:
            self.levels.pop()
            if len(words) > 1:
                self._note("cut", "what follows the closing brace is not looked at")
            return None
        keyword = level.table.keywords.get(words[0])
        if keyword is None or keyword.removed is not None:
            return UNKNOWN
        if keyword.opens is not None:
            return self._open(keyword.opens, words)
        if len(words) < 2 or words[1] != "=":
            return NO_EQUALS
        arguments, given = keyword.args, words[2:]
        if arguments[0].type == "list":
            return self._check_list(given)
        if len(arguments) + 1 > level.words:
            self._note("undefined", "the last argument is looked for in memory never written")
        if len(given) != len(arguments):
            return MISSING if len(given) < len(arguments) else EXTRA
        for argument, word in zip(arguments, given, strict=True):
            if argument.values:
                if word not in argument.values:
                    return BAD_ARGUMENT
            elif (check := self.checks.get(argument.type)) and (message := check(word)):
                return message
        return None

    def _open(self, path: str, words: list[str]) -> str | None:
        if len(words) < 3:
            return MISSING
        if len(words) > 3:
            return EXTRA
        if words[2] != "{":
            return MISSING
        self.levels.append(_Level(self.blocks[path]))
        return None

    def _finish(self, *, is_at_end: bool) -> None:
        if self.unread:
            text = f"{len(self.unread)} lines from here on are skipped: carriage returns"
            line, source_line = self.unread[0]
            self.notes.append(Note(line, "unread", text, source_line))
        if not is_at_end:
            return
        if len(self.text) < len(self.whole):
            self._note("unread", "a NUL at the start of the next line ends the file")
        for level in self.levels[1:]:
            self._note("open", f"{level.table.keyword} block not closed, which pulse accepts")
            if not level.words:
                self._note("undefined", "nothing behind the opening brace before the file ends")

    def _note(self, code: str, text: str) -> None:
        self.notes.append(Note(self.line, code, text, self.source_line))

    def _note_mismatch(self, level: _Level, words: list[str]) -> None:
        if words:
            self._note("cut", f"quotation mismatch unnoticed; read up to {_shown(words[-1])}")
        else:
            self._note("closed", "quotation mismatch unnoticed; it ends the block")
        if len(words) > level.words:
            self._note("undefined", "no line of the block had as many words before")

    def _check_list(self, given: list[str]) -> str | None:
        if not given:
            return CRASH
        return None if given[0] == "[" and "]" in given else NO_LIST

    def _check_port(self, word: str) -> str | None:
        if c_integer(word) is not None or tcp_port(word) is not None:
            return None
        if _SERVICE_NAME.fullmatch(word):
            self._note("unknown-service", f"no tcp service {_shown(word)} in drctl's table")
        return BAD_ARGUMENT

    def _check_host(self, word: str) -> str | None:
        if ipv4_number(word) is not None:
            return None
        if not is_host_name(word):
            return BAD_ARGUMENT
        if self.resolve is not None:
            return None if self.resolve(word) else BAD_ARGUMENT
        self._note("assumed-host", f"{_shown(word)} is taken as a host name that resolves")
        return None

    def _check_host_set(self, word: str) -> str | None:
        return BAD_HOST if ipv4_number(word) == 0 else self._check_host(word)

    def _check_mask_or_anything(self, word: str) -> str | None:
        if ipv4_number(word) is None:
            self._note("mask-ignored", f"{_shown(word)} is no netmask and is ignored")
        return None


def split_words(body: str, maximum: int | None = None) -> tuple[list[str], bool]:
    """The words of a line that starts with one, and False when a quotation mark has no partner;
    then they are the words before it. At most `maximum` words are looked at."""
    if '"' not in body and "'" not in body:
        return _WORD.findall(body)[:maximum], True
    words: list[str] = []
    position, size = 0, len(body)
    while position < size and len(words) != maximum:
        end = _at(_BLANK, body, position)
        if end_quote := _QUOTE_END.get(quote := body[position]):
            start = position + 1
            end = _at(end_quote, body, end)
            if end < size and body[end] == quote:
                end += 1
            if end > start and body[end - 1] != quote:
                return words, False
            words.append(body[start : end - 1] if end > start else _RUBBISH)
        else:
            words.append(body[position:end])
        position = _at(_NOT_BLANK, body, end)
    return words, True


def _shown(word: str) -> str:
    """`word`, which has one character per byte, as a person would read it."""
    return word.encode("latin-1").decode("utf-8", "replace")


def _at(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where `pattern`, which matches the end of the text too, is found next."""
    found = pattern.search(text, position)
    assert found is not None
    return found.start()


def _check_integer(word: str) -> str | None:
    return NO_INTEGER if c_integer(word) is None else None


def _check_boolean(word: str) -> str | None:
    value = c_integer(word)
    if value is None:
        return NO_INTEGER
    return None if value in (0, 1) else NO_BOOLEAN


def _check_address(word: str) -> str | None:
    return BAD_HOST if ipv4_number(word) is None else None


def _check_mask(word: str) -> str | None:
    return BAD_MASK if ipv4_number(word) is None else None
