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
from drctl.lint.section import Section
from drctl.lint.statement import Statements
from drctl.lint.structure import Structure
from drctl.syntax.expand_line import FileText, Line, Rewritten, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from drctl.schema.table import Block, Keyword
    from drctl.syntax.expanded import Condition, Expanded
    from drctl.text.diagnostic import Diagnostic
    from drctl.text.place import Place
    from drctl.text.source import SourceFile

MOST_READINGS = 5
"""Effective lines of one place that are shown."""
_OPENING, _CLOSING = ("{",), ("}",)


class Reading(NamedTuple):
    """One effective line.

    `headers` are the lines that open the blocks around it, outermost first, `block` is the table of
    the innermost one, None when it is unknown. `keyword` is None for entries, braces and unknown
    words. `section` is the block that it is a statement of, None when keepalived does not get to it
    as such: `lost_with` is then the header of the block that is skipped, when there is one.
    `opened` is the block that it opens itself.
    """

    line: Line
    headers: tuple[Line, ...]
    block: Block | None
    keyword: Keyword | None
    section: Section | None
    opened: Section | None = None
    lost_with: Line | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The statement as keepalived gets it."""
        return self.line.words

    @property
    def is_refused(self) -> bool:
        """Whether keepalived drops the statement."""
        return self.section is not None and id(self.line) in self.section.refused

    @property
    def rivals(self) -> list[Line]:
        """The other statements of its keyword in its block, where only one of them counts."""
        keyword, section = self.keyword, self.section
        if keyword is None or section is None or keyword.repeatable or keyword.again == "adds":
            return []
        if keyword.opens is not None:
            return []
        names = {keyword.name, *keyword.aliases}
        lines = [item for item in section.items if not isinstance(item, Section)]
        return [line for line in lines if line.words[0] in names and line is not self.line]

    @property
    def winner(self) -> Line | None:
        """The statement that counts instead of this one; None when this one does, or none."""
        keyword, section = self.keyword, self.section
        if keyword is None or section is None or self.is_refused:
            return None
        rivals = [line for line in self.rivals if id(line) not in section.refused]
        if not rivals:
            return None
        same = [*rivals, self.line]
        order = {id(item): at for at, item in enumerate(section.items)}
        same.sort(key=lambda line: order[id(line)])
        found = same[0] if keyword.again in ("kept", "refused") else same[-1]
        return None if found is self.line else found


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
    process that reads global_defs sees the lines.
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
        owned = _Blocks(self.lines, self.statements, fragment)
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
        plain = [at for at in here if lines[at].words not in (_OPENING, _CLOSING)]
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


def headers_at(lines: Sequence[Line], index: int) -> tuple[Line, ...]:
    """The statements whose braces are open before the line at `index`, outermost first."""
    stack: list[Line] = []
    last: Line | None = None
    for line in lines[:index]:
        if line.words == _OPENING and last is not None:
            stack.append(last)
        elif line.words == _CLOSING and stack:
            stack.pop()
        last = line
    return tuple(stack)


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


class _Blocks:
    """The blocks of a configuration, and which one each line belongs to."""

    def __init__(
        self, lines: Sequence[Line], statements: Statements, fragment: Block | None
    ) -> None:
        self.lines = lines
        self.fragment = fragment
        self.statements = statements
        self._structure: Structure | None = None
        self._root: Section | None = None
        self._at: dict[int, int] = {}

    def reading(self, index: int) -> Reading:
        """The effective line at `index` with the blocks around it."""
        line = self.lines[index]
        structure, root = self._read()
        path, opened = self._search(root, (root,), index)
        if path:
            section = path[-1]
            headers = tuple(one.header for one in path if one.header is not None)
            keyword = None
            if section.block.entry is None:
                keyword = section.block.keywords.get(line.words[0])
            return Reading(line, headers, section.block, keyword, section, opened)
        headers = headers_at(self.lines, index)
        block = self._block_by(headers)
        keyword = block.keywords.get(line.words[0]) if block is not None else None
        lost_with = next((one for one in headers if id(one) in structure.refused), None)
        return Reading(line, headers, block, keyword, None, None, lost_with)

    def _search(
        self, section: Section, path: tuple[Section, ...], index: int
    ) -> tuple[tuple[Section, ...], Section | None]:
        """The blocks around the line, as keepalived nests them, outermost first, and the block that
        it opens; empty when keepalived does not get to it as a statement."""
        line = self.lines[index]
        structure, _ = self._read()
        for item in section.items:
            if item is line:
                return path, None
            if not isinstance(item, Section):
                continue
            is_asked = item.header is line
            if item.like is not None and (is_asked or self._holds(item, index)):
                structure.own(item)
            if is_asked:
                return path, item
            if item.like is None:
                found, opened = self._search(item, (*path, item), index)
                if found:
                    return found, opened
        return (), None

    def closed_by(self, index: int) -> Line | None:
        """The header of the block that the brace at `index` closes; None for other lines, and for
        a brace that closes nothing."""
        line = self.lines[index]
        if line.words != _CLOSING:
            return None
        structure, root = self._read()
        sections = [root]
        while sections:
            section = sections.pop()
            if section.close is line:
                return section.header
            sections.extend(section.sections)
        headers = headers_at(self.lines, index)
        is_skipped = any(id(one) in structure.refused for one in headers)
        return headers[-1] if headers and is_skipped else None

    def _holds(self, section: Section, index: int) -> bool:
        """Whether a line is in a block that is like another one."""
        if not self._at:
            self._at = {id(line): at for at, line in enumerate(self.lines)}
        return section.position <= index <= self._at.get(id(section.close), -1)

    def _read(self) -> tuple[Structure, Section]:
        if self._structure is None or self._root is None:
            self._structure = Structure(self.statements, Report(), fragment_of=self.fragment)
            self._root = self._structure.read(self.lines)
        return self._structure, self._root

    def _block_by(self, headers: tuple[Line, ...]) -> Block | None:
        """The block's table by the words of the headers alone."""
        blocks = self.statements.dialect.blocks
        block = self.fragment or blocks[""]
        for header in headers:
            keyword = block.keywords.get(header.words[0])
            if keyword is None or keyword.opens is None:
                return None
            block = blocks[keyword.opens]
        return block
