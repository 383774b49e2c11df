"""Announcements of a large group are spread, and end with the right to them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drctl.core.action import Action, Announce, CloseFence, DropVips, ShutArp
from drctl.core.value import Group, Settings, Vip
from drctl.daemon.executor import ANNOUNCED_AT_ONCE, Executor, now_ms

VIPS = tuple(Vip(f"198.18.{n // 250}.{n % 250 + 1}", 32, "eth0") for n in range(1000))


class Paper:
    """A segment on which announcements are only written down."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def announce(self, vips: Sequence[Vip], count: int) -> None:
        self.told.append(len(vips) * count)


def executor(vips: tuple[Vip, ...], paper: Paper) -> Executor:
    """One whose other adapters take everything."""
    taker = SimpleNamespace(
        changed=None, alarmed=None, replied=None, delete=lambda _: [], shut_arp=lambda _: None
    )
    taker.close = lambda _: None
    tools = SimpleNamespace(
        addresses=taker,
        fence=taker,
        segments={"eth0": paper},
        heartbeat=None,
        guard=None,
        state=None,
        listener=taker,
    )
    settings = Settings("lb1", (Group("web", vips, ("eth0",)),), (), ())
    return Executor(settings, cast(Any, tools))


def test_announce_few_vips_are_told_at_once() -> None:
    paper = Paper()
    hands = executor(VIPS[:50], paper)
    hands.carry_out((Announce("web", 5, now_ms() + 60_000),))
    assert (paper.told, hands.go_on()) == ([250], False)


def test_announce_many_vips_first_all_once_then_some_in_each_turn() -> None:
    paper = Paper()
    hands = executor(VIPS, paper)
    hands.carry_out((Announce("web", 3, now_ms() + 60_000),))
    assert paper.told == [1000]
    while hands.go_on():
        assert paper.told[-1] == ANNOUNCED_AT_ONCE
    assert sum(paper.told) == 3000


def test_announce_few_vips_many_times_does_not_keep_the_loop() -> None:
    paper = Paper()
    hands = executor(VIPS[:50], paper)
    hands.carry_out((Announce("web", 100, now_ms() + 60_000),))
    assert paper.told == [50]
    while hands.go_on():
        assert paper.told[-1] == ANNOUNCED_AT_ONCE
    assert sum(paper.told) == 50 * 100


@pytest.mark.parametrize("end", [ShutArp(1, "web"), CloseFence(1, "web"), DropVips(1, "web")])
def test_announce_many_vips_let_go_meanwhile_nothing_more_is_told(end: Action) -> None:
    paper = Paper()
    hands = executor(VIPS, paper)
    hands.carry_out((Announce("web", 3, now_ms() + 60_000), end))
    assert (paper.told, hands.go_on()) == ([1000], False)


def test_announce_many_vips_lease_over_nothing_more_is_told() -> None:
    paper = Paper()
    hands = executor(VIPS, paper)
    end_ms = now_ms() + 30
    hands.carry_out((Announce("web", 5, end_ms),))
    while now_ms() < end_ms:
        pass
    assert (paper.told, hands.go_on()) == ([1000], False)
