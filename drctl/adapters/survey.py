"""Asking a segment who has which address, patiently and without harm, and hearing every answer.

Questions name no sender (RFC 5227 probes), so no station learns anything from them; IPv6 has to be
asked from this host's own address, since an answer to `::` goes to all nodes. Where a client's
question is answered otherwise, it is asked once so too: by proxy ARP a router answers no probe, and
broadcasts late, but at once what is sent to itself (net/ipv4/arp.c). Questions are spread in time.

A station can be made to ask for an address itself: an echo request to a VIP of its own, from an
address on the segment that nobody has (a bait), which it then has to ask for by ARP; if it does not
answer echo requests, by the start of a connection, which is reset at once. Who answers for the
baits themselves answers for everything. VRRP advertisements are heard meanwhile.
"""

from __future__ import annotations

import heapq
import ipaddress
import itertools
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from drctl.adapters import ip_packet
from drctl.adapters.arp import ArpSocket
from drctl.adapters.nd import NdSocket
from drctl.adapters.packet import (
    PATIENCE_S,
    Heard,
    PacketSocket,
    frame_filter,
    mac_bytes,
    some_number,
)
from drctl.adapters.vrrp import VrrpSocket
from drctl.quickclass import dataclass, field

GAP_S = 0.0004
"""Between two frames of ours: 2,500 a second at most."""
ROUND_S = 0.12
LAST_S = 0.15
"""How long to listen after the last question."""
BAITS = 8
"""So many VIPs of a station can be tried at once: it asks for an address once, whatever waits."""
SPARE_BAITS = 4
_PICKED = 64
"""So many addresses are taken at random, of which some may be asked for anyhow."""
PROVOKED_AT_MOST = 200
_SECOND_TRY_S = 0.06
"""After the first, for a station that did not ask for its bait: a frame was lost, or it has asked
for that address a moment ago and waits, and then it is silent (net/core/neighbour.c)."""
_LEAST_BAITS_OF_A_PROXY = 3
"""Of those taken at random; an answer may be late by up to 0.8 s (neigh/proxy_delay)."""
_PURSUED_AT_MOST = 200
_NOTHING = frame_filter([(2, 12, (0xFFFF,))], 60, 60)


@dataclass(frozen=True, slots=True)
class Question:
    """An address to ask for on an interface. `is_as_client`: also once from this host's own."""

    address: str
    interface: str
    is_as_client: bool = False


@dataclass(frozen=True, slots=True)
class Provocation:
    """A station that is to be made to send from an address of its own, by a packet for that.
    `port`: of TCP, where it takes connections."""

    station: str
    vip: str
    interface: str
    port: int = 80


@dataclass(slots=True)
class Record:
    """What came of it. `tried` are pairs of a station and the VIP that a packet to it was for,
    `provoked` those of them after which it asked for its bait, `baits` the addresses that nobody
    has, by interface, and `proxies` the MACs that answer for them all the same; `routers` are pairs
    of a MAC and the virtual router that it speaks for by VRRP."""

    heard: list[Heard] = field(default_factory=list)
    tried: set[tuple[str, str]] = field(default_factory=set)
    provoked: set[tuple[str, str]] = field(default_factory=set)
    baits: dict[str, list[str]] = field(default_factory=dict)
    proxies: set[str] = field(default_factory=set)
    routers: set[tuple[str, int]] = field(default_factory=set)
    lost: int = 0
    macs: dict[str, set[str]] = field(default_factory=dict)
    """Those that spoke for each address, so far."""
    used: Counter[str] = field(default_factory=Counter)
    """How many baits each station was given."""
    laid: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """By MAC and bait: the station and the VIP that it was for."""

    def add(self, heard: Iterable[Heard]) -> None:
        """Something more was heard."""
        for one in heard:
            self.heard.append(one)
            if one.sender_address:
                self.macs.setdefault(one.sender_address, set()).add(one.sender_mac)
            if one.kind == "request" and (one.sender_mac, one.target_address) in self.laid:
                self.provoked.add(self.laid[one.sender_mac, one.target_address])


@dataclass(frozen=True, slots=True)
class Card:
    """An interface to ask on, with this host's own addresses there and their prefix lengths."""

    interface: str
    own: tuple[tuple[str, int], ...]


class Closing(Protocol):
    """Something to give back."""

    def close(self) -> None: ...


class Surveyor:
    """Sockets on some interfaces; `survey` may be called again and again. `strange` gives some
    addresses of a card's network that may be nobody's."""

    def __init__(
        self, cards: Sequence[Card], strange: Callable[[Card], list[str]] | None = None
    ) -> None:
        self._strange = strange or _strange_addresses
        self._cards = {card.interface: card for card in cards}
        self._arp: dict[str, ArpSocket] = {}
        self._nd: dict[str, NdSocket] = {}
        self._raw: dict[str, PacketSocket] = {}
        self._vrrp: dict[int, VrrpSocket] = {}
        self._ears: list[ArpSocket | NdSocket] = []
        self._poll = select.poll()
        self._numbers = itertools.count()
        try:
            for card in cards:
                self._arp[card.interface] = ArpSocket(card.interface, card.own, "", PATIENCE_S)
                self._nd[card.interface] = NdSocket(card.interface, card.own, "", PATIENCE_S)
                # for sending alone
                raw = PacketSocket(card.interface, 0x0800, _NOTHING, PATIENCE_S)
                self._raw[card.interface] = raw
                for is_v6 in (False, True):
                    vrrp = VrrpSocket(card.interface, is_v6=is_v6)
                    self._vrrp[vrrp.fileno()] = vrrp
        except BaseException:
            self.close()
            raise
        self._ears += [*self._arp.values(), *self._nd.values()]
        for each in (*self._ears, *self._vrrp.values()):
            self._poll.register(each.fileno(), select.POLLIN)

    def close(self) -> None:
        """Give back the sockets."""
        kinds: tuple[Mapping[Any, Closing], ...]
        kinds = (self._arp, self._nd, self._raw, self._vrrp)
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
        baits = self._baits(questions)
        at_s = start_s
        for number in range(rounds):
            at_s = max(at_s, start_s + number * ROUND_S)
            for question in (*questions, *(baits if number < 2 else ())):
                self._plan(queue, at_s, self._asking(question))
                at_s += GAP_S
            for question in (*baits, *questions) if number == 0 else ():
                if question.is_as_client and ":" not in question.address:
                    self._plan(queue, at_s, self._asking_as_client(question))
                    at_s += GAP_S
        for one in provocations[:PROVOKED_AT_MOST]:
            self._plan(queue, at_s, self._provoking(one, baits, record))
            at_s += GAP_S
        self._plan(queue, at_s, lambda: self._pursue(questions, baits, record))

        def try_again() -> None:
            silent = record.tried - record.provoked
            again = [one for one in provocations if (one.station, one.vip) in silent]
            for number, one in enumerate(again):
                again_s = time.monotonic() + number * GAP_S
                provoke = self._provoking(one, baits, record, is_again=True)
                self._plan(queue, again_s, provoke)

        self._plan(queue, at_s + _SECOND_TRY_S, try_again)
        self._run(queue, at_s + max(LAST_S, listen_s), record)
        record.lost = sum(each.lost() for each in self._ears)
        for interface in self._cards:
            asked = {bait.address for bait in baits if bait.interface == interface}
            record.proxies |= _proxies(asked, record)
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
            ready = {number for number, _ in self._poll.poll(max(0.0, (until_s - now_s) * 1000))}
            for each in self._ears:
                if each.fileno() in ready:
                    record.add(each.receive())
            for number in ready & self._vrrp.keys():
                record.routers |= self._vrrp[number].receive()

    def _asking(self, question: Question) -> Callable[[], None]:
        if ":" in question.address:
            return lambda: self._nd[question.interface].ask(question.address)
        return lambda: self._arp[question.interface].probe(question.address)

    def _asking_as_client(self, question: Question) -> Callable[[], None]:
        return lambda: self._arp[question.interface].ask(question.address)

    def _pursue(
        self, questions: Sequence[Question], baits: Sequence[Question], record: Record
    ) -> None:
        """Who answers for baits is asked for all that clients ask for, by itself."""
        for interface, arp in self._arp.items():
            names = {bait.address for bait in baits if bait.interface == interface}
            macs = {mac for name in names for mac in record.macs.get(name, ())}
            pairs = itertools.product(sorted(macs), questions)
            wanted = [
                (one.address, mac)
                for mac, one in pairs
                if one.is_as_client and one.interface == interface and ":" not in one.address
            ]
            for address, mac in wanted[:_PURSUED_AT_MOST]:
                arp.ask(address, mac)

    def _baits(self, questions: Iterable[Question]) -> list[Question]:
        """Addresses that may be nobody's, some on each interface where IPv4 is asked for. What is
        asked for anyhow is somebody's: one director may answer for half of a network."""
        asked = {one.address: one.interface for one in questions if ":" not in one.address}
        return [
            Question(address, interface, is_as_client=True)
            for interface in dict.fromkeys(asked.values())
            for address in [
                each for each in self._strange(self._cards[interface]) if each not in asked
            ][: BAITS + SPARE_BAITS]
        ]

    def _provoking(
        self,
        one: Provocation,
        baits: Sequence[Question],
        record: Record,
        *,
        is_again: bool = False,
    ) -> Callable[[], None]:
        def provoke() -> None:
            macs = record.macs.get(one.station, set())
            if one.interface not in record.baits:
                asked = [bait.address for bait in baits if bait.interface == one.interface]
                record.baits[one.interface] = _free(asked, record)
            free = record.baits[one.interface]
            if not macs or record.used[one.station] >= len(free):
                return
            pair = (one.station, one.vip)
            bait = free[record.used[one.station]]
            record.used[one.station] += 1
            ends = socket.inet_aton(bait), socket.inet_aton(one.vip)
            packets = [ip_packet.echo_request(*ends, some_number(1 << 16))]
            if is_again:
                packets += _begun_and_reset(ends, one.port)
            raw = self._raw[one.interface]
            record.laid.update({(mac, bait): pair for mac in macs})
            frames = [
                ip_packet.frame(raw.mac(), mac_bytes(mac), packet)
                for mac in sorted(macs)
                for packet in packets
            ]
            raw.send(frames, f"provoke {one.station}")
            record.tried.add(pair)

        return provoke


def _begun_and_reset(ends: tuple[bytes, bytes], port: int) -> list[bytes]:
    """A connection that nothing is left of: a SYN, and the RST that belongs to it."""
    own, number = 32768 + some_number(61000 - 32768), some_number(1 << 31)
    flags = ((number, ip_packet.SYN), (number + 1, ip_packet.RST))
    return [ip_packet.tcp(*ends, ip_packet.Segment(own, port, at, 0, flag)) for at, flag in flags]


def _proxies(baits: Iterable[str], record: Record) -> set[str]:
    """MACs that answer for several of addresses that were taken at random."""
    counted = Counter(mac for bait in baits for mac in record.macs.get(bait, ()))
    return {mac for mac, count in counted.items() if count >= _LEAST_BAITS_OF_A_PROXY}


def _free(baits: Sequence[str], record: Record) -> list[str]:
    """Those that nobody has: who answers for everything has none of them."""
    proxies = _proxies(baits, record)
    return [bait for bait in baits if record.macs.get(bait, set()) <= proxies]


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
    picked = dict.fromkeys(
        str(ipaddress.ip_address(first + some_number(count))) for _ in range(_PICKED)
    )
    return [address for address in picked if address not in own]
