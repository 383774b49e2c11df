"""Sockets that take connections or packets, as /proc shows them (proc(5))."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FILES = {"tcp": ("tcp", "0A"), "tcp6": ("tcp", "0A"), "udp": ("udp", "07"), "udp6": ("udp", "07")}
_ANY = frozenset({"0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class Listener:
    """`protocol` is tcp or udp; `address` is canonical, `0.0.0.0` and `::` are all of a family."""

    protocol: str
    address: str
    port: int

    def takes(self, protocol: str, address: str, port: int) -> bool:
        """Whether it takes what is sent there. A socket of `::` takes IPv4 too, as a rule."""
        if (self.protocol, self.port) != (protocol, port):
            return False
        if self.address in _ANY:
            return self.address == "::" or ":" not in address
        return self.address in {address, f"::ffff:{address}"}


def listeners(proc: Path = Path("/proc/self/net")) -> tuple[Listener, ...]:
    """Those of this network namespace."""
    return tuple(found for name in _FILES for found in _read(proc / name, *_FILES[name]))


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
    packed = struct.pack(f"!{count}I", *struct.unpack(f"={count}I", raw))
    return socket.inet_ntop(socket.AF_INET6 if count == 4 else socket.AF_INET, packed)
