"""Twice the text is twice the work, in every part and for every hostile kind of text.

Work is counted in calls, which is the same on every machine; what C does in one call is measured in
time, for long texts, by `make test-full`.
"""

from __future__ import annotations

import os
import sys
import time
from types import FrameType

import pytest
from fuzz_families import KEEPALIVED, LVS_CF, Family
from fuzz_targets import TARGETS, Target

SIZE = 60
MOST_CALLS = 2.6
"""Quadratic work is 4; sorting is a little more than 2."""
ONCE = 1500
"""Calls for what only the longer text needs: its line is too long for keepalived."""
LONG, MOST_TIME = 1500, 9.0
"""For four times the text; quadratic is 16."""
ATTEMPTS = 4
CASES = [
    (target, families[name], name)
    for families, targets in (
        (KEEPALIVED, ("text", "tree", "expand", "tables", "keepalived", "effective", "lint")),
        (LVS_CF, ("tree", "lvs_cf", "pulse")),
    )
    for target in targets
    for name in families
]


def calls(target: Target, text: str) -> int:
    """How many functions are called, C's too."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        del frame, argument
        if event in ("call", "c_call"):
            count += 1

    raw = text.encode()
    sys.setprofile(note)
    try:
        target.work(raw)
    finally:
        sys.setprofile(None)
    return count


def seconds(target: Target, text: str) -> float:
    raw = text.encode()
    best = float("inf")
    for _ in range(2):
        start = time.process_time()
        target.work(raw)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize(
    ("name", "family", "what"), CASES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_twice_the_text_takes_twice_the_calls(name: str, family: Family, what: str) -> None:
    target = TARGETS[name]
    target.work(family(2).encode())
    small, large = calls(target, family(SIZE)), calls(target, family(2 * SIZE))
    assert large <= MOST_CALLS * small + ONCE, f"{what}: {small} calls, {large} for twice the text"


# in `make test-full` only: it takes minutes
@pytest.mark.parametrize(
    ("name", "family", "what"),
    CASES if os.environ.get("DRCTL_FULL") == "1" else CASES[:3],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_four_times_the_text_takes_four_times_the_time(
    name: str, family: Family, what: str
) -> None:
    target = TARGETS[name]
    small, large = family(LONG), family(4 * LONG)
    ratios = []
    for _ in range(ATTEMPTS):
        ratios.append(seconds(target, large) / max(seconds(target, small), 0.005))
        if ratios[-1] < MOST_TIME:
            return
    pytest.fail(f"{what}: {ratios}")


def test_quadratic_work_is_noticed() -> None:
    def work(raw: bytes) -> int:
        return sum(len(str(byte)) for byte in raw for _ in raw)

    def check(raw: bytes, outcome: int) -> None:
        assert outcome >= len(raw)

    target = Target("quadratic", work, check)
    assert calls(target, "x" * 2 * SIZE) > MOST_CALLS * calls(target, "x" * SIZE) + ONCE
