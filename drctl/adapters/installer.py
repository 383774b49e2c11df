"""Runs a host's generated installer, from a folder of its own that is gone afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from drctl.adapters.work_folder import work_folder
from drctl.errors import DrctlError, FileRefused

_LIMIT_S = 300
_PREFIX = "drctl-host-"


class InstallerFailed(DrctlError):
    """A generated installer failed; the message has its own words."""


def run_installer(files: Iterable[tuple[str, str, int]], script: str, *words: str) -> list[str]:
    """Write the host's files (path, text, mode), run one of its scripts, and give its lines."""
    with work_folder(_PREFIX) as folder:
        try:
            for path, text, mode in files:
                file = folder / path.lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, "utf-8")
                file.chmod(mode)
        except OSError as cause:
            raise FileRefused("write", str(folder), cause) from cause
        command = ["sh", str(folder / script), *words]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=_LIMIT_S,
                close_fds=False,  # what is inherited are the locks: they are held until this ends
            )
        except (OSError, subprocess.TimeoutExpired) as cause:
            raise InstallerFailed(f"{script}: {cause}") from cause
        if done.returncode != 0:
            raise InstallerFailed(done.stderr.strip() or f"{script}: {done.returncode}")
        return done.stdout.splitlines()
