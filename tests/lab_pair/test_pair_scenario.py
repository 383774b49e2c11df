"""Promises of a demonstration: each that is broken is named."""

from __future__ import annotations

import dataclasses
import re

import pytest
from corpus import PROJECT

from drctl.lab.pair.client import Seen
from drctl.lab.pair.scenario import SLACK_MS, STEPS, Outcome, verdict

STEP = STEPS[0]
WELL = Outcome(
    STEP, "a switch", 0, Seen(2.0, 2, 0, ("lb1", "lb2"), 2000), [], "lb2", "lb2", lost=0, sent=2000
)


def seen(outage_ms: float = 2.0, twice: int = 0) -> Seen:
    return Seen(outage_ms, 2, twice, ("lb1", "lb2"), 2000)


def test_step_that_went_well_breaks_no_promise() -> None:
    assert WELL.problems() == []


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (dataclasses.replace(WELL, seen=seen(twice=1)), "1 requests were answered twice"),
        (dataclasses.replace(WELL, seen=seen(171)), "unanswered for more than 170 ms"),
        (dataclasses.replace(WELL, holder="lb1"), "lb1 has the VIP, not lb2"),
        (dataclasses.replace(WELL, holder=""), "nobody has the VIP, not lb2"),
        (dataclasses.replace(WELL, lost=3), "3 packets of a stream were lost"),
    ],
)
def test_promise_that_is_broken_is_named(outcome: Outcome, problem: str) -> None:
    assert outcome.problems() == [problem]


def test_verdict_of_all_that_went_well_is_good() -> None:
    text, is_kept = verdict([STEP], [WELL])
    assert is_kept
    assert text == ("1 of 1 promises kept; longest outage 2 ms, 0 of 2000 requests answered twice")


def test_verdict_with_a_broken_promise_is_bad() -> None:
    broken = dataclasses.replace(WELL, seen=seen(400, twice=5))
    text, is_kept = verdict([STEP, STEP], [WELL, broken])
    assert not is_kept
    assert text.startswith("1 of 2 promises kept; longest outage 400 ms, 5 of 4000")


def test_verdict_of_steps_that_were_not_played_is_bad() -> None:
    assert not verdict([STEP, STEP], [WELL])[1]
    assert not verdict([STEP], [])[1]


def test_every_chapter_ends_as_it_began() -> None:
    """What moves the VIP and breaks something is followed by a step that mends it."""
    for chapter in {step.chapter for step in STEPS} - {"switch"}:
        moves = [step.moves for step in STEPS if step.chapter == chapter]
        assert moves == [True, False], chapter


def test_bounds_allow_a_busy_machine_no_more_than_is_said() -> None:
    assert [step.most_ms - step.promise_ms for step in STEPS] == [SLACK_MS] * len(STEPS)


def test_readme_shows_every_step_and_a_demonstration_that_kept_its_promises() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    block = readme.partition("== drctl run on two directors\n")[2].partition("```")[0]
    for step in STEPS:
        words = re.escape(step.text).replace(r"\{\}", "lb[12]")
        row = rf"^ +[\d.]+ s {words} +(holds  -|-      holds)\n"
        assert re.search(row, block, re.MULTILINE), step.text
    assert block.count(" kept: unanswered ") == len(STEPS)
    for step in STEPS:
        assert f"(at most {step.most_ms:.0f})" in block
    assert f"{len(STEPS)} of {len(STEPS)} promises kept" in block
    assert re.search(r", 0 of \d+ requests answered twice$", block, re.MULTILINE)
