"""The ways of packets: from the director to a service of this host, and from it back to a client.

The kernel itself is asked what it would do, so routes, rules, tables and rp_filter all count.
"""

from __future__ import annotations

import errno
import ipaddress
import os
from collections.abc import Collection, Iterable, Iterator

from drctl.adapters.addresses import LinkState, Present
from drctl.adapters.route_lookup import Route, RouteLookup
from drctl.errors import KernelRefused
from drctl.realserver.arp import effective
from drctl.realserver.effect import HANGS
from drctl.realserver.value import Answer, Arrival, Difference, Kernel, Wanted

_FAR = {
    4: ("203.0.113.253", "198.51.100.253", "192.0.2.253", "100.64.0.253"),
    6: ("2001:db8:ffff::fd", "2001:db8:0:ffff::fd", "fd00::fd"),
}
"""Clients that nobody has; the first that is in none of the host's networks stands for them all."""
_BY_RP_FILTER = frozenset({errno.EXDEV, errno.EINVAL})
_TABLES = {253: "default", 254: "main", 255: "local"}


def read_ways(
    wanted: Wanted,
    present: Iterable[Present],
    links: Iterable[LinkState],
    routed: Collection[str] = (),
) -> tuple[tuple[Arrival, ...], tuple[Answer, ...]]:
    """What the kernel says of each address that the directors send to this host; `routed` are those
    that it takes without having them."""
    there = tuple(present)
    lookup = RouteLookup()
    try:
        served = _served(wanted, {*routed, *(one.address for one in there)})
        answers = tuple(_answers(wanted, served, there, lookup))
        return tuple(_arrivals(wanted, there, tuple(links), answers, lookup)), answers
    finally:
        lookup.close()


def _served(wanted: Wanted, here: Collection[str]) -> list[str]:
    """The addresses that answers come from, as far as this host takes them."""
    vips = [line.vip for line in wanted.plan.addresses if not line.is_own]
    own = [way.real_address for way in wanted.plan.ways_back]
    if wanted.plan.redirects:
        own += wanted.own
    return [one for one in dict.fromkeys((*vips, *own)) if one in here]


def _answers(
    wanted: Wanted, served: Iterable[str], present: tuple[Present, ...], lookup: RouteLookup
) -> Iterator[Answer]:
    networks = [ipaddress.ip_interface(f"{one.address}/{one.prefix}") for one in present]
    here = {one.address for one in present}
    for address in served:
        version = ipaddress.ip_address(address).version
        far = next(
            one
            for one in _FAR[version]
            if not any(ipaddress.ip_address(one) in own.network for own in networks)
        )
        yield Answer(address, far, lookup.ask(far, address), is_far=True)
        near = next((one for one in wanted.directors if _is_near(one, version, networks)), None)
        if near is not None and near not in here:
            yield Answer(address, near, lookup.ask(near, address), is_far=False)


def _is_near(
    address: str,
    version: int,
    networks: list[ipaddress.IPv4Interface | ipaddress.IPv6Interface],
) -> bool:
    it = ipaddress.ip_address(address)
    return it.version == version and any(it in own.network for own in networks)


def _arrivals(
    wanted: Wanted,
    present: tuple[Present, ...],
    links: tuple[LinkState, ...],
    answers: tuple[Answer, ...],
    lookup: RouteLookup,
) -> Iterator[Arrival]:
    up = {link.interface for link in links if link.is_up}
    tunnels = {tunnel.device for tunnel in wanted.plan.tunnels}
    through = {line.vip for line in wanted.plan.addresses if line.device in tunnels}
    cards = {one.interface for one in present if one.address in wanted.own} - tunnels - {"lo"}
    for answer in answers:
        if not answer.route.kind:
            continue  # a way in without a way out: told as such
        ways_in = tunnels if answer.address in through else cards
        for card in sorted(ways_in & up):
            try:
                route = lookup.ask(answer.address, answer.client, card)
            except KernelRefused:
                continue  # it is gone since
            yield Arrival(answer.address, answer.client, card, route, answer.route.interface)


def judge_ways(wanted: Wanted, kernel: Kernel) -> Iterator[Difference]:
    """What does not arrive, and what does not get back."""
    for arrival in kernel.arrivals:
        yield from _arrival(wanted, kernel, arrival)
    ways_back = {way.real_address: way.address for way in wanted.plan.ways_back}
    for answer in kernel.answers:
        if answer.address in ways_back:
            yield from _way_back(answer, ways_back[answer.address])
        elif not wanted.plan.is_standby:
            yield from _answer(wanted, answer)


def _arrival(wanted: Wanted, kernel: Kernel, arrival: Arrival) -> Iterator[Difference]:
    route, card = arrival.route, arrival.card
    if route.kind == "local":
        return
    checked = effective(kernel.rp_filter, card) if ":" not in arrival.address else 0
    if checked and route.refused in _BY_RP_FILTER:
        if card in {tunnel.device for tunnel in wanted.plan.tunnels}:
            return  # a difference of its own
        own, everywhere = kernel.rp_filter.get(card, 0), kernel.rp_filter.get("all", 0)
        yield Difference(
            f"rp_filter on {card}",
            f"2 (loose), or the way back to clients through {card}",
            f"{checked} (all {everywhere}, {card} {own}), and the way back to {arrival.client} is "
            f"{arrival.back}",
            f"requests of clients that are answered through {arrival.back} come in on {card} and "
            f"are dropped: {HANGS}",
        )
        return
    yield Difference(
        f"route of {arrival.address}",
        f"packets that come in on {card} are delivered here (table local)",
        _said(route),
        f"packets for it go elsewhere or nowhere: {HANGS}",
    )


def _way_back(answer: Answer, gateway: str) -> Iterator[Difference]:
    if answer.is_far and answer.route.gateway != gateway:
        yield Difference(
            f"way back from {answer.address}",
            f"through the active director, {gateway}",
            _said(answer.route),
            f"answers pass the director by: the client gets them from {answer.address}, where it "
            "has asked nothing, and refuses them",
        )


def _answer(wanted: Wanted, answer: Answer) -> Iterator[Difference]:
    route, what = answer.route, f"way back from {answer.address}"
    if route.gateway and route.gateway in wanted.directors:
        yield Difference(
            what,
            "past the directors, to the clients or their router",
            _said(route),
            "a director that has the VIP drops what comes from the VIP (a martian source): clients "
            f"get no answer, and {HANGS}",
        )
    elif not _gets_out(route) and not (answer.is_far and route.refused == errno.ENETUNREACH):
        # without any default route all clients are near
        yield Difference(
            what,
            f"a route to the clients ({answer.client})",
            _said(route),
            f"answers do not leave: {HANGS}",
        )


def _gets_out(route: Route) -> bool:
    return route.kind == "unicast" and route.interface != "lo"


def _said(route: Route) -> str:
    if not route.kind:
        return f"no route ({os.strerror(route.refused)})"
    table = _TABLES.get(route.table, str(route.table))
    if route.kind != "unicast":
        return f"{route.kind} (table {table})"
    via = f"through {route.gateway} " if route.gateway else ""
    return f"{via}on {route.interface} (table {table})"
