"""Commands that take a while: who waits for the end of which, and what they are told then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[[int, dict[str, Any]], None]


@dataclass(slots=True)
class _Order:
    client: int
    command: str
    end_ms: int
    open_groups: set[str]
    results: list[dict[str, Any]] = field(default_factory=list)


class Orders:
    """Orders that are being carried out, at most one for a group.

    `answer` is given the client and `{"ok": bool, "text": str, "results": [{"group", "is_done",
    "text"}]}`, when the core has replied for each group, or it is too late.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._orders: list[_Order] = []

    def begin(
        self, client: int, command: str, groups: Iterable[str], end_ms: int
    ) -> tuple[str, ...]:
        """Wait for the core's replies for these groups, until `end_ms`.

        What comes back is what to ask the core for; nothing when it was answered at once, because
        something else is being done with one of them, or there are none.
        """
        wanted = tuple(groups)
        for order in self._orders:
            busy = sorted(order.open_groups.intersection(wanted))
            if busy:
                text = f"{order.command} of {', '.join(busy)} is not done yet; ask again then"
                self._answer(client, {"ok": False, "text": text, "results": []})
                return ()
        if not wanted:
            text = f"there is no group to {command}"
            self._answer(client, {"ok": True, "text": text, "results": []})
            return ()
        self._orders.append(_Order(client, command, end_ms, set(wanted)))
        return wanted

    def replied(self, group: str, *, is_done: bool, text: str) -> None:
        """The core's reply for a group; one that nobody waits for any more is nobody's."""
        for order in self._orders:
            if group in order.open_groups:
                order.open_groups.discard(group)
                order.results.append({"group": group, "is_done": is_done, "text": text})
                if not order.open_groups:
                    self._finish(order, "")
                return

    def deadline_ms(self) -> int | None:
        """When `expire` has something to do at the earliest."""
        return min((order.end_ms for order in self._orders), default=None)

    def expire(self, now_ms: int) -> None:
        """Answer those who have waited for long enough."""
        for order in [order for order in self._orders if order.end_ms <= now_ms]:
            for group in sorted(order.open_groups):
                text = f"{order.command} is not done in time; it may still happen"
                order.results.append({"group": group, "is_done": False, "text": text})
            self._finish(order, "not all was done in time")

    def end(self, why: str) -> None:
        """Answer all who wait: nothing more will come."""
        for order in list(self._orders):
            for group in sorted(order.open_groups):
                order.results.append({"group": group, "is_done": False, "text": why})
            self._finish(order, why)

    def _finish(self, order: _Order, text: str) -> None:
        self._orders.remove(order)
        is_ok = all(result["is_done"] for result in order.results)
        answer = {"ok": is_ok, "text": text, "results": order.results}
        self._answer(order.client, answer)
