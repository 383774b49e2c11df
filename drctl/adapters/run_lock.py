"""One run at a time in a network namespace, and what names that namespace."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drctl.errors import DrctlError, FileRefused

NAMESPACE = Path("/proc/self/ns/net")
"""This process's network namespace; locked itself, so that nothing is left behind."""
_SO_NETNS_COOKIE = 71
_WAIT_S = 60
_STEP_S = 0.1


def namespace_id() -> int:
    """A number that no other network namespace has had since the machine started; with a kernel
    before 5.14 its inode, which a later one may get."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            cookie = sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
        except OSError:
            return NAMESPACE.stat().st_ino
    return int.from_bytes(cookie, "little")


@contextmanager
def alone(path: Path, wait_s: float = _WAIT_S) -> Iterator[None]:
    """Hold the lock, something that is there or else a folder to be made, meanwhile. Programs that
    are started with inherited files hold it too: what a killed run has left running ends before the
    next run begins. Raises DrctlError when somebody else keeps it too long."""
    try:
        if not path.exists():
            path.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as cause:
        raise FileRefused("open", str(path), cause) from cause
    try:
        until = time.monotonic() + wait_s
        while not _is_taken(lock):
            if time.monotonic() > until:
                raise DrctlError(
                    f"another run of drctl realserver is at work here since {wait_s:g} s; wait for "
                    "its end"
                )
            time.sleep(_STEP_S)
        os.set_inheritable(lock, True)
        yield
    finally:
        os.close(lock)


def _is_taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
