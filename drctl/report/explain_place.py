"""What stands on a line of a keepalived.conf: what keepalived reads there, after includes,
definitions, conditions and sequences, where each word came from, and what counts in its block.

Takes the expanded view; reads no file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from drctl.lint.engine import check, statements_of
from drctl.lint.fragment import fragment_of
from drctl.lint.report import Report
from drctl.report.explain_block import CLOSING, OPENING, Blocks, Reading, headers_at
from drctl.syntax.expand_line import FileText, Line, Rewritten, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from drctl.syntax.expanded import Condition, Expanded
    from drctl.text.diagnostic import Diagnostic
    from drctl.text.place import Place
    from drctl.text.source import SourceFile

MOST_READINGS = 5
"""Effective lines of one place that are shown."""


class Definition(NamedTuple):
    """A `$NAME=` and the lines of its value; `first` and `last` are physical lines."""

    name: str
    values: tuple[str, ...]
    first: int
    last: int


_DEFINES = re.compile(r"[ \t]*(?:@\^?\S*[ \t]+)?\$([A-Za-z_]\w*)=[ \t]*(.*)", re.ASCII)
_MOST_DEFINED = 2_000
"""Lines of a definition that are looked at."""


def definition_at(source: SourceFile, number: int) -> Definition | None:
    """The definition that a line begins or goes on with."""
    first = number
    while first > 1 and number - first < _MOST_DEFINED and _goes_on(source, first - 1):
        first -= 1
    found = _DEFINES.fullmatch(source.line(first))
    if found is None:
        return None
    count = len(source.line_starts())
    values = [found[2]]
    last = first
    while _goes_on(source, last) and last < count and last - first < _MOST_DEFINED:
        last += 1
        values.append(source.line(last).strip())
    texts = tuple(value.removesuffix("\\").rstrip() for value in values)
    return Definition(found[1], texts, first, last)


def _goes_on(source: SourceFile, number: int) -> bool:
    return source.line(number).rstrip().endswith("\\")


class Included(NamedTuple):
    """A file that an include at the place brought, and how many effective lines it gave."""

    path: str
    lines: int


class PlaceView(NamedTuple):
    """What is known of one line of a file.

    `readings` are the first few of `total` effective lines that stand there; `uses` those, of
    `use_count`, that the `definition` of which the line is part is used in. `conditions` are those
    on the line. `around` are the headers of the blocks around it when nothing is read there.
    `closed` is the header of the block that a brace there closes. `only_parent` says that only the
    process that reads global_defs sees the lines. `settings` are the statements of global_defs that
    count, by keyword.
    """

    source: SourceFile
    number: int
    readings: tuple[Reading, ...]
    total: int
    uses: tuple[Reading, ...]
    use_count: int
    definition: Definition | None
    included: tuple[Included, ...]
    conditions: tuple[Condition, ...]
    findings: tuple[Diagnostic, ...]
    around: tuple[Line, ...]
    closed: Line | None
    is_fragment: bool
    only_parent: bool
    settings: Mapping[str, Line]


class Request(NamedTuple):
    """What is asked: a line of a file, as `is_same` recognises its path; `column` (from 1) or 0.
    `included` are the files that an include on the line names."""

    source: SourceFile
    number: int
    column: int
    version: str
    is_same: Callable[[str], bool]
    included: tuple[str, ...] = ()


def view(expanded: Expanded, request: Request) -> PlaceView:
    """Everything about one line."""
    found = _Search(expanded, request)
    return found.view()


class _Search:
    """Goes through the effective lines for one place."""

    def __init__(self, expanded: Expanded, request: Request) -> None:
        self.expanded = expanded
        self.request = request
        self.statements = statements_of(request.version)
        self.report = Report()
        self.report.extend(expanded.findings)
        check(expanded.lines, expanded.parent_lines, request.version, self.report)
        self.lines: Sequence[Line] = expanded.lines
        self._paths: dict[str, bool] = {}

    def view(self) -> PlaceView:
        request = self.request
        here = self._here()
        only_parent = not here and self.expanded.parent_lines is not self.expanded.lines
        if only_parent:
            self.lines = self.expanded.parent_lines
            here = self._here()
            only_parent = bool(here)
        fragment = fragment_of(self.lines, self.statements)
        definition = definition_at(request.source, request.number)
        uses = self._uses(definition)
        owned = Blocks(self.lines, self.statements, fragment)
        chosen = self._chosen(here)
        readings = tuple(owned.reading(at) for at in chosen[:MOST_READINGS])
        return PlaceView(
            request.source,
            request.number,
            readings,
            len(chosen),
            tuple(owned.reading(at) for at in uses[:MOST_READINGS]),
            len(uses),
            definition,
            tuple(self._included()),
            tuple(one for one in self.expanded.conditions if self._is_at(one.place)),
            self._findings(readings),
            () if here else self._around(),
            owned.closed_by(chosen[0]) if chosen else None,
            fragment is not None,
            only_parent,
            owned.settings(),
        )

    def _is_same(self, path: str) -> bool:
        if path not in self._paths:
            self._paths[path] = self.request.is_same(path)
        return self._paths[path]

    def _is_at(self, place: Place) -> bool:
        return place.line <= self.request.number <= max(
            place.line, place.end_line
        ) and self._is_same(place.path)

    def _here(self) -> list[int]:
        """The indexes of the effective lines that count to the place."""
        number = self.request.number
        return [
            at
            for at, line in enumerate(self.lines)
            if line.number == number and self._is_same(line.origin.file.path)
        ]

    def _chosen(self, here: list[int]) -> list[int]:
        """Those at the column that was asked for; all but lone braces when there are others."""
        column = self.request.column
        lines = self.lines
        if column:
            exact = [at for at in here if _covers(lines[at], column)]
            if exact:
                return exact
        plain = [at for at in here if lines[at].words not in (OPENING, CLOSING)]
        return plain or here

    def _uses(self, definition: Definition | None) -> list[int]:
        """The effective lines that use a definition at the place: of one of its further lines those
        that come from that line."""
        if definition is None:
            return []
        found: dict[int, int] = {}
        for at, line in enumerate(self.lines):
            for step in _own_steps(line.origin):
                if step.kind == "definition" and self._is_of(step, definition):
                    found[at] = step.place.line
                    break
        number = self.request.number
        if number == definition.first:
            return list(found)
        exact = [at for at, line in found.items() if line == number]
        return exact or list(found)

    def _is_of(self, step: Step, definition: Definition) -> bool:
        is_inside = definition.first <= step.place.line <= definition.last
        return is_inside and step.name == definition.name and self._is_same(step.place.path)

    def _included(self) -> Iterator[Included]:
        counts = dict.fromkeys(self.request.included, 0)
        brought: dict[int, str] = {}
        for line in self.lines:
            file = line.origin.file
            name = brought.get(id(file))
            if name is None:
                names = (step.name for step in file.steps if self._is_at(step.place))
                name = brought[id(file)] = next(names, "")
            if name:
                counts[name] = counts.get(name, 0) + 1
        for path, count in counts.items():
            yield Included(path, count)

    def _around(self) -> tuple[Line, ...]:
        """The headers of the blocks that are open at the place."""
        number = self.request.number
        index = 0
        for at, line in enumerate(self.lines):
            if self._is_same(line.origin.file.path):
                if line.number > number:
                    index = at
                    break
                index = at + 1
        return headers_at(self.lines, index)

    def _findings(self, readings: tuple[Reading, ...]) -> tuple[Diagnostic, ...]:
        """What is found at the place, and at the header of a block that is skipped with it."""
        skipped = [one.lost_with for one in readings if one.lost_with is not None]
        headers = {(line.path, line.number) for line in skipped}
        return tuple(
            one
            for one in self.report.diagnostics()
            if self._is_at(one.place) or (one.place.path, one.place.line) in headers
        )


def _covers(line: Line, column: int) -> bool:
    whole = line.whole
    return whole.column <= column < max(whole.end_column, whole.column + 1)


def _own_steps(origin: FileText | Rewritten) -> Iterable[Step]:
    """The steps of a line but those of includes, without working out columns."""
    if isinstance(origin, FileText):
        return
    stage: Rewritten | None = origin
    while stage is not None:
        for edit in stage.edits:
            if edit[3] is not None:
                yield edit[3]
        stage = stage.base
