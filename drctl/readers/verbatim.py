"""Statements as they were written: what a reader keeps of text that the model has no field for."""

from __future__ import annotations

from drctl.model.origin import Leftover
from drctl.syntax.tree import Document, ErrorNode, Leaf, Node, Statement, walk
from drctl.text.place import Span

_BLANKS = " \t\n\r\f\v"
"""C's: a no-break space is part of a word."""


def leftover(
    document: Document, statement: Statement, reason: str, around: tuple[str, ...] = ()
) -> Leftover:
    """`statement` with its block; `around` are the headers of the blocks that it must stand in."""
    last = last_leaf(statement)
    span = Span(statement.words[0].start, last.end)
    text = own_text(document.source.text, statement, span)
    for header in reversed(around):
        lines = (f"    {line}" if line else line for line in text.split("\n"))
        text = "\n".join((f"{header} {{", *lines, "}"))
    nested = () if statement.body is None else statement.body.children
    inner = tuple(document.place(inside) for inside in walk(nested))
    return Leftover(text, reason, document.place_of(span), inner)


def last_leaf(statement: Statement) -> Leaf:
    """The last leaf of a statement with its block."""
    last = statement.words[-1]
    node: Node = statement
    while isinstance(node, Statement) and node.body is not None:
        if node.body.close is not None:
            return node.body.close
        last = node.body.open
        if not node.body.children:
            return last
        node = node.body.children[-1]
        last = node.leaves_[-1] if isinstance(node, ErrorNode) else node.words[-1]
    return last


def own_text(text: str, statement: Statement, span: Span) -> str:
    """The statement without the indentation of its first line, carriage returns left out; blocks
    that the file leaves open are closed."""
    start = text.rfind("\n", 0, span.start) + 1
    indent = text[start : span.start]
    indent = indent[: len(indent) - len(indent.lstrip(_BLANKS))]
    first, *rest = text[span.start : span.end].split("\n")
    lines = [first.rstrip(_BLANKS)]
    lines.extend(_without(indent, line.rstrip(_BLANKS)) for line in rest)
    lines.extend("}" for _ in range(_open_blocks(statement)))
    return "\n".join(lines)


def _without(indent: str, line: str) -> str:
    if line.startswith(indent):
        return line[len(indent) :]
    return line


def _open_blocks(statement: Statement) -> int:
    count = 0
    node: Node = statement
    while isinstance(node, Statement) and node.body is not None and node.body.close is None:
        count += 1
        if not node.body.children:
            break
        node = node.body.children[-1]
    return count
