"""The arbiter in the controller's loop: what it says goes to the core, what the core asks to it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
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
        for group, holder in self._controller.node.around.asked.items():
            self._ask(AskArbiter(group, holder))

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
        grants = self._controller.node.around.grants
        found = state_of(self._config, self._arbiter, grants, now_ms())
        return None if found is None else found.to_json()

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
            if self._granted.get(event.group) is not is_granted:
                self._granted[event.group] = is_granted
                words = (self._config.kind, event.group, is_granted)
                log.info("arbiter kind=%s group=%r is_granted=%s", *words)
            yield event
