#!/opt/drctl/bin/python3
"""Asks who has the VIP, every 10 ms, and says when that changes.

    who.py [--json]

A line whenever another director answers, or nobody does; with --json a line for each request:
`at` is CLOCK_MONOTONIC in milliseconds, `by` are the directors that answered it, in turn.
"""

from __future__ import annotations

import json
import select
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from drctl.lab.pair.client import ArpAsker, Vantage

VIP = "192.0.2.100"
DIRECTORS = {"lb1": "192.0.2.2", "lb2": "192.0.2.3"}
PERIOD_MS = 10.0
NUMBERS = 32
"""So many senders in turn: directors take note of stations that ask."""
SETTLED_MS = 300.0
"""Nobody answers a request that late; shorter than it takes to use all senders."""
NAMES_EVERY = 20
"""After so many requests the directors' own addresses are asked for: their MACs may change."""


@dataclass
class Request:
    """One question, and the MACs that answered it."""

    at_ms: float
    macs: list[str] = field(default_factory=list)


class Watch:
    """Requests on their way, and the names of those who answer."""

    def __init__(self, tell: Callable[[float, list[str]], None]) -> None:
        self._tell = tell
        here = Vantage(senders=NUMBERS)
        self._asker = ArpAsker(VIP, here)
        self._namers = {name: ArpAsker(address, here) for name, address in DIRECTORS.items()}
        self._names: dict[str, str] = {}
        self._asked: list[Request | None] = [None] * NUMBERS
        self._open: deque[Request] = deque()
        self._count = 0

    def run(self) -> None:
        """Until it is interrupted."""
        due_ms = now_ms()
        while True:
            self._ask()
            due_ms = max(due_ms + PERIOD_MS, now_ms())
            while (left_ms := due_ms - now_ms()) > 0:
                sockets = [self._asker, *self._namers.values()]
                if select.select(sockets, [], [], left_ms / 1000)[0]:
                    self._read()
            self._settle()

    def _ask(self) -> None:
        number = self._count % NUMBERS
        request = self._asked[number] = Request(now_ms())
        self._open.append(request)
        self._asker.ask(number)
        if self._count % NAMES_EVERY == 0:
            for namer in self._namers.values():
                namer.ask(number)
        self._count += 1

    def _read(self) -> None:
        for number, mac in self._asker.answers():
            request = self._asked[number] if number is not None else None
            if request is not None:
                request.macs.append(mac)
        for name, namer in self._namers.items():
            self._names.update({mac: name for _, mac in namer.answers()})

    def _settle(self) -> None:
        while self._open and self._open[0].at_ms < now_ms() - SETTLED_MS:
            request = self._open.popleft()
            self._tell(request.at_ms, [self._names.get(mac, mac) for mac in request.macs])


class Journal:
    """Prints what changes, for people."""

    def __init__(self) -> None:
        self._before: list[str] | None = None
        self._since_ms = 0.0

    def tell(self, at_ms: float, by: list[str]) -> None:
        """One request has all its answers."""
        if by == self._before:
            return
        lasted = f"   (after {at_ms - self._since_ms:.0f} ms)" if self._before is not None else ""
        clock = time.strftime("%H:%M:%S", time.localtime(time.time() - (now_ms() - at_ms) / 1000))
        print(f"{clock}  {VIP}: {' and '.join(by) or 'nobody'}{lasted}", flush=True)
        self._before, self._since_ms = by, at_ms


def tell_json(at_ms: float, by: list[str]) -> None:
    """A line for programs."""
    print(json.dumps({"at": round(at_ms, 1), "by": by}), flush=True)


def now_ms() -> float:
    """CLOCK_MONOTONIC: the same in all containers of a host."""
    return time.monotonic() * 1000


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        Watch(tell_json if "--json" in sys.argv[1:] else Journal().tell).run()
