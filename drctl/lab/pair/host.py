"""Hosts on an Ethernet segment, each a network namespace; the switch is a bridge in its own.

The root namespace is never touched: links are made in the switch's namespace and handed on.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from drctl.errors import DrctlError, KernelRefused, ToolMissing

_CLONE_NEWNET = 0x40000000
_COMMAND_LIMIT_S = 60
_numbers = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(DrctlError):
    """A program that has to succeed did not; the message has its own words."""


def run(*command: str, stdin: str | None = None) -> str:
    """A program that has to succeed; what it wrote. Raises CommandFailed."""
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_LIMIT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as refused:
        raise CommandFailed(f"{' '.join(command)}: {refused}") from refused
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}"
        raise CommandFailed(f"{' '.join(command)}: {said}")
    return done.stdout


@dataclass(frozen=True)
class Host:
    """A namespace. Its link to the switch is `eth0`; the switch's port has the host's name."""

    name: str
    namespace: str

    def ip(self, *words: str) -> str:
        """The `ip` program in this namespace."""
        return run("ip", "-n", self.namespace, *words)

    def ip_batch(self, *lines: str) -> None:
        """Many commands of `ip`, by one program."""
        text = "".join(f"{line}\n" for line in lines)
        run("ip", "-n", self.namespace, "-batch", "-", stdin=text)

    def command(self, *words: str) -> list[str]:
        """The command line that executes a program in this namespace, in its own place."""
        return ["ip", "netns", "exec", self.namespace, *words]

    def run(self, *words: str, stdin: str | None = None) -> str:
        """Any program in this namespace."""
        return run(*self.command(*words), stdin=stdin)

    def pids(self) -> list[int]:
        """The processes that are in this namespace now."""
        return [int(word) for word in run("ip", "netns", "pids", self.namespace).split()]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread is in the namespace; so are sockets that are opened meanwhile, for good."""
        with inside_network(f"/run/netns/{self.namespace}"):
            yield

    def mac(self, link: str = "eth0") -> str:
        """Hardware address of a link."""
        return str(json.loads(self.ip("-json", "link", "show", link))[0]["address"])


@contextmanager
def inside_network(path: str) -> Iterator[None]:
    """This thread is in the network namespace that the path leads to. Raises OSError without it,
    KernelRefused."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
            try:
                yield
            finally:
                _enter(before)
        finally:
            os.close(there)
    finally:
        os.close(before)


def own_network() -> None:
    """From now on this thread, and what it starts, is in a network namespace that nobody else is
    in. Raises KernelRefused."""
    if _libc.unshare(_CLONE_NEWNET) != 0:
        raise KernelRefused("make a network namespace", ctypes.get_errno())


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise KernelRefused("enter a network namespace", ctypes.get_errno())


@dataclass
class Segment:
    """A switch, and the hosts at it."""

    switch: Host
    stack: ExitStack
    hosts: dict[str, Host] = field(default_factory=dict)

    def host(self, name: str, *addresses: str) -> Host:
        """Another host, its link up, with these addresses (with prefix) on it."""
        made = _namespace(self.stack, name)
        self.hosts[name] = made
        port = f"type veth peer name eth0 netns {made.namespace}"
        self.switch.ip_batch(f"link add {name} {port}", f"link set {name} master br0 up")
        made.ip_batch("link set lo up", "link set eth0 up", *_additions(addresses, "eth0"))
        return made

    def second(self, hosts: dict[Host, str]) -> None:
        """Another switch in the same namespace, and a card `eth1` at it for each host, with this
        address; the switch's port has the host's name and `-b`."""
        self.switch.ip_batch(f"link add br1 {BRIDGE}", "link set br1 up")
        for host, address in hosts.items():
            port = f"{host.name}-b"
            self.switch.ip_batch(
                f"link add {port} type veth peer name eth1 netns {host.namespace}",
                f"link set {port} master br1 up",
            )
            host.ip_batch("link set eth1 up", *_additions((address,), "eth1"))


BRIDGE = "type bridge forward_delay 0 mcast_snooping 0"


def _additions(addresses: tuple[str, ...], link: str) -> list[str]:
    nodad = {address: " nodad" * (":" in address) for address in addresses}
    return [f"address add {address} dev {link}{nodad[address]}" for address in addresses]


def _namespace(stack: ExitStack, name: str) -> Host:
    namespace = f"drctl-{os.getpid()}-{next(_numbers)}-{name}"
    run("ip", "netns", "add", namespace)
    stack.callback(run, "ip", "netns", "delete", namespace)
    return Host(name, namespace)


def remove_abandoned() -> list[str]:
    """Take away namespaces in which nothing runs, and whose maker died before it could; their
    names."""
    gone = []
    for path in sorted(Path("/run/netns").glob("drctl-*-*")):
        maker = path.name.split("-")[1]
        if not maker.isdigit() or Path("/proc", maker).exists():
            continue
        # two that tidy up at the same time find the same ones
        with suppress(CommandFailed):
            if not run("ip", "netns", "pids", path.name):
                run("ip", "netns", "delete", path.name)
                gone.append(path.name)
    return gone


@contextmanager
def segment() -> Iterator[Segment]:
    """A switch without hosts; everything is gone afterwards, also after a failure.

    Raises ToolMissing, and CommandFailed where the kernel has no namespaces or no bridges.
    """
    if shutil.which("ip") is None:
        raise ToolMissing("ip", "iproute2")
    remove_abandoned()
    with ExitStack() as stack:
        switch = _namespace(stack, "switch")
        switch.ip("link", "add", "br0", *BRIDGE.split())
        switch.ip("link", "set", "br0", "up")
        yield Segment(switch, stack)
