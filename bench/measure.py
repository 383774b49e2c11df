"""What commands cost, as the benchmarks need it: time on the clock and on the processors,
interleaved, best of several runs."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds on the clock, and on all processors together. On a machine that does something else
    too the second is the steadier one."""

    wall_s: float
    cpu_s: float


NEVER = Cost(float("inf"), float("inf"))


def cost_of(command: Sequence[str], codes: tuple[int, ...] = (0,)) -> Cost:
    """One run; CalledProcessError when it ends with none of `codes`."""
    before, start = _children_s(), time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True)
    cost = Cost(time.perf_counter() - start, _children_s() - before)
    if done.returncode not in codes:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return cost


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def best(one: Cost, other: Cost) -> Cost:
    """The smaller value of each kind."""
    return Cost(min(one.wall_s, other.wall_s), min(one.cpu_s, other.cpu_s))


def best_costs(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Cost]:
    """The least cost of each command.

    The commands take turns, so that a machine that gets slower in the middle hits all alike.
    Raises CalledProcessError when one fails.
    """
    found = dict.fromkeys(commands, NEVER)
    for _ in range(rounds):
        for name, command in commands.items():
            found[name] = best(found[name], cost_of(command))
    return found


def row(name: str, cost: Cost, peer: str, peer_cost: Cost) -> str:
    """One line of a result: both costs and the ratio of the times on the clock."""
    ratio = cost.wall_s / peer_cost.wall_s
    return f"{name:44} {_shown(cost)}  {peer:30} {_shown(peer_cost)}  ratio {ratio:7.2f}"


def _shown(cost: Cost) -> str:
    return f"{cost.wall_s:7.3f} s (CPU {cost.cpu_s:6.3f} s)"


def verdict(name: str, cost: Cost, goal_s: float) -> bool:
    """Whether the goal is met; says so, and how busy the machine was."""
    is_met = cost.wall_s < goal_s
    load, processors = os.getloadavg()[0], len(os.sched_getaffinity(0))
    word = "met" if is_met else "missed"
    print(f"{name}: goal {goal_s:g} s {word} (load {load:.1f} on {processors} processors)")
    return is_met
