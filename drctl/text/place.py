"""Places in text: `Span` counts code points, `Place` is what a person can go to."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """Half-open range of code points `[start, end)` in one text, from 0."""

    start: int
    end: int


class Place(NamedTuple):
    """Where something stands: a file and a half-open range in it; lines and columns from 1.

    A tuple because a large file has a hundred thousand of them, compared and looked up all the
    time.

    `column` counts code points, not bytes or screen cells. `path` is as the user gave it, `-` is
    standard input.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class Step(NamedTuple):
    """One link of the chain that text came by: `kind` is `include`, `definition`, `sequence`,
    `list` or `environment`; `name` the file or the name; `value` what the name stood for; `place`
    where that is written."""

    kind: str
    name: str
    value: str
    place: Place


class TracedPlace(Place):
    """The place of text that came by a chain: `via` are its steps, the outermost first, so that the
    last one is nearest to the value. Equal to the plain place."""

    via: tuple[Step, ...] = ()


def traced(place: Place, via: tuple[Step, ...]) -> Place:
    """`place` with its chain; the place itself when there is none."""
    if not via:
        return place
    found = TracedPlace(*place)
    found.via = via
    return found


def via_of(place: Place) -> tuple[Step, ...]:
    """The chain that led to the text at `place`; empty when it stands there as it is."""
    return place.via if isinstance(place, TracedPlace) else ()
