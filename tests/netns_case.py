"""Hosts on an Ethernet segment, each a network namespace; the switch is a bridge in its own.

The root namespace is never touched: links are made in the switch's namespace and handed on.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from tools import need, need_root, refuse

_CLONE_NEWNET = 0x40000000
_numbers = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


def run(*command: str) -> str:
    """A program that has to succeed; what it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
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
        command = ["ip", "-n", self.namespace, "-batch", "-"]
        done = subprocess.run(
            command, input="\n".join(lines), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{lines}: {done.stderr}"

    def run(self, *command: str) -> str:
        """Any program in this namespace."""
        return run("ip", "netns", "exec", self.namespace, *command)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread is in the namespace; so are sockets that are opened meanwhile, for good."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
            try:
                yield
            finally:
                _enter(before)
        finally:
            os.close(there)
            os.close(before)

    def mac(self, link: str = "eth0") -> str:
        """Hardware address of a link."""
        return str(json.loads(self.ip("-json", "link", "show", link))[0]["address"])


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


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
        nodad = {address: " nodad" * (":" in address) for address in addresses}
        made.ip_batch(
            "link set lo up",
            "link set eth0 up",
            *(f"address add {address} dev eth0{nodad[address]}" for address in addresses),
        )
        return made


def _namespace(stack: ExitStack, name: str) -> Host:
    namespace = f"drctl-{os.getpid()}-{next(_numbers)}-{name}"
    run("ip", "netns", "add", namespace)
    stack.callback(run, "ip", "netns", "delete", namespace)
    return Host(name, namespace)


@contextmanager
def segment() -> Iterator[Segment]:
    """A switch without hosts; everything is gone afterwards, also after a failure."""
    need_root()
    need("ip", "iproute2")
    with ExitStack() as stack:
        switch = _namespace(stack, "switch")
        options = ("type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        done = subprocess.run(
            ["ip", "-n", switch.namespace, "link", "add", "br0", *options],
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            refuse(f"no bridge can be made: {done.stderr.decode()}")
        switch.ip("link", "set", "br0", "up")
        yield Segment(switch, stack)


class Readable(Protocol):
    """Something to wait for."""

    def fileno(self) -> int: ...


def is_readable(what: Readable, within_ms: float) -> bool:
    """Whether there is something to read within this time."""
    poll = select.poll()
    poll.register(what.fileno(), select.POLLIN)
    return bool(poll.poll(within_ms))


def wait_until(instant: float) -> None:
    """Let real time pass, up to this instant of `time.monotonic()`: leases are in real time."""
    while (left := instant - time.monotonic()) > 0:
        select.select([], [], [], left)
