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
    """The statements of the files that are neither in the model nor in its leftovers, nor told as
    what steers the reading."""
    known = {place[:3] for place in origin_places(reading.configuration)}
    left = [*leftovers(reading.configuration), *reading.vanished]
    kept = []
    if (view := reading.view) is not None:
        kept += [one.place for one in view.definitions]
        kept += [one.place for one in view.includes]
        kept += [one.place for one in view.sequences]
        kept += [one.place for one in view.conditions if not one.is_met]
    for one in left:
        assert one.place is not None
        kept.append(one.place)
        known.update(place[:3] for place in one.inner)
    found = []
    for document in reading.documents:
        for statement in document.walk():
            place = document.place(statement)
            if place[:3] not in known and not any(_holds(one, place) for one in kept):
                found.append(f"{place}: {statement.keyword}")
    return found


def _holds(whole: Place, place: Place) -> bool:
    return whole.path == place.path and whole[1:3] <= place[1:3] < whole[3:]
