"""IPv4 and IPv6 packets in Ethernet frames, made by hand: echo requests, TCP segments, tunnels.

RFC 791, 792, 2003, 2784, 4443, 8200, 9293; GUE as net/netfilter/ipvs/ip_vs_xmit.c makes it.
Addresses are packed bytes, 4 or 16 long.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
from collections.abc import Iterable, Sequence

from drctl.quickclass import dataclass

IPV4, IPV6 = 0x0800, 0x86DD
ICMP, TCP, ICMPV6 = 1, 6, 58
IPIP, UDP, IP6, GRE = 4, 17, 41, 47
SYN, RST, ACK = 0x02, 0x04, 0x10
UNREACHABLE, REDIRECT, UNREACHABLE6 = 3, 5, 1
_ETHERNET_BYTES = 14
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP = struct.Struct("!HHIIBBHHH")
_ECHO = struct.Struct("!BBHHH")
_TTL = 64


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment without text. `flags` as in the header."""

    source_port: int
    target_port: int
    sequence: int
    acknowledged: int
    flags: int


@dataclass(frozen=True, slots=True)
class Packet:
    """An IP packet that was received: its ends, protocol, and what follows its header."""

    source: bytes
    target: bytes
    protocol: int
    body: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class Encapsulation:
    """How a tunnel wraps packets. `kind` is ipip, gre or gue; `port` is the latter's."""

    kind: str = "ipip"
    port: int = 0


def encapsulation(words: Sequence[str]) -> Encapsulation:
    """From the words after TUN: `type gue port 6080 nocsum`."""
    pairs = dict(itertools.pairwise(words))
    port = pairs.get("port", "")
    return Encapsulation(pairs.get("type", "ipip"), int(port) if port.isdecimal() else 0)


def shown(how: Encapsulation, vip: str) -> str:
    """What comes by such a tunnel for the VIP, as a firewall names it."""
    if how.kind == "gue":
        return f"UDP port {how.port}"
    number = GRE if how.kind == "gre" else IP6 if ":" in vip else IPIP
    return f"protocol {number}"


def frame(source_mac: bytes, target_mac: bytes, packet: bytes) -> bytes:
    """The packet in an Ethernet frame."""
    ethertype = IPV6 if packet[0] >> 4 == 6 else IPV4
    return target_mac + source_mac + ethertype.to_bytes(2, "big") + packet


def echo_request(source: bytes, target: bytes, identifier: int) -> bytes:
    """A packet that asks its target for an answer ("ping")."""
    is_v6 = len(target) == 16
    kind = 128 if is_v6 else 8
    body = _ECHO.pack(kind, 0, 0, identifier, 1)
    checked = _pseudo(source, target, ICMPV6, len(body)) + body if is_v6 else body
    body = body[:2] + internet_checksum(checked).to_bytes(2, "big") + body[4:]
    return packet(source, target, ICMPV6 if is_v6 else ICMP, body)


def echoes(macs: tuple[bytes, bytes], source: str, targets: Iterable[str]) -> list[bytes]:
    """Frames between these MACs with echo requests for IPv4 addresses. Whoever gets one does not
    send it on (TTL 1)."""
    made, number = [], struct.unpack("=H", os.urandom(2))[0]
    for target in targets:
        whole = echo_request(socket.inet_aton(source), socket.inet_aton(target), number)
        head = bytearray(whole[: _IPV4.size])
        head[8], head[10:12] = 1, b"\0\0"
        head[10:12] = internet_checksum(bytes(head)).to_bytes(2, "big")
        made.append(frame(*macs, bytes(head) + whole[_IPV4.size :]))
    return made


def tcp(source: bytes, target: bytes, segment: Segment) -> bytes:
    """A TCP segment as a packet."""
    fields = (segment.source_port, segment.target_port, segment.sequence, segment.acknowledged)
    head = _TCP.pack(*fields, 5 << 4, segment.flags, 1024, 0, 0)
    total = internet_checksum(_pseudo(source, target, TCP, len(head)) + head)
    return packet(source, target, TCP, head[:16] + total.to_bytes(2, "big") + head[18:])


def packet(source: bytes, target: bytes, protocol: int, body: bytes) -> bytes:
    """A packet with this body."""
    if len(target) == 16:
        return _IPV6.pack(6 << 28, len(body), protocol, _TTL, source, target) + body
    head = _IPV4.pack(0x45, 0, _IPV4.size + len(body), 0, 0x4000, _TTL, protocol, 0, source, target)
    return head[:10] + internet_checksum(head).to_bytes(2, "big") + head[12:] + body


def tunnelled(ends: tuple[bytes, bytes], inner: bytes, how: Encapsulation) -> bytes:
    """The packet in another one between these ends; their family need not be the packet's."""
    source, target = ends
    is_v6 = inner[0] >> 4 == 6
    protocol = IP6 if is_v6 else IPIP
    match how.kind:
        case "gre":
            body = struct.pack("!HH", 0, IPV6 if is_v6 else IPV4) + inner
            return packet(source, target, GRE, body)
        case "gue":
            text = bytes((0, protocol, 0, 0)) + inner
            size = 8 + len(text)
            head = struct.pack("!HHHH", how.port, how.port, size, 0)
            total = internet_checksum(_pseudo(source, target, UDP, size) + head + text)
            return packet(source, target, UDP, head[:6] + struct.pack("!H", total or 0xFFFF) + text)
        case _:
            return packet(source, target, protocol, inner)


def read(received: bytes) -> Packet | None:
    """The packet of a frame; None when it is none, or a part of one."""
    ethertype, whole = received[12:14], received[_ETHERNET_BYTES:]
    if ethertype == IPV4.to_bytes(2, "big") and len(whole) >= _IPV4.size:
        first, _, length, _, fragment, _, protocol, _, source, target = _IPV4.unpack_from(whole)
        start = (first & 15) * 4
        if first >> 4 != 4 or start < _IPV4.size or length > len(whole) or fragment & 0x3FFF:
            return None
    elif ethertype == IPV6.to_bytes(2, "big") and len(whole) >= _IPV6.size:
        version, size, protocol, _, source, target = _IPV6.unpack_from(whole)
        start = _IPV6.size
        length = start + size
        if version >> 28 != 6 or length > len(whole):
            return None
    else:
        return None
    return Packet(source, target, protocol, whole[start:length], received[6:12])


def read_tcp(body: bytes) -> Segment | None:
    """The header of a TCP segment; None when it is too short."""
    if len(body) < _TCP.size:
        return None
    source, target, sequence, acknowledged, _, flags, *_ = _TCP.unpack_from(body)
    return Segment(source, target, sequence, acknowledged, flags)


def _pseudo(source: bytes, target: bytes, protocol: int, size: int) -> bytes:
    if len(target) == 16:
        return source + target + struct.pack("!II", size, protocol)
    return source + target + struct.pack("!HH", protocol, size)


def internet_checksum(text: bytes) -> int:
    """The checksum of RFC 1071."""
    whole = text + bytes(len(text) & 1)
    total: int = sum(struct.unpack(f"!{len(whole) // 2}H", whole))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
