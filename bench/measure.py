"""Wall-clock time of commands, as the benchmarks need it: interleaved, best of several runs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence


def best_seconds(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, float]:
    """The shortest run of each command in seconds.

    The commands take turns, so that a machine that gets slower in the middle hits all alike.
    Raises CalledProcessError when one fails.
    """
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(rounds):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def row(name: str, seconds: float, peer: str, peer_seconds: float) -> str:
    """One line of a result: both times and their ratio."""
    ratio = seconds / peer_seconds
    return f"{name:44} {seconds:8.3f} s  {peer:34} {peer_seconds:8.3f} s  ratio {ratio:6.2f}"
