"""What to say of includes, definitions and conditions, and of a file that is read as either
director reads it. The generated files have none of them: each stands alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from drctl.convert.as_written import note_as_written
from drctl.convert.ledger import Ledger, Verdict
from drctl.model.configuration import Configuration
from drctl.model.origin import Leftover
from drctl.quickclass import fields, is_dataclass
from drctl.readers.reading import Reading
from drctl.readers.view import DefinitionRead, View
from drctl.syntax.tree import CLOSE, OPEN
from drctl.text.place import Place

Start = tuple[str, int, int]
_RANDOM = re.compile(r"\$\{?_RANDOM\b")


def note_readings(readings: tuple[Reading, ...], ledger: Ledger) -> None:
    """Account for what steers the reading."""
    if len(readings) == 1:
        note_as_written(readings[0], ledger)
    gone = [
        {one.place: one.reason for one in reading.vanished if one.place} for reading in readings
    ]
    for place, reason in gone[0].items():
        if all(place in others for others in gone[1:]):
            ledger.idle((place,), reason)
    views = [reading.view for reading in readings if reading.view is not None]
    if not views:
        return
    _note_includes(views, ledger)
    _note_definitions(readings, views, ledger)
    _note_conditions(readings, views, ledger)
    _note_random(readings, ledger)
    _note_braces(readings, ledger)


def note_both_as_written(
    readings: tuple[Reading, ...], hosts: tuple[str, ...], ledger: Ledger
) -> None:
    """What the file of one of `hosts` passes over may be what the other one's takes: a statement
    is void when it counts in no reading."""
    ledgers = [Ledger() for _ in readings]
    for reading, own in zip(readings, ledgers, strict=True):
        note_as_written(reading, own)
    used = [_starts(reading.configuration) for reading in readings]
    for index, own in enumerate(ledgers):
        other = 1 - index
        for start, notes in own.notes.items():
            place = Place(*start, *start[1:])
            is_void = start in own.voided
            if is_void and start in used[other] and start not in ledgers[other].voided:
                ledger.voided_on.setdefault(hosts[index], set()).add(start)
                continue
            for note in notes:
                if is_void:
                    ledger.void((place,), note.why, note.todo)
                else:
                    ledger.note((place,), note.verdict, note.why, note.todo)


def _starts(configuration: Configuration) -> set[Start]:
    return {place[:3] for place in _places(configuration)}


def _places(value: object) -> Iterator[Place]:
    """The places of all fields in `value`."""
    if isinstance(value, tuple):
        for item in value:
            yield from _places(item)
    elif is_dataclass(value) and not isinstance(value, Leftover | type):
        for places in getattr(value, "origins", {}).values():
            yield from places
        for field in fields(value):
            if field.name != "origins":
                yield from _places(getattr(value, field.name))


def _note_includes(views: list[View], ledger: Ledger) -> None:
    for view in views:
        for include in view.includes:
            if include.paths:
                names = ", ".join(include.paths[:3])
                more = f" and {len(include.paths) - 3} more" if len(include.paths) > 3 else ""
                why = f"{names}{more} read; the statements there stand in the generated files"
                ledger.note((include.place,), Verdict.EXACT, why)


def _note_definitions(readings: tuple[Reading, ...], views: list[View], ledger: Ledger) -> None:
    found: dict[Start, DefinitionRead] = {}
    for view in views:
        for one in view.definitions:
            known = found.get(one.place[:3])
            if known is None or one.is_used:
                found[one.place[:3]] = one
    on_line: dict[tuple[str, int], DefinitionRead] = {}
    for one in found.values():
        for line in range(one.place.line, one.place.end_line + 1):
            on_line[one.place.path, line] = one
    for place in _statements(readings):
        definition = on_line.get((place.path, place.line))
        if definition is None or place.column < definition.place.column:
            continue
        is_first = place[:3] == definition.place[:3]
        if definition.is_used:
            why = "written out where it is used"
            ledger.note(
                (place,), Verdict.EXACT, why if is_first else f"a line of ${definition.name}"
            )
        else:
            ledger.idle((place,), f"nothing uses ${definition.name}")


def _note_conditions(readings: tuple[Reading, ...], views: list[View], ledger: Ledger) -> None:
    """Statements that no reading takes, with all that stands behind them on the line."""
    names = [view.config_id for view in views]
    shown = " and ".join(name or "a director without a name" for name in names)
    met = {one.place[:3] for view in views for one in view.conditions if one.is_met}
    dropped = {
        (one.place.path, one.place.line): one
        for view in views
        for one in view.conditions
        if one.place[:3] not in met
    }
    for place in _statements(readings) if dropped else ():
        condition = dropped.get((place.path, place.line))
        if condition is not None and place.column >= condition.place.column:
            sign = "^" if condition.is_negated else ""
            why = f"@{sign}{condition.name} is not met: the file was read as {shown}"
            ledger.idle((place,), why)


def _note_random(readings: tuple[Reading, ...], ledger: Ledger) -> None:
    for document in {one.source.path: one for r in readings for one in r.documents}.values():
        if "_RANDOM" not in document.source.text:
            continue
        for statement in document.walk():
            if any(_RANDOM.search(word.text) for word in statement.words):
                why = "keepalived draws a number at each start; the smallest one is written"
                places = (document.place(statement),)
                ledger.note(places, Verdict.APPROXIMATED, why, "decide on the number")


def _note_braces(readings: tuple[Reading, ...], ledger: Ledger) -> None:
    """Braces that have no counterpart in their file and one in another."""
    wrong = {
        found.place[:2]
        for reading in readings
        for found in reading.diagnostics
        if found.name == "stray-brace"
    }
    for document in {one.source.path: one for r in readings for one in r.documents}.values():
        for node in document.errors():
            place = document.place(node)
            if place[:2] not in wrong and node.leaves_[0].kind in {OPEN, CLOSE}:
                ledger.note((place,), Verdict.EXACT, "its counterpart is in another file")


def _statements(readings: tuple[Reading, ...]) -> Iterable[Place]:
    documents = {one.source.path: one for reading in readings for one in reading.documents}
    for document in documents.values():
        for statement in document.walk():
            yield document.place(statement)
