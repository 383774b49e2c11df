"""One block of a keepalived.conf into fields: the mechanism, without knowing the keywords.

A block has a table: keyword to `Field` (one value), `Lines` (a value block: one item a line) or
`Nested` (a block with a table of its own). Whatever has no entry, or does not parse, becomes a
leftover of the block with its reason; nothing is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from drctl.model.origin import SELF, Leftover, Origins
from drctl.quickclass import dataclass, field
from drctl.readers.keepalived_words import MEASURED_VERSION, Parse, Words
from drctl.readers.verbatim import leftover
from drctl.syntax.lexer import find_template_tag
from drctl.syntax.tree import ERROR, QUOTED, Document, Leaf, Node, Statement
from drctl.text.diagnostic import Diagnostic, Related, Severity
from drctl.text.place import Place, via_of

_DEFINITION = re.compile(r"\$([A-Za-z_]\w*)\s*=")
_USE = re.compile(r"\$\{([A-Za-z_]\w*)[^{}]*\}|\$([A-Za-z_]\w*)(?=[\s,)]|$)")
_SEQUENCE = re.compile(r"~(?:SEQx?|LST)\(")
_INCLUDE = re.compile(r"include[rmwba]?")
NOT_READ = "the included file is not read"
"""Why an include is a leftover."""
EMPTY = "the block is empty"
"""Why a value block without a value is one: keepalived tells some of them from none."""


@dataclass(frozen=True, slots=True)
class Field:
    """A keyword that sets `name` (dotted for a field of an inner object). With `keeps_first` a
    repetition is ignored, otherwise the last one wins. `joins` collects a tuple."""

    name: str
    parse: Parse
    keeps_first: bool = False
    joins: bool = False
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Spread:
    """A keyword that sets several fields: `parse` gives their values by name, None for one that is
    no longer set. `name` is the field that tells whether it was there; `keeps_first` as above."""

    name: str
    parse: Callable[[Words], Mapping[str, Any]]
    keeps_first: bool = False


LineParse = Callable[["Words", Place], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Lines:
    """A value block whose lines are items of the tuple `name`; `key` gets the block's place too."""

    name: str
    parse: LineParse
    keeps_first: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Nested:
    """A block that is an object of the tuple `name`; `read` may raise ValueError to refuse it."""

    name: str
    read: Callable[[Context, Statement], Any]


@dataclass(frozen=True, slots=True)
class Inline:
    """A block whose keywords set fields of the enclosing object; `name` gets its place."""

    name: str
    table: Table


Entry = Field | Spread | Lines | Nested | Inline
Table = Mapping[str, Entry]


@dataclass
class Values:
    """What a block says: values and places by field, and what could not be read."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, list[Place]] = field(default_factory=dict)
    leftovers: list[Leftover] = field(default_factory=list)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field, or `default`."""
        return self.values.get(name, default)

    def note(self, name: str, place: Place) -> None:
        """Record that the statement at `place` sets `name`."""
        self.places.setdefault(name, []).append(place)

    def add(self, name: str, items: Iterable[Any]) -> None:
        """Append to a tuple field; a list holds it while the block is read."""
        self.values.setdefault(name, []).extend(items)

    def inner(self, prefix: str) -> dict[str, Any]:
        """Keyword arguments of the inner object whose fields were set as `prefix.name`, with its
        origins; empty when none was."""
        start = f"{prefix}."
        found = {
            name.removeprefix(start): tuple(value) if isinstance(value, list) else value
            for name, value in self.values.items()
            if name.startswith(start)
        }
        origins = self.origins(start)
        return {**found, "origins": origins} if origins else found

    def outer(self) -> dict[str, Any]:
        """Keyword arguments of the object itself, without origins and leftovers."""
        return {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.values.items()
            if "." not in name
        }

    def opened(self, place: Place, *names: str) -> Origins:
        """Places of all fields of an object that the statement at `place` opened; `names` are the
        fields that this statement itself sets."""
        return {**dict.fromkeys((SELF, *names), (place,)), **self.origins()}

    def origins(self, start: str = "") -> Origins:
        """Places of the fields whose name starts with `start`; the rest of the name is the key."""
        found: dict[str, tuple[Place, ...]] = {}
        for name, places in self.places.items():
            key = name.removeprefix(start)
            if name.startswith(start) and (start or "." not in key):
                found[key] = tuple(places)
        return found


@dataclass
class Context:
    """One file while it is read: its tree, what it defines, and the findings so far. `outer` are
    the keywords of blocks at top level; those met inside a block wait in `misplaced`. `seen` are
    the blocks that there may be only one of, by keyword and name. `settings` is what is said for
    the whole director, wherever. `version` is the keepalived that reads it."""

    document: Document
    defined: frozenset[str] = frozenset()
    diagnostics: list[Diagnostic] = field(default_factory=list)
    outer: frozenset[str] = frozenset()
    misplaced: list[Statement] = field(default_factory=list)
    seen: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    settings: Values = field(default_factory=Values)
    version: tuple[int, ...] = MEASURED_VERSION

    def place(self, statement: Statement) -> Place:
        """Where the statement stands, without its block."""
        return self.document.place(statement)

    def warn(
        self, place: Place, rule: tuple[str, str], severity: Severity, message: str, hint: str = ""
    ) -> None:
        """Note a finding; `rule` is code and name. The definitions that the text came from are
        told too: one of them may be what is to be changed."""
        related = tuple(
            Related(step.place, f"${step.name} is defined here")
            for step in via_of(place)
            if step.kind == "definition"
        )
        self.diagnostics.append(Diagnostic(place, *rule, severity, message, hint, related))

    def ignored(self, statement: Statement, words: tuple[str, ...]) -> None:
        """Note words that keepalived does not look at."""
        if words:
            shown = " ".join(words)[:60]
            message = f"{shown}: keepalived ignores these words of {statement.keyword}"
            rule = ("DR032", "ignored-words")
            self.warn(self.place(statement), rule, Severity.WARNING, message)

    def leftover(self, statement: Statement, reason: str, around: tuple[str, ...] = ()) -> Leftover:
        """The statement as it was written; `around` are the blocks that it must stand in."""
        return leftover(self.document, statement, reason, around)


def definitions(document: Document) -> frozenset[str]:
    """Names that `$NAME=value` lines of the file define."""
    found = set()
    for statement in document.walk():
        if match := _DEFINITION.match(statement.words[0].text):
            found.add(match[1])
    return frozenset(found)


def read_block(context: Context, nodes: Iterable[Node], table: Table) -> Values:
    """Read the statements among `nodes` by `table`."""
    values = Values()
    read_into(context, values, nodes, table)
    return values


def body_of(statement: Statement) -> tuple[Node, ...]:
    """What stands in the statement's block; nothing without one."""
    return () if statement.body is None else statement.body.children


def read_into(
    context: Context,
    values: Values,
    nodes: Iterable[Node],
    table: Table,
    around: tuple[str, ...] = (),
) -> None:
    """Add what `nodes` say by `table`; `around` are the blocks between the object and them."""
    for statement in nodes:
        if not isinstance(statement, Statement):
            continue
        try:
            _read_statement(context, values, statement, table, around)
        except ValueError as bad:
            refuse(context, values, statement, str(bad), around)


def refuse(
    context: Context,
    values: Values,
    statement: Statement,
    reason: str,
    around: tuple[str, ...] = (),
) -> None:
    """Leave a statement over that has no effect, and say why; `around` as in `read_into`."""
    left = context.leftover(statement, reason, around)
    values.leftovers.append(left)
    message = f"{statement.keyword}: {reason}"
    context.warn(context.place(statement), ("DR031", "unreadable-value"), Severity.ERROR, message)


def _read_statement(
    context: Context,
    values: Values,
    statement: Statement,
    table: Table,
    around: tuple[str, ...],
) -> None:
    keyword = statement.keyword
    if special := unusual(context, statement):
        values.leftovers.append(context.leftover(statement, special, around))
        return
    entry = table.get(keyword)
    if entry is None:
        if statement.body is not None and keyword in context.outer:
            context.misplaced.append(statement)
        else:
            values.leftovers.append(context.leftover(statement, "not modelled", around))
    elif isinstance(entry, Field):
        _read_field(context, values, statement, entry)
    elif isinstance(entry, Spread):
        _read_spread(context, values, statement, entry)
    elif statement.body is None:
        raise ValueError("its block is missing")
    elif isinstance(entry, Lines):
        read_lines(context, values, statement, entry, around)
    elif isinstance(entry, Inline):
        values.note(entry.name, context.place(statement))
        context.ignored(statement, statement.values)
        _keep_empty(context, values, statement, around)
        read_into(context, values, body_of(statement), entry.table, (*around, keyword))
    else:
        values.add(entry.name, (entry.read(context, statement),))
        values.note(entry.name, context.place(statement))


def _check_field(values: Values, statement: Statement, entry: Field | Spread) -> None:
    if statement.body is not None:
        raise ValueError("keepalived has no block here")
    if entry.keeps_first and entry.name in values.values:
        raise ValueError("keepalived keeps the first one")


def _read_spread(context: Context, values: Values, statement: Statement, entry: Spread) -> None:
    _check_field(values, statement, entry)
    words = words_of(context, statement)
    for name, value in entry.parse(words).items():
        if value is None:
            values.values.pop(name, None)
            values.places.pop(name, None)
        else:
            values.values[name] = value
            values.note(name, context.place(statement))
    context.ignored(statement, words.rest())


def _read_field(context: Context, values: Values, statement: Statement, entry: Field) -> None:
    _check_field(values, statement, entry)
    if entry.needs and entry.needs not in values.values:
        raise ValueError(f"no {entry.needs.replace('.', ' ')} before it")
    words = words_of(context, statement)
    value = entry.parse(words)
    if entry.joins:
        values.add(entry.name, (value,))
    else:
        values.values[entry.name] = value
    values.note(entry.name, context.place(statement))
    context.ignored(statement, words.rest())


def read_lines(
    context: Context,
    values: Values,
    statement: Statement,
    entry: Lines,
    around: tuple[str, ...] | None = (),
) -> None:
    """The lines of a value block. Those that are no items become leftovers inside the blocks
    `around` and this one; with None, inside nothing: the block is the object itself."""
    if entry.keeps_first and entry.name in values.places:
        raise ValueError("keepalived keeps the first one")
    values.note(entry.name, context.place(statement))
    if entry.key:
        values.note(entry.key, context.place(statement))
    if around is None:
        inside: tuple[str, ...] = ()
    else:
        context.ignored(statement, statement.values)
        _keep_empty(context, values, statement, around)
        inside = (*around, statement.keyword)
    for line in body_of(statement):
        if not isinstance(line, Statement):
            continue
        if special := unusual(context, line):
            values.leftovers.append(context.leftover(line, special, inside))
            continue
        if line.body is not None and line.keyword in context.outer:
            context.misplaced.append(line)
            continue
        try:
            if line.body is not None:
                raise ValueError("keepalived has no block here")
            words = Words([leaf.value for leaf in line.words])
            place = context.place(line)
            values.add(entry.name, entry.parse(words, place))
            values.note(entry.name, place)
            context.ignored(line, words.rest())
        except ValueError as bad:
            refuse(context, values, line, str(bad), inside)


def _keep_empty(
    context: Context, values: Values, statement: Statement, around: tuple[str, ...]
) -> None:
    if not any(isinstance(node, Statement) for node in body_of(statement)):
        values.leftovers.append(context.leftover(statement, EMPTY, around))


def words_of(context: Context, statement: Statement) -> Words:
    """The words behind the statement's keyword."""
    words = statement.words[1:]
    raw = context.document.source.text[words[0].start : words[-1].end] if words else ""
    return Words([leaf.value for leaf in words], raw, context.version)


def unusual(context: Context, statement: Statement) -> str:
    """Why a statement cannot be read by its keyword alone: conditions, definitions, includes,
    template tags, quotes without end. Empty for an ordinary one. In the expanded view what looks
    like a condition or a definition is none."""
    first = statement.words[0].text
    is_expanded = context.document.elsewhere is not None
    if first.startswith("@") and not is_expanded:
        return f"depends on the configuration id ({first})"
    if not is_expanded and _DEFINITION.match(first):
        return "definition"
    if _INCLUDE.fullmatch(first):
        return NOT_READ
    if any(leaf.kind is ERROR for leaf in statement.words):
        return "quote without end"
    if context.document.is_template:
        # a block whose name alone is a tag can be read
        words = statement.words if statement.body is None else statement.words[:1]
        if any(find_template_tag(word.text) for word in words):
            return "holds a template tag"
    for leaf in statement.words:
        if name := _used(context, leaf):
            why = "nothing defines" if is_expanded else "is not expanded"
            return f"uses the definition {name}, which {why}"
    return ""


def _used(context: Context, leaf: Leaf) -> str:
    text = leaf.text
    if "$" not in text and "~" not in text:
        return ""
    if leaf.kind is not QUOTED and (sequence := _SEQUENCE.match(text)):
        return sequence[0].rstrip("(")
    for braced, bare in _USE.findall(text):
        name = braced or bare
        if leaf.kind is QUOTED:
            if braced and (name in context.defined or name.startswith("_")):
                return f"${{{name}}}"
        elif braced or name in context.defined:
            return f"${name}"
    return ""


def on_line(place: Place, *names: str) -> Origins:
    """Origins of an object that one line made: the line is the place of all its fields."""
    return dict.fromkeys((SELF, *names), (place,))


def only_name(statement: Statement) -> str:
    """The one name of a block."""
    values = statement.values
    if len(values) != 1:
        raise ValueError(f"{len(values)} names, keepalived skips a block that has not exactly one")
    return values[0]


def first_name(statement: Statement) -> str:
    """The name of a block that may have further words."""
    if not statement.values:
        raise ValueError("the name is missing")
    return statement.values[0]


def named_block(kind: Callable[..., Any], table: Table) -> Callable[[Context, Statement], Any]:
    """Reader of a block with a name whose statements set the fields of a `kind`."""

    def read(context: Context, statement: Statement) -> Any:
        name = first_name(statement)
        context.ignored(statement, statement.values[1:])
        values = read_block(context, body_of(statement), table)
        return kind(
            name,
            **values.outer(),
            leftovers=tuple(values.leftovers),
            origins=values.opened(context.place(statement), "name"),
        )

    return read
