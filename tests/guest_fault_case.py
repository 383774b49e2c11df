"""A real server with devices that only some kernels have, behind two directors: a bond in place of
its card, or the end of an IPIP tunnel. The commands are those of users, run in its namespace."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netns_case import Host, Segment, segment, set_ipv4, wait_until

from drctl.cli.main import main

VIP, OWN = "192.0.2.100", "192.0.2.21"
PORT = 80
PATIENCE_S = 60
DIRECTORS = {"lb1": "192.0.2.1", "lb2": "192.0.2.2"}
WATCHER = "192.0.2.9"
SLAVES = ("one", "two")
_CONFIGURATION = f"""\
vrrp_instance VI_1 {{
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    unicast_src_ip {DIRECTORS["lb1"]}
    unicast_peer {{
        {DIRECTORS["lb2"]}
    }}
    virtual_ipaddress {{
        {VIP}/24
    }}
}}
virtual_server {VIP} {PORT} {{
    lb_kind {{kind}}
    protocol TCP
    real_server {OWN} {PORT} {{
    }}
}}
"""


LOST = (
    "port 80 is open on its own address, but what comes by the tunnel is lost: no tunnel device or "
    "it is down, no VIP, or rp_filter of the tunnel device is 1, or a firewall drops protocol 4"
)


@dataclass(frozen=True)
class Said:
    """What `drctl verify --through` said: the verdict about the VIP with its cause, what becomes of
    its connections, and the MACs that answer for it."""

    verdict: str
    cause: str
    through: str
    lost: str
    answers: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        return (self.verdict, self.through, self.notes) == ("ok", "ok", ())


@dataclass
class Place:
    """lb1 (active), lb2, mon, which only watches, and the real server web1, set up by `apply`."""

    segment: Segment
    config: Path
    web: Host

    def host(self, name: str) -> Host:
        return self.segment.hosts[name]

    def apply(self, method: str) -> None:
        """`drctl realserver apply --runtime`."""
        words = ("apply", str(self.config), "--host", OWN, "--method", method, "--runtime")
        code, text = _drctl(self.web, "realserver", *words)
        assert code == 0, text

    def check(self, method: str) -> list[str]:
        """`drctl realserver check --runtime`: a line for each difference."""
        words = ("check", str(self.config), "--host", OWN, "--method", method, "--runtime")
        code, text = _drctl(self.web, "realserver", *words, "--json")
        found = json.loads(text)["differences"]
        assert code == int(bool(found)), text
        return [f"{one['what']}: {one['actual']}: {one['effect']}" for one in found]

    def verify(self, at: str = "mon") -> Said:
        """`drctl verify --through`."""
        words = (str(self.config), "--through", "--json")
        code, text = _drctl(self.host(at), "verify", *words)
        assert code in {0, 1}, text
        told: dict[str, Any] = json.loads(text)
        [vip], [through] = told["vips"], told["through"]
        answers = tuple((one["host"], one["mac"]) for one in vip["answers"])
        notes = tuple(told["notes"])
        said = Said(
            vip["verdict"], vip["cause"], through["verdict"], through["cause"], answers, notes
        )
        assert said.is_clean == (code == 0 and not notes), text
        return said

    def sysctl(self, **values: int) -> None:
        """Settings of net.ipv4.conf on web1: `all_arp_ignore=0`."""
        set_ipv4(self.web, **values)

    def active_slave(self) -> str:
        shown = json.loads(self.web.ip("-json", "-details", "link", "show", "bond0"))[0]
        return str(shown["linkinfo"]["info_data"].get("active_slave", ""))

    def change_slave(self) -> tuple[str, str]:
        """The active slave of web1's bond loses its carrier, and has it again when the other one
        has taken over. The bond's MAC before and after."""
        dying, before = self.active_slave(), self.web.mac("bond0")
        self.segment.switch.ip("link", "set", f"web1-{dying}", "down")
        until(lambda: self.active_slave() not in {dying, ""}, "no other slave is active")
        self.segment.switch.ip("link", "set", f"web1-{dying}", "up")
        return before, self.web.mac("bond0")

    def remembered(self, at: str, address: str = OWN) -> str:
        """The MAC to which a host sends what is for an address."""
        entries = json.loads(self.host(at).ip("-json", "neigh", "show", "to", address))
        return str(entries[0].get("lladdr", "")) if entries else ""

    def learn(self, at: str) -> str:
        """The host asks web1 something, and so knows its MAC, which is returned."""
        assert self.is_served(at, OWN)
        return self.remembered(at)

    def is_served(self, at: str, address: str = VIP, within_s: float = 10) -> bool:
        """Whether a client there gets a connection."""
        with self.host(at).inside(), socket.socket() as client:
            client.settimeout(within_s)
            try:
                client.connect((address, PORT))
            except OSError:
                return False
            return client.recv(4) == b"web1"


_SERVER = f"""\
import socket
server = socket.create_server(("", {PORT}), backlog=64)
print("listening", flush=True)
while True:
    with server.accept()[0] as client:
        client.sendall(b"web1")
"""


def healthy_tunnel(place: Place) -> None:
    """Nothing is wrong, and who asks is served."""
    assert place.check("sysctl") == []
    said = place.verify()
    assert said.is_clean, said
    assert place.is_served("mon")


def wrong_tunnel(place: Place, told: str) -> None:
    """`check` says that, `verify` that it is lost, and nobody is served."""
    lines = place.check("sysctl")
    assert any(told in line for line in lines), lines
    said = place.verify()
    assert (said.verdict, said.through, said.lost) == ("ok", "black-hole", LOST)
    assert not place.is_served("mon", within_s=2)


def until(is_it: Any, complaint: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_it():
        assert time.monotonic() < end, complaint
        wait_until(time.monotonic() + 0.1)


def _drctl(host: Host, *words: str) -> tuple[int, str]:
    """The command in this process, which is quicker there than another one; its exit code and what
    it wrote."""
    out, errors = io.StringIO(), io.StringIO()
    with host.inside(), redirect_stdout(out), redirect_stderr(errors):
        code = main(words)
    return code, out.getvalue() + errors.getvalue()


@contextmanager
def _place(folder: Path, kind: str) -> Iterator[Place]:
    config = folder / "keepalived.conf"
    config.write_text(_CONFIGURATION.replace("{kind}", kind), encoding="utf-8")
    with segment() as made:
        for name, address in (*DIRECTORS.items(), ("mon", WATCHER)):
            made.host(name, f"{address}/24")
        made.hosts["lb1"].ip("address", "add", f"{VIP}/32", "dev", "eth0")
        yield Place(made, config, made.host("web1"))


@contextmanager
def _serving(place: Place) -> Iterator[None]:
    command = place.web.command(sys.executable, "-I", "-S", "-c", _SERVER)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"listening\n"
            yield
        finally:
            server.terminate()


@contextmanager
def bonded(folder: Path, *options: str) -> Iterator[Place]:
    """The real server's address is on bond0, whose MAC is that of the active one of its slaves
    unless `options` say otherwise."""
    with _place(folder, "DR") as place:
        web = place.web
        web.ip("link", "delete", "eth0")
        for slave in SLAVES:
            port = f"web1-{slave}"
            place.segment.switch.ip_batch(
                f"link add {port} type veth peer name {slave} netns {web.namespace}",
                f"link set {port} master br0 up",
            )
        words = options or ("fail_over_mac", "active")
        web.ip_batch(
            f"link add bond0 type bond mode active-backup miimon 100 {' '.join(words)}",
            *(f"link set {slave} master bond0" for slave in SLAVES),
            "link set bond0 up",
            f"address add {OWN}/24 dev bond0",
        )
        until(lambda: place.active_slave() in SLAVES, "no slave is active")
        with _serving(place):
            yield place


@contextmanager
def tunnelled(folder: Path) -> Iterator[Place]:
    """The directors reach the real server through an IPIP tunnel; IPVS of lb1 sends it what comes
    for the VIP."""
    with _place(folder, "TUN") as place:
        place.web.ip("address", "add", f"{OWN}/24", "dev", "eth0")
        lb1 = place.host("lb1")
        lb1.run("ipvsadm", "-A", "-t", f"{VIP}:{PORT}", "-s", "rr")
        lb1.run("ipvsadm", "-a", "-t", f"{VIP}:{PORT}", "-r", f"{OWN}:{PORT}", "-i")
        with _serving(place):
            yield place
