"""Targets of the fuzzer on inputs that failed once, on some that are made now, and on a fault that
is planted. `make fuzz` runs them for longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fuzz_engine import find_failure
from fuzz_targets import TARGETS, Planted, Target, TooSlow, check_place, files_of, planted, run
from fuzz_texts import CASES, seeds

from drctl.text.place import Place
from drctl.text.source import SourceFile

EXAMPLES = 3000 if os.environ.get("DRCTL_FULL") == "1" else 60
PLANTED_EXAMPLES = 4000
SAVED = sorted(CASES.glob("*/*"))


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("case", SAVED, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_input_that_failed_once_passes(case: Path, name: str) -> None:
    run(TARGETS[name], case.read_bytes())


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_target_holds_for_inputs_made_at_random(target: Target) -> None:
    found = find_failure(target, 1, EXAMPLES)
    if found is not None:
        pytest.fail(f"{found[0]!r}: {found[1]!r}")


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_target_holds_for_examples_of_the_tables(target: Target) -> None:
    for raw in seeds(target.name, target.dialect)[::20]:
        run(target, raw)


def test_planted_crash_is_found_and_made_small() -> None:
    for start in range(PLANTED_EXAMPLES // 500):
        found = find_failure(planted(), start, 500)
        if found is not None:
            break
    assert found is not None
    raw, failure = found
    assert isinstance(failure, Planted)
    assert len(raw) < 40


def test_input_that_takes_too_long_fails() -> None:
    def work(raw: bytes) -> int:
        return sum(range(len(raw) * 10**6))

    def check(raw: bytes, outcome: int) -> None:
        assert bool(raw) == bool(outcome)

    target = Target("slow", work, check)
    run(target, b"a")
    with pytest.raises(TooSlow):
        run(target, b"a", slowest_s=1e-6)


@pytest.mark.parametrize("place", [(2, 1, 2, 1), (1, 5, 1, 5), (1, 2, 1, 1), (0, 1, 1, 1)])
def test_place_outside_of_its_file_is_noticed(place: tuple[int, int, int, int]) -> None:
    sources = {"x": SourceFile("x", "abc")}
    check_place(Place("x", 1, 1, 1, 4), sources)
    with pytest.raises(AssertionError):
        check_place(Place("x", *place), sources)


def test_input_is_several_files_and_a_version() -> None:
    raw = b"a\n%%%% b.conf\nb\n%%%% version 2.4.3\n%%%% c.conf\nc"
    assert files_of(raw) == (
        "2.4.3",
        {"main.conf": b"a\n", "b.conf": b"b\n%%%% version 2.4.3\n", "c.conf": b"c"},
    )
