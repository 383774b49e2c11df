"""Asking a segment who has which address, patiently and without harm, and hearing every answer.

Questions name no sender (RFC 5227 probes), so no station learns anything from them; IPv6 has to be
asked from this host's own address, since an answer to `::` goes to all nodes. Questions are spread
in time. A station can be made to ask for an address itself: an echo request to a VIP of its own,
from an address on the segment that nobody has, which it then has to ask for by ARP.
"""

from __future__ import annotations

import heapq
import ipaddress
import itertools
import secrets
import select
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from drctl.adapters import ip_packet
from drctl.adapters.arp import ArpSocket
from drctl.adapters.nd import NdSocket
from drctl.adapters.packet import Heard, PacketSocket, frame_filter, mac_bytes

GAP_S = 0.0004
"""Between two frames of ours: 2,500 a second at most."""
ROUND_S = 0.12
LAST_S = 0.15
"""How long to listen after the last question."""
BAITS = 8
"""So many VIPs of a station can be tried at once: it asks for an address once, whatever waits."""
SPARE_BAITS = 4
PROVOKED_AT_MOST = 400
_NOTHING = frame_filter([(2, 12, (0xFFFF,))], 60, 60)


@dataclass(frozen=True, slots=True)
class Question:
    """An address to ask for on an interface."""

    address: str
    interface: str


@dataclass(frozen=True, slots=True)
class Provocation:
    """A station that is to be made to send from an address of its own, by a packet for that."""

    station: str
    vip: str
    interface: str


@dataclass(slots=True)
class Record:
    """What came of it. `provoked` are pairs of a station and the VIP that a packet to it was for,
    `baits` the addresses that nobody has, by interface."""

    heard: list[Heard] = field(default_factory=list)
    provoked: set[tuple[str, str]] = field(default_factory=set)
    baits: dict[str, list[str]] = field(default_factory=dict)
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Card:
    """An interface to ask on, with this host's own addresses there and their prefix lengths."""

    interface: str
    own: tuple[tuple[str, int], ...]


class Surveyor:
    """Sockets on some interfaces; `survey` may be called again and again."""

    def __init__(self, cards: Sequence[Card]) -> None:
        self._cards = {card.interface: card for card in cards}
        self._arp: dict[str, ArpSocket] = {}
        self._nd: dict[str, NdSocket] = {}
        self._raw: dict[str, PacketSocket] = {}
        self._ears: list[ArpSocket | NdSocket] = []
        self._poll = select.poll()
        self._numbers = itertools.count()
        try:
            for card in cards:
                self._arp[card.interface] = ArpSocket(card.interface, card.own)
                self._nd[card.interface] = NdSocket(card.interface, card.own)
                # for sending alone
                self._raw[card.interface] = PacketSocket(card.interface, 0x0800, _NOTHING)
        except BaseException:
            self.close()
            raise
        self._ears += [*self._arp.values(), *self._nd.values()]
        for each in self._ears:
            self._poll.register(each.fileno(), select.POLLIN)

    def close(self) -> None:
        """Give back the sockets."""
        kinds: tuple[Mapping[str, ArpSocket | NdSocket | PacketSocket], ...]
        kinds = (self._arp, self._nd, self._raw)
        for kind in kinds:
            for each in kind.values():
                each.close()

    def survey(
        self,
        questions: Sequence[Question],
        provocations: Sequence[Provocation] = (),
        *,
        rounds: int = 3,
        listen_s: float = 0.0,
    ) -> Record:
        """Ask each question `rounds` times, provoke, and listen for `listen_s` beyond that.

        Raises KernelRefused for an interface that is down or not there.
        """
        record = Record()
        queue: list[tuple[float, int, Callable[[], None]]] = []
        start_s = time.monotonic()
        baits = self._baits(provocations)
        at_s = start_s
        for number in range(rounds):
            at_s = max(at_s, start_s + number * ROUND_S)
            for question in (*questions, *(baits if number < 2 else ())):
                self._plan(queue, at_s, self._asking(question))
                at_s += GAP_S
        for one in provocations[:PROVOKED_AT_MOST]:
            self._plan(queue, at_s, self._provoking(one, baits, record))
            at_s += GAP_S
        self._run(queue, at_s + max(LAST_S, listen_s), record)
        record.lost = sum(each.lost() for each in self._ears)
        return record

    def _plan(
        self,
        queue: list[tuple[float, int, Callable[[], None]]],
        at_s: float,
        do: Callable[[], None],
    ) -> None:
        heapq.heappush(queue, (at_s, next(self._numbers), do))

    def _run(
        self, queue: list[tuple[float, int, Callable[[], None]]], end_s: float, record: Record
    ) -> None:
        while True:
            now_s = time.monotonic()
            while queue and queue[0][0] <= now_s:
                heapq.heappop(queue)[2]()
            until_s = queue[0][0] if queue else end_s
            if not queue and now_s >= end_s:
                break
            if self._poll.poll(max(0.0, (until_s - now_s) * 1000)):
                for each in self._ears:
                    record.heard += each.receive()

    def _asking(self, question: Question) -> Callable[[], None]:
        if ":" in question.address:
            return lambda: self._nd[question.interface].ask(question.address)
        return lambda: self._arp[question.interface].probe(question.address)

    def _baits(self, provocations: Iterable[Provocation]) -> list[Question]:
        """Addresses that may be nobody's, some on each interface where stations are provoked."""
        interfaces = dict.fromkeys(one.interface for one in provocations)
        return [
            Question(address, interface)
            for interface in interfaces
            for address in _strange_addresses(self._cards[interface])
        ]

    def _provoking(
        self, one: Provocation, baits: Sequence[Question], record: Record
    ) -> Callable[[], None]:
        def provoke() -> None:
            macs = {h.sender_mac for h in record.heard if h.sender_address == one.station}
            if one.interface not in record.baits:
                answered = {h.sender_address for h in record.heard}
                free = [
                    bait.address
                    for bait in baits
                    if bait.interface == one.interface and bait.address not in answered
                ]
                record.baits[one.interface] = free[:BAITS]
            free = record.baits[one.interface]
            used = sum(station == one.station for station, _ in record.provoked)
            if not macs or used >= len(free):
                return
            bait = free[used]
            source, target = socket.inet_aton(bait), socket.inet_aton(one.vip)
            request = ip_packet.echo_request(source, target, secrets.randbits(16))
            raw = self._raw[one.interface]
            frames = [ip_packet.frame(raw.mac(), mac_bytes(mac), request) for mac in sorted(macs)]
            raw.send(frames, f"provoke {one.station}")
            record.provoked.add((one.station, one.vip))

        return provoke


def _strange_addresses(card: Card) -> list[str]:
    """Some addresses of the interface's largest IPv4 network, taken at random."""
    networks = [
        ipaddress.ip_interface(f"{address}/{prefix}").network
        for address, prefix in card.own
        if ":" not in address
    ]
    largest = min(networks, key=lambda one: one.prefixlen, default=None)
    if largest is None or largest.prefixlen > 29:
        return []
    own = {address for address, _ in card.own}
    first, count = int(largest.network_address) + 1, largest.num_addresses - 2
    picked = {
        str(ipaddress.ip_address(first + secrets.randbelow(count)))
        for _ in range(BAITS + SPARE_BAITS)
    }
    return sorted(picked - own)
