"""A standby director asks the segment as soon as the holder's beat is late."""

from __future__ import annotations

import pytest
from core_case import MACS, VIP, Driven

from drctl.core.action import Action, Probe, SendBeat
from drctl.core.beat import Beat, GroupBeat
from drctl.core.event import BeatHeard, Event, FrameHeard, Started
from drctl.core.role import Role
from drctl.core.value import Group, Interface, Link, Peer, Settings, Timing, Vip

LATE_MS, SILENT_MS = 121, 151
"""After the last beat, at a heartbeat of 100 ms."""


class StandbyDirector(Driven):
    """lb2 is standby beside lb1, which answers every beat until it is `is_mute`."""

    def __init__(self, timing: Timing, others: tuple[str, ...] = ()) -> None:
        group = Group("web", (Vip(VIP, 24, "eth0"),), ("eth0",))
        peers = tuple(Peer(name, (Link("a"),)) for name in ("lb1", *others))
        card = Interface("eth0", (MACS["lb2"],))
        super().__init__(Settings("lb2", (group,), peers, (card,), timing), 1000)
        self.group = self.node.groups["web"]
        self.says = {
            "lb1": GroupBeat("web", Role.ACTIVE, 1, 150, may_answer=True),
            **{name: GroupBeat("web", Role.STANDBY, 1, 120, is_eligible=True) for name in others},
        }
        self.is_mute = False
        self.answers = False
        """Whether the kernel of `answerer` does."""
        self.answerer = "lb1"
        self.probes_ms: list[int] = []
        self.sent: dict[str, Beat] = {}
        self.heard_ms = self.now_ms
        self._sequence = 0
        self.feed(Started(self.now_ms, 7, 0, peer_macs=tuple(MACS.items())))
        self.run(1000)
        assert self.group.role is Role.STANDBY
        self.run(self.heard_ms + 2 * timing.heartbeat_ms - self.now_ms - 1)

    def replies(self, action: Action) -> list[Event]:
        """lb1's, and those of its kernel."""
        if isinstance(action, SendBeat):
            self.sent[action.peer] = action.beat
            is_heard = action.peer != "lb1" or not self.is_mute
            return [self._beat(action.peer)] if is_heard else []
        if isinstance(action, Probe):
            self.probes_ms.append(self.now_ms - self.heard_ms)
            if self.answers:
                return [FrameHeard(self.now_ms, "eth0", VIP, MACS[self.answerer], "", True)]
        return super().replies(action)

    def _beat(self, name: str) -> Event:
        if name == "lb1":
            self.heard_ms = self.now_ms
        self._sequence += 1
        sent = self.sent[name]
        says = (self.says[name],)
        beat = Beat(name, 9, self._sequence, sent.boot, sent.sequence, groups=says)
        return BeatHeard(self.now_ms, name, "a", beat)

    def hear(self) -> None:
        """A beat of lb1's."""
        self.feed(self._beat("lb1"))

    def run_to(self, after_ms: int) -> None:
        """Until so long after the last beat."""
        self.run(self.heard_ms + after_ms - self.now_ms)


def test_beats_in_time_are_no_reason_to_ask() -> None:
    standby = StandbyDirector(Timing())
    standby.run(5000)
    assert standby.probes_ms == []


def test_late_beat_has_the_segment_asked_and_silence_is_acted_on_at_once() -> None:
    standby = StandbyDirector(Timing())
    standby.is_mute = True
    standby.run_to(LATE_MS - 1)
    assert standby.probes_ms == []
    standby.run_to(SILENT_MS - 1)
    assert standby.probes_ms[0] == LATE_MS
    assert len(standby.probes_ms) >= Timing().confirm_probes
    assert standby.group.role is Role.STANDBY
    standby.run_to(SILENT_MS)
    assert standby.group.role.is_holding


def test_holder_that_answers_is_not_taken_from() -> None:
    standby = StandbyDirector(Timing())
    standby.is_mute = standby.answers = True
    standby.run_to(SILENT_MS + 300)
    assert standby.group.role is Role.SUSPECT
    standby.answers = False
    standby.run(Timing().confirm_ms + 10)
    assert standby.group.role.is_holding


def test_answer_of_one_that_said_he_has_it_not_counts() -> None:
    """It was handed over to him, and the beat that says so did not come."""
    standby = StandbyDirector(Timing(), others=("lb3",))
    standby.says["lb3"] = GroupBeat("web", Role.STANDBY, 1, 120)
    standby.run(1)
    standby.answerer = "lb3"
    standby.is_mute = standby.answers = True
    standby.run_to(SILENT_MS + 100)
    assert len(standby.probes_ms) > Timing().confirm_probes
    assert standby.group.role is Role.SUSPECT


def test_beat_that_comes_after_all_ends_the_questions() -> None:
    standby = StandbyDirector(Timing())
    standby.is_mute = True
    standby.run_to(LATE_MS + 9)
    asked = len(standby.probes_ms)
    assert asked
    standby.hear()
    standby.is_mute = False
    standby.run(5000)
    assert standby.group.role is Role.STANDBY
    assert len(standby.probes_ms) == asked


def test_director_that_comes_after_another_one_leaves_the_asking_to_him() -> None:
    standby = StandbyDirector(Timing(), others=("lb3",))
    standby.is_mute = True
    standby.run_to(SILENT_MS - 1)
    assert standby.probes_ms == []


@pytest.mark.parametrize(("heartbeat_ms", "late_ms"), [(10, 25), (20, 35), (50, 65), (100, 120)])
def test_short_heartbeats_are_late_by_more_than_a_busy_machine_is(
    heartbeat_ms: int, late_ms: int
) -> None:
    timing = Timing(heartbeat_ms=heartbeat_ms)
    assert timing.late_ms == late_ms
    assert (timing.late_ms < timing.suspect_ms) == (heartbeat_ms > 30)
