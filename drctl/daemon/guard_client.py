"""The controller's side of the guard: the lock, starting it, telling it, and its orderly end."""

from __future__ import annotations

import fcntl
import logging
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

from drctl.daemon.guard_protocol import (
    END,
    ENDED,
    HELD,
    HOLD,
    READY,
    RELEASE,
    Frames,
    GuardSpokeWrongly,
    frame,
    hold_body,
)
from drctl.errors import DrctlError, FileRefused

log = logging.getLogger("drctl")

_LOOK_AGAIN_S = 0.005
_READ_BYTES = 64 << 10


class GuardLost(DrctlError):
    """The guard is dead, or does not answer."""


class LockTaken(DrctlError):
    """Another controller, or its guard, still holds the lock."""


class Lock:
    """The lock on a file that a controller and its guard hold together: as long as one of them
    lives, no other controller gets it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path, timeout_ms: int = 5000) -> Lock:
        """Wait until nobody holds it. Raises `LockTaken` or `FileRefused`."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as cause:
            raise FileRefused("open the lock", str(path), cause) from cause
        end = time.monotonic() + timeout_ms / 1000
        has_told = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    os.close(descriptor)
                    message = f"another drctl runs here, and holds {path}: stop it first"
                    raise LockTaken(message) from None
                if not has_told:
                    log.info("lock_awaited path=%s timeout_ms=%d", path, timeout_ms)
                    has_told = True
                time.sleep(_LOOK_AGAIN_S)
            except OSError as cause:
                os.close(descriptor)
                raise FileRefused("lock", str(path), cause) from cause
            else:
                return cls(path, descriptor)

    def release(self) -> None:
        """Give this process's part of it back; a living guard still holds it."""
        os.close(self.descriptor)


class GuardClient:
    """A running guard. `notes` are what it could not have of the system, in words."""

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket) -> None:
        self._process = process
        self._channel = channel
        self._frames = Frames()
        self._waiting: list[tuple[int, bytes]] = []
        self.pid = process.pid
        self.pidfd = os.pidfd_open(process.pid)
        self.notes: list[str] = []

    @classmethod
    def spawn(cls, lock: Lock, timeout_ms: int = 15_000) -> GuardClient:
        """Start a guard that watches this process; it is ready when this returns.

        It stays in this process's network namespace and is the leader of a session of its own.
        Raises `GuardLost` when it does not start.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.settimeout(timeout_ms / 1000)
        myself = os.pidfd_open(os.getpid())
        inherited = (theirs.fileno(), myself, lock.descriptor)
        command = [sys.executable, "-s", "-P", "-m", "drctl.daemon.guard", *map(str, inherited)]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=inherited,
                start_new_session=True,
                cwd="/",
            )
        except OSError as cause:
            ours.close()
            raise GuardLost(f"cannot start the guard: {cause.strerror}") from cause
        finally:
            theirs.close()
            os.close(myself)
        guard = cls(process, ours)
        try:
            report = guard._wait_for(READY, timeout_ms, "start the guard")
        except DrctlError:
            guard.kill()
            raise
        guard.notes = report.decode("utf-8", "replace").splitlines()
        return guard

    def fileno(self) -> int:
        """A pidfd: readable when the guard is dead."""
        return self.pidfd

    def is_alive(self) -> bool:
        """Whether it runs; a dead one is reaped."""
        return self._process.poll() is None

    def hold(self, packed: Collection[bytes], table_name: str, timeout_ms: int = 1000) -> None:
        """Have it answer for exactly these addresses, and for the fence's table ("": no fence).

        It has them when this returns. Raises `GuardLost`.
        """
        operation = "tell the guard the addresses"
        self._send(frame(HOLD, hold_body(table_name, packed)), operation)
        self._wait_for(HELD, timeout_ms, operation)

    def end(self, *, is_release: bool = False, timeout_ms: int = 20_000) -> None:
        """Have it end, on `is_release` after it has closed the fence and deleted the addresses.

        Raises `GuardLost` when it does not, and `DrctlError` with what it could not give up.
        """
        operation = "end the guard"
        self._send(frame(RELEASE if is_release else END), operation)
        report = self._wait_for(ENDED, timeout_ms, operation)
        try:
            self._process.wait(timeout_ms / 1000)
        except subprocess.TimeoutExpired as late:
            raise GuardLost(f"cannot {operation}: it still runs (pid {self.pid})") from late
        self._close()
        if report:
            raise DrctlError(report.decode("utf-8", "replace"))

    def kill(self) -> None:
        """End it without a word: it gives nothing up."""
        self._process.kill()
        self._process.wait()
        self._close()

    def forget(self) -> None:
        """Give back what belongs to a guard that died."""
        self._process.wait()
        self._close()

    def _close(self) -> None:
        self._channel.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1

    def _send(self, message: bytes, operation: str) -> None:
        try:
            self._channel.sendall(message)
        except OSError as cause:
            raise GuardLost(f"cannot {operation}: {cause.strerror}") from cause

    def _wait_for(self, wanted: int, timeout_ms: int, operation: str) -> bytes:
        end = time.monotonic() + timeout_ms / 1000
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        while True:
            for kind, body in self._waiting:
                self._waiting = []
                if kind != wanted:
                    raise GuardSpokeWrongly(f"cannot {operation}: the guard said {kind}")
                return body
            left_ms = (end - time.monotonic()) * 1000
            if left_ms <= 0 or not poll.poll(left_ms):
                raise GuardLost(f"cannot {operation}: no answer within {timeout_ms} ms")
            try:
                received = self._channel.recv(_READ_BYTES)
            except OSError as cause:
                raise GuardLost(f"cannot {operation}: {cause.strerror}") from cause
            if not received:
                raise GuardLost(f"cannot {operation}: it is dead")
            self._waiting += self._frames.feed(received)
