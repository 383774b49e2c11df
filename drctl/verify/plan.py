"""What has to be asked, from a configuration and this host's cards. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from drctl.adapters.ip_packet import Encapsulation, encapsulation
from drctl.errors import UsageError
from drctl.model.configuration import Configuration
from drctl.model.pair import Rank
from drctl.model.service import MASQUERADE, TUNNEL
from drctl.quickclass import dataclass, replace
from drctl.render.host import Host, canonical
from drctl.verify.value import Here, Role, Station, Target

if TYPE_CHECKING:
    from drctl.adapters.survey import Card

_PAIR = 2
"""Directors that may be there where none is known."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that a director would send on: to a real server, for a port of a VIP. `why_not`
    says why it cannot be tried, `tunnel` how it is wrapped when it is."""

    vip: str
    port: int
    address: str
    host: str
    interface: str
    tunnel: Encapsulation | None = None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Questions about a setup; `notes` are what cannot be asked."""

    targets: tuple[Target, ...]
    stations: tuple[Station, ...] = ()
    connections: tuple[Connection, ...] = ()
    here: Here = Here()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """This host: cards with their own addresses and MACs, and every address, by interface."""

    cards: tuple[Card, ...]
    macs: dict[str, str]
    present: frozenset[tuple[str, str]]
    """Pairs of address and interface."""

    def card_of(self, address: str, interface: str | None) -> Card | None:
        """The card whose network the address lies in; only the given one, if one is."""
        wanted = ipaddress.ip_address(address)
        for card in self.cards:
            if interface is not None and card.interface != interface:
                continue
            if any(wanted in _network(own, prefix) for own, prefix in card.own):
                return card
            if any(wanted in ipaddress.ip_network(one) for one in card.reached):
                return card
        return None


@lru_cache(256)
def _network(own: str, prefix: int) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_interface(f"{own}/{prefix}").network


def plan_of_hosts(
    views: Sequence[Configuration],
    hosts: Sequence[Host],
    machine: Machine,
    interface: str | None,
    *,
    is_through: bool = False,
) -> Plan:
    """Everything that a configuration names, with the connections to try when `is_through`.
    `interface` is where to ask for every VIP, otherwise for each the one that reaches it. Raises
    UsageError when no VIP can be asked for."""
    notes: list[str] = []
    vips = dict.fromkeys(
        text for view in views for vip in view.vips if (text := canonical(vip.address))
    )
    if not vips:
        raise UsageError("the configuration has no VIP")
    stations = tuple(_stations(hosts, machine, interface))
    found = []
    for vip in vips:
        where = _interface_of(vip, views, stations, machine, interface)
        if where is None:
            notes.append(f"{vip} is on no segment of this host; -i names the interface to ask on")
        else:
            found.append(Target(vip, where))
    if not found:
        raise UsageError("; ".join(notes))
    connections = tuple(_connections(hosts, machine, interface)) if is_through else ()
    here = _here(hosts, found, machine)
    unnamed = {
        where: _unnamed(len(views), stations, here, where)
        for where in {one.interface for one in found}
    }
    targets = tuple(Target(one.vip, one.interface, unnamed[one.interface]) for one in found)
    notes += _about_unnamed(targets)
    if here.role is Role.REAL_SERVER:
        notes.append(
            f"this host is {here.host}, a real server, and does not hear itself: whether it leaks "
            "is seen from another one, and by drctl realserver check"
        )
    return Plan(targets, stations, connections, here, tuple(notes))


def plan_of_vips(
    vips: Iterable[str], machine: Machine, interface: str, directors: Sequence[Host] = ()
) -> Plan:
    """Some VIPs, of whose hosts no more is known than who the directors are, if that."""
    unnamed = 0 if directors else _PAIR
    targets = tuple(Target(vip, interface, unnamed) for vip in dict.fromkeys(vips))
    here = _here(directors, targets, machine)
    stations = tuple(_stations(directors, machine, interface))
    return Plan(targets, stations, here=here, notes=tuple(_about_unnamed(targets)))


def with_directors(
    views: Sequence[Configuration], hosts: Sequence[Host], named: Iterable[str]
) -> tuple[Host, ...]:
    """The hosts with further directors, by their addresses: those that are `named`, and those whom
    the directors speak VRRP with beside the pair."""
    known = {address for host in hosts for address in host.addresses}
    peers = [
        address
        for view in views
        for instance in view.instances
        for peer in instance.unicast_peers
        if (address := canonical(peer.address))
    ]
    more = [address for address in dict.fromkeys((*named, *peers)) if address not in known]
    return (*hosts, *(Host(one, (one,), rank=Rank.BACKUP) for one in more))


def _unnamed(count: int, stations: Sequence[Station], here: Here, interface: str) -> int:
    """How many of so many directors have no address there that is known."""
    known = {
        one.host for one in stations if one.role is Role.DIRECTOR and one.interface == interface
    }
    if here.role is Role.DIRECTOR:
        known.add(here.host)
    return max(0, count - len(known))


def _about_unnamed(targets: Iterable[Target]) -> list[str]:
    """What is presumed where directors are not known."""
    interfaces = dict.fromkeys(one.interface for one in targets if one.unnamed)
    return [
        f"the directors' own addresses on {interface} are not all known: who else answers for a "
        "VIP is taken for a director; --director ADDRESS names them"
        for interface in interfaces
    ]


def only(plan: Plan, vips: Sequence[str]) -> Plan:
    """The plan for some of its VIPs; for all when none is named. Raises UsageError for one that it
    does not have."""
    if not vips:
        return plan
    known = {target.vip for target in plan.targets}
    for vip in vips:
        if vip not in known:
            raise UsageError(f"{vip} is no VIP of the configuration, or on no segment of this host")
    return replace(
        plan,
        targets=tuple(one for one in plan.targets if one.vip in vips),
        connections=tuple(one for one in plan.connections if one.vip in vips),
    )


def _interface_of(
    vip: str,
    views: Sequence[Configuration],
    stations: Sequence[Station],
    machine: Machine,
    interface: str | None,
) -> str | None:
    if interface is not None:
        return interface
    card = machine.card_of(vip, None)
    if card is not None:
        return card.interface
    # a VIP outside all networks is on the segment of those that serve it, or on its own device
    serving = [one.interface for one in stations if vip in one.vips]
    serving += [one.interface for one in stations if one.role is Role.DIRECTOR]
    if serving:
        return serving[0]
    known = {card.interface for card in machine.cards}
    for view in views:
        for instance in view.instances:
            for one in instance.vips:
                device = one.device or instance.interface
                if canonical(one.address) == vip and device in known:
                    return device
    return None


def _stations(hosts: Sequence[Host], machine: Machine, interface: str | None) -> Iterable[Station]:
    for host in hosts:
        role = Role.REAL_SERVER if host.rank is None else Role.DIRECTOR
        served = [one for one in host.bindings if one.method != MASQUERADE]
        vips = tuple(dict.fromkeys([one.vip for one in served]))
        ports = tuple(
            [
                (one.vip, port.number)
                for one in served
                for port in one.ports
                if port.number and port.protocol in {"tcp", ""}
            ]
        )
        for text in host.addresses:
            address = canonical(text)
            if address is None or _is_own(address, machine):
                continue
            card = machine.card_of(address, interface)
            if card is not None:
                order = _order(host)
                yield Station(address, card.interface, host.name, role, vips, order, ports)


def _order(host: Host) -> int:
    return int(host.rank is Rank.BACKUP)


def _is_own(address: str, machine: Machine) -> bool:
    return any(address == own for card in machine.cards for own, _ in card.own)


def _here(hosts: Sequence[Host], targets: Sequence[Target], machine: Machine) -> Here:
    macs = tuple(mac for mac in machine.macs.values() if mac)
    name, role, rank = "", Role.UNKNOWN, 0
    for host in hosts:
        if any(_is_own(text, machine) for one in host.addresses if (text := canonical(one))):
            name = host.name
            role = Role.DIRECTOR if host.rank is not None else Role.REAL_SERVER
            rank = _order(host)
            break
    return Here(name, role, rank, macs, held_by(targets, machine, role))


def held_by(targets: Iterable[Target], machine: Machine, role: Role) -> frozenset[str]:
    """The VIPs that this host answers for. A real server has them too, where they do not count."""
    if role is Role.REAL_SERVER:
        return frozenset(one.vip for one in targets if (one.vip, one.interface) in machine.present)
    elsewhere = {address for address, interface in machine.present if interface != "lo"}
    return frozenset(one.vip for one in targets if one.vip in elsewhere)


def _connections(
    hosts: Sequence[Host], machine: Machine, interface: str | None
) -> Iterable[Connection]:
    own = {address for card in machine.cards for address, _ in card.own}
    cards: dict[str, Card | None] = {}
    for host in hosts:
        for binding in host.bindings:
            address = binding.real_address
            if binding.method == MASQUERADE or address is None or address in own:
                continue
            if address not in cards:
                cards[address] = machine.card_of(address, interface)
            card = cards[address]
            where = card.interface if card is not None else ""
            tunnel = encapsulation(binding.options) if binding.method == TUNNEL else None
            ports = [port.number for port in binding.ports if port.protocol in {"tcp", ""}]
            why_not = ""
            if card is None:
                why_not = f"{address} is on no segment of this host"
            elif not [number for number in ports if number]:
                why_not = "it has no TCP port that is known"
            if why_not:
                yield Connection(binding.vip, 0, address, host.name, where, tunnel, why_not)
                continue
            for number in ports:
                if number:
                    yield Connection(binding.vip, number, address, host.name, where, tunnel)
