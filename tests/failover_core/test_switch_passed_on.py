"""A switchover that is asked of a director which does not hold the group."""

from __future__ import annotations

import pytest
from simulator.topology import Topology
from simulator.world import World, load_core

from drctl.core.beat import NEWEST_VERSION
from drctl.core.event import Command, OperatorAsked
from drctl.core.role import Role

SETTLED_US = 1_500_000


class Directors:
    """Directors that have settled: lb1 is active."""

    def __init__(self, nodes: int = 2, *, versions: dict[str, int] | None = None) -> None:
        topology = Topology(nodes=nodes)
        self.world = World(topology, 1, load_core(), transcript=True)
        for name, director in self.world.directors.items():
            director.newest_version = (versions or {}).get(name, NEWEST_VERSION)
            self.world.after(0, director.start)
        self.world.run(SETTLED_US)
        assert self.active() == ["lb1"]

    def active(self) -> list[str]:
        group = self.world.topology.services[0]
        directors = self.world.directors.items()
        return [
            name
            for name, one in directors
            if one.node is not None and one.node.groups[group].role is Role.ACTIVE
        ]

    def pause(self, name: str) -> None:
        self.world.directors[name].put(OperatorAsked(0, Command.PAUSE))
        self.world.run(self.world.now_us + 300_000)

    def switch(self, asked: str, target: str = "") -> list[str]:
        """What became of it, as the asked director answers."""
        assert self.world.lines is not None
        told = len(self.world.lines)
        self.world.directors[asked].put(OperatorAsked(0, Command.SWITCH, "", target))
        self.world.run(self.world.now_us + 3_000_000)
        assert not self.world.judge.violations
        answers = [line for line in self.world.lines[told:] if f"{asked}: svc " in line]
        return [
            text
            for line in answers
            for word in ("done: ", "not done: ")
            if (text := line.partition(f"svc {word}")[2])
        ]


def test_switch_asked_of_the_standby_moves_the_group() -> None:
    directors = Directors()
    assert directors.switch("lb2") == ["lb2 holds it"]
    assert directors.active() == ["lb2"]


def test_switch_asked_of_a_standby_that_was_started_again_moves_the_group() -> None:
    directors = Directors()
    standby = directors.world.directors["lb2"]
    standby.kill()
    directors.world.run(directors.world.now_us + 100_000)
    standby.start()
    directors.world.run(directors.world.now_us + 1_000_000)
    assert directors.switch("lb2") == ["lb2 holds it"]
    assert directors.active() == ["lb2"]


def test_switch_back_is_asked_of_the_other_standby() -> None:
    directors = Directors()
    directors.switch("lb2")
    assert directors.switch("lb1", "lb1") == ["lb1 holds it"]
    assert directors.active() == ["lb1"]


def test_switch_asked_of_a_third_director_moves_it_once() -> None:
    directors = Directors(3)
    assert directors.switch("lb3", "lb2") == ["lb2 holds it"]
    assert directors.active() == ["lb2"]


def test_switch_to_the_holder_is_done_already() -> None:
    assert Directors().switch("lb2", "lb1") == ["lb1 holds it"]
    assert Directors().switch("lb1", "lb1") == ["lb1 holds it"]


@pytest.mark.parametrize("asked", ["lb1", "lb2"])
def test_switch_to_nobody_is_refused(asked: str) -> None:
    directors = Directors()
    reason = "no other director has that name"
    assert directors.switch(asked, "lb9") == [f"lb9 cannot take it: {reason}"]
    assert directors.active() == ["lb1"]


def test_switch_tells_why_each_of_the_others_cannot_take_it() -> None:
    directors = Directors(3)
    directors.pause("lb2")
    assert directors.switch("lb1", "lb2") == ["lb2 cannot take it: it is paused or stopping"]
    directors.world.directors["lb3"].kill(with_guard=True)
    directors.world.run(directors.world.now_us + 3_000_000)
    assert directors.switch("lb1", "lb3") == ["lb3 cannot take it: it is not heard"]
    [answer] = directors.switch("lb1")
    reasons = "lb2 is paused or stopping; lb3 is not heard"
    assert answer == f"no other director can take it: {reasons}"
    assert directors.active() == ["lb1"]


def test_switch_asked_of_a_director_that_is_not_fit_is_refused() -> None:
    directors = Directors()
    directors.pause("lb2")
    assert directors.switch("lb2") == ["lb2 cannot take it: paused by the operator"]


def test_switch_is_not_passed_on_to_an_older_director() -> None:
    directors = Directors(versions={"lb1": NEWEST_VERSION - 1})
    [answer] = directors.switch("lb2")
    assert answer == "lb1 has an older drctl, which has to be asked itself"
    assert directors.active() == ["lb1"]


@pytest.mark.parametrize("older", ["lb1", "lb2"])
def test_directors_of_neighbouring_versions_switch_over(older: str) -> None:
    directors = Directors(versions={older: NEWEST_VERSION - 1})
    assert directors.switch("lb1") == ["lb2 holds it"]
    assert directors.active() == ["lb2"]
