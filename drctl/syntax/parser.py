"""Leaves to the lossless tree. Never raises on user text; nesting is bounded by memory only, since
no function here calls itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import Any

from drctl.quickclass import dataclass, replace
from drctl.syntax.detect import LVS_CF, detect
from drctl.syntax.lexer import find_template_tag, lex
from drctl.syntax.tree import (
    CLOSE,
    END,
    EQUALS,
    ERROR,
    OPEN,
    Body,
    Document,
    ErrorNode,
    Leaf,
    Node,
    Statement,
)
from drctl.text.diagnostic import Diagnostic, Severity
from drctl.text.place import Span
from drctl.text.source import SourceFile, decode


def parse_bytes(path: str, raw: bytes, dialect: str = "auto") -> Document:
    """Tree of the bytes of a file; `dialect` is `auto`, `keepalived` or `lvs.cf`."""
    return parse(decode(path, raw), dialect)


def parse(source: SourceFile, dialect: str = "auto") -> Document:
    """Tree of a decoded file; with `auto` the dialect is detected from the content."""
    if dialect == "auto":
        dialect = detect(source.text)
    tag = find_template_tag(source.text)
    builder = _Builder(closes_early=dialect == LVS_CF)
    end = None
    for leaf in lex(source.text, dialect, is_template=tag is not None):
        if leaf.kind is END:
            end = leaf
        else:
            builder.add(leaf)
    assert end is not None, "the lexer ends with an END leaf"
    unclosed = builder.finish()
    children = tuple(builder.children)
    document = Document(source, dialect, children, end, tag is not None)
    found = [*source.diagnostics, *_findings(document, tag, unclosed)]
    return replace(document, diagnostics=tuple(found))


class _Builder:
    """Collects leaves into statements; `children` is the list of the innermost open block.

    With `closes_early` a block that cannot stand in the open one ends it, so that one missing `}`
    does not swallow the rest of the file."""

    def __init__(self, *, closes_early: bool = False) -> None:
        self.children: list[Node] = []
        self._closes_early = closes_early
        self._unclosed: list[Statement] = []
        self._words: list[Leaf] = []
        self._stack: list[tuple[list[Node], Statement, Leaf]] = []

    def add(self, leaf: Leaf) -> None:
        if leaf.kind is OPEN:
            self._open(leaf)
        elif leaf.kind is CLOSE:
            self._close(leaf)
        elif leaf.is_first and self._words:
            self._end_statement()
            self._words.append(leaf)
        else:
            self._words.append(leaf)

    def finish(self) -> list[Statement]:
        """Ends the file; returns the statements whose blocks were never closed, outermost first."""
        self._end_statement()
        unclosed = [*self._unclosed, *(statement for _, statement, _ in self._stack)]
        while self._stack:
            self._pop(None)
        return sorted(unclosed, key=lambda statement: statement.span.start)

    def _end_statement(self, *, opens: bool = False) -> None:
        if not self._words:
            return
        if self._closes_early and self._stack and not self._words[0].is_first:
            groups = _statements_of_one_line(self._words, opens=opens)
            self.children.extend(Statement(tuple(group)) for group in groups)
        else:
            self.children.append(Statement(tuple(self._words)))
        self._words = []

    def _open(self, leaf: Leaf) -> None:
        self._end_statement(opens=True)
        last = self.children[-1] if self.children else None
        if isinstance(last, Statement) and last.body is None:
            if self._closes_early and self._stack:
                self._leave_blocks_before(last)
            self._stack.append((self.children, last, leaf))
            self.children = []
        else:
            self.children.append(ErrorNode((leaf,), "'{' without a keyword before it"))

    def _leave_blocks_before(self, last: Statement) -> None:
        """End the open blocks that `last`, which is about to open one, cannot stand in."""
        while self._stack and _is_out_of_place(last.keyword, self._stack[-1][1].keyword):
            self.children.pop()
            self._unclosed.append(self._stack[-1][1])
            self._pop(None)
            self.children.append(last)

    def _close(self, leaf: Leaf) -> None:
        self._end_statement()
        if self._stack:
            self._pop(leaf)
        else:
            self.children.append(ErrorNode((leaf,), "'}' closes nothing"))

    def _pop(self, close: Leaf | None) -> None:
        parent, statement, opened = self._stack.pop()
        statement.body = Body(opened, tuple(self.children), close)
        self.children = parent


def _statements_of_one_line(words: list[Leaf], *, opens: bool) -> list[list[Leaf]]:
    """What was meant by the inside of a block that somebody wrote on one line of an lvs.cf: a
    statement starts at the word before each `=`, and at the header of a block that `opens`."""
    starts = set()
    for index, leaf in enumerate(words):
        if leaf.text == "=" and index > 0:
            starts.add(index - 1)
            leaf.kind = EQUALS  # behind a value the lexer takes it for a word
    if opens and len(words) > 2:
        starts.add(len(words) - 2)
    edges = sorted({0, *starts, len(words)})
    return [words[start:end] for start, end in pairwise(edges)]


_TOP_BLOCKS = frozenset({"virtual", "failover"})


def _is_out_of_place(keyword: str, around: str) -> bool:
    """Whether a block of lvs.cf cannot stand in the one `around` it."""
    return keyword in _TOP_BLOCKS or (keyword == "server" and around == "server")


MOST_FINDINGS = 100
"""Of each kind of broken structure, so that a hostile file does not drown its reader."""


def _findings(
    document: Document, tag: Span | None, unclosed: list[Statement]
) -> Iterator[Diagnostic]:
    if tag is not None:
        mark = document.source.text[tag.start : tag.end]
        message = f"{mark} opens a template tag: this is a template, not a configuration"
        hint = "render it first, then read the result"
        place = document.source.place(tag)
        yield Diagnostic(place, "DR020", "template", Severity.WARNING, message, hint)
    yield from _limited(document, _STRAY, document.errors())
    yield from _limited(document, _UNCLOSED, iter(unclosed))
    quotes = (leaf for leaf in document.leaves() if leaf.kind is ERROR)
    yield from _limited(document, _QUOTE, quotes)


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of broken structure: its rule, what to say of a piece, and the way out."""

    code: str
    name: str
    hint: str
    describe: Callable[[Any], str]


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39].rstrip() + "…"


_STRAY = _Kind("DR021", "stray-brace", "remove it", lambda node: node.message)
_UNCLOSED = _Kind(
    "DR022",
    "unclosed-block",
    "add a '}'",
    lambda statement: f"block {_short(statement.keyword)} is not closed, opened here",
)
_QUOTE = _Kind(
    "DR023",
    "unterminated-quote",
    "close the quote",
    lambda leaf: f"quote without end: {_short(leaf.text)}",
)


def _limited(
    document: Document, kind: _Kind, broken: Iterator[Statement | ErrorNode | Leaf]
) -> Iterator[Diagnostic]:
    rule = kind.code, kind.name
    for node in islice(broken, MOST_FINDINGS):
        place = document.place(node)
        yield Diagnostic(place, *rule, Severity.ERROR, kind.describe(node), kind.hint)
    first = next(broken, None)
    if first is not None:
        message = f"{1 + sum(1 for _ in broken)} more of the kind from here on"
        yield Diagnostic(document.place(first), *rule, Severity.ERROR, message)
