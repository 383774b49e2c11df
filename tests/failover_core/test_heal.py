"""After a cut: two that held the VIPs at the same time, and what is left of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_case import ActiveDirector
from simulator.fault import Fault
from simulator.run import Schedule, run
from simulator.topology import Topology
from simulator.world import World, load_core

from drctl.core.action import Announce, DropVips
from drctl.core.beat import GroupBeat
from drctl.core.role import Role

CLAIM = GroupBeat("web", Role.ACTIVE, 5, 50)
WEAKER, STRONGER = "lb3", "lb1"


def test_holder_announces_again_when_the_other_one_that_lives_has_let_go() -> None:
    director = ActiveDirector()
    standby = director.said
    director.said = replace(CLAIM, epoch=director.group.epoch, priority=1)
    director.run(300)
    director.actions.clear()
    director.run(300)
    assert Announce not in director.kinds()
    director.said = standby
    director.run(100)
    assert Announce in director.kinds()
    assert director.group.role is Role.ACTIVE


def silent(director: ActiveDirector) -> None:
    """lb3 is not heard any more: what is heard of it is from the past."""
    director.said = replace(director.said, name="another")
    for view in director.node.around.peers.values():
        view.link_lost("a")


def test_holder_announces_once_more_after_the_last_answer_of_the_weaker_one() -> None:
    director = ActiveDirector()
    silent(director)
    director.hear_claim(WEAKER)
    director.actions.clear()
    director.run(199)
    assert Announce not in director.kinds()
    director.run(1)
    assert Announce in director.kinds()


def test_holder_that_outlived_another_one_is_not_ended_by_what_he_had_claimed() -> None:
    director = ActiveDirector()
    silent(director)
    director.hear_claim(WEAKER)
    director.hear_stale(WEAKER, CLAIM)
    assert director.group.role is Role.ACTIVE
    assert director.group.epoch > CLAIM.epoch
    assert DropVips not in director.kinds()


def test_holder_lets_go_when_somebody_that_was_not_seen_claimed_it_later() -> None:
    director = ActiveDirector()
    director.hear_claim(WEAKER)
    director.hear_stale(STRONGER, CLAIM)
    assert DropVips in director.kinds()


def test_holder_lets_go_for_a_claim_that_is_heard_long_after_the_other_one_was_seen() -> None:
    director = ActiveDirector()
    silent(director)
    director.hear_claim(WEAKER)
    director.run(1100)
    director.hear_stale(WEAKER, CLAIM)
    assert DropVips in director.kinds()


def test_two_that_held_it_agree_on_the_higher_priority_even_without_preemption() -> None:
    """The other one has the stronger name, and keeps it until it is handed over."""
    topology = Topology(is_preempting=False, links=("svc",), priorities=(100, 150))
    world = World(topology, 1, load_core())
    for director in world.directors.values():
        director.start()
    roles = [director.node.groups["svc"] for director in world.directors.values()]
    world.run(1_500_000)
    assert [group.role for group in roles] == [Role.STANDBY, Role.ACTIVE]
    for host, port in world.segments["svc"].ports.items():
        port.side = 1 if host in {"lb2", "rs1"} else 0
    world.run(3_000_000)
    assert [group.role for group in roles] == [Role.ACTIVE, Role.ACTIVE]
    for port in world.segments["svc"].ports.values():
        port.side = 0
    world.heal_pipes()
    world.run(5_000_000)
    assert [group.role for group in roles] == [Role.STANDBY, Role.ACTIVE]


@pytest.mark.parametrize("has_fence", [True, False])
def test_heal_between_two_configurations_soon_after_a_takeover_takes_a_heartbeat_and_a_probe(
    has_fence: bool,
) -> None:
    """The group has another name on one side, and its answer comes soon after the takeover."""
    topology = Topology(links=("svc",), has_fence=has_fence)
    core = load_core()
    for seed, cut_ms in enumerate(range(1400, 1460, 3)):
        rename = Fault(939, "rename", "lb1", "svc", 1200)
        cut = Fault(cut_ms, "split", "lb1", "svc", 190)
        result = run(Schedule(topology, (rename, cut), seed), core)
        assert not result.violations, (cut_ms, *map(str, result.violations))
