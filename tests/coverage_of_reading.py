"""Which statements of a file are accounted for: by a field's origin, or in a leftover."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from drctl.model.origin import Leftover, leftovers
from drctl.readers.reading import Reading
from drctl.text.place import Place


def origin_places(value: object) -> Iterator[Place]:
    """All places that the objects in `value` name as their origins."""
    if isinstance(value, Leftover):
        return
    if isinstance(value, tuple):
        for item in value:
            yield from origin_places(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for places in getattr(value, "origins", {}).values():
            yield from places
        for field in dataclasses.fields(value):
            if field.name != "origins":
                yield from origin_places(getattr(value, field.name))


def lost(reading: Reading) -> list[str]:
    """The statements of the file that are neither in the model nor in its leftovers."""
    known = {(place.line, place.column) for place in origin_places(reading.configuration)}
    kept = []
    for left in leftovers(reading.configuration):
        assert left.place is not None
        start = left.place.line, left.place.column
        kept.append((start, (left.place.end_line, left.place.end_column)))
    found = []
    for statement in reading.document.walk():
        place = reading.document.place(statement)
        at = place.line, place.column
        if at not in known and not any(start <= at < end for start, end in kept):
            found.append(f"{place}: {statement.keyword}")
    return found
