"""Small facts about blocks and what stands in them, for `structure`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.lint import kind
from drctl.lint.kind import Problem

if TYPE_CHECKING:
    from drctl.lint.section import Section
    from drctl.schema.table import Block, Keyword
    from drctl.syntax.expanded import Line


def is_unset(block: Block, words: tuple[str, ...]) -> bool:
    """Whether a value is that which stands for none, so that another statement may follow."""
    return (
        block.path == "vrrp_track_process"
        and words[0] == "weight"
        and not "".join(words[1:2]).strip("+-0")
    )


def has_statement(section: Section, keyword: Keyword) -> bool:
    """Whether a block has a statement, or a block, with this keyword that the program takes."""
    if keyword.opens is not None:
        return any(inner.block.path == keyword.opens for inner in section.sections)
    return section.has(keyword.name, *keyword.aliases)


def outside(line: Line, closed: Section, at: Line) -> Problem:
    """A statement behind the brace, in the line `at`, that closed its block too early."""
    keyword = closed.block.keyword
    text = f"{line.words[0]} is read outside {keyword}, which the '}}' in line {at.number} closed"
    return Problem(kind.OUTSIDE_ITS_BLOCK, -1, text, "mend the first fault above")
