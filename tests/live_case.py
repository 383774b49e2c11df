"""Directors on a real kernel: a segment with a client, a server that is the witness, and faults.

The switch's port of a host has the host's name; that of its second card the name with `-b`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from netns_case import Host, Segment, segment, wait_until

from drctl.adapters.keys import SecretKey, generate
from drctl.lab.pair.client import Client, Seen

PROGRAM = Path(__file__).with_name("live_director.py")
VIP, VIP6 = "192.0.2.100", "2001:db8::100"
SERVER, SERVER6 = "192.0.2.20", "2001:db8::20"
SLACK_MS = 400
"""What a busy machine may add to any figure."""

FULL = pytest.mark.skipif(
    os.environ.get("DRCTL_FULL", "") in {"", "0"}, reason="slow; runs with DRCTL_FULL=1"
)


@dataclass(frozen=True)
class Plan:
    """What is built. `links` are heartbeat links: "a" over the service segment, "b" over a second
    segment. With `is_wide` the second segment carries VIPs too, and has a server of its own.
    `arbiter` are fields of ArbiterConfig."""

    heartbeat_ms: int = 100
    fence_ms: int = 500
    vips: tuple[str, ...] = (VIP,)
    links: str = "a"
    nodes: int = 2
    is_preempting: bool = False
    is_disk_full: bool = False
    is_wide: bool = False
    timing: dict[str, int] = field(default_factory=dict)
    witnesses: tuple[str, ...] = (SERVER,)
    arbiter: dict[str, Any] = field(default_factory=dict)

    @property
    def has_second(self) -> bool:
        return "b" in self.links or self.is_wide


class Director:
    """One director and its processes."""

    def __init__(self, name: str, host: Host, directory: Path) -> None:
        self.name = name
        self.host = host
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.log = directory / "log"

    def start(self) -> None:
        """Start its controller, which starts the guard; waits for neither."""
        command = [sys.executable, str(PROGRAM), str(self.directory / "spec.json")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["ip", "netns", "exec", self.host.namespace, *command], stdout=log, stderr=log
            )

    def journal(self, what: str) -> list[dict[str, Any]]:
        """What it has written down of one kind."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [entry for line in lines for entry in _entries(line) if entry["what"] == what]

    @property
    def pid(self) -> int:
        """The controller's: `ip` executes it in its own place."""
        assert self._process is not None
        return self._process.pid

    @property
    def guard(self) -> int:
        return int(self.journal("guard")[-1]["pid"])

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def alarms(self, since_ms: float = 0) -> set[str]:
        """First words of the keys of all alarms that began since then."""
        entries = [entry for entry in self.journal("alarm") if entry["is_on"]]
        return {str(entry["key"][0]) for entry in entries if entry["at"] >= since_ms}

    def role(self) -> str:
        """What it is since it was started last; "" while it has not been for long enough."""
        started = self.journal("started")
        ended = self.journal("ended")
        if not started or (ended and ended[-1]["at"] >= started[-1]["at"]):
            return ""
        if now_ms() - started[-1]["at"] < 700:
            return ""
        entries = [each for each in self.journal("role") if each["at"] >= started[-1]["at"]]
        return str(entries[-1]["after"]) if entries else "standby"

    def moves(self, since_ms: float) -> list[str]:
        """Roles it came into since then."""
        return [entry["after"] for entry in self.journal("role") if entry["at"] >= since_ms]

    def wait(self, timeout_s: float) -> int:
        """Its exit code."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def end(self) -> None:
        """Nothing of it is left, whatever state it is in."""
        if self._process is None:
            return
        guards = [int(entry["pid"]) for entry in self.journal("guard")]
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        for pid in guards:
            _kill_guard(pid, self.host)
        self._process = None
        # what comes is told apart from what was
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps({"at": now_ms(), "what": "ended"}) + "\n")


def _entries(line: str) -> Iterator[dict[str, Any]]:
    """Of one that was killed the last entry may have no end, and another one's begin behind it."""
    decoder, at = json.JSONDecoder(), 0
    while (at := line.find("{", at)) >= 0:
        try:
            entry, at = decoder.raw_decode(line, at)
        except ValueError:
            at += 1
            continue
        if "what" in entry:
            yield entry


def _kill_guard(pid: int, host: Host) -> None:
    """Only a process that is in the director's own namespace: the number may be another's now."""
    try:
        theirs = Path(f"/proc/{pid}/ns/net").stat().st_ino
        if theirs == Path(f"/run/netns/{host.namespace}").stat().st_ino:
            os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return


@dataclass
class Stage:
    """Everything, running."""

    plan: Plan
    segment: Segment
    directors: dict[str, Director]
    client: Client
    client_host: Host
    server: Host

    @property
    def switch(self) -> Host:
        return self.segment.switch

    @property
    def holder(self) -> Director:
        return self.directors[self.await_holder(bool)]

    def others(self, holder: Director) -> list[Director]:
        return [each for each in self.directors.values() if each is not holder]

    def other(self, holder: Director) -> Director:
        return self.others(holder)[0]

    # faults of the network

    def silence(self, port: str) -> None:
        """Nothing passes at the port; the carrier stays."""
        self.switch.run("bridge", "link", "set", "dev", port, "state", "0")

    def heal(self, port: str) -> None:
        self.switch.run("bridge", "link", "set", "dev", port, "state", "3")

    def drop(self, *rules: str) -> None:
        """Frames that the switch loses, in the words of nftables; replaces earlier ones."""
        text = "add table bridge f\ndelete table bridge f\nadd table bridge f\n"
        text += "add chain bridge f c { type filter hook forward priority 0; }\n"
        text += "".join(f"add rule bridge f c {rule} drop\n" for rule in rules)
        command = ["ip", "netns", "exec", self.switch.namespace, "nft", "-f", "-"]
        subprocess.run(command, input=text, text=True, check=True)

    # time

    def seen(self, since_ms: float, for_s: float = 0) -> Seen:
        """What the client saw since then, after letting some time pass."""
        pass_time(for_s + 0.05)
        return self.client.seen(since_ms)

    def await_holder(self, is_it: Callable[[str], bool], timeout_s: float = 15) -> str:
        """Until the client is answered by one that is wanted."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            name = self.client.last_holder()
            if name and is_it(name):
                return name
            pass_time(0.01)
        raise AssertionError(f"no such holder within {timeout_s} s\n{self.logs()}")

    def logs(self) -> str:
        """All journals, for the message of a failure."""
        return "\n".join(
            f"--- {each.name}\n{each.log.read_text(encoding='utf-8')[-4000:]}"
            for each in self.directors.values()
            if each.log.exists()
        )


def now_ms() -> float:
    return time.monotonic() * 1000


def pass_time(seconds: float) -> None:
    """Real time is what is measured here."""
    wait_until(time.monotonic() + seconds)


Build = Callable[[Segment, ExitStack], None]
"""Adds what has to be there before the directors are."""


@contextmanager
def stage(plan: Plan, directory: Path, build: Build = lambda *_: None) -> Iterator[Stage]:
    """Directors that run, one of them active; all is gone afterwards, in any case."""
    with ExitStack() as stack:
        made = stack.enter_context(segment())
        names = [f"lb{number + 1}" for number in range(plan.nodes)]
        hosts = {
            name: made.host(name, f"192.0.2.{number}/24", f"2001:db8::{number}/64")
            for number, name in enumerate(names, 1)
        }
        server = made.host("rs", f"{SERVER}/24", f"{SERVER6}/64")
        client_host = made.host("client", "192.0.2.9/24", "2001:db8::9/64")
        build(made, stack)
        if plan.has_second:
            _second_segment(made, [*hosts.values(), server])
        keys = {name: generate() for name in names}
        directors = {}
        for number, name in enumerate(names):
            home = directory / name
            home.mkdir(parents=True)
            directors[name] = Director(name, hosts[name], home)
            spec = _spec(plan, number, names, keys, home / "state")
            (home / "state").mkdir()
            (home / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
            stack.callback(directors[name].end)
        macs = {host.mac(): name for name, host in hosts.items()}
        client = Client(client_host, plan.vips[0], macs)
        stack.callback(client.close)
        for each in directors.values():
            each.start()
        built = Stage(plan, made, directors, client, client_host, server)
        built.await_holder(bool)
        settle(built)
        yield built


def settle(built: Stage) -> None:
    """Until every director knows its role, and hears the others."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pass_time(0.2)
        roles = sorted(each.role() for each in built.directors.values())
        if roles == ["active"] + ["standby"] * (built.plan.nodes - 1):
            return
    raise AssertionError(f"they do not settle\n{built.logs()}")


def _second_segment(made: Segment, hosts: list[Host]) -> None:
    """Another switch in the same namespace, and a card `eth1` at it for each host."""
    options = "type bridge forward_delay 0 mcast_snooping 0"
    made.switch.ip_batch(f"link add br1 {options}", "link set br1 up")
    for host in hosts:
        port = f"{host.name}-b"
        made.switch.ip_batch(
            f"link add {port} type veth peer name eth1 netns {host.namespace}",
            f"link set {port} master br1 up",
        )
        number = json.loads(host.ip("-json", "-4", "address", "show", "eth0"))[0]
        last = number["addr_info"][0]["local"].rsplit(".", 1)[1]
        host.ip_batch("link set eth1 up", f"address add 198.51.100.{last}/24 dev eth1")


def _spec(
    plan: Plan, index: int, names: list[str], keys: dict[str, SecretKey], directory: Path
) -> dict[str, Any]:
    """What `live_director` is told."""
    networks = {"a": ("a", "eth0", "192.0.2."), "b": ("b", "eth1", "198.51.100.")}
    links = [networks[letter] for letter in plan.links]
    cards = [("eth0", "192.0.2.", list(plan.witnesses))]
    vips = [[vip, 64 if ":" in vip else 24, "eth0"] for vip in plan.vips]
    if plan.is_wide:
        cards.append(("eth1", "198.51.100.", ["198.51.100.20"]))
        vips.append(["198.51.100.100", 24, "eth1"])
    own, name = index + 1, names[index]
    return {
        "node": name,
        "directory": str(directory),
        "arbiter": plan.arbiter,
        "is_disk_full": plan.is_disk_full,
        "keys": [keys[name].public, keys[name].secret],
        "timing": {
            "heartbeat_ms": plan.heartbeat_ms,
            "fence_ms": plan.fence_ms,
            **plan.timing,
        },
        "groups": [
            {
                "name": "web",
                "vips": vips,
                "interfaces": [card[0] for card in cards],
                "priority": 150 - 10 * index,
                "is_preempting": plan.is_preempting,
            }
        ],
        "peers": [
            {
                "node": other,
                "key": keys[other].public,
                "links": [
                    [letter, card, f"{net}{own}", f"{net}{number}"] for letter, card, net in links
                ],
                "addresses": [[card, f"{net}{number}"] for card, net, _ in cards],
            }
            for number, other in enumerate(names, 1)
            if other != name
        ],
        "interfaces": [
            {
                "name": card,
                "own": [[f"{net}{own}", 24], *([[f"2001:db8::{own}", 64]] * (card == "eth0"))],
                "witnesses": witnesses,
            }
            for card, net, witnesses in cards
        ],
    }
