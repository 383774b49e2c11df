"""The expanded view as a document: one text without includes, conditions, definitions and
sequences, whose statements know where they stand in the files.

A reader reads it like any other document; what it says of a place is the statement in its file,
with the chain that led to it. An include of which no file was read stays where it stood.
"""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from drctl.quickclass import replace
from drctl.syntax.expand_line import FileText
from drctl.syntax.expand_text import decomment
from drctl.syntax.lexer import lex
from drctl.syntax.parser import parse
from drctl.syntax.tree import END, Document
from drctl.text.place import Place, Span, Step, traced, via_of
from drctl.text.source import SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drctl.syntax.expanded import Expanded, Include, Line
    from drctl.text.diagnostic import Diagnostic

INDENTATION = "    "
_DEEPEST = 32
"""Levels of indentation; nesting beyond is the user's."""

_OPENING, _CLOSING = ("{",), ("}",)
# A word that starts with `@` or `$` needs a closer look.
_PLAIN = re.compile(r"[\w./:,;+%=&|*^()<>?\[\]-][\w./:,;+%=&|*^()<>?\[\]@ -]*")
_BARE = re.compile(r"""[^\s"#!{}@~][^\s"#!{}]*""")
_STEERING = re.compile(r"@|~(?:SEQ|LST)|\$\w+[ \t]*=")


class Statements:
    """The statements of the files as they were written, by the place of something on them."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._by_line: dict[str, dict[int, list[Place]]] = {}
        for document in documents:
            lines = self._by_line.setdefault(document.source.path, {})
            for statement in document.walk():
                place = document.place(statement)
                lines.setdefault(place.line, []).append(place)

    def on_line(self, path: str, line: int) -> list[Place]:
        """The statements that begin on a line, in order."""
        return self._by_line.get(path, {}).get(line, [])

    def at(self, place: Place) -> Place:
        """The statement that `place` is part of; the place itself when there is none."""
        found = place
        for one in self.on_line(place.path, place.line):
            if one.column <= place.column:
                found = one
        return found


class Flat:
    """Where the lines of the flat text come from; `place` is what a document asks.

    `owners` are the logical lines, by the number of the flat line from 0; a place for what is no
    logical line.
    """

    def __init__(self, owners: list[Line | Place], statements: Statements) -> None:
        self._owners = owners
        self._statements = statements
        self._known: dict[int, Place] = {}
        self.source = SourceFile("", "")

    def place(self, span: Span) -> Place:
        """The statement in its file that the span begins with, up to the end of the one that it
        ends with when that is in the same file."""
        first, _ = self.source.position(span.start)
        last, _ = self.source.position(span.end)
        start = self.of_line(first)
        if first == last:
            return start
        end = self.of_line(last)
        if end.path != start.path or end[1:3] < start[1:3]:
            return start
        whole = Place(*start[:3], *end[3:])
        return traced(whole, via_of(start))

    def of_line(self, number: int) -> Place:
        """The place of a line of the flat text, from 1."""
        known = self._known.get(number)
        if known is None:
            known = self._known[number] = self._of(self._owners[number - 1])
        return known

    def starts(self) -> frozenset[tuple[str, int, int]]:
        """File, line and column of all statements that the text came from, of which more than a
        brace is left."""
        return frozenset(
            self.of_line(number)[:3]
            for number, owner in enumerate(self._owners[:-1], 1)
            if isinstance(owner, Place) or owner.words not in {_OPENING, _CLOSING}
        )

    def _of(self, owner: Line | Place) -> Place:
        if isinstance(owner, Place):
            return owner
        on_line = self._statements.on_line(owner.path, owner.number)
        # columns cost the expansion of the line
        found = on_line[0] if len(on_line) == 1 else self._statements.at(owner.whole)
        return traced(found, chain_of(owner))


def chain_of(line: Line) -> tuple[Step, ...]:
    """The steps that led to a line."""
    return line.chain if line.is_rewritten else line.origin.file.steps


def flatten(expanded: Expanded, statements: Statements) -> Document:
    """The document of the flat text; `statements` are those of the files as they were written. Its
    diagnostics are those of the flat text's structure, with places in the files."""
    text, owners = _text_of(expanded, statements)
    flat = Flat(owners, statements)
    first = expanded.files[0]
    document = parse(SourceFile(first.path, text, first.encoding), "keepalived")
    flat.source = document.source
    found = tuple(_moved(one, flat) for one in document.diagnostics)
    return replace(document, diagnostics=found, elsewhere=flat)


def _moved(found: Diagnostic, flat: Flat) -> Diagnostic:
    return replace(found, place=flat.of_line(found.place.line))


def _text_of(expanded: Expanded, statements: Statements) -> tuple[str, list[Line | Place]]:
    """The flat text and the owner of each of its lines."""
    writer = _Writer(expanded.files[0].path, statements)
    unread = [one for one in reversed(expanded.includes) if not one.paths]
    for index, line, text in _pieces(expanded.lines):
        while unread and unread[-1].position <= index:
            writer.include(unread.pop())
        if line.words == _OPENING:
            writer.open(line)
        elif line.words == _CLOSING:
            writer.close(line)
        else:
            writer.statement(line, text)
    for include in reversed(unread):
        writer.include(include)
    return writer.text(), writer.owners


class _Writer:
    """Puts statements on lines: a block's brace stands behind its statement. `owners` has what
    each line comes from, and the place of the end of the text."""

    def __init__(self, main: str, statements: Statements) -> None:
        self._main = main
        self._statements = statements
        self._rows: list[str] = []
        self._depth = 0
        self._can_open = False
        self.owners: list[Line | Place] = []

    def statement(self, line: Line, text: str) -> None:
        self._add(line, text)
        self._can_open = True

    def open(self, line: Line) -> None:
        if self._can_open:
            self._rows[-1] += " {"
            self._can_open = False
        else:
            self._add(line, "{")
        self._depth += 1

    def close(self, line: Line) -> None:
        self._depth = max(0, self._depth - 1)
        self._add(line, "}")

    def include(self, include: Include) -> None:
        """One that stays, since no file was read for it."""
        place = traced(self._statements.at(include.place), include.steps)
        self._add(place, f"include {_pattern(include, self._main)}")

    def text(self) -> str:
        """All of it."""
        self.owners.append(Place(self._main, 1, 1, 1, 1))
        return "".join(f"{row}\n" for row in self._rows)

    def _add(self, owner: Line | Place, text: str) -> None:
        self._rows.append(INDENTATION * min(self._depth, _DEEPEST) + text)
        self.owners.append(owner)
        self._can_open = False


def _pieces(lines: list[Line]) -> Iterator[tuple[int, Line, str]]:
    """The lines with their numbers (from 0) and texts. A `${NAME}` that nothing defines is put
    together again: keepalived makes a block of it, but somebody else is to fill it in."""
    index = 0
    while index < len(lines):
        first, line = index, lines[index]
        if line.words in {_OPENING, _CLOSING}:
            yield first, line, ""
            index += 1
            continue
        text, column, raw = _written(line), 0, ""
        while name := _placeholder(lines, index):
            use = f"${{{name}}}"
            raw = raw or line.origin.file.source.line(line.number)
            column = raw.find(use, column) + len(use)
            text, index = f"{text}{use[1:]}", index + 3
            rest = lines[index + 1] if index + 1 < len(lines) else None
            if rest is None or rest[1] != line.number or rest.words in {_OPENING, _CLOSING}:
                break
            text += (" " if raw[column : column + 1].isspace() else "") + _written(rest)
            index += 1
        yield first, line, text
        index += 1


def _placeholder(lines: list[Line], index: int) -> str:
    """The name, when the line is followed by the rest of a `${NAME}`; else nothing."""
    line = lines[index]
    if not line.words[-1].endswith("$") or index + 3 >= len(lines):
        return ""
    opening, inside, closing = lines[index + 1 : index + 4]
    is_one = opening.words == _OPENING and closing.words == _CLOSING and len(inside.words) == 1
    is_near = opening.number == inside.number == closing.number == line.number
    return inside.words[0] if is_one and is_near else ""


def _pattern(include: Include, main: str) -> str:
    """The pattern of an include as it reads in the first file: a relative one starts at the folder
    of the file that it stands in."""
    here, there = dirname(include.place.path), dirname(main)
    if include.pattern.startswith("/") or here == there:
        return include.pattern
    below = f"{there}/" if there else ""
    if not here.startswith(below):
        return include.pattern
    return normpath(join(here.removeprefix(below), include.pattern))


def _written(line: Line) -> str:
    """A statement as it reads to keepalived, in words that are read back to the same ones."""
    words = line.words
    text = " ".join(words)
    if _PLAIN.fullmatch(text) and text.count(" ") == len(words) - 1:
        return text
    text = _text(line).strip()
    if _is_read_as(text, words):
        return text
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    is_bare = _BARE.fullmatch(word) is not None and _STEERING.match(word) is None
    return word if is_bare else f'"{word}"'


def _text(line: Line) -> str:
    """`line.text`, quicker where it stands in its file as it is."""
    origin = line.origin
    if not isinstance(origin, FileText):
        return line.text
    text = origin.source.line(line.number).partition("\0")[0]
    # the parts of a line have its trace in common
    return line.text if "{" in text or "}" in text else decomment(text).text


def _is_read_as(text: str, words: tuple[str, ...]) -> bool:
    """Whether the text gives these words again, and is no condition, definition or include."""
    if "\n" in text or _STEERING.match(text):
        return False
    leaves = [leaf for leaf in lex(text, "keepalived") if leaf.kind is not END]
    return tuple(leaf.value for leaf in leaves) == words
