"""Whether an interface works: witnesses that answer, and those that do not."""

from __future__ import annotations

from drctl.core.sight import ASKED_AT_ONCE, Sight
from drctl.core.value import NEVER_MS, Interface, Timing

TIMING = Timing(heartbeat_ms=100)
WITNESSES = tuple(f"192.0.2.{number}" for number in range(1, 21))


def sight(count: int) -> Sight:
    made = Sight(Interface("eth0", ("02:00:00:00:00:01",), WITNESSES[:count]), TIMING, ())
    made.start(1000)
    return made


def test_sight_without_answers_asks_in_a_burst_and_gets_blind() -> None:
    eye = sight(3)
    assert eye.step(1150, 1150) == ()
    asked = [now_ms for now_ms in range(1151, 1182) if eye.step(now_ms, now_ms)]
    assert asked == [1151, 1156, 1161, 1166, 1171, 1176]
    assert eye.is_blind
    assert eye.wake_ms() == NEVER_MS


def test_sight_answer_to_us_ends_blindness() -> None:
    eye = sight(1)
    for now_ms in range(1151, 1182):
        eye.step(now_ms, now_ms)
    eye.heard(1200, WITNESSES[0], "02:00:00:00:00:99", is_answer_to_me=False)
    assert eye.wake_ms() == NEVER_MS
    eye.heard(1201, WITNESSES[0], "02:00:00:00:00:99", is_answer_to_me=True)
    assert not eye.is_blind
    assert eye.has_proof(1201)
    assert not eye.has_proof(1202)


def test_sight_without_any_station_never_gets_blind() -> None:
    eye = sight(0)
    assert eye.is_waived
    assert [eye.step(now_ms, now_ms) for now_ms in (2000, 3000, 9000)] == [(), (), ()]
    assert eye.has_proof(9000)


def test_sight_first_station_heard_begins_the_rule() -> None:
    eye = sight(0)
    eye.heard(5000, "192.0.2.50", "02:00:00:00:00:50", is_answer_to_me=False)
    assert not eye.is_waived
    assert not eye.has_proof(5000)
    assert eye.step(5100, 5100) == ()
    assert eye.step(5151, 5151) == ("192.0.2.50",)


def test_sight_turn_asks_who_answered_last_and_the_next_one() -> None:
    eye = sight(4)
    eye.heard(1000, WITNESSES[2], "02:00:00:00:00:03", is_answer_to_me=True)
    turns = [eye.turn(now_ms) for now_ms in (1000, 1100, 1200)]
    assert {turn[0] for turn in turns} == {WITNESSES[2]}
    assert {turn[1] for turn in turns} == {WITNESSES[0], WITNESSES[1], WITNESSES[3]}


def test_sight_short_heartbeats_ask_the_next_one_every_tenth_time() -> None:
    eye = sight(4)
    eye.heard(1000, WITNESSES[2], "02:00:00:00:00:03", is_answer_to_me=True)
    turns = [eye.turn(now_ms) for now_ms in range(1000, 1300, 10)]
    assert {turn[0] for turn in turns} == {WITNESSES[2]}
    assert [len(turn) for turn in turns] == [2, *[1] * 9] * 3


def test_sight_answer_that_was_let_wait_proves_nothing_later() -> None:
    eye = sight(2)
    eye.heard(1100, WITNESSES[0], "02:00:00:00:00:03", is_answer_to_me=True)
    eye.heard(1050, WITNESSES[1], "02:00:00:00:00:04", is_answer_to_me=True)
    assert eye.has_proof(1100)
    assert not eye.has_proof(1101)


def test_sight_some_is_bounded_and_without_doubles() -> None:
    eye = sight(20)
    for _ in range(40):
        asked = eye.some(ASKED_AT_ONCE)
        assert len(asked) == len(set(asked)) == ASKED_AT_ONCE


def _times(first_ms: int, last_ms: int, eye: Sight) -> None:
    for now_ms in range(first_ms, last_ms + 1):
        eye.step(now_ms, now_ms)


def test_sight_of_a_process_that_was_kept_from_reading_is_not_judged() -> None:
    eye = sight(3)
    for now_ms in range(1151, 1400):
        # the answers are there, and nothing that was told since says that they are read
        eye.step(now_ms, 1150)
    assert not eye.is_blind
    eye.heard(1400, WITNESSES[0], "02:00:00:00:00:99", is_answer_to_me=True)
    eye.step(1401, 1401)
    assert not eye.is_blind
    assert eye.wake_ms() == 1400 + TIMING.suspect_ms + 1


def test_sight_of_a_process_that_was_kept_from_asking_asks_as_often() -> None:
    eye = sight(3)
    asked = [now_ms for now_ms in range(1151, 1900, 40) if eye.step(now_ms, now_ms)]
    assert len(asked) == TIMING.confirm_probes
    assert eye.is_blind


def test_sight_of_a_card_that_hears_a_peer_is_not_blind_before_the_fence_closes() -> None:
    eye = sight(3)
    for now_ms in range(1000, 1501):
        eye.beat_ms = now_ms - (now_ms - 20) % 100
        eye.step(now_ms, now_ms)
        assert not eye.is_blind
    asked = [now_ms for now_ms in range(1501, 1540) if eye.step(now_ms, now_ms)]
    assert eye.is_blind
    assert len(asked) <= 2


def test_sight_of_a_card_that_hears_a_peer_no_more_is_blind_at_once() -> None:
    eye = sight(3)
    eye.beat_ms = 1150
    _times(1151, 1300, eye)
    assert not eye.is_blind
    _times(1301, 1331, eye)
    assert eye.is_blind


def test_sight_of_a_card_that_died_with_the_last_beat_is_blind_as_soon_as_without_one() -> None:
    eye = sight(3)
    eye.beat_ms = 1099
    _times(1151, 1180, eye)
    assert not eye.is_blind
    _times(1181, 1181, eye)
    assert eye.is_blind


def test_sight_short_heartbeat_is_blind_after_one_of_them() -> None:
    eye = Sight(Interface("eth0", (), WITNESSES[:3]), Timing(heartbeat_ms=20), ())
    eye.start(1000)
    _times(1031, 1050, eye)
    assert not eye.is_blind
    _times(1051, 1051, eye)
    assert eye.is_blind
