"""A folder of a run's own in the folder for temporary files, gone when the run ends.

It is locked while somebody uses it. One that a killed run has left is therefore told from one in
use, and the next run takes it away.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drctl.errors import FileRefused

_NOT_OURS = frozenset(
    {errno.EWOULDBLOCK, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM}
)
"""Somebody uses the folder, has taken it away, or it is no folder, or somebody else's."""


@contextmanager
def work_folder(prefix: str, above: Path | None = None) -> Iterator[Path]:
    """An empty one, locked, in `above` (the folder for temporary files); those of the same prefix
    that nobody uses any more are gone then.

    Programs that inherit descriptors hold the lock too. Raises FileRefused.
    """
    above = Path(tempfile.gettempdir()) if above is None else above
    folder, lock = _locked_folder(prefix, above)
    try:
        clear_left(prefix, above)
        yield folder
    finally:
        try:
            shutil.rmtree(folder)
        finally:
            os.close(lock)


def _locked_folder(prefix: str, above: Path) -> tuple[Path, int]:
    """Until it is locked, another run may take it for one that was left."""
    while True:
        try:
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=above))
        except OSError as cause:
            raise FileRefused("make a folder in", str(above), cause) from cause
        try:
            lock = _lock_of(folder)
        except FileRefused:
            folder.rmdir()
            raise
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


def clear_left(prefix: str, above: Path | None = None) -> None:
    """Those of the prefix that nobody uses go. What cannot be taken away is in nobody's way, and
    tried again. Raises FileRefused."""
    above = Path(tempfile.gettempdir()) if above is None else above
    try:
        left = sorted(above.glob(f"{prefix}*"))
    except OSError as cause:
        raise FileRefused("look for folders in", str(above), cause) from cause
    for folder in left:
        lock = _lock_of(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
