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
    find_environment,
    find_use,
)
from drctl.syntax.expand_include import Include, checked, include_of
from drctl.syntax.expand_line import Line, Rewritten, Step, visible
from drctl.syntax.expand_text import BLANK, decomment, logical_end, split_words
from drctl.text.diagnostic import Related

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drctl.syntax.expand_kind import Kind
    from drctl.syntax.expanded import ExpandOptions, Files
    from drctl.text.place import Place

REWRITTEN_AT_ONCE = (2, 4, 0)
"""From here on a substituted line is not looked at again for `$` and `@`."""
_ENVIRONMENT_SINCE = (2, 4, 0)
_MANY_ENDLESS, _FEW = 3, 50
"""After so many lines without end, which none of keepalived would get past, a line has few
replacements left."""
_DEEPEST = 32
"""Definitions inside definitions whose places are kept."""
_LOOSE_ASSIGNMENT = re.compile(r"\$[A-Za-z_]\w*[ \t]+=", re.ASCII)
_NAME_USE = re.compile(r"\$(\{)?([A-Za-z_]\w*)([^}]*\})?", re.ASCII)
_CONDITION = re.compile(r"@(\^?)([^ \t]*)(?:[ \t]+|\Z)")
_COMPOUND = re.compile(r"[|,&()!;]|^\^")


class Sequence:
    """A `~SEQ` or `~LST` that is under way: `rows` are the values of `names` still to come."""

    __slots__ = ("is_list", "names", "place", "rest", "rows", "text")

    def __init__(
        self, names: tuple[str, ...], rows: Iterator[tuple[str, ...]], left: int, text: Buffer
    ) -> None:
        self.names = names
        self.rows = rows
        self.rest = left
        self.text = text
        self.place = text.file.line_place(text.number)
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
        self.growing: Definition | None = None
        self.demands = 0
        self._definitions: dict[str, Definition] = {}
        self._sequences: list[Sequence] = []
        self._depth = 0
        self._pointer: Pointer | None = None
        self._stack: list[tuple[Pointer, int]] = []
        self._residue: Buffer | None = None
        self._generated = 0
        self._replacements = 0
        self._endless = 0
        self._told: set[tuple[str, str, int, str]] = set()
        for name in ("_PWD", "_INSTANCE", "_RANDOM", "_HASH", "_BANG"):
            self._definitions[name] = Definition(name, "", compute=getattr(self, name.lower()))

    # Where text comes from.

    def feed(self, buffer: Buffer, *, is_plain: bool) -> None:
        """Process a physical line and all that follows from it before the next one is read."""
        self._replacements = 0
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
        if self._generated <= self.options.limits.generated_lines:
            return buffer
        limit = self.options.limits.generated_lines
        message = f"more than {limit:,} lines come from definitions and sequences; stopped here"
        self._tell(kind.TOO_MUCH, buffer, message, "let it repeat less often")
        self._sequences.clear()
        self._stack.clear()
        self._pointer, self._depth, self._generated = None, 0, 0
        return None

    def _next_of_sequence(self, sequence: Sequence) -> Buffer:
        what = "list" if sequence.is_list else "sequence"
        for name, value in zip(sequence.names, next(sequence.rows), strict=True):
            step = Step(what, name, value, sequence.place)
            self._definitions[name] = Definition(name, value, step)
        sequence.rest -= 1
        if sequence.rest <= 0:
            self._sequences.pop()
        text = sequence.text
        return Buffer(text.text, text.file, text.number, text.base, text.within)

    # One line.

    def _process(self, buffer: Buffer, *, is_plain: bool) -> None:
        if self.growing is not None:
            self._grow(self.growing, buffer.text)
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
            if "$" in text and self._replace(buffer):
                self._decomment(buffer)
                text = buffer.text
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
        if "$" in buffer.text:
            self._tell_undefined(buffer)
        size = len(buffer.text)
        end, rest = logical_end(buffer.text)
        words = split_words(buffer.text[:end])
        if buffer.text.count('"', 0, end) % 2:
            written = buffer.file.source.line(buffer.number)
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

    def _decomment(self, buffer: Buffer) -> None:
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
        self.conditions.append((name, is_negated, is_met, buffer.file.line_place(buffer.number)))
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
        place = buffer.file.line_place(buffer.number)
        step = Step("definition", found.name, found.value.rstrip("\n"), place)
        definition = Definition(found.name, found.value, step, is_multiline=found.is_multiline)
        self._definitions[found.name] = definition
        if found.is_multiline:
            self.growing = definition

    def _grow(self, growing: Definition, text: str) -> None:
        is_last = not text.endswith("\\")
        added = text if is_last else text[:-1].rstrip(BLANK) + "\n"
        if is_last:
            self.end_definition()
        if len(added) >= 2 or (added and is_last):
            growing.value += added

    def _replace(self, buffer: Buffer) -> bool:
        """Put values in the place of names; whether one was."""
        at, is_changed = 0, False
        pointer, left = self._pointer, self._pointer
        while (at := buffer.text.find("$", at)) >= 0 and at + 1 < len(buffer.text):
            found = self._value_at(buffer, at)
            if found is None:
                at += 1
                continue
            definition, value, end = found
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
            buffer.edit(at, end - at, value, definition.step)
            if value[:1] == "~" or value.lstrip(BLANK)[:1] == "~":
                break
        if is_changed:
            self._pointer = left
        return is_changed

    def _enter(self, use: Buffer, definition: Definition, outer: Pointer | None) -> Pointer:
        """Begin with the lines of a definition of several lines; the first one is read at once."""
        if outer is not None:
            self._stack.append((outer, self._depth))
        self._depth = len(self._sequences)
        lines = definition.value.split("\n")
        if len(lines) == 1:
            lines.append("")
        if len(use.within) > _DEEPEST:
            use = use.flat()
        return Pointer(definition, lines, 1, use)

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

    def _value_at(self, buffer: Buffer, at: int) -> tuple[Definition, str, int] | None:
        """The definition used at `at`, its value, and where the use ends."""
        text = buffer.text
        if self.options.version >= _ENVIRONMENT_SINCE and text.startswith("${_ENV", at):
            return self._environment_at(buffer, at)
        use = find_use(text, at)
        if use is None:
            return None
        name, parameters, end = use
        definition = self._definitions.get(name)
        if definition is None:
            return None
        if definition.is_multiline and end != len(text):
            message = (
                f"${name} has several lines and must be the last thing on its line; "
                "it is left as it is"
            )
            self._tell(
                kind.MISUSED_LINES, buffer, message, "write the rest elsewhere", definition.step
            )
            return None
        if definition.compute is not None:
            value = definition.compute(buffer, parameters)
            return Definition(name, value), value, end
        if parameters:
            return None
        return definition, definition.value, end

    def _environment_at(self, buffer: Buffer, at: int) -> tuple[Definition, str, int] | None:
        found = find_environment(buffer.text, at)
        if found is None:
            return None
        name, end = found
        if not name:
            message = "${_ENV} without a name crashes keepalived"
            self._tell(kind.BAD_PARAMETER, buffer, message, "name the variable: ${_ENV NAME}")
            return None
        value = self.options.environment.get(name, "")
        step = Step("environment", name, value, buffer.file.line_place(buffer.number))
        return Definition("_ENV", value, step), value, end

    def _pwd(self, buffer: Buffer, parameters: str) -> str:
        del parameters
        return self.files.directory(buffer.file.path)

    def _instance(self, buffer: Buffer, parameters: str) -> str:
        del buffer, parameters
        return self.options.identity

    def _hash(self, buffer: Buffer, parameters: str) -> str:
        del buffer, parameters
        return "#"

    def _bang(self, buffer: Buffer, parameters: str) -> str:
        del buffer, parameters
        return "!"

    def _random(self, buffer: Buffer, parameters: str) -> str:
        """The smallest value: what is drawn is not known."""
        numbers = [int(word[:20]) for word in parameters.split()]
        low, high = (*numbers[:2], 32767)[:2] if numbers else (0, 32767)
        if len(numbers) > 2:
            message = f"${{_RANDOM {parameters}}} has more than two numbers"
            self._tell(kind.BAD_PARAMETER, buffer, message, "give the smallest and the largest")
        elif low > high:
            message = f"${{_RANDOM {parameters}}}: {low} is larger than {high}"
            self._tell(kind.BAD_PARAMETER, buffer, message, "give the smaller number first")
        return str(low)

    def _tell_undefined(self, buffer: Buffer) -> None:
        """Names that were left because nothing defines them."""
        text = buffer.text
        if _LOOSE_ASSIGNMENT.match(text):
            message = f"{visible(text)} is no definition: a blank stands before the '='"
            self._tell(kind.BLANK_BEFORE_EQUALS, buffer, message, "write $NAME=value")
            return
        for found in _NAME_USE.finditer(text):
            name = found[2]
            definition = self._definitions.get(name)
            is_defined = definition is not None
            if definition is not None and definition.is_multiline:
                continue
            is_quoted = text.count('"', 0, found.start()) % 2 == 1
            if found[1] and found[3] == "}" and not is_defined:
                breaks = "" if is_quoted else " and its braces are read as those of a block"
                message = f"{name} is not defined here: ${{{name}}} is left as it is{breaks}"
                hint = f"define it above: ${name}=..."
            elif is_defined and not is_quoted and find_use(text, found.start()) is None:
                message = f"${name} is left as it is: what follows it is part of no name"
                hint = f"write ${{{name}}}"
            elif not is_defined and not found[1] and not is_quoted:
                message = f"{name} is not defined here: ${name} is left as it is"
                hint = f"define it above: ${name}=..."
            else:
                continue
            part = buffer.part(found.start(), found.end())
            self._tell(kind.UNDEFINED_NAME, part, message, hint)

    # Sequences.

    def _repeat(self, buffer: Buffer) -> None:
        from drctl.syntax.expand_sequence import MalformedError, list_head

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
        limit = self.options.limits.generated_lines
        if left > limit:
            message = f"{visible(text)} repeats {left:,} times; only the first time is looked at"
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

    def _tell(
        self, what: Kind, buffer: Buffer, message: str, hint: str, step: Step | None = None
    ) -> None:
        key = what.code, buffer.file.path, buffer.number, message
        if key in self._told:
            return
        self._told.add(key)
        place = place_of(buffer)
        related = (Related(step.place, f"${step.name} is defined here"),) if step else ()
        self.findings.add(what, place, message, hint, related=related)


def place_of(buffer: Buffer) -> Place:
    """Where the user finds the text."""
    origin: Rewritten = buffer.origin()
    trace = origin.trace(buffer.number)
    if not trace.ranges:
        return buffer.file.line_place(buffer.number)
    begin = min(r[0] for r in trace.ranges)
    end = max(r[1] for r in trace.ranges)
    return buffer.file.columns(buffer.number, begin, end)
