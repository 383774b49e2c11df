"""A lab run from a configuration file to verdicts: convert, plan, boot, listen, judge."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drctl.errors import DrctlError, ToolMissing, UsageError
from drctl.lab.boot import Kernel, check_visible_temporary, python_path, run_guest
from drctl.lab.guest.shell import SEARCH_PATH
from drctl.lab.measurement import failover, measurement
from drctl.lab.method import BASIC_TOOLS, METHODS, QEMU, Method, kernel_for
from drctl.lab.plan import Plan, Trial, to_json
from drctl.lab.qemu import Qemu
from drctl.lab.result import LabResult, Log, TrialResult
from drctl.lab.scenario import Scenario
from drctl.lab.uml import UserModeLinux
from drctl.lab.verdict import judge

_BOOT_LIMIT_S = 120.0
_SILENCE_LIMIT_S = 180.0
_PLAN = "plan.json"
_HIDDEN = ("/dev", "/proc", "/run", "/sys", "/var/cache", "/var/log", "/var/tmp")
"""Where guests mount something of their own over the machine's files."""
_KERNEL_FOLDER = ".kernel"
"""The kernel's own files: sockets and scripts of no interest to anybody."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LabRequest:
    """What to run. `path` is the configuration file, `methods` names of METHODS in order, `kernel`
    `auto` or one of KERNELS, `keep` a folder for everything that was generated and logged."""

    path: Path
    methods: tuple[str, ...]
    kernel: str = "auto"
    dialect: str = "auto"
    keep: Path | None = None


def run_lab(request: LabRequest, scenario: Scenario, progress: Progress) -> LabResult:
    """Run all trials in one guest. Raises DrctlError when the machine cannot do it."""
    methods = tuple(METHODS[name] for name in request.methods)
    kernel = _kernel(request.kernel, methods)
    _check_machine(methods)
    check_visible_temporary(_HIDDEN)
    with tempfile.TemporaryDirectory(prefix="drctl-lab-") as folder:
        work = Path(folder)
        try:
            plan = _prepare(request, scenario, kernel, work, progress)
            result = LabResult(request.path.name, plan, kernel.name, scenario.notes)
            _boot(result, kernel, work, progress)
            _judge(result, work)
            return result
        finally:
            if request.keep is not None:
                ignored = shutil.ignore_patterns(_KERNEL_FOLDER)
                shutil.copytree(work, request.keep, ignore=ignored, dirs_exist_ok=True)


def _prepare(
    request: LabRequest, scenario: Scenario, kernel: Kernel, work: Path, progress: Progress
) -> Plan:
    """Convert for every method, and write the plan."""
    methods = tuple(METHODS[name] for name in request.methods)
    marks = "iptables" if kernel.backend == "legacy" else "nftables"
    outputs: dict[str, Path] = {}
    for method in methods:
        if method.arp not in outputs:
            progress(f"drctl convert {request.path.name} --arp {method.arp}")
            outputs[method.arp] = work / method.arp
            _convert(request, method.arp, marks, outputs[method.arp])
    plan = scenario.plan(
        tuple(Trial(m.name, str(outputs[m.arp]), m.backend or kernel.backend) for m in methods),
        kernel.patience,
    )
    _check_folders(plan, outputs)
    (work / _PLAN).write_text(to_json(plan), encoding="utf-8")
    return plan


def _boot(result: LabResult, kernel: Kernel, work: Path, progress: Progress) -> None:
    """Run the guest and collect what it says."""
    progress(f"booting {kernel.name}")
    (work / _KERNEL_FOLDER).mkdir()
    silence_s = _SILENCE_LIMIT_S * kernel.patience + result.plan.takeover_limit_ms / 1000
    listener = _Listener(result, progress)
    with contextlib.closing(
        run_guest(
            kernel,
            work / _KERNEL_FOLDER,
            work / _PLAN,
            boot_limit_s=_BOOT_LIMIT_S * kernel.patience,
            silence_limit_s=silence_s,
        )
    ) as events:
        for event in events:
            listener.take(event)


def _judge(result: LabResult, work: Path) -> None:
    for trial in result.trials:
        if trial.error is None:
            trial.assertions = judge(result.plan, trial.method, trial.measurements, trial.failover)
        for log in trial.logs:
            name = f"{trial.method}-{log.host}-{log.name}.log"
            (work / name).write_text(log.text, encoding="utf-8")


class _Listener:
    """Turns the guest's events into the result, as they come."""

    def __init__(self, result: LabResult, progress: Progress) -> None:
        self._result = result
        self._progress = progress
        self._started_s = time.monotonic()

    def take(self, event: Mapping[str, Any]) -> None:
        """One event; an unknown one is a programming error."""
        match event["event"]:
            case "booted":
                self._result.release = event["kernel"]
            case "trial":
                self._started_s = time.monotonic()
                self._result.trials.append(TrialResult(event["method"]))
            case "progress":
                self._progress(f"{event['method']}: {event['text']}")
            case "measurement":
                self._trial.measurements.append(measurement(event))
            case "failover":
                self._trial.failover = failover(event)
            case "log":
                log = Log(event["method"], event["host"], event["name"], event["text"])
                self._trial.logs.append(log)
            case "trial_done":
                self._trial.seconds = time.monotonic() - self._started_s
            case "error" if event["method"] is None:
                raise DrctlError(f"the guest program failed: {event['message']}")
            case "error":
                self._trial.error = event["message"]
                self._trial.seconds = time.monotonic() - self._started_s
            case "done":
                pass
            case other:
                raise AssertionError(f"the guest sent an unknown event {other!r}")

    @property
    def _trial(self) -> TrialResult:
        return self._result.trials[-1]


def _kernel(wanted: str, methods: tuple[Method, ...]) -> Kernel:
    name = kernel_for(methods) if wanted == "auto" else wanted
    for method in methods:
        if name not in method.kernels:
            raise UsageError(
                f"{method.name} needs nf_tables, which the kernel of {name} lacks: "
                f"use --kernel {QEMU}"
            )
    return Qemu() if name == QEMU else UserModeLinux()


def _check_machine(methods: tuple[Method, ...]) -> None:
    """Root and every tool, before anything is booted."""
    if os.geteuid() != 0:
        raise DrctlError("the lab needs root: the guest reads the machine's files with its rights")
    tools = dict(BASIC_TOOLS)
    for method in methods:
        tools |= method.tools or {}
    for tool, package in tools.items():
        if shutil.which(tool, path=SEARCH_PATH) is None:
            raise ToolMissing(tool, package)


def _convert(request: LabRequest, arp: str, marks: str, output: Path) -> None:
    """Run `drctl convert` as a user would."""
    command = [sys.executable, "-m", "drctl", "convert", str(request.path), "-o", str(output)]
    command += ["--arp", arp, "--marks", marks, "--dialect", request.dialect]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": _python_path()},
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise DrctlError(f"drctl convert {request.path} failed: {said}")


def _python_path() -> str:
    """This drctl first, then whatever the caller has."""
    return os.pathsep.join(filter(None, (python_path(), os.environ.get("PYTHONPATH", ""))))


def _check_folders(plan: Plan, outputs: Mapping[str, Path]) -> None:
    """Every host of the plan has its folder in every output."""
    for arp, output in outputs.items():
        for host in plan.hosts:
            if host.folder is not None and not (output / host.folder / "install.sh").is_file():
                raise DrctlError(
                    f"drctl convert --arp {arp} wrote no {host.folder}/install.sh, which the lab "
                    "needs"
                )
