"""drctl's own commands in a guest kernel, on a machine whose kernel cannot do all they want."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drctl.errors import DrctlError, ToolMissing
from drctl.lab.boot import python_path, run_guest
from drctl.lab.guest.shell import SEARCH_PATH
from drctl.lab.guest_root import ROOTED
from drctl.lab.setup.pace import PACES

KERNELS = tuple(ROOTED)
TOOLS = (("ip", "iproute2"), ("bridge", "iproute2"), ("keepalived", "keepalived"))
"""What a lab in a guest needs beside the kernel; those are the machine's own."""
_HIDDEN = ("/dev", "/proc", "/run", "/sys")
_BOOT_LIMIT_S = 240.0
_SILENCE_LIMIT_S = 300.0


@dataclass(slots=True)
class Ended:
    """What a command said on standard output, and its exit code; None: the guest was lost."""

    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    code: int | None = None


@dataclass(slots=True)
class Result:
    """Of all that were begun, in their order; `release` is the kernel's."""

    release: str
    commands: list[Ended]


def run_commands(
    kernel: str, commands: Sequence[Sequence[str]], tell: Callable[[str], None]
) -> Result:
    """Boot a guest, run them there until one is refused, and end it. Raises DrctlError when the
    machine cannot do it, or when the guest is lost."""
    if os.geteuid() != 0:
        raise DrctlError("the lab needs root: the guest reads the machine's files with its rights")
    for tool, package in TOOLS:
        if shutil.which(tool, path=SEARCH_PATH) is None:
            raise ToolMissing(tool, package)
    check_visible(
        Path(tempfile.gettempdir()), "temporary files are", "set TMPDIR to another folder"
    )
    program = (sys.executable, "-B", "-m", "drctl.lab.guest.commands")
    variables = {"PYTHONPATH": python_path(), **PACES[kernel].variables()}
    guest = ROOTED[kernel](program, variables)
    result = Result("", [])
    with tempfile.TemporaryDirectory(prefix="drctl-lab-") as folder:
        work = Path(folder)
        plan = work / "plan"
        plan.write_text(json.dumps([list(words) for words in commands]), encoding="utf-8")
        tell(f"booting {kernel}")
        limits = {
            "boot_limit_s": _BOOT_LIMIT_S * guest.patience,
            "silence_limit_s": _SILENCE_LIMIT_S * guest.patience,
        }
        with contextlib.closing(run_guest(guest, work, plan, **limits)) as events:
            for event in events:
                match event["event"]:
                    case "booted":
                        result.release = event["kernel"]
                        result.commands.append(Ended())
                    case "said":
                        result.commands[-1].lines.append(event["text"])
                    case "progress":
                        result.commands[-1].errors.append(event["text"])
                        tell(event["text"])
                    case "ended":
                        result.commands[-1].code = event["code"]
                        result.commands.append(Ended())
    del result.commands[-1]
    return result


def check_visible(path: Path, what: str, way_out: str) -> None:
    """Raises DrctlError for a place that a guest has its own of."""
    for hidden in _HIDDEN:
        if path.resolve().is_relative_to(hidden):
            raise DrctlError(f"{what} below {hidden}, which a guest has its own of: {way_out}")
