"""A reference point that answers echoes: who reaches it is on the side of a cut that may go on."""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence

from drctl.adapters.arbiter_ping import Pinger
from drctl.core.action import AskArbiter
from drctl.core.event import ArbiterReported
from drctl.daemon.config import ArbiterConfig

MOST_SENT = 256
"""Requests of which an answer may still come."""


class Gateway:
    """Asks each of the addresses once an interval. An answer counts for the time that the core
    knows as `hold_ms`, from when its request was sent. When nothing has counted for that long it
    takes `rise` answers in a row to count again."""

    def __init__(
        self, config: ArbiterConfig, addresses: Sequence[str], heartbeat_ms: int, now_ms: int
    ) -> None:
        self.addresses = tuple(addresses)
        self._interval_ms = config.interval_or(heartbeat_ms)
        self._hold_ms = config.hold_ms(heartbeat_ms)
        self._timeout_ms = config.timeout_ms
        self._rise = config.rise
        self._next_ms = now_ms
        self._number = 0
        self._round = 0
        self._sent: dict[int, tuple[str, int, int]] = {}
        """Address, round and instant of requests."""
        self._row: dict[str, tuple[int, int]] = {}
        """Of an address: how many answers in a row, and the round of the last one."""
        self._until_ms = 0
        self._told_ms = -1
        self._begun_ms = now_ms
        self._poll = select.epoll()
        self._pingers: dict[bool, Pinger] = {}
        for address in self.addresses:
            is_v6 = ":" in address
            if is_v6 not in self._pingers:
                pinger = Pinger(socket.AF_INET6 if is_v6 else socket.AF_INET)
                self._pingers[is_v6] = pinger
                self._poll.register(pinger.fileno(), select.EPOLLIN)

    def fileno(self) -> int:
        return self._poll.fileno()

    def events(self, now_ms: int) -> list[ArbiterReported]:
        """What answers say."""
        for pinger in self._pingers.values():
            for number in pinger.answers():
                sent = self._sent.pop(number, None)
                if sent is not None and now_ms - sent[2] <= self._timeout_ms:
                    self._answered(*sent, now_ms)
        return self._news(now_ms)

    def tick(self, now_ms: int) -> list[ArbiterReported]:
        """Ask when it is time; tell when nobody has answered for too long."""
        if now_ms >= self._next_ms:
            self._next_ms += self._interval_ms
            if self._next_ms <= now_ms:
                self._next_ms = now_ms + self._interval_ms
            self._round += 1
            for address in self.addresses:
                self._ask(address, now_ms)
        return self._news(now_ms)

    def ask(self, action: AskArbiter) -> None:
        raise AssertionError(f"nothing is lent: {action}")

    def trouble(self, now_ms: int) -> str:
        if now_ms < self._until_ms:
            return ""
        reasons = [pinger.refusal for pinger in self._pingers.values() if pinger.refusal]
        why = f" ({'; '.join(reasons)})" if reasons else ""
        return f"no answer from {', '.join(self.addresses)}{why}"

    def end(self) -> None:
        for pinger in self._pingers.values():
            pinger.close()
        self._poll.close()

    def _ask(self, address: str, now_ms: int) -> None:
        self._number += 1
        if self._pingers[":" in address].ask(address, self._number):
            self._sent[self._number] = (address, self._round, now_ms)
        while len(self._sent) > MOST_SENT:
            del self._sent[next(iter(self._sent))]

    def _answered(self, address: str, number: int, sent_ms: int, now_ms: int) -> None:
        count, last = self._row.get(address, (0, 0))
        count = count + 1 if number == last + 1 else 1
        self._row[address] = (count, number)
        if now_ms < self._until_ms or count >= self._rise:
            self._until_ms = max(self._until_ms, sent_ms + self._hold_ms)

    def _news(self, now_ms: int) -> list[ArbiterReported]:
        """What has changed since it was told last. That nobody answers is told once."""
        is_granted = now_ms < self._until_ms
        if not is_granted and self._told_ms < 0 and now_ms - self._begun_ms < self._hold_ms:
            return []
        until_ms = self._until_ms if is_granted else 0
        if until_ms == self._told_ms:
            return []
        self._told_ms = until_ms
        return [ArbiterReported(now_ms, until_ms)]
