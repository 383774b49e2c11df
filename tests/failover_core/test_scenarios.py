"""Histories that are kept: each has its transcript, and breaks no invariant."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import PROJECT
from simulator.scenario import play
from simulator.world import load_core

FILES = sorted((PROJECT / "tests" / "scenarios").glob("*.txt"))


def test_scenarios_are_there() -> None:
    assert len(FILES) >= 10


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_scenario_goes_as_its_transcript_says(file: Path) -> None:
    result, transcript, expected = play(file.read_text(), load_core())
    assert not result.violations, "\n".join(map(str, result.violations))
    assert transcript == expected, "python tools/simulate.py --rewrite makes the transcripts anew"
