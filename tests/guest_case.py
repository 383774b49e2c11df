"""Tests that run inside of a guest, booted once for all of them: User-mode Linux, which is quicker
and has no nftables, or QEMU with Debian's own kernel. The tests of the suite are ordinary ones;
here each gets the outcome that it had there.

The guest sees this machine's files, through a cache, and writes to memory only.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from drctl.errors import ToolMissing
from drctl.lab.boot import GuestLostError, run_guest
from drctl.lab.guest_root import ROOTED, RootedQemu, RootedUml
from tools import need, need_root, refuse

PROGRAM = Path(__file__).with_name("guest_program.py")
BOOT_LIMIT_S = 600
SILENCE_LIMIT_S = 900
"""Of a machine that has other work to do as well."""
VARIABLES = ("CI", "DRCTL_FULL", "DRCTL_CORPUS")
_OF_GUESTS = ("virtme_hostname=", "rootfstype=hostfs")
"""Only guests have such words on the command line of their kernel."""


def kernel_here() -> str:
    """The guest's kernel that this process runs on, "uml" or "qemu"; "" on the machine itself.
    Only in guests may clocks be changed."""
    words = Path("/proc/cmdline").read_text("utf-8").split()
    if not any(word.startswith(_OF_GUESTS) for word in words):
        return ""
    return "uml" if "rootfstype=hostfs" in words else "qemu"


def _rooted(kernel: str) -> RootedUml | RootedQemu:
    """A guest that runs pytest on the tests that the plan names."""
    variables = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    # importing what is not needed takes seconds there
    variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return ROOTED[kernel]((sys.executable, str(PROGRAM)), variables)


TOOLS = {
    "uml": (("linux.uml", "user-mode-linux"), ("busybox", "busybox-static")),
    "qemu": (("qemu-system-x86_64", "qemu-system-x86"), ("nft", "nftables")),
}


class Guest:
    """Runs these tests in a guest, in this order; asked for the reports of one after the other."""

    def __init__(self, kernel: str, tests: Sequence[str]) -> None:
        self._kernel = _rooted(kernel)
        self._work = Path(tempfile.mkdtemp(prefix="drctl-guest-"))
        plan = self._work / "plan"
        plan.write_text("".join(f"{test}\n" for test in tests), encoding="utf-8")
        self._events = self._listen(plan)
        self._lost = ""

    def _listen(self, plan: Path) -> Generator[dict[str, Any], None, None]:
        limits = {"boot_limit_s": BOOT_LIMIT_S, "silence_limit_s": SILENCE_LIMIT_S}
        yield from run_guest(self._kernel, self._work, plan, **limits)

    def reports(self, test: str) -> list[dict[str, Any]]:
        """All that pytest reported of the test there. Raises GuestLostError without an end."""
        found = []
        while not self._lost:
            try:
                event = next(self._events)
            except GuestLostError as lost:
                self._lost = str(lost)
                break
            except StopIteration:
                self._lost = "the guest ended before this test"
                break
            if event["event"] == "report" and event["report"]["nodeid"] == test:
                found.append(event["report"])
            if event["event"] == "over" and event["test"] == test:
                return found
            if event["event"] == "done":
                self._lost = "the guest did not run this test"
        raise GuestLostError(self._lost)

    def close(self) -> None:
        """Nothing of it is left."""
        self._events.close()
        shutil.rmtree(self._work)


def need_guest(kernel: str) -> None:
    """Everything that such a guest needs, or the test is skipped; under CI=true it fails."""
    need_root()
    for tool, package in (*TOOLS[kernel], ("ip", "iproute2"), ("modprobe", "kmod")):
        need(tool, package)
    try:
        with tempfile.TemporaryDirectory() as folder:
            _rooted(kernel).command(Path(folder), Path(folder, "plan"))
    except ToolMissing as missing:
        refuse(str(missing))


class Delegate:
    """Has tests run in a guest with this kernel; hooks of a conftest call it."""

    def __init__(self, kernel: str, items: Sequence[pytest.Item]) -> None:
        self._kernel = kernel
        self._tests = [item.nodeid for item in items]
        self._guest: Guest | None = None

    def run(self, item: pytest.Item) -> None:
        """Report what became of the test in the guest, which is booted for the first one."""
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        try:
            for report in self._reports(item):
                item.ihook.pytest_runtest_logreport(report=report)
        finally:
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            if item.nodeid == self._tests[-1]:
                self.close()

    def _reports(self, item: pytest.Item) -> list[pytest.TestReport]:
        reports: list[dict[str, Any]] = []

        def ask() -> None:
            if self._guest is None:
                need_guest(self._kernel)
                self._guest = Guest(self._kernel, self._tests)
            reports.extend(self._guest.reports(item.nodeid))

        call = pytest.CallInfo.from_call(_quietly(ask), "setup", reraise=KeyboardInterrupt)
        if call.excinfo is not None:
            return [pytest.TestReport.from_item_and_call(item, call)]
        found = []
        for report in reports:
            if isinstance(report["longrepr"], list):
                # the place and the reason of a skip, which JSON makes a list of
                report["longrepr"] = tuple(report["longrepr"])
            made = item.config.hook.pytest_report_from_serializable(config=item.config, data=report)
            found.append(made)
        return found

    def close(self) -> None:
        """End the guest."""
        if self._guest is not None:
            self._guest.close()
            self._guest = None


def _quietly(work: Callable[[], None]) -> Callable[[], None]:
    """A guest that was lost is a failure with words, not a traceback."""

    def do() -> None:
        lost = ""
        try:
            work()
        except GuestLostError as cause:
            lost = str(cause)
        if lost:
            pytest.fail(lost, pytrace=False)

    return do
