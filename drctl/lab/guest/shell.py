"""Commands in the guest: run, or fail with what they said."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_COMMAND_LIMIT_S = 120
_CLONE_NEWNET = 0x40000000
_MNT_DETACH = 2


class GuestError(Exception):
    """A step in the guest failed; the message names it and carries the command's own words."""


def run(*command: str, stdin: str | None = None, limit_s: float = _COMMAND_LIMIT_S) -> str:
    """Run a command; returns what it printed. Raises GuestError when it fails."""
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as refused:
        raise GuestError(f"{' '.join(command)}: {refused}") from refused
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no message")[-2000:]
        raise GuestError(f"{' '.join(command)}: exit status {done.returncode}: {said}")
    return done.stdout


def ip_batch(lines: Iterable[str], namespace: str | None = None) -> None:
    """Several `ip` commands in one process."""
    where = () if namespace is None else ("-n", namespace)
    run("ip", *where, "-batch", "-", stdin="".join(f"{line}\n" for line in lines))


def mount(kind: str, at: Path, options: str = "") -> None:
    """Mount a file system of its kind, without a process of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    words = (kind.encode(), str(at).encode(), kind.encode(), ctypes.c_ulong(0), options.encode())
    if libc.mount(*words) != 0:
        raise GuestError(f"mount {kind} on {at}: {os.strerror(ctypes.get_errno())}")


def unmount(at: Path) -> None:
    """Take a file system away from the tree; what still uses it keeps it until it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(str(at).encode(), _MNT_DETACH) != 0:
        raise GuestError(f"unmount {at}: {os.strerror(ctypes.get_errno())}")


def in_host(name: str, root: Path, command: Sequence[str]) -> list[str]:
    """The command line that runs `command` in a host: its network, its file system."""
    clean = ("env", "-i", f"PATH={SEARCH_PATH}", "HOME=/root", "LC_ALL=C", "TERM=dumb")
    return ["ip", "netns", "exec", name, "chroot", str(root), *clean, *command]


@contextmanager
def network_of(name: str) -> Iterator[None]:
    """This thread is in the host's network; sockets made here stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            _enter(libc, there, name)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _enter(libc, home, "the guest's own")
    finally:
        os.close(home)


def _enter(libc: ctypes.CDLL, descriptor: int, name: str) -> None:
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise GuestError(f"setns to network {name}: {os.strerror(ctypes.get_errno())}")


def wait_until(condition: Callable[[], bool], limit_s: float, step_s: float = 0.1) -> bool:
    """Poll until the condition holds; False when the time is over first."""
    end = time.monotonic() + limit_s
    while True:
        if condition():
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(step_s)
