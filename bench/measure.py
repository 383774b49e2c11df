"""What commands cost, as the benchmarks need it: time on the clock and on the processors,
interleaved, best of several runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds on the clock, and on all processors together. On a machine that does something else
    too the second is the steadier one. `peak_bytes` is the most memory that the program had."""

    wall_s: float
    cpu_s: float
    peak_bytes: float


NEVER = Cost(float("inf"), float("inf"), float("inf"))


def cost_of(command: Sequence[str], codes: tuple[int, ...] = (0,)) -> Cost:
    """One run; CalledProcessError when it ends with none of `codes`."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        program = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, used = os.wait4(program.pid, 0)
        wall_s = time.perf_counter() - start
        # Popen must not wait for what was waited for already
        program.returncode = os.waitstatus_to_exitcode(status)
        if program.returncode not in codes:
            output.seek(0)
            raise subprocess.CalledProcessError(program.returncode, command, output.read())
    return Cost(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def best(one: Cost, other: Cost) -> Cost:
    """The smaller value of each kind."""
    return Cost(*map(min, one, other))


def best_costs(
    commands: Mapping[str, Sequence[str]], rounds: int, codes: tuple[int, ...] = (0,)
) -> dict[str, Cost]:
    """The least cost of each command.

    The commands take turns, so that a machine that gets slower in the middle hits all alike.
    Raises CalledProcessError when one fails.
    """
    found = dict.fromkeys(commands, NEVER)
    for _ in range(rounds):
        for name, command in commands.items():
            found[name] = best(found[name], cost_of(command, codes))
    return found


def row(name: str, cost: Cost, peer: str, peer_cost: Cost) -> str:
    """One line of a result: both costs and the ratio of the times on the clock."""
    ratio = cost.wall_s / peer_cost.wall_s
    return f"{name:44} {_shown(cost)}  {peer:30} {_shown(peer_cost)}  ratio {ratio:7.2f}"


def _shown(cost: Cost) -> str:
    return f"{cost.wall_s:7.3f} s (CPU {cost.cpu_s:6.3f} s)"


def verdict(name: str, cost: Cost, goal_s: float) -> bool:
    """Whether the goal is met; says so, and how busy the machine was."""
    return judged(name, cost.wall_s, goal_s, " s")


def judged(name: str, value: float, goal: float, unit: str) -> bool:
    """Whether `value` is below the goal; says so, and how busy the machine was."""
    is_met = value < goal
    load, processors = os.getloadavg()[0], len(os.sched_getaffinity(0))
    word = "met" if is_met else "missed"
    shown = f"{value:.3g}{unit}, goal {goal:g}{unit} {word}"
    print(f"{name}: {shown} (load {load:.1f} on {processors} processors)")
    return is_met


def keepalived() -> str | None:
    """Path of the peer, None when it is not installed."""
    return shutil.which("keepalived") or shutil.which("keepalived", path="/usr/sbin")
