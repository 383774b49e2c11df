"""Logical lines of the expanded view, and where each of their words comes from.

A line keeps its words, the number of the physical line that keepalived counts it to, and its
origin; columns and chains are worked out when somebody asks, by doing again what the expansion did
to that one line. A file of 200,000 lines has 200,000 of these, few of which are ever asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from drctl.syntax.expand_text import BLANK, decomment, split_braces, word_ranges
from drctl.text.place import Place, Span
from drctl.text.place import Step as Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drctl.text.source import SourceFile

_VISIBLE = re.compile(r"[^ \t\r](?:.*[^ \t\r])?")

Columns = tuple[int, "int | None"]
"""Columns of a physical line, from 0 and half-open; None is its end."""
WHOLE: Columns = (0, None)

Edit = tuple[int, int, str, "Step | None"]
"""Where, how many code points are taken out, what is put there, and the step it stands for."""


class Trace:
    """A text with the column range (from 0, half-open) in its physical line and the steps of each
    code point."""

    __slots__ = ("ranges", "steps", "text")

    def __init__(self, text: str, first: int = 0) -> None:
        self.text = text
        self.ranges = [(column, column + 1) for column in range(first, first + len(text))]
        self.steps: list[tuple[Step, ...]] = [()] * len(text)

    def apply(self, edits: Iterable[Edit]) -> None:
        """Do `edits` one after the other."""
        for edit in edits:
            start, removed, inserted, step = edit
            end, size = start + removed, len(inserted)
            steps: tuple[Step, ...] = ()
            if start < end and start < len(self.text):
                first, last = self.ranges[start], self.ranges[min(end, len(self.ranges)) - 1]
                range_ = first[0], max(last[1], first[1])
                steps = self.steps[start]
            else:
                column = self.ranges[start - 1][1] if 0 < start <= len(self.ranges) else 0
                range_ = column, column
            if step is not None:
                steps = (*steps, step)
            self.text = self.text[:start] + inserted + self.text[end:]
            self.ranges[start:end] = [range_] * size
            self.steps[start:end] = [steps] * size

    def part(self, start: int, end: int) -> Trace:
        """The code points from `start` up to `end`."""
        made = Trace("")
        made.text, made.ranges = self.text[start:end], self.ranges[start:end]
        made.steps = self.steps[start:end]
        return made


class FileText:
    """A file as it was read at one include: its lines come straight from it. `steps` are the
    includes that lead to it, outermost first."""

    __slots__ = ("_split", "_traced", "source", "steps")

    def __init__(self, source: SourceFile, steps: tuple[Step, ...]) -> None:
        self.source = source
        self.steps = steps
        self._split: tuple[int, Trace, list[tuple[int, int]]] = 0, Trace(""), []
        self._traced: tuple[Rewritten | None, Trace] = None, Trace("")

    @property
    def path(self) -> str:
        """The file's path as it was given."""
        return self.source.path

    def line_place(self, number: int, columns: Columns = WHOLE) -> Place:
        """The place of `columns` of line `number`, without the blanks around them."""
        text, first = self.source.line(number, *columns), columns[0]
        found = _VISIBLE.search(text)
        begin, end = found.span() if found else (0, len(text))
        return self.columns(number, first + begin, first + end)

    def columns(self, number: int, begin: int, end: int) -> Place:
        """The place of columns (from 0, half-open) of line `number`."""
        first = self.source.line_starts()[number - 1]
        return self.source.place(Span(first + begin, first + end))

    def trace(self, number: int, part: int) -> Trace:
        """The logical line `part` (from 0, those without words not counted) of a line."""
        known, trace, full = self._split
        if known != number:
            trace = Trace(self.source.line(number).partition("\0")[0])
            trace.apply(decomment(trace.text).cuts)
            ranges = split_braces(trace.text)
            if len(ranges) == 1:
                return trace
            full = [r for r in ranges if word_ranges(trace.text[r[0] : r[1]])]
            self._split = number, trace, full
        return trace.part(*full[part])

    def trace_of(self, rewritten: Rewritten) -> Trace:
        """The text that `rewritten` is; that of its base, which many lines have in common, is kept
        until another one is asked for."""
        stages: list[Rewritten] = [rewritten]
        known, trace = self._traced
        while (base := stages[-1].base) is not None and base is not known:
            stages.append(base)
        if base is None:
            columns = rewritten.columns
            text = self.source.line(rewritten.number, *columns).partition("\0")[0]
            trace = Trace(text, columns[0])
        else:
            trace = trace.part(0, len(trace.text))
        for stage in reversed(stages[1:]):
            trace.apply(stage.edits)
        if len(stages) > 1:
            self._traced = rewritten.base, trace.part(0, len(trace.text))
        trace.apply(rewritten.edits)
        return trace

    @property
    def file(self) -> FileText:
        """Itself: where a line of it stands."""
        return self


class Rewritten:
    """What became of the text `base` by `edits`; without a base, of `columns` of a physical line:
    those of one too long for keepalived are several texts."""

    __slots__ = ("base", "columns", "edits", "file", "number")

    def __init__(
        self,
        file: FileText,
        number: int,
        base: Rewritten | None,
        edits: tuple[Edit, ...] = (),
        columns: Columns = WHOLE,
    ) -> None:
        self.file = file
        self.number = number
        self.base = base
        self.edits = edits
        self.columns: Columns = columns if base is None else base.columns

    def trace(self, number: int, part: int = 0) -> Trace:
        """The text with its columns."""
        del number, part
        return self.file.trace_of(self)


class Word(NamedTuple):
    """A word of a line. `text` is what keepalived's handlers see, `raw` what stands in the file at
    `place`: the use, when the word comes from a definition; `chain` says from where it comes."""

    text: str
    raw: str
    place: Place
    chain: tuple[Step, ...]
    is_quoted: bool


class Line(NamedTuple):
    """One logical line: a statement without its block, or a brace alone.

    `words` begins with the keyword. `number` is the physical line (from 1) in the file `path` that
    keepalived counts it to; what comes from a definition or a sequence counts to its use. `part`
    counts the logical lines of a physical one from 0.
    """

    words: tuple[str, ...]
    number: int
    part: int
    origin: FileText | Rewritten

    @property
    def path(self) -> str:
        """The file, as it was given."""
        return self.origin.file.path

    @property
    def text(self) -> str:
        """The whole logical line as keepalived sees it, quotes included."""
        return self.origin.trace(self.number, self.part).text

    @property
    def is_rewritten(self) -> bool:
        """Whether it stands like this in no file: substituted, repeated, unescaped."""
        return isinstance(self.origin, Rewritten)

    def word(self, index: int) -> Word:
        """The word at `index`, the keyword at 0, the last one for all beyond it."""
        trace = self.origin.trace(self.number, self.part)
        ranges = word_ranges(trace.text)
        index = min(max(index, 0), len(ranges) - 1)
        start, end = ranges[index]
        columns = trace.ranges[start:end]
        begin, stop = min(c[0] for c in columns), max(c[1] for c in columns)
        file = self.origin.file
        raw = file.source.line(self.number, begin, stop)
        steps = dict.fromkeys(step for one in trace.steps[start:end] for step in one)
        is_quoted = trace.text[start] == '"'
        place = file.columns(self.number, begin, stop)
        return Word(self.words[index], raw, place, (*file.steps, *steps), is_quoted)

    def place(self, index: int = 0) -> Place:
        """Where the user finds the word at `index`, the last one for all beyond it."""
        return self.word(index).place

    @property
    def whole(self) -> Place:
        """From the first word to the last one."""
        first, last = self.place(0), self.place(len(self.words))
        return Place(first.path, first.line, first.column, last.end_line, last.end_column)

    @property
    def chain(self) -> tuple[Step, ...]:
        """The steps of all words."""
        trace = self.origin.trace(self.number, self.part)
        steps = dict.fromkeys(step for one in trace.steps for step in one)
        return (*self.origin.file.steps, *steps)


def visible(text: str, most: int = 60) -> str:
    """`text` for a message, cut when it is long."""
    text = text.strip(BLANK)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
