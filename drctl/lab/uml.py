"""User-mode Linux: a kernel with IPVS that boots in seconds, with the machine's files as a
read-only root. It lacks nf_tables."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from drctl.errors import ToolMissing
from drctl.lab.boot import guest_command, python_path
from drctl.lab.guest.shell import SEARCH_PATH

_MODULES = Path("/usr/lib/uml/modules")


class UserModeLinux:
    """Boots `linux.uml` of Debian's package user-mode-linux."""

    name = "uml"
    backend = "legacy"
    patience = 1.0

    def command(self, work: Path, plan: Path) -> list[str]:
        """See `Kernel`."""
        program = shutil.which("linux.uml", path=SEARCH_PATH)
        if program is None or not _MODULES.is_dir():
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
            "mem=1G",
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

    def environment(self) -> dict[str, str]:
        """See `Kernel`."""
        return {}
