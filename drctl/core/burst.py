"""Asking a segment, several times at once, whether anybody answers for a group's VIPs."""

from __future__ import annotations

from drctl.core.value import Group, Timing

SAMPLE = 16
"""VIPs of one interface that are asked for at once; more take their turn."""


class Burst:
    """Probes that must stay unanswered, each vouched for.

    An answer makes the count begin anew. A probe counts only when a witness answered after it and
    before the next one: else it may be our own interface that has just died, and the silence ours.
    `vouched_ms` is the instant of the last probe that counts: up to it nobody answers.
    """

    __slots__ = (
        "_group",
        "_since_ms",
        "_timing",
        "_turn",
        "answered_ms",
        "count",
        "gap_ms",
        "is_answered",
        "is_pending",
        "patience_ms",
        "rounds",
        "sent_ms",
        "start_ms",
        "vouched_ms",
    )

    def __init__(self, group: Group, timing: Timing, now_ms: int, *, is_quick: bool) -> None:
        self._group = group
        self._timing = timing
        self.start_ms = now_ms
        self.gap_ms = timing.confirm_gap_ms
        if is_quick:
            self.hurry()
        self.count = 0
        self.rounds = timing.confirm_probes
        """So many probes have to stay unanswered."""
        self.patience_ms = 0
        """So long they have to."""
        self.is_pending = False
        self.sent_ms = now_ms
        self.vouched_ms = now_ms
        self._since_ms = now_ms
        self.answered_ms: int | None = None
        self.is_answered = False
        self._turn = 0

    def ask_all(self) -> None:
        """Go on until every single VIP was asked for."""
        most = max((len(each) for each in self._group.by_interface.values()), default=0)
        self.rounds = max(self.rounds, -(-most // SAMPLE))

    def hurry(self) -> None:
        self.gap_ms = min(self._timing.quick_gap_ms, self.gap_ms)

    def next_ms(self) -> int:
        """When to probe next.

        While somebody answers: at once for as long as a dead director's lease can last, then once
        a heartbeat, so that a lasting fault does not flood the segment.
        """
        if not self._turn:
            return self.start_ms
        if self.is_answered:
            assert self.answered_ms is not None
            patience_ms = max(self._timing.fence_ms, self._timing.lease_ms) + 500
            if self.answered_ms - self.start_ms > patience_ms:
                return self.answered_ms + self._timing.heartbeat_ms
        return self.sent_ms + self.gap_ms

    def probe(self, now_ms: int) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The next round: pairs of interface and addresses to ask for."""
        self.is_pending = True
        self.is_answered = False
        self.sent_ms = now_ms
        rounds = sample(self._group, self._turn)
        self._turn += 1
        return rounds

    def answered(self, now_ms: int) -> None:
        """Somebody who counts answered: all begins anew."""
        self.is_pending = False
        self.is_answered = True
        self.answered_ms = now_ms
        self.count = 0

    def is_due(self, now_ms: int) -> bool:
        """The last probe has had its time, and waits to be counted."""
        return self.is_pending and now_ms >= self.sent_ms + self.gap_ms

    def settle(self, *, is_vouched: bool) -> None:
        """Count the last probe, or not."""
        self.is_pending = False
        if is_vouched:
            if not self.count:
                self._since_ms = self.sent_ms
            self.count += 1
            self.vouched_ms = self.sent_ms

    @property
    def is_clear(self) -> bool:
        """Enough probes stayed unanswered, for long enough."""
        has_waited = self.vouched_ms - self._since_ms >= self.patience_ms
        return self.count >= self.rounds and has_waited


def sample(group: Group, turn: int, count: int = SAMPLE) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """`count` VIPs of each interface, in turn: pairs of interface and addresses."""
    rounds = []
    for interface, addresses in group.by_interface.items():
        if len(addresses) <= count:
            rounds.append((interface, addresses))
            continue
        first = turn * count % len(addresses)
        rounds.append((interface, (addresses + addresses)[first : first + count]))
    return tuple(rounds)
