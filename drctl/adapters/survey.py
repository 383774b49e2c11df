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
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from drctl.adapters import ip_packet
from drctl.adapters.arp import ArpSocket
from drctl.adapters.nd import NdSocket
from drctl.adapters.packet import (
    PATIENCE_S,
    PacketSocket,
    close_all,
    frame_filter,
    mac_bytes,
    some_number,
)
from drctl.adapters.survey_record import Question, Record
from drctl.adapters.vrrp import VrrpSocket
from drctl.quickclass import dataclass

GAP_S = 0.0004
"""Between two frames of ours: 2,500 a second at most."""
ROUND_S = 0.12
LAST_S = 0.15
"""How long to listen after the last question, and after the last packet that provokes, unless
everything that is to be heard after one was heard, and nothing odd."""
BAITS = 8
"""So many VIPs of a station can be tried at once: it asks for an address once, whatever waits."""
SPARE_BAITS = 4
_PICKED = 64
"""So many addresses are taken at random, of which some may be asked for anyhow."""
PROVOKED_AT_MOST = 200
_SECOND_TRY_S = 0.06
"""After the first, for a station that did not ask for its bait: a frame was lost, or it has asked
for that address a moment ago and waits, and then it is silent (net/core/neighbour.c)."""
_LAST_AGAIN_S = LAST_S - _SECOND_TRY_S
"""How long to listen after the last second try."""
_LEAST_BAITS_OF_A_PROXY = 3
"""Of those taken at random; an answer may be late by up to 0.8 s (neigh/proxy_delay)."""
_PURSUED_AT_MOST = 200
ASKED_ALONE = 64
"""So many questions go to single stations at most, while there is time before the last round."""
_ASKED_ANYHOW = 8
_MET_AT_MOST = 8
_ROLES = 16
"""As so many stations it is asked."""
_LURES = 3
_LURE_S = 0.05
"""After the address that a stranger is to ask for was asked for, to see that nobody has it."""
_NOTHING = frame_filter([(2, 12, (0xFFFF,))], 60, 60)


@dataclass(frozen=True, slots=True)
class Provocation:
    """A station that is to be made to send from an address of its own, by a packet for that.
    `port`: of TCP, where it takes connections."""

    station: str
    vip: str
    interface: str
    port: int = 80


@dataclass(frozen=True, slots=True)
class Card:
    """An interface to ask on, with this host's own addresses there and their prefix lengths.
    `reached` are networks that are at hand by a route alone."""

    interface: str
    own: tuple[tuple[str, int], ...]
    reached: tuple[str, ...] = ()


class Schedule:
    """What is to be sent when, GAP_S apart, and until when to listen.

    `next_s` is when there is room for a frame, `asked_s` when the last question is sent, `end_s`
    until when answers to anything else may come.
    """

    def __init__(self) -> None:
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._late_s = 0.0
        self.start_s = self.next_s = self.asked_s = self.end_s = time.monotonic()

    def send(self, do: Callable[[], None], *, is_question: bool = True) -> None:
        """Plan a frame, after all that are planned."""
        self.next_s = max(self.next_s, time.monotonic())
        self.call(self.next_s, do)
        if is_question:
            self.asked_s = self.next_s
        self.next_s += GAP_S

    def call(self, at_s: float, do: Callable[[], None]) -> None:
        """Plan anything else."""
        heapq.heappush(self._queue, (at_s, next(self._numbers), do))

    def do_due(self) -> None:
        """All whose time has come. On a busy machine that is late, and so is the end then."""
        now_s = time.monotonic()
        while self._queue and self._queue[0][0] <= now_s:
            at_s, _, do = heapq.heappop(self._queue)
            do()
            self._late_s = time.monotonic() - at_s

    def left_s(self, is_waiting: Callable[[], bool]) -> float | None:
        """How long there is nothing to do but to listen; None when all is over. `is_waiting`: for
        more than answers to questions."""
        now_s = time.monotonic()
        if self._queue:
            return max(0.0, self._queue[0][0] - now_s)
        until_s = max(self.asked_s + LAST_S, self.end_s if is_waiting() else 0.0)
        rest_s = until_s + self._late_s - now_s
        return rest_s if rest_s > 0 else None


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
        kinds = (self._arp, self._nd, self._raw, self._vrrp)
        close_all([each.close for kind in kinds for each in kind.values()])

    def survey(
        self,
        questions: Sequence[Question],
        provocations: Sequence[Provocation] = (),
        enquiries: Sequence[Provocation] = (),
        *,
        rounds: int = 3,
        listen_s: float = 0.0,
    ) -> Record:
        """Ask each question `rounds` times, provoke, and listen for `listen_s` beyond that. What is
        in `enquiries` is asked of the station alone: in somebody's place (proxy_arp, proxy_ndp) it
        answers at once then, and late otherwise (proxy_delay).

        Raises KernelRefused for an interface that is down or not there.
        """
        record, plan = Record(), Schedule()
        baits = record.strange = self._baits(questions)
        for number in range(rounds):
            plan.next_s = max(plan.next_s, plan.start_s + number * ROUND_S)
            for question in (*questions, *(baits if number < 2 else ())):
                plan.send(self._asking(question))
            for question in (*baits, *questions) if number == 0 else ():
                if question.is_as_client and ":" not in question.address:
                    plan.send(self._asking_as_client(question))
            if number == max(0, rounds - 2):
                room = int((plan.start_s + (number + 1) * ROUND_S - plan.next_s) / GAP_S)
                for one in enquiries[: min(ASKED_ALONE, max(_ASKED_ANYHOW, room))]:
                    plan.send(self._enquiring(one, record))
        for one in provocations[:PROVOKED_AT_MOST]:
            plan.send(self._provoking(one, baits, record), is_question=False)
        plan.end_s = plan.next_s + max(LAST_S, listen_s)

        def try_again() -> None:
            silent = record.tried - record.provoked
            plan.next_s = max(plan.next_s, time.monotonic())
            for one in provocations:
                if (one.station, one.vip) in silent:
                    again = self._provoking(one, baits, record, is_again=True)
                    plan.send(again, is_question=False)
                    plan.end_s = max(plan.end_s, plan.next_s + _LAST_AGAIN_S)

        plan.call(plan.next_s + _SECOND_TRY_S, try_again)
        asked = {one.address for one in questions}
        self._run(
            plan,
            record,
            lambda: listen_s > 0 or record.is_open(asked),
            lambda: self._pursue(record, plan, questions),
            lambda: self._meet_strangers(record, plan, questions),
        )
        record.lost = sum(each.lost() for each in self._ears)
        for interface in self._cards:
            strange = {bait.address for bait in baits if bait.interface == interface}
            record.proxies |= _proxies(strange, record)
        return record

    def _run(
        self,
        plan: Schedule,
        record: Record,
        is_waiting: Callable[[], bool],
        pursue: Callable[[], None],
        meet: Callable[[], bool],
    ) -> None:
        while True:
            plan.do_due()
            left_s = plan.left_s(is_waiting)
            # on a busy machine something may have come before the end, and wait
            ready = {number for number, _ in self._poll.poll((left_s or 0.0) * 1000)}
            for each in self._ears:
                if each.fileno() in ready:
                    record.add(each.receive())
                    pursue()
            for number in ready & self._vrrp.keys():
                record.routers |= self._vrrp[number].receive()
            if left_s is None and plan.left_s(is_waiting) is None and not meet():
                break

    def _asking(self, question: Question) -> Callable[[], None]:
        if ":" in question.address:
            return lambda: self._nd[question.interface].ask(question.address)
        return lambda: self._arp[question.interface].probe(question.address)

    def _asking_as_client(self, question: Question) -> Callable[[], None]:
        return lambda: self._arp[question.interface].ask(question.address)

    def _pursue(self, record: Record, plan: Schedule, questions: Sequence[Question]) -> None:
        """Who has answered for a bait is asked for all that clients ask for, by itself, and first
        for the other baits."""
        for bait in record.strange:
            for mac in record.macs.get(bait.address, set()) - record.pursued:
                record.pursued.add(mac)
                wanted = [
                    one.address
                    for one in (*record.strange, *questions)
                    if one.is_as_client
                    and one.interface == bait.interface
                    and ":" not in one.address
                ]
                arp, room = self._arp[bait.interface], _PURSUED_AT_MOST - record.questioned
                for address in wanted[:room]:
                    plan.send(partial(arp.ask, address, mac))
                record.questioned += min(room, len(wanted))

    def _enquiring(self, one: Provocation, record: Record) -> Callable[[], None]:
        def enquire() -> None:
            socket_of = self._nd if ":" in one.vip else self._arp
            for mac in record.macs.get(one.station, set()) - record.macs.get(one.vip, set()):
                socket_of[one.interface].ask(one.vip, mac)

        return enquire

    def _meet_strangers(
        self, record: Record, plan: Schedule, questions: Sequence[Question]
    ) -> bool:
        """Who speaks for what clients ask for, and for nothing of its own, may be another card of
        a station's machine: asked for an echo it shows by which card it answers, and by which
        address. It is asked as each of the stations, and as the holder of the VIP; nobody sends
        that on. Whether there are any."""
        stations = [one for one in questions if not one.is_as_client]
        known = {mac for one in stations for mac in record.macs.get(one.address, ())}
        known |= _proxies({one.address for one in record.strange}, record)
        known |= {raw.mac().hex(":") for raw in self._raw.values()}
        taken = {*record.hooks, *(one.address for one in (*questions, *record.strange))}
        has_met = False
        for one in questions:
            unmet = record.macs.get(one.address, set()) - known - record.met
            for mac in sorted(unmet)[: _MET_AT_MOST - len(record.met)] if one.is_as_client else ():
                record.met.add(mac)
                strange = self._strange(self._cards[one.interface])
                lures = [each for each in strange if each not in taken][:_LURES]
                taken |= set(lures)
                for lure in lures:
                    plan.send(partial(self._arp[one.interface].probe, lure))
                asked = [each.address for each in (*stations, one) if ":" not in each.address]
                ends, at = (lures, asked[-_ROLES:]), (one.interface, mac)
                plan.call(plan.next_s + _LURE_S, partial(self._meet, at, ends, record, plan))
                has_met = True
        return has_met

    def _meet(
        self, at: tuple[str, str], ends: tuple[list[str], list[str]], record: Record, plan: Schedule
    ) -> None:
        """Echo requests to a MAC on an interface, from the first of these addresses that nobody
        has, to all others; again from another one when it was silent, as for a bait."""
        interface, mac = at
        free = [each for each in ends[0] if each not in record.macs]
        if not free or any(tied == mac for tied, _ in record.ties):
            return
        record.hooks[free[0]] = mac
        raw = self._raw[interface]
        raw.send(ip_packet.echoes((raw.mac(), mac_bytes(mac)), free[0], ends[1]), f"meet {mac}")
        again_s = time.monotonic() + _SECOND_TRY_S
        plan.call(again_s, partial(self._meet, at, (free[1:], ends[1]), record, plan))
        plan.end_s = max(plan.end_s, again_s + _LAST_AGAIN_S)

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
            ends = socket.inet_aton(bait), socket.inet_aton(one.vip)
            packets = [ip_packet.echo_request(*ends, some_number(1 << 16))]
            if is_again:
                packets += _begun_and_reset(ends, one.port)
            raw = self._raw[one.interface]
            record.lay(macs, bait, pair)
            frames = [
                ip_packet.frame(raw.mac(), mac_bytes(mac), packet)
                for mac in sorted(macs)
                for packet in packets
            ]
            raw.send(frames, f"provoke {one.station}")

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
    networks += [ipaddress.ip_network(one) for one in card.reached if ":" not in one]
    largest = min(networks, key=lambda one: one.prefixlen, default=None)
    if largest is None or largest.prefixlen > 29:
        return []
    own = {address for address, _ in card.own}
    first, count = int(largest.network_address) + 1, largest.num_addresses - 2
    picked = dict.fromkeys(
        str(ipaddress.ip_address(first + some_number(count))) for _ in range(_PICKED)
    )
    return [address for address in picked if address not in own]
