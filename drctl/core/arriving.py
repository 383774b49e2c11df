"""A VIP that comes to an active group: looked for on the segment, installed, and only then opened.

It waits under a name of its own, behind a closed fence, so that the group's other VIPs do not
notice. Of several that come together all wait for the last.
"""

from __future__ import annotations

from dataclasses import dataclass

from drctl.core import arbiter
from drctl.core.event import Outcome
from drctl.core.group import RETRY_MS, GroupState
from drctl.core.role import TAKING
from drctl.core.value import NEVER_MS, Group

PROBES_AFTERWARDS = 2
MARGIN = 4
"""Of the lease of an address this part is to be left when it is opened."""


@dataclass(slots=True)
class Arrival:
    """VIPs on their way to `group`. `place` has them until they are its own."""

    group: GroupState
    place: GroupState
    begin_ms: int
    ready_before_ms: int | None = None
    """They may be opened until then: nobody else answers."""
    retry_ms: int = 0
    is_merged: bool = False
    announce_at_ms: int = NEVER_MS
    probe_at_ms: int = NEVER_MS
    probes: int = 0

    @property
    def is_over(self) -> bool:
        """Nothing more is to be done about them."""
        return self.is_merged and not self.probes and self.announce_at_ms == NEVER_MS


def arrival(group: GroupState, vips: Group, now_ms: int) -> Arrival:
    """The beginning: they are in the layout, and nothing else has been done."""
    place = GroupState(vips, group.around)
    place.role = TAKING
    place.start_burst(now_ms, asks_all=True)
    return Arrival(group, place, now_ms)


def step(arrival: Arrival, now_ms: int) -> None:
    """Let time pass, while the group is active and answers."""
    if arrival.is_merged:
        _look_back(arrival, now_ms)
        return
    place, timing = arrival.place, arrival.place.around.timing
    if arrival.ready_before_ms is not None or place.is_waiting:
        return
    if now_ms < arrival.retry_ms:
        place.wake(arrival.retry_ms)
        return
    assert place.burst is not None
    before_ms = _clear_until_ms(place, now_ms)
    if before_ms is None:
        _complain(arrival, now_ms, "another machine answers, or none does")
        return
    if arbiter.is_not_lent(place, now_ms):
        _complain(arrival, now_ms, arbiter.REFUSAL)
        return
    left_ms = min(place.vips_until_ms, default=now_ms) - now_ms
    if left_ms > timing.lease_ms // MARGIN:
        arrival.ready_before_ms = min(before_ms, arbiter.end_ms(place, now_ms))
        return
    place.is_waiting = True
    place.take_vips(now_ms, NEVER_MS if timing.has_fence else before_ms)


def _clear_until_ms(place: GroupState, now_ms: int) -> int | None:
    """Until when the VIPs may begin to answer; None while somebody may, or nobody vouches."""
    burst, timing = place.burst, place.around.timing
    assert burst is not None
    if not place.run_burst(now_ms):
        return None
    valid_ms = timing.vouched_ms
    if now_ms < burst.vouched_ms + valid_ms:
        return burst.vouched_ms + valid_ms
    if not burst.is_pending:
        place.probe(now_ms)
    place.wake(burst.sent_ms + burst.gap_ms)
    return None


def _complain(arrival: Arrival, now_ms: int, why: str) -> None:
    around = arrival.place.around
    if now_ms - arrival.begin_ms < around.timing.lease_ms:
        return
    shown = ", ".join(vip.address for vip in arrival.place.config.vips[:3])
    text = f"{shown} cannot be added to {arrival.group.name}: {why}"
    around.alarm(now_ms, ("arriving", arrival.group.name), text)


def settled(arrival: Arrival, now_ms: int, outcome: Outcome, why: str) -> None:
    """The VIPs have been installed, or could not be."""
    place = arrival.place
    place.is_waiting = False
    if outcome is Outcome.DONE:
        if not place.around.timing.has_fence:
            # they answer by now: what is left is to tell so
            arrival.ready_before_ms = NEVER_MS
        return
    place.vips_until_ms = []
    if outcome is Outcome.LATE:
        place.may_answer = False
        return
    text = f"VIPs cannot be added to {arrival.group.name}: {why}"
    place.around.alarm(now_ms, ("kernel", arrival.group.name), text)
    arrival.retry_ms = now_ms + RETRY_MS


def merged(arrival: Arrival, now_ms: int) -> None:
    """They are the group's own now, and answer: say so."""
    again_ms = arrival.group.config.announcing.again_ms
    arrival.is_merged = True
    arrival.probes = PROBES_AFTERWARDS
    arrival.probe_at_ms = now_ms + arrival.place.around.timing.confirm_gap_ms
    arrival.announce_at_ms = now_ms + again_ms if again_ms else NEVER_MS
    _announce(arrival, now_ms)


def _announce(arrival: Arrival, now_ms: int) -> None:
    group = arrival.group
    group.announce(now_ms, group.config.announcing.count, arrival.place.config.addresses)


def _look_back(arrival: Arrival, now_ms: int) -> None:
    """Ask whether somebody else answers all the same, and announce them once more."""
    place = arrival.place
    if arrival.probes and now_ms >= arrival.probe_at_ms:
        arrival.probes -= 1
        arrival.probe_at_ms = now_ms + place.around.timing.confirm_gap_ms
        place.probe_one()
    if now_ms >= arrival.announce_at_ms:
        arrival.announce_at_ms = NEVER_MS
        _announce(arrival, now_ms)
    if arrival.probes:
        place.wake(arrival.probe_at_ms)
    if arrival.announce_at_ms != NEVER_MS:
        place.wake(arrival.announce_at_ms)
