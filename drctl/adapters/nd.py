"""Neighbour discovery on one interface: what `arp` does, for IPv6 (RFC 4861)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from drctl.adapters.ip_packet import internet_checksum
from drctl.adapters.packet import (
    ETHERNET_BYTES,
    FRAMES_REMEMBERED,
    Heard,
    PacketSocket,
    frame_filter,
    is_station,
    mac_bytes,
    read_flag,
)
from drctl.adapters.source import Sources

if TYPE_CHECKING:
    from drctl.core.value import Vip

ETHERTYPE = 0x86DD
SOLICITATION, ADVERTISEMENT = 135, 136
_ICMPV6, _HOP_LIMIT = 58, 255
_IPV6 = struct.Struct("!IHBB16s16s")
_MESSAGE = struct.Struct("!BBHI16s")
_LEAST_BYTES = ETHERNET_BYTES + _IPV6.size + _MESSAGE.size
_MOST_BYTES = 1514
_ROUTER, _SOLICITED, _OVERRIDE = 1 << 31, 1 << 30, 1 << 29
_SOURCE_MAC, _TARGET_MAC = 1, 2
_NOBODY = bytes(16)
_ALL_NODES = socket.inet_pton(socket.AF_INET6, "ff02::1")
_SOLICITED_NODE = socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:0")[:13]
_FILTER = frame_filter(
    [
        (2, 12, (ETHERTYPE,)),
        (1, 20, (_ICMPV6,)),
        (1, 21, (_HOP_LIMIT,)),
        (1, 54, (SOLICITATION, ADVERTISEMENT)),
    ],
    _LEAST_BYTES,
    _MOST_BYTES,
)


def decode(frame: bytes, interface: str, *, is_to_me: bool) -> Heard | None:
    """What an Ethernet frame says; None when RFC 4861 7.1 has it discarded, or it is another.

    The MAC is that of the option, and without one that of the frame's sender.
    """
    if len(frame) < _LEAST_BYTES:
        return None
    version, length, following, hops, source, destination = _IPV6.unpack_from(frame, ETHERNET_BYTES)
    message = frame[ETHERNET_BYTES + _IPV6.size :][:length]
    if frame[12:14] != ETHERTYPE.to_bytes(2, "big") or version >> 28 != 6:
        return None
    if following != _ICMPV6 or hops != _HOP_LIMIT or len(message) < length:
        return None
    if length < _MESSAGE.size or checksum(source, destination, message):
        return None
    kind, code, _, flags, target = _MESSAGE.unpack_from(message)
    options = _options(message[_MESSAGE.size :])
    if code or options is None or target[0] == 0xFF or source[0] == 0xFF or target == _NOBODY:
        return None
    if kind == SOLICITATION:
        is_probe = source == _NOBODY
        if is_probe and (destination[:13] != _SOLICITED_NODE or _SOURCE_MAC in options):
            return None
        mac, speaks_for = options.get(_SOURCE_MAC, frame[6:12]), source
        word, is_answer = "ns", is_to_me
    elif kind == ADVERTISEMENT:
        is_solicited = bool(flags & _SOLICITED)
        if source == _NOBODY or (is_solicited and destination[0] == 0xFF):
            return None
        mac, speaks_for = options.get(_TARGET_MAC, frame[6:12]), target
        word, is_answer = "na", is_to_me and is_solicited
    else:
        return None
    if not is_station(mac):
        return None
    name = "" if speaks_for == _NOBODY else socket.inet_ntop(socket.AF_INET6, speaks_for)
    asked = socket.inet_ntop(socket.AF_INET6, target)
    return Heard(interface, name, mac.hex(":"), asked, is_answer, word)


def _options(rest: bytes) -> dict[int, bytes] | None:
    """Link-layer address options; None when an option is broken (RFC 4861 4.6)."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(rest):
        length = rest[at + 1] * 8 if at + 1 < len(rest) else 0
        if not length or at + length > len(rest):
            return None
        if rest[at] in (_SOURCE_MAC, _TARGET_MAC) and length == 8:
            found[rest[at]] = rest[at + 2 : at + 8]
        at += length
    return found


def checksum(source: bytes, destination: bytes, message: bytes) -> int:
    """ICMPv6 checksum, with the one in `message` counted: 0 then if that is right."""
    pseudo = source + destination + struct.pack("!II", len(message), _ICMPV6)
    return internet_checksum(pseudo + message)


def encode(
    ends: tuple[bytes, bytes], macs: tuple[bytes, bytes], message: tuple[int, int, bytes], mac: int
) -> bytes:
    """A frame. `ends` and `macs` are source and destination, `message` is type, flags and target;
    `mac` is the type of the option that tells our MAC, 0 for none."""
    kind, flags, target = message
    option = bytes((mac, 1)) + macs[0] if mac else b""
    body = _MESSAGE.pack(kind, 0, 0, flags, target) + option
    body = body[:2] + checksum(*ends, body).to_bytes(2, "big") + body[4:]
    header = _IPV6.pack(6 << 28, len(body), _ICMPV6, _HOP_LIMIT, *ends)
    return macs[1] + macs[0] + ETHERTYPE.to_bytes(2, "big") + header + body


def solicited_node(target: bytes) -> bytes:
    """The multicast group in which the holder of an address listens (RFC 4291 2.7.1)."""
    return _SOLICITED_NODE + target[13:]


def group_mac(group: bytes) -> bytes:
    """MAC of an IPv6 multicast group (RFC 2464 7)."""
    return b"\x33\x33" + group[12:]


_decode = lru_cache(FRAMES_REMEMBERED)(decode)
_encode = lru_cache(FRAMES_REMEMBERED)(encode)


class NdSocket:
    """Neighbour discovery on one interface; `own`, `device` and `patience_s` as of `ArpSocket`."""

    def __init__(
        self,
        interface: str,
        own: Iterable[tuple[str, int]] = (),
        device: str = "",
        patience_s: float = 0.0,
    ) -> None:
        self.interface = interface
        self._device = device or interface
        self._packets = PacketSocket(self._device, ETHERTYPE, _FILTER, patience_s)
        self._sources = Sources()
        self.set_own(own)

    def set_own(self, own: Iterable[tuple[str, int]]) -> None:
        """This host's own addresses changed."""
        self._sources.put((address, prefix) for address, prefix in own if ":" in address)

    def fileno(self) -> int:
        """Readable when frames have come."""
        return self._packets.fileno()

    def close(self) -> None:
        """Give back the socket."""
        self._packets.close()

    def lost(self) -> int:
        """Frames lost since the last call."""
        return self._packets.lost()

    def probe(self, address: str) -> None:
        """Ask who has the address, from `::`; the answer goes to all nodes."""
        target = socket.inet_pton(socket.AF_INET6, address)
        self._packets.send([self._question(target, _NOBODY, None)], f"probe {address}")

    def ask(self, address: str, mac: str | None = None) -> None:
        """Ask for the address from our own, only that station if its MAC is given."""
        target = socket.inet_pton(socket.AF_INET6, address)
        sender = self._sources.towards(address) or _NOBODY
        frame = self._question(target, sender, mac if sender != _NOBODY else None)
        self._packets.send([frame], f"ask for {address}")

    def announce(self, vips: Sequence[Vip], count: int = 1) -> None:
        """Tell all nodes, `count` times, that the IPv6 VIPs of this interface are at this card."""
        is_router = read_flag(f"/proc/sys/net/ipv6/conf/{self._device}/forwarding")
        flags = _OVERRIDE | (_ROUTER if is_router else 0)
        macs = (self._packets.mac(), group_mac(_ALL_NODES))
        frames = []
        for vip in vips:
            if vip.is_v6 and vip.interface == self.interface:
                target = socket.inet_pton(socket.AF_INET6, vip.address)
                message = (ADVERTISEMENT, flags, target)
                frames.append(encode((target, _ALL_NODES), macs, message, _TARGET_MAC))
        for _ in range(count):
            self._packets.send(frames, "announce by neighbour discovery")

    def receive(self) -> list[Heard]:
        """What was heard since the last call, in order; the rest at the next call if it is much."""
        heard = (
            _decode(frame, self.interface, is_to_me=is_to_me)
            for frame, is_to_me in self._packets.receive()
        )
        return [each for each in heard if each is not None]

    def _question(self, target: bytes, sender: bytes, mac: str | None) -> bytes:
        group = solicited_node(target)
        to, to_mac = (target, mac_bytes(mac)) if mac else (group, group_mac(group))
        option = 0 if sender == _NOBODY else _SOURCE_MAC
        macs = (self._packets.mac(), to_mac)
        return _encode((sender, to), macs, (SOLICITATION, 0, target), option)
