"""The listening TCP socket of a heartbeat link, made before ZeroMQ gets it.

It may be bound to an address that is not there yet (the card is down, the address comes later), and
the kernel drops packets from machines that are no peers before a connection exists: a flood, a scan
or a slow sender costs no descriptor and no wakeup. Who passes still needs a key.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address

from drctl.errors import DrctlError

_IP_FREEBIND = 15
_IPV6_FREEBIND = 78
_SO_ATTACH_FILTER = 26
_BACKLOG = 32
_MOST_SOURCES = 64

# classic BPF (linux/bpf_common.h); SKF_NET_OFF counts from the IP header
_LOAD_WORD = 0x20
_JUMP_EQUAL = 0x15
_RETURN = 0x06
_NET_OFFSET = 0xFFF00000
_SOURCE_V4 = _NET_OFFSET + 12
_SOURCE_V6 = _NET_OFFSET + 8
_PASS = 0xFFFFFFFF


class LinkRefused(DrctlError):
    """The kernel refused something that a heartbeat link needs; has the operation and the errno."""

    def __init__(self, operation: str, place: str, cause: OSError, hint: str = "") -> None:
        self.operation, self.place, self.errno = operation, place, cause.errno
        reason = os.strerror(cause.errno) if cause.errno else str(cause)
        super().__init__(f"cannot {operation} {place}: {reason}" + (f" ({hint})" if hint else ""))


class Listener:
    """One listening socket on `address` and `port`, for the machines in `sources` alone."""

    def __init__(self, address: str, port: int, sources: Collection[str]) -> None:
        self.place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self._is_v6 = ":" in address
        family = socket.AF_INET6 if self._is_v6 else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._prepare()
            self.admit(sources)
            self._socket.bind(_resolved(address, port, family))
            self._socket.listen(_BACKLOG)
        except OSError as refused:
            self._socket.close()
            hint = ""
            if isinstance(refused, PermissionError) and port < 1024:
                hint = "ports below 1024 need CAP_NET_BIND_SERVICE; port = N sets another one"
            raise LinkRefused("listen on", self.place, refused, hint) from refused

    def _prepare(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._is_v6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        else:
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)

    def admit(self, sources: Collection[str]) -> None:
        """Let only these machines reach the port, from now on."""
        program = _program(sorted(sources), is_v6=self._is_v6)
        code = ctypes.create_string_buffer(b"".join(program))
        descriptor = struct.pack("HL", len(program), ctypes.addressof(code))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, descriptor)

    @property
    def port(self) -> int:
        """The port, also when it was 0 in the beginning."""
        return int(self._socket.getsockname()[1])

    def duplicate(self) -> int:
        """A descriptor of the same socket, for a ZeroMQ socket, which will close it."""
        return os.dup(self._socket.fileno())

    def close(self) -> None:
        """Give up our descriptor; duplicates go on."""
        self._socket.close()


def _resolved(address: str, port: int, family: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """What `bind` takes; only an address with a zone (`fe80::1%eth0`) has to be looked up."""
    if "%" not in address:
        return address, port
    host, zone = address.split("%", 1)
    assert family == socket.AF_INET6, "only IPv6 addresses have zones"
    return host, port, 0, socket.if_nametoindex(zone)


def _program(sources: list[str], *, is_v6: bool) -> list[bytes]:
    """BPF instructions that pass packets with one of these source addresses."""
    wanted = [address.partition("%")[0] for address in sources if (":" in address) == is_v6]
    assert len(wanted) <= _MOST_SOURCES, "the configuration limits the number of peers"
    program: list[bytes] = []
    for address in wanted:
        raw = IPv6Address(address).packed if is_v6 else IPv4Address(address).packed
        words = [int.from_bytes(raw[at : at + 4], "big") for at in range(0, len(raw), 4)]
        for index, word in enumerate(words):
            # what is left of this address's block: its loads and jumps, and the return
            remaining = 2 * (len(words) - index - 1) + 1
            offset = (_SOURCE_V6 if is_v6 else _SOURCE_V4) + 4 * index
            program += (
                struct.pack("HBBI", _LOAD_WORD, 0, 0, offset),
                struct.pack("HBBI", _JUMP_EQUAL, 0, remaining, word),
            )
        program.append(struct.pack("HBBI", _RETURN, 0, 0, _PASS))
    program.append(struct.pack("HBBI", _RETURN, 0, 0, 0))
    return program
