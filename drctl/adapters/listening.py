"""Sockets that take connections or packets, as the kernel tells of them (sock_diag(7)).

A kernel without that part shows them in /proc (proc(5)), without their devices and without whether
those of IPv6 take IPv4 too.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from drctl.adapters.netlink import (
    NETLINK_SOCK_DIAG,
    NLM_F_DUMP,
    Netlink,
    attributes,
    message,
)
from drctl.errors import KernelRefused

_ANY = frozenset({"0.0.0.0", "::"})
_PROTOCOLS = {"tcp": (socket.IPPROTO_TCP, 10), "udp": (socket.IPPROTO_UDP, 7)}
"""Number, and the state of a socket that takes what comes (TCP_LISTEN, TCP_CLOSE)."""
_FAMILIES = {socket.AF_INET: "", socket.AF_INET6: "6"}
_BY_FAMILY = 20
_REQUEST = struct.Struct("=BBBxI48x")
_MESSAGE = struct.Struct("!BBBBHH16s16s")
_DEVICE = struct.Struct("=I")
_BODY_BYTES = 72
_V6_ONLY = 11
_LACKING = frozenset({errno.ENOENT, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.EINVAL})


@dataclass(frozen=True, slots=True)
class Listener:
    """`protocol` is tcp or udp; `address` is canonical, `0.0.0.0` and `::` are all of a family.
    `device` is the one that it is bound to; `is_v6_only`: one of IPv6 that takes no IPv4."""

    protocol: str
    address: str
    port: int
    device: str = ""
    is_v6_only: bool = False

    def takes(self, protocol: str, address: str, port: int, devices: Iterable[str] = ()) -> bool:
        """Whether it takes what is sent there and comes in on one of the devices; without any, a
        device that it is bound to is not asked for."""
        if (self.protocol, self.port) != (protocol, port):
            return False
        come = tuple(devices)
        if self.device and come and self.device not in come:
            return False
        if self.address in _ANY:
            return ":" in address if self.is_v6_only else self.address == "::" or ":" not in address
        return self.address in {address, f"::ffff:{address}"}

    def __str__(self) -> str:
        limits = ["IPv6"] if self.is_v6_only and self.address == "::" else []
        limits += [self.device] if self.device else []
        return f"{self.address} ({' on '.join(limits)} alone)" if limits else self.address


def listeners() -> tuple[Listener, ...]:
    """Those of this network namespace."""
    return tuple(found for protocol in _PROTOCOLS for found in _of(protocol))


def _of(protocol: str) -> tuple[Listener, ...]:
    try:
        with closing(Netlink(NETLINK_SOCK_DIAG)) as link:
            return tuple(one for family in _FAMILIES for one in _asked(link, protocol, family))
    except KernelRefused as refused:
        if refused.errno not in _LACKING:
            raise
        return shown(protocol)


def _asked(link: Netlink, protocol: str, family: int) -> Iterator[Listener]:
    number, state = _PROTOCOLS[protocol]
    request = message(_BY_FAMILY, NLM_F_DUMP, 1, _REQUEST.pack(family, number, 0, 1 << state))
    for received in link.dump(request, f"ask for {protocol} sockets"):
        if received.kind != _BY_FAMILY:
            continue
        _, _, _, _, port, _, source, _ = _MESSAGE.unpack_from(received.body)
        (index,) = _DEVICE.unpack_from(received.body, _MESSAGE.size)
        only = attributes(received.body[_BODY_BYTES:]).get(_V6_ONLY, b"\0")
        if port:
            packed = source if family == socket.AF_INET6 else source[:4]
            yield Listener(protocol, _canonical(packed), port, _device(index), any(only))


def _device(index: int) -> str:
    if not index:
        return ""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"a device that is gone ({index})"


def shown(protocol: str, proc: Path = Path("/proc/self/net")) -> tuple[Listener, ...]:
    """Those of /proc."""
    state = f"{_PROTOCOLS[protocol][1]:02X}"
    names = (f"{protocol}{suffix}" for suffix in _FAMILIES.values())
    return tuple(one for name in names for one in _read(proc / name, protocol, state))


def _read(file: Path, protocol: str, state: str) -> Iterator[Listener]:
    if not file.exists():
        return
    for line in file.read_text("ascii").splitlines()[1:]:
        words = line.split()
        if words[3] == state:
            address, _, port = words[1].partition(":")
            yield Listener(protocol, _address(address), int(port, 16))


def _address(text: str) -> str:
    raw = bytes.fromhex(text)
    count = len(raw) // 4
    # each 32 bits stand in the machine's own order
    return _canonical(struct.pack(f"!{count}I", *struct.unpack(f"={count}I", raw)))


def _canonical(packed: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET6 if len(packed) == 16 else socket.AF_INET, packed)
