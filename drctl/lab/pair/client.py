"""A client that asks who has an address every millisecond, and knows which answer is to what.

Each ARP request comes from another address of the client's network, in turn: the answer, which
names it, tells its request. (Answers to IPv6 solicitations do not; they count for the last one.)
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from bisect import bisect_left
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from drctl.adapters import arp
from drctl.adapters.nd import NdSocket
from drctl.adapters.packet import BROADCAST, PacketSocket, frame_filter
from drctl.errors import DrctlError
from drctl.lab.pair.host import Host

SENDERS = 128
"""Answers that are later than so many questions are taken for another one's."""
UNSURE = 16
"""The last questions, which may not be answered yet."""
PERIOD_S = 0.001
BEFORE_MS = 20


@dataclass(frozen=True, slots=True)
class Vantage:
    """From where a client asks: its card, the first of the addresses that its ARP requests come
    from (nobody else may have one), its own IPv6 address, and how many such addresses it has in
    turn. Directors take note of stations that ask; fewer of them cost less, and do for who asks
    seldom."""

    card: str = "eth0"
    first_sender: str = "192.0.2.120"
    own: str = "2001:db8::9"
    senders: int = SENDERS


class ArpAsker:
    """Asks by frames that were made before; what it costs is system calls."""

    def __init__(self, target: str, vantage: Vantage) -> None:
        program = frame_filter([(2, 12, (arp.ETHERTYPE,)), (2, 20, (arp.REPLY,))], 42, 42)
        self._packets = PacketSocket(vantage.card, arp.ETHERTYPE, program)
        mac, self._target = self._packets.mac(), socket.inet_aton(target)
        first = IPv4Address(vantage.first_sender)
        senders = [(first + number).packed for number in range(vantage.senders)]
        self._numbers = {sender: number for number, sender in enumerate(senders)}
        self._frames = [
            arp.encode(arp.REQUEST, (mac, sender), (bytes(6), self._target), BROADCAST)
            for sender in senders
        ]

    def fileno(self) -> int:
        return self._packets.fileno()

    def close(self) -> None:
        self._packets.close()

    def ask(self, number: int) -> None:
        self._packets.send([self._frames[number]], "ask")

    def answers(self) -> list[tuple[int | None, str]]:
        """The number of the question, and the MAC, of each answer; what the client's own kernel
        asked is not ours."""
        return [
            (self._numbers[frame[38:42]], frame[22:28].hex(":"))
            for frame, is_to_me in self._packets.receive()
            if is_to_me and frame[28:32] == self._target and frame[38:42] in self._numbers
        ]


class NdAsker:
    """The same by neighbour discovery; an answer does not tell its question."""

    def __init__(self, target: str, vantage: Vantage) -> None:
        self._target = target
        self._socket = NdSocket(vantage.card, [(vantage.own, 64)])

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def ask(self, _number: int) -> None:
        self._socket.ask(self._target)

    def answers(self) -> list[tuple[int | None, str]]:
        """The MAC of each answer."""
        return [
            (None, heard.sender_mac)
            for heard in self._socket.receive()
            if heard.kind == "na" and heard.is_to_me and heard.sender_address == self._target
        ]


class EchoAsker:
    """ICMP echo requests, through the client's own kernel: what a stream of packets meets. Who
    answers cannot be told: "somebody"."""

    def __init__(self, target: str, vantage: Vantage) -> None:
        self._target = target
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._socket.setblocking(False)
        self._messages = [_echo(number) for number in range(vantage.senders)]

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def ask(self, number: int) -> None:
        self._socket.sendto(self._messages[number], (self._target, 0))

    def answers(self) -> list[tuple[int | None, str]]:
        """The number of the question of each answer."""
        found: list[tuple[int | None, str]] = []
        while True:
            try:
                packet = self._socket.recv(256)
            except BlockingIOError:
                return found
            message = packet[20:]
            if message[:1] == b"\0" and message[4:6] == _ECHO_ID:
                found.append((int.from_bytes(message[6:8]), SOMEBODY))


_ECHO_ID = b"dr"
SOMEBODY = "somebody"


def _echo(number: int) -> bytes:
    """An echo request (RFC 792), its checksum included."""
    body = _ECHO_ID + number.to_bytes(2)
    total = 0x0800 + int.from_bytes(body[:2]) + int.from_bytes(body[2:])
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return b"\x08\0" + checksum.to_bytes(2) + body


@dataclass(slots=True)
class Request:
    """One question, and who answered it, in turn. `asked_ms` is of CLOCK_MONOTONIC."""

    asked_ms: float
    holders: list[str] = field(default_factory=list)


def be_punctual() -> None:
    """This thread runs before ordinary ones, where that is allowed, and its children do not: who
    is late with a question sees less. All threads that hold the interpreter's lock for long have
    to call it."""
    with suppress(PermissionError):
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(1))


def _asked_ms(request: Request) -> float:
    return request.asked_ms


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client saw of the directors in a while. `twice` counts requests that two of them
    answered; `holders` are those that answered, in turn, another machine by its MAC."""

    outage_ms: float
    unanswered: int
    twice: int
    holders: tuple[str, ...]
    asked: int

    def __str__(self) -> str:
        shown = " ".join(self.holders[:8]) + " ..." * (len(self.holders) > 8)
        return (
            f"outage {self.outage_ms:7.1f} ms, {self.unanswered:5} of {self.asked:5} unanswered, "
            f"{self.twice} answered twice, holders: {shown}"
        )


class Client:
    """Asks for one address until it is closed. `names` are the directors' by their MACs. Two that
    ask by ARP from one host would hear each other's answers."""

    def __init__(
        self,
        host: Host,
        target: str,
        names: dict[str, str],
        *,
        is_echo: bool = False,
        period_s: float = PERIOD_S,
        vantage: Vantage = Vantage(),
    ) -> None:
        self._names = names
        self._period_s = period_s
        self._directors = frozenset(names.values())
        self._requests: list[Request] = []
        self._is_running = True
        self._failure: DrctlError | None = None
        self._asked: list[Request | None] = [None] * vantage.senders
        with host.inside():
            self._asker: EchoAsker | NdAsker | ArpAsker
            if is_echo:
                self._asker = EchoAsker(target, vantage)
            elif ":" in target:
                self._asker = NdAsker(target, vantage)
            else:
                self._asker = ArpAsker(target, vantage)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask no more; a second call is no mistake."""
        self._is_running = False
        self._thread.join()
        self._asker.close()

    def last_holder(self) -> str:
        """Who answered the youngest request that was answered; "" when none was of late."""
        young = time.monotonic() * 1000 - 20 * self._period_s * 1000
        for request in reversed(self._requests[-40:]):
            found = [each for each in request.holders if each in self._directors]
            if found and request.asked_ms > young:
                return found[-1]
        return ""

    def requests(self, since_ms: float, until_ms: float = float("inf")) -> list[Request]:
        """The requests of this time; the last of them may not be answered yet."""
        if self._failure is not None:
            raise self._failure
        first = bisect_left(self._requests, since_ms, key=_asked_ms)
        return self._requests[first : bisect_left(self._requests, until_ms, key=_asked_ms)]

    def losses(self, since_ms: float) -> tuple[int, int]:
        """How many requests nobody answered, and how many were answered more than once."""
        requests = self.requests(since_ms - BEFORE_MS)
        requests = requests[:-UNSURE]
        assert requests
        lost = sum(not each.holders for each in requests)
        return lost, sum(len(each.holders) > 1 for each in requests)

    def seen(self, since_ms: float, until_ms: float = float("inf")) -> Seen:
        """What was seen of the requests of this time, and of some before, so that it begins with
        an answer; the last few may not be answered yet."""
        requests = self.requests(since_ms - BEFORE_MS, until_ms)
        if until_ms == float("inf"):
            requests = requests[:-UNSURE]
        holders: list[str] = []
        for request in requests:
            holders += [each for each in request.holders if holders[-1:] != [each]]
        return Seen(
            longest_outage_ms(requests, self._directors),
            sum(not self._directors.intersection(each.holders) for each in requests),
            sum(len(self._directors.intersection(each.holders)) > 1 for each in requests),
            tuple(holders),
            len(requests),
        )

    def _run(self) -> None:
        be_punctual()
        try:
            self._ask_on()
        except DrctlError as refused:
            # who asks what was seen must not be told that all was well
            self._failure = refused

    def _ask_on(self) -> None:
        due = time.monotonic()
        while self._is_running:
            number = len(self._requests) % len(self._asked)
            self._asked[number] = request = Request(time.monotonic() * 1000)
            self._requests.append(request)
            self._asker.ask(number)
            # who was late does not catch up: a burst would be no stream of 1 ms
            due = max(due + self._period_s, time.monotonic())
            self._hear()
            while (left := due - time.monotonic()) > 0:
                if select.select([self._asker], [], [], left)[0]:
                    self._hear()

    def _hear(self) -> None:
        for number, mac in self._asker.answers():
            request = self._requests[-1] if number is None else self._asked[number]
            if request is not None:
                request.holders.append(self._names.get(mac, mac))


def longest_outage_ms(requests: Sequence[Request], directors: Collection[str]) -> float:
    """From the last request answered before a hole to the first one after it; a hole that was
    there at the beginning, or is at the end, counts as far as it is known."""
    if not requests:
        return 0.0
    longest, last_ms, is_hole = 0.0, requests[0].asked_ms, False
    for request in requests:
        if not any(each in directors for each in request.holders):
            is_hole = True
            continue
        if is_hole:
            longest = max(longest, request.asked_ms - last_ms)
        last_ms, is_hole = request.asked_ms, False
    return max(longest, requests[-1].asked_ms - last_ms) if is_hole else longest
