"""The lossless tree: every code point of the text is in exactly one leaf, or in a leaf's prefix.

Concatenating `leaf.prefix + leaf.text` over `Document.leaves()` gives the text back. Broken input
becomes `ErrorNode`s; what stands around it is read as usual. Offsets count code points from 0.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from drctl.quickclass import dataclass, field
from drctl.text.place import Place, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drctl.text.diagnostic import Diagnostic
    from drctl.text.source import SourceFile


class LeafKind(IntEnum):
    """What a leaf is."""

    WORD = 0
    QUOTED = 1
    EQUALS = 2
    OPEN = 3
    CLOSE = 4
    ERROR = 5
    END = 6


WORD, QUOTED, EQUALS, OPEN, CLOSE, ERROR, END = LeafKind
"""Its members. A large file asks for them a million times, and Python 3.11 finds a member of an
enumeration ten times slower than a plain name."""


class Leaf:
    """One token with the blanks, line ends and comments before it.

    `start` is the offset of `text` (not of the prefix). `is_first` says that the leaf is the first
    one on its line.
    """

    __slots__ = ("is_first", "kind", "prefix", "start", "text")

    def __init__(self, kind: LeafKind, text: str, prefix: str, start: int, is_first: bool) -> None:
        self.kind = kind
        self.text = text
        self.prefix = prefix
        self.start = start
        self.is_first = is_first

    @property
    def end(self) -> int:
        """Offset after the last code point of `text`."""
        return self.start + len(self.text)

    @property
    def value(self) -> str:
        """The text without the quotes around it."""
        if self.kind is QUOTED:
            return self.text[1:-1]
        if self.kind is ERROR and self.text[:1] in {'"', "'"}:
            return self.text[1:]
        return self.text

    def __repr__(self) -> str:
        return f"Leaf({self.kind.name}, {self.text!r}, at {self.start})"


class Body:
    """The braces of a block and what is between them; `close` is None when the file ends first."""

    __slots__ = ("children", "close", "open")

    def __init__(self, open_: Leaf, children: tuple[Node, ...], close: Leaf | None) -> None:
        self.open = open_
        self.children = children
        self.close = close

    @property
    def statements(self) -> Iterator[Statement]:
        """The statements directly in this body."""
        return (child for child in self.children if isinstance(child, Statement))


class Statement:
    """A keyword with its arguments, and its block when it has one.

    `words` are the leaves on the statement's line, keyword first, an equals sign left out of
    `args`. A line of a value block (an address, a peer) is a statement too.
    """

    __slots__ = ("body", "words")

    def __init__(self, words: tuple[Leaf, ...], body: Body | None = None) -> None:
        self.words = words
        self.body = body

    @property
    def keyword(self) -> str:
        """The first word, without quotes."""
        return self.words[0].value

    @property
    def args(self) -> tuple[Leaf, ...]:
        """The words after the keyword, without the first equals sign."""
        rest = self.words[1:]
        if rest and rest[0].kind is EQUALS:
            return rest[1:]
        return rest

    @property
    def values(self) -> tuple[str, ...]:
        """The values of `args`, without quotes."""
        return tuple(leaf.value for leaf in self.args)

    @property
    def span(self) -> Span:
        """From the keyword to the last word; a block's braces are not part of it."""
        return Span(self.words[0].start, self.words[-1].end)

    def leaves(self) -> Iterator[Leaf]:
        """All leaves of the statement and of its block, in order."""
        for item in _flatten((self,)):
            yield from item.words if isinstance(item, Statement) else (item,)

    def __repr__(self) -> str:
        return f"Statement({' '.join(w.text for w in self.words)!r})"


class ErrorNode:
    """Leaves that fit nowhere: a stray brace, a quote without end that starts a line."""

    __slots__ = ("leaves_", "message")

    def __init__(self, leaves: tuple[Leaf, ...], message: str) -> None:
        self.leaves_ = leaves
        self.message = message

    @property
    def span(self) -> Span:
        """From the first leaf to the end of the last one."""
        return Span(self.leaves_[0].start, self.leaves_[-1].end)


Node = Statement | ErrorNode


class Elsewhere(Protocol):
    """Where the text of a document that stands in no file came from."""

    def place(self, span: Span) -> Place:
        """The place of a span of the text."""


@dataclass(frozen=True)
class Document:
    """The tree of one file.

    `is_template` says that the text holds template tags (`{{ }}`, `{% %}`, `<% %>`), so it is not
    what the program finally reads. `diagnostics` are those of decoding and of the tree.
    `elsewhere` is set for a text that was put together from files: it knows the places there.
    """

    source: SourceFile
    dialect: str
    children: tuple[Node, ...]
    end: Leaf
    is_template: bool = False
    diagnostics: tuple[Diagnostic, ...] = field(default=())
    elsewhere: Elsewhere | None = field(default=None, compare=False, repr=False)

    def leaves(self) -> Iterator[Leaf]:
        """All leaves in order of the text, the end-of-file leaf last."""
        for item in _flatten(self.children):
            yield from item.words if isinstance(item, Statement) else (item,)
        yield self.end

    def to_text(self) -> str:
        """The text, from the leaves alone."""
        return "".join([part for leaf in self.leaves() for part in (leaf.prefix, leaf.text)])

    @property
    def statements(self) -> Iterator[Statement]:
        """The statements at top level."""
        return (child for child in self.children if isinstance(child, Statement))

    def walk(self) -> Iterator[Statement]:
        """Every statement of the file, a block before its contents."""
        return walk(self.children)

    def errors(self) -> Iterator[ErrorNode]:
        """Every error node of the file."""
        stack: list[Node] = list(reversed(self.children))
        while stack:
            node = stack.pop()
            if isinstance(node, ErrorNode):
                yield node
            elif node.body is not None:
                stack.extend(reversed(node.body.children))

    def place(self, node: Statement | ErrorNode | Leaf) -> Place:
        """Where `node` stands in its file."""
        span = Span(node.start, node.end) if isinstance(node, Leaf) else node.span
        return self.place_of(span)

    def place_of(self, span: Span) -> Place:
        """Where a part of the text stands in its file."""
        return (self.source if self.elsewhere is None else self.elsewhere).place(span)


def walk(nodes: tuple[Node, ...]) -> Iterator[Statement]:
    """Every statement among `nodes` and in their blocks, a block before its contents."""
    stack: list[Node] = list(reversed(nodes))
    while stack:
        node = stack.pop()
        if isinstance(node, Statement):
            yield node
            if node.body is not None:
                stack.extend(reversed(node.body.children))


def _flatten(nodes: tuple[Node, ...]) -> Iterator[Statement | Leaf]:
    """Statements (for their words) and single leaves, in order; without recursion, since nesting
    is the user's."""
    stack: list[Node | Leaf] = list(reversed(nodes))
    while stack:
        node = stack.pop()
        if isinstance(node, Leaf):
            yield node
        elif isinstance(node, ErrorNode):
            yield from node.leaves_
        else:
            yield node
            if node.body is not None:
                if node.body.close is not None:
                    stack.append(node.body.close)
                stack.extend(reversed(node.body.children))
                stack.append(node.body.open)
