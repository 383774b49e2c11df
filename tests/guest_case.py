"""Tests that run inside of a guest: a QEMU machine with Debian's own kernel, booted once for all of
them. The tests of the suite are ordinary ones; here each gets the outcome that it had there.

The guest sees this machine's files through a cache, and writes to memory only.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from drctl.errors import ToolMissing
from drctl.lab.boot import GuestLostError, run_guest
from drctl.lab.guest.shell import SEARCH_PATH
from drctl.lab.qemu import Qemu
from tools import need, need_root, refuse

PROGRAM = Path(__file__).with_name("guest_program.py")
BOOT_LIMIT_S = 600
SILENCE_LIMIT_S = 900
"""Of a machine that has other work to do as well."""
VARIABLES = ("CI", "DRCTL_FULL", "DRCTL_CORPUS")
TAG = "machine"
_ROOT = """\
#!/bin/sh
# this machine's files once more, cached by the guest's kernel, below a file system in memory
set -e
export PATH={path} HOME=/root LC_ALL=C.UTF-8
mkdir -p /run/below /run/above
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=524288 {tag} /run/below
mount -t tmpfs none /run/above
mkdir /run/above/files /run/above/work /run/above/root
over=lowerdir=/run/below,upperdir=/run/above/files,workdir=/run/above/work
mount -t overlay -o $over none /run/above/root
cd /run/above/root
mount -t proc none proc
mount -t sysfs none sys
mount --rbind /dev dev
mount -t tmpfs none run
mkdir run/netns
ip link set lo up
exec chroot . env {variables} {program}
"""


def is_guest() -> bool:
    """Whether this process runs in such a guest: only there may clocks be changed."""
    words = Path("/proc/cmdline").read_text("utf-8").split()
    return any(word.startswith("virtme_hostname=") for word in words)


class _Tests(Qemu):
    """Boots a guest that runs pytest on the tests that the plan names."""

    def command(self, work: Path, plan: Path) -> list[str]:
        """See `Kernel`."""
        command = super().command(work, plan)
        variables = {name: os.environ[name] for name in VARIABLES if name in os.environ}
        # importing what is not needed takes seconds there
        variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        script = work / "run"
        script.write_text(
            _ROOT.format(
                path=SEARCH_PATH,
                tag=TAG,
                variables=shlex.join(f"{name}={value}" for name, value in variables.items()),
                program=shlex.join((sys.executable, str(PROGRAM), str(plan))),
            ),
            encoding="utf-8",
        )
        device = f"virtio-9p-pci,fsdev={TAG},mount_tag={TAG}"
        share = f"local,id={TAG},path=/,security_model=none,readonly=on,multidevs=remap"
        return [command[0], f"--qemu-opts=-fsdev {share} -device {device}", *command[1:]]


class Guest:
    """Runs these tests in a guest, in this order; asked for the reports of one after the other."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._work = Path(tempfile.mkdtemp(prefix="drctl-guest-"))
        plan = self._work / "plan"
        plan.write_text("".join(f"{test}\n" for test in tests), encoding="utf-8")
        self._events = self._listen(plan)
        self._lost = ""

    def _listen(self, plan: Path) -> Generator[dict[str, Any], None, None]:
        limits = {"boot_limit_s": BOOT_LIMIT_S, "silence_limit_s": SILENCE_LIMIT_S}
        yield from run_guest(_Tests(), self._work, plan, **limits)

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


def need_guest() -> None:
    """Everything that a guest needs, or the test is skipped; under CI=true it fails."""
    need_root()
    need("qemu-system-x86_64", "qemu-system-x86")
    for tool, package in (("ip", "iproute2"), ("nft", "nftables"), ("modprobe", "kmod")):
        need(tool, package)
    try:
        with tempfile.TemporaryDirectory() as folder:
            Qemu().command(Path(folder), Path(folder, "plan"))
    except ToolMissing as missing:
        refuse(str(missing))


class Delegate:
    """Has the tests of a folder run in a guest; hooks of that folder's conftest call it."""

    def __init__(self) -> None:
        self._tests: list[str] = []
        self._guest: Guest | None = None

    def collected(self, items: Sequence[pytest.Item]) -> None:
        """These are the folder's tests."""
        self._tests = [item.nodeid for item in items]

    def run(self, item: pytest.Item) -> None:
        """Report what became of the test in the guest, which is booted for the first one."""
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        try:
            for report in self._reports(item):
                item.ihook.pytest_runtest_logreport(report=report)
        finally:
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _reports(self, item: pytest.Item) -> list[pytest.TestReport]:
        reports: list[dict[str, Any]] = []

        def ask() -> None:
            if self._guest is None:
                need_guest()
                self._guest = Guest(self._tests)
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
