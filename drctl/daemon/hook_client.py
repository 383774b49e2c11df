"""The controller's end of the hook runner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drctl.core.role import Role
from drctl.daemon.child import Child
from drctl.daemon.hook_value import (
    AGAIN,
    BACKUP,
    FAULT,
    MASTER,
    RELOAD,
    START,
    STOP,
    HookSettings,
    settings_to_json,
)


@dataclass(frozen=True, slots=True)
class TrackResult:
    """A tracked script changed, as `core.event.TrackReported`; `why` it failed, "" when it did
    not."""

    name: str
    is_up: bool
    value: int
    why: str


@dataclass(frozen=True, slots=True)
class ScriptEnded:
    """A notify script or mail ended; `why` is what was wrong, "" when nothing was."""

    what: str
    code: int
    why: str


class Hooks:
    """Has scripts run. `fileno` as `Child`: then `receive`; `tick` with every turn of the loop."""

    def __init__(self, settings: HookSettings, address: str = "") -> None:
        self._settings = settings
        self._states: dict[str, str] = {}
        self._when = START
        self._child = Child("drctl.daemon.hooks", (), self._greeting, address)

    @classmethod
    def spawn(cls, settings: HookSettings, now_ms: int, address: str = "") -> Hooks:
        """Start it, as soon as there is something to run. When that is not possible it is tried
        again, and `trouble` says why. `address` as of `Child`."""
        hooks = cls(settings, address)
        hooks.tick(now_ms)
        return hooks

    @property
    def pid(self) -> int | None:
        return self._child.pid

    @property
    def trouble(self) -> str:
        """Why no scripts run, "" when they do."""
        return self._child.trouble

    def fileno(self) -> int:
        return self._child.fileno()

    def change(self, settings: HookSettings) -> None:
        """Other settings; tracked scripts that stay the same go on as they are."""
        self._settings = settings
        if self._child.is_running:
            self._child.put({"settings": settings_to_json(settings), "when": RELOAD})
        elif self._when == START:
            self._when = RELOAD
        # where there is none, `tick` starts one that is told the new settings

    def changed(self, group: str, role: Role, priority: int, *, is_stopping: bool = False) -> None:
        """A group's role at the start, and whenever it changes; what is no other state for
        keepalived's words is not told again."""
        state = STOP if is_stopping else state_of(role)
        if state is None or self._states.get(group) == state:
            return
        self._states[group] = state
        if self._is_idle:
            return
        self._child.put({"changed": group, "state": state, "priority": priority})

    def receive(self, now_ms: int) -> list[TrackResult | ScriptEnded]:
        """What became of scripts; notices the death of the runner."""
        return [_result(message) for message in self._child.receive(now_ms)]

    def tick(self, now_ms: int) -> None:
        """With every turn of the loop."""
        if not self._is_idle:
            self._child.tick(now_ms)

    def end(self, timeout_ms: int = 7000) -> bool:
        """Wait until the scripts that were asked for have ended, or took too long."""
        is_done = self._is_idle or self._child.end(timeout_ms)
        self._child.close()
        return is_done

    @property
    def _is_idle(self) -> bool:
        """There is no process, and nothing to have one for."""
        return self._settings.is_empty and not self._child.is_running

    def _greeting(self) -> list[dict[str, Any]]:
        when, self._when = self._when, AGAIN
        return [{"settings": settings_to_json(self._settings), "when": when}]


def state_of(role: Role) -> str | None:
    """keepalived's word; None while it is not decided yet what becomes of the group."""
    match role:
        case Role.ACTIVE | Role.YIELDING:
            return MASTER
        case Role.STANDBY | Role.HELD | Role.SUSPECT:
            return BACKUP
        case Role.FAULT:
            return FAULT
        case Role.TAKING:
            return None


def _result(message: dict[str, Any]) -> TrackResult | ScriptEnded:
    if "track" in message:
        return TrackResult(message["track"], message["is_up"], message["value"], message["why"])
    return ScriptEnded(message["ran"], message["code"], message["why"])
