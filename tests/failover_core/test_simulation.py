"""Random histories of the failover core, judged on the simulated kernels."""

from __future__ import annotations

import os

from corpus import PROJECT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulator import role_picture
from simulator.campaign import campaign
from simulator.fault import KINDS, Fault, parse
from simulator.run import WITHOUT_END, Schedule, random_schedule, run, settled_ms
from simulator.topology import NODES, Topology
from simulator.world import load_core

SCHEDULES = int(os.environ.get("DRCTL_SCHEDULES", "100000"))
CORE = load_core()
SCENARIOS = sorted((PROJECT / "tests" / "scenarios").glob("*.txt"))


def test_simulation_random_schedules_break_no_invariant() -> None:
    summary = campaign(0, SCHEDULES)
    print(summary)
    assert not summary.broken, str(summary)
    # a campaign in which nothing happens proves nothing
    assert set(summary.kinds) == set(KINDS) or summary.schedules < 1000
    assert summary.takeovers > summary.schedules // 3
    # nor is a picture one that leaves out what happens
    drawn = role_picture.changes(file.read_text() for file in SCENARIOS)
    missing = {one: count for one, count in summary.changes.items() if one not in drawn}
    assert sum(missing.values()) < summary.changes.total() / 500, missing


def test_picture_of_roles_is_the_one_that_is_made_now() -> None:
    shown = (PROJECT / "docs" / "roles.svg").read_text()
    assert shown == role_picture.made(), "python tools/simulate.py --rewrite"
    assert "(roles.svg)" in (PROJECT / "docs" / "failover.md").read_text()


def test_simulation_same_seed_is_the_same_history() -> None:
    schedule = random_schedule(7)
    first, second = (run(schedule, CORE, transcript=True) for _ in range(2))
    assert first.transcript == second.transcript


TOPOLOGIES = st.builds(
    Topology,
    nodes=st.integers(2, 3),
    links=st.sampled_from((("svc", "hb"), ("svc",), ("hb",))),
    vips=st.integers(1, 3),
    witnesses=st.integers(1, 3),
    heartbeat_ms=st.sampled_from((20, 50, 100)),
    is_preempting=st.booleans(),
    knows_macs=st.booleans(),
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Faults at any distance from each other, which hypothesis moves to where it hurts."""
    topology = draw(TOPOLOGIES)
    start_ms = settled_ms(topology)
    faults = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(sorted(KINDS)))
        node = NODES[draw(st.integers(0, topology.nodes - 1))]
        at_ms = start_ms + draw(st.integers(0, 600))
        for_ms = 0 if kind in WITHOUT_END else draw(st.integers(1, 2500))
        segment = "" if kind in {"links", "slow"} else "svc"
        faults.append(Fault(at_ms, kind, node, segment, for_ms))
    return Schedule(topology, tuple(faults), draw(st.integers(0, 1000)))


@given(schedules())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_simulation_schedules_that_hypothesis_finds_break_no_invariant(schedule: Schedule) -> None:
    result = run(schedule, CORE)
    assert not result.violations, "\n".join(map(str, (*schedule.faults, *result.violations)))


def test_fault_text_comes_back() -> None:
    for seed in range(200):
        for fault in random_schedule(seed).faults:
            assert parse(str(fault)) == fault
