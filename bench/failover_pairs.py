"""A pair of drctl's and a pair of keepalived's, in namespaces of the same kind, and what may happen
to the director that is active."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from drctl.lab.pair.client import Client, be_punctual
from drctl.lab.pair.director import Director
from drctl.lab.pair.host import Host, Segment, segment
from drctl.lab.pair.stage import NAMES, NETWORKS, SERVER, Plan, Stage, now_ms, stage

HEARTBEAT_PORT = 5390
VRRP = 112
"""IP's number of VRRP (RFC 5798 5.1.1.4)."""
_ETH_P_IP = 0x0800


class Pair(Protocol):
    """Two directors of either program, one of them active."""

    client: Client
    client_host: Host

    @property
    def switch(self) -> Host: ...

    def active(self) -> Host: ...

    def hand_over(self) -> None:
        """A planned change of the active director."""

    def kill(self) -> None:
        """What serves the VIPs on the active one is killed."""

    def kill_all(self) -> None:
        """And everything that looks after it."""

    def signal(self, number: signal.Signals) -> None:
        """To the process that serves the VIPs on the one that was active when it was asked last."""

    def is_beat(self, packet: bytes) -> bool:
        """Whether an IPv4 packet that the active one sends is a heartbeat."""


class DrctlPair:
    """Two of ours, as `drctl run` runs them."""

    def __init__(self, live: Stage) -> None:
        self._live = live
        self.client = live.client
        self.client_host = live.client_host
        self._victim: Director | None = None

    @property
    def switch(self) -> Host:
        return self._live.segment.switch

    def active(self) -> Host:
        self._victim = self._live.holder()
        return self._victim.host

    @property
    def _director(self) -> Director:
        return self._victim or self._live.holder()

    def hand_over(self) -> None:
        self._director.ask("switch")

    def kill(self) -> None:
        self._director.signal(signal.SIGKILL)

    def kill_all(self) -> None:
        guard = self._director.guard()
        os.kill(guard, signal.SIGKILL)
        self._director.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        self._director.signal(number)

    def is_beat(self, packet: bytes) -> bool:
        header, length = (packet[0] & 15) * 4, int.from_bytes(packet[2:4])
        if packet[9] != socket.IPPROTO_TCP:
            return False
        port = int.from_bytes(packet[header + 2 : header + 4])
        has_content = length > header + (packet[header + 12] >> 4) * 4
        return port == HEARTBEAT_PORT and has_content


@dataclass
class KeepalivedPair:
    """Two of keepalived's; the first is active."""

    made: Segment
    client: Client
    client_host: Host
    daemons: dict[str, subprocess.Popen[bytes]]
    folder: Path

    @property
    def switch(self) -> Host:
        return self.made.switch

    def active(self) -> Host:
        return self.made.hosts["lb1"]

    def hand_over(self) -> None:
        self.daemons["lb1"].terminate()

    def kill(self) -> None:
        end_keepalived(self.daemons["lb1"], self.folder / "lb1-vrrp.pid")

    def kill_all(self) -> None:
        self.kill()

    def signal(self, number: signal.Signals) -> None:
        os.kill(int((self.folder / "lb1-vrrp.pid").read_text(encoding="ascii")), number)

    def is_beat(self, packet: bytes) -> bool:
        return packet[9] == VRRP


@contextmanager
def drctl_pair(plan: Plan) -> Iterator[Pair]:
    """Two of ours."""
    with stage(plan) as live:
        yield DrctlPair(live)


@contextmanager
def keepalived_pair(program: str, interval_ms: int, vips: tuple[str, ...]) -> Iterator[Pair]:
    """Two of theirs. Raises RuntimeError when the first does not become active."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drctl-bench-")))
        made = stack.enter_context(segment())
        hosts = {
            name: made.host(name, f"{NETWORKS['a']}{number}/24")
            for number, name in enumerate(NAMES, 1)
        }
        made.host("rs", f"{SERVER}/24")
        asker = made.host("client", "192.0.2.9/24")
        be_punctual()
        stack.callback(os.sched_setscheduler, 0, os.SCHED_OTHER, os.sched_param(0))
        client = Client(asker, vips[-1], {host.mac(): name for name, host in hosts.items()})
        stack.callback(client.close)
        daemons = {}
        for name, host in hosts.items():
            daemons[name] = _start_keepalived(program, host, (folder, interval_ms, vips))
            stack.callback(end_keepalived, daemons[name], folder / f"{name}-vrrp.pid")
        limit_ms = now_ms() + 20_000
        while client.last_holder() != "lb1" and now_ms() < limit_ms:
            time.sleep(0.05)
        time.sleep(max(1.0, 3 * interval_ms / 1000))
        if client.last_holder() != "lb1":
            raise RuntimeError("keepalived does not get going")
        yield KeepalivedPair(made, client, asker, daemons, folder)


def _start_keepalived(
    program: str, host: Host, how: tuple[Path, int, tuple[str, ...]]
) -> subprocess.Popen[bytes]:
    folder, interval_ms, vips = how
    file = folder / f"{host.name}.conf"
    addresses = "".join(f"        {vip}/24\n" for vip in vips)
    file.write_text(
        f"""global_defs {{
    router_id {host.name}
    vrrp_version 3
}}
vrrp_instance web {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {150 if host.name == "lb1" else 100}
    advert_int {interval_ms / 1000:g}
    virtual_ipaddress {{
{addresses}    }}
}}
""",
        encoding="utf-8",
    )
    pids = (str(folder / f"{host.name}.pid"), str(folder / f"{host.name}-vrrp.pid"))
    options = ["-P", "-n", "-l", "-f", str(file), "-p", pids[0], "-r", pids[1]]
    with (folder / f"{host.name}.log").open("wb") as log:
        return subprocess.Popen(host.command(program, *options), stdout=log, stderr=log)


def end_keepalived(daemon: subprocess.Popen[bytes], child: Path) -> None:
    """Kill the child that does the work, and its parent before it can start another one."""
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended by itself
        pid = int(child.read_text(encoding="ascii"))
        if Path(f"/proc/{pid}/comm").read_text(encoding="ascii").startswith("keepalived"):
            os.kill(pid, signal.SIGKILL)
    daemon.kill()
    daemon.wait()


def await_phase(pair: Pair, interval_ms: float, part: float) -> None:
    """Until this part of an interval, from 0 to 1, has passed since a heartbeat of the active one.

    Raises RuntimeError when it sends none.
    """
    with pair.active().inside():
        heard = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.ntohs(0x0003))
    with heard:
        heard.bind(("eth0", 0x0003))
        limit_ms = now_ms() + 5 * interval_ms + 1000
        while (left_ms := limit_ms - now_ms()) > 0:
            if not select.select([heard], [], [], left_ms / 1000)[0]:
                break
            packet, (_, protocol, kind, _, _) = heard.recvfrom(256)
            if kind == socket.PACKET_OUTGOING and protocol == _ETH_P_IP and pair.is_beat(packet):
                time.sleep(interval_ms * part / 1000)
                return
    raise RuntimeError(f"{pair.active().name} sends no heartbeats")


def parts(rounds: int) -> list[float]:
    """A random moment of each of so many equal parts of an interval, in random order: whatever the
    number of rounds, all of the interval is tried alike."""
    found = [(number + random.random()) / rounds for number in range(rounds)]
    random.shuffle(found)
    return found
