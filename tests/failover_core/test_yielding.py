"""Handing over: what ends it, and who else is noticed meanwhile."""

from __future__ import annotations

import pytest

from drctl.core.action import Action, DropVips, Probe, Reply, SendBeat
from drctl.core.beat import Beat, GroupBeat
from drctl.core.event import (
    BeatHeard,
    CarrierChanged,
    Command,
    Event,
    FrameHeard,
    OperatorAsked,
    Outcome,
    Settled,
    Started,
    TimeCame,
)
from drctl.core.node import Node
from drctl.core.role import Role
from drctl.core.value import Group, Interface, Link, Peer, Settings, Timing, Vip

VIP = "192.0.2.100"
MACS = {"lb1": "02:00:00:00:00:01", "lb2": "02:00:00:00:00:02", "lb3": "02:00:00:00:00:03"}


class Yielder:
    """lb2 is handing over to lb3, which lives and does nothing; lb1 was never heard."""

    def __init__(self, *, has_fence: bool, command: Command = Command.SWITCH) -> None:
        timing = Timing(fence_ms=500 if has_fence else 0)
        group = Group("web", (Vip(VIP, 24, "eth0"),), ("eth0",))
        peers = tuple(Peer(name, (Link("a"),)) for name in ("lb1", "lb3"))
        card = Interface("eth0", (MACS["lb2"],))
        self.node = Node(Settings("lb2", (group,), peers, (card,), timing))
        self.group = self.node.groups["web"]
        self.actions: list[Action] = []
        self.now_ms = 1000
        macs = tuple((name, MACS[name]) for name in ("lb1", "lb3"))
        self.feed(Started(self.now_ms, 7, 0, peer_macs=macs))
        self.run(1000)
        assert self.group.role is Role.ACTIVE
        self.feed(OperatorAsked(self.now_ms, command))
        assert (self.group.role, self.group.target) == (Role.YIELDING, "lb3")
        self.actions.clear()

    def feed(self, event: Event) -> None:
        """One event, and DONE for every action; lb3 hears every beat and says that it is fit."""
        waiting = [event]
        while waiting:
            for action in self.node.feed(waiting.pop(0)):
                self.actions.append(action)
                number = getattr(action, "number", None)
                if number is not None:
                    waiting.append(Settled(self.now_ms, number, Outcome.DONE))
                if isinstance(action, SendBeat) and action.peer == "lb3":
                    waiting.append(self._answer(action.beat))

    def _answer(self, beat: Beat) -> Event:
        group = GroupBeat("web", Role.STANDBY, 0, 50, is_eligible=True)
        answer = Beat("lb3", 9, beat.sequence, beat.boot, beat.sequence, groups=(group,))
        return BeatHeard(self.now_ms, "lb3", "a", answer)

    def run(self, span_ms: int) -> None:
        """Let time pass."""
        end_ms = self.now_ms + span_ms
        while self.node.deadline_ms <= end_ms:
            self.now_ms = self.node.deadline_ms
            self.feed(TimeCame(self.now_ms))
        self.now_ms = end_ms

    def hear(self, name: str) -> None:
        """Somebody announces the VIP."""
        self.feed(FrameHeard(self.now_ms, "eth0", VIP, MACS[name], ""))

    def kinds(self) -> set[type]:
        return {type(action) for action in self.actions}


def test_yielding_without_a_fence_looks_for_others_and_gives_way_to_the_stronger_one() -> None:
    yielder = Yielder(has_fence=False)
    yielder.run(300)
    assert Probe in yielder.kinds()
    yielder.hear("lb1")
    assert DropVips in yielder.kinds()
    assert not yielder.group.role.is_holding


def test_yielding_without_a_fence_goes_on_beside_a_stranger_that_answers() -> None:
    yielder = Yielder(has_fence=False)
    yielder.feed(FrameHeard(yielder.now_ms, "eth0", VIP, "02:00:00:00:00:99", ""))
    assert yielder.group.role is Role.YIELDING


def test_yielding_behind_a_fence_is_silent_and_goes_on() -> None:
    yielder = Yielder(has_fence=True)
    yielder.run(300)
    yielder.hear("lb1")
    assert Probe not in yielder.kinds()
    assert yielder.group.role is Role.YIELDING


@pytest.mark.parametrize("has_fence", [True, False])
def test_yielding_ends_when_the_target_answers_though_its_beats_do_not_say_so(
    has_fence: bool,
) -> None:
    yielder = Yielder(has_fence=has_fence)
    yielder.hear("lb3")
    yielder.run(49)
    assert yielder.group.role is Role.YIELDING
    yielder.run(1)
    assert not yielder.group.role.is_holding


def test_switchover_that_a_fault_ends_is_answered_and_not_made_up_for() -> None:
    yielder = Yielder(has_fence=True)
    yielder.feed(CarrierChanged(yielder.now_ms, "eth0", is_up=False))
    replies = [action for action in yielder.actions if isinstance(action, Reply)]
    assert replies == [Reply("web", is_done=False, text="eth0 has no carrier")]
    yielder.feed(CarrierChanged(yielder.now_ms, "eth0", is_up=True))
    yielder.run(1000)
    assert yielder.group.role is Role.ACTIVE


def test_pause_that_a_fault_ends_is_a_pause() -> None:
    yielder = Yielder(has_fence=True, command=Command.PAUSE)
    yielder.feed(CarrierChanged(yielder.now_ms, "eth0", is_up=False))
    yielder.feed(CarrierChanged(yielder.now_ms, "eth0", is_up=True))
    yielder.run(1000)
    assert yielder.group.role is Role.HELD


def test_resume_while_it_is_being_paused_leaves_a_switchover() -> None:
    yielder = Yielder(has_fence=True, command=Command.PAUSE)
    yielder.feed(OperatorAsked(yielder.now_ms, Command.RESUME))
    yielder.hear("lb3")
    yielder.run(60)
    assert not yielder.group.role.is_holding
    assert not yielder.group.is_held
