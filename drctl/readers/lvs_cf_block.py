"""One block of an lvs.cf into values by keyword: the mechanism, without knowing the keywords."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any

from drctl.model.origin import Leftover
from drctl.quickclass import dataclass
from drctl.syntax.tree import Document, LeafKind, Node, Statement
from drctl.text.place import Place, Span

Parse = Callable[[tuple[str, ...]], Any]
"""Words of a statement to a value; raises ValueError with the reason when they are none."""

Table = Mapping[str, Parse]

BLOCK_KEYWORDS = frozenset({"virtual", "failover", "server"})
_STEP_NUMBER = re.compile(r"[0-9]{1,3}[.)]?")


@dataclass
class Fields:
    """What a block says: the last good value of each keyword, all places that tried to set it, the
    statements that are blocks themselves, and what could not be read."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, list[Place]] = field(default_factory=dict)
    blocks: list[Statement] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)
    _ports: list[tuple[int, int]] = field(default_factory=list)

    def get(self, keyword: str, default: Any = None) -> Any:
        """The value of `keyword`, or `default` when the block does not give one."""
        return self.values.get(keyword, default)

    @property
    def origins(self) -> dict[str, tuple[Place, ...]]:
        """Places by keyword."""
        return {keyword: tuple(places) for keyword, places in self.places.items()}

    def pick(self, **keywords: str) -> dict[str, tuple[Place, ...]]:
        """Origins of model fields: `field=keyword`, those given only; the last place decides."""
        return {
            name: tuple(self.places[keyword])
            for name, keyword in keywords.items()
            if keyword in self.places
        }

    def port_at(self, statement: Statement, default: int) -> int:
        """The block's port as far as it stood before `statement`."""
        start = statement.span.start
        return next((port for at, port in reversed(self._ports) if at < start), default)

    def set(self, keyword: str, value: Any, place: Place, offset: int) -> None:
        """Record a good value; a later one replaces it."""
        self.values[keyword] = value
        self.places.setdefault(keyword, []).append(place)
        if keyword == "port":
            self._ports.append((offset, value))


def read_block(document: Document, nodes: Iterable[Node], table: Table) -> Fields:
    """Read the statements among `nodes` by `table`; blocks are only collected."""
    fields = Fields()
    for statement in nodes:
        if not isinstance(statement, Statement):
            continue
        keyword, words = meant(statement)
        if statement.body is not None and keyword in BLOCK_KEYWORDS:
            fields.blocks.append(statement)
            continue
        parse = table.get(keyword)
        if parse is None or statement.body is not None:
            reason = "block that no program reads" if statement.body else f"unknown word {keyword}"
            fields.leftovers.append(leftover(document, statement, reason))
            continue
        try:
            value = parse(words)
        except ValueError as bad:
            fields.leftovers.append(leftover(document, statement, str(bad)))
            continue
        if value is None:
            fields.leftovers.append(leftover(document, statement, "read by no daemon"))
        else:
            fields.set(keyword, value, document.place(statement), statement.words[0].start)
    return fields


def meant(statement: Statement) -> tuple[str, tuple[str, ...]]:
    """Keyword and arguments as the writer meant them.

    Step numbers that a manual printed before each line (`3 primary = …`) are left out, and quotes
    are taken off.
    """
    words = statement.words
    if len(words) > 1 and _STEP_NUMBER.fullmatch(words[0].text) and words[1].kind is LeafKind.WORD:
        words = words[1:]
    keyword, rest = words[0].value, words[1:]
    if rest and rest[0].kind is LeafKind.EQUALS:
        rest = rest[1:]
    return keyword, tuple(leaf.value for leaf in rest)


def leftover(document: Document, statement: Statement, reason: str) -> Leftover:
    """The statement as it stands in the file, with its block."""
    last = statement.words[-1]
    if statement.body is not None:
        *_, last = statement.leaves()
    text = document.source.text[statement.words[0].start : last.end]
    return Leftover(text, reason, document.source.place(Span(statement.words[0].start, last.end)))
