"""What sends requests on: `keepalived --check` beside each director's daemon, which programs IPVS.

Only where the kernel has IPVS already and keepalived is installed. It reads the director's own
file, which calls no program.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drctl.errors import FileRefused
from drctl.lab.guest.client import Request
from drctl.lab.pair.host import Host
from drctl.lab.plan import DIRECTOR, Flow
from drctl.lab.setup import process
from drctl.lab.setup.design import Design
from drctl.model.service import MASQUERADE

PROGRAM = "keepalived"
READY_S = 15.0
_REQUESTS = 6
_REQUEST_LIMIT_S = 2.0
_TABLE = "ip_vs"
_HEAD_LINES = 3
_OWN_NETWORK = Path("/proc/thread-self/net")


@dataclass(frozen=True, slots=True)
class Served:
    """What became of the client's requests to one service: how many each host answered, and why one
    was not, "" when all were."""

    flow: Flow
    hosts: tuple[tuple[str, int], ...]
    failure: str


@dataclass(frozen=True)
class Balancer:
    """A director's. `folder` has its file and its log."""

    lab: str
    host: Host
    folder: Path

    @property
    def part(self) -> str:
        """What its processes carry in their environment."""
        return f"balancer {self.host.name}"

    def start(self) -> None:
        """Start it unless it runs; it runs on when this process ends."""
        if process.of_part(self.lab, self.part):
            return
        files = ("-f", "keepalived.conf", "-p", "keepalived.pid", "-c", "checkers.pid")
        words = [word if word[0] == "-" else str(self.folder / word) for word in files]
        command = self.host.command(PROGRAM, "--check", "--dont-fork", "--log-console", *words)
        environment = process.mark(self.lab, self.part)
        process.start(command, environment, self.folder / "balancer.log")

    def ready(self) -> int:
        """How many services have a real server in the kernel's table."""
        try:
            with self.host.inside():
                return ready_services((_OWN_NETWORK / _TABLE).read_text("ascii"))
        except OSError as cause:
            raise FileRefused("read", str(_OWN_NETWORK / _TABLE), cause) from cause

    def forward(self) -> None:
        """Masqueraded requests and answers pass through this host."""
        self.host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")


def ready_services(table: str) -> int:
    """How many services of /proc/net/ip_vs have a real server (net/netfilter/ipvs/ip_vs_ctl.c)."""
    count, is_waiting = 0, False
    for line in table.splitlines()[_HEAD_LINES:]:
        if not line.startswith("  ->"):
            is_waiting = True
        elif is_waiting:
            count, is_waiting = count + 1, False
    return count


def has_ipvs(host: Host) -> bool:
    """Whether the host's kernel can balance, as it is."""
    with host.inside():
        return (_OWN_NETWORK / _TABLE).exists()


def why_not(host: Host) -> str:
    """Why the lab's directors send nothing on; "" when they do."""
    if not has_ipvs(host):
        return (
            "the kernel of this machine has no IPVS: the directors hold, move and announce the "
            "VIPs, but send no requests on to the real servers. `drctl lab up --kernel uml` (or "
            "qemu) makes the same lab in a guest kernel that has it"
        )
    if shutil.which(PROGRAM) is None:
        return (
            "keepalived is not installed (package keepalived), which would program IPVS: the "
            "directors hold, move and announce the VIPs, but send no requests on to the real "
            "servers"
        )
    return ""


def balance(design: Design, hosts: dict[str, Host], folder: Path) -> list[str]:
    """Start what balances on every director, and wait until it does; notes about what does not."""
    balancers = [
        Balancer(design.name, hosts[one.name], folder / one.name)
        for one in design.hosts
        if DIRECTOR in one.roles
    ]
    is_masquerading = any(
        binding.method == MASQUERADE for host in design.setup for binding in host.bindings
    )
    for one in balancers:
        if is_masquerading:
            one.forward()
        one.start()
    wanted = len({flow.service for flow in design.flows if flow.destinations})
    limit_s = time.monotonic() + READY_S
    while late := [one for one in balancers if one.ready() < wanted]:
        if time.monotonic() > limit_s:
            return [
                f"{one.host.name}: IPVS has {one.ready()} of {wanted} services with a real server; "
                f"{one.folder / 'balancer.log'} may say why"
                for one in late
            ]
        time.sleep(0.05)
    return []


def ask(design: Design, client: Host) -> tuple[Served, ...]:
    """Some requests of the client to every service that a VIP's address and port is enough for."""
    return tuple(_ask(client, flow) for flow in design.flows if not _needs_marks(flow))


def unasked(flows: Iterable[Flow]) -> list[str]:
    """Notes about services that are not tried."""
    return [
        f"{flow.service} is not tried: nothing in this lab marks packets"
        for flow in flows
        if _needs_marks(flow)
    ]


def _needs_marks(flow: Flow) -> bool:
    return flow.service.startswith("FWM")


def _ask(client: Host, flow: Flow) -> Served:
    counted: Counter[str] = Counter()
    failure = ""
    for _ in range(_REQUESTS):
        request = Request(client.namespace, flow, _REQUEST_LIMIT_S)
        request.close()
        if request.served_by is None:
            failure = request.failure or ""
            break
        counted[request.served_by] += 1
    return Served(flow, tuple(sorted(counted.items())), failure)


def as_text(served: Sequence[Served]) -> list[str]:
    """A line for each service."""
    lines = []
    for one in served:
        told = ", ".join(f"{count} by {host}" for host, count in one.hosts)
        parts = [f"requests answered {told}"] if told else []
        parts += [f"a request failed: {one.failure}"] if one.failure else []
        lines.append(f"{_place(one.flow)}  {'; '.join(parts)}")
    return lines


def as_json(served: Sequence[Served]) -> list[dict[str, object]]:
    """As docs/lab.md describes it."""
    return [
        {
            "vip": one.flow.vip,
            "port": one.flow.port,
            "protocol": one.flow.protocol,
            "served_by": dict(one.hosts),
            "failure": one.failure,
        }
        for one in served
    ]


def _place(flow: Flow) -> str:
    address = f"[{flow.vip}]" if ":" in flow.vip else flow.vip
    return f"{address}:{flow.port}/{flow.protocol}"
