"""One block of an lvs.cf into values by keyword: the mechanism, without knowing the keywords."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from drctl.model.origin import Leftover
from drctl.readers.verbatim import leftover
from drctl.syntax.lexer import find_template_tag
from drctl.syntax.tree import EQUALS, QUOTED, WORD, Document, Leaf, Node, Statement
from drctl.text.place import Place

Parse = Callable[[tuple[str, ...]], Any]
"""Words of a statement to a value; raises ValueError with the reason when they are none."""

Table = Mapping[str, Parse]

BLOCK_KEYWORDS = frozenset({"virtual", "failover", "server"})
UNREAD = "read by no daemon"
"""Reason of the leftovers that lose nothing."""
CALLOUT = "a number that a manual printed behind the line"
TAGGED = "holds a template tag"
"""Reason of the leftovers that only the rendered file could tell."""

_COMMANDS = frozenset(
    {"active_cmd", "inactive_cmd", "start_cmd", "stop_cmd", "send_program", "send", "expect"}
)
"""Keywords in whose texts a semicolon may be meant."""

_STEP_NUMBER = re.compile(r"[0-9]{1,3}[.)]?")
_CALLOUT = re.compile(r"[0-9]{1,2}")


class Fields:
    """What a block says: the last good value of each keyword, the places that set it, the
    statements that are blocks themselves, what could not be read, and `refused`, the keywords of
    that."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.places: dict[str, list[Place]] = {}
        self.blocks: list[Statement] = []
        self.leftovers: list[Leftover] = []
        self.refused: set[str] = set()
        self._ports: list[tuple[int, int]] = []

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
        try:
            value = _value(document, statement, words, table.get(keyword))
        except ValueError as bad:
            fields.leftovers.append(leftover(document, statement, str(bad)))
            fields.refused.add(keyword)
            continue
        if value is None:
            fields.leftovers.append(leftover(document, statement, UNREAD))
        else:
            fields.set(keyword, value, document.place(statement), statement.words[0].start)
    return fields


def _value(
    document: Document, statement: Statement, words: tuple[str, ...], parse: Parse | None
) -> Any:
    """The value of a statement whose keyword has `parse`, None when no daemon reads it."""
    if document.is_template and any(find_template_tag(leaf.text) for leaf in statement.words):
        raise ValueError(TAGGED)
    if statement.body is not None:
        raise ValueError("block that no program reads")
    if parse is None:
        raise ValueError(_unknown(statement))
    try:
        return parse(words)
    except ValueError:
        if not _ends_with_callout(statement):
            raise
        return parse(words[:-1])


def _unknown(statement: Statement) -> str:
    keyword = statement.keyword
    if keyword.startswith(("//", ";")):
        return f"a comment begins with #, not with {keyword[:2].rstrip(';') or ';'}"
    if len(statement.words) == 1 and _CALLOUT.fullmatch(keyword):
        return CALLOUT
    return f"unknown word {keyword}"


def meant(statement: Statement) -> tuple[str, tuple[str, ...]]:
    """Keyword and arguments as the writer meant them.

    Step numbers that a manual printed before each line (`3 primary = …`) are left out, a comment
    behind `//` or `;` too, and the `;` of other languages at the end; quotes are taken off (see
    `_word`). Keywords are in lower case.
    """
    words = statement.words
    if _is_plain(words):
        keyword, text = words[0].text.lower(), words[2].text
        if text[-1] == ";" and keyword not in _COMMANDS:
            text = text.rstrip(";") or text
        return keyword, (text,)
    if len(words) > 1 and _STEP_NUMBER.fullmatch(words[0].text) and words[1].kind is WORD:
        words = words[1:]
    while len(words) > 1 and words[0].text.startswith(("{%", "<%")):
        words = words[1:]
    keyword, rest = words[0].value, words[1:]
    if rest and rest[0].kind is EQUALS:
        rest = rest[1:]
    keyword = keyword.lower()
    marks = "//" if keyword in _COMMANDS else ("//", ";")
    found: list[str] = []
    for leaf in rest:
        if found and leaf.kind is WORD and leaf.text.startswith(marks):
            break
        found.append(_word(keyword, leaf))
    if len(found) > 1 and keyword not in _COMMANDS:
        found[-1] = found[-1].rstrip(";") or found[-1]
    return keyword, tuple(found)


def _is_plain(words: tuple[Leaf, ...]) -> bool:
    """Whether it is `KEYWORD = WORD` and nothing else, as most statements are."""
    return (
        len(words) == 3
        and words[1].kind is EQUALS
        and words[2].kind is WORD
        and words[0].kind is WORD
        and words[0].text[0].isalpha()
    )


def _word(keyword: str, leaf: Leaf) -> str:
    """A word without its quotes; lvsd takes only double ones off what it sends and expects."""
    if keyword in {"send", "expect"} and leaf.kind is QUOTED and leaf.text[0] == "'":
        return leaf.text
    return leaf.value


def _ends_with_callout(statement: Statement) -> bool:
    """Whether a small number stands apart at the end of the line: manuals refer to their text so
    (`primary = 192.0.2.1      3`)."""
    last = statement.words[-1]
    is_apart = "\t" in last.prefix or len(last.prefix) > 1
    return is_apart and _CALLOUT.fullmatch(last.text) is not None
