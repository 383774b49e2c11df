"""User-mode Linux: a kernel with IPVS that boots in seconds, with the machine's files as a
read-only root. It lacks nf_tables."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from drctl.errors import ToolMissing
from drctl.lab.boot import guest_command, python_path
from drctl.lab.guest.shell import SEARCH_PATH

MODULES = Path("/usr/lib/uml/modules")
"""A folder for each version of the kernel."""
_SHARED_MEMORY = Path("/dev/shm")
_MEMORY_BYTES = 1 << 30


class UserModeLinux:
    """Boots `linux.uml` of Debian's package user-mode-linux."""

    name = "uml"
    backend = "legacy"
    patience = 1.0

    def command(self, work: Path, plan: Path) -> list[str]:
        """See `Kernel`."""
        program = shutil.which("linux.uml", path=SEARCH_PATH)
        if program is None or not MODULES.is_dir():
            raise ToolMissing("linux.uml", "user-mode-linux")
        init = work / "init"
        guest = shlex.join(guest_command(plan, "--init"))
        init.write_text(
            "#!/bin/sh\n"
            f"export PATH={SEARCH_PATH} HOME=/root LC_ALL=C.UTF-8\n"
            f"export PYTHONPATH={shlex.quote(python_path())}\n"
            f"exec {guest}\n",
            encoding="utf-8",
        )
        init.chmod(0o755)
        return [
            program,
            f"mem={_MEMORY_BYTES >> 20}M",
            "root=/dev/root",
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
            f"init={init}",
            "quiet",
            "loglevel=1",
            "panic=-1",
            "con=null",
            "con0=fd:0,fd:1",
            f"uml_dir={work}",
            "umid=uml",
        ]

    def environment(self, work: Path) -> dict[str, str]:
        """See `Kernel`. The guest's memory is a file in /dev/shm unless TMPDIR is set; containers
        often have a small one, or one that nothing may be executed from."""
        return {} if _can_hold(_SHARED_MEMORY, _MEMORY_BYTES) else {"TMPDIR": str(work)}


def _can_hold(folder: Path, size_bytes: int) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    is_executable = not found.f_flag & os.ST_NOEXEC
    return is_executable and found.f_bavail * found.f_frsize >= size_bytes
