"""What counts where a block leaves a keyword out: the keyword that it follows, or a default."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from drctl.lint.section import Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drctl.schema.table import Block, Dialect, Keyword
    from drctl.syntax.expanded import Line

SHARED = "global_defs"
"""The block whose values all others follow."""


class Around(NamedTuple):
    """The blocks around a place, outermost first, and the statements of global_defs that count."""

    sections: tuple[Section, ...]
    settings: Mapping[str, Line]
    dialect: Dialect
    version: tuple[int, ...]


class Unset(NamedTuple):
    """What counts without a keyword: the statement `line`, or `keyword`'s own default."""

    keyword: Keyword
    line: Line | None = None


def unset(keyword: Keyword, block: Block, around: Around) -> Unset:
    """What counts without `keyword` in the innermost of the blocks."""
    pending = [(name, block) for name in reversed(keyword.default_from)]
    last = keyword
    while pending:
        name, here = pending.pop()
        found = _followed(name, here, around)
        if found is None:
            continue
        followed, there, line = found
        if line is not None:
            return Unset(followed, line)
        if last.default is None and followed.default is not None:
            last = followed
        pending.extend((more, there) for more in reversed(followed.default_from))
    return Unset(last)


def _followed(name: str, here: Block, around: Around) -> tuple[Keyword, Block, Line | None] | None:
    """A keyword that another one in the block `here` follows, its block, and its statement."""
    outer, _, word = name.rpartition(".")
    wanted = outer or here.keyword
    if wanted == SHARED:
        block = around.dialect.blocks[SHARED]
        keyword = block.keywords[word]
        lines = (around.settings.get(one) for one in (keyword.name, *keyword.aliases))
        return keyword, block, next(filter(None, lines), None)
    for section in reversed(around.sections):
        if section.block.keyword == wanted and word in section.block.keywords:
            keyword = section.block.keywords[word]
            if not section.block.knows(keyword, around.version):
                return None
            return keyword, section.block, section.last(keyword.name, *keyword.aliases)
    return None


def left_out(section: Section, around: Around) -> Iterator[tuple[str, Unset]]:
    """The keywords that a block leaves out, with what counts instead, where anything does."""
    block = section.block
    given = {item.words[0] for item in section.items if not isinstance(item, Section)}
    for name, keyword in block.keywords.items():
        is_given = not given.isdisjoint({keyword.name, *keyword.aliases})
        is_usual = name == keyword.name and not keyword.deprecated
        if is_given or not is_usual or not block.knows(keyword, around.version):
            continue
        found = unset(keyword, block, around)
        if found.line is not None or found.keyword.default is not None:
            yield name, found
