"""The right examples of keepalived's tables, each with the place where it may stand."""

from __future__ import annotations

from collections.abc import Iterator

from schema.keepalived_oracle_cases import Question

from drctl.schema.load import load_dialect
from drctl.schema.table import Keyword

IN_A_CHECK = "virtual_server/real_server/TCP_CHECK"
"""What the checks share has no block of its own."""


def place_of(path: str) -> str:
    """The block in which an example of a table is read."""
    return IN_A_CHECK if path.startswith("common/") else path


def keywords() -> Iterator[tuple[str, Keyword]]:
    """Each keyword once, with the path of the first table that has it."""
    seen: set[int] = set()
    for path, block in sorted(load_dialect("keepalived").blocks.items()):
        if path == "directive":
            continue
        for keyword in block.keywords.values():
            if id(keyword) not in seen:
                seen.add(id(keyword))
                yield path, keyword


def examples(path: str, keyword: Keyword) -> list[Question]:
    """What keepalived takes, and the statement as people write it; the keyword alone when the table
    has neither."""
    texts = [case.text for case in keyword.cases if case.is_accepted]
    texts += [keyword.example] if keyword.example else []
    return [Question(place_of(path), text) for text in texts or [keyword.name]]


def lines() -> Iterator[Question]:
    """The right lines of value blocks."""
    for path, block in sorted(load_dialect("keepalived").blocks.items()):
        yield from (Question(path, case.text) for case in block.cases if case.is_accepted)
