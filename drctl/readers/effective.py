"""keepalived.conf to the model of what keepalived runs: includes followed, conditions decided,
definitions and sequences written out.

The reader is that of `readers.keepalived`; here it gets the flat text of the expanded view. A file
without any of these gives the same reading as without this module.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drctl.model.origin import Leftover
from drctl.quickclass import replace
from drctl.readers.keepalived import read as read_document
from drctl.readers.view import (
    ConditionRead,
    DefinitionRead,
    IncludeRead,
    SequenceRead,
    Start,
    View,
)
from drctl.syntax.expand_text import decomment
from drctl.syntax.expanded import Expanded, ExpandOptions, Files, expand
from drctl.syntax.flat import Flat, Statements, flatten
from drctl.syntax.parser import parse
from drctl.syntax.tree import Document, Statement
from drctl.text.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drctl.readers.reading import Reading
    from drctl.syntax.expanded import Line
    from drctl.text.diagnostic import Diagnostic

_CONDITION = re.compile(r"@(\^?)(.*)", re.DOTALL)
_BUILT_IN = re.compile(r"\$\{?_[A-Z]")
_SEQUENCE = re.compile(r"~(?:SEQx?|LST)")
_SECRET_KEYWORDS = frozenset({"auth_pass", "auth_hmac", "password", "key"})
_QUOTE_FINDINGS = frozenset({"DR101", "DR023"})
"""Codes of the lexer and of the tree for a quote without end."""
NOTHING_LEFT = "keepalived sees nothing of it"


def read(document: Document, files: Files, options: ExpandOptions) -> Reading:
    """The model of a file and of all that it includes. Never fails, whatever the texts are."""
    expanded = expand(document.source, files, options)
    others = (parse(source, "keepalived") for source in expanded.files[1:])
    documents = (document, *others)
    statements = Statements(documents)
    steering = _Steering(documents, expanded, statements)
    if not steering.is_any:
        return read_document(document, options.version, is_effective=True)
    flat = flatten(expanded, statements)
    reading = read_document(flat, options.version, is_effective=True)
    assert isinstance(flat.elsewhere, Flat)
    view = steering.view(options.identity, flat.elsewhere.starts())
    found = _findings(documents, expanded, reading.diagnostics)
    return replace(reading, document=document, diagnostics=found, view=view)


def _findings(
    documents: tuple[Document, ...], expanded: Expanded, read_from: tuple[Diagnostic, ...]
) -> tuple[Diagnostic, ...]:
    """Those of decoding, of the expansion, of the structure and of the reader, in the order of the
    files; a quote without end is told once a line."""
    order = {one.source.path: number for number, one in enumerate(documents)}
    decoding = [found for one in documents for found in one.source.diagnostics]
    quotes = {(d.place.path, d.place.line) for d in expanded.findings if d.code in _QUOTE_FINDINGS}
    kept = [
        d
        for d in read_from
        if d.code not in _QUOTE_FINDINGS or (d.place.path, d.place.line) not in quotes
    ]

    def where(found: Diagnostic) -> tuple[int, int, int]:
        place = found.place
        return order.get(place.path, len(order)), place.line, place.column

    # what a sequence repeats is found once
    return tuple(dict.fromkeys((*decoding, *sorted((*expanded.findings, *kept), key=where))))


class _Steering:
    """The statements of the files that steer the reading, and what was made of them."""

    def __init__(
        self, documents: tuple[Document, ...], expanded: Expanded, statements: Statements
    ) -> None:
        self._documents = documents
        self._expanded = expanded
        self._statements = statements
        self._met: dict[tuple[str, int], bool] = {}
        for one in expanded.conditions:
            key = one.place.path, one.place.line
            self._met[key] = self._met.get(key, False) or one.is_met
        self._conditions: list[ConditionRead] = []
        self._sequences: list[SequenceRead] = []
        self._hidden: dict[tuple[str, int], int] = {}
        self._plain: list[tuple[Document, Statement, Place]] = []
        self._secrets = frozenset(self._secret_names())
        self._definitions = tuple(self._defined())
        self._includes = tuple(self._included())
        for document in documents:
            for statement in document.walk():
                self._take(document, statement)

    @property
    def is_any(self) -> bool:
        """Whether there are such statements, or names of keepalived's own were replaced."""
        return bool(
            self._includes
            or self._definitions
            or self._conditions
            or self._sequences
            or _has_builtin(self._expanded.lines)
        )

    def view(self, config_id: str, seen: frozenset[Start]) -> View:
        """The account; `seen` are the statements that the model was read from."""
        known = {*seen, *(one.place[:3] for one in self._definitions)}
        known.update(one.place[:3] for one in self._includes)
        vanished = tuple(
            Leftover(_text_of(document, statement), NOTHING_LEFT, place)
            for document, statement, place in self._plain
            if place[:3] not in known
        )
        return View(
            self._documents,
            config_id,
            self._includes,
            self._definitions,
            tuple(self._conditions),
            tuple(self._sequences),
            vanished,
            self._secrets,
        )

    def _take(self, document: Document, statement: Statement) -> None:
        place = document.place(statement)
        line = place.path, place.line
        if place.column > self._hidden.get(line, place.column):
            return
        words = statement.words
        if condition := _CONDITION.fullmatch(words[0].text):
            is_met = self._met.get(line, False)
            if not is_met:
                self._hidden[line] = place.column
            text, place = _text_on_line(document, statement, place, is_whole=not is_met)
            name, is_negated = condition[2], bool(condition[1])
            self._conditions.append(ConditionRead(name, is_negated, is_met, text, place))
            words = words[1:]
            if not is_met:
                return
        if words and _SEQUENCE.match(words[0].text):
            text, place = _text_on_line(document, statement, place, is_whole=True)
            self._sequences.append(SequenceRead(text, place))
            return
        self._plain.append((document, statement, place))

    def _defined(self) -> Iterator[DefinitionRead]:
        """The definitions, each once; the lines of one are hidden, and what stands behind it."""
        found: dict[Start, DefinitionRead] = {}
        sources = {one.source.path: one.source for one in self._documents}
        for one in self._expanded.definitions:
            start, source = one.place, sources[one.place.path]
            last = start.line
            if one.is_multiline:
                count = len(source.line_starts())
                while last < count and decomment(source.line(last)).text.endswith("\\"):
                    last += 1
                for line in range(start.line + 1, last + 1):
                    self._hidden[start.path, line] = 0
            self._hidden[start.path, start.line] = start.column
            place = Place(*start[:3], last, len(source.line(last)) + 1)
            known = found.get(start[:3])
            is_used = one.is_used or (known is not None and known.is_used)
            is_secret = one.name in self._secrets
            found[start[:3]] = DefinitionRead(one.name, one.value, place, is_used, is_secret)
        yield from found.values()

    def _included(self) -> Iterator[IncludeRead]:
        found: dict[Place, IncludeRead] = {}
        for one in self._expanded.includes:
            place = self._statements.at(one.place)
            before = found[place].paths if place in found else ()
            read = (path.encode("utf-8", "replace").decode() for path in one.paths)
            paths = tuple(dict.fromkeys((*before, *read)))
            found[place] = IncludeRead(one.pattern, paths, place)
        yield from found.values()

    def _secret_names(self) -> Iterator[str]:
        """Definitions whose value stands where a password does."""
        for line in self._expanded.lines:
            if line.words[0] in _SECRET_KEYWORDS and line.is_rewritten:
                yield from (step.name for step in line.chain if step.kind == "definition")


def _has_builtin(lines: Iterable[Line]) -> bool:
    """Whether a line was made of a name of keepalived's own; many may come from one long line."""
    last: tuple[object, int] | None = None
    for line in lines:
        source = line.origin.file.source
        if line.is_rewritten and (source, line.number) != last:
            last = source, line.number
            if _BUILT_IN.search(source.line(line.number)):
                return True
    return False


def _text_of(document: Document, statement: Statement) -> str:
    """The statement without its block."""
    return document.source.text[statement.span.start : statement.span.end]


def _text_on_line(
    document: Document, statement: Statement, place: Place, *, is_whole: bool
) -> tuple[str, Place]:
    """The statement on its line, with its place; with `is_whole` all that follows it there."""
    if not is_whole:
        return _text_of(document, statement), place
    text = decomment(document.source.line(place.line, place.column - 1)).text
    end = max(place.column + len(text), place.end_column)
    return text, Place(*place[:3], place.line, end)
