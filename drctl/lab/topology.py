"""Hosts, cards, addresses and switches of a lab from a configuration. Pure.

A configuration names devices, VIPs and some addresses; what it leaves out (prefix lengths, a
client, addresses of directors that speak multicast) is chosen here. Every device of the directors
is a segment, a switch of its own; a real server is plugged into the segment whose network its
address lies in. The client is on every segment that a VIP or a directly answering real server is
on, as the router of a real setup would be, with an address outside all networks of the setup; or,
as a neighbour, with an address of each network, and beside it a bystander that is no part of the
setup.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeVar

from drctl.errors import UsageError
from drctl.lab.plan import (
    BYSTANDER,
    CLIENT,
    DIRECTOR,
    REAL_SERVER,
    LabHost,
    Listener,
    Port,
    Route,
    Vip,
)
from drctl.model.configuration import Configuration
from drctl.model.pair import Rank
from drctl.model.service import MASQUERADE
from drctl.model.vrrp import VrrpInstance
from drctl.render.host import Host

MOST_HOSTS = 60
_USUAL_PREFIX = {4: 24, 6: 64}
_CLIENT_NETWORKS = tuple(
    IPv4Network(text)
    for text in (
        "203.0.113.0/24",
        "198.51.100.0/24",
        "192.0.2.0/24",
        "198.18.0.0/24",
        "100.64.0.0/24",
    )
)
_T = TypeVar("_T")
_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network
_FALLBACK_DEVICE = "eth0"
_PRIVATE_DEVICE = "eth1"


@dataclass(frozen=True, slots=True)
class Manner:
    """What kind of lab. `families` are those it speaks. `has_neighbours`: client and bystander have
    addresses of the setup's networks, and real servers outside of these get a network of their
    own. Without `needs_services` a pair alone will do."""

    families: tuple[int, ...] = (4,)
    has_neighbours: bool = False
    needs_services: bool = True

    def address(self, text: str | None) -> _Address | None:
        """The address that is written there, if the lab speaks its family."""
        try:
            found = ip_address(text or "")
        except ValueError:
            return None
        return found if found.version in self.families else None


FAR = Manner()


@dataclass(frozen=True, slots=True)
class Topology:
    """`hosts` have no listeners yet."""

    hosts: tuple[LabHost, ...]
    vips: tuple[Vip, ...]
    notes: tuple[str, ...]


@dataclass
class _Segment:
    """A device of the directors with what is known of its network."""

    device: str
    networks: list[_Network] = field(default_factory=list)
    own: dict[Rank, list[_Address]] = field(default_factory=dict)
    vips: list[_Address] = field(default_factory=list)

    def network_of(self, address: _Address) -> _Network | None:
        """The network of this segment that the address lies in."""
        return next((network for network in self.networks if address in network), None)


@dataclass
class _Seat:
    """A host in the making: addresses by segment."""

    name: str
    roles: tuple[str, ...]
    folder: str | None
    cards: dict[str, list[_Address]] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    reaches_client: bool = True
    is_outside: bool = False
    gateways: set[str] = field(default_factory=set)


def topology_of(
    source: Configuration,
    views: tuple[Configuration, ...],
    hosts: tuple[Host, ...],
    private_device: str | None = None,
    manner: Manner = FAR,
) -> Topology:
    """The lab of a setup. `views` are the primary's and, for a pair, the backup's configuration;
    `hosts` what the renderers know of every machine. Raises UsageError for what no lab can show.
    """
    notes: list[str] = []
    if manner.needs_services and not any(host.bindings for host in hosts):
        raise UsageError("the configuration has no virtual service with a real server to try")
    if len(hosts) + 1 > MOST_HOSTS:
        raise UsageError(f"{len(hosts)} hosts are more than a lab holds ({MOST_HOSTS})")
    segments = _segments(source, views, private_device, manner, notes)
    vips = _vips(segments)
    if not vips:
        kind = "VIP" if 6 in manner.families else "IPv4 VIP; the lab has no other kind"
        raise UsageError(f"the directors bring up no {kind}")
    seats = [_director(host, segments) for host in hosts if host.rank is not None]
    servers = [_real_server(host, segments, manner, notes) for host in hosts if host.rank is None]
    seats += [seat for seat in servers if seat is not None]
    _invent_addresses(seats, segments, notes)
    for seat in seats:
        gateways = next(host for host in hosts if host.name == seat.name).gateways
        seat.gateways = {gateway.address for gateway in gateways}
    if manner.has_neighbours:
        client = _neighbour(CLIENT, seats, segments)
        everybody = [client, *seats]
        everybody.append(_neighbour(BYSTANDER, everybody, segments))
    else:
        client = _client(seats, segments, hosts)
        everybody = [client, *seats]
    built = tuple(
        _built(number, seat, everybody, segments) for number, seat in enumerate(everybody, 1)
    )
    asked = tuple(Vip(vip.address, vip.segment, vip.segment in client.cards) for vip in vips)
    return Topology(built, asked, tuple(dict.fromkeys(notes)))


def with_listeners(host: LabHost, listeners: tuple[Listener, ...]) -> LabHost:
    """The host with its servers."""
    return LabHost(host.name, host.roles, host.ports, host.routes, listeners, host.folder)


def _segments(
    source: Configuration,
    views: tuple[Configuration, ...],
    private_device: str | None,
    manner: Manner,
    notes: list[str],
) -> dict[str, _Segment]:
    """Devices of the directors in order: those of VRRP, of VIPs, tracked ones, the private one."""
    segments: dict[str, _Segment] = {}
    ranks = tuple(zip(Rank, views, strict=False))
    for rank, view in ranks:
        for instance in view.instances:
            _take_instance(rank, instance, segments, manner, notes)
    private = private_device or _private_device(source, segments)
    _take_named_directors(source, len(views), private, segments, manner)
    for segment in segments.values():
        for addresses in segment.own.values():
            for address in addresses:
                if segment.network_of(address) is None:
                    segment.networks.append(_around(address))
        if manner.has_neighbours:
            for vip in segment.vips:
                if segment.network_of(vip) is None:
                    segment.networks.append(_around(vip))
    return segments


def _take_instance(
    rank: Rank,
    instance: VrrpInstance,
    segments: dict[str, _Segment],
    manner: Manner,
    notes: list[str],
) -> None:
    device = instance.interface or _FALLBACK_DEVICE
    segment = segments.setdefault(device, _Segment(device))
    source = manner.address(instance.unicast_source or instance.multicast_source)
    if source is not None:
        _add(segment.own.setdefault(rank, []), source)
    for vip in instance.vips:
        address = manner.address(vip.address)
        if address is None:
            notes.append(f"{vip.address}: the lab tries IPv4 VIPs only")
            continue
        # a VIP on lo is asked for on the wire too: the host has it, whatever device it is on
        name = device if vip.device in {None, "lo"} else vip.device
        home = segments.setdefault(name, _Segment(name))
        _add(home.vips, address)
        if vip.prefix is not None and vip.prefix < address.max_prefixlen - 1:
            _add(home.networks, ip_network(f"{address}/{vip.prefix}", strict=False))
    for track in instance.tracks:
        if track.kind == "interface":
            segments.setdefault(track.name, _Segment(track.name))


def _private_device(source: Configuration, segments: dict[str, _Segment]) -> str:
    """The card of an lvs.cf's private network."""
    sync = source.pulse.sync_interface if source.pulse is not None else None
    others = list(segments)[1:]
    return sync or next(iter(others), None) or _PRIVATE_DEVICE


def _take_named_directors(
    source: Configuration,
    count: int,
    private: str,
    segments: dict[str, _Segment],
    manner: Manner,
) -> None:
    """An lvs.cf names the directors' addresses on both networks, but not the devices."""
    first = next(iter(segments), _FALLBACK_DEVICE)
    for director in source.directors:
        if director.rank is Rank.BACKUP and count < 2:
            continue
        for text, device in ((director.public, first), (director.private, private)):
            address = manner.address(text)
            known = [a for s in segments.values() for a in s.own.get(director.rank, ())]
            if address is None or address in known:
                continue
            segment = segments.setdefault(device, _Segment(device))
            _add(segment.own.setdefault(director.rank, []), address)


def _vips(segments: dict[str, _Segment]) -> list[Vip]:
    return [
        Vip(str(address), segment.device)
        for segment in segments.values()
        for address in segment.vips
    ]


def _director(host: Host, segments: dict[str, _Segment]) -> _Seat:
    assert host.rank is not None, "called for directors only"
    roles = (DIRECTOR, REAL_SERVER) if host.bindings else (DIRECTOR,)
    seat = _Seat(host.name, roles, host.name)
    for segment in segments.values():
        seat.cards[segment.device] = list(segment.own.get(host.rank, ()))
        seat.devices[segment.device] = segment.device
    return seat


def _real_server(
    host: Host, segments: dict[str, _Segment], manner: Manner, notes: list[str]
) -> _Seat | None:
    """Plugged in where its addresses belong; without a network that holds one, a masqueraded
    server goes to the last device (the gateway's), another to the VIPs'."""
    is_masqueraded = all(binding.method == MASQUERADE for binding in host.bindings)
    seat = _Seat(host.name, (REAL_SERVER,), host.name, reaches_client=not is_masqueraded)
    with_vips = [segment for segment in segments.values() if segment.vips]
    for text in host.addresses:
        address = manner.address(text)
        if address is None:
            kind = "address" if 6 in manner.families else "IPv4 address"
            notes.append(f"{host.name}: {text} is no {kind}, which the lab cannot plug in")
            continue
        home = next((s for s in segments.values() if s.network_of(address) is not None), None)
        if home is None:
            home = with_vips[-1 if is_masqueraded else 0]
            notes.append(f"{host.name}: {text} is in no network of the directors; put on the link")
            if manner.has_neighbours:
                home.networks.append(_around(address))
        seat.cards.setdefault(home.device, []).append(address)
        seat.devices.setdefault(home.device, f"eth{len(seat.devices)}")
    if not seat.cards and manner.has_neighbours:
        notes.append(f"{host.name} has no address, so the lab does not have it")
        return None
    if not seat.cards:
        raise UsageError(f"real server {host.name} has no IPv4 address")
    return seat


def _invent_addresses(seats: list[_Seat], segments: dict[str, _Segment], notes: list[str]) -> None:
    """Directors whose own address the configuration does not say get one near the VIPs."""
    used = {a for seat in seats for addresses in seat.cards.values() for a in addresses}
    used |= {a for segment in segments.values() for a in segment.vips}
    for seat in seats:
        if DIRECTOR not in seat.roles:
            continue
        for segment, family in itertools.product(segments.values(), (4, 6)):
            if any(address.version == family for address in seat.cards[segment.device]):
                continue
            near = [a for other in seats for a in other.cards.get(segment.device, ())]
            here = [a for a in (*near, *segment.vips) if a.version == family]
            if not here:
                continue  # a device that is only watched, or speaks the other family
            wanted = here[0]
            network = segment.network_of(wanted)
            if network is None:
                network = _around(wanted)
                segment.networks.append(network)
            chosen = _free(network, used)
            used.add(chosen)
            seat.cards[segment.device].append(chosen)
            notes.append(f"{seat.name}: {chosen} on {segment.device} was chosen by the lab")


def _around(address: _Address) -> _Network:
    """The network that an address is most likely in."""
    return ip_network(f"{address}/{_USUAL_PREFIX[address.version]}", strict=False)


def _free(network: _Network, used: set[_Address]) -> _Address:
    """The highest address of the network that nobody has."""
    for number in range(int(network.broadcast_address) - 1, int(network.network_address), -1):
        address = network[number - int(network.network_address)]
        if address not in used:
            return address
    raise UsageError(f"no free address is left in {network}")


def _client(seats: list[_Seat], segments: dict[str, _Segment], hosts: tuple[Host, ...]) -> _Seat:
    networks = [network for segment in segments.values() for network in segment.networks]
    used = [a for seat in seats for addresses in seat.cards.values() for a in addresses]
    used += [a for segment in segments.values() for a in segment.vips]
    for network in _CLIENT_NETWORKS:
        is_overlapping = any(n.version == 4 and network.overlaps(n) for n in networks)
        if not is_overlapping and not any(a in network for a in used):
            address = _free(network, set())
            break
    else:
        raise UsageError("every network that a client could be in is used by the configuration")
    client = _Seat(_new_name(CLIENT, seats), (CLIENT,), None, is_outside=True)
    direct = {
        device
        for seat in seats
        if REAL_SERVER in seat.roles and seat.reaches_client
        for device in seat.cards
        if DIRECTOR not in seat.roles
    }
    for segment in segments.values():
        if segment.vips or segment.device in direct:
            if any(host.gateways for host in hosts) and not _serves(segment, hosts):
                continue  # the network behind masquerading directors is not the client's
            client.cards[segment.device] = [address]
            client.devices[segment.device] = f"eth{len(client.devices)}"
    return client


def _new_name(wanted: str, seats: Iterable[_Seat]) -> str:
    names = {seat.name for seat in seats}
    tries = itertools.chain([wanted], (f"{wanted}-{number}" for number in itertools.count(2)))
    return next(name for name in tries if name not in names)


def _neighbour(role: str, others: Sequence[_Seat], segments: dict[str, _Segment]) -> _Seat:
    """On every segment, with an address of each of its networks that has room."""
    seat = _Seat(_new_name(role, others), (role,), None)
    used = {a for other in others for addresses in other.cards.values() for a in addresses}
    used |= {a for segment in segments.values() for a in segment.vips}
    for segment in segments.values():
        for network in segment.networks:
            with suppress(UsageError):  # full: it is reached by routes
                seat.cards.setdefault(segment.device, []).append(_free(network, used))
        if segment.device in seat.cards:
            seat.devices[segment.device] = f"eth{len(seat.devices)}"
    return seat


def _serves(segment: _Segment, hosts: tuple[Host, ...]) -> bool:
    """Whether a VIP of the segment is a service's, not only a gateway."""
    served = {binding.vip for host in hosts for binding in host.bindings}
    return any(str(address) in served for address in segment.vips)


def _built(
    number: int, seat: _Seat, everybody: list[_Seat], segments: dict[str, _Segment]
) -> LabHost:
    ports = tuple(
        Port(
            name=seat.devices[device],
            segment=device,
            mac=f"02:00:00:00:{number:02x}:{index:02x}",
            addresses=tuple(_with_length(a, segments[device], seat) for a in addresses),
        )
        for index, (device, addresses) in enumerate(seat.cards.items(), 1)
    )
    routes = dict.fromkeys(_routes(seat, everybody, segments))
    return LabHost(seat.name, seat.roles, ports, tuple(routes), (), seat.folder)


def _with_length(address: _Address, segment: _Segment, seat: _Seat) -> str:
    network = None if seat.is_outside else segment.network_of(address)
    return f"{address}/{address.max_prefixlen if network is None else network.prefixlen}"


def _routes(seat: _Seat, everybody: list[_Seat], segments: dict[str, _Segment]) -> Iterator[Route]:
    """Neighbours that no network of the host's cards covers, each as a route of its own."""
    is_client = CLIENT in seat.roles or BYSTANDER in seat.roles
    own = [a for addresses in seat.cards.values() for a in addresses]
    covered = [
        network
        for device, addresses in seat.cards.items()
        for a in addresses
        if not seat.is_outside and (network := segments[device].network_of(a)) is not None
    ]
    for device in seat.cards:
        wanted: list[_Address] = []
        for other in everybody:
            are_apart = (is_client and not other.reaches_client) or (
                CLIENT in other.roles and not seat.reaches_client
            )
            if other is not seat and not are_apart:
                wanted += other.cards.get(device, ())
        wanted += [a for a in segments[device].vips if is_client or str(a) in seat.gateways]
        for address in wanted:
            if address not in own and not _is_covered(address, covered):
                yield Route(f"{address}/{address.max_prefixlen}", seat.devices[device])


def _is_covered(address: _Address, networks: Iterable[_Network]) -> bool:
    return any(address in network for network in networks)


def _add(known: list[_T], value: _T) -> None:
    if value not in known:
        known.append(value)
