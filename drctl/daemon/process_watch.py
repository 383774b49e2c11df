"""Watches the processes of all TrackProcess settings: by the kernel's events where it tells them,
else by looking through /proc now and then, and at once when one of those found there ends."""

from __future__ import annotations

import errno
import os
import select
import time
from collections.abc import Iterable

from drctl.adapters.process_events import (
    Executed,
    Exited,
    Forked,
    ProcessEvent,
    ProcessEvents,
    Renamed,
    command_of,
    process_ids,
    status_of,
)
from drctl.daemon.hook_value import TrackProcess
from drctl.daemon.process_count import ProcessCount
from drctl.errors import KernelRefused

LOOK_EVERY_MS = 500
LONGEST_PAUSE_MS = 10_000
MOST_OF_PROCESSOR = 100
"""Without events the pause is so many times as long as looking through /proc takes."""
AFTER_LOSS_MS = 1000
"""When events were lost: so much later it is looked through again, when it is calmer."""
MOST_FOLLOWED = 256
_NEVER_MS = 1 << 62

Found = dict[int, tuple[bytes, bytes, int]]
"""Name, command line and parent of processes."""


class ProcessWatch:
    """`fileno` is readable when there is something to `receive`; `tick` at `wake_ms` at the latest.
    Then `changed` tells what is new."""

    def __init__(self) -> None:
        self._counts: dict[str, ProcessCount] = {}
        self._told: dict[str, bool] = {}
        self._poll = select.epoll()
        self._events: ProcessEvents | None = None
        self._followed: dict[int, int] = {}
        """Processes whose end is told by the descriptor."""
        self._look_at_ms = _NEVER_MS
        self.trouble = ""
        """Why /proc is looked through, "" where that is not necessary."""

    def fileno(self) -> int:
        return self._poll.fileno()

    def configure(self, wanted: Iterable[TrackProcess], now_ms: int) -> None:
        """Other settings; what stays the same is not told again."""
        given = {one.name: one for one in wanted}
        for name in [n for n, count in self._counts.items() if given.get(n) != count.wanted]:
            del self._counts[name]
            self._told.pop(name, None)
        new = [ProcessCount(one) for name, one in given.items() if name not in self._counts]
        self._counts.update((count.wanted.name, count) for count in new)
        if not self._counts:
            self._listen_no_more()
            return
        self._listen()
        if new:
            found = self._look(now_ms)
            for count in new:
                count.begin(_meant(count, found))
            self._follow()

    def wake_ms(self) -> int:
        """When `tick` has something to do."""
        dues = [due for count in self._counts.values() if (due := count.wake_ms()) is not None]
        return min([self._look_at_ms, *dues])

    def receive(self, now_ms: int) -> None:
        """Take in what has happened."""
        for descriptor, _ in self._poll.poll(0):
            if self._events is not None and descriptor == self._events.fileno():
                self._hear(now_ms)
            elif descriptor in self._followed:
                self._ended(self._followed[descriptor], now_ms)

    def tick(self, now_ms: int) -> None:
        """Let time pass."""
        if now_ms >= self._look_at_ms:
            self._compare(self._look(now_ms), now_ms)
            self._follow()
        for count in self._counts.values():
            count.tick(now_ms)

    def changed(self) -> list[ProcessCount]:
        """Those that are up or down now and were not when this was asked last."""
        found = []
        for name, count in self._counts.items():
            if count.is_up is not None and self._told.get(name) is not count.is_up:
                self._told[name] = count.is_up
                found.append(count)
        return found

    # how it is found out

    def _listen(self) -> None:
        if self._events is not None or self.trouble:
            return
        try:
            self._events = ProcessEvents()
        except KernelRefused as refused:
            self.trouble = f"{refused}; /proc is looked through instead"
            return
        self._poll.register(self._events.fileno(), select.EPOLLIN)

    def _listen_no_more(self) -> None:
        self._follow()
        self._look_at_ms = _NEVER_MS
        self.trouble = ""
        if self._events is not None:
            self._poll.unregister(self._events.fileno())
            self._events.close()
            self._events = None

    def _look(self, now_ms: int) -> Found:
        """All processes, as far as it matters for what is wanted."""
        begun_ns = time.monotonic_ns()
        found = {}
        for pid in process_ids():
            known = self._known(pid)
            if known is not None:
                found[pid] = known
        self._look_at_ms = _NEVER_MS
        if self._events is None:
            took_ms = (time.monotonic_ns() - begun_ns) // 1_000_000
            pause_ms = max(LOOK_EVERY_MS, took_ms * MOST_OF_PROCESSOR)
            self._look_at_ms = now_ms + min(pause_ms, LONGEST_PAUSE_MS)
        return found

    def _known(self, pid: int) -> tuple[bytes, bytes, int] | None:
        limit = self._command_bytes()
        status = status_of(pid)
        if status is None:
            return None
        command = command_of(pid, limit) if limit else b""
        return None if command is None else (status[0], command, status[1])

    def _command_bytes(self) -> int:
        counts = self._counts.values()
        return max((one.command_bytes for one in counts if one.wants_command), default=0)

    def _compare(self, found: Found, now_ms: int) -> None:
        """What is there now, with what was there before. Children of what is meant came by a fork,
        and what is not there any more has ended: only such changes may be delayed."""
        for count in self._counts.values():
            pids = _meant(count, found)
            if len(pids) > len(count.pids):
                new = pids - count.pids
                is_delayed = all(found[pid][2] in count.pids for pid in new)
            else:
                is_delayed = not any(pid in found for pid in count.pids - pids)
            count.replace(pids, now_ms, is_delayed=is_delayed)

    def _hear(self, now_ms: int) -> None:
        assert self._events is not None
        try:
            for event in self._events.read():
                self._take(event, now_ms)
        except KernelRefused as lost:
            if lost.errno != errno.ENOBUFS:
                raise
            self._look_at_ms = now_ms + AFTER_LOSS_MS

    def _take(self, event: ProcessEvent, now_ms: int) -> None:
        match event:
            case Forked():
                for count in self._counts.values():
                    if event.parent in count.pids:
                        count.add(event.pid, now_ms, is_fork=True)
            case Executed():
                known = self._known(event.pid)
                if known is not None:
                    for count in self._counts.values():
                        _sort(count, event.pid, now_ms, is_meant=count.means(*known[:2]))
            case Renamed():
                for count in self._counts.values():
                    if not count.wants_command:
                        is_meant = count.means(event.name, b"")
                        _sort(count, event.pid, now_ms, is_meant=is_meant)
            case Exited():
                self._ended(event.pid, now_ms)

    def _ended(self, pid: int, now_ms: int) -> None:
        for count in self._counts.values():
            count.remove(pid, now_ms, is_end=True)
        if self._events is None:
            self._follow()

    def _follow(self) -> None:
        """Have the end of each process that counts told, where nothing else tells it."""
        wanted = {pid for count in self._counts.values() for pid in count.pids}
        if self._events is not None:
            wanted.clear()
        for descriptor in [fd for fd, pid in self._followed.items() if pid not in wanted]:
            del self._followed[descriptor]
            self._poll.unregister(descriptor)
            os.close(descriptor)
        for pid in sorted(wanted.difference(self._followed.values())):
            if len(self._followed) == MOST_FOLLOWED:
                return
            try:
                descriptor = os.pidfd_open(pid)
            except OSError:
                continue  # it has ended: that is seen with the next look
            self._followed[descriptor] = pid
            self._poll.register(descriptor, select.EPOLLIN)


def _meant(count: ProcessCount, found: Found) -> set[int]:
    return {pid for pid, (name, command, _) in found.items() if count.means(name, command)}


def _sort(count: ProcessCount, pid: int, now_ms: int, *, is_meant: bool) -> None:
    """A process is one of those that are meant, or not any more."""
    if is_meant:
        count.add(pid, now_ms, is_fork=False)
    else:
        count.remove(pid, now_ms, is_end=False)
