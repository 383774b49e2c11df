"""What a client saw, as lines of text: every change of who answers it, and lanes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from drctl.lab.pair.client import Request

ANSWERED, SILENT, NOBODY, BOTH = "#", ".", "!", "2"


@dataclass(frozen=True, slots=True)
class Change:
    """Another director answers. `outage_ms` is from the last answer of the one before to the first
    of this one, and `twice` how many requests two answered meanwhile."""

    at_ms: float
    holder: str
    outage_ms: float
    twice: int


class Follower:
    """Finds changes in requests as they come. `directors` are those that count."""

    def __init__(self, directors: Iterable[str]) -> None:
        self._directors = frozenset(directors)
        self._last: Request | None = None
        self._twice = 0
        self._is_hole = False
        self.holder = ""

    def feed(self, requests: Iterable[Request]) -> list[Change]:
        """Changes in these, which follow those of the call before."""
        found = []
        for request in requests:
            answered = [each for each in request.holders if each in self._directors]
            if not answered:
                self._is_hole = True
                continue
            self._twice += len(set(answered)) > 1
            if answered[-1] != self.holder:
                found.append(self._change(request, answered[-1]))
            self._last, self._is_hole = request, False
        return found

    def _change(self, request: Request, holder: str) -> Change:
        outage_ms = 0.0
        if self._is_hole and self._last is not None:
            outage_ms = request.asked_ms - self._last.asked_ms
        change = Change(request.asked_ms, holder, outage_ms, self._twice)
        self.holder, self._twice = holder, 0
        return change


@dataclass(frozen=True, slots=True)
class Span:
    """A while in which the same hosts answered, by name, none of them when nobody did."""

    from_ms: float
    until_ms: float
    holders: tuple[str, ...]


def spans(requests: Sequence[Request], fewest: int = 3) -> list[Span]:
    """Who answered when, without gaps: a change that lasted for less than `fewest` requests is
    none."""
    runs: list[tuple[tuple[str, ...], list[Request]]] = []
    for request in requests:
        holders = tuple(sorted(set(request.holders)))
        if runs and runs[-1][0] == holders:
            runs[-1][1].append(request)
        else:
            runs.append((holders, [request]))
    found: list[Span] = []
    for holders, some in runs:
        from_ms, until_ms = some[0].asked_ms, some[-1].asked_ms
        if found and (found[-1].holders == holders or len(some) < fewest):
            found[-1] = replace(found[-1], until_ms=until_ms)
        elif len(some) >= fewest:
            found.append(Span(found[-1].until_ms if found else from_ms, until_ms, holders))
    return found


def lanes(
    requests: Sequence[Request], directors: Sequence[str], since_ms: float, columns: tuple[int, int]
) -> dict[str, str]:
    """A line of characters for each director, and one, "", for what may not be: a column is
    `columns[1]` milliseconds, there are `columns[0]` of them.

    `#`: it answered then. `!`: a request that nobody answered. `2`: one that two answered. A column
    in which nothing was asked is blank.
    """
    count, width_ms = columns
    slices: list[list[Request]] = [[] for _ in range(count)]
    for request in requests:
        column = int((request.asked_ms - since_ms) // width_ms)
        if 0 <= column < count:
            slices[column].append(request)
    drawn = {
        name: "".join(_lane_character(name, some) for some in slices).rstrip() for name in directors
    }
    names = frozenset(directors)
    return drawn | {"": "".join(_trouble(names, some) for some in slices).rstrip()}


def _lane_character(name: str, requests: list[Request]) -> str:
    if not requests:
        return " "
    return ANSWERED if any(name in request.holders for request in requests) else SILENT


def _trouble(names: frozenset[str], requests: list[Request]) -> str:
    answers = [len(names.intersection(request.holders)) for request in requests]
    if any(number > 1 for number in answers):
        return BOTH
    return NOBODY if 0 in answers else " "
