"""What is told of requests and answers: every change of the holder, and lanes."""

from __future__ import annotations

import pytest

from drctl.lab.pair.client import Request, longest_outage_ms
from drctl.lab.pair.timeline import Change, Follower, lanes

NAMES = ("lb1", "lb2")


def requests(*holders: str, since_ms: float = 0) -> list[Request]:
    """One a millisecond; a word has all that answered it, "" nobody."""
    return [Request(since_ms + number, text.split()) for number, text in enumerate(holders)]


def test_first_holder_is_a_change_without_an_outage() -> None:
    assert Follower(NAMES).feed(requests("", "", "lb1", "lb1")) == [Change(2, "lb1", 0, 0)]


def test_change_without_a_hole_has_no_outage() -> None:
    follower = Follower(NAMES)
    assert follower.feed(requests("lb1", "lb2", "lb2"))[1:] == [Change(1, "lb2", 0, 0)]


def test_change_over_a_hole_is_measured_from_the_last_answer_to_the_first() -> None:
    found = Follower(NAMES).feed(requests("lb1", "lb1", "", "", "lb2"))
    assert found[1:] == [Change(4, "lb2", 3, 0)]


def test_hole_without_a_change_is_no_change() -> None:
    assert len(Follower(NAMES).feed(requests("lb1", "", "lb1"))) == 1


def test_hole_over_two_readings_is_measured_as_one() -> None:
    follower = Follower(NAMES)
    follower.feed(requests("lb1", ""))
    assert follower.feed(requests("", "lb2", since_ms=2)) == [Change(3, "lb2", 3, 0)]


def test_requests_answered_by_both_are_counted_until_the_change() -> None:
    found = Follower(NAMES).feed(requests("lb1", "lb2 lb1", "lb2 lb1", "lb2", "lb1"))
    assert [(change.holder, change.twice) for change in found] == [
        ("lb1", 0),
        ("lb2", 2),
        ("lb1", 0),
    ]


def test_answers_of_strangers_do_not_count() -> None:
    found = Follower(NAMES).feed(requests("lb1", "02:00:00:00:00:09", "lb1 lb1"))
    assert [change.holder for change in found] == ["lb1"]


def test_lanes_show_who_answered_what_was_not_answered_and_what_was_twice() -> None:
    asked = requests("lb1", "lb1", "", "lb1", "lb2", "lb2", "lb1 lb2", "lb2")
    assert lanes(asked, NAMES, 0, (4, 2)) == {"lb1": "##.#", "lb2": "..##", "": " ! 2"}


def test_lanes_are_blank_where_nothing_was_asked() -> None:
    asked = requests("lb1", since_ms=4)
    assert lanes(asked, NAMES, 0, (4, 2)) == {"lb1": "  #", "lb2": "  .", "": ""}


def test_lanes_leave_out_what_was_before_and_after() -> None:
    asked = requests("", "lb1", "lb1", "")
    assert lanes(asked, NAMES, 1, (2, 1)) == {"lb1": "##", "lb2": "..", "": ""}


@pytest.mark.parametrize(
    ("holders", "outage_ms"),
    [
        ((), 0),
        (("lb1", "lb1"), 0),
        (("lb1", "", "lb2", "", "", "lb2", "lb1"), 3),
        (("", "", "lb1", "", "lb1"), 2),
        (("lb1", "", "", ""), 3),
        (("", "", ""), 2),
        (("lb1", "stranger", "lb2"), 2),
    ],
)
def test_longest_outage_lasts_from_answer_to_answer(
    holders: tuple[str, ...], outage_ms: float
) -> None:
    assert longest_outage_ms(requests(*holders), NAMES) == outage_ms
