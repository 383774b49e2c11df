"""A small setup at a switch, healthy, for tests that break one thing of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netns_case import Host, Segment, segment

VIP, OTHER_VIP, VIP6 = "192.0.2.100", "192.0.2.101", "2001:db8::100"
SERVERS = {"web1": "192.0.2.21", "web2": "192.0.2.22"}


def vrrp_instance(*vips: str, excluded: Iterable[str] = ()) -> str:
    """The part of a keepalived.conf that says who the directors are, 192.0.2.1 and 192.0.2.2."""
    blocks = {"virtual_ipaddress": vips, "virtual_ipaddress_excluded": tuple(excluded)}
    told = "".join(
        f"    {name} {{\n{''.join(f'        {one}{chr(10)}' for one in held)}    }}\n"
        for name, held in blocks.items()
        if held
    )
    return (
        "vrrp_instance VI_1 {\n    state MASTER\n    interface eth0\n    virtual_router_id 51\n"
        "    priority 150\n    unicast_src_ip 192.0.2.1\n"
        "    unicast_peer {\n        192.0.2.2\n    }\n" + told + "}\n"
    )


INSTANCE = vrrp_instance(f"{VIP}/24", f"{OTHER_VIP}/24", excluded=(f"{VIP6}/64",))
CONFIGURATION = INSTANCE + "".join(
    f"""\
virtual_server {vip} 80 {{
    lb_kind DR
    protocol TCP
    real_server {server} 80 {{
    }}
    real_server {server[:-1]}2 80 {{
    }}
}}
"""
    for vip, server in ((VIP, "192.0.2.21"), (OTHER_VIP, "192.0.2.21"))
)
LISTENER = """\
import socket, sys
made = [socket.create_server((address, 80)) for address in sys.argv[1:]]
print("listening", flush=True)
sys.stdin.read()
"""


@dataclass
class Setup:
    """Directors lb1 (active) and lb2, real servers web1 and web2, and mon, which only watches."""

    segment: Segment
    folder: Path
    hosts: dict[str, Host] = field(default_factory=dict)

    def verify(self, *words: str, at: str = "mon") -> dict[str, Any]:
        """What `drctl verify --json` says, by VIP, with its exit code and what was tried."""
        done = self.command("--json", *words, at=at)
        assert done.returncode in {0, 1}, done.stderr
        told = json.loads(done.stdout)
        found = {one["vip"]: one for one in told["vips"]}
        return {**found, "code": done.returncode, "through": told["through"]}

    def alone(self, *words: str) -> tuple[int, str]:
        """The exit code and the first VIP's verdict of `drctl verify` without a configuration."""
        command = [sys.executable, "-m", "drctl", "verify", "--json", *words]
        done = subprocess.run(
            self.hosts["mon"].command(*command), capture_output=True, text=True, check=False
        )
        assert done.returncode in {0, 1}, done.stderr
        return done.returncode, str(json.loads(done.stdout)["vips"][0]["verdict"])

    def command(self, *words: str, at: str = "mon") -> subprocess.CompletedProcess[str]:
        """`drctl verify` on one of the hosts."""
        path = str(self.folder / "keepalived.conf")
        command = [sys.executable, "-m", "drctl", "verify", path, *words]
        return subprocess.run(
            self.hosts[at].command(*command), capture_output=True, text=True, check=False
        )


@contextmanager
def setup(folder: Path) -> Iterator[Setup]:
    """Everything healthy; gone afterwards."""
    (folder / "keepalived.conf").write_text(CONFIGURATION)
    with segment() as made:
        setup = Setup(made, folder)
        vips = (f"{VIP}/32", f"{OTHER_VIP}/32", f"{VIP6}/128")
        setup.hosts["lb1"] = made.host("lb1", "192.0.2.1/24", "2001:db8::1/64", *vips)
        setup.hosts["lb2"] = made.host("lb2", "192.0.2.2/24", "2001:db8::2/64")
        setup.hosts["mon"] = made.host("mon", "192.0.2.9/24", "2001:db8::9/64")
        for name, address in SERVERS.items():
            host = setup.hosts[name] = made.host(name, f"{address}/24")
            keep_silent(host)
            host.ip_batch(
                *(f"address add {vip}/32 dev lo" for vip in (VIP, OTHER_VIP)),
                f"address add {VIP6}/128 dev lo",
            )
        yield setup


def keep_silent(host: Host, ignore: int = 1, announce: int = 2, where: str = "all") -> None:
    """The kernel's own switches, as drctl renders them for a real server."""
    host.run(
        "sysctl",
        "-qw",
        f"net.ipv4.conf.{where}.arp_ignore={ignore}",
        f"net.ipv4.conf.{where}.arp_announce={announce}",
    )


@contextmanager
def listening(host: Host, *addresses: str) -> Iterator[None]:
    """A server on port 80 of these addresses ("" for all)."""
    command = host.command(sys.executable, "-c", LISTENER, *(addresses or ("",)))
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        assert server.stdout.readline() == b"listening\n"
        try:
            yield
        finally:
            server.stdin.close()
