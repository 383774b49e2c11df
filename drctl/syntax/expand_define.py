"""Definitions: `$NAME=`, their uses, and the text that is being rewritten.

Facts: `check_definition`, `find_definition` and `replace_param` of lib/parser.c, keepalived 2.2.7;
2.4.0 for what changed there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from drctl.syntax.expand_line import WHOLE, Columns, Edit, FileText, Rewritten, Step
from drctl.syntax.expand_text import BLANK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from drctl.text.place import Place

MOST_CHARACTERS = 1023
"""keepalived's line buffer."""

_ASSIGNMENT = re.compile(r"\$([A-Za-z_]\w*)=[ \t]*", re.ASCII)
_USE = re.compile(
    r"\$(?:\{([A-Za-z_]\w*)(?:[ ]*|( [ \d]*\d))\}|([A-Za-z_]\w*)(?=[ \t,)]|\Z))", re.ASCII
)
_ENVIRONMENT = re.compile(r"\$\{_ENV(?:[ \t]*|[ \t]+(\w+(?:[ \t]+\w+)*))\}", re.ASCII)


class Definition:
    """A name and what it stands for. `lines` are two or more of a definition of several lines; all
    but the last one end in a line feed in keepalived's memory. `compute` gives the value of a
    built-in one, from its parameters. `is_used` is true once something was replaced by it; `places`
    are those of the lines of a definition of several ones."""

    __slots__ = (
        *("_lines", "_parts", "compute", "is_multiline", "is_used", "name", "places", "step"),
    )

    def __init__(
        self,
        name: str,
        value: str,
        step: Step | None = None,
        *,
        is_multiline: bool = False,
        compute: Callable[[Buffer, str], str] | None = None,
    ) -> None:
        self.name = name
        self._parts = [value]
        self._lines: list[str] | None = None
        self.step = step
        self.is_multiline = is_multiline
        self.compute = compute
        self.is_used = False
        self.places: list[Place] = []

    def grow(self, text: str) -> None:
        """Put `text` behind the value."""
        self._parts.append(text)
        self._lines = None

    @property
    def value(self) -> str:
        """The whole value."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0]

    @property
    def lines(self) -> list[str]:
        """The lines of the value, split once for all uses."""
        if self._lines is None:
            lines = self.value.split("\n")
            self._lines = lines if len(lines) > 1 else [*lines, ""]
        return self._lines

    def step_of(self, line: int) -> Step | None:
        """The step for a line of the value, from 0."""
        if self.step is None or line >= len(self.places):
            return self.step
        return Step(self.step.kind, self.step.name, self.step.value, self.places[line])


class Buffer:
    """A text on its way to be a logical line, with what was done to it. `within` are the
    definitions of several lines that it is a line of, outermost first. `is_settled` says that
    nothing in it is to be replaced any more, `is_told` that what is left was spoken of."""

    __slots__ = (
        *("_origin", "base", "edits", "file", "is_settled", "is_told", "number", "text", "within"),
    )

    def __init__(
        self,
        text: str,
        file: FileText,
        number: int,
        base: Rewritten | None = None,
        within: tuple[Definition, ...] = (),
    ) -> None:
        self.text = text
        self.file = file
        self.number = number
        self.base = base
        self.edits: list[Edit] = []
        self._origin: Rewritten | None = None
        self.within = within
        self.is_settled = False
        self.is_told = False

    def edit(self, start: int, removed: int, inserted: str = "", step: Step | None = None) -> None:
        """Change the text."""
        self.text = self.text[:start] + inserted + self.text[start + removed :]
        self.edits.append((start, removed, inserted, step))

    def become(self, text: str, cuts: Iterable[Edit]) -> None:
        """Note that `cuts` made `text` of it."""
        self.text = text
        self.edits.extend(cuts)

    def origin(self) -> Rewritten:
        """How the text became what it is."""
        made = self._origin
        if made is None or len(made.edits) != len(self.edits):
            made = Rewritten(self.file, self.number, self.base, tuple(self.edits))
            self._origin = made
        return made

    def flat(self) -> Buffer:
        """The same text, in the place of the whole physical line."""
        line = self.written
        base = Rewritten(self.file, self.number, None, (), self.columns)
        made = Buffer(line, self.file, self.number, base, self.within)
        made.edit(0, len(line), self.text)
        return made

    @property
    def columns(self) -> Columns:
        """The columns of the physical line that the text comes from."""
        return WHOLE if self.base is None else self.base.columns

    @property
    def written(self) -> str:
        """What stands in these columns."""
        return self.file.source.line(self.number, *self.columns)

    def line_place(self) -> Place:
        """The place of these columns, without the blanks around them."""
        return self.file.line_place(self.number, self.columns)

    def copy(self) -> Buffer:
        """The text as it is now, to go on with."""
        base = self.origin() if self.edits else self.base
        return Buffer(self.text, self.file, self.number, base, self.within)

    def part(self, start: int, end: int) -> Buffer:
        """A buffer with the text from `start` up to `end`."""
        made = self.copy()
        made.is_settled, made.is_told = self.is_settled, self.is_told
        if end < len(self.text):
            made.edit(end, len(self.text) - end)
        if start:
            made.edit(0, start)
        return made


class Pointer(NamedTuple):
    """The lines of `definition` that are still to be read, from `at` on, in the place of `use`."""

    definition: Definition
    lines: list[str]
    at: int
    use: Buffer

    def line(self) -> Buffer:
        """The line that is read next."""
        made = self.use.copy()
        made.within = (*made.within, self.definition)
        made.edit(0, len(made.text), self.lines[self.at], self.definition.step_of(self.at))
        return made

    def next(self) -> Pointer | None:
        """What is left behind that line."""
        at = self.at + 1
        return None if at == len(self.lines) else Pointer(self.definition, self.lines, at, self.use)


class Assignment(NamedTuple):
    """`$NAME=value`; `is_multiline` when the next line belongs to it."""

    name: str
    value: str
    is_multiline: bool


def assignment(text: str) -> Assignment | None:
    """The definition that a line is, None when it is none."""
    found = _ASSIGNMENT.match(text)
    if found is None:
        return None
    value = text[found.end() :]
    if not value.endswith("\\"):
        return Assignment(found[1], value, is_multiline=False)
    value = value[:-1].rstrip(BLANK)
    return Assignment(found[1], value + "\n" if value else "", is_multiline=True)


def find_use(text: str, at: int) -> tuple[str, str, int] | None:
    """The use of a name that begins at `at`, where a `$` stands: `${NAME}`, `$NAME` or
    `${NAME 1 2}`; the name, the parameters, and where it ends."""
    found = _USE.match(text, at)
    if found is None:
        return None
    braced, parameters, plain = found.groups()
    return braced or plain, parameters or "", found.end()


def find_environment(text: str, at: int) -> tuple[str, int] | None:
    """The name in an `${_ENV NAME}` at `at`, and where it ends."""
    found = _ENVIRONMENT.match(text, at)
    return None if found is None else ((found[1] or "").strip(), found.end())
