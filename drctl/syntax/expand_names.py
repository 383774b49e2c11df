"""The names that are defined while a configuration is read, built-in ones too, and what there is to
say of their uses.

Facts: `find_definition`, `set_std_definitions` of lib/parser.c, keepalived 2.2.7.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drctl.syntax import expand_kind as kind
from drctl.syntax.expand_define import Buffer, Definition, find_environment, find_use
from drctl.syntax.expand_line import Step, visible
from drctl.text.diagnostic import Related

if TYPE_CHECKING:
    from drctl.syntax.expand_kind import Kind
    from drctl.syntax.expanded import ExpandOptions, Files
    from drctl.text.place import Place

_ENVIRONMENT_SINCE = (2, 4, 0)
_LOOSE_ASSIGNMENT = re.compile(r"\$[A-Za-z_]\w*[ \t]+=", re.ASCII)
_PARAMETERS = {
    "_ENV": "write ${_ENV NAME}, without blanks at its end",
    "_RANDOM": "write ${_RANDOM MINIMUM MAXIMUM} with numbers, without blanks at its end",
}
_NAME_USE = re.compile(r"\$(\{)?([A-Za-z_]\w*)([^}]*\})?", re.ASCII)


class Names:
    """Definitions by name; the last one before a use counts."""

    def __init__(self, options: ExpandOptions, files: Files, findings: kind.Findings) -> None:
        self.options = options
        self.files = files
        self.findings = findings
        built_in = {
            "_PWD": self._pwd,
            "_INSTANCE": self._instance,
            "_RANDOM": self._random,
            "_HASH": self._hash,
            "_BANG": self._bang,
        }
        self.definitions = {
            name: Definition(name, "", compute=compute) for name, compute in built_in.items()
        }
        self._told: set[tuple[str, str, int, str]] = set()

    def value_at(self, buffer: Buffer, at: int) -> tuple[Definition, str, int] | None:
        """The definition used at `at`, its value, and where the use ends."""
        text = buffer.text
        if self.options.version >= _ENVIRONMENT_SINCE and text.startswith("${_ENV", at):
            return self._environment_at(buffer, at)
        use = find_use(text, at)
        if use is None:
            return None
        name, parameters, end = use
        definition = self.definitions.get(name)
        if definition is None:
            return None
        if definition.is_multiline and end != len(text):
            message = (
                f"${name} has several lines and must be the last thing on its line; "
                "it is left as it is"
            )
            self.tell(
                kind.MISUSED_LINES, buffer, message, "write the rest elsewhere", definition.step
            )
            return None
        if definition.compute is not None:
            value = definition.compute(buffer, parameters)
            return Definition(name, value), value, end
        if parameters:
            return None
        return definition, definition.value, end

    def is_damaging(self, definition: Definition, value: str, length: int) -> bool:
        """Whether keepalived damages the text behind a use of `length` characters: one with
        parameters, when the value is shorter, before 2.4.0."""
        is_short = definition.compute is None and len(value) < length
        has_parameters = definition.name == "_RANDOM" and length > len("${_RANDOM}")
        return is_short and has_parameters and self.options.version < _ENVIRONMENT_SINCE

    def _environment_at(self, buffer: Buffer, at: int) -> tuple[Definition, str, int] | None:
        found = find_environment(buffer.text, at)
        if found is None:
            return None
        name, end = found
        if not name or " " in name or "\t" in name:
            message = "${_ENV} without a name crashes keepalived"
            if name:
                message = f"${{_ENV {visible(name)}}} has more than one name"
            self.tell(kind.BAD_PARAMETER, buffer, message, "name one variable: ${_ENV NAME}")
            return None
        value = self.options.environment.get(name, "")
        step = Step("environment", name, value, buffer.line_place())
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
            self.tell(kind.BAD_PARAMETER, buffer, message, "give the smallest and the largest")
        elif low > high:
            message = f"${{_RANDOM {parameters}}}: {low} is larger than {high}"
            self.tell(kind.BAD_PARAMETER, buffer, message, "give the smaller number first")
        return str(low)

    def tell_undefined(self, buffer: Buffer) -> None:
        """Names that were left because nothing defines them."""
        text = buffer.text
        if _LOOSE_ASSIGNMENT.match(text):
            message = f"{visible(text)} is no definition: a blank stands before the '='"
            self.tell(kind.BLANK_BEFORE_EQUALS, buffer, message, "write $NAME=value")
            return
        for found in _NAME_USE.finditer(text):
            name = found[2]
            definition = self.definitions.get(name)
            is_defined = definition is not None
            if definition is not None and definition.is_multiline:
                continue
            is_quoted = text.count('"', 0, found.start()) % 2 == 1
            is_environment = name == "_ENV" and self.options.version >= _ENVIRONMENT_SINCE
            if is_environment and find_environment(text, found.start()):
                continue
            if found[1] and found[3] and found[3][0] in " \t" and (is_environment or is_defined):
                message = f"{visible(found[0])} is left as it is: parameters cannot be given so"
                hint = _PARAMETERS.get(name, f"write ${{{name}}}")
            elif found[1] and found[3] == "}" and not is_defined:
                breaks = "" if is_quoted else " and its braces are read as those of a block"
                message = f"{name} is not defined here: ${{{name}}} is left as it is{breaks}"
                hint = f"define it above: ${name}=..."
            elif found[1] and found[3] and found[3][0] in ":-=?+" and not is_quoted:
                shown = visible(found[0])
                message = (
                    f"{shown} is left as it is: keepalived knows no default values as a shell does"
                )
                hint = f"define it above: ${name}=..."
            elif is_defined and not is_quoted and find_use(text, found.start()) is None:
                message = f"${name} is left as it is: what follows it is part of no name"
                hint = f"write ${{{name}}}"
            elif not is_defined and not found[1] and not is_quoted:
                message = f"{name} is not defined here: ${name} is left as it is"
                hint = f"define it above: ${name}=..."
            else:
                continue
            if self._is_told(kind.UNDEFINED_NAME, buffer, message):
                continue
            part = buffer.part(found.start(), found.end())
            self.tell(kind.UNDEFINED_NAME, part, message, hint)

    def _is_told(self, what: Kind, buffer: Buffer, message: str) -> bool:
        if self.findings.is_full(what):
            return True
        return (what.code, buffer.file.path, buffer.number, message) in self._told

    def tell(
        self, what: Kind, buffer: Buffer, message: str, hint: str, step: Step | None = None
    ) -> None:
        """Note a finding about the whole text, `step` being the definition it speaks of."""
        if self._is_told(what, buffer, message):
            return
        self._told.add((what.code, buffer.file.path, buffer.number, message))
        place = place_of(buffer)
        related = (Related(step.place, f"${step.name} is defined here"),) if step else ()
        self.findings.add(what, place, message, hint, related=related)


def place_of(buffer: Buffer) -> Place:
    """Where the user finds the text."""
    if buffer.base is None and not buffer.edits:
        return buffer.file.columns(buffer.number, 0, len(buffer.text))
    trace = buffer.origin().trace(buffer.number)
    if not trace.ranges:
        return buffer.line_place()
    begin = min(r[0] for r in trace.ranges)
    end = max(r[1] for r in trace.ranges)
    return buffer.file.columns(buffer.number, begin, end)
