"""Blocks as keepalived's parser finds them: a header, and the statements and blocks inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drctl.schema.table import Block
    from drctl.syntax.expanded import Line

_NONE: frozenset[int] = frozenset()


class Section:
    """One block. `items` are its statements (lines) and blocks in the order of the text.

    `header` is None for the outermost level, `close` the line of the closing brace, None when the
    file ends first. `refused` holds the lines that the program drops, by `id`.

    `dropped` holds lines that a rule has found to be dropped, by `id`.

    `like` is an earlier block with the same body in which nothing is wrong: it is this block's body
    too, with the places of the other one; `Structure.own` gives it its own. `position` is where its
    body begins among the lines.
    """

    __slots__ = (
        *("_index", "_indexed", "block", "close", "dropped", "header", "items", "like"),
        "position",
        "refused",
    )

    def __init__(self, block: Block, header: Line | None, refused: set[int]) -> None:
        self.block = block
        self.header = header
        self.items: list[Line | Section] = []
        self.close: Line | None = None
        self.refused = refused
        self.dropped: set[int] | frozenset[int] = _NONE
        self.like: Section | None = None
        self.position = -1
        self._index: dict[str, list[tuple[int, Line]]] | None = None
        self._indexed = 0

    def drop(self, line: Line) -> None:
        """Note that a rule has found `line` to be dropped."""
        self.dropped = self.dropped | {id(line)}

    @property
    def words(self) -> tuple[str, ...]:
        """The words behind the header's keyword."""
        return self.header.words[1:] if self.header is not None else ()

    @property
    def name(self) -> str:
        """The first word behind the keyword, empty without one."""
        return self.words[0] if self.words else ""

    @property
    def sections(self) -> Iterator[Section]:
        """The blocks directly inside."""
        return (item for item in self.items if isinstance(item, Section))

    def blocks(self, keyword: str) -> list[Section]:
        """The blocks directly inside that `keyword` opens."""
        return [item for item in self.sections if item.block.keyword == keyword]

    @property
    def lines(self) -> Iterator[Line]:
        """The statements without a block that the program takes."""
        refused = self.refused
        for item in self.items:
            if not isinstance(item, Section) and id(item) not in refused:
                yield item

    def statements(self, *keywords: str) -> list[Line]:
        """The statements with one of these keywords that the program takes."""
        refused = self.refused
        return [line for line in self._written(keywords) if id(line) not in refused]

    def _written(self, keywords: tuple[str, ...]) -> list[Line]:
        """The statements with one of these keywords, in order."""
        items = self.items
        index = self._index
        if index is None or self._indexed != len(items):
            index = self._index = {}
            for position, item in enumerate(items):
                if not isinstance(item, Section):
                    index.setdefault(item.words[0], []).append((position, item))
            self._indexed = len(items)
        if len(keywords) == 1:
            return [line for _, line in index.get(keywords[0], ())]
        found = [entry for keyword in keywords for entry in index.get(keyword, ())]
        return [line for _, line in sorted(found, key=lambda entry: entry[0])]

    def last(self, *keywords: str) -> Line | None:
        """The last of `statements`, the one that counts."""
        found = self.statements(*keywords)
        return found[-1] if found else None

    def first(self, *keywords: str) -> Line | None:
        """The first of `statements`."""
        found = self.statements(*keywords)
        return found[0] if found else None

    def has(self, *keywords: str) -> bool:
        """Whether there is a statement with one of these keywords that the program takes."""
        return self.first(*keywords) is not None

    def first_written(self, *keywords: str) -> Line | None:
        """The first statement with one of these keywords, also one that is refused."""
        found = self._written(keywords)
        return found[0] if found else None

    def written(self, *keywords: str) -> Line | None:
        """The last statement with one of these keywords, also one that is refused: some count all
        the same."""
        found = self._written(keywords)
        return found[-1] if found else None
