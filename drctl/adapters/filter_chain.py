"""What plainly keeps packets from this host, or its answers from everybody: chains of a packet
filter, and the packets that are led through them. Pure.

Judged is what is certain for every client that asks for the first time; a rule that looks at more
(the client, a rate) leaves it open. Chains that rules lead to are followed. Neighbour discovery is
never tracked (nf_conntrack_proto_icmpv6.c).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

DROP, REJECT, ACCEPT, CONTINUE, OTHER = "drop", "reject", "accept", "continue", "other"
NOTRACK = "notrack"
JUMP, GOTO, RETURN = "jump", "goto", "return"
SOLICITATION, ADVERTISEMENT = 135, 136
"""Types of ICMPv6: who has an address, and the answer."""
NEW, ESTABLISHED, UNTRACKED = "new", "established", "untracked"
_BAD = frozenset({DROP, REJECT})
_EPHEMERAL = 1024
"""No client asks from a lower port."""
_ALL = ((0, 65535),)


@dataclass(frozen=True, slots=True)
class Packet:
    """A client's first one for a service, a director's that has it inside (`ipencap`, `ipv6`,
    without a port), or one of neighbour discovery (`ipv6-icmp`, the type as its port); it comes in
    on one of `devices`. `is_answer`: it goes out by them instead, and `address` and `port` are its
    source. `state` is what connection tracking says of it."""

    address: str
    protocol: str
    port: int
    devices: tuple[str, ...]
    is_answer: bool = False
    state: str = NEW


@dataclass(frozen=True, slots=True)
class End:
    """What a rule asks for at one end of a packet; nothing given fits all."""

    addresses: tuple[str, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    device: str = ""


ANY = End()


@dataclass(frozen=True, slots=True)
class FilterRule:
    """What it asks for; nothing given fits all. `here` is the destination and the device that the
    packet comes in on, `there` the source and the device that it goes out by. `is_narrow`: it looks
    at more than these. `types`: of ICMPv6; `states`: of the connection. `chain`: the one it leads
    to."""

    text: str
    verdict: str = CONTINUE
    here: End = ANY
    there: End = ANY
    protocols: tuple[str, ...] = ()
    types: tuple[tuple[int, int], ...] = ()
    states: tuple[str, ...] = ()
    version: int = 0
    is_narrow: bool = False
    chain: str = ""

    def excludes(self, packet: Packet) -> bool:
        """Whether it certainly does not see the packet."""
        it = ipaddress.ip_address(packet.address)
        mine, theirs = self.here, self.there
        if packet.is_answer:
            mine, theirs = theirs, mine
        return (
            bool(self.states and packet.state not in self.states)
            or self.version not in {0, it.version}
            or bool(mine.device and packet.devices and mine.device not in packet.devices)
            or bool(self.protocols and packet.protocol not in self.protocols)
            or bool(mine.ports and not any(a <= packet.port <= b for a, b in mine.ports))
            or bool(self.types and not any(a <= packet.port <= b for a, b in self.types))
            or all(last < _EPHEMERAL for _, last in theirs.ports or _ALL)
            or bool(mine.addresses and not any(_is_in(it, one) for one in mine.addresses))
        )

    def is_narrow_for(self, packet: Packet) -> bool:
        """Whether it looks at more than is known of the packet."""
        return self.is_narrow or (self.here if packet.is_answer else self.there) != ANY

    def is_open(self, packet: Packet) -> bool:
        """Whether it may see the packet and may not."""
        device = (self.there if packet.is_answer else self.here).device
        is_by_device = bool(device) and set(packet.devices) != {device}
        return is_by_device or self.is_narrow_for(packet)


@dataclass(frozen=True, slots=True)
class FilterChain:
    """The rules of one base chain in their order, and what becomes of those that pass; `others` are
    the chains that rules may lead to. It stands at `devices` alone if there are some.
    `is_outside`: what is redirected has the VIP there. `is_out`: it sees what goes out."""

    owner: str
    rules: tuple[FilterRule, ...]
    policy: str = ACCEPT
    version: int = 0
    others: Mapping[str, tuple[FilterRule, ...]] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    is_outside: bool = False
    is_out: bool = False

    def _sees(self, packet: Packet) -> bool:
        if self.version not in {0, ipaddress.ip_address(packet.address).version}:
            return False
        if self.devices and not (packet.devices and {*packet.devices} <= {*self.devices}):
            return False
        return self.is_out == packet.is_answer

    def untracks(self, packet: Packet) -> str:
        """The rule by which such a packet is certainly not tracked, "" for none."""
        last = self._end(self.rules, packet, is_for_tracking=True) if self._sees(packet) else None
        return f"{self.owner}: {last.text}" if last and last.verdict == NOTRACK else ""

    def blocks(self, packet: Packet) -> tuple[str, str] | None:
        """The verdict and the rule that certainly keeps such a packet away."""
        if not self._sees(packet):
            return None
        last = self._end(self.rules, packet)
        if last is None:
            return (DROP, f"{self.owner}: policy drop") if self.policy == DROP else None
        return (last.verdict, f"{self.owner}: {last.text}") if last.verdict in _BAD else None

    def _end(
        self, rules: Iterable[FilterRule], packet: Packet, *, is_for_tracking: bool = False
    ) -> FilterRule | None:
        """The rule that ends the packet's way, or leaves it open; None when these rules do not."""
        for rule in rules:
            if rule.verdict == CONTINUE or rule.excludes(packet):
                continue
            if rule.verdict == NOTRACK and not is_for_tracking:
                continue
            if rule.is_open(packet):
                if rule.verdict in {*_BAD, NOTRACK}:
                    continue
                return rule
            if rule.verdict == RETURN:
                return None
            if rule.verdict not in {JUMP, GOTO}:
                return rule
            led = self.others.get(rule.chain, ())
            last = self._end(led, packet, is_for_tracking=is_for_tracking)
            if last is not None or rule.verdict == GOTO:
                return last
        return None


def _is_in(it: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    return it in ipaddress.ip_network(network, strict=False)
