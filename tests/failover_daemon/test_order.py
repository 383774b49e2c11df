"""Operators who wait for the end of a command, and work that waits for a disk."""

from __future__ import annotations

import os
import select
import threading
from typing import Any

import pytest

from drctl.daemon.later import Later
from drctl.daemon.order import Orders
from drctl.errors import DrctlError

Answers = list[tuple[int, dict[str, Any]]]


def made() -> tuple[Orders, Answers]:
    answers: Answers = []
    return Orders(lambda client, answer: answers.append((client, answer))), answers


def test_order_is_answered_when_all_groups_are_done() -> None:
    orders, answers = made()
    assert orders.begin(1, "switch", ("web", "mail"), 1000) == ("web", "mail")
    orders.replied("mail", is_done=True, text="lb2 is active")
    assert answers == []
    orders.replied("web", is_done=False, text="no peer")
    results = [
        {"group": "mail", "is_done": True, "text": "lb2 is active"},
        {"group": "web", "is_done": False, "text": "no peer"},
    ]
    assert answers == [(1, {"ok": False, "text": "", "results": results})]
    assert orders.deadline_ms() is None


def test_second_order_for_a_group_is_refused_until_the_first_is_done() -> None:
    orders, answers = made()
    orders.begin(1, "switch", ("web",), 1000)
    assert orders.begin(2, "pause", ("mail", "web"), 1000) == ()
    assert answers[0][0] == 2
    assert answers[0][1]["text"] == "switch of web is not done yet; ask again then"
    assert orders.begin(3, "pause", ("mail",), 1000) == ("mail",)
    orders.replied("web", is_done=True, text="")
    assert orders.begin(4, "pause", ("web",), 1000) == ("web",)


def test_order_for_no_group_is_answered_at_once() -> None:
    orders, answers = made()
    assert orders.begin(1, "switch", (), 1000) == ()
    assert answers == [(1, {"ok": True, "text": "there is no group to switch", "results": []})]


def test_order_that_takes_too_long_is_answered_in_time() -> None:
    orders, answers = made()
    orders.begin(1, "switch", ("web",), 1000)
    assert orders.deadline_ms() == 1000
    orders.expire(999)
    assert answers == []
    orders.expire(1000)
    assert [(client, answer["ok"]) for client, answer in answers] == [(1, False)]
    orders.replied("web", is_done=True, text="too late")
    assert len(answers) == 1


def test_end_answers_all_who_wait() -> None:
    orders, answers = made()
    orders.begin(1, "switch", ("web",), 1000)
    orders.begin(2, "pause", ("mail",), 1000)
    orders.end("the daemon ends")
    assert [(client, answer["ok"], answer["text"]) for client, answer in answers] == [
        (1, False, "the daemon ends"),
        (2, False, "the daemon ends"),
    ]


def test_reply_that_nobody_asked_for_is_nobody_s() -> None:
    orders, answers = made()
    orders.replied("web", is_done=True, text="")
    assert answers == []


def ready(later: Later) -> None:
    poll = select.poll()
    poll.register(later.fileno(), select.POLLIN)
    assert poll.poll(10_000)


def test_slow_work_is_done_beside_and_told_in_this_thread() -> None:
    later = Later()
    hear, tell = os.pipe()
    told: list[tuple[object, int]] = []

    def wait() -> None:
        os.read(hear, 1)

    later.do(wait, lambda refused: told.append((refused, threading.get_ident())))
    later.settle()
    assert told == []
    os.write(tell, b"x")
    ready(later)
    later.settle()
    assert told == [(None, threading.get_ident())]
    later.close()
    os.close(hear)
    os.close(tell)


def test_work_is_done_in_the_order_given_and_refusals_are_told() -> None:
    later = Later()
    told: list[str] = []
    done: list[int] = []

    def refuse() -> None:
        raise DrctlError("full")

    for number in range(50):
        later.do(lambda number=number: done.append(number), lambda _: None)  # type: ignore[misc]
    later.do(refuse, lambda refused: told.append(str(refused)))
    later.close()
    assert done == list(range(50))
    assert told == ["full"]


def test_mistake_in_the_work_is_raised_in_the_loop() -> None:
    later = Later()

    def mistake() -> None:
        raise AssertionError("mine")

    later.do(mistake, lambda _: None)
    ready(later)
    with pytest.raises(AssertionError, match="mine"):
        later.settle()
    later.close()


def test_work_that_never_ends_does_not_keep_the_program_from_ending() -> None:
    later = Later()
    hear, tell = os.pipe()

    def wait() -> None:
        os.read(hear, 1)

    later.do(wait, lambda _: None)
    assert not later.close(0.05)
    os.write(tell, b"x")
    assert later.close()
    os.close(hear)
    os.close(tell)
