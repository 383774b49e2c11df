"""Leaves to the lossless tree. Never raises on user text; nesting is bounded by memory only, since
no function here calls itself."""

from __future__ import annotations

from drctl.syntax.detect import detect
from drctl.syntax.lexer import TEMPLATE_TAG, lex
from drctl.syntax.tree import Body, Document, ErrorNode, Leaf, LeafKind, Node, Statement
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
    is_template = TEMPLATE_TAG.search(source.text) is not None
    builder = _Builder()
    end = None
    for leaf in lex(source.text, dialect, is_template=is_template):
        if leaf.kind is LeafKind.END:
            end = leaf
        else:
            builder.add(leaf)
    assert end is not None, "the lexer ends with an END leaf"
    unclosed = builder.finish()
    children = tuple(builder.children)
    document = Document(source, dialect, children, end, is_template)
    found = [*source.diagnostics, *_findings(document, unclosed)]
    return Document(source, dialect, children, end, is_template, tuple(found))


class _Builder:
    """Collects leaves into statements; `children` is the list of the innermost open block."""

    def __init__(self) -> None:
        self.children: list[Node] = []
        self._words: list[Leaf] = []
        self._stack: list[tuple[list[Node], Statement, Leaf]] = []

    def add(self, leaf: Leaf) -> None:
        if leaf.kind is LeafKind.OPEN:
            self._open(leaf)
        elif leaf.kind is LeafKind.CLOSE:
            self._close(leaf)
        elif leaf.is_first and self._words:
            self._end_statement()
            self._words.append(leaf)
        else:
            self._words.append(leaf)

    def finish(self) -> list[Statement]:
        """Ends the file; returns the statements whose blocks were never closed, outermost first."""
        self._end_statement()
        unclosed = [statement for _, statement, _ in self._stack]
        while self._stack:
            self._pop(None)
        return unclosed

    def _end_statement(self) -> None:
        if self._words:
            self.children.append(Statement(tuple(self._words)))
            self._words = []

    def _open(self, leaf: Leaf) -> None:
        self._end_statement()
        last = self.children[-1] if self.children else None
        if isinstance(last, Statement) and last.body is None:
            self._stack.append((self.children, last, leaf))
            self.children = []
        else:
            self.children.append(ErrorNode((leaf,), "'{' without a keyword before it"))

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


def _findings(document: Document, unclosed: list[Statement]) -> list[Diagnostic]:
    found = []
    if document.is_template:
        tag = TEMPLATE_TAG.search(document.source.text)
        assert tag is not None, "a template has a tag"
        found.append(
            Diagnostic(
                document.source.place(Span(tag.start(), tag.end())),
                "DR020",
                "template",
                Severity.WARNING,
                f"{tag[0].strip()} is a template tag: this is a template, not a configuration",
                "render it first, then read the result",
            )
        )
    found.extend(
        _error(document, node, "DR021", "stray-brace", node.message, "remove it")
        for node in document.errors()
    )
    for statement in unclosed:
        message = f"block {statement.keyword} is not closed, opened here"
        found.append(_error(document, statement, "DR022", "unclosed-block", message, "add a '}'"))
    for leaf in document.leaves():
        if leaf.kind is LeafKind.ERROR:
            message = f"quote without end: {leaf.text[:40].rstrip()}"
            found.append(
                _error(document, leaf, "DR023", "unterminated-quote", message, "close the quote")
            )
    return found


def _error(
    document: Document,
    node: Statement | ErrorNode | Leaf,
    code: str,
    name: str,
    message: str,
    hint: str,
) -> Diagnostic:
    return Diagnostic(document.place(node), code, name, Severity.ERROR, message, hint)
