"""The blocks of a configuration as keepalived nests them, and the effective line in each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from drctl.lint.report import Report
from drctl.lint.section import Section
from drctl.lint.statement import SKIPPED_WHEN_REFUSED
from drctl.lint.structure import Structure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drctl.lint.statement import Statements
    from drctl.schema.table import Block, Keyword
    from drctl.syntax.expanded import Line

OPENING, CLOSING = ("{",), ("}",)
_USED = re.compile("(?:a bad one|one out of range|any other word) is reported and ")


class Reading(NamedTuple):
    """One effective line.

    `headers` are the lines that open the blocks around it, outermost first, `block` is the table of
    the innermost one, None when it is unknown. `keyword` is None for entries, braces and unknown
    words. `section` is the block that it is a statement of, None when keepalived does not get to it
    as such: `lost_with` is then the header of the block that is skipped, when there is one.
    `opened` is the block that it opens itself. `sections` are the blocks around it, the outermost
    first.
    """

    line: Line
    headers: tuple[Line, ...]
    block: Block | None
    keyword: Keyword | None
    section: Section | None
    opened: Section | None = None
    lost_with: Line | None = None
    sections: tuple[Section, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The statement as keepalived gets it."""
        return self.line.words

    @property
    def is_refused(self) -> bool:
        """Whether keepalived drops the statement."""
        return self.section is not None and id(self.line) in self.section.refused

    @property
    def instead(self) -> str:
        """What keepalived does with a statement that it refuses but does not just drop."""
        return self.instead_of(self.keyword) if self.keyword is not None and self.is_refused else ""

    @staticmethod
    def instead_of(keyword: Keyword) -> str:
        """The note of a keyword whose bad values are replaced, or used all the same."""
        return next((note for note in keyword.notes if _USED.match(note)), "")

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
        if keyword is None or section is None or (self.is_refused and not self.instead):
            return None
        taken = bool(self.instead_of(keyword))
        rivals = [line for line in self.rivals if taken or id(line) not in section.refused]
        if not rivals:
            return None
        same = [*rivals, self.line]
        order = {id(item): at for at, item in enumerate(section.items)}
        same.sort(key=lambda line: order[id(line)])
        found = same[0] if keyword.again in ("kept", "refused") else same[-1]
        if keyword.name == "state":
            # the one word that stays wherever it stands
            found = next((line for line in same if line.words[1:2] == ("MASTER",)), found)
        return None if found is self.line else found


def headers_at(lines: Sequence[Line], index: int) -> tuple[Line, ...]:
    """The statements whose braces are open before the line at `index`, outermost first."""
    stack: list[Line] = []
    last: Line | None = None
    for line in lines[:index]:
        if line.words == OPENING and last is not None:
            stack.append(last)
        elif line.words == CLOSING and stack:
            stack.pop()
        last = line
    return tuple(stack)


class Blocks:
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
            return Reading(line, headers, section.block, keyword, section, opened, sections=path)
        headers = headers_at(self.lines, index)
        block = self._block_by(headers)
        keyword = block.keywords.get(line.words[0]) if block is not None else None
        skipped = (one for one in headers if one.words[0] in SKIPPED_WHEN_REFUSED)
        lost_with = next((one for one in skipped if id(one) in structure.refused), None)
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

    def settings(self) -> dict[str, Line]:
        """The statements of global_defs that count, by keyword."""
        _, root = self._read()
        blocks = root.blocks("global_defs")
        return {line.words[0]: line for section in blocks for line in section.lines}

    def closed_by(self, index: int) -> Line | None:
        """The header of the block that the brace at `index` closes; None for other lines, and for
        a brace that closes nothing."""
        line = self.lines[index]
        if line.words != CLOSING:
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
