"""Files to logical lines: the order in which keepalived takes its text from files. One `Reader` is
one reading of the configuration.

Facts: `read_line`, `open_conf_file` of lib/parser.c, keepalived 2.2.7. keepalived reads the files
once in its parent process, which writes the lines without comments to a copy, and its other
processes read the copy, where comments are looked for again; `is_copy` is that second reading.
"""

from __future__ import annotations

from itertools import chain, repeat
from posixpath import normpath
from typing import TYPE_CHECKING

from drctl.syntax import expand_kind as kind
from drctl.syntax.expand_define import MOST_CHARACTERS, Buffer
from drctl.syntax.expand_define import Definition as Defined
from drctl.syntax.expand_include import (
    BRACES,
    MATCH,
    READABLE,
    WILDCARD,
    include_of,
    is_quoted,
)
from drctl.syntax.expand_kind import Findings, Kind
from drctl.syntax.expand_line import FileText, Line, Rewritten, Step, visible
from drctl.syntax.expand_names import place_of
from drctl.syntax.expand_remark import Remark, remarks
from drctl.syntax.expand_rewrite import REWRITTEN_AT_ONCE, Pending, Rewriter
from drctl.syntax.expand_text import ODD, Clean, Words, decomment, split_line, split_text
from drctl.syntax.expanded import (
    Condition,
    Definition,
    Expanded,
    ExpandOptions,
    Files,
    Include,
    Unreadable,
)
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from drctl.text.source import SourceFile

_FEW_PARTS = 32
_SPECIAL = ("$", "\\", "@", "~", "include")
"""A line without any of these needs nothing but splitting."""


class _Known(dict[str, tuple[Words, ...]]):
    """Words of the logical lines of physical lines that need nothing but splitting, each worked out
    once; `remarked` are those that there is something to say of."""

    def __init__(self, version: tuple[int, ...]) -> None:
        super().__init__()
        self.version = version
        self.remarked: dict[str, tuple[Remark, ...]] = {}

    def __missing__(self, line: str) -> tuple[Words, ...]:
        if ODD.search(line):
            clean = decomment(line)
            if found := remarks(line, clean, self.version):
                self.remarked[line] = found
            words = split_text(clean.text)
        else:
            words = split_line(line)
        self[line] = words
        return words


class _Shared:
    """What both readings of a configuration use."""

    def __init__(self, files: Files, options: ExpandOptions) -> None:
        self.files = files
        self.options = options
        self.findings = Findings()
        self.known = _Known(options.version)
        self.sources: dict[str, SourceFile | Unreadable] = {}


class Reader:
    """Reads files into `rewriter.lines`. `differs` says afterwards that a reading of keepalived's
    copy gives something else."""

    def __init__(self, shared: _Shared, *, is_copy: bool) -> None:
        self.options = shared.options
        self.files = shared.files
        self.findings = shared.findings
        self.known = shared.known
        self.sources = shared.sources
        self.rewriter = Rewriter(shared.options, shared.files, shared.findings)
        self.lines = self.rewriter.lines
        self.includes: list[Include] = []
        self.is_copy = is_copy
        self.differs = False
        self._is_old = shared.options.version < REWRITTEN_AT_ONCE
        self._open: list[str] = []
        self._opened = 0
        self._is_full = False
        self._characters = 0

    def read(self, file: FileText) -> None:
        """Read a file and all that it includes."""
        demands = self.rewriter.demands
        self._open.append(normpath(file.path))
        raws = _raw_lines(file.source)
        start = 0
        for special in chain(_special_lines(file.source, raws), (len(raws),)):
            while start < special and self.rewriter.growing is not None:
                self._physical(file, start + 1, raws[start])
                start += 1
            if start < special:
                self._bulk(file, raws, start, special)
            if special < len(raws):
                self._physical(file, special + 1, raws[special])
            start = special + 1
        self._open.pop()
        self.rewriter.demands = demands

    def _bulk(self, file: FileText, raws: list[str], start: int, end: int) -> None:
        """The lines `start` to `end` (from 0), which need nothing but splitting."""
        chunk = raws if start == 0 and end == len(raws) else raws[start:end]
        found = list(map(self.known.__getitem__, chunk))
        counts = list(map(len, found))
        numbers = chain.from_iterable(map(repeat, range(start + 1, end + 1), counts))
        parts = chain.from_iterable(map(_part_numbers(counts), counts))
        rows = zip(chain.from_iterable(found), numbers, parts, repeat(file))
        # 200,000 at once: without a Python frame for each
        self.lines.extend(map(tuple.__new__, repeat(Line), rows))
        if remarked := self.known.remarked:
            for number, raw in enumerate(chunk, start + 1):
                if raw in remarked:
                    self._remark(file, number, 0, remarked[raw])

    def _remark(self, file: FileText, number: int, offset: int, found: tuple[Remark, ...]) -> None:
        for one in found:
            if self.findings.is_full(one.kind):
                continue
            place = file.columns(number, offset + one.begin, offset + one.end)
            self.findings.add(one.kind, place, one.message, one.hint, severity=one.severity)

    def _physical(self, file: FileText, number: int, raw: str) -> None:
        """A physical line that needs more, or several when it is too long."""
        if "\0" in raw:
            raw = raw[: raw.index("\0")] if self._is_old else ""
        for offset, text in _chunks(raw):
            is_full = len(text) * 4 >= MOST_CHARACTERS and _size(text) >= MOST_CHARACTERS
            if is_full and not self._is_old:
                continue
            base = None
            if text is not raw:
                base = Rewritten(file, number, None, (), (offset, offset + len(text)))
            self._text(Buffer(text, file, number, base), offset)

    def _text(self, buffer: Buffer, offset: int) -> None:
        rewriter = self.rewriter
        raw = buffer.text
        clean = decomment(raw, keeps_continuation=self._is_old)
        is_inside = rewriter.growing is not None
        found = remarks(raw, clean, self.options.version, is_continued=is_inside)
        self._remark(buffer.file, buffer.number, offset, found)
        self._continuation(buffer, clean)
        buffer.become(clean.text, clean.cuts)
        self.differs = self.differs or clean.is_changed_again
        is_include = include_of(buffer.text) is not None
        if self.is_copy and clean.is_changed_again and not is_include:
            if clean.text[0] in "#!":
                # for keepalived a mark that a file begins or ends
                return
            again = decomment(clean.text, keeps_continuation=self._is_old)
            buffer.become(again.text, again.cuts)
        if rewriter.growing is not None and (not buffer.text or is_include):
            # the copy has an empty line for it; the parent passes over lines that become empty
            self.differs = True
            if not raw or self.is_copy:
                self._cut(buffer)
            elif is_include:
                rewriter.feed(buffer, is_plain=False)
            return
        if buffer.text:
            count = len(self.lines)
            rewriter.feed(buffer, is_plain=is_include)
            if is_include and self.is_copy:
                # the copy has an empty line for it, also when substitution makes it no include
                del self.lines[count:]
            self.differs = self.differs or (is_include and len(self.lines) > count)
            while rewriter.pending:
                self._include(rewriter.pending.pop())

    def _cut(self, buffer: Buffer) -> None:
        """A line without text inside a definition of several lines."""
        growing = self.rewriter.growing
        assert growing is not None
        self.rewriter.end_definition()
        if growing.step is not None:
            message = (
                f"${growing.name} ends at line {buffer.number}, which is empty or a comment, though"
                " the line before it ends in a backslash"
            )
            hint = "remove the last backslash, or the line"
            self.findings.add(kind.CUT_DEFINITION, growing.step.place, message, hint)

    def _continuation(self, buffer: Buffer, clean: Clean) -> None:
        """What a backslash at the end of a line does outside a definition."""
        text = clean.text
        is_inside = self.rewriter.growing is not None
        if not clean.is_continued:
            has_more = is_inside and clean.comment >= 0 and buffer.text.endswith("\\")
            if has_more and not self._is_old:
                message = "the definition ends here: a backslash in a comment does not count"
                place = buffer.line_place()
                self.findings.add(kind.CUT_DEFINITION, place, message, "take the comment out")
            return
        if is_inside or text.startswith("$") or (text[:1] == "@" and " $" in text):
            return
        place = buffer.line_place()
        if clean.comment >= 0:
            what = "is read as the keyword \\" if text == "\\" else f"{visible(text)} is read"
            message = f"the backslash at the end of this comment counts: {what}"
            self.findings.add(kind.CONTINUED_COMMENT, place, message, "remove the backslash")
            return
        message = (
            f"lines are not continued: the backslash is part of the last word, {visible(text)}"
        )
        self.findings.add(kind.STRAY_CONTINUATION, place, message, "write it all on one line")

    # Includes.

    def _include(self, pending: Pending) -> None:
        include, buffer = pending.include, pending.buffer
        times = 1
        if not pending.is_plain:
            self.differs = True
            message = "this include is read twice by all processes but the first one"
            hint = "let the include be all that stands on its line"
            self.findings.add(kind.INCLUDED_TWICE, place_of(buffer), message, hint)
            times = 2 if self.is_copy else 1
        demands = self.rewriter.demands | include.demands
        place, position, paths = place_of(buffer), len(self.lines), []
        for _ in range(times):
            for path in self._matches(pending, demands):
                source = self._source(path, pending, demands)
                if source is not None:
                    paths.append(path)
                    step = Step("include", path, include.pattern, place)
                    steps = (*buffer.file.steps, step)
                    self.read(FileText(source, steps))
        outer = buffer.file.steps
        self.includes.append(Include(position, include.pattern, place, tuple(paths), outer))

    def _matches(self, pending: Pending, demands: int) -> tuple[str, ...]:
        pattern = pending.include.pattern
        if len(self._open) > self.options.limits.depth:
            message = f"includes are nested more than {self.options.limits.depth} deep"
            self._tell(kind.INCLUDE_LOOP, pending, message, "take the include out")
            return ()
        matches = self.files.match(pattern, pending.buffer.file.path)
        shown = visible(pattern)
        hint = "take the quotes off, they are part of the name" if is_quoted(pattern) else ""
        if matches.error:
            message = f"{shown} cannot be read: {matches.error}"
            self._tell(kind.UNREADABLE_INCLUDE, pending, message, hint, demands & READABLE)
        elif matches.has_missing:
            wanted = BRACES if pending.include.has_braces or matches.paths else MATCH
            what = "some files of it are" if matches.paths else "the file is"
            message = f"{shown} is not all there: {what} missing"
            if not matches.paths:
                message = f"{shown} does not exist"
            self._tell(kind.MISSING_INCLUDE, pending, message, hint, demands & wanted)
            if demands & BRACES and matches.paths:
                return ()
        elif not matches.paths and demands & WILDCARD:
            message = f"no file matches {shown}"
            self._tell(kind.MISSING_INCLUDE, pending, message, hint, demands & WILDCARD)
        return matches.paths

    def _source(self, path: str, pending: Pending, demands: int) -> SourceFile | None:
        """The file at `path`, None when it is not to be read."""
        if normpath(path) in self._open:
            message = (
                f"{visible(path)} includes itself: keepalived reads it until it cannot open it"
            )
            self._tell(kind.INCLUDE_LOOP, pending, message, "take the include out")
            return None
        limits = self.options.limits
        if self._opened >= limits.files or self._characters > limits.characters:
            if self._is_full:
                return None
            self._is_full = True
            message = (
                f"more than {limits.files:,} files, or {limits.characters:,} characters, are "
                "included; the rest is not read"
            )
            self._tell(kind.TOO_MUCH, pending, message, "include less")
            return None
        if path not in self.sources:
            self.sources[path] = self.files.read(path)
        source = self.sources[path]
        if isinstance(source, Unreadable):
            message = f"{visible(path)} is not read: {source.reason}"
            what = kind.UNREADABLE_INCLUDE if source.is_skipped else kind.TOO_MUCH
            is_refused = demands & READABLE or not source.is_skipped
            self._tell(what, pending, message, "", is_refused)
            return None
        self._opened += 1
        self._characters += len(source.text)
        return source

    def _tell(
        self, what: Kind, pending: Pending, message: str, hint: str, is_refused: int = 0
    ) -> None:
        if self.findings.is_full(what):
            return
        buffer = pending.buffer
        place = place_of(buffer.part(pending.include.at, len(buffer.text)))
        severity = Severity.ERROR if is_refused else what.severity
        if is_refused and what.severity is not Severity.ERROR:
            message += "; keepalived does not start"
        self.findings.add(what, place, message, hint, severity=severity)


def read(source: SourceFile, files: Files, options: ExpandOptions) -> Expanded:
    """The expanded view of `source`."""
    shared = _Shared(files, options)
    first = Reader(shared, is_copy=False)
    first.read(FileText(source, ()))
    last = first
    if first.differs:
        last = Reader(shared, is_copy=True)
        last.read(FileText(source, ()))
    read_files = [one for one in shared.sources.values() if not isinstance(one, Unreadable)]
    conditions = dict.fromkeys(Condition(*one) for one in first.rewriter.conditions)
    return Expanded(
        last.lines,
        first.lines,
        shared.findings.diagnostics(),
        (source, *read_files),
        tuple(conditions),
        tuple(_definition(one) for one in last.rewriter.defined),
        tuple(last.includes),
    )


def _definition(one: Defined) -> Definition:
    assert one.step is not None, "definitions of the text have a place"
    value = one.value.rstrip("\n")
    return Definition(one.name, value, one.step.place, one.is_multiline, one.is_used)


def _raw_lines(source: SourceFile) -> list[str]:
    """The physical lines, without their ends."""
    lines = source.text.split("\n")
    if not lines[-1]:
        lines.pop()
    if "\r" in source.text:
        return [line.rstrip("\r") for line in lines]
    return lines


def _part_numbers(counts: list[int]) -> Callable[[int], Iterable[int]]:
    """What gives the numbers of as many parts, from 0."""
    most = max(counts, default=0)
    if most > _FEW_PARTS:
        return range
    return [tuple(range(count)) for count in range(most + 1)].__getitem__


def _special_lines(source: SourceFile, raws: list[str]) -> Iterator[int]:
    """The numbers (from 0) of lines that need more than splitting, in order."""
    text = source.text
    special: set[int] = set()
    signs = [*_SPECIAL, "\0"] if "\0" in text else _SPECIAL
    for sign in signs:
        if sign in text:
            special.update(index for index, raw in enumerate(raws) if sign in raw)
    if raws and max(map(len, raws)) * 4 >= MOST_CHARACTERS:
        special.update(
            index
            for index, raw in enumerate(raws)
            if len(raw) * 4 >= MOST_CHARACTERS and _size(raw) >= MOST_CHARACTERS
        )
    return iter(sorted(special))


def _size(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


def _chunks(raw: str) -> Iterator[tuple[int, str]]:
    """A line in the pieces that fit into keepalived's buffer, with their offsets."""
    if len(raw) * 4 <= MOST_CHARACTERS:
        yield 0, raw
        return
    encoded = raw.encode(errors="surrogatepass")
    if len(encoded) <= MOST_CHARACTERS:
        yield 0, raw
        return
    at = offset = 0
    while at < len(encoded):
        end = at + MOST_CHARACTERS
        while end < len(encoded) and encoded[end] & 0xC0 == 0x80:
            end -= 1
        text = encoded[at:end].decode(errors="surrogatepass")
        yield offset, text
        at, offset = end, offset + len(text)
