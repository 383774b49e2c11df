"""Bringing a running host to what is wanted, and back: each step written down before it is done,
all of a run taken back when one fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from drctl.adapters.addresses import Present
from drctl.adapters.host_step import Step, StepFailed, do, goal, look, undo
from drctl.errors import DrctlError
from drctl.realserver.arp import answering, asking
from drctl.realserver.journal import Entry, Journal
from drctl.realserver.value import Kernel, Wanted

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
    undone = [one for one in reversed(journal.entries) if one.step not in steps]
    return Changes(
        tuple(one for one in undone if one.step.kind == "address"),
        tuple(step for step in steps if not _is_done(step, journal)),
        tuple(one for one in undone if one.step.kind != "address"),
    )


def _is_done(step: Step, journal: Journal) -> bool:
    entry = journal.of(step)
    wanted = goal(step)
    if wanted is None:
        wanted = entry.after if entry is not None else None
    elif entry is not None and entry.after is None:
        return False
    return wanted is not None and look(step) == wanted


def apply(changes: Changes, journal: Journal, check: Callable[[Step], None], tell: Tell) -> None:
    """Make the changes. `check` is asked before each step and may refuse it. Raises DrctlError when
    one fails; those of this run are taken back then."""
    begun: list[Step] = []
    gone: list[Entry] = []
    try:
        for entry in changes.first:
            _undo(entry, journal, tell)
            gone.append(entry)
        for step in changes.done:
            check(step)
            known = journal.of(step)
            tell(str(step))
            if known is None:
                journal.put(Entry(step, look(step)))
                begun.append(step)
            do(step)
            journal.done(step, look(step))
    except DrctlError as failed:
        problems = _take_back(begun, journal, tell) + _put_back(gone, journal, tell)
        more = "; " + "; ".join(problems) if problems else "; what this run had done is taken back"
        raise StepFailed(f"{failed}{more}") from failed
    for entry in changes.last:
        _undo(entry, journal, tell)


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
    """Undo everything that the journal knows, the latest first; how many steps that were."""
    count = 0
    for entry in reversed(journal.entries.copy()):
        _undo(entry, journal, tell)
        count += 1
    return count


def refuse_leak(wanted: Wanted, read_kernel: Callable[[], Kernel], step: Step) -> None:
    """An address is not added while the kernel would speak for it."""
    address, _, prefix = step.value.partition("/")
    if step.kind != "address" or not any(line.vip == address for line in wanted.plan.silent):
        return
    kernel = read_kernel()
    there = Present(address, int(prefix), step.what, "", 0, -1)
    after = replace(kernel, present=(*kernel.present, there))
    for card in kernel.cards:
        for outcome in (answering(after, address, card), asking(after, address, card)):
            if not outcome.is_safe and step.what not in kernel.cards:
                raise StepFailed(f"{address} is not added: {outcome.why}, it would be spoken for")
