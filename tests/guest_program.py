"""Runs pytest in a guest, and tells the machine outside what becomes of each test.

`python guest_program.py PLAN`; the plan has the id of a test in each line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from drctl.lab.guest import events  # noqa: E402


class Teller:
    """Sends every report outside. pytest takes standard output away, so there is another one."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        made = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        emit("report", report=made)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        emit("over", test=nodeid)


class Beginning:
    """Registers the other one when there is a configuration."""

    def pytest_configure(self, config: pytest.Config) -> None:
        emit("booted")
        config.pluginmanager.register(Teller(config))


_OUTSIDE = os.fdopen(os.dup(1), "w", encoding="utf-8")


def emit(event: str, **fields: object) -> None:
    """As `events.emit`, to where standard output led first."""
    captured, sys.stdout = sys.stdout, _OUTSIDE
    try:
        events.emit(event, **fields)
    finally:
        sys.stdout = captured


def main(plan: str) -> None:
    """Run the tests of the plan."""
    tests = Path(plan).read_text("utf-8").splitlines()
    os.chdir(PROJECT)
    pytest.main(["-p", "no:cacheprovider", *tests], plugins=[Beginning()])
    emit("done")


if __name__ == "__main__":
    main(sys.argv[1])
