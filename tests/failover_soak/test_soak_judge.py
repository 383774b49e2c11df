"""Planted growth and planted moves are found, and what only looks like them is not."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable

import pytest
from soak_case import HOUR_S, MOST_KIB_PER_HOUR, Reading, Sample, Soak, growth_problems, reading_of

from drctl.lab.pair.client import Seen

EVERY_S = 10.0
QUIET = Seen(0.0, 0, 0, ("lb1",), 360_000)
LEAKING = """
import os, sys
kept = []
for line in sys.stdin:
    kept.append(bytearray(os.urandom(1 << 19)))
    kept.append(open(os.devnull))
    print(flush=True)
"""

Memory = Callable[[float], float]


def stays(_: float) -> float:
    return 12_000


def forty(_: float) -> float:
    return 40


def series(
    memory: Memory, seconds: float = HOUR_S, *, other: Memory = stays, descriptors: Memory = forty
) -> list[Sample]:
    """Two processes: the memory of both, and the descriptors of the first one."""
    found = []
    for number in range(int(seconds / EVERY_S) + 1):
        at_s = number * EVERY_S
        processes = {
            "lb1 controller": Reading(int(memory(at_s)), int(descriptors(at_s))),
            "lb1 guard": Reading(int(other(at_s)), 8),
        }
        found.append(Sample(1000 + at_s, processes))
    return found


def problems(samples: list[Sample]) -> list[str]:
    return growth_problems(samples, MOST_KIB_PER_HOUR)


def noise(at_s: float) -> float:
    """Some hundred KiB that come and go, without a direction."""
    return random.Random(at_s).choice((0, 4, 64, 256))


def test_memory_that_stays_is_no_problem() -> None:
    assert problems(series(lambda _: 30_000)) == []


def test_memory_that_comes_and_goes_is_no_problem() -> None:
    assert problems(series(lambda at_s: 30_000 + noise(at_s))) == []


@pytest.mark.parametrize("seconds", [60, 600, HOUR_S])
def test_memory_that_grows_by_two_mib_an_hour_is_found(seconds: float) -> None:
    found = problems(series(lambda at_s: 30_000 + 2048 * at_s / HOUR_S, seconds))
    assert [text.split(" by ")[0] for text in found] == ["memory grows"]


def test_memory_that_grows_under_noise_is_found() -> None:
    assert problems(series(lambda at_s: 30_000 + noise(at_s) + 1500 * at_s / HOUR_S))


def test_memory_that_grows_less_than_a_mib_an_hour_is_no_problem() -> None:
    assert problems(series(lambda at_s: 30_000 + 900 * at_s / HOUR_S)) == []


def test_memory_that_grows_a_little_in_every_process_is_found() -> None:
    def grow(at_s: float) -> float:
        return 12_000 + 700 * at_s / HOUR_S

    assert problems(series(grow, other=grow))


def test_a_descriptor_that_stays_open_is_found() -> None:
    found = problems(series(lambda _: 1, descriptors=lambda at_s: 40 + (at_s > HOUR_S / 2)))
    assert found == ["lb1 controller has 1 descriptors more than it had"]


def test_descriptors_that_are_open_for_a_moment_are_no_problem() -> None:
    assert problems(series(lambda _: 1, descriptors=lambda at_s: 40 + at_s % 30 / 10)) == []


def test_a_process_that_ends_is_found() -> None:
    samples = series(lambda _: 1)
    del samples[-1].processes["lb1 guard"]  # type: ignore[attr-defined]
    assert problems(samples) == ["lb1 guard ended"]


def test_a_process_that_stays_is_found_and_one_that_ends_is_not() -> None:
    samples = series(lambda _: 1)
    for number, sample in enumerate(samples):
        sample.processes[f"lb1 true {number // 2}"] = Reading(9, 3)  # type: ignore[index]
        if number > 100:
            sample.processes["lb1 sh 9"] = Reading(9, 3)  # type: ignore[index]
    assert problems(samples) == ["lb1 sh 9 was started, and stays"]


@pytest.mark.parametrize(
    ("seen", "moves", "words"),
    [
        (QUIET, ["lb2: suspect > taking, silence"], "it moved without a fault"),
        (Seen(0.0, 0, 1, ("lb1",), 9), [], "1 requests were answered twice"),
        (Seen(0.0, 0, 0, ("lb1", "lb2"), 9), [], "answered by lb1 lb2"),
        (Seen(90.0, 9, 0, (), 9), [], "answered by nobody"),
    ],
)
def test_a_move_is_found(seen: Seen, moves: list[str], words: str) -> None:
    found = Soak(series(lambda _: 1), seen, moves, 0, []).problems(MOST_KIB_PER_HOUR)
    assert len(found) == 1
    assert words in found[0]


def test_nothing_is_found_where_nothing_is() -> None:
    assert Soak(series(lambda _: 1), QUIET, [], 3, []).problems(MOST_KIB_PER_HOUR) == []


def test_a_process_that_leaks_is_measured() -> None:
    command = [sys.executable, "-c", LEAKING]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as leaking:
        assert leaking.stdin is not None
        assert leaking.stdout is not None
        samples = []
        for number in range(8):
            leaking.stdin.write("\n")
            leaking.stdout.readline()
            reading = reading_of(leaking.pid)
            assert reading is not None
            samples.append(Sample(float(number), {"leaking": reading}))
        leaking.stdin.close()
    found = problems(samples)
    assert len(found) == 2, found
    assert found[0] == "leaking has 6 descriptors more than it had"
    assert found[1].startswith("memory grows by")


def test_a_process_that_has_ended_has_no_reading() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        assert reading_of(ended.pid) is None
