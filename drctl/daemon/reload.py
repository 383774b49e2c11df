"""`drctl reload`: another configuration for a daemon that holds VIPs.

It is read by another process (`reload_reader`), compared, and given to the core, which touches only
what differs. What the shell has besides (cards, links, keys, scripts) follows in an order in which
a step that fails leaves all as it was.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from drctl.adapters.heartbeat import Heartbeat
from drctl.adapters.sd_notify import SdNotify
from drctl.adapters.segment import Segment
from drctl.core.action import EndReload
from drctl.core.event import Event, Reconfigured
from drctl.core.role import Role
from drctl.core.value import Settings
from drctl.daemon.arbiter_watch import ArbiterWatch
from drctl.daemon.controller import Controller
from drctl.daemon.desk import Desk
from drctl.daemon.executor import now_ms
from drctl.daemon.hook_client import Hooks
from drctl.daemon.loop import OTHERS
from drctl.daemon.preparation import Own, Preparation, Unready
from drctl.daemon.reload_change import differences, fixed
from drctl.daemon.reload_reader import LIMIT_MS, Reader, reaped
from drctl.daemon.state import State
from drctl.daemon.status import roles_in_words
from drctl.errors import DrctlError

log = logging.getLogger("drctl")

SLOW_MS = 500
"""What takes longer has waited for a takeover, and says so."""
UNCHANGED = "nothing differs, and nothing was changed"
REFUSED = "nothing was changed"

Client = int | None
"""Who waits for the answer; None for a signal."""


@dataclass(slots=True)
class Crew:
    """What a reload has to do with."""

    controller: Controller
    heartbeat: Heartbeat
    desk: Desk
    hooks: Hooks
    state: State
    arbiter: ArbiterWatch
    notify: SdNotify
    open_segment: Callable[[str, Own], Segment]


class Reloader:
    """One reload after the other. `running` is what the daemon works by."""

    def __init__(self, running: Preparation, crew: Crew, *, has_fence: bool, accepts: bool) -> None:
        self.running = running
        self._of = crew
        self._has_fence = has_fence
        self._accepts = accepts
        self._reader: Reader | None = None
        self._leaving: list[subprocess.Popen[bytes]] = []
        self._client: Client = None
        self._is_check = False
        self._next: Preparation | None = None
        self._lines: tuple[str, ...] = ()
        self._opened: dict[str, Segment] = {}
        self._begun_ms = 0
        self._links = (running.links, running.keyring)
        self._is_wanted_again = False
        crew.controller.executor.on_settings = self._go_over
        crew.controller.executor.on_reload = self._ended
        crew.desk.on_reload = self.ask

    @property
    def is_going_on(self) -> bool:
        return self._reader is not None or self._next is not None

    def ask(self, client: Client = None, *, is_check: bool = False) -> None:
        """Read it again; only to say what would be different, when `is_check`."""
        if self.is_going_on:
            if client is None:
                self._is_wanted_again = True
                return
            self._of.desk.answer(client, ok=False, text="a reload is going on; ask again then")
            return
        self._client, self._is_check = client, is_check
        if not is_check:
            self._of.notify.reloading(now_ms() * 1000)
        try:
            path = self.running.config.path
            self._reader = Reader(path, now_ms(), has_fence=self._has_fence, accepts=self._accepts)
        except DrctlError as refused:
            self._refuse(Unready([str(refused)]))
            return
        self._of.controller.loop.watch(self._reader.fileno(), OTHERS, self._received)

    def tick(self) -> None:
        """Now and then."""
        if self._leaving:
            self._leaving = reaped(self._leaving)
        if self._reader is not None and now_ms() >= self._reader.end_ms:
            self._close_reader()
            self._refuse(Unready([f"reading it took longer than {LIMIT_MS // 1000} s"]))
        if self._is_wanted_again and not self.is_going_on:
            self._is_wanted_again = False
            self.ask()

    def end(self) -> None:
        """The daemon ends."""
        if self._reader is not None:
            self._close_reader()
        for process in self._leaving:
            process.wait()

    # reading

    def _close_reader(self) -> None:
        assert self._reader is not None
        self._of.controller.loop.forget(self._reader.fileno())
        self._leaving.append(self._reader.close())
        self._reader = None

    def _received(self) -> Iterator[Event]:
        assert self._reader is not None
        found = self._reader.receive()
        if found is not None:
            self._close_reader()
            if isinstance(found, Unready):
                self._refuse(found)
            else:
                self._compare(found)
        yield from ()

    def _compare(self, found: Preparation) -> None:
        impossible = fixed(self.running, found)
        self._lines = (*differences(self.running, found), *(f"note: {one}" for one in found.notes))
        if impossible:
            self._refuse(Unready(impossible))
        elif self._is_check or not differences(self.running, found):
            self._answer(ok=True, text=REFUSED if self._is_check and self._lines else UNCHANGED)
        else:
            self._begin(found)

    # going over

    def _begin(self, found: Preparation) -> None:
        of = self._of
        names = found.own.keys() - self.running.own.keys()
        try:
            for name in names:
                self._opened[name] = of.open_segment(name, found.own[name])
        except DrctlError as refused:
            self._close_opened()
            self._refuse(Unready([str(refused)]))
            return
        of.controller.open_segments(self._opened)
        self._next, self._begun_ms = found, now_ms()
        both = _addresses(self.running.settings) + _addresses(found.settings)
        of.controller.on_disk(lambda: of.state.set_addresses(both), self._written)

    def _written(self, refused: DrctlError | None) -> None:
        """What may be on this host is written down: now it may come there."""
        found, of = self._next, self._of
        assert found is not None
        if refused is not None:
            log.warning("vips_not_written error=%r", str(refused))
        present = of.controller.present(found.settings)
        of.controller.loop.feed(Reconfigured(now_ms(), found.settings, present))

    def _go_over(self, settings: Settings) -> None:
        """The core begins to use these settings, or goes back to those of before."""
        found = self._next
        chosen = found if found is not None and settings is found.settings else self.running
        wanted = (chosen.links, chosen.keyring)
        if wanted != self._links:
            self._of.heartbeat.reload(*wanted)
            self._links = wanted

    def _ended(self, end: EndReload) -> None:
        """In the middle of the core's actions: the rest follows when they are done."""
        found, of = self._next, self._of
        assert found is not None
        settings = found.settings if end.is_done else self.running.settings

        def finish(refused: DrctlError | None) -> None:
            if refused is not None:
                log.warning("vips_not_written error=%r", str(refused))
            if end.is_done:
                self._finish(found)
            else:
                self._close_opened()
                self._next = None
                self._refuse(Unready([end.text]))

        of.controller.on_disk(lambda: of.state.set_addresses(_addresses(settings)), finish)

    def _close_opened(self) -> None:
        known = self._of.controller.segments
        self._of.controller.close_segments([name for name in self._opened if name in known])
        for name, segment in self._opened.items():
            if name not in known:
                segment.close()
        self._opened = {}

    def _finish(self, found: Preparation) -> None:
        of, before = self._of, self.running
        self.running, self._next, self._opened = found, None, {}
        self._change_hooks(before, found)
        of.controller.use(found.settings)
        of.controller.close_segments(before.own.keys() - found.own.keys())
        for name, own in found.own.items():
            if before.own.get(name, own) != own:
                of.controller.segments[name].set_own(own)
        of.desk.links = {(one.peer, one.name): (one.local, one.remote) for one in found.links}
        of.arbiter.change(found.config.arbiter)
        waited_ms = now_ms() - self._begun_ms
        late = f" after {waited_ms} ms: a takeover was going on" if waited_ms > SLOW_MS else ""
        self._answer(ok=True, text=f"reloaded{late}")

    def _change_hooks(self, before: Preparation, found: Preparation) -> None:
        """What is gone is told that it stops, by the old hooks."""
        hooks, groups = self._of.hooks, self._of.controller.node.groups
        names = {group.name for group in before.settings.groups}
        for name in names - groups.keys():
            hooks.changed(name, Role.STANDBY, 0, is_stopping=True)
        if before.hooks != found.hooks:
            hooks.change(found.hooks)

    # telling

    def _refuse(self, reasons: Unready) -> None:
        self._lines = reasons.lines
        self._answer(ok=False, text=REFUSED)

    def _answer(self, *, ok: bool, text: str) -> None:
        of, lines = self._of, self._lines
        told = "; ".join((text, *lines))
        if self._client is not None:
            of.desk.answer(self._client, ok=ok, text=text, lines=lines)
        if not self._is_check:
            for line in lines:
                log.log(
                    logging.INFO if ok else logging.ERROR, "reload is_done=%s text=%r", ok, line
                )
            log.info("reload_over is_done=%s text=%r", ok, text)
            of.desk.tell_reload(told, ok=ok)
            of.notify.ready(roles_in_words(of.controller.node))
        self._client, self._lines = None, ()


def _addresses(settings: Settings) -> list[str]:
    return [vip.address for group in settings.groups for vip in group.vips]
