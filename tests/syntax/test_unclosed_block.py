"""A missing `}` of an lvs.cf costs its own block's end, not the rest of the file."""

from __future__ import annotations

import pytest

from drctl.syntax.parser import parse_bytes
from drctl.syntax.tree import Document, Statement

TEXT = """\
virtual one {
    server a {
        weight = 1
    server b {
        weight = 2
    }
virtual two {
    server c {
        weight = 3
failover three {
    port = 21
"""


def _document(text: str, dialect: str = "lvs.cf") -> Document:
    return parse_bytes("x", text.encode(), dialect)


def _outline(document: Document) -> list[str]:
    """Every block as `NAME(NAMES in it)`."""

    def shown(node: Statement) -> str:
        inner = [] if node.body is None else node.body.children
        names = [shown(n) for n in inner if isinstance(n, Statement) and n.body is not None]
        return node.words[1].text + (f"({' '.join(names)})" if names else "")

    return [shown(node) for node in document.children if isinstance(node, Statement)]


def test_block_that_cannot_stand_in_the_open_one_ends_it() -> None:
    document = _document(TEXT)
    assert _outline(document) == ["one(a b)", "two(c)", "three"]
    assert document.to_text() == TEXT


def test_each_block_that_is_not_closed_is_told_once_in_the_order_of_the_file() -> None:
    found = [d.place.line for d in _document(TEXT).diagnostics if d.code == "DR022"]
    assert found == [1, 2, 7, 8, 10]


def test_brace_on_the_next_line_counts_the_same() -> None:
    text = TEXT.replace(" {", "\n{")
    document = _document(text)
    assert _outline(document) == ["one(a b)", "two(c)", "three"]
    assert document.to_text() == text


@pytest.mark.parametrize("dialect", ["lvs.cf", "keepalived"])
def test_closed_blocks_are_as_they_are_written(dialect: str) -> None:
    text = "virtual one {\n  server a {\n    x y {\n    }\n  }\n  server b {\n  }\n}\n"
    document = _document(text, dialect)
    assert _outline(document) == ["one(a(y) b)"]
    assert not [d for d in document.diagnostics if d.code == "DR022"]
