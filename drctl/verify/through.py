"""Whether real servers take the packets for the VIPs: the connections to try, and what their
answers mean."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import lru_cache

from drctl.adapters import ip_packet
from drctl.adapters.knock import Answer, Knock, Knocker, Reply, Tunnel
from drctl.adapters.neighbours import Neighbour
from drctl.adapters.survey import Card
from drctl.quickclass import dataclass
from drctl.verify.plan import Connection
from drctl.verify.value import Passage, Through


@dataclass(frozen=True, slots=True)
class Reached:
    """How hosts are reached: the MACs that answered for each address, the best one first, and this
    host's own table of neighbours where it counts, on a director."""

    macs: Mapping[str, Sequence[str]]
    entries: Sequence[Neighbour] = ()

    def owner(self, mac: str) -> str:
        """The address whose only MAC this is, "" when there is none."""
        return next((one for one, macs in self.macs.items() if list(macs) == [mac]), "")

    def stale(self, address: str, interface: str) -> Neighbour | None:
        """What this host believes of an address, if that is wrong."""
        for one in self.entries:
            if (one.address, one.interface) == (address, interface):
                return one if one.mac not in self.macs.get(address, ()) else None
        return None


@dataclass(frozen=True, slots=True)
class Try:
    """A connection, and what came back: for the VIP, and for the server's own address. `other` is
    the host that answered in the server's place, "" for none."""

    one: Connection
    by_vip: Answer
    by_own: Answer
    other: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A cause: when it is the likely one, and what to say."""

    fits: Callable[[Try], bool]
    text: str


_CARDS_TRIED = 4
_LOST = "port {port} is open on its own address, but "
_ROWS = (
    Row(
        lambda t: bool(t.other) or t.by_vip is Answer.RETURNED,
        "it sends the packet on to another machine{other}: the VIP is not there, and ip_forward is "
        "on",
    ),
    Row(
        lambda t: t.by_vip is Answer.OTHER_ADDRESS,
        "it answers from another address than the VIP, which no client accepts: the destination is "
        "rewritten without connection tracking, or answers are rewritten on their way out",
    ),
    Row(
        lambda t: t.by_vip is Answer.REFUSED and t.by_own is Answer.ACCEPTED,
        "it has the VIP, but port {port} is open on its own address alone, or a rule for the VIP "
        "leads to another port",
    ),
    Row(
        lambda t: t.by_vip is Answer.REFUSED,
        "it has the VIP, and nothing listens on port {port}",
    ),
    Row(
        lambda t: t.by_vip is Answer.FILTERED,
        "a firewall on it rejects what is for port {port} (ICMP)",
    ),
    Row(
        lambda t: t.by_vip is Answer.UNREACHABLE,
        "it says that the VIP cannot be reached (ICMP): it is not there, and ip_forward is on",
    ),
    Row(
        lambda t: t.by_own is Answer.ACCEPTED and t.one.tunnel is not None,
        _LOST + "what comes by the tunnel is lost: no tunnel device or it is down, no VIP, or "
        "rp_filter of the tunnel device is 1, or a firewall drops {packets}",
    ),
    Row(
        lambda t: t.by_own is Answer.ACCEPTED,
        _LOST + "packets for the VIP are lost: the VIP is not on lo, the redirecting rule is "
        "missing or for another port, or a firewall drops them",
    ),
    Row(
        lambda t: t.by_own is Answer.REFUSED,
        "packets for the VIP are lost, and nothing listens on port {port} of its own address: the "
        "service is down, or the redirecting rule or the VIP is missing too",
    ),
    Row(
        lambda _: True,
        "it answers ARP, but nothing on port {port}: a firewall drops it, or a VIP on lo has the "
        "mask of the network instead of /32, so that no answer leaves the server, or the service "
        "hangs and its queue of connections is full, or a rule drops what it asks by ARP, or its "
        "way back is another card (rp_filter)",
    ),
)


def try_through(
    connections: Sequence[Connection], cards: Sequence[Card], reached: Reached
) -> tuple[Through, ...]:
    """One connection for each VIP, port and real server."""
    made: dict[Connection, Through] = {}
    for card in cards:
        mine = [one for one in connections if one.interface == card.interface and not one.why_not]
        tried = []
        for one in mine:
            if not reached.macs.get(one.address):
                cause = (
                    f"{one.address} does not answer {'ND' if ':' in one.address else 'ARP'}: the "
                    "machine or its link is down, or it drops all requests, or ARP is off on its "
                    "card"
                )
                made[one] = _found(one, Passage.BLACK_HOLE, cause)
            elif not addresses_of(card, one):
                cause = f"this host has no address of the VIP's family on {card.interface}"
                made[one] = _found(one, Passage.UNTRIED, cause)
            else:
                tried.append(one)
        made.update(_knock(tried, card, reached))
    for one in connections:
        if one.why_not:
            made[one] = _found(one, Passage.UNTRIED, one.why_not)
    return tuple(made[one] for one in connections if one in made)


def addresses_of(card: Card, one: Connection) -> tuple[str, str] | None:
    """The addresses of this host from which to send to the VIP, and to the server itself."""
    inner = _source(card, one.address, is_v6=":" in one.vip)
    outer = _source(card, one.address, is_v6=":" in one.address)
    return (inner, outer) if inner is not None and outer is not None else None


def _knock(
    connections: Sequence[Connection], card: Card, reached: Reached
) -> dict[Connection, Through]:
    if not connections:
        return {}
    by_vip: dict[tuple[Connection, str], Knock] = {}
    # the same port on its own address tells a missing VIP from a missing service
    by_own: dict[tuple[str, int, str], Knock] = {}
    for one in connections:
        sources = addresses_of(card, one)
        assert sources is not None
        tunnel = Tunnel(one.address, sources[1], one.tunnel) if one.tunnel is not None else None
        for mac in reached.macs[one.address][:_CARDS_TRIED]:
            by_vip[one, mac] = Knock(one.vip, one.port, mac, sources[0], tunnel)
            by_own[one.address, one.port, mac] = Knock(one.address, one.port, mac, sources[1])
    with closing(Knocker(card.interface)) as knocker:
        replies = knocker.knock([*by_vip.values(), *by_own.values()])
    own = dict(zip(by_own, replies[len(by_vip) :], strict=True))
    made: dict[Connection, dict[str, Through]] = {}
    for (one, mac), reply in zip(by_vip, replies, strict=False):
        found = _meaning(one, reply, own[one.address, one.port, mac].answer, reached)
        made.setdefault(one, {})[mac] = found
    return {one: _together(one, by_mac) for one, by_mac in made.items()}


def _together(one: Connection, by_mac: Mapping[str, Through]) -> Through:
    """Of all the MACs that answer for the server's address. The cards of one machine do alike."""
    first, *others = by_mac.values()
    if all((other.verdict, other.cause) == (first.verdict, first.cause) for other in others):
        return first
    taken = [mac for mac, found in by_mac.items() if found.verdict is Passage.OK]
    lost = [mac for mac in by_mac if mac not in taken]
    if not taken:
        return first
    cause = (
        f"{' and '.join(by_mac)} answer for {one.address}, and {' and '.join(lost)} does not take "
        "packets for the VIP: two machines have that address, or a second card drops them "
        "(rp_filter)"
    )
    return _found(one, Passage.BLACK_HOLE, cause)


@lru_cache(4096)
def _source(card: Card, address: str, *, is_v6: bool) -> str | None:
    """An address of this host from which the packet is sent, of the family of what it is for."""
    wanted = ipaddress.ip_address(address)
    mine = [(own, prefix) for own, prefix in card.own if (":" in own) == is_v6]
    near = [
        own for own, prefix in mine if wanted in ipaddress.ip_interface(f"{own}/{prefix}").network
    ]
    usable = near or [own for own, _ in mine if not own.startswith("fe80:")]
    return usable[0] if usable else None


def _meaning(one: Connection, reply: Reply, by_own: Answer, reached: Reached) -> Through:
    stale = reached.stale(one.address, one.interface)
    if stale is not None:
        why = (
            "by a static neighbour entry"
            if stale.is_static
            else "which its neighbour table remembered: the MAC has changed and was not announced, "
            "as by a bond that failed over"
        )
        macs = " and ".join(reached.macs[one.address])
        cause = f"this host sent to {stale.mac}, {why}; {macs} answers for {one.address}"
        return _found(one, Passage.BLACK_HOLE, cause)
    other = "" if reply.mac in reached.macs[one.address] else reached.owner(reply.mac)
    if reply.answer is Answer.ACCEPTED and not other:
        return _found(one, Passage.OK, "")
    made = Try(one, reply.answer, by_own, other)
    row = next(row for row in _ROWS if row.fits(made))
    packets = ip_packet.shown(one.tunnel, one.vip) if one.tunnel is not None else ""
    who = f" ({other} answers)" if other else ""
    cause = row.text.format(port=one.port, other=who, packets=packets)
    return _found(one, Passage.BLACK_HOLE, cause)


def _found(one: Connection, verdict: Passage, cause: str) -> Through:
    return Through(one.vip, one.host, verdict, cause, str(one.port or ""))
