"""Bringing a running host to what is wanted, and back: each step written down before it is done,
all of a run taken back when one fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drctl.adapters.host_step import Step, StepFailed, do, goal, look, undo
from drctl.errors import DrctlError
from drctl.realserver.guard import Guard
from drctl.realserver.journal import Entry, Journal

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a run would do: addresses of an earlier one that are not wanted any more go first, what
    kept this host silent about them goes last."""

    first: tuple[Entry, ...]
    done: tuple[Step, ...]
    last: tuple[Entry, ...]

    def lines(self) -> list[str]:
        """A line for each."""
        return [
            *(f"undo: {entry.step}" for entry in self.first),
            *map(str, self.done),
            *(f"undo: {entry.step}" for entry in self.last),
        ]


def changes(steps: Sequence[Step], journal: Journal) -> Changes:
    """What differs now."""
    undone = [
        one
        for one in reversed(journal.entries)
        if one.step not in steps and not any(one.step.is_replaced_by(step) for step in steps)
    ]
    return Changes(
        tuple(one for one in undone if one.step.kind in _FIRST),
        tuple(step for step in steps if not _is_done(step, journal)),
        tuple(one for one in undone if one.step.kind not in _FIRST),
    )


_FIRST = frozenset({"address", "route", "rule"})


def _is_done(step: Step, journal: Journal) -> bool:
    entry = journal.of(step)
    wanted = goal(step)
    if wanted is None:
        wanted = entry.after if entry is not None else None
    elif entry is not None and entry.after is None:
        return False
    return wanted is not None and look(step) == wanted


def apply(
    changes: Changes,
    journal: Journal,
    guard: Guard,
    tell: Tell,
    finish: Callable[[], None] = lambda: None,
) -> None:
    """Make the changes. `guard` may refuse one; `finish` comes after the steps. Raises DrctlError
    when one fails; those of this run are taken back then."""
    begun: list[Step] = []
    gone: list[Entry] = []
    try:
        for entry in changes.first:
            _undo(entry, journal, tell)
            gone.append(entry)
        for step in changes.done:
            guard.before(step)
            known = journal.of(step)
            tell(str(step))
            if known is None:
                _begin(step, journal, begun)
            do(step)
            journal.done(step, look(step))
        guard.without(changes.last)
        finish()
    except DrctlError as failed:
        problems = _take_back(begun, journal, tell) + _put_back(gone, journal, tell)
        more = "; " + "; ".join(problems) if problems else "; what this run had done is taken back"
        raise StepFailed(f"{failed}{more}") from failed
    for entry in changes.last:
        _undo(entry, journal, tell)


def _begin(step: Step, journal: Journal, begun: list[Step]) -> None:
    """Write it down; what it replaces of an earlier run has found what was there before."""
    earlier = next((one for one in journal.entries if one.step.is_replaced_by(step)), None)
    if earlier is None:
        journal.put(Entry(step, look(step)))
        begun.append(step)
        return
    journal.replace(earlier.step, Entry(step, earlier.before))


def _undo(entry: Entry, journal: Journal, tell: Tell) -> None:
    tell(f"undo: {entry.step}")
    undo(entry.step, entry.before)
    journal.drop(entry.step)


def _put_back(entries: Sequence[Entry], journal: Journal, tell: Tell) -> list[str]:
    problems = []
    for entry in reversed(entries):
        tell(f"put back: {entry.step}")
        try:
            journal.put(entry)
            do(entry.step)
        except DrctlError as failed:
            problems.append(f"{entry.step} could not be put back: {failed}")
    return problems


def _take_back(steps: Sequence[Step], journal: Journal, tell: Tell) -> list[str]:
    problems = []
    for step in reversed(steps):
        entry = journal.of(step)
        assert entry is not None
        tell(f"take back: {step}")
        try:
            undo(step, entry.before)
            journal.drop(step)
        except DrctlError as failed:
            problems.append(f"{step} could not be taken back: {failed}")
    return problems


def remove(journal: Journal, tell: Tell) -> int:
    """Undo everything that the journal knows, the latest first; how many steps that were. What was
    as it is wanted before the first of them, and is not any more, is made so again."""
    entries = journal.entries.copy()
    for entry in undo_order(entries):
        if not is_kept(entry):
            _undo(entry, journal, tell)
    for entry in entries:
        if is_kept(entry):
            if look(entry.step) != entry.before:
                tell(f"put back: {entry.step}")
                do(entry.step)
            journal.drop(entry.step)
    return len(entries)


def undo_order(entries: Sequence[Entry]) -> list[Entry]:
    """The latest first, but addresses before what keeps silent about them: of another method it may
    be younger."""
    latest = entries[::-1]
    return sorted(latest, key=lambda one: one.step.kind not in _FIRST)


def is_kept(entry: Entry) -> bool:
    """Whether it was there before any run."""
    return bool(entry.before) and goal(entry.step) == entry.before


def note_kept(steps: Sequence[Step], journal: Journal) -> None:
    """Write down what is there already and not a run's doing: the host's own programs will take it
    for theirs."""
    for step in steps:
        wanted = goal(step)
        if wanted and journal.of(step) is None and look(step) == wanted:
            journal.put(Entry(step, wanted, wanted))
