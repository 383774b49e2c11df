"""Two directors with every kind of network device under a VIP, as `drctl run` runs on them: one
daemon each, a group for each kind, heartbeats on a network of their own.

The switch's ports of a director are `lb1-one` and `lb1-two` (the bond's slaves), `lb1-card`,
`lb1-port` and `lb1-beat`. VLANs end at the switch, so clients see plain frames.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from netns_case import Host, Segment, segment, wait_until

from drctl.adapters.key_files import write_keys
from drctl.daemon import control_client
from drctl.daemon import history as recorded
from drctl.daemon.control_client import NotAnswered
from drctl.lab.pair.client import UNSURE, Client, Seen, Vantage
from drctl.lab.pair.director import Director, Settings, start_all

NAMES = ("lb1", "lb2")


@dataclass(frozen=True)
class Pace:
    """What a kernel has: an emulated machine on a busy one stands still for longer than a real one.
    `period_s` is between two questions of a client. User-mode Linux has no nftables."""

    period_s: float
    heartbeat_ms: int
    confirm_ms: int
    fence_ms: int
    lease_ms: int
    has_fence: bool
    patience_s: float

    @property
    def unseen_s(self) -> float:
        """So long an answer may take: a client does not tell of younger requests."""
        return (UNSURE + 2) * self.period_s


VANTAGE = Vantage(senders=UNSURE)
PACES = {
    "uml": Pace(0.1, 1000, 300, 5000, 6000, has_fence=False, patience_s=60),
    "qemu": Pace(0.5, 3000, 1200, 20_000, 30_000, has_fence=True, patience_s=240),
}


@dataclass(frozen=True)
class Kind:
    """A device with a VIP, at the switch's ports `lb1-PORT` and `lb2-PORT`. `vlan` is the switch's,
    so that no device answers for another one's VIP; where it `is_tagged`, frames have it on them.
    `network` and `first` are the three first numbers of its network and the first host of it."""

    name: str
    device: str
    network: str
    first: int
    vlan: int
    is_tagged: bool = False

    def address(self, number: int) -> str:
        """Of the directors (1, 2), the clients (8, 9), the real server (20), the VIP (50)."""
        return f"{self.network}.{self.first + number}"

    @property
    def vip(self) -> str:
        return self.address(50)


BOND = Kind("bond", "bond0", "192.0.2", 0, 2)
VLAN = Kind("vlan", "eth0.5", "198.51.100", 128, 5, is_tagged=True)
BOND_VLAN = Kind("bond-vlan", "bond0.7", "198.51.100", 0, 7, is_tagged=True)
MACVLAN = Kind("macvlan", "mac0", "192.0.2", 64, 1)
BRIDGE = Kind("bridge", "br-vip", "198.51.100", 64, 3)
KINDS = (BOND, VLAN, BOND_VLAN, MACVLAN, BRIDGE)

PORTS = {
    BOND: ("one", "two"),
    BOND_VLAN: ("one", "two"),
    VLAN: ("card",),
    MACVLAN: ("card",),
    BRIDGE: ("port",),
}

_INSTANCE = """\
vrrp_instance {name} {{
    state BACKUP
    interface {device}
    virtual_router_id {number}
    priority {priority}
    nopreempt
    virtual_ipaddress {{
        {vip}/26 dev {device}
    }}
}}
virtual_server {vip} 80 {{
    lb_kind DR
    real_server {server} 80 {{
        TCP_CHECK {{
            connect_timeout 3
        }}
    }}
}}
"""


class Daemon(Director):
    """A director that is asked without starting a program, which takes seconds there."""

    def request(self, command: str, group: str = "", within_s: float = 60) -> dict[str, Any]:
        """Ask on the control socket."""
        options = {"timeout_s": within_s} if command != "status" else {}
        words = {"command": command, "group": group, "target": "", "options": options}
        return control_client.ask(self.folder / "control.sock", words, within_s + 10)

    def status(self) -> dict[str, Any]:
        """As `drctl status --json`; empty while it cannot be asked."""
        try:
            return dict(self.request("status")["status"])
        except NotAnswered:
            return {}

    def groups(self) -> dict[str, dict[str, Any]]:
        """What it says of each group."""
        return {group["name"]: group for group in self.status().get("groups", [])}

    def history(self, *kinds: str) -> list[dict[str, Any]]:
        """Events of these kinds, or of all, the oldest first; none before the first is written."""
        path = self.folder / "state" / "history.sqlite3"
        return recorded.read(path, kinds=kinds, limit=100_000) if path.exists() else []

    def signal_all(self, what: signal.Signals) -> None:
        """All its processes get the signal."""
        for pid in self.host.pids():
            with suppress(ProcessLookupError):  # it has ended since
                os.kill(pid, what)


@dataclass
class Devices:
    """Everything, running. `clients` and `streams` (of echo requests) ask by the kind's name;
    `owners` tells whose MAC it is, and may be added to."""

    pace: Pace
    segment: Segment
    directors: dict[str, Daemon]
    clients: dict[str, Client]
    streams: dict[str, Client]
    owners: dict[str, str]

    @property
    def switch(self) -> Host:
        return self.segment.switch

    def other(self, director: Daemon) -> Daemon:
        return next(each for each in self.directors.values() if each is not director)

    def holder(self, kind: Kind = BOND) -> Daemon:
        """Who answers the kind's client now."""
        self.wait(lambda: self.clients[kind.name].last_holder() != "", f"{kind.name} is unanswered")
        return self.directors[self.clients[kind.name].last_holder()]

    def await_holder(self, director: Daemon, kinds: Iterable[Kind]) -> None:
        """Until that director answers for all of them."""
        names = {kind.name for kind in kinds}
        answered = partial(self._answered, director)
        self.wait(
            lambda: names <= answered(), f"{director.name} does not answer for all of {names}"
        )

    def _answered(self, director: Daemon) -> set[str]:
        return {n for n, each in self.clients.items() if each.last_holder() == director.name}

    def answering_macs(self, kind: Kind) -> set[str]:
        """Hardware addresses that answer the kind's client."""
        return self.answering([kind])[kind]

    def answering(self, kinds: Iterable[Kind]) -> dict[Kind, set[str]]:
        """Hardware addresses that answer the clients of these kinds in the same while."""
        with ExitStack() as stack:
            clients = {}
            for kind in kinds:
                host = self.segment.hosts[_client_name(kind)]
                clients[kind] = Client(host, kind.vip, {}, period_s=self.pace.period_s)
                stack.callback(clients[kind].close)
            pass_time(max(1.0, 15 * self.pace.period_s))
            return {
                kind: {mac for request in client.requests(0) for mac in request.holders}
                for kind, client in clients.items()
            }

    def seen(
        self, kinds: Iterable[Kind], since_ms: float, for_s: float = 0.0, *, twice: int = 0
    ) -> dict[str, Seen]:
        """What the kinds' clients saw since then, after letting some time pass. No more than so
        many may have been answered by two."""
        pass_time(for_s + self.pace.unseen_s)
        since_ms -= 2 * self.pace.period_s * 1000
        found = {kind.name: _in_turn(self.clients[kind.name].seen(since_ms)) for kind in kinds}
        for name, seen in found.items():
            print(f"{name}: {seen}")
        assert all(seen.twice <= twice for seen in found.values()), self.logs()
        return found

    def wait(self, condition: Callable[[], bool], complaint: str) -> None:
        """Until it is so."""
        end_s = time.monotonic() + self.pace.patience_s
        while not condition():
            assert time.monotonic() < end_s, f"{complaint}\n{self.logs()}"
            pass_time(0.2)

    def all_on(self, director: Daemon) -> None:
        """Both run, and every group is its, by a switchover where it is the other's."""
        for each in self.directors.values():
            if not each.is_running():
                each.end()
                each.start()
        self.quiet()
        for kind in KINDS:
            if self.holder(kind) is not director:
                self.other(director).request("switch", kind.name)
        self.await_holder(director, KINDS)
        self.quiet()
        # what a test sees begins with two requests before
        pass_time(3 * self.pace.period_s)

    def quiet(self) -> None:
        """Both run, hear each other, and agree on who holds what."""

        def is_quiet() -> bool:
            states = [each.status() for each in self.directors.values()]
            if not all(states) or not all(s["peers"][0]["alive"] for s in states):
                return False
            roles = [{g["name"]: g["role"] for g in state["groups"]} for state in states]
            return all({one[kind.name] for one in roles} == {"active", "standby"} for kind in KINDS)

        self.wait(is_quiet, "they do not agree")

    def logs(self) -> str:
        return "\n".join(f"--- {each.name}\n{each.log()}" for each in self.directors.values())


def _in_turn(seen: Seen) -> Seen:
    """One that answers by two of its cards is one."""
    return replace(seen, holders=tuple(name for name, _ in groupby(seen.holders)))


def now_ms() -> float:
    return time.monotonic() * 1000


def pass_time(seconds: float) -> None:
    """Leases are in real time."""
    wait_until(time.monotonic() + seconds)


@contextmanager
def devices(directory: Path, kernel: str, *, is_running: bool = True) -> Iterator[Devices]:
    """The directors, the first of them active on every kind unless none is to run yet; nothing is
    left afterwards."""
    pace = PACES[kernel]
    with ExitStack() as stack:
        made = stack.enter_context(segment())
        made.switch.ip_batch(
            "link set br0 type bridge vlan_filtering 1",
            "link add br1 type bridge forward_delay 0 mcast_snooping 0",
            "link set br1 up",
        )
        hosts = {name: _director(made, name, number) for number, name in enumerate(NAMES, 1)}
        server = made.host("rs")
        for kind in KINDS:
            _tag(made, "rs", kind)
            _add_vlan(server, "eth0", kind, 20)
        owners = {mac: name for name, host in hosts.items() for mac in macs(host)}
        clients: dict[str, Client] = {}
        streams: dict[str, Client] = {}
        for kind in KINDS:
            # answers to one's own questions teach one's kernel: the stream is another host's
            for kept, number in ((clients, 9), (streams, 8)):
                is_echo = kept is streams
                host = made.host(_client_name(kind, is_echo=is_echo), f"{kind.address(number)}/26")
                _tag(made, host.name, kind, is_plain=True)
                how = partial(Client, period_s=pace.period_s, vantage=VANTAGE)
                kept[kind.name] = how(host, kind.vip, owners, is_echo=is_echo)
                stack.callback(kept[kind.name].close)
        directors = {}
        write_keys(NAMES, str(directory / "keys"), is_forced=False)
        for number, (name, host) in enumerate(hosts.items(), 1):
            directors[name] = _daemon(directory, number, host, pace)
            stack.callback(directors[name].end)
        built = Devices(pace, made, directors, clients, streams, owners)
        if is_running:
            start_all(directors.values(), pace.patience_s)
            built.quiet()
        yield built


def macs(host: Host) -> set[str]:
    """Hardware addresses of all its links, and those that slaves of a bond have by themselves."""
    links = json.loads(host.ip("-json", "-details", "link"))
    found = {link.get(key) for link in links for key in ("address", "permaddr")}
    found |= {
        link.get("linkinfo", {}).get("info_slave_data", {}).get("perm_hwaddr") for link in links
    }
    return {str(mac) for mac in found if mac and mac != "00:00:00:00:00:00"}


def _director(made: Segment, name: str, number: int) -> Host:
    host = made.host(name)
    # its first card is not needed: others have the names that matter
    host.ip("link", "delete", "eth0")
    lines = []
    for port, card in (("one", "one"), ("two", "two"), ("card", "eth0"), ("port", "port")):
        lines.append(f"link add {name}-{port} type veth peer name {card} netns {host.namespace}")
        lines.append(f"link set {name}-{port} master br0 up")
    lines.append(f"link add {name}-beat type veth peer name beat netns {host.namespace}")
    lines.append(f"link set {name}-beat master br1 up")
    made.switch.ip_batch(*lines)
    for kind, ports in PORTS.items():
        for port in ports:
            _tag(made, f"{name}-{port}", kind, is_plain=not kind.is_tagged)
    host.ip_batch(
        "link add bond0 type bond mode active-backup miimon 100 fail_over_mac active",
        "link set one master bond0",
        "link set two master bond0",
        "link set bond0 up",
        "link set eth0 up",
        "link add mac0 link eth0 type macvlan mode bridge",
        "link set mac0 up",
        "link add br-vip type bridge forward_delay 0 mcast_snooping 0",
        "link set port master br-vip up",
        "link set br-vip up",
        "link set beat up",
        f"address add 203.0.113.{number}/24 dev beat",
        *(f"address add {k.address(number)}/26 dev {k.device}" for k in (BOND, MACVLAN, BRIDGE)),
        # the macvlan's lower device answers for its VIP too
        f"address add {MACVLAN.address(10 + number)}/26 dev eth0",
    )
    _add_vlan(host, "eth0", VLAN, number)
    _add_vlan(host, "bond0", BOND_VLAN, number)
    return host


def _add_vlan(host: Host, lower: str, kind: Kind, number: int) -> None:
    name = f"{lower}.{kind.vlan}"
    host.ip_batch(
        f"link add {name} link {lower} type vlan id {kind.vlan}",
        f"link set {name} up",
        f"address add {kind.address(number)}/26 dev {name}",
    )


def _client_name(kind: Kind, *, is_echo: bool = False) -> str:
    return f"{'s' if is_echo else 'c'}-{kind.name}"


def _tag(made: Segment, port: str, kind: Kind, *, is_plain: bool = False) -> None:
    """The port carries the kind's VLAN, with its tag or without."""
    words = ("pvid", "untagged") if is_plain else ()
    made.switch.run("bridge", "vlan", "add", "dev", port, "vid", str(kind.vlan), *words)
    if is_plain and kind.vlan != 1:
        made.switch.run("bridge", "vlan", "delete", "dev", port, "vid", "1")


def _daemon(directory: Path, number: int, host: Host, pace: Pace) -> Daemon:
    """A director whose configuration has a group for each kind."""
    own, remote = f"203.0.113.{number}", f"203.0.113.{3 - number}"
    settings = Settings(
        host.name,
        NAMES[2 - number],
        200 - 50 * number,
        pace.heartbeat_ms,
        (BOND.vip,),
        ((own, remote),),
        BOND.address(20),
        directory / "keys",
        pace.has_fence,
    )
    made = Daemon(settings, host, directory / host.name)
    texts = [
        _INSTANCE.format(
            name=kind.name,
            device=kind.device,
            number=50 + at,
            priority=settings.priority,
            vip=kind.vip,
            server=kind.address(20),
        )
        for at, kind in enumerate(KINDS)
    ]
    Path(made.folder, "keepalived.conf").write_text("".join(texts), encoding="utf-8")
    toml = Path(made.settings)
    words = {"confirm": pace.confirm_ms, "fence": pace.fence_ms, "lease": pace.lease_ms}
    timing = "".join(f'{word} = "{length_ms}ms"\n' for word, length_ms in words.items())
    timing = f'[timing]\n{timing}handover = "10s"\n'
    toml.write_text(toml.read_text("utf-8").replace("[timing]\n", timing), encoding="utf-8")
    return made
