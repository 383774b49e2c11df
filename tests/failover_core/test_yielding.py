"""Handing over: what ends it, and who else is noticed meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_case import VIP, ActiveDirector

from drctl.core.action import DropVips, Probe, Reply, Stop
from drctl.core.beat import GroupBeat
from drctl.core.event import CarrierChanged, Command, FrameHeard, OperatorAsked, TrackReported
from drctl.core.role import Role
from drctl.core.value import Track


class Yielder(ActiveDirector):
    """lb2 is handing over to lb3, which does nothing."""

    def __init__(self, *, has_fence: bool, command: Command = Command.SWITCH) -> None:
        super().__init__(has_fence=has_fence)
        self.feed(OperatorAsked(self.now_ms, command))
        assert (self.group.role, self.group.target) == (Role.YIELDING, "lb3")
        self.actions.clear()


def test_yielding_without_a_fence_looks_for_others_and_gives_way_to_the_stronger_one() -> None:
    yielder = Yielder(has_fence=False)
    yielder.run(300)
    assert Probe in yielder.kinds()
    yielder.hear_claim("lb1")
    assert DropVips in yielder.kinds()
    assert not yielder.group.role.is_holding


def test_yielding_without_a_fence_goes_on_beside_a_stranger_that_answers() -> None:
    yielder = Yielder(has_fence=False)
    yielder.feed(FrameHeard(yielder.now_ms, "eth0", VIP, "02:00:00:00:00:99", ""))
    assert yielder.group.role is Role.YIELDING


def test_yielding_behind_a_fence_is_silent_and_goes_on() -> None:
    yielder = Yielder(has_fence=True)
    yielder.run(300)
    yielder.hear_claim("lb1")
    assert Probe not in yielder.kinds()
    assert yielder.group.role is Role.YIELDING


@pytest.mark.parametrize("has_fence", [True, False])
def test_yielding_ends_when_the_target_answers_though_its_beats_do_not_say_so(
    has_fence: bool,
) -> None:
    yielder = Yielder(has_fence=has_fence)
    yielder.hear_claim("lb3")
    yielder.run(49)
    assert yielder.group.role is Role.YIELDING
    yielder.run(1)
    assert not yielder.group.role.is_holding


@pytest.mark.parametrize("does_hold", [True, False])
def test_group_that_was_taken_is_not_taken_back_before_the_successor_has_said_a_word(
    does_hold: bool,
) -> None:
    yielder = Yielder(has_fence=True)
    yielder.run(80)
    yielder.is_mute = True
    yielder.hear_claim("lb3")
    yielder.run(60)
    assert yielder.group.role is Role.STANDBY
    assert "handed over to lb3" in yielder.group.reason
    epoch = yielder.group.seen_epoch + 1
    if does_hold:
        yielder.said = GroupBeat("web", Role.ACTIVE, epoch, 50, may_answer=True)
    yielder.is_mute = False
    yielder.run(1000)
    assert yielder.group.role is (Role.STANDBY if does_hold else Role.ACTIVE)
    assert (yielder.group.reason == "lb3 holds it") == does_hold


def test_group_that_was_taken_is_taken_back_when_the_successor_falls_silent() -> None:
    yielder = Yielder(has_fence=True)
    yielder.run(80)
    yielder.is_mute = True
    yielder.hear_claim("lb3")
    yielder.run(60)
    assert not yielder.group.role.is_holding
    yielder.run(400)
    assert yielder.group.role is Role.ACTIVE
    assert "silent: " in yielder.group.reason


def test_switchover_that_a_fault_ends_is_answered_and_not_made_up_for() -> None:
    yielder = Yielder(has_fence=True)
    yielder.feed(CarrierChanged(yielder.now_ms, "eth0", is_up=False))
    replies = [action for action in yielder.actions if isinstance(action, Reply)]
    assert replies == [Reply("web", is_done=False, text="eth0 has no carrier")]
    yielder.feed(CarrierChanged(yielder.now_ms, "eth0", is_up=True))
    yielder.run(1000)
    assert yielder.group.role is Role.ACTIVE


@pytest.mark.parametrize("why", ["stop", "fault"])
def test_director_that_must_let_go_does_so_when_the_other_does_not_take_it(why: str) -> None:
    holder = ActiveDirector()
    if why == "stop":
        holder.feed(OperatorAsked(holder.now_ms, Command.STOP))
    else:
        holder.group.config = replace(holder.group.config, tracks=(Track("script:alive"),))
        holder.feed(TrackReported(holder.now_ms, "script:alive", is_up=False))
    assert (holder.group.role, holder.group.target) == (Role.YIELDING, "lb3")
    holder.run(1500)
    assert holder.group.role is (Role.HELD if why == "stop" else Role.FAULT)
    assert DropVips in holder.kinds()
    assert (Stop in holder.kinds()) == (why == "stop")


def test_pause_that_a_fault_ends_is_a_pause() -> None:
    yielder = Yielder(has_fence=True, command=Command.PAUSE)
    yielder.feed(CarrierChanged(yielder.now_ms, "eth0", is_up=False))
    yielder.feed(CarrierChanged(yielder.now_ms, "eth0", is_up=True))
    yielder.run(1000)
    assert yielder.group.role is Role.HELD


def test_resume_while_it_is_being_paused_leaves_a_switchover() -> None:
    yielder = Yielder(has_fence=True, command=Command.PAUSE)
    yielder.feed(OperatorAsked(yielder.now_ms, Command.RESUME))
    yielder.hear_claim("lb3")
    yielder.run(60)
    assert not yielder.group.role.is_holding
    assert not yielder.group.is_held
