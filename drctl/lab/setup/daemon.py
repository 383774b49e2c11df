"""The directors' daemons: real `drctl run` processes, asked by their sockets."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drctl.daemon.control_client import NotAnswered, ask
from drctl.errors import DrctlError
from drctl.lab.pair.director import DRCTL, GUARD
from drctl.lab.pair.host import Host
from drctl.lab.setup import process
from drctl.lab.setup.pace import pace_here

_ASK_S = 2.0


@dataclass
class Daemon:
    """A director's. `folder` has its settings, its socket and its log."""

    lab: str
    host: Host
    folder: Path
    _started: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """The node's."""
        return self.host.name

    @property
    def part(self) -> str:
        """What its processes carry in their environment."""
        return f"director {self.name}"

    @property
    def settings(self) -> Path:
        """Its drctl.toml."""
        return self.folder / "drctl.toml"

    def start(self) -> None:
        """Start it; it runs on when this process ends."""
        command = self.host.command(*DRCTL, "run", "--accept-unsupported", "-c", str(self.settings))
        environment = process.mark(self.lab, self.part)
        self._started = process.start(command, environment, self.folder / "log")

    def has_ended(self) -> bool:
        """Whether nothing of it runs."""
        if self._started is not None and self._started.poll() is None:
            return False
        return not self.pids()

    def pids(self) -> list[int]:
        """Its processes."""
        return process.of_part(self.lab, self.part)

    def controller(self) -> list[int]:
        """The process that decides, and not its guard."""
        return [pid for pid in self.pids() if _name(pid) != GUARD][:1]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the controller."""
        process.send(self.controller(), number)

    def request(self, command: str) -> dict[str, Any]:
        """Its answer to a command; empty while it does not answer."""
        words = {"command": command, "group": "", "target": "", "options": {}}
        try:
            return ask(self.folder / "control.sock", words, _ASK_S)
        except NotAnswered:
            return {}

    def status(self) -> dict[str, Any]:
        """How it is; empty while it does not answer."""
        return dict(self.request("status").get("status", {}))

    def log(self) -> str:
        """The end of what it wrote."""
        path = self.folder / "log"
        return path.read_text("utf-8", "replace")[-3000:] if path.exists() else ""


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8").strip()
    except OSError:
        return GUARD  # it has ended, so it is not who decides


def active(pair: tuple[Daemon, ...]) -> dict[str, list[str]]:
    """Who says of each group that it is active."""
    found: dict[str, list[str]] = {}
    for daemon in pair:
        for group in daemon.status().get("groups", []):
            holders = found.setdefault(str(group["name"]), [])
            if group["role"] == "active":
                holders.append(daemon.name)
    return found


def speaker(pair: tuple[Daemon, ...]) -> str:
    """The only director that says it is active, "" when there are several or none."""
    names = {name for holders in active(pair).values() for name in holders}
    return names.pop() if len(names) == 1 else ""


def await_pair(pair: tuple[Daemon, ...]) -> dict[str, list[str]]:
    """Until both answer and hear each other, and each group has one active director; who that is.
    Raises DrctlError when it does not come to that."""
    settle_s = pace_here().settle_s
    limit_s = time.monotonic() + settle_s
    while True:
        statuses = [daemon.status() for daemon in pair]
        if all(_hears(status) for status in statuses):
            found = active(pair)
            if found and all(len(holders) == 1 for holders in found.values()):
                return found
        for daemon, status in zip(pair, statuses, strict=True):
            if not status and daemon.has_ended():
                raise DrctlError(f"drctl run of {daemon.name} has ended\n{daemon.log()}")
        if time.monotonic() > limit_s:
            logs = "\n".join(f"--- {daemon.name}\n{daemon.log()}" for daemon in pair)
            raise DrctlError(f"the directors do not agree within {settle_s:g} s\n{logs}")
        time.sleep(0.05)


def await_active(daemon: Daemon) -> None:
    """Until it is active in all its groups. Raises DrctlError when it ends, or does not get
    there."""
    limit_s = time.monotonic() + pace_here().settle_s
    while True:
        roles = {str(group["role"]) for group in daemon.status().get("groups", [])}
        if roles == {"active"}:
            return
        if not roles and daemon.has_ended():
            raise DrctlError(f"drctl run of {daemon.name} has ended\n{daemon.log()}")
        if time.monotonic() > limit_s:
            said = ", ".join(sorted(roles)) or "nothing"
            raise DrctlError(f"{daemon.name} is {said}, not active\n{daemon.log()}")
        time.sleep(0.05)


def _hears(status: dict[str, Any]) -> bool:
    return bool(status) and all(peer["alive"] for peer in status.get("peers", []))
