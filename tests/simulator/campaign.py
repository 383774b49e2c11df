"""Many histories, on all processors."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulator.run import random_schedule, run
from simulator.world import load_core

CHUNK = 200


@dataclass(slots=True)
class Summary:
    """What a campaign gave. `changes` counts those of roles, by before and after; `broken` maps a
    seed to what the judge, or Python, said."""

    schedules: int = 0
    takeovers: int = 0
    seconds: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: dict[int, str] = field(default_factory=dict)

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kinds.items()))
        changes = ", ".join(f"{one[0]} -> {one[1]} {n}" for one, n in sorted(self.changes.items()))
        head = f"{self.schedules} schedules in {self.seconds / 60:.1f} minutes"
        lines = [
            f"{head}, {self.takeovers} takeovers, {len(self.broken)} broken",
            f"faults: {kinds}",
            f"roles: {changes}",
        ]
        lines += [f"seed {seed}: {text}" for seed, text in sorted(self.broken.items())]
        return "\n".join(lines)


def campaign(first: int, count: int, *, processes: int | None = None) -> Summary:
    """Play the schedules of the seeds from `first` on. Broken ones go to stderr as they are found,
    and progress when that is a terminal."""
    total = Summary()
    started = time.monotonic()
    chunks = [
        (seed, min(CHUNK, first + count - seed)) for seed in range(first, first + count, CHUNK)
    ]
    for part in _parts(chunks, processes or len(os.sched_getaffinity(0))):
        total.schedules += part.schedules
        total.takeovers += part.takeovers
        total.kinds.update(part.kinds)
        total.changes.update(part.changes)
        total.broken.update(part.broken)
        total.seconds = time.monotonic() - started
        for seed, text in part.broken.items():
            print(f"\rseed {seed}: {text}", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            done = f"{total.schedules} of {count}, {len(total.broken)} broken"
            print(f"\r{done} ", end="", file=sys.stderr, flush=True)
    return total


def _parts(chunks: list[tuple[int, int]], processes: int) -> Iterator[Summary]:
    if processes == 1 or len(chunks) == 1:
        yield from map(_play, chunks)
        return
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap_unordered(_play, chunks)


def _play(chunk: tuple[int, int]) -> Summary:
    first, count = chunk
    core = load_core()
    part = Summary()
    for seed in range(first, first + count):
        schedule = random_schedule(seed)
        part.schedules += 1
        part.kinds.update(one.kind for one in schedule.faults)
        try:
            result = run(schedule, core)
        except Exception as error:  # noqa: BLE001 - the seed is what has to be told
            part.broken[seed] = f"{type(error).__name__}: {error}"
            continue
        part.takeovers += result.takeovers
        part.changes.update(result.changes)
        if result.violations:
            part.broken[seed] = "; ".join(map(str, result.violations))
    return part
