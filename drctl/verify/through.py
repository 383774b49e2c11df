"""Whether real servers take the packets for the VIPs: the connections to try, and what their
answers mean."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from contextlib import closing

from drctl.adapters.knock import Answer, Knock, Knocker
from drctl.adapters.survey import Card
from drctl.verify.plan import Connection
from drctl.verify.value import Passage, Through


def try_through(
    connections: Sequence[Connection], cards: Sequence[Card], macs: Mapping[str, str]
) -> tuple[Through, ...]:
    """One connection for each VIP, port and real server; `macs` are those of the real servers'
    own addresses, as they answered."""
    made: dict[Connection, Through] = {}
    for card in cards:
        mine = [one for one in connections if one.interface == card.interface and not one.why_not]
        reached = []
        for one in mine:
            if one.address not in macs:
                cause = f"{one.address} does not answer ARP: the machine or its link is down"
                made[one] = _found(one, Passage.BLACK_HOLE, cause)
            elif _source(card, one.address, one.vip) is None:
                cause = f"this host has no address of the VIP's family on {card.interface}"
                made[one] = _found(one, Passage.UNTRIED, cause)
            else:
                reached.append(one)
        made.update(_knock(reached, card, macs))
    for one in connections:
        if one.why_not:
            made[one] = _found(one, Passage.UNTRIED, one.why_not)
    return tuple(made[one] for one in connections if one in made)


def _knock(
    connections: Sequence[Connection], card: Card, macs: Mapping[str, str]
) -> dict[Connection, Through]:
    if not connections:
        return {}
    knocks = []
    for one in connections:
        source = _source(card, one.address, one.vip)
        assert source is not None
        tunnel = one.address if one.is_tunnel else ""
        knocks.append(Knock(one.vip, one.port, macs[one.address], source, tunnel))
        # the same port on its own address tells a missing VIP from a missing service
        knocks.append(Knock(one.address, one.port, macs[one.address], source))
    with closing(Knocker(card.interface)) as knocker:
        answers = knocker.knock(knocks)
    pairs = zip(answers[::2], answers[1::2], strict=True)
    return {one: _meaning(one, *pair) for one, pair in zip(connections, pairs, strict=True)}


def _source(card: Card, address: str, vip: str) -> str | None:
    """An address of this host from which the packet is sent, of the VIP's family."""
    wanted = ipaddress.ip_address(address)
    mine = [(own, prefix) for own, prefix in card.own if (":" in own) == (":" in vip)]
    near = [
        own for own, prefix in mine if wanted in ipaddress.ip_interface(f"{own}/{prefix}").network
    ]
    usable = near or [own for own, _ in mine if not own.startswith("fe80:")]
    return usable[0] if usable else None


def _meaning(one: Connection, by_vip: Answer, by_own: Answer) -> Through:
    where = f"port {one.port}"
    match by_vip:
        case Answer.ACCEPTED:
            return _found(one, Passage.OK, "")
        case Answer.OTHER_ADDRESS:
            cause = "it answers from another address than the VIP, which no client accepts"
        case Answer.REFUSED if by_own is Answer.ACCEPTED:
            cause = f"it has the VIP, but {where} is open on its own address alone"
        case Answer.REFUSED:
            cause = f"it has the VIP, and nothing listens on {where}"
        case Answer.UNREACHABLE:
            cause = "it refuses the packet (ICMP): the VIP is not there, or a firewall rejects it"
        case Answer.RETURNED:
            cause = (
                "it sends the packet on to the VIP's holder: the VIP is not there, and it routes"
            )
        case Answer.NOTHING if by_own is Answer.ACCEPTED and one.is_tunnel:
            cause = (
                f"{where} is open on its own address, but what comes by the tunnel is lost: no "
                "tunnel device, no VIP, or rp_filter of the tunnel device is not 0"
            )
        case Answer.NOTHING if by_own is Answer.ACCEPTED:
            cause = (
                f"{where} is open on its own address, but packets for the VIP are lost: the VIP is "
                "not on lo, the redirecting rule is missing, or a firewall drops them"
            )
        case Answer.NOTHING if by_own is Answer.REFUSED:
            cause = f"packets for the VIP are lost, and nothing listens on {where} at all"
        case Answer.NOTHING:
            cause = f"it answers ARP, but nothing on {where}: a firewall drops it"
    return _found(one, Passage.BLACK_HOLE, cause)


def _found(one: Connection, verdict: Passage, cause: str) -> Through:
    return Through(one.vip, one.host, verdict, cause, str(one.port or ""))
