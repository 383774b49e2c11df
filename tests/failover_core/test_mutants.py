"""The simulator sees the loss of every safeguard, and only that."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulator.mutant import MUTANTS, Mutant, copy_core, kill
from simulator.world import load_core

LIMIT = 40
NAMED = [pytest.param(number, id=mutant.name) for number, mutant in enumerate(MUTANTS)]


def test_mutants_are_twenty_or_more() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20


@pytest.mark.parametrize("number", NAMED)
def test_mutant_is_killed_by_the_invariant_it_names(number: int, tmp_path: Path) -> None:
    mutant: Mutant = MUTANTS[number]
    core = copy_core(mutant, tmp_path, f"changed_core_{number}")
    killed = kill(mutant, core, LIMIT)
    assert killed is not None, f"{mutant.name}: {mutant.invariant} holds in {LIMIT} histories"
    print(f"seed {killed[0].seed}: {killed[1]}")


@pytest.mark.parametrize("number", NAMED)
def test_real_core_lives_in_the_same_histories(number: int) -> None:
    assert kill(MUTANTS[number], load_core(), LIMIT // 4) is None
