"""A director in a namespace: its keys, files and `drctl run`, as an operator has them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drctl.errors import DrctlError
from drctl.lab.pair.host import Host, run

DRCTL = (sys.executable, "-P", "-m", "drctl")
GUARD = "drctl-guard"
"""What the guard calls itself."""
PATIENCE_S = 120.0
"""For a director to start: an emulated machine that is busy needs half a minute for its programs
alone."""
_END_LIMIT_S = 15.0
_SCRIPT = """\
vrrp_script alive {
    script "/usr/bin/true"
    interval 1
    timeout 10
}
"""
_KEEPALIVED = """\
{script}vrrp_instance web {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    nopreempt
    virtual_ipaddress {{
{vips}    }}
{track}}}
virtual_server {first} 80 {{
    lb_kind DR
    real_server {server} 80 {{
        TCP_CHECK {{
            connect_timeout 3
        }}
    }}
}}
"""
_SETTINGS = """\
node = "{node}"
config = "{folder}/keepalived.conf"
control = "{folder}/control.sock"
state_dir = "{folder}/state"
[keys]
secret = "{keys}/{node}.secret"
[timing]
heartbeat = "{heartbeat_ms}ms"
{confirm}{fence}[[peer]]
node = "{peer}"
public = "{keys}/{peer}.public"
"""
_LINK = """\
[[peer.link]]
local = "{local}"
peer = "{remote}"
"""


@dataclass(frozen=True)
class Settings:
    """What a director is configured with. `links` are pairs of its own address and the peer's;
    with `has_script` a program is run every second, on whose success it depends; `confirm_ms` 0 is
    the daemon's own default."""

    node: str
    peer: str
    priority: int
    heartbeat_ms: int
    vips: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    server: str
    keys: Path
    has_fence: bool = True
    has_script: bool = False
    confirm_ms: int = 0


def drctl_toml(settings: Settings, folder: Path) -> str:
    """The settings of a daemon whose keepalived.conf, socket and state are in the folder."""
    text = _SETTINGS.format(
        node=settings.node,
        peer=settings.peer,
        folder=folder,
        keys=settings.keys,
        heartbeat_ms=settings.heartbeat_ms,
        confirm=f'confirm = "{settings.confirm_ms}ms"\n' if settings.confirm_ms else "",
        fence="" if settings.has_fence else '[fence]\nkind = "address"\n',
    )
    links = (_LINK.format(local=local, remote=remote) for local, remote in settings.links)
    return text + "".join(links)


class Director:
    """One director. `host` is where it runs, `folder` has its files."""

    def __init__(self, settings: Settings, host: Host, folder: Path) -> None:
        self.name = settings.node
        self.host = host
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        vips = "".join(f"        {vip}/{64 if ':' in vip else 24}\n" for vip in settings.vips)
        track = "    track_script {\n        alive\n    }\n"
        text = _KEEPALIVED.format(
            script=_SCRIPT if settings.has_script else "",
            track=track if settings.has_script else "",
            priority=settings.priority,
            vips=vips,
            first=settings.vips[0],
            server=settings.server,
        )
        (folder / "keepalived.conf").write_text(text, encoding="utf-8")
        (folder / "drctl.toml").write_text(drctl_toml(settings, folder), encoding="utf-8")

    @property
    def settings(self) -> str:
        """Path of its drctl.toml."""
        return str(self.folder / "drctl.toml")

    def start(self) -> None:
        """Start the daemon; does not wait for it. Ctrl-C at a terminal does not reach it; when this
        process dies without further ado, it is killed, and its guard ends."""
        daemon = self.host.command(*DRCTL, "run", "-c", self.settings)
        command = ["setpriv", "--pdeathsig", "KILL", *daemon]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """The controller's: `setpriv` and `ip` execute it in their own place."""
        assert self._process is not None
        return self._process.pid

    def is_running(self) -> bool:
        """Whether the controller has not ended."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send the controller a signal."""
        os.kill(self.pid, number)

    def ask(self, *words: str) -> str:
        """What a command of `drctl` to this daemon prints. Raises CommandFailed."""
        return run(*DRCTL, words[0], "-c", self.settings, *words[1:])

    def status(self) -> dict[str, Any]:
        """`drctl status --json`; empty while it cannot be asked."""
        command = [*DRCTL, "status", "-c", self.settings, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def guard(self) -> int:
        """The guard's process. Raises DrctlError when there is none."""
        for pid in self.host.pids():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
                if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == GUARD:
                    return pid
        raise DrctlError(f"{self.name} has no guard\n{self.log()}")

    def log(self) -> str:
        """The end of what it wrote."""
        file = self.folder / "log"
        return file.read_text(encoding="utf-8", errors="replace")[-4000:] if file.exists() else ""

    def end(self) -> None:
        """Nothing of it runs any more, whatever state it is in; raises DrctlError otherwise.

        The controller is killed first: its guard, and its other children, end by themselves.
        """
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(_END_LIMIT_S)
        self._process = None
        limit_s = time.monotonic() + _END_LIMIT_S
        while left := self.host.pids():
            if time.monotonic() > limit_s:
                raise DrctlError(f"processes of {self.name} do not end: {left}")
            if time.monotonic() > limit_s - _END_LIMIT_S + 1:
                _kill(left)
            time.sleep(0.02)


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it has ended since
            os.kill(pid, signal.SIGKILL)


def start_all(directors: Iterable[Director], patience_s: float = PATIENCE_S) -> None:
    """Start one after the other, so that the first holds the VIPs; all hear each other then."""
    everybody = list(directors)
    for number, each in enumerate(everybody):
        each.start()
        wanted = "standby" if number else "active"
        await_role(each, wanted, patience_s)
    limit_s = time.monotonic() + patience_s
    for each in everybody:
        while not all(peer["alive"] for peer in each.status().get("peers", [{"alive": False}])):
            if time.monotonic() > limit_s:
                raise DrctlError(f"{each.name} does not hear its peer\n{each.log()}")


def await_role(director: Director, wanted: str, patience_s: float = PATIENCE_S) -> None:
    """Until it says that this is its role in every group. Raises DrctlError when it does not."""
    limit_s = time.monotonic() + patience_s
    while True:
        roles = {str(group["role"]) for group in director.status().get("groups", [])}
        if roles == {wanted}:
            return
        if not director.is_running() or time.monotonic() > limit_s:
            said = ", ".join(sorted(roles)) or "nothing"
            text = f"{director.name} is {said}, not {wanted}, after {patience_s:g} s"
            raise DrctlError(f"{text}\n{director.log()}")
        time.sleep(0.05)
