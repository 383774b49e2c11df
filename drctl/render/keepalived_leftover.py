"""Statements that the model has no field for, printed as they were written.

A leftover keeps its own lines; only the indentation of the block it is in is put before them. A
block that its file never closed gets its closing braces, so that it ends where it stood.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from drctl.model.origin import Leftover
from drctl.render.environment import Trusted, refuse_line
from drctl.syntax.parser import parse
from drctl.syntax.tree import Document, Node, Statement
from drctl.text.place import Place
from drctl.text.source import SourceFile

Mark = Callable[[Iterable[Place]], Trusted]


def leftover_lines(leftovers: Sequence[Leftover], indentation: str, mark: Mark) -> Trusted:
    """Lines of `leftovers`, each with a mark of the statements that stand on it."""
    lines = []
    for leftover in leftovers:
        document = parse(SourceFile("", leftover.text), "keepalived")
        places = _places(leftover, document)
        texts = leftover.text.split("\n")
        texts.extend("}" for _ in range(_unclosed(document)))
        for number, text in enumerate(texts, 1):
            line = refuse_line(text.rstrip())
            body = f"{indentation}{line}" if line else ""
            lines.append(f"{body}{mark(places.get(number, ()))}\n")
    return Trusted("".join(lines))


def _places(leftover: Leftover, document: Document) -> dict[int, list[Place]]:
    """Where the statements of each line of the leftover stand in its source.

    Its text has lost the indentation of its first line, which is told by the column of its place
    when the statement is the first of its line; further lines start at the same column.
    """
    origin = leftover.place
    found: dict[int, list[Place]] = defaultdict(list)
    if origin is None:
        return found
    nodes: list[Node] = [*document.walk(), *document.errors()]
    for node in nodes:
        at = document.place(node)
        if isinstance(node, Statement) and at.line == 1 and at.column == 1:
            found[1].append(origin)
            continue
        line, shift = origin.line + at.line - 1, origin.column - 1
        found[at.line].append(
            Place(origin.path, line, at.column + shift, line, at.end_column + shift)
        )
    return found


def _unclosed(document: Document) -> int:
    return sum(
        statement.body is not None and statement.body.close is None for statement in document.walk()
    )
