"""A pair that runs: two directors, a real server that is the witness, a client that asks; and what
may happen to them."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from drctl.adapters.fence import unusable_reason
from drctl.adapters.work_folder import work_folder
from drctl.errors import DrctlError, ToolMissing
from drctl.lab.pair.client import PERIOD_S, Client, be_punctual
from drctl.lab.pair.director import DRCTL, Director, Settings, await_role, start_all
from drctl.lab.pair.host import Host, Segment, run, segment

VIP, SERVER = "192.0.2.100", "192.0.2.20"
NAMES = ("lb1", "lb2")
NETWORKS = {"a": "192.0.2.", "b": "198.51.100."}


@dataclass(frozen=True)
class Plan:
    """What is built. `links` are the heartbeat's: "a" over the network of the VIPs, "b" over one of
    its own. The client asks for the last VIP, every `period_s`."""

    heartbeat_ms: int = 100
    vips: tuple[str, ...] = (VIP,)
    links: str = "ab"
    has_fence: bool = True
    has_script: bool = False
    period_s: float = PERIOD_S


@dataclass
class Stage:
    """Everything, running. The switch's port of a host has the host's name; that of its second card
    the name with `-b`."""

    plan: Plan
    segment: Segment
    directors: dict[str, Director]
    client: Client
    client_host: Host

    def holder(self, is_it: Callable[[str], bool] = bool, patience_s: float = 20) -> Director:
        """The director that answers the client, as soon as it is one that is wanted."""
        limit_s = time.monotonic() + patience_s
        while time.monotonic() < limit_s:
            name = self.client.last_holder()
            if name and is_it(name):
                return self.directors[name]
            time.sleep(0.005)
        raise DrctlError(f"no director that is wanted answers for {patience_s:g} s\n{self.logs()}")

    def other(self, director: Director) -> Director:
        """The other one."""
        return next(each for each in self.directors.values() if each is not director)

    def silence(self, name: str) -> None:
        """Nothing passes at the switch's port any more; the carrier stays."""
        self.segment.switch.run("bridge", "link", "set", "dev", name, "state", "0")

    def heal(self, name: str) -> None:
        """Everything passes again."""
        self.segment.switch.run("bridge", "link", "set", "dev", name, "state", "3")

    def unplug(self, name: str) -> None:
        """The director's card has no carrier any more."""
        self.segment.switch.ip("link", "set", name, "down")

    def plug(self, name: str) -> None:
        """It has one again."""
        self.segment.switch.ip("link", "set", name, "up")

    def revive(self, director: Director) -> None:
        """Start one that was killed; it is standby when this returns."""
        director.end()
        director.start()
        await_role(director, "standby")

    def logs(self) -> str:
        """The ends of both directors' logs, for the message of a failure."""
        return "\n".join(f"--- {each.name}\n{each.log()}" for each in self.directors.values())


def now_ms() -> float:
    """The clock of everything here."""
    return time.monotonic() * 1000


def end_in_order() -> None:
    """For programs: a signal that ends this process takes everything down that was made; a second
    one does not disturb that. The exit code is 128 and the signal's number."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for each in numbers:
        signal.signal(each, end)


def check_possible() -> None:
    """DrctlError when this machine cannot have a pair whose promises hold: no root, a tool that is
    missing, a kernel without namespaces, bridges or nftables."""
    if os.geteuid() != 0:
        raise DrctlError("a pair needs root for its namespaces")
    tools = (("bridge", "iproute2"), ("nft", "nftables"), ("setpriv", "util-linux"))
    for tool, package in tools:
        if shutil.which(tool) is None:
            raise ToolMissing(tool, package)
    with segment() as made, made.host("lb1").inside():
        reason = unusable_reason()
    if reason:
        raise DrctlError(f"there can be no fence of nftables: {reason}")


@contextmanager
def stage(plan: Plan) -> Iterator[Stage]:
    """A pair, its first director active; all of it is gone afterwards, whatever happens.

    Raises DrctlError when it does not come to that.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(work_folder("drctl-pair-"))
        made = stack.enter_context(segment())
        hosts = {
            name: made.host(name, f"{NETWORKS['a']}{number}/24")
            for number, name in enumerate(NAMES, 1)
        }
        made.host("rs", f"{SERVER}/24")
        client_host = made.host("client", "192.0.2.9/24")
        if "b" in plan.links:
            made.second(
                {
                    host: f"{NETWORKS['b']}{number}/24"
                    for number, host in enumerate(hosts.values(), 1)
                }
            )
        run(*DRCTL, "keygen", *NAMES, "-o", str(folder / "keys"))
        directors = {}
        for name, host in hosts.items():
            directors[name] = Director(_settings(plan, name, folder / "keys"), host, folder / name)
            stack.callback(directors[name].end)
        be_punctual()
        stack.callback(os.sched_setscheduler, 0, os.SCHED_OTHER, os.sched_param(0))
        macs = {host.mac(): name for name, host in hosts.items()}
        client = Client(client_host, plan.vips[-1], macs, period_s=plan.period_s)
        stack.callback(client.close)
        start_all(directors.values())
        yield Stage(plan, made, directors, client, client_host)


def _settings(plan: Plan, name: str, keys: Path) -> Settings:
    own = NAMES.index(name) + 1
    other = len(NAMES) + 1 - own
    return Settings(
        name,
        NAMES[other - 1],
        200 - 50 * own,
        plan.heartbeat_ms,
        plan.vips,
        tuple((f"{NETWORKS[each]}{own}", f"{NETWORKS[each]}{other}") for each in plan.links),
        SERVER,
        keys,
        plan.has_fence,
        plan.has_script,
    )
