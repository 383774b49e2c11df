"""The account of a conversion: what became of each statement, and what was chosen for the user."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from drctl.model.origin import Origins
from drctl.quickclass import dataclass, field
from drctl.text.place import Place


class Verdict(StrEnum):
    """How well a statement was carried over, best first."""

    EXACT = "exact"
    APPROXIMATED = "approximated"
    REPAIRED = "repaired"
    DROPPED = "dropped"


_ORDER = {verdict: index for index, verdict in enumerate(Verdict)}


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be said of a statement: `why` in a sentence, `todo` when the user must act.

    `is_loss`: what the statement did is not, or not quite, done any more. A statement that never
    did anything is dropped without a loss."""

    verdict: Verdict
    why: str
    todo: str = ""
    is_loss: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Something the source does not say and the result needs; `option` is the command line's."""

    what: str
    value: str
    why: str
    option: str


@dataclass
class Ledger:
    """Notes by the place of their statement, and choices, in the order they were made. `voided` are
    statements that count for nothing, `voided_on` those that do on one host only."""

    notes: dict[tuple[str, int, int], list[Note]] = field(default_factory=dict)
    choices: list[Choice] = field(default_factory=list)
    voided: set[tuple[str, int, int]] = field(default_factory=set)
    voided_on: dict[str, set[tuple[str, int, int]]] = field(default_factory=dict)

    def note(self, places: Iterable[Place], verdict: Verdict, why: str, todo: str = "") -> None:
        """Say something of the statements at `places`."""
        is_loss = verdict in {Verdict.APPROXIMATED, Verdict.DROPPED}
        self._add(places, Note(verdict, why, todo, is_loss))

    def idle(self, places: Iterable[Place], why: str, todo: str = "") -> None:
        """Say why the statements at `places`, which did nothing, are dropped."""
        self._add(places, Note(Verdict.DROPPED, why, todo))

    def void(self, places: Iterable[Place], why: str, todo: str = "") -> None:
        """Say that the statements at `places` count for nothing, whatever the model's origins
        tell: another one took their place."""
        found = tuple(places)
        self.voided.update((place.path, place.line, place.column) for place in found)
        self.idle(found, why, todo)

    def is_void(self, place: Place) -> bool:
        """Whether another statement took the place of the one that starts at `place`."""
        return (place.path, place.line, place.column) in self.voided

    def _add(self, places: Iterable[Place], note: Note) -> None:
        for place in places:
            known = self.notes.setdefault((place.path, place.line, place.column), [])
            if note not in known:
                known.append(note)

    def field(
        self, origins: Origins, name: str, verdict: Verdict, why: str, todo: str = ""
    ) -> None:
        """Say something of the statements that set the field `name`; nothing when none did."""
        self.note(origins.get(name, ()), verdict, why, todo)

    def forget(self, place: Place) -> None:
        """Take back what was said of the statement at `place`."""
        self.notes.pop((place.path, place.line, place.column), None)

    def at(self, place: Place) -> list[Note]:
        """The notes of the statement that starts at `place`."""
        return self.notes.get((place.path, place.line, place.column), [])

    def choose(self, what: str, value: object, why: str, option: str) -> None:
        """Record a choice once."""
        choice = Choice(what, str(value), why, option)
        if choice not in self.choices:
            self.choices.append(choice)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that tells most against the result; exact when there is none."""
    return max(verdicts, key=_ORDER.__getitem__, default=Verdict.EXACT)
