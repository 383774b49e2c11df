"""Runs a host's generated installer, from a folder of its own that is gone afterwards.

The folder is locked while somebody uses it, the installer's programs included. One that a killed
run has left is therefore told from one in use, and the next run takes it away.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from drctl.errors import DrctlError, FileRefused

_LIMIT_S = 300
_PREFIX = "drctl-host-"
_NOT_OURS = frozenset(
    {errno.EWOULDBLOCK, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM}
)
"""Somebody uses the folder, has taken it away, or it is no folder, or somebody else's."""


class InstallerFailed(DrctlError):
    """A generated installer failed; the message has its own words."""


def run_installer(files: Iterable[tuple[str, str, int]], script: str, *words: str) -> list[str]:
    """Write the host's files (path, text, mode), run one of its scripts, and give its lines."""
    with _folder() as folder:
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


@contextmanager
def _folder() -> Iterator[Path]:
    """An empty one, locked; those that nobody uses any more are gone first."""
    above = Path(tempfile.gettempdir())
    for left in above.glob(f"{_PREFIX}*"):
        _clear(left)
    folder, lock = _locked_folder()
    try:
        yield folder
    finally:
        try:
            shutil.rmtree(folder)
        finally:
            os.close(lock)


def _locked_folder() -> tuple[Path, int]:
    """Until it is locked, another run may take it for one that was left."""
    while True:
        try:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        except OSError as cause:
            raise FileRefused("make a folder in", tempfile.gettempdir(), cause) from cause
        lock = _lock_of(folder)
        if lock is not None:
            os.set_inheritable(lock, True)
            return folder, lock


def _lock_of(folder: Path) -> int | None:
    """The lock, when it is free and the folder this user's own, still in its place. Raises
    FileRefused when no lock can be had at all."""
    lock = -1
    is_ours = False
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = os.fstat(lock)
        is_ours = there.st_uid == os.geteuid() and os.path.samestat(there, folder.lstat())
    except OSError as cause:
        if cause.errno not in _NOT_OURS:
            raise FileRefused("lock", str(folder), cause) from cause
    finally:
        if not is_ours and lock >= 0:
            os.close(lock)
    return lock if is_ours else None


def _clear(folder: Path) -> None:
    """When nobody uses it. What cannot be taken away is in nobody's way, and tried again."""
    lock = _lock_of(folder)
    if lock is not None:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
