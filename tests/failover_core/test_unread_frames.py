"""A machine that is busy: answers of witnesses wait in the socket while other events are told."""

from __future__ import annotations

from core_case import ActiveDirector

from drctl.core.event import CarrierChanged, FrameHeard, TimeCame
from drctl.core.role import Role

WITNESS, MAC = "192.0.2.20", "02:00:00:00:00:20"


def _watched() -> ActiveDirector:
    """lb2 is active, and has a witness, which has answered."""
    director = ActiveDirector()
    director.feed(FrameHeard(director.now_ms, "eth0", WITNESS, MAC, "", is_answer_to_me=True))
    return director


def _answered(director: ActiveDirector) -> None:
    director.feed(FrameHeard(director.now_ms, "eth0", WITNESS, MAC, "", is_answer_to_me=True))
    director.run(100)


def test_other_events_before_the_answers_are_read_end_no_active_director() -> None:
    director = _watched()
    director.run(160)
    for _ in range(20):
        director.now_ms += 10
        director.feed(CarrierChanged(director.now_ms, "eth9", is_up=True))
    assert director.group.role is Role.ACTIVE
    _answered(director)
    assert director.group.role is Role.ACTIVE


def test_time_that_came_while_frames_were_read_end_no_active_director() -> None:
    director = _watched()
    director.run(160)
    asked_ms = director.now_ms
    for _ in range(20):
        # reading took so long that what was read is from before the questions
        director.now_ms += 10
        director.feed(TimeCame(director.now_ms, asked_ms))
    assert director.group.role is Role.ACTIVE
    _answered(director)
    assert director.group.role is Role.ACTIVE


def test_witness_that_does_not_answer_ends_the_active_director_all_the_same() -> None:
    director = _watched()
    director.run(300)
    assert director.group.role is Role.FAULT
    assert director.group.reason == "no witness answers on eth0"
