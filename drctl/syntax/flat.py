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
from drctl.syntax.expand_text import decomment, split_braces, word_ranges
from drctl.syntax.lexer import lex
from drctl.syntax.parser import parse
from drctl.syntax.tree import END, Document
from drctl.text.place import Place, Span, Step, traced, via_of
from drctl.text.source import SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drctl.syntax.expanded import Expanded, Include, Line
    from drctl.text.diagnostic import Diagnostic

INDENTATION = "    "
_DEEPEST = 32
"""Levels of indentation; nesting beyond is the user's."""

# A word that starts with `@` or `$` and a template's tag need a closer look.
_PLAIN = re.compile(r"[\w./:,;+%=&|*^()<>?\[\]-][\w./:,;+%=&|*^()<>?\[\]@ -]*")
_BARE = re.compile(r"""[^\s"#!{}@$~][^\s"#!{}$~]*""")


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
        """File, line and column of all statements that the text came from."""
        return frozenset(self.of_line(number)[:3] for number in range(1, len(self._owners)))

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
    """The flat text and the owner of each of its lines: a block's brace stands behind its
    statement."""
    rows: list[str] = []
    owners: list[Line | Place] = []
    depth, can_open = 0, False
    main = expanded.files[0].path
    unread = [one for one in reversed(expanded.includes) if not one.paths]
    for index, line in enumerate(expanded.lines):
        while unread and unread[-1].position <= index:
            include = unread.pop()
            rows.append(f"{_indentation(depth)}include {_pattern(include, main)}")
            owners.append(traced(statements.at(include.place), include.steps))
            can_open = False
        words = line.words
        if words == ("{",):
            if can_open:
                rows[-1] += " {"
            else:
                rows.append(f"{_indentation(depth)}{{")
                owners.append(line)
            depth, can_open = depth + 1, False
            continue
        is_end = words == ("}",)
        depth -= is_end and depth > 0
        rows.append(_indentation(depth) + ("}" if is_end else _written(line)))
        owners.append(line)
        can_open = not is_end
    for include in reversed(unread):
        rows.append(f"include {_pattern(include, main)}")
        owners.append(traced(statements.at(include.place), include.steps))
    owners.append(Place(main, 1, 1, 1, 1))
    return "".join(f"{row}\n" for row in rows), owners


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


def _indentation(depth: int) -> str:
    return INDENTATION * min(depth, _DEEPEST)


def _written(line: Line) -> str:
    """A statement as it reads to keepalived, in words that are read back to the same ones."""
    words = line.words
    text = " ".join(words)
    if _PLAIN.fullmatch(text) and text.count(" ") == len(words) - 1:
        return text
    text = _text(line).strip()
    if _is_read_as(text, words):
        return text
    return " ".join(word if _BARE.fullmatch(word) else f'"{word}"' for word in words)


def _text(line: Line) -> str:
    """`line.text`, quicker where it stands in its file as it is."""
    origin = line.origin
    if not isinstance(origin, FileText):
        return line.text
    text = decomment(origin.source.line(line.number).partition("\0")[0]).text
    ranges = split_braces(text)
    if len(ranges) > 1:
        start, end = [r for r in ranges if word_ranges(text[slice(*r)])][line.part]
        text = text[start:end]
    return text


def _is_read_as(text: str, words: tuple[str, ...]) -> bool:
    """Whether the text gives these words again, and is no condition, definition or include."""
    if "\n" in text or text[:1] in {"@", "$", "~"}:
        return False
    leaves = [leaf for leaf in lex(text, "keepalived") if leaf.kind is not END]
    return tuple(leaf.value for leaf in leaves) == words
