"""What stands on a line of an lvs.cf: the statement, what Piranha's pulse makes of it, the values
of the model that it gives, and what counts in its block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from drctl.model.origin import SELF, leftovers
from drctl.quickclass import fields, is_dataclass
from drctl.report.explain_keyword import default_text, usage
from drctl.report.explain_text import Page
from drctl.report.show import diagnostic_json, shown_value, verdict_text
from drctl.schema.load import load_dialect
from drctl.schema.lookup import Found
from drctl.syntax.expand_line import visible
from drctl.syntax.tree import Document, Node, Statement
from drctl.text.secret import MASK, masked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drctl.model.origin import Leftover
    from drctl.readers.reading import Reading
    from drctl.schema.table import Block, Keyword
    from drctl.text.diagnostic import Diagnostic
    from drctl.text.place import Place

_LONGEST = 200
_MOST_VALUES = 8
_SKIPPED = frozenset({"origins", "leftovers"})
_SECRET = frozenset({"password"})
_PULSE_VERSION = (0, 8, 6)


class Value(NamedTuple):
    """A field of the model that the statement sets: its path (`services[0].scheduler`) and what it
    is then."""

    path: str
    value: str


class PulseView(NamedTuple):
    """What is known of one line.

    `statement` is None where none begins; `around` are the headers of the blocks around it, and
    `block` the table of the innermost one. `rival` is a later statement of the same keyword in the
    same block, which counts instead. `leftover` is the statement where the model has no field.
    """

    reading: Reading
    number: int
    statement: Statement | None
    around: tuple[Statement, ...]
    block: Block | None
    keyword: Keyword | None
    values: tuple[Value, ...]
    leftover: Leftover | None
    rival: Statement | None
    findings: tuple[Diagnostic, ...]


def view(reading: Reading, number: int) -> PulseView:
    """Everything about one line of an lvs.cf."""
    document = reading.document
    statement, around, siblings = _at(document, number)
    dialect = load_dialect("lvs.cf")
    block: Block | None = dialect.root
    for header in around:
        known = block.keywords.get(header.keyword.lower()) if block is not None else None
        block = dialect.blocks[known.opens] if known is not None and known.opens else None
    keyword = None
    if statement is not None and block is not None:
        keyword = block.keywords.get(statement.keyword.lower())
    return PulseView(
        reading,
        number,
        statement,
        around,
        block,
        keyword,
        tuple(_values(reading.configuration, "", number)),
        next((one for one in leftovers(reading.configuration) if _is_at(one, number)), None),
        _rival(statement, siblings, keyword),
        tuple(one for one in reading.diagnostics if one.place.line == number),
    )


def _is_at(left: Leftover, number: int) -> bool:
    return left.place is not None and left.place.line == number


def _at(
    document: Document, number: int
) -> tuple[Statement | None, tuple[Statement, ...], tuple[Node, ...]]:
    """The statement that begins on a line, the headers around it, and all statements beside it."""
    position = document.source.position
    around: tuple[Statement, ...] = ()
    nodes = document.children
    while True:
        inner: Statement | None = None
        for node in nodes:
            if not isinstance(node, Statement):
                continue
            first = position(node.words[0].start)[0]
            if first == number:
                return node, around, nodes
            if first < number and node.body is not None:
                close = node.body.close
                if close is None or position(close.start)[0] >= number:
                    inner = node
        if inner is None or inner.body is None:
            return None, around, nodes
        around = (*around, inner)
        nodes = inner.body.children


def _rival(
    statement: Statement | None, siblings: tuple[Node, ...], keyword: Keyword | None
) -> Statement | None:
    """The last other statement of the same keyword below this one, which counts instead."""
    if statement is None or keyword is None or keyword.repeatable:
        return None
    word = statement.keyword.lower()
    for node in reversed(siblings):
        if node is statement:
            return None
        if isinstance(node, Statement) and node.keyword.lower() == word:
            return node
    return None


def _values(value: Any, path: str, number: int) -> Iterator[Value]:
    """The fields of the model that a line sets, at any depth."""
    if isinstance(value, tuple):
        for at, item in enumerate(value):
            if is_dataclass(item):
                yield from _values(item, f"{path}[{at}]", number)
        return
    if not is_dataclass(value):
        return
    origins: dict[str, tuple[Place, ...]] = getattr(value, "origins", {})
    for one in fields(value):
        if one.name in _SKIPPED:
            continue
        item = getattr(value, one.name)
        inner = f"{path}.{one.name}" if path else one.name
        places = origins.get(one.name, ())
        if any(place.line == number for place in places[-1:]):
            shown = MASK if one.name in _SECRET else _shown(one.name, item)
            yield Value(inner, shown)
        yield from _values(item, inner, number)
    if any(place.line == number for place in origins.get(SELF, ())):
        yield Value(path, "begins here")


def _shown(name: str, item: Any) -> str:
    if is_dataclass(item):
        parts = [
            f"{one.name}={_shown(one.name, getattr(item, one.name))}"
            for one in fields(item)
            if one.name not in _SKIPPED and getattr(item, one.name) is not None
        ]
        return " ".join(parts)
    return shown_value(name, item)


def to_text(seen: PulseView, width: int) -> str:
    """The page."""
    page = Page(width)
    source = seen.reading.document.source
    page.line(f"{source.path}:{seen.number}: {masked(visible(source.line(seen.number), _LONGEST))}")
    if seen.around:
        page.row("in", *(_header(seen, one) for one in seen.around))
    if seen.statement is None:
        page.paragraph(_kind(seen), "  ")
    else:
        page.row("read as", _statement(seen.statement))
        page.row("counts", counts(seen))
        for value in seen.values[:_MOST_VALUES]:
            page.row("gives", f"{value.path}: {value.value}")
        if len(seen.values) > _MOST_VALUES:
            page.row("gives", f"and {len(seen.values) - _MOST_VALUES} more values")
        if seen.keyword is not None:
            _keyword(page, seen, seen.keyword)
        _inside(page, seen)
    if seen.reading.verdict is not None and not seen.reading.document.is_template:
        page.row("pulse", verdict_text(seen.reading.verdict))
    if seen.findings:
        page.blank()
    for one in seen.findings:
        page.row(str(one.severity), f"{masked(one.message)} [{one.code} {one.name}]")
        if one.hint:
            page.row("help", one.hint)
    return page.text()


def _kind(seen: PulseView) -> str:
    text = seen.reading.document.source.line(seen.number).strip()
    if not text:
        return "An empty line."
    if text[0] == "#":
        return "A comment."
    if text[0] == "}" and seen.around:
        return f"Closes {_header(seen, seen.around[-1])}."
    return "No statement begins on this line."


def _header(seen: PulseView, statement: Statement) -> str:
    line = seen.reading.document.place(statement).line
    return f"{_statement(statement)} (line {line})"


def _statement(statement: Statement) -> str:
    return masked(visible(" ".join(leaf.text for leaf in statement.words), _LONGEST))


def counts(seen: PulseView) -> str:
    """Whether the statement has an effect."""
    if seen.rival is not None:
        line = seen.reading.document.place(seen.rival).line
        return f"no: line {line} has the same keyword, the last one counts"
    if seen.leftover is not None:
        return f"no: {masked(seen.leftover.reason)}"
    return _skipped(seen) or "yes"


def _skipped(seen: PulseView) -> str:
    """Why pulse passes over the block that a statement is in, or opens; empty when it does not."""
    pulse = seen.reading.configuration.pulse
    service = pulse.service if pulse is not None and pulse.service else "lvs"
    opened = () if seen.statement is None or seen.statement.body is None else (seen.statement,)
    for header in (*seen.around, *opened):
        kind = header.keyword.lower()
        if kind not in _SERVICE_OF:
            return ""
        if _SERVICE_OF[kind] not in ("", service):
            return f"no: service is {service}, so {kind} blocks are ignored"
        if not _is_active(header):
            return f"no: {_header(seen, header)} is skipped without active = 1"
    return ""


_SERVICE_OF = {"virtual": "lvs", "failover": "fos", "server": ""}
"""The blocks, and the value of `service` that makes pulse run them."""


def _is_active(header: Statement) -> bool:
    body = header.body
    given = [one for one in body.statements if one.keyword.lower() == "active"] if body else []
    return bool(given) and given[-1].values[:1] != ("0",)


def _keyword(page: Page, seen: PulseView, keyword: Keyword) -> None:
    block = seen.block
    assert block is not None
    found = Found(load_dialect("lvs.cf"), keyword, (block.path,))
    page.row("usage", usage(found, _PULSE_VERSION))
    if default := default_text(keyword):
        page.row("default", f"{default}, without this line")
    page.row("means", keyword.doc)
    for note in keyword.notes:
        page.row("", note)
    name = f"{block.path}/{keyword.name}" if block.path else keyword.name
    page.row("more", f"drctl explain --dialect lvs.cf {name}")


def _inside(page: Page, seen: PulseView) -> None:
    """What a block sets, and the defaults of what it leaves out."""
    given = _given(seen)
    if given:
        page.row("sets", ", ".join(given))
    if left := left_out(seen):
        page.row("defaults", ", ".join(f"{name} ({default})" for name, default in left))


def _given(seen: PulseView) -> list[str]:
    statement = seen.statement
    if statement is None or statement.body is None:
        return []
    return list(dict.fromkeys(one.keyword.lower() for one in statement.body.statements))


def left_out(seen: PulseView) -> list[tuple[str, str]]:
    """Keywords that a block leaves out and that have a default, which then counts."""
    statement, keyword = seen.statement, seen.keyword
    if statement is None or statement.body is None or keyword is None or keyword.opens is None:
        return []
    given = set(_given(seen))
    block = load_dialect("lvs.cf").blocks[keyword.opens]
    return [
        (name, default_text(one))
        for name, one in block.keywords.items()
        if name == one.name and name not in given and one.default and not one.removed
    ]


def to_json(seen: PulseView) -> dict[str, Any]:
    """The same for programs (docs/explain.md)."""
    document, verdict, keyword = seen.reading.document, seen.reading.verdict, seen.keyword
    source = document.source
    return {
        "path": source.path,
        "line": seen.number,
        "dialect": document.dialect,
        "text": masked(source.line(seen.number)),
        "what": _kind(seen) if seen.statement is None else None,
        "statements": []
        if seen.statement is None
        else [
            {
                "statement": _statement(seen.statement),
                "block": None if seen.block is None else seen.block.path,
                "around": [
                    {"statement": _statement(one), "line": document.place(one).line}
                    for one in seen.around
                ],
                "counts": counts(seen) == "yes",
                "why": counts(seen),
                "keyword": None if keyword is None else keyword.name,
                "doc": None if keyword is None else keyword.doc,
                "default": None if keyword is None else keyword.default,
                "unit": None if keyword is None else keyword.unit,
                "left_out": [
                    {"keyword": name, "default": default} for name, default in left_out(seen)
                ],
                "values": [{"field": one.path, "value": one.value} for one in seen.values],
            }
        ],
        "pulse": None
        if verdict is None
        else {"accepts": verdict.accepts, "line": verdict.line, "message": verdict.message},
        "diagnostics": [diagnostic_json(one) for one in seen.findings],
    }
