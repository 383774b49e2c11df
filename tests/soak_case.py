"""A pair that runs for long on a busy machine, and what may not come of it: a takeover without a
fault, memory or descriptors that grow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drctl.daemon.control_client import ask
from drctl.lab.pair.client import Seen
from drctl.lab.pair.director import Director
from drctl.lab.pair.stage import Plan, Stage, now_ms, stage

HOUR_S = 3600.0
MOST_KIB_PER_HOUR = 1024.0
WARM_UP_S = 300.0
SAMPLE_EVERY_S = 2.0
PERIOD_S = 0.01
"""The client asks that often: 1 ms, as elsewhere, would be a load of its own."""
QUIET_ROLES = frozenset({"active", "standby", "suspect"})
"""A standby that becomes suspect, and standby again, has taken nothing over."""
BUSY = "while True: pass"


@dataclass(frozen=True)
class Reading:
    """What a process has at one moment: memory (resident, and swapped out), open descriptors."""

    memory_kib: int
    descriptors: int


@dataclass(frozen=True)
class Sample:
    """All processes of a pair at one moment, by name."""

    at_s: float
    processes: Mapping[str, Reading]


@dataclass(frozen=True)
class Growth:
    """What became of a process. `kib_per_hour` is the slope of the line that fits best."""

    first_kib: int
    last_kib: int
    kib_per_hour: float
    first_descriptors: int
    last_descriptors: int


@dataclass
class Soak:
    """What was found."""

    samples: list[Sample]
    seen: Seen
    moves: list[str]
    """Changes of role while nothing happened, but for suspicions."""
    suspicions: int
    alarms: list[str]
    load: list[float] = field(default_factory=list)

    def problems(self, most_kib_per_hour: float) -> list[str]:
        """Everything that may not be."""
        found = [f"it moved without a fault: {move}" for move in self.moves]
        if self.seen.twice:
            found.append(f"{self.seen.twice} requests were answered twice")
        if len(self.seen.holders) != 1:
            found.append(f"the client was answered by {' '.join(self.seen.holders) or 'nobody'}")
        return found + growth_problems(self.samples, most_kib_per_hour)


def growth_problems(samples: Sequence[Sample], most_kib_per_hour: float) -> list[str]:
    """What grows, or has ended, in samples of the time after warming up."""
    steady = steady_processes(samples)
    # a program that is run now and then is in one sample, or in a few
    quarter = max(1, len(samples) // 4)
    old, new = (steady_processes(some) for some in (samples[:quarter], samples[-quarter:]))
    found = [f"{name} ended" for name in sorted(old - steady)]
    found += [f"{name} was started, and stays" for name in sorted(new - steady)]
    total = 0.0
    for name, growth in growths(samples).items():
        total += growth.kib_per_hour
        more = growth.last_descriptors - growth.first_descriptors
        if more > 0:
            found.append(f"{name} has {more} descriptors more than it had")
    if total >= most_kib_per_hour:
        found.append(f"memory grows by {total:.0f} KiB an hour (below {most_kib_per_hour:.0f})")
    return found


def steady_processes(samples: Iterable[Sample]) -> set[str]:
    """Those that are in every sample."""
    return set.intersection(*(set(sample.processes) for sample in samples))


def growths(samples: Sequence[Sample]) -> dict[str, Growth]:
    """By process, of those that are in every sample.

    Descriptors come and go with every question and every program: the fewest of the first quarter
    of the time are compared with the fewest of the last.
    """
    found = {}
    quarter = max(1, len(samples) // 4)
    for name in sorted(steady_processes(samples)):
        readings = [sample.processes[name] for sample in samples]
        memory = [reading.memory_kib for reading in readings]
        points = [(sample.at_s, sample.processes[name].memory_kib) for sample in samples]
        found[name] = Growth(
            memory[0],
            memory[-1],
            slope(points) * HOUR_S,
            min(reading.descriptors for reading in readings[:quarter]),
            min(reading.descriptors for reading in readings[-quarter:]),
        )
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line through the points, by least squares; 0 for fewer than two instants."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return 0.0
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def reading_of(pid: int) -> Reading | None:
    """Of one process; None when it has ended, or is about to."""
    try:
        # `status` has counts that lag behind by up to 64 pages for each thread
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names only
    except (FileNotFoundError, ProcessLookupError):
        return None
    lines = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
    kib = sum(int(lines[name].split()[0]) for name in ("Rss", "Swap"))
    return Reading(kib, descriptors)


def sample_of(directors: Iterable[Director]) -> Sample:
    """All processes in the directors' namespaces, now."""
    found = {}
    for director in directors:
        for pid in director.host.pids():
            if (reading := reading_of(pid)) is not None:
                found[f"{director.name} {_name(pid, director)} {pid}"] = reading
    return Sample(time.monotonic(), found)


def _name(pid: int, director: Director) -> str:
    if pid == director.pid:
        return "controller"
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, ProcessLookupError):
        return "ended"


@contextmanager
def busy(processes: int, at_most_s: float) -> Iterator[None]:
    """So many that do nothing but turn, at ordinary priority; they end by themselves too."""
    with ExitStack() as stack:
        for _ in range(processes):
            command = ["timeout", str(at_most_s), sys.executable, "-c", BUSY]
            process = subprocess.Popen(command)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield


def soak(
    seconds: float,
    *,
    warm_up_s: float = WARM_UP_S,
    heartbeat_ms: int = 20,
    disturb: Callable[[Stage], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Soak:
    """Run a pair with every processor loaded twice, and measure for `seconds` after warming up.

    `disturb` is called when measuring begins. An operator asks both for their status every ten
    seconds, and a program that is tracked is run every second.
    """
    plan = Plan(heartbeat_ms=heartbeat_ms, has_script=True, period_s=PERIOD_S)
    count = 2 * len(os.sched_getaffinity(0))
    with stage(plan) as live, busy(count, seconds + warm_up_s + 60):
        pair = list(live.directors.values())
        _watch(pair, warm_up_s, tell)
        since_ms, since_wall_ms = now_ms(), time.time() * 1000
        before = [len(_roles(each)) for each in pair]
        disturb(live)
        samples, load = _watch(pair, seconds, tell)
        changes = [
            (each.name, event)
            for each, known in zip(pair, before, strict=True)
            for event in _roles(each)[known:]
        ]
        alarms = [f"{each.name}: {text}" for each in pair for text in each.status()["alarms"]]
        return Soak(
            samples,
            live.client.seen(since_ms),
            [
                f"{name}: {event['before']} > {event['after']}, {event['reason']},"
                f" after {(event['at_ms'] - since_wall_ms) / 1000:.1f} s"
                for name, event in changes
                if not {event["before"], event["after"]} <= {"standby", "suspect"}
            ],
            sum(event["after"] == "suspect" for _, event in changes),
            alarms,
            load,
        )


def _roles(director: Director) -> list[dict[str, Any]]:
    """Every change of its role, the oldest first."""
    told = json.loads(director.ask("history", "--kind", "role", "--limit", "100000", "--json"))
    return list(told["events"])


def _watch(
    pair: list[Director], seconds: float, tell: Callable[[str], None]
) -> tuple[list[Sample], list[float]]:
    """Samples of this time, and the machine's load every minute."""
    samples = [sample_of(pair)]
    load = []
    start_s = time.monotonic()
    due_s, told_s, asked_s = start_s, start_s, start_s
    while (now_s := time.monotonic()) < start_s + seconds:
        if now_s >= told_s + 60:
            told_s = now_s
            load.append(os.getloadavg()[0])
            kib = sum(each.memory_kib for each in samples[-1].processes.values())
            tell(f"{now_s - start_s:5.0f} s, load {load[-1]:.1f}, all processes {kib} KiB")
        if now_s >= asked_s + 10:
            asked_s = now_s
            for each in pair:
                ask(each.folder / "control.sock", {"command": "status"}, 10)
        due_s = max(due_s + SAMPLE_EVERY_S, now_s)
        time.sleep(max(0.0, due_s - time.monotonic()))
        samples.append(sample_of(pair))
    return samples, load or [os.getloadavg()[0]]


def table(found: Soak) -> str:
    """The processes, and what the client saw."""
    lines = ["process                      at first    at last   growth an hour   descriptors"]
    total = 0.0
    for name, growth in growths(found.samples).items():
        total += growth.kib_per_hour
        lines.append(
            f"{name:26} {growth.first_kib:7} KiB {growth.last_kib:6} KiB"
            f" {growth.kib_per_hour:12.1f} KiB   {growth.first_descriptors}"
            f" > {growth.last_descriptors}"
        )
    lines.append(f"all of them {total:50.1f} KiB")
    lines.append(f"client: {found.seen}")
    lines.append(f"suspicions: {found.suspicions}; moves: {len(found.moves)}")
    lines += [f"alarm: {text}" for text in found.alarms]
    lines.append(f"load: {min(found.load):.1f} to {max(found.load):.1f}")
    return "\n".join(lines)
