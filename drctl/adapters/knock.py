"""Connections to real servers as a director would send them on: a SYN in a frame to the real
server's MAC, with the VIP as its destination. What comes back is told apart by the sequence number
that it acknowledges; an accepted connection is reset at once.
"""

from __future__ import annotations

import secrets
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from drctl.adapters import ip_packet
from drctl.adapters.ip_packet import ACK, ICMP, ICMPV6, IPV4, IPV6, RST, SYN, TCP
from drctl.adapters.packet import PacketSocket, frame_filter, mac_bytes
from drctl.errors import KernelRefused

GAP_S = 0.0004
TRIES = 3
AGAIN_S = 0.12
_IPIP, _IP6IP6 = 4, 41
_MOST_BYTES = 256
_TCP_BYTES = 14 + 20 + 20


class Answer(StrEnum):
    """What came back for a SYN. OTHER_ADDRESS: accepted, but not from the address asked for;
    RETURNED: the packet itself came back to this host."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    OTHER_ADDRESS = "other-address"
    RETURNED = "returned"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Knock:
    """One SYN: to `address` and `port`, in a frame to `mac`, from `source`; in a tunnel packet to
    `tunnel` unless that is empty."""

    address: str
    port: int
    mac: str
    source: str
    tunnel: str = ""


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
                self._sockets.append(PacketSocket(interface, ethertype, program))
        except OSError as cause:
            self.close()
            raise KernelRefused("reserve a port", cause.errno) from cause
        except BaseException:
            self.close()
            raise
        self._out = self._sockets[0]
        self._poll = select.poll()
        for each in self._sockets:
            self._poll.register(each.fileno(), select.POLLIN)

    def close(self) -> None:
        """Give back the sockets."""
        self._holder.close()
        for each in self._sockets:
            each.close()

    def knock(self, knocks: Sequence[Knock]) -> list[Answer]:
        """Send each, again when nothing comes; what came back for each, in order."""
        first = secrets.randbits(31)
        answers: dict[int, Answer] = {}
        for _ in range(TRIES):
            left = [number for number in range(len(knocks)) if number not in answers]
            if not left:
                break
            for number in left:
                self._send(knocks[number], first + number)
                self._hear(knocks, first, answers, GAP_S)
            end_s = time.monotonic() + AGAIN_S
            while (rest_s := end_s - time.monotonic()) > 0 and len(answers) < len(knocks):
                self._hear(knocks, first, answers, rest_s)
        return [answers.get(number, Answer.NOTHING) for number in range(len(knocks))]

    def _send(self, knock: Knock, sequence: int, flags: int = SYN) -> None:
        source, target = _packed(knock.source), _packed(knock.address)
        segment = ip_packet.Segment(self._port, knock.port, sequence & 0xFFFFFFFF, 0, flags)
        packet = ip_packet.tcp(source, target, segment)
        if knock.tunnel:
            outer = _packed(knock.tunnel)
            protocol = _IP6IP6 if len(target) == 16 else _IPIP
            packet = ip_packet.packet(source, outer, protocol, packet)
        frame = ip_packet.frame(self._out.mac(), mac_bytes(knock.mac), packet)
        self._out.send([frame], f"knock at {knock.address}")

    def _hear(
        self, knocks: Sequence[Knock], first: int, answers: dict[int, Answer], within_s: float
    ) -> None:
        if not self._poll.poll(within_s * 1000):
            return
        for each in self._sockets:
            for received, _ in each.receive():
                packet = ip_packet.read(received)
                if packet is None:
                    continue
                found = self._meaning(packet, first)
                if found is None or not 0 <= found[0] < len(knocks) or found[0] in answers:
                    continue
                number, answer = found
                knock = knocks[number]
                if answer is Answer.ACCEPTED:
                    self._send(knock, first + number + 1, RST)
                    if packet.source != _packed(knock.address):
                        answer = Answer.OTHER_ADDRESS
                answers[number] = answer

    def _meaning(self, packet: ip_packet.Packet, first: int) -> tuple[int, Answer] | None:
        """Which knock a packet is about, and what it says."""
        if packet.protocol in (ICMP, ICMPV6):
            return self._refusal(packet.body, first)
        segment = ip_packet.read_tcp(packet.body)
        if segment is None:
            return None
        if segment.source_port == self._port and segment.flags & (SYN | ACK) == SYN:
            return (segment.sequence - first) & 0xFFFFFFFF, Answer.RETURNED
        if segment.target_port != self._port or not segment.flags & ACK:
            return None
        number = (segment.acknowledged - first - 1) & 0xFFFFFFFF
        return number, Answer.REFUSED if segment.flags & RST else Answer.ACCEPTED

    def _refusal(self, body: bytes, first: int) -> tuple[int, Answer] | None:
        """An ICMP error repeats the packet that it is about."""
        inner = ip_packet.read(bytes(12) + _ethertype(body[8:]) + body[8:] + bytes(64))
        segment = None if inner is None else ip_packet.read_tcp(inner.body + bytes(12))
        if segment is None or segment.source_port != self._port:
            return None
        return (segment.sequence - first) & 0xFFFFFFFF, Answer.UNREACHABLE


def _ethertype(packet: bytes) -> bytes:
    is_v6 = bool(packet) and packet[0] >> 4 == 6
    return (IPV6 if is_v6 else IPV4).to_bytes(2, "big")


def _packed(address: str) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_pton(family, address)


def _filters(port: int) -> list[tuple[int, bytes]]:
    """TCP to our port, TCP from our port, and ICMP errors; of IPv4 and IPv6."""
    least = _TCP_BYTES
    return [
        (IPV4, frame_filter([(1, 23, (TCP,)), (2, 36, (port,))], least, _MOST_BYTES)),
        (IPV4, frame_filter([(1, 23, (TCP,)), (2, 34, (port,))], least, _MOST_BYTES)),
        (IPV4, frame_filter([(1, 23, (ICMP,)), (1, 34, (3,))], 42, _MOST_BYTES)),
        (IPV6, frame_filter([(1, 20, (TCP,)), (2, 56, (port,))], least, _MOST_BYTES)),
        (IPV6, frame_filter([(1, 20, (TCP,)), (2, 54, (port,))], least, _MOST_BYTES)),
        (IPV6, frame_filter([(1, 20, (ICMPV6,)), (1, 54, (1,))], 62, _MOST_BYTES)),
    ]
