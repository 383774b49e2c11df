"""One line of text to logical lines: conditions, definitions, sequences, braces.

Facts: `read_line` of lib/parser.c, keepalived 2.2.7.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from drctl.syntax import expand_kind as kind
from drctl.syntax.expand_define import (
    MOST_CHARACTERS,
    Assignment,
    Buffer,
    Definition,
    Pointer,
    assignment,
)
from drctl.syntax.expand_include import Include, checked, include_of
from drctl.syntax.expand_line import Line, Step, visible
from drctl.syntax.expand_names import Names
from drctl.syntax.expand_text import BLANK, NOISE, decomment, logical_end, split_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drctl.syntax.expanded import ExpandOptions, Files
    from drctl.text.place import Place

REWRITTEN_AT_ONCE = (2, 4, 0)
"""From here on a substituted line is not looked at again for `$` and `@`."""
_MEASURED_AGAIN = (2, 2, 8)
"""From here on a condition out of a definition is taken off rightly."""
_MANY_ENDLESS, _FEW = 3, 50
"""After so many lines without end, none of which keepalived would get past, a line has few
replacements left; a line that generates too many lines leaves few, and so do all after it."""
_DEEPEST = 32
"""Definitions inside definitions whose places are kept."""
_MAY_BE_USE = re.compile(r"\$[A-Za-z_{]")
_CONDITION = re.compile(r"@(\^?)([^ \t]*)(?:[ \t]+|\Z)")
_LATE_SEQUENCE = re.compile(r"~(seqx|seq|lst)(?=[ \t]*\()", re.IGNORECASE)
_COMPOUND = re.compile(r"[|,&()!;]|^\^")


class Sequence:
    """A `~SEQ` or `~LST` that is under way: `rows` are the values of `names` still to come, `rest`
    of `count`."""

    __slots__ = ("count", "is_list", "names", "place", "rest", "rows", "text")

    def __init__(
        self, names: tuple[str, ...], rows: Iterator[tuple[str, ...]], left: int, text: Buffer
    ) -> None:
        self.names = names
        self.rows = rows
        self.count = self.rest = left
        self.text = text
        self.place = text.line_place()
        self.is_list = len(names) > 1


class Pending(NamedTuple):
    """An include that is read when the line is done; `is_plain` when the include is all that its
    physical line is."""

    include: Include
    buffer: Buffer
    is_plain: bool


class Rewriter:
    """Makes logical lines of what `process` is given; `lines` collects them."""

    def __init__(self, options: ExpandOptions, files: Files, findings: kind.Findings) -> None:
        self.options = options
        self.files = files
        self.findings = findings
        self.lines: list[Line] = []
        self.pending: list[Pending] = []
        self.conditions: list[tuple[str, bool, bool, Place]] = []
        self.defined: list[Definition] = []
        self.growing: Definition | None = None
        self.demands = 0
        self.names = Names(options, files, findings)
        self._tell = self.names.tell
        self._sequences: list[Sequence] = []
        self._depth = 0
        self._pointer: Pointer | None = None
        self._stack: list[tuple[Pointer, int]] = []
        self._residue: Buffer | None = None
        self._first = 0
        self._generated = 0
        self._is_spent = False
        self._replacements = 0
        self._endless = 0

    # Where text comes from.

    def feed(self, buffer: Buffer, *, is_plain: bool) -> None:
        """Process a physical line and all that follows from it before the next one is read."""
        self._replacements = 0
        self._first = len(self.lines)
        if self._is_spent:
            self._generated = 0
        self._process(buffer, is_plain=is_plain)
        while (buffer_ := self._next()) is not None:
            self._process(buffer_, is_plain=False)

    def end_definition(self) -> None:
        """A line without text ends a definition of several lines."""
        growing = self.growing
        assert growing is not None
        if not growing.value:
            growing.is_multiline = False
        self.growing = None

    def _next(self) -> Buffer | None:
        if self._residue is not None:
            buffer, self._residue = self._residue, None
            return buffer
        self._replacements = 0
        if len(self._sequences) > self._depth:
            buffer = self._next_of_sequence(self._sequences[-1])
        elif self._pointer is not None:
            buffer = self._pointer.line()
            self._pointer = self._pointer.next()
            if self._pointer is None:
                self._pointer, self._depth = self._stack.pop() if self._stack else (None, 0)
        else:
            return None
        self._generated += 1
        if self._generated <= (_FEW if self._is_spent else self.options.limits.generated_lines):
            return buffer
        limit = self.options.limits.generated_lines
        message = (
            f"more than {limit:,} lines come from definitions and sequences; only the first of "
            "them are looked at"
        )
        if not self._is_spent:
            self._tell(kind.TOO_MUCH, buffer, message, "let it repeat less often")
        del self.lines[self._first + _FEW :]
        self._sequences.clear()
        self._stack.clear()
        self._pointer, self._depth, self._is_spent = None, 0, True
        return None

    def _next_of_sequence(self, sequence: Sequence) -> Buffer:
        what = "list" if sequence.is_list else "sequence"
        for name, value in zip(sequence.names, next(sequence.rows), strict=True):
            step = Step(what, name, value, sequence.place)
            self.names.definitions[name] = Definition(name, value, step)
        sequence.rest -= 1
        if sequence.rest <= 0:
            self._sequences.pop()
        text = sequence.text
        return Buffer(text.text, text.file, text.number, text.base, text.within)

    # One line.

    def _process(self, buffer: Buffer, *, is_plain: bool) -> None:
        if self.growing is not None:
            self._grow(self.growing, buffer)
            return
        is_again = True
        size = len(buffer.text)
        while is_again:
            is_again = False
            if buffer.text.startswith("@") and not self._condition(buffer, size):
                return
            text = buffer.text
            if not text:
                return
            if text[0] == "$" and (found := assignment(text)):
                self._define(found, buffer)
                return
            if text[0] == "~":
                if text.startswith(("~SEQ", "~LST")):
                    self._repeat(buffer)
                    return
                break
            if "$" in text and not buffer.is_settled and self._replace(buffer):
                self._decomment(buffer)
                text = buffer.text
                if self.options.version >= _MEASURED_AGAIN:
                    size = len(text)
                is_old = self.options.version < REWRITTEN_AT_ONCE
                is_again = is_old and ("$" in text or text.startswith("@"))
                if not is_old and text.startswith("@"):
                    message = f"{visible(text)}: a condition out of a definition is no condition"
                    self._tell(kind.CONDITION_FROM_VALUE, buffer, message, "write '@' on the line")
        if not buffer.text:
            return
        if (include := include_of(buffer.text)) is not None:
            self.pending.append(Pending(include, buffer, is_plain))
            return
        self._emit(buffer)

    def _emit(self, buffer: Buffer) -> None:
        if "~" in buffer.text and (found := _LATE_SEQUENCE.search(buffer.text)):
            self._tell_late(buffer, found)
        if "$" in buffer.text and not buffer.is_told:
            self.names.tell_undefined(buffer)
            buffer.is_told = buffer.is_settled
        size = len(buffer.text)
        end, rest = logical_end(buffer.text)
        words = split_words(buffer.text[:end])
        if buffer.text.count('"', 0, end) % 2:
            written = buffer.written
            if written.count('"') % 2 == 0:
                message = f"quote without end out of a definition: {visible(buffer.text)}"
                self._tell(kind.UNTERMINATED_QUOTE, buffer, message, "close it in the definition")
        if rest < size:
            self._residue = buffer.part(rest, size)
        if end < size:
            buffer = buffer.part(0, end)
        if words:
            self.lines.append(Line(words, buffer.number, 0, buffer.origin()))
            if words[0] == "include_check":
                self.demands = checked(self.demands, words[1:])

    def _tell_late(self, buffer: Buffer, found: re.Match[str]) -> None:
        """A sequence or list that is none, since it does not begin its line."""
        if buffer.text.count('"', 0, found.start()) % 2:
            return
        what = f"~{found[1].upper()}"
        if found.start() == 0 and found[0][0] == "~":
            message = f"{found[0]} is no sequence: it is written {what}"
            hint = "~LST(NAME, A, B)" if what == "~LST" else f"{what}(NAME, START, STEP, END)"
        else:
            message = f"{what} repeats a line only from its beginning: here it is ordinary text"
            hint = f"write {what}(NAME, ...) in front of the line and ${{NAME}} in its place"
        part = buffer.part(found.start(), len(buffer.text))
        self._tell(kind.ODD_SEQUENCE, part, message, hint)

    def _decomment(self, buffer: Buffer) -> None:
        text = buffer.text
        if text and text[0] not in BLANK and text[-1] not in BLANK and not NOISE.search(text):
            return
        keeps = self.options.version < REWRITTEN_AT_ONCE
        clean = decomment(buffer.text, keeps_continuation=keeps)
        if clean.is_open:
            message = f"quote without end: {visible(buffer.text)}"
            self._tell(kind.UNTERMINATED_QUOTE, buffer, message, "close the quote on this line")
        if clean.comment >= 0:
            sign = buffer.text[clean.comment]
            message = (
                f"'{sign}' out of a definition starts a comment: {visible(clean.text)} is left"
            )
            self._tell(kind.COMMENT_IN_WORD, buffer, message, "put it in double quotes here")
        if clean.cuts:
            buffer.become(clean.text, clean.cuts)

    def _condition(self, buffer: Buffer, size: int) -> bool:
        """Whether the text behind `@id` is read; the condition is taken off then. `size` is the
        length that keepalived takes the text to have: that before anything was replaced."""
        found = _CONDITION.match(buffer.text)
        assert found is not None
        is_negated, name, end = bool(found[1]), found[2], found.end()
        identity = self.options.identity
        is_met = (bool(identity) and name == identity) != is_negated
        self.conditions.append((name, is_negated, is_met, buffer.line_place()))
        if end >= len(buffer.text):
            message = f"{visible(buffer.text)}: nothing follows the condition"
            self._tell(kind.ODD_CONDITION, buffer, message, "write the statement on the same line")
            return False
        if not name:
            always = "always" if is_negated else "never"
            message = f"{found[0].strip()} without a name: the rest of the line is {always} read"
            self._tell(kind.ODD_CONDITION, buffer, message, "write the name behind it")
        elif _COMPOUND.search(name):
            message = f"@{visible(name)} is compared as it stands: conditions cannot be combined"
            self._tell(kind.ODD_CONDITION, buffer, message, "write one line for each name")
        elif buffer.text[end] == "@":
            message = f"{visible(buffer.text)}: only one condition counts on a line"
            self._tell(kind.ODD_CONDITION, buffer, message, "write one condition")
        rest = buffer.text[end:]
        moved = max(size - end + 1, 0)
        if is_met and moved <= len(rest):
            message = (
                f"{visible(buffer.text)}: a condition out of a definition is not taken off rightly"
            )
            hint = "write '@' on the line itself"
            self._tell(kind.CONDITION_FROM_VALUE, buffer, message, hint)
            buffer.edit(0, moved, rest[:moved])
        elif is_met:
            buffer.edit(0, end)
        return is_met

    # Definitions.

    def _define(self, found: Assignment, buffer: Buffer) -> None:
        place = buffer.line_place()
        step = Step("definition", found.name, found.value.rstrip("\n"), place)
        definition = Definition(found.name, found.value, step, is_multiline=found.is_multiline)
        self.names.definitions[found.name] = definition
        self.defined.append(definition)
        if found.is_multiline:
            self.growing = definition
            if found.value:
                definition.places.append(place)

    def _grow(self, growing: Definition, buffer: Buffer) -> None:
        text = buffer.text
        is_last = not text.endswith("\\")
        added = text if is_last else text[:-1].rstrip(BLANK) + "\n"
        if is_last:
            self.end_definition()
        if len(added) >= 2 or (added and is_last):
            growing.grow(added)
            growing.places.append(buffer.line_place())

    def _replace(self, buffer: Buffer) -> bool:
        """Put values in the place of names; whether one was."""
        at, is_changed = 0, False
        pointer, left = self._pointer, self._pointer
        while (use := _MAY_BE_USE.search(buffer.text, at)) is not None:
            at = use.start()
            found = self.names.value_at(buffer, at)
            if found is None:
                at += 1
                continue
            definition, value, end = found
            definition.is_used = True
            self._replacements += 1
            if self._is_endless(buffer, definition):
                buffer.become("", ())
                return True
            is_changed, left = True, pointer
            if definition.is_multiline:
                pointer = left = self._enter(buffer.part(at, end), definition, pointer)
                buffer.within = (*buffer.within, definition)
                value = pointer.lines[0]
            if len(buffer.text) + len(value) - (end - at) > MOST_CHARACTERS:
                message = (
                    f"${definition.name} makes the line longer than {MOST_CHARACTERS} characters, "
                    "so it is not replaced"
                )
                self._tell(kind.LONG_EXPANSION, buffer, message, "shorten it", definition.step)
                return False
            if buffer.text[end:] and self.names.is_damaging(definition, value, end - at):
                # the text moves up by one character only
                value += buffer.text[end] + buffer.text[at + len(value) + 1 : end]
                message = f"${{{definition.name}}} damages what stands behind it: {visible(value)}"
                hint = "let it be the last thing on its line"
                self._tell(kind.DAMAGED_LINE, buffer, message, hint)
            buffer.edit(at, end - at, value, definition.step_of(0))
            if value[:1] == "~" or value.lstrip(BLANK)[:1] == "~":
                break
        if is_changed:
            self._pointer = left
        buffer.is_settled = not is_changed
        return is_changed

    def _enter(self, use: Buffer, definition: Definition, outer: Pointer | None) -> Pointer:
        """Begin with the lines of a definition of several lines; the first one is read at once."""
        if outer is not None:
            self._stack.append((outer, self._depth))
        self._depth = len(self._sequences)
        if len(use.within) > _DEEPEST:
            use = use.flat()
        return Pointer(definition, definition.lines, 1, use)

    def _is_endless(self, buffer: Buffer, definition: Definition) -> bool:
        """Whether a definition is used within itself, or no end is in sight."""
        is_within = definition.is_multiline and definition in buffer.within
        limit = self.options.limits.replacements if self._endless < _MANY_ENDLESS else _FEW
        if not is_within and self._replacements <= limit:
            return False
        self._endless += 1
        message = f"${definition.name} refers to itself, so that its value never ends"
        hint = "take the name out of its own value"
        self._tell(kind.ENDLESS_DEFINITION, buffer, message, hint, definition.step)
        return True

    # Sequences.

    def _repeat(self, buffer: Buffer) -> None:
        from drctl.syntax.expand_sequence import MalformedError, list_head, oddity

        text = buffer.text
        try:
            if text.startswith("~LST"):
                lists = list_head(text)
                names, end = lists.names, lists.end
                rows, left = iter(lists.rows), len(lists.rows)
            else:
                names, end, values = self._sequence_of(buffer)
                form = "x" if text.startswith("~SEQx") else "d"
                rows = ((format(value, form),) for value in values)
                left = -((values.start - values.stop) // values.step)
        except MalformedError as bad:
            message = f"{visible(text)}: {bad}; the line is dropped"
            hint = "~LST(name,value,...) or ~SEQ(name,start,step,end)"
            self._tell(kind.BAD_SEQUENCE, buffer, message, hint)
            return
        if odd := oddity(text, names, end):
            self._tell(kind.ODD_SEQUENCE, buffer, *odd)
        limit = self.options.limits.generated_lines
        total = left
        for outer in self._sequences:
            total *= outer.count
        if total > limit:
            message = f"{visible(text)} repeats {total:,} times; only the first time is looked at"
            self._tell(kind.TOO_MUCH, buffer, message, f"repeat at most {limit:,} times")
            left = 1
        part = buffer.part(end, len(text)).copy()
        self._sequences.append(Sequence(names, rows, left, part))

    def _sequence_of(self, buffer: Buffer) -> tuple[tuple[str, ...], int, range]:
        from drctl.syntax.expand_sequence import MalformedError, sequence_head, sequence_values

        head = sequence_head(buffer.text)
        numbers = head.numbers
        if "$" in numbers:
            inner = buffer.part(head.numbers_at, head.numbers_at + len(numbers))
            pointer, self._pointer = self._pointer, None
            self._replace(inner)
            has_lines, self._pointer = self._pointer is not None, pointer
            if has_lines:
                raise MalformedError("a definition of several lines in the parentheses")
            numbers = inner.text
        return (head.name,), head.end, sequence_values(numbers, is_hex=head.is_hex)
