"""The controller's loop: waits for one of its sources or the core's deadline, and feeds the core.

One thread, one poll, nothing that waits for anything else. What comes at the same time is taken in
the order that the core's contract wants: outcomes, frames, then all the rest.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable

from drctl.core.event import Event, TimeCame
from drctl.core.node import Node
from drctl.daemon.executor import Executor, now_ms

MOST_AT_ONCE = 64

Source = Callable[[], Iterable[Event]]
"""Reads what has come from one descriptor, as events with the instant of reading."""


class Loop:
    """Runs one node until `stop`."""

    def __init__(self, node: Node, executor: Executor) -> None:
        self._node = node
        self._executor = executor
        self._poll = select.epoll()
        self._sources: dict[int, tuple[int, Source]] = {}
        self._is_running = True
        self._fed_ms = 0
        self.after_turn: Callable[[], None] = lambda: None

    def watch(self, descriptor: int, rank: int, source: Source) -> None:
        """Read `source` when the descriptor is readable; of several the lowest rank is first."""
        self._sources[descriptor] = (rank, source)
        self._poll.register(descriptor, select.EPOLLIN)

    def forget(self, descriptor: int) -> None:
        del self._sources[descriptor]
        self._poll.unregister(descriptor)

    def stop(self) -> None:
        self._is_running = False

    def feed(self, event: Event) -> None:
        """One event, and all that follows from it."""
        self._fed_ms = event.now_ms
        self._executor.carry_out(self._node.feed(event))
        while self._executor.settled:
            self._executor.carry_out(self._node.feed(self._executor.settled.popleft()))

    def run(self) -> None:
        while self._is_running:
            self.turn()

    def turn(self) -> None:
        """Wait once, and take in what has come."""
        wait_ms = self._node.deadline_ms - now_ms()
        if self._executor.go_on():
            wait_ms = 0
        ready = self._wait(wait_ms)
        if (at_ms := now_ms()) >= self._node.deadline_ms:
            # what answered before this instant counts: between poll and now others may have run
            ready = sorted({*ready, *self._wait(0)})
            while ready and ready[0][0] == FRAMES:
                self._take(ready.pop(0)[1])
            # leases are looked at before anything else is read
            self.feed(TimeCame(max(at_ms, self._fed_ms), at_ms))
        for _, descriptor in ready:
            self._take(descriptor)
        self.after_turn()

    def _wait(self, wait_ms: int) -> list[tuple[int, int]]:
        """Rank and descriptor of what is readable, the lowest rank first."""
        # half a millisecond less is rounded up; the whole number might be too, to one more
        wait_s = (wait_ms - 0.5) / 1000 if wait_ms > 0 else 0
        found = self._poll.poll(wait_s, MOST_AT_ONCE)
        ready = [(self._sources[descriptor][0], descriptor) for descriptor, _ in found]
        if len(ready) > 1:
            ready.sort()
        return ready

    def _take(self, descriptor: int) -> None:
        """Read a source, unless what was read before has ended it."""
        if descriptor in self._sources:
            for event in self._sources[descriptor][1]():
                self.feed(event)


FRAMES, LOCAL, BEATS, OTHERS = range(4)
"""Ranks of sources: frames, this host's kernel and guard, heartbeats, operators and scripts."""
