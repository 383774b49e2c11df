"""Until when a survey listens: as long as something may be heard that it waits for."""

from __future__ import annotations

import threading

from drctl.adapters.packet import Heard, close_all
from drctl.adapters.survey import GAP_S, LAST_S, Schedule
from drctl.adapters.survey_record import Question, Record

VIP, OWN, BAIT = "192.0.2.100", "192.0.2.21", "192.0.2.230"
DIRECTOR, SERVER = "02:00:5e:00:53:01", "02:00:5e:00:53:21"
BAITS = [BAIT, "192.0.2.231"]


def nothing() -> None:
    """A frame that is not sent."""


def reply(address: str, mac: str) -> Heard:
    return Heard("eth0", address, mac, "192.0.2.9", True, "reply")


def request(sender: str, mac: str, target: str) -> Heard:
    return Heard("eth0", sender, mac, target, False, "request")


def healthy() -> Record:
    """Director and real server have answered, and the latter was provoked."""
    record = Record(strange=[Question(bait, "eth0") for bait in BAITS])
    record.add([reply(VIP, DIRECTOR), reply(OWN, SERVER)])
    record.lay([SERVER], BAIT, (OWN, VIP))
    return record


def test_survey_waits_for_a_station_that_was_provoked() -> None:
    record = healthy()
    assert record.is_open([VIP, OWN])
    record.add([request(OWN, SERVER, BAIT)])
    assert not record.is_open([VIP, OWN])


def test_survey_listens_on_when_two_speak_for_an_address() -> None:
    record = healthy()
    record.add([request(VIP, SERVER, BAIT)])
    assert record.is_open([VIP, OWN])


def test_survey_listens_on_when_somebody_speaks_for_a_bait() -> None:
    record = healthy()
    record.add([request(OWN, SERVER, BAIT), reply(BAITS[1], DIRECTOR)])
    assert record.is_open([VIP, OWN])


def test_survey_listens_after_the_last_question_and_longer_while_it_waits() -> None:
    plan = Schedule()
    plan.send(nothing)
    plan.send(nothing)
    for _ in range(200):
        plan.send(nothing, is_question=False)
    assert GAP_S <= plan.asked_s - plan.start_s < plan.next_s - 100 * GAP_S - plan.start_s
    plan = Schedule()
    plan.send(nothing)
    plan.end_s = plan.next_s + 60
    plan.do_due()
    assert (plan.left_s(lambda: False) or 0) <= LAST_S + 1
    assert (plan.left_s(lambda: True) or 0) > 50


def test_survey_that_asks_late_ends_as_much_later() -> None:
    plan = Schedule()
    plan.call(plan.start_s - 10, nothing)
    plan.do_due()
    left_s = plan.left_s(lambda: False)
    assert left_s is not None
    assert 10 <= left_s < 10 + LAST_S


def test_sockets_are_closed_all_at_a_time() -> None:
    """Each waits for the others."""
    all_here = threading.Barrier(5)
    ends = []

    def close() -> None:
        all_here.wait(timeout=20)
        ends.append(1)

    close_all([close] * 5)
    assert len(ends) == 5
