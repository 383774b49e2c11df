"""A process of the controller's that does what may take long, and is started again when it dies."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from drctl.daemon.line_channel import MOST_LINES, ChannelEnded, LineChannel, line_of

FIRST_WAIT_MS = 100
LONGEST_WAIT_MS = 30_000
LIVED_LONG_MS = 60_000
NEVER_MS = 1 << 62

Greeting = Callable[[], list[dict[str, Any]]]
"""What each new process is told before anything else."""


class Child:
    """The controller's end of one. `fileno`, which is always the same, is readable when it has
    said something or died: then `receive`. `tick` with every turn of the loop. Nothing here waits.

    `module` is run as `python -m MODULE CHANNEL ARGUMENTS`. It ends when its channel does. With an
    `address`, a socket's path, somebody else runs it for each connection: it has privileges that
    the controller has not.
    """

    def __init__(
        self, module: str, arguments: tuple[str, ...], greeting: Greeting, address: str = ""
    ) -> None:
        self._module = module
        self._address = address
        self._arguments = arguments
        self._greeting = greeting
        self._poll = select.epoll()
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._lines: LineChannel | None = None
        self._kept: deque[bytes] = deque(maxlen=MOST_LINES)
        self._started_ms = 0
        self._wait_ms = FIRST_WAIT_MS
        self._start_at_ms = 0
        self._leaving: list[subprocess.Popen[bytes]] = []
        self.starts = 0
        self.dropped = 0
        """Messages that nobody will ever get."""
        self.trouble = ""
        """Why there is no such process now, "" when there is one."""

    @property
    def pid(self) -> int | None:
        """None too for one that somebody else runs."""
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        return self._lines is not None

    def fileno(self) -> int:
        return self._poll.fileno()

    def start(self, now_ms: int) -> None:
        """Start it; where that is not possible `tick` tries again, and `trouble` says why."""
        self._started_ms = now_ms
        try:
            ours = self._call() if self._address else self._fork()
        except OSError as cause:
            self._later(now_ms, f"cannot start {self._module}: {cause.strerror}")
            return
        self.starts += 1
        self.trouble = ""
        self._lines = LineChannel(ours)
        for line in (*map(line_of, self._greeting()), *self._kept):
            self.dropped += not self._lines.put_line(line)
        self._kept.clear()
        if self._process is not None:
            self._pidfd = os.pidfd_open(self._process.pid)
            self._poll.register(self._pidfd, select.EPOLLIN)
        self._poll.register(self._lines, select.EPOLLIN)

    def _fork(self) -> socket.socket:
        """Our end of the channel to a process of our own."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        command = [sys.executable, "-s", "-P", "-m", self._module, str(theirs.fileno())]
        try:
            self._process = subprocess.Popen(
                [*command, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                cwd="/",
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours

    def _call(self) -> socket.socket:
        """Our end of the channel to a process that somebody else starts."""
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        try:
            ours.connect(self._address)
        except OSError:
            ours.close()
            raise
        return ours

    def put(self, message: dict[str, Any]) -> None:
        """Tell it, or the next one."""
        line = line_of(message)
        if self._lines is not None:
            self.dropped += not self._lines.put_line(line)
            return
        if len(self._kept) == MOST_LINES:
            self.dropped += 1
        self._kept.append(line)

    def receive(self, now_ms: int) -> list[dict[str, Any]]:
        """What it said; notices its death."""
        if self._lines is None:
            return []
        try:
            found = self._lines.receive()
        except (ChannelEnded, ValueError) as wrong:
            self._lose(now_ms, str(wrong))
            return []
        if not found and self._process is not None and self._process.poll() is not None:
            self._lose(now_ms, "it is dead")
        return found

    def tick(self, now_ms: int) -> None:
        """Send what could not be sent; start another one when it is time."""
        if self._lines is not None:
            self._lines.flush()
        elif now_ms >= self._start_at_ms:
            self.start(now_ms)
        if self._leaving:
            self._leaving = [process for process in self._leaving if process.poll() is None]

    def end(self, timeout_ms: int) -> bool:
        """Let it do what it was told, and end: the one thing here that waits. False when it took
        too long, and was killed, or was dead already."""
        self._start_at_ms = NEVER_MS
        process, lines = self._process, self._lines
        if lines is None:
            return False
        end_s = time.monotonic() + timeout_ms / 1000
        poll = select.poll()
        poll.register(lines.fileno(), select.POLLOUT)
        while not lines.flush() and (left_s := end_s - time.monotonic()) > 0:
            ready = poll.poll(left_s * 1000)
            if any(events & (select.POLLHUP | select.POLLERR) for _, events in ready):
                break
        lines.end()
        if process is None:
            is_done = _has_ended(lines, end_s)
            self._let_go()
            return is_done
        try:
            code = process.wait(max(0.0, end_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            code = None
        self._let_go()
        process.kill()
        process.wait()
        return code == 0

    def close(self) -> None:
        """Give back the descriptor; after `end`."""
        self._let_go()
        self._poll.close()

    def _lose(self, now_ms: int, why: str) -> None:
        """It is dead, or as good as that."""
        process, lines = self._process, self._lines
        assert lines is not None
        self._kept = deque(lines.waiting, MOST_LINES)
        self._let_go()
        code = None
        if process is not None:
            process.kill()
            code = process.poll()
            if code is None:
                self._leaving.append(process)
        if now_ms - self._started_ms >= LIVED_LONG_MS:
            self._wait_ms = FIRST_WAIT_MS
        how = why if code is None else f"it ended with {code}"
        self._later(now_ms, f"{self._module} is started again: {how}")

    def _let_go(self) -> None:
        if self._lines is None:
            return
        self._poll.unregister(self._lines)
        self._lines.close()
        if self._pidfd >= 0:
            self._poll.unregister(self._pidfd)
            os.close(self._pidfd)
        self._lines = self._process = None
        self._pidfd = -1

    def _later(self, now_ms: int, why: str) -> None:
        self.trouble = why
        self._start_at_ms = now_ms + self._wait_ms
        self._wait_ms = min(2 * self._wait_ms, LONGEST_WAIT_MS)


def _has_ended(lines: LineChannel, end_s: float) -> bool:
    """Whether the other end closes in time; what it still says nobody wants to hear."""
    poll = select.poll()
    poll.register(lines.fileno(), select.POLLIN)
    while (left_s := end_s - time.monotonic()) > 0:
        if poll.poll(left_s * 1000):
            try:
                lines.receive()
            except (ChannelEnded, ValueError):
                return True
    return False
