"""A whole setup at a switch whose real server is set up by `drctl realserver apply`, and what
`check` and `verify` say of it. Built once; a real server and what a fault needs beside it are new
for each."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from netns_case import Host, Segment, segment, set_ipv4
from verify_case import INSTANCE, VIP, VIP6
from verify_case import OTHER_VIP as OTHER

from drctl.cli._setup import Setup, read_setup
from drctl.realserver.apply import apply, changes
from drctl.realserver.compare import compare
from drctl.realserver.guard import Guard
from drctl.realserver.journal import Journal
from drctl.realserver.read import read_kernel
from drctl.realserver.step import steps_of
from drctl.realserver.value import Wanted
from drctl.realserver.wanted import wanted_of
from drctl.render.options import RenderOptions
from drctl.verify.look import Look, cards_of, read_machine
from drctl.verify.plan import plan_of_hosts
from drctl.verify.value import Result

VIPS = (VIP, OTHER, VIP6)
OWN, OWN6 = "192.0.2.21", "2001:db8::21"
WEB2 = "192.0.2.22"
MAC = "02:00:5e:10:00:21"
"""Of web1's card, always the same: it is a new machine for each fault."""
PORT = 80
HELD = ("sysctl", "arptables", "nftables", "arptables_jf")
"""Methods by which the real server has the VIP, and keeps silent about it."""
RULES = ("arptables", "nftables", "arptables_jf")
REDIRECTING = ("iptables", "nft-redirect")
METHODS = (*HELD, *REDIRECTING)


def configuration(kind: str = "DR") -> str:
    """The directors' keepalived.conf, with a service for each VIP."""
    head = INSTANCE
    services = ((VIP, (OWN, WEB2)), (OTHER, (OWN, WEB2)), (VIP6, (OWN6,)))
    for vip, servers in services:
        real = "".join(f"    real_server {one} {PORT} {{\n    }}\n" for one in servers)
        head += f"virtual_server {vip} {PORT} {{\n    lb_kind {kind}\n    protocol TCP\n{real}}}\n"
    return head


@dataclass
class Scene:
    """One real server, web1, at the switch of a lab, healthy until something is done to it."""

    lab: Lab
    method: str
    stack: ExitStack
    web: Host
    listeners: ExitStack = field(default_factory=ExitStack)
    others: dict[str, Host] = field(default_factory=dict)

    def host(self, name: str, *addresses: str) -> Host:
        """Another machine at the switch, for this fault only."""
        return _machine(self.lab.segment, self.stack, name, *addresses)

    def second_card(self) -> None:
        """`eth1` of the real server at the same switch."""
        self.lab.segment.switch.ip_batch(
            f"link add web1-b type veth peer name eth1 netns {self.web.namespace}",
            "link set web1-b master br0 up",
        )
        # gone for certain before the next one
        self.stack.callback(self.lab.segment.switch.ip, "link", "del", "web1-b")
        self.web.ip("link", "set", "eth1", "up")

    def sysctl(self, **values: int) -> None:
        """Settings of net.ipv4.conf: `all_arp_ignore=0`."""
        set_ipv4(self.web, **values)

    def nft(self, text: str) -> None:
        """Rules for the real server."""
        self.web.run("nft", "-f", "-", stdin=text)

    def vip_on(self, host: Host, vip: str = VIP) -> None:
        """A machine of the lab has a VIP on its card, until the end of this fault."""
        prefix = 128 if ":" in vip else 32
        nodad = ("nodad",) if ":" in vip else ()
        host.ip("address", "add", f"{vip}/{prefix}", "dev", "eth0", *nodad)
        self.stack.callback(host.ip, "address", "del", f"{vip}/{prefix}", "dev", "eth0")

    def vip_off(self, host: Host, vip: str = VIP) -> None:
        """A machine of the lab loses a VIP, until the end of this fault."""
        host.ip("address", "del", f"{vip}/32", "dev", "eth0")
        self.stack.callback(host.ip, "address", "add", f"{vip}/32", "dev", "eth0")

    def listen(self, *addresses: str, device: str = "", is_v6_only: bool = True) -> None:
        """Take connections at these addresses of the real server alone, or at all; of one of its
        devices alone when there is one named."""
        self.listeners.close()
        with self.web.inside():
            for address in addresses or ("0.0.0.0", "::"):
                self.listeners.enter_context(_listener(address, device, is_v6_only=is_v6_only))

    def start(
        self, *command: str, stdout: int | None = None, on: Host | None = None
    ) -> subprocess.Popen[bytes]:
        """A program on the real server or another machine, ended with the fault."""
        program = subprocess.Popen(
            (on or self.web).command(*command), stdout=stdout, stderr=subprocess.DEVNULL
        )
        self.stack.callback(_end, program)
        return program

    def check(self) -> list[str]:
        """What `drctl realserver check --runtime` says, a line for each difference."""
        with self.web.inside():
            found = [
                one
                for each in self.lab.wanted(self.method)
                for one in compare(each, read_kernel(each), None)
            ]
        return [f"{one.what}: {one.actual}: {one.effect}" for one in dict.fromkeys(found)]

    def verify(self, at: str = "mon", listen_s: float = 0.0) -> Result:
        """What `drctl verify --through` says."""
        setup = self.lab.setup
        with self.lab.hosts[at].inside():
            machine = read_machine()
            plan = plan_of_hosts(setup.views, setup.hosts, machine, None, is_through=True)
            with closing(Look(plan, cards_of(plan, machine), 2, listen_s)) as look:
                return look.result(is_through=True)


def _end(program: subprocess.Popen[bytes]) -> None:
    program.terminate()
    program.wait(10)


def _listener(address: str, device: str, *, is_v6_only: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, is_v6_only)
    if device:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    made.bind((address, PORT))
    made.listen(128)
    return made


def _machine(place: Segment, stack: ExitStack, name: str, *addresses: str) -> Host:
    """A host whose port at the switch is gone for certain when the stack is closed."""
    made = Segment(place.switch, stack).host(name, *addresses)
    # all namespaces of a machine share one limit of what is refused by ICMP in a second
    made.run("sysctl", "-qw", "net.ipv4.icmp_ratemask=0")
    stack.callback(place.switch.ip, "link", "del", name)
    return made


@dataclass
class Lab:
    """Directors lb1 (active) and lb2, the healthy real server web2, and mon, which only watches."""

    segment: Segment
    setup: Setup
    folder: Path
    hosts: dict[str, Host] = field(default_factory=dict)
    proved: set[str] = field(default_factory=set)
    """Methods of which the healthy state was seen to be clean."""

    def wanted(self, method: str, *names: str) -> tuple[Wanted, ...]:
        """What web1 is to have; its IPv6 address is another host to the configuration."""
        options = RenderOptions(self.setup.source, method)
        return tuple(wanted_of(self.setup.hosts, name, options) for name in names or (OWN, OWN6))

    @contextmanager
    def scene(self, method: str, prepare: Callable[[Scene], None] | None = None) -> Iterator[Scene]:
        """A real server, set up by the method. `prepare` is done before."""
        with ExitStack() as stack:
            web = _machine(self.segment, stack, "web1")
            web.ip_batch(
                f"link set eth0 address {MAC}",
                f"address add {OWN}/24 dev eth0",
                f"address add {OWN6}/64 dev eth0 nodad",
            )
            made = Scene(self, method, stack, web)
            for host in self.hosts.values():
                # a leak before may have taught them something
                host.ip("neigh", "flush", "dev", "eth0", "nud", "all")
            stack.callback(made.listeners.close)
            if prepare is not None:
                prepare(made)
            self.apply(web, OWN, method)
            made.listen()
            yield made

    def apply(self, host: Host, own: str, method: str) -> None:
        """As `drctl realserver apply --runtime` does."""
        with host.inside():
            for wanted in self.wanted(method, *((own,) if own != OWN else ())):
                journal = Journal(self.folder / f"{host.namespace}-{wanted.host}.json")
                guard = Guard(wanted, read_kernel)
                apply(changes(steps_of(wanted), journal), journal, guard, lambda _: None)


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """Everything healthy, and gone afterwards."""
    path = folder / "keepalived.conf"
    path.write_text(configuration())
    with segment() as place:
        made = Lab(place, read_setup(str(path), "auto"), folder)
        vips = (f"{VIP}/32", f"{OTHER}/32", f"{VIP6}/128")
        for name, addresses in {
            "lb1": ("192.0.2.1/24", "2001:db8::1/64", *vips),
            "lb2": ("192.0.2.2/24", "2001:db8::2/64"),
            "mon": ("192.0.2.9/24", "2001:db8::9/64"),
            "web2": (f"{WEB2}/24",),
        }.items():
            made.hosts[name] = place.host(name, *addresses)
        made.apply(made.hosts["web2"], WEB2, "sysctl")
        with ExitStack() as listeners:
            with made.hosts["web2"].inside():
                for address in ("0.0.0.0", "::"):
                    listeners.enter_context(_listener(address, "", is_v6_only=True))
            yield made
