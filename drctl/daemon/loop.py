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

Source = Callable[[], Iterable[Event]]
"""Reads what has come from one descriptor, as events with the instant of reading."""


class Loop:
    """Runs one node until `stop`."""

    def __init__(self, node: Node, executor: Executor) -> None:
        self._node = node
        self._executor = executor
        self._poll = select.poll()
        self._sources: dict[int, tuple[int, Source]] = {}
        self._is_running = True
        self._fed_ms = 0
        self.after_turn: Callable[[], None] = lambda: None

    def watch(self, descriptor: int, rank: int, source: Source) -> None:
        """Read `source` when the descriptor is readable; of several the lowest rank is first."""
        self._sources[descriptor] = (rank, source)
        self._poll.register(descriptor, select.POLLIN)

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
        wait_ms = max(0, self._node.deadline_ms - now_ms())
        if self._executor.go_on():
            wait_ms = 0
        ready = {descriptor for descriptor, _ in self._poll.poll(wait_ms)}
        if (at_ms := now_ms()) >= self._node.deadline_ms:
            # what answered before this instant counts: between poll and now others may have run
            ready.update(descriptor for descriptor, _ in self._poll.poll(0))
            self._let_frames_first(ready)
            # leases are looked at before anything else is read
            self.feed(TimeCame(max(at_ms, self._fed_ms)))
        for descriptor in sorted(ready, key=lambda each: self._sources[each][0]):
            if descriptor in self._sources:
                for event in self._sources[descriptor][1]():
                    self.feed(event)
        self.after_turn()

    def _let_frames_first(self, ready: set[int]) -> None:
        for descriptor in [each for each in ready if self._sources[each][0] == FRAMES]:
            ready.discard(descriptor)
            for event in self._sources[descriptor][1]():
                self.feed(event)


FRAMES, LOCAL, BEATS, OTHERS = range(4)
"""Ranks of sources: frames, this host's kernel and guard, heartbeats, operators and scripts."""
