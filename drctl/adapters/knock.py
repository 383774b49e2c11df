"""Connections to real servers as a director would send them on: a SYN in a frame to the real
server's MAC, with the VIP as its destination. What comes back is told apart by the sequence number
that it acknowledges; an accepted connection is reset at once.
"""

from __future__ import annotations

import itertools
import select
import socket
import time
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

from drctl.adapters import ip_packet
from drctl.adapters.ip_packet import (
    ACK,
    ICMP,
    ICMPV6,
    IPV4,
    IPV6,
    REDIRECT,
    RST,
    SYN,
    TCP,
    UNREACHABLE,
    UNREACHABLE6,
    Encapsulation,
)
from drctl.adapters.packet import (
    PATIENCE_S,
    PacketSocket,
    close_all,
    frame_filter,
    mac_bytes,
    some_number,
)
from drctl.errors import KernelRefused
from drctl.quickclass import dataclass

GAP_S = 0.0001
"""Between two frames of ours: 10,000 a second at most."""
GAP_OF_HOST_S = 0.001
"""Between two to one host, when each is asked in turn."""
TRIES = 3
AGAIN_S = 0.12
_MOST_BYTES = 256
_TCP_BYTES = 14 + 20 + 20
_BY_A_FIREWALL = {ICMP: frozenset({3, 9, 10, 13}), ICMPV6: frozenset({1, 4, 5, 6})}
"""Codes of ICMP errors that a kernel does not send about TCP of its own accord: port unreachable
and prohibited."""


class Answer(StrEnum):
    """What came back for a SYN. OTHER_ADDRESS: accepted, but not from the address asked for;
    FILTERED: a firewall said no; RETURNED: the packet itself came back to this host, or this host
    was told of a better way."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    FILTERED = "filtered"
    UNREACHABLE = "unreachable"
    OTHER_ADDRESS = "other-address"
    RETURNED = "returned"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Tunnel:
    """To whom and from whom the outer packet goes, and how it wraps the inner one."""

    target: str
    source: str
    how: Encapsulation


@dataclass(frozen=True, slots=True)
class Knock:
    """One SYN: to `address` and `port`, in a frame to `mac`, from `source`; in a tunnel packet if
    there is a tunnel."""

    address: str
    port: int
    mac: str
    source: str
    tunnel: Tunnel | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, and the MAC that it came from."""

    answer: Answer
    mac: str = ""


class Knocker:
    """Knocks from one interface. Needs CAP_NET_RAW."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self._holder = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self._sockets: list[PacketSocket] = []
        try:
            # nobody else gets the port meanwhile; IPv4's is reserved with it
            self._holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            self._holder.bind(("::", 0))
            self._port: int = self._holder.getsockname()[1]
            for ethertype, program in _filters(self._port):
                self._sockets.append(PacketSocket(interface, ethertype, program, PATIENCE_S))
        except OSError as cause:
            self.close()
            raise KernelRefused("reserve a port", cause.errno) from cause
        except BaseException:
            self.close()
            raise
        self._out = self._sockets[0]
        self._by_number = {each.fileno(): each for each in self._sockets}
        self._poll = select.poll()
        for each in self._sockets:
            self._poll.register(each.fileno(), select.POLLIN)

    def close(self) -> None:
        """Give back the sockets."""
        close_all([self._holder.close, *(each.close for each in self._sockets)])

    def knock(self, knocks: Sequence[Knock]) -> list[Reply]:
        """Send each, again when nothing comes; what came back for each, in order."""
        first = some_number(1 << 31)
        own_mac = self._out.mac()
        replies: dict[int, Reply] = {}
        gap_s = max(GAP_S, GAP_OF_HOST_S / len({one.mac for one in knocks} or {""}))
        for _ in range(TRIES):
            left = [number for number in _in_turn(knocks) if number not in replies]
            if not left:
                break
            at_s = time.monotonic()
            for number in left:
                self._send(knocks[number], first + number, SYN, own_mac)
                at_s += gap_s
                self._hear_until(at_s, (knocks, first, own_mac), replies)
            self._hear_until(time.monotonic() + AGAIN_S, (knocks, first, own_mac), replies)
        return [replies.get(number, Reply(Answer.NOTHING)) for number in range(len(knocks))]

    def _send(self, knock: Knock, sequence: int, flags: int, own_mac: bytes) -> None:
        source, target = _packed(knock.source), _packed(knock.address)
        segment = ip_packet.Segment(self._port, knock.port, sequence & 0xFFFFFFFF, 0, flags)
        packet = ip_packet.tcp(source, target, segment)
        if knock.tunnel is not None:
            ends = _packed(knock.tunnel.source), _packed(knock.tunnel.target)
            packet = ip_packet.tunnelled(ends, packet, knock.tunnel.how)
        frame = ip_packet.frame(own_mac, mac_bytes(knock.mac), packet)
        self._out.send([frame], f"knock at {knock.address}")

    def _hear_until(
        self, end_s: float, asked: tuple[Sequence[Knock], int, bytes], replies: dict[int, Reply]
    ) -> None:
        """Until then, or until everything is answered; what is there already is always read."""
        is_first = True
        while len(replies) < len(asked[0]):
            rest_s = end_s - time.monotonic()
            if rest_s <= 0 and not is_first:
                break
            is_first = False
            # poll counts in whole milliseconds, rounded up
            ready = self._poll.poll(rest_s * 1000 if rest_s > 0.001 else 0)
            for number, _ in ready:
                for received, _ in self._by_number[number].receive():
                    self._take(received, asked, replies)

    def _take(
        self,
        received: bytes,
        asked: tuple[Sequence[Knock], int, bytes],
        replies: dict[int, Reply],
    ) -> None:
        knocks, first, own_mac = asked
        packet = ip_packet.read(received)
        found = None if packet is None else self._meaning(packet, first)
        if packet is None or found is None:
            return
        number, answer = found
        if not 0 <= number < len(knocks):
            return
        knock = knocks[number]
        if answer is Answer.ACCEPTED:
            self._send(knock, first + number + 1, RST, own_mac)
            if packet.source != _packed(knock.address):
                answer = Answer.OTHER_ADDRESS
        replies.setdefault(number, Reply(answer, packet.mac.hex(":")))

    def _meaning(self, packet: ip_packet.Packet, first: int) -> tuple[int, Answer] | None:
        """Which knock a packet is about, and what it says."""
        if packet.protocol in (ICMP, ICMPV6):
            return self._refusal(packet, first)
        segment = ip_packet.read_tcp(packet.body)
        if segment is None:
            return None
        if segment.source_port == self._port and segment.flags & (SYN | ACK) == SYN:
            return (segment.sequence - first) & 0xFFFFFFFF, Answer.RETURNED
        if segment.target_port != self._port or not segment.flags & ACK:
            return None
        number = (segment.acknowledged - first - 1) & 0xFFFFFFFF
        return number, Answer.REFUSED if segment.flags & RST else Answer.ACCEPTED

    def _refusal(self, packet: ip_packet.Packet, first: int) -> tuple[int, Answer] | None:
        """An ICMP error repeats the packet that it is about."""
        kind, code, about = packet.body[0], packet.body[1], packet.body[8:]
        inner = ip_packet.read(bytes(12) + _ethertype(about) + about + bytes(64))
        segment = None if inner is None else ip_packet.read_tcp(inner.body + bytes(12))
        if segment is None or segment.source_port != self._port:
            return None
        if packet.protocol == ICMP and kind == REDIRECT:
            answer = Answer.RETURNED
        else:
            is_filtered = code in _BY_A_FIREWALL[packet.protocol]
            answer = Answer.FILTERED if is_filtered else Answer.UNREACHABLE
        return (segment.sequence - first) & 0xFFFFFFFF, answer


def _in_turn(knocks: Sequence[Knock]) -> list[int]:
    """The numbers of the knocks, each host once before any a second time."""
    by_mac: dict[str, list[int]] = {}
    for number, knock in enumerate(knocks):
        by_mac.setdefault(knock.mac, []).append(number)
    rows = itertools.zip_longest(*by_mac.values())
    return [number for row in rows for number in row if number is not None]


def _ethertype(packet: bytes) -> bytes:
    is_v6 = bool(packet) and packet[0] >> 4 == 6
    return (IPV6 if is_v6 else IPV4).to_bytes(2, "big")


@lru_cache(4096)
def _packed(address: str) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address)


def _filters(port: int) -> list[tuple[int, bytes]]:
    """TCP to our port, TCP from our port, and ICMP errors; of IPv4 and IPv6."""
    least = _TCP_BYTES
    return [
        (IPV4, frame_filter([(1, 23, (TCP,)), (2, 36, (port,))], least, _MOST_BYTES)),
        (IPV4, frame_filter([(1, 23, (TCP,)), (2, 34, (port,))], least, _MOST_BYTES)),
        (IPV4, frame_filter([(1, 23, (ICMP,)), (1, 34, (UNREACHABLE, REDIRECT))], 42, _MOST_BYTES)),
        (IPV6, frame_filter([(1, 20, (TCP,)), (2, 56, (port,))], least, _MOST_BYTES)),
        (IPV6, frame_filter([(1, 20, (TCP,)), (2, 54, (port,))], least, _MOST_BYTES)),
        (IPV6, frame_filter([(1, 20, (ICMPV6,)), (1, 54, (UNREACHABLE6,))], 62, _MOST_BYTES)),
    ]
