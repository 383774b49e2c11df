"""The controller's end of the process that borrows VIPs from etcd, and that process.

It is told `{"settings": ...}`, `{"wanted": [[[VIP, ...], director], ...], "turn": N}`, and that the
controller lives by `{"alive": true}`; it says `{"vips": [VIP, ...], "until": ms, "turn": N}` by the
same monotonic clock, and `{"trouble": text}`.

What was borrowed is given back when the controller has said nothing for as long as its kernel goes
on answering without it.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from drctl.core.action import AskArbiter
from drctl.core.event import ArbiterReported
from drctl.daemon.background import begin
from drctl.daemon.child import Child
from drctl.daemon.config import ArbiterConfig
from drctl.daemon.line_channel import ChannelEnded, LineChannel

LONGEST_WAIT_MS = 3_600_000
ALIVE_MS = 100
"""How often the controller says that it lives."""


class Lease:
    """The controller's end. Nothing here waits."""

    def __init__(self, config: ArbiterConfig, node: str, lag_ms: int) -> None:
        self._node = node
        self._lag_ms = lag_ms
        self._settings = {"config": asdict(config), "node": node, "lag_ms": lag_ms}
        self._wanted: dict[tuple[str, ...], str] = {}
        self._turn = 0
        """Of what is wanted. What is said of an earlier one may be out of date."""
        self._trouble = ""
        self._alive_at_ms = 0
        self._child = Child("drctl.daemon.arbiter_lease", (), self._greeting)

    @classmethod
    def spawn(cls, config: ArbiterConfig, node: str, lag_ms: int, now_ms: int) -> Lease:
        lease = cls(config, node, lag_ms)
        lease._child.start(now_ms)
        return lease

    def fileno(self) -> int:
        return self._child.fileno()

    def events(self, now_ms: int) -> list[ArbiterReported]:
        """What it says. A process that takes the place of a dead one finds what is lent already."""
        found = []
        for message in self._child.receive(now_ms):
            if "trouble" in message:
                self._trouble = message["trouble"]
            elif not message["until"] or self._is_of_now(message):
                found.append(ArbiterReported(now_ms, message["until"], tuple(message["vips"])))
        return found

    def tick(self, now_ms: int) -> list[ArbiterReported]:
        self._child.tick(now_ms)
        if now_ms >= self._alive_at_ms and self._child.pid is not None:
            self._alive_at_ms = now_ms + ALIVE_MS
            self._child.put({"alive": True})
        return []

    def ask(self, action: AskArbiter) -> None:
        if action.holder:
            self._wanted[action.addresses] = action.holder
        else:
            self._wanted.pop(action.addresses, None)
        self._turn += 1
        self._child.put(self._wish())

    def trouble(self, now_ms: int) -> str:  # noqa: ARG002 - as of every arbiter
        return self._child.trouble or self._trouble

    def end(self) -> None:
        self._child.end(2 * self._lag_ms + 1000)
        self._child.close()

    def _greeting(self) -> list[dict[str, Any]]:
        return [{"settings": self._settings}, self._wish()]

    def _wish(self) -> dict[str, Any]:
        return {"wanted": list(self._wanted.items()), "turn": self._turn}

    def _is_of_now(self, message: dict[str, Any]) -> bool:
        return bool(message["turn"] == self._turn)


def now_ms() -> int:
    """The clock of the controller's events."""
    return time.monotonic_ns() // 1_000_000


class Runner:
    """The process: asks etcd as long as the controller is there."""

    def __init__(self, channel: LineChannel) -> None:
        self._lines = channel
        self._lending: Any = None
        self._lag_ms = 0
        self._turn = 0
        self._heard_ms = now_ms()
        self._is_resting = False
        """Everything was given back, until the controller says something."""
        self._told = ""

    def run(self) -> int:
        """Until the controller has gone, and its kernel has let go too."""
        poll = select.poll()
        poll.register(self._lines, select.POLLIN)
        try:
            while True:
                poll.poll(max(0, min(self._wake_ms() - now_ms(), LONGEST_WAIT_MS)))
                messages = self._lines.receive()
                for message in messages:
                    self._heard_ms = now_ms()
                    self._take(message)
                if self._lending is not None:
                    self._go_on(is_silent=not messages)
                self._lines.flush()
        except ChannelEnded:
            self._end()
        return 0

    def _wake_ms(self) -> int:
        if self._lending is None:
            return now_ms() + LONGEST_WAIT_MS
        if self._is_resting:
            return now_ms() + LONGEST_WAIT_MS
        wake_ms: int = min(self._lending.wake_ms(), self._heard_ms + self._lag_ms)
        return wake_ms

    def _go_on(self, *, is_silent: bool) -> None:
        self._is_resting &= is_silent
        if is_silent and not self._is_resting and now_ms() >= self._heard_ms + self._lag_ms:
            self._is_resting = True
            self._lending.rest()
        elif not self._is_resting and now_ms() >= self._lending.wake_ms():
            self._lending.work(now_ms)
        if self._lending.trouble != self._told:
            self._told = self._lending.trouble
            self._lines.put({"trouble": self._told})

    def _take(self, message: dict[str, Any]) -> None:
        if "settings" in message:
            self._configure(**message["settings"])
        elif self._lending is not None and "wanted" in message:
            self._turn = message["turn"]
            wanted = [(frozenset(vips), holder) for vips, holder in message["wanted"]]
            self._lending.wants(wanted, now_ms)

    def _configure(self, config: dict[str, Any], node: str, lag_ms: int) -> None:
        from drctl.adapters.arbiter_etcd import Etcd, EtcdRefused, Tls
        from drctl.daemon.arbiter_lending import Lending

        given = ArbiterConfig(**config)
        self._lag_ms = lag_ms
        tls = Tls(given.ca, given.cert, given.key)
        try:
            etcd = Etcd(given.endpoints, tls, given.timeout_ms / 1000)
        except EtcdRefused as refused:
            self._lines.put({"trouble": str(refused)})
            return
        self._lending = Lending(etcd, node, given.prefix, given.ttl_ms, lag_ms)
        self._lending.tell = self._tell

    def _tell(self, vips: Sequence[str], until_ms: int) -> None:
        self._lines.put({"vips": list(vips), "until": until_ms, "turn": self._turn})
        self._lines.flush()

    def _end(self) -> None:
        """A controller that was killed left its VIPs to the guard, and to their leases."""
        if self._lending is not None:
            if not self._lending.is_idle:
                time.sleep(self._lag_ms / 1000)
            self._lending.rest()


def main(arguments: list[str]) -> int:
    """Ask etcd until the controller ends or dies."""
    (channel,) = arguments
    return Runner(LineChannel(begin("drctl-arbiter", channel))).run()


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(sys.argv[1:]))
