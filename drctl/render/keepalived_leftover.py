"""Statements that the model has no field for, printed as they were written.

A leftover keeps its own lines; only the indentation of the block it is in is put before them. A
block that its file never closed gets its closing braces, so that it ends where it stood.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from drctl.model.origin import Leftover, Origins
from drctl.render.trusted import Trusted, refuse_line
from drctl.syntax.parser import parse
from drctl.syntax.tree import Document
from drctl.text.place import Place
from drctl.text.source import SourceFile

Mark = Callable[[Iterable[Place]], Trusted]


_FIELDS = {
    "unicast_peer": "unicast_peers",
    "notification_email": "notification_emails",
    "group": "members",
    "static_ipaddress": "static_addresses",
    "virtual_routes": "routes",
    "virtual_rules": "rules",
    "interface_up_down_delays": "interface_delays",
    "linkbeat_interfaces": "polled_links",
}
"""Fields of the value blocks whose field is not called like the block."""


def leftover_lines(
    leftovers: Sequence[Leftover], indentation: str, mark: Mark, origins: Origins
) -> Trusted:
    """Lines of `leftovers`, each with a mark of the statements that stand on it; `origins` are
    those of the block they are in."""
    lines = []
    for leftover in leftovers:
        document = parse(SourceFile("", leftover.text), "keepalived")
        places = _places(leftover, document, origins)
        texts = leftover.text.split("\n")
        texts.extend("}" for _ in range(_unclosed(document)))
        for number, text in enumerate(texts, 1):
            line = refuse_line(text.rstrip(" \t\r\f\v"))
            body = f"{indentation}{line}" if line else ""
            lines.append(f"{body}{mark(places.get(number, ()))}\n")
    return Trusted("".join(lines))


def _places(leftover: Leftover, document: Document, origins: Origins) -> dict[int, list[Place]]:
    """Where the statements on each line of the leftover stand in its source.

    A line of a value block was given the block to stand in: its statement comes before the
    leftover's own, and its place is that of the block's field.
    """
    found: dict[int, list[Place]] = defaultdict(list)
    if leftover.place is None:
        return found
    sources = (leftover.place, *leftover.inner)
    statements = list(document.walk())
    for statement, place in zip(statements[-len(sources) :], sources, strict=False):
        found[document.place(statement).line].append(place)
    for statement in statements[: -len(sources)]:
        field = _FIELDS.get(statement.keyword, statement.keyword)
        found[document.place(statement).line].extend(origins.get(field, ()))
    return found


def _unclosed(document: Document) -> int:
    return sum(
        statement.body is not None and statement.body.close is None for statement in document.walk()
    )
