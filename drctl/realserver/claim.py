"""VIPs that a host takes, or answers for, without having their addresses: by a local route, and as
a proxy. The kernel itself is asked for its routes.

Facts: arp_process, arp_fwd_proxy and arp_fwd_pvlan (net/ipv4/arp.c), where arp_ignore counts for
local addresses alone; ndisc_recv_ns (net/ipv6/ndisc.c).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from drctl.adapters.addresses import LinkState, Present
from drctl.adapters.neighbours import proxied
from drctl.adapters.route_lookup import RouteLookup
from drctl.adapters.sysctls import CONF6, conf_values
from drctl.errors import KernelRefused
from drctl.realserver.value import Wanted

_ASKERS = 8
"""So many addresses of a network are looked at for one that this host does not have."""


@dataclass(frozen=True, slots=True)
class Claims:
    """`routed`: VIPs without an address whose packets a local route takes. `proxied`: by VIP and
    card, what has this host answer for it in somebody's place."""

    routed: frozenset[str] = frozenset()
    proxied: dict[tuple[str, str], str] = field(default_factory=dict)


def read_claims(wanted: Wanted, present: Iterable[Present], links: Iterable[LinkState]) -> Claims:
    """Those about the VIPs of what is wanted."""
    there = tuple(present)
    vips = {line.vip for line in wanted.plan.addresses if not line.is_own}
    vips |= {line.vip for line in wanted.plan.redirects}
    missing = vips - {one.address for one in there}
    cards = [link.interface for link in links if link.has_arp and link.is_up]
    lookup = RouteLookup()
    try:
        routed = frozenset(vip for vip in missing if lookup.ask(vip).kind == "local")
        near = [one for one in wanted.directors if ":" not in one]
        proxies = dict(_proxies4(sorted(missing - routed), there, cards, (lookup, near)))
    finally:
        lookup.close()
    return Claims(routed, {**proxies, **dict(_proxies6(vips, cards))})


def _proxies4(
    vips: Iterable[str],
    present: tuple[Present, ...],
    cards: Iterable[str],
    ways: tuple[RouteLookup, Sequence[str]],
) -> Iterator[tuple[tuple[str, str], str]]:
    lookup, near = ways
    here = {one.address for one in present}
    forwarding, proxying = conf_values("forwarding"), conf_values("proxy_arp")
    pvlan, listed = conf_values("proxy_arp_pvlan"), proxied()
    for card in cards:
        asker = _asker(present, card) or next((one for one in near if one not in here), "")
        if not forwarding.get(card) or not asker:
            continue
        for vip in vips:
            if ":" in vip:
                continue
            try:
                route = lookup.ask(vip, asker, card)
            except KernelRefused:
                break  # it is gone since
            if route.kind != "unicast":
                continue
            if route.interface == card:
                if pvlan.get(card):
                    yield (vip, card), f"proxy_arp_pvlan on {card}"
            elif proxying.get("all") or proxying.get(card):
                yield (vip, card), f"proxy_arp on {card}, and a route to it by {route.interface}"
            elif (vip, card) in listed:
                yield (vip, card), f"a proxy entry on {card} (ip neigh show proxy)"


def _asker(present: Iterable[Present], card: str) -> str:
    """An address in the card's network from which somebody else may ask, "" for none."""
    here = {one.address for one in present}
    for one in present:
        if one.interface == card and ":" not in one.address:
            network = ipaddress.ip_interface(f"{one.address}/{one.prefix}").network
            last = int(network.broadcast_address)
            count = min(_ASKERS, network.num_addresses - 2)
            for number in range(1, count + 1):
                if (address := str(ipaddress.ip_address(last - number))) not in here:
                    return address
    return ""


def _proxies6(vips: Iterable[str], cards: Iterable[str]) -> Iterator[tuple[tuple[str, str], str]]:
    """The kernel asks its list where it forwards and proxy_ndp is on, also for what it has."""
    forwarding, proxying = conf_values("forwarding", CONF6), conf_values("proxy_ndp", CONF6)
    known = {vip for vip in vips if ":" in vip}
    on = {card for card in cards if proxying.get("all") or proxying.get(card)}
    for vip, card in sorted(proxied()):
        if vip in known and card in on and forwarding.get(card):
            yield (vip, card), f"a proxy entry on {card} (ip -6 neigh show proxy)"
