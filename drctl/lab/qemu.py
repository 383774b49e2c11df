"""QEMU with Debian's own kernel: everything a director and a real server may want, nf_tables too,
at the speed of emulation. virtme-ng makes the machine's files the guest's read-only root."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from drctl.errors import ToolMissing
from drctl.lab.boot import guest_command, python_path
from drctl.lab.guest.shell import SEARCH_PATH

_BOOT = Path("/boot")
_WORDS = "clocksource=tsc tsc=reliable mitigations=off"
"""For the kernel. Without them it asks an emulated HPET for the time, which makes everything take
twice as long."""


class Qemu:
    """Boots the newest kernel of Debian's package linux-image-amd64 without hardware help."""

    name = "qemu"
    patience = 3.0

    def __init__(self, backend: str = "nft") -> None:
        self.backend = backend

    def command(self, work: Path, plan: Path) -> list[str]:
        """See `Kernel`."""
        if shutil.which("qemu-system-x86_64", path=SEARCH_PATH) is None:
            raise ToolMissing("qemu-system-x86_64", "qemu-system-x86")
        vng = shutil.which("vng", path=_search_path())
        if vng is None:
            raise ToolMissing("vng", "virtme-ng, or virtme-ng from PyPI")
        script = work / "run"
        script.write_text(
            "#!/bin/sh\n"
            f"export PATH={SEARCH_PATH} HOME=/root LC_ALL=C.UTF-8\n"
            f"export PYTHONPATH={shlex.quote(python_path())}\n"
            f"exec {shlex.join(guest_command(plan))}\n",
            encoding="utf-8",
        )
        script.chmod(0o755)
        size = ("--cpus", "2", "--memory", "2G")
        machine = ("--disable-kvm", *size, "--user", "root", "--append", _WORDS)
        return [vng, "--run", str(newest_kernel()), *machine, "--", shlex.quote(str(script))]

    def environment(self, work: Path) -> dict[str, str]:
        """See `Kernel`: vng looks for its own programs in PATH, and leaves files in TMPDIR when it
        is killed."""
        return {"PATH": _search_path(), "TMPDIR": str(work)}


def newest_kernel(folder: Path = _BOOT) -> Path:
    """The kernel with the highest version in the folder that has modules; raises ToolMissing."""
    found = [
        kernel
        for kernel in folder.glob("vmlinuz-*-amd64")
        if Path("/lib/modules", kernel.name.removeprefix("vmlinuz-")).is_dir()
    ]
    if not found:
        raise ToolMissing("a Debian kernel in /boot", "linux-image-amd64")
    return max(found, key=lambda kernel: [int(n) for n in re.findall(r"\d+", kernel.name)])


def _search_path() -> str:
    """Programs installed beside this interpreter come first."""
    beside = str(Path(sys.executable).parent)
    return os.pathsep.join((beside, os.environ.get("PATH", ""), SEARCH_PATH))
