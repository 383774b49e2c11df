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
from drctl.lab.boot import check_visible_temporary, python_path, run_guest
from drctl.lab.guest.shell import SEARCH_PATH
from drctl.lab.guest_root import ROOTED
from drctl.lab.setup.pace import PACES

TOOLS = (("ip", "iproute2"), ("bridge", "iproute2"), ("keepalived", "keepalived"))
"""What a lab in a guest needs beside the kernel; those are the machine's own."""
HIDDEN = ("/dev", "/proc", "/run", "/sys")
"""Where such guests mount something of their own over the machine's files."""
_BOOT_LIMIT_S = 240.0
_SILENCE_LIMIT_S = 300.0


@dataclass(slots=True)
class Ended:
    """What a command said on standard output and on standard error, and its exit code."""

    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    code: int = 0


@dataclass(slots=True)
class Result:
    """Of all that were run, in their order, one at least; `release` is the kernel's."""

    release: str = ""
    commands: list[Ended] = field(default_factory=list)


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
    check_visible_temporary(HIDDEN)
    program = (sys.executable, "-B", "-m", "drctl.lab.guest.commands")
    variables = {"PYTHONPATH": python_path(), **PACES[kernel].variables()}
    guest = ROOTED[kernel](program, variables)
    result, running = Result(), Ended()
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
                    case "said":
                        running.lines.append(event["text"])
                    case "progress":
                        running.errors.append(event["text"])
                        tell(event["text"])
                    case "ended":
                        running.code = event["code"]
                        result.commands.append(running)
                        running = Ended()
    return result
