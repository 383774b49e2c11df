"""Where everything that happens is told: log, history, scripts, and operators who wait."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from drctl import __version__
from drctl.adapters.heartbeat import StrangerDenied
from drctl.adapters.heartbeat_link import LinkDenied
from drctl.core.action import Alarm, Reply, Report
from drctl.core.event import Command, Event, OperatorAsked
from drctl.core.node import Node
from drctl.core.role import Role
from drctl.core.wire import OtherVersion, WireError
from drctl.daemon.control import ControlServer, Request
from drctl.daemon.executor import at_once, now_ms
from drctl.daemon.hook_client import Hooks
from drctl.daemon.later import Done, Work
from drctl.daemon.link_watch import LinkNews, LinkWatch
from drctl.daemon.lost_event import wall_ms
from drctl.daemon.order import Orders
from drctl.daemon.recorder_client import Recorder
from drctl.daemon.state import HISTORY, State
from drctl.daemon.status import Facts, evidence, status
from drctl.errors import DrctlError

log = logging.getLogger("drctl")

COMMANDS = {command.value: command for command in (Command.SWITCH, Command.PAUSE, Command.RESUME)}
DEFAULT_WAIT_S = 30.0
LONGEST_WAIT_S = 3600.0
UNREAD_MS = 10_000
"""So long after the last heartbeat that could not be read that is still told."""
NEIGHBOURS = "directors may be one version of drctl apart"
STRANGERS_MS = 60_000
"""A line about strangers that were refused at most so often."""


class Desk:
    """The executor's listener, and the other end of the control socket."""

    def __init__(
        self, server: ControlServer, recorder: Recorder, hooks: Hooks, state: State
    ) -> None:
        self._server = server
        self._recorder = recorder
        self._hooks = hooks
        self._state = state
        self._orders = Orders(server.answer)
        self._alarms: dict[tuple[str, ...], str] = {}
        self._link_watch = LinkWatch()
        self._strangers = self._strangers_again_ms = 0
        self._unread: dict[str, tuple[str, int]] = {}
        """Peers whose heartbeats could not be read, why, and when the last one came."""
        self._introduced: set[str] = set()
        """Groups of which hooks have been told."""
        self.node: Node | None = None
        self.guard_pid: Callable[[], int] = lambda: 0
        self.links: Mapping[tuple[str, str], tuple[str, str]] = {}
        self.arbiter: Callable[[], dict[str, Any] | None] = lambda: None
        self.on_stop: Callable[[], None] = lambda: None
        self.on_disk: Callable[[Work, Done], None] = at_once
        self.on_reload: Callable[..., None] = lambda _client, **_options: None
        self._paused = state.paused
        self.on_leave: Callable[[], str] = lambda: "it cannot"

    # what the core tells

    def changed(self, report: Report) -> None:
        words = (report.group, report.before.word, report.after.word, report.epoch, report.reason)
        log.info("role group=%s from=%s to=%s epoch=%d reason=%r", *words)
        assert self.node is not None
        self._recorder.put(
            {
                **self._evidence(report.group),
                "kind": "role",
                "group": report.group,
                "before": report.before.word,
                "after": report.after.word,
                "epoch": report.epoch,
                "reason": report.reason,
            }
        )
        group = self.node.groups.get(report.group)
        if group is None:
            # a reload has taken it away, and tells the hooks
            return
        is_stopping = self.node.around.is_stopping and not report.after.is_holding
        priority = group.standing.priority
        if report.group not in self._introduced and report.after is not Role.FAULT:
            self._introduce(report.group, report.before)
        self._introduced.add(report.group)
        self._hooks.changed(report.group, report.after, priority, is_stopping=is_stopping)

    def _evidence(self, group: str) -> dict[str, Any]:
        assert self.node is not None
        if group not in self.node.groups:
            return {}
        return evidence(self.node, group, now_ms(), self._facts())

    def alarmed(self, alarm: Alarm) -> None:
        if alarm.is_on:
            self._alarms[alarm.key] = alarm.text
            log.warning("alarm key=%s text=%r", "/".join(alarm.key), alarm.text)
        else:
            self._alarms.pop(alarm.key, None)
            log.info("alarm_over key=%s", "/".join(alarm.key))
        text = alarm.text or "/".join(alarm.key)
        self._recorder.put({"kind": "alarm", "is_on": alarm.is_on, "reason": text})

    def _tell_link(self, news: LinkNews) -> None:
        """A heartbeat link is down, or up again."""
        if news.is_up:
            log.info("link_up peer=%s link=%s", news.peer, news.link)
        else:
            log.warning("link_down peer=%s link=%s text=%r", news.peer, news.link, str(news))
        more = {"name": news.link, "peer": news.peer, "is_up": news.is_up}
        self._recorder.put({"kind": "link", "reason": str(news), **more})

    def denied(self, event: LinkDenied | StrangerDenied) -> None:
        """A connection was refused, by a peer or by us; strangers are told of now and then."""
        if isinstance(event, LinkDenied):
            self._link_watch.deny(event.peer, event.link)
        elif now_ms() < self._strangers_again_ms:
            self._strangers += 1
        else:
            words = (event.address, event.key, self._strangers)
            log.warning("stranger_denied address=%s key=%r others=%d", *words)
            self._strangers, self._strangers_again_ms = 0, now_ms() + STRANGERS_MS

    def unread(self, peer: str, error: WireError) -> None:
        """A peer's heartbeat cannot be read. One that is not known to understand the newest version
        sends each in the one before too, so as long as it is heard all is well."""
        assert self.node is not None
        view = self.node.around.peers.get(peer)
        if view is None or view.is_fresh(now_ms()):
            return
        way = f"; {NEIGHBOURS}" if isinstance(error, OtherVersion) else ""
        text = f"heartbeats of {peer} cannot be read: {error}{way}"
        before = self._unread.get(peer)
        self._unread[peer] = (text, now_ms())
        if before is None or now_ms() - before[1] >= UNREAD_MS:
            log.warning("beat_refused peer=%s text=%r", peer, text)

    def link_falls(self) -> dict[tuple[str, str], int]:
        """How often each heartbeat link was down, by peer and link."""
        return self._link_watch.falls()

    def replied(self, reply: Reply) -> None:
        def answer(refused: DrctlError | None) -> None:
            text = reply.text
            if refused is not None:
                text = f"{text}, but a restart forgets it: {refused}"
            is_done = reply.is_done and refused is None
            self._orders.replied(reply.group, is_done=is_done, text=text)

        self._keep_paused(answer)

    def started(self) -> None:
        """The node is there."""
        self._recorder.put({"kind": "start", "version": __version__, "pid": os.getpid()})

    def _introduce_all(self) -> None:
        """Hooks are told the first state of a group once it is known, and then no later than the
        first change. Like keepalived's, a group that comes to be active was a backup before."""
        assert self.node is not None
        groups = self.node.groups
        self._introduced &= groups.keys()
        if len(self._introduced) == len(groups):
            return
        for name, group in groups.items():
            if name not in self._introduced and group.is_settled_in(now_ms()):
                self._introduce(name, group.role)

    def _introduce(self, name: str, role: Role) -> None:
        assert self.node is not None
        self._introduced.add(name)
        self._hooks.changed(name, role, self.node.groups[name].standing.priority)

    def stopped(self) -> None:
        assert self.node is not None
        for name, group in self.node.groups.items():
            priority = group.standing.priority
            self._hooks.changed(name, group.role, priority, is_stopping=True)
        self._recorder.put({"kind": "stop", "pid": os.getpid()})
        self._orders.end("the daemon stops")
        self.on_stop()

    def _keep_paused(self, then: Done) -> None:
        """A pause outlives a restart: it is on the disk before it is answered."""
        assert self.node is not None
        held = frozenset(name for name, group in self.node.groups.items() if group.is_held)
        if held == self._paused:
            then(None)
            return
        self._paused = held

        def written(refused: DrctlError | None) -> None:
            if refused is None:
                self._alarms.pop(("pause",), None)
            else:
                self._paused = self._state.paused
                log.warning("pause_not_kept error=%r", str(refused))
                self._alarms["pause",] = f"a restart will forget what is paused: {refused}"
            then(refused)

        self.on_disk(lambda: self._state.set_paused(held), written)

    # what operators ask

    def requests(self) -> Iterator[Event]:
        """Answer what can be answered at once; the rest as events for the core."""
        for request in self._server.requests():
            yield from self._take(request)

    def _take(self, request: Request) -> Iterator[Event]:
        assert self.node is not None
        if request.command == "status":
            self._server.answer(request.client, {"ok": True, "status": self.status()})
            return
        if request.command == "about":
            path = str(self._state.path / HISTORY)
            self._server.answer(request.client, {"ok": True, "history": path})
            return
        if request.command == "reload":
            is_check = bool(request.options.get("is_check"))
            log.info("command name=reload is_check=%s uid=%d", is_check, request.uid)
            self.on_reload(request.client, is_check=is_check)
            return
        if request.command == "leave":
            self._leave(request)
            return
        command = COMMANDS.get(request.command)
        if command is None:
            text = f"this daemon does not know {request.command}"
            self._server.answer(request.client, {"ok": False, "text": text, "results": []})
            return
        if wrong := self._unknown(request):
            self._server.answer(request.client, {"ok": False, "text": wrong, "results": []})
            return
        groups = [request.group] if request.group else list(self.node.groups)
        end_ms = now_ms() + int(_wait_s(request) * 1000)
        log.info("command name=%s group=%r uid=%d", request.command, request.group, request.uid)
        event = {"kind": "command", "reason": request.command, "group": request.group}
        self._recorder.put(event)
        for group in self._orders.begin(request.client, request.command, groups, end_ms):
            yield OperatorAsked(now_ms(), command, group, request.target)

    def _unknown(self, request: Request) -> str:
        """What of a request names nothing that is there; "" when all does."""
        assert self.node is not None
        groups = self.node.groups
        if request.group and request.group not in groups:
            return f"there is no group {request.group}; there is {', '.join(groups)}"
        nodes = [self.node.settings.node, *self.node.around.peers]
        if request.target and request.target not in nodes:
            return f"there is no director {request.target}; there is {', '.join(nodes)}"
        return ""

    def _leave(self, request: Request) -> None:
        why = self.on_leave()
        log.info("command name=leave uid=%d refused=%r", request.uid, why)
        if not why:
            self._recorder.put({"kind": "stop", "pid": os.getpid(), "reason": "VIPs are left"})
        text = why or "it has ended; its VIPs are left as they are, and nothing watches them"
        self._server.answer(request.client, {"ok": not why, "text": text})

    def answer(self, client: int, *, ok: bool, text: str, lines: Sequence[str] = ()) -> None:
        """The end of what somebody waits for that is no group's."""
        answer = {"ok": ok, "text": text, "lines": list(lines), "results": []}
        self._server.answer(client, answer)

    def tell_reload(self, text: str, *, ok: bool) -> None:
        """For the history."""
        reason = text if ok else f"refused: {text}"
        self._recorder.put({"kind": "reload", "reason": reason, "is_done": ok})

    def status(self) -> dict[str, object]:
        """As `drctl status --json` shows it."""
        assert self.node is not None
        return status(self.node, now_ms(), self._facts())

    def _facts(self) -> Facts:
        alarms = [*self._alarms.values()]
        alarms += [str(news) for news in self._link_watch.down()]
        alarms += [text for text, at_ms in self._unread.values() if now_ms() - at_ms < UNREAD_MS]
        alarms += [text for text in (self._recorder.trouble, self._hooks.trouble) if text]
        arbiter = self.arbiter()
        if arbiter is not None and arbiter["trouble"]:
            alarms.append(f"arbiter {arbiter['kind']}: {arbiter['trouble']}")
        return Facts(os.getpid(), self.guard_pid(), wall_ms(), self.links, alarms, arbiter)

    def tick(self) -> None:
        """With every turn of the loop."""
        assert self.node is not None
        self._introduce_all()
        for news in self._link_watch.look(now_ms(), self.node.around.peers):
            self._tell_link(news)
        self._orders.expire(now_ms())
        self._recorder.tick(now_ms())
        self._hooks.tick(now_ms())


def _wait_s(request: Request) -> float:
    """How long the client waits, as far as it says so."""
    given = request.options.get("timeout_s")
    if isinstance(given, (int, float)) and 0 < given <= LONGEST_WAIT_S:
        return float(given)
    return DEFAULT_WAIT_S
