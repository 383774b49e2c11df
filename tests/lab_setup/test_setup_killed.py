"""`drctl lab up` is killed at any point: what is left can be taken down, or made whole."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from lab_setup_case import FULL, LIMIT_S, Lab, lab, verdicts
from netns_case import wait_until

STEPS = (
    "namespaces",
    "switch and cables",
    "hosts",
    "real servers",
    "real server web2",
    "directors",
    "director primary",
    "director backup",
)


def kill_at(made: Lab, step: str) -> None:
    """Begin to bring it up, and kill that when the step begins."""
    command = made.command("up", "--verbose")
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as maker:
        assert maker.stderr is not None
        lines = []
        for line in maker.stderr:
            lines.append(line.decode())
            if lines[-1] == f"{step}\n":
                maker.kill()
                break
        assert maker.wait(LIMIT_S) == -signal.SIGKILL, lines


ALWAYS = ("switch and cables", "director backup")
OFTEN = [step if step in ALWAYS else pytest.param(step, marks=FULL) for step in STEPS]


@pytest.mark.parametrize("step", OFTEN)
def test_killed_at_a_step_down_leaves_nothing(step: str) -> None:
    with lab() as made:
        kill_at(made, step)
        assert made.left([]), "nothing was begun"
        made.go()


@pytest.mark.parametrize("step", OFTEN)
def test_killed_at_a_step_up_makes_it_whole(step: str) -> None:
    with lab() as made:
        kill_at(made, step)
        told = made.told("up")
        assert set(verdicts(told["verify"]).values()) == {"ok"}
        assert {one["verdict"] for one in told["verify"]["through"]} == {"ok"}
        made.go()


@FULL
def test_down_killed_is_ended_by_another_one() -> None:
    with lab() as made:
        made.told("up")
        before = made.namespaces()
        with subprocess.Popen(made.command("down")) as taker:
            while len(made.namespaces()) == len(before) and taker.poll() is None:
                os.sched_yield()
            taker.kill()
        made.go()


@FULL
@pytest.mark.parametrize("delay_ms", range(200, 4200, 200))
def test_killed_after_a_while_down_leaves_nothing(delay_ms: int) -> None:
    with lab() as made:
        with subprocess.Popen(made.command("up"), stdout=subprocess.DEVNULL) as maker:
            wait_until(time.monotonic() + delay_ms / 1000)
            maker.kill()
        made.go()
