"""The arbiter in the controller's loop: what it says goes to the core, what the core asks to it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from drctl.core.action import AskArbiter
from drctl.core.event import ArbiterReported, Event
from drctl.daemon.arbiter import Arbiter, make_arbiter, state_of
from drctl.daemon.config import ArbiterConfig
from drctl.daemon.controller import Controller
from drctl.daemon.executor import now_ms
from drctl.daemon.loop import OTHERS
from drctl.errors import DrctlError

log = logging.getLogger("drctl")

MOST_SHOWN = 3
"""VIPs in one line of the log."""


class ArbiterWatch:
    """Has the arbiter that is configured, if there is one; `change` takes another one."""

    def __init__(self, config: ArbiterConfig, controller: Controller, *, has_fence: bool) -> None:
        self._config = config
        self._controller = controller
        self._has_fence = has_fence
        self._arbiter: Arbiter | None = None
        self._granted: dict[str, bool] = {}
        controller.executor.on_ask = self._ask
        self._begin()

    def change(self, config: ArbiterConfig) -> None:
        """Other settings; the core has to know them before, and other timing counts too. What was
        allowed holds until its time is over, or the new one has spoken; the end of the old one is
        not waited for."""
        if self._needs(config) == self._has:
            return
        old, self._config = self._arbiter, config
        if old is not None:
            self._controller.loop.forget(old.fileno())
            self._controller.on_disk(old.end, lambda _: None)
        self._arbiter = None
        try:
            self._begin()
        except DrctlError as refused:
            # nobody is asked: who needs one does not hold anything
            log.error("no_arbiter kind=%s error=%r", config.kind, str(refused))
        for addresses, holder in self._controller.node.around.asked.items():
            self._ask(AskArbiter(tuple(sorted(addresses)), holder))

    def tick(self) -> None:
        """With every turn of the loop."""
        if self._arbiter is not None:
            for event in self._noted(self._arbiter.tick(now_ms())):
                self._controller.loop.feed(event)

    def end(self) -> None:
        """No more arbiter: one that lends gets everything back."""
        if self._arbiter is not None:
            self._controller.loop.forget(self._arbiter.fileno())
            self._arbiter.end()
            self._arbiter = None

    def state(self) -> dict[str, Any] | None:
        """For `drctl status`."""
        if self._arbiter is None:
            return None
        node, now = self._controller.node, now_ms()
        groups = [group.config for group in node.groups.values()]
        trouble = self._arbiter.trouble(now)
        return state_of(self._config.kind, groups, node.around.grants, now, trouble).to_json()

    def _needs(self, config: ArbiterConfig) -> tuple[object, ...]:
        """All that it is made of."""
        timing = self._controller.node.around.settings.timing
        return (config, timing.heartbeat_ms, timing.fence_ms, timing.lease_ms)

    def _begin(self) -> None:
        settings = self._controller.node.around.settings
        self._has = self._needs(self._config)
        arbiter = make_arbiter(self._config, settings, has_fence=self._has_fence, now_ms=now_ms())
        if arbiter is None:
            return
        self._arbiter = arbiter

        def read() -> Iterator[Event]:
            yield from self._noted(arbiter.events(now_ms()))

        self._controller.loop.watch(arbiter.fileno(), OTHERS, read)

    def _ask(self, action: AskArbiter) -> None:
        if self._arbiter is not None:
            self._arbiter.ask(action)

    def _noted(self, events: Iterable[ArbiterReported]) -> Iterator[ArbiterReported]:
        """A line for each change of mind."""
        for event in events:
            is_granted = event.until_ms > now_ms()
            news = [one for one in event.addresses if self._granted.get(one) is not is_granted]
            if news:
                self._granted.update(dict.fromkeys(news, is_granted))
                words = (self._config.kind, is_granted, _shown(news))
                log.info("arbiter kind=%s is_granted=%s%s", *words)
            yield event


def _shown(addresses: Sequence[str]) -> str:
    """Of one that vouches nothing: it means all of them."""
    if addresses[0] == "":
        return ""
    more = f" and {len(addresses) - MOST_SHOWN} more" if len(addresses) > MOST_SHOWN else ""
    return f" vips='{', '.join(addresses[:MOST_SHOWN])}{more}'"
