"""Runs a host's generated installer, from a folder of its own that is gone afterwards."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from drctl.errors import DrctlError, FileRefused

_LIMIT_S = 300


class InstallerFailed(DrctlError):
    """A generated installer failed; the message has its own words."""


def run_installer(files: Iterable[tuple[str, str, int]], script: str, *words: str) -> list[str]:
    """Write the host's files (path, text, mode), run one of its scripts, and give its lines."""
    with tempfile.TemporaryDirectory(prefix="drctl-host-") as name:
        folder = Path(name)
        try:
            for path, text, mode in files:
                file = folder / path.lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, "utf-8")
                file.chmod(mode)
        except OSError as cause:
            raise FileRefused("write", name, cause) from cause
        command = ["sh", str(folder / script), *words]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=_LIMIT_S,
                close_fds=False,  # what is inherited is the lock: it is held until this ends
            )
        except (OSError, subprocess.TimeoutExpired) as cause:
            raise InstallerFailed(f"{script}: {cause}") from cause
        if done.returncode != 0:
            raise InstallerFailed(done.stderr.strip() or f"{script}: {done.returncode}")
        return done.stdout.splitlines()
