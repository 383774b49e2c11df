"""One history: a topology, a schedule of faults, and what the judge says of it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from random import Random
from typing import Any

from simulator import fault
from simulator.fault import KINDS, Fault
from simulator.judge import Violation
from simulator.topology import NODES, Topology, random_topology, with_arbiter
from simulator.world import World

CALM_STEPS = 5
RETRY_US = 1_100_000
"""What a kernel refused is asked of it again by then."""
SEAMLESS = frozenset({"switch", "hold", "reload", "rename", "retime"})
"""Faults that are none: somebody accepts packets at every instant."""


WITHOUT_END = frozenset({"kill-guard", "flush", "remove-address", "switch"})


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that a history is made of, but for chance."""

    topology: Topology
    faults: tuple[Fault, ...]
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """`takeovers` counts claims after things had settled; `changes` are those of roles, before and
    after; `transcript` is kept when asked for."""

    schedule: Schedule
    violations: tuple[Violation, ...]
    takeovers: int
    changes: tuple[tuple[str, str], ...]
    transcript: tuple[str, ...] = ()


def random_schedule(seed: int, kinds: tuple[str, ...] = tuple(KINDS)) -> Schedule:
    """The schedule of that seed: one to four faults, each of which ends."""
    random = Random(seed)
    topology = with_arbiter(random_topology(random), Random(f"arbiter {seed}"))
    faults = []
    for _ in range(random.choice((1, 1, 2, 2, 3, 4))):
        kind = random.choice(kinds)
        if kind == "drop-fails" and not topology.has_fence:
            kind = "pause"  # nothing can be done without a fence when the kernel refuses
        node = NODES[random.randrange(topology.nodes)]
        segment = random.choice(topology.segments)
        if kind in {"witness-dies", "leak", "split", "cut", "deafen", "mute", "carrier"}:
            segment = random.choice(topology.services)
        if kind in {"links", "slow"}:
            segment = ""
        heartbeats = random.choice((random.uniform(0.2, 4), random.uniform(2, 25)))
        for_ms = int(heartbeats * topology.heartbeat_ms) + 1
        at_ms = settled_ms(topology) + int(random.uniform(0, 10) * topology.heartbeat_ms)
        faults.append(Fault(at_ms, kind, node, segment, 0 if kind in WITHOUT_END else for_ms))
    return Schedule(topology, tuple(sorted(faults, key=lambda one: one.at_ms)), seed)


def settled_ms(topology: Topology) -> int:
    """By then the directors have found each other, and one of them is active."""
    return 100 + 7 * topology.heartbeat_ms


def bound_ms(world: World) -> int:
    """How long after the last change a VIP may be unanswered at most: a dead director's lease, a
    handover that does not come about, a start, suspicion and connections that come back."""
    timing = world.timing
    rest_ms = 12 * timing.heartbeat_ms + 4 * timing.confirm_ms + 700
    later_ms = world.referee.longest_ms if world.topology.arbiter else 0
    return timing.lease_ms + 500 + timing.handover_ms + rest_ms + later_ms


def run(schedule: Schedule, core: Any, *, transcript: bool = False) -> Result:
    """Play a schedule to its end, and judge it."""
    world = World(schedule.topology, schedule.seed, core, transcript=transcript)
    world.say(str(schedule.topology))
    for director in world.directors.values():
        if schedule.topology.has_fence:
            director.kernel.table = {}
        world.after(world.random.randint(0, 60_000), director.start)
    start_ms = settled_ms(schedule.topology)
    end_ms: float = start_ms
    for one in schedule.faults:
        end_ms = max(end_ms, one.at_ms + one.for_ms)
    world.run(start_ms * 1000 - 1)
    world.judge.check_liveness()
    settled_us = world.now_us
    for one in schedule.faults:
        world.at(int(one.at_ms * 1000), fault.begin, world, one)
    _watch(world, schedule)
    _check_between(world, schedule)
    world.run(int(end_ms * 1000) + 1)
    for name in world.directors:
        world.after(0, world.directors[name].start)
    _run_until_calm(world, world.now_us + bound_ms(world) * 1000)
    world.judge.check_liveness()
    world.judge.check_gone()
    if not world.is_moving:
        world.judge.check_quiet(settled_us)
    takeovers = sum(at_us >= settled_us for at_us, _, _ in world.judge.takeovers)
    judge = world.judge
    return Result(
        schedule, tuple(judge.violations), takeovers, tuple(judge.changes), tuple(world.lines or ())
    )


def _check_between(world: World, schedule: Schedule) -> None:
    """Liveness also before the end, where nothing changes for long enough."""
    changes = sorted(t for one in schedule.faults for t in (one.at_ms, one.at_ms + one.for_ms))
    for earlier_ms, later_ms in itertools.pairwise(changes):
        if later_ms - earlier_ms > bound_ms(world):
            world.at(int(later_ms * 1000) - 1, world.judge.check_liveness)


def _run_until_calm(world: World, limit_us: int) -> None:
    """To the limit, or until every VIP has had a holder for a while: nothing new would come. Each
    layout that a kernel refuses meanwhile takes its time."""
    calm, refusals = 0, world.refusals
    while world.now_us < limit_us and calm < CALM_STEPS:
        limit_us += (world.refusals - refusals) * RETRY_US
        refusals = world.refusals
        world.run(min(limit_us, world.now_us + world.timing.heartbeat_ms * 1000))
        is_calm = all(world.answerers(v) for group in world.groups for v in group.addresses)
        calm = calm + 1 if is_calm else 0


def _watch(world: World, schedule: Schedule) -> None:
    """Checks that belong to single kinds of faults, where no other one interferes."""
    if len(schedule.faults) != 1:
        return
    one = schedule.faults[0]
    world.judge.is_seamless = one.kind in SEAMLESS
    timing = world.timing
    let_go_ms = timing.suspect_ms + timing.confirm_ms + 2 * timing.heartbeat_ms
    let_go_ms += timing.fence_ms or timing.lease_ms + 500
    if one.kind == "cut" and one.for_ms > let_go_ms:
        for group in world.groups:
            if one.segment in group.interfaces:
                world.at(
                    int((one.at_ms + let_go_ms) * 1000),
                    world.judge.check_isolation,
                    one.node,
                    group.name,
                    group.addresses,
                )
