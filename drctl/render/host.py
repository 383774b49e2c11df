"""The machines of a setup: each director and each real server once, and what each is to do.

A machine is known by its address; a real server of ten services is one `Host`. Nothing here knows
a target's format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address

from drctl.model.configuration import Configuration
from drctl.model.origin import NO_ORIGINS, SELF, Origins
from drctl.model.pair import Rank
from drctl.model.service import (
    MASQUERADE,
    TUNNEL,
    Forwarding,
    GroupEntry,
    RealServer,
    ServiceGroup,
    SorryServer,
    VirtualService,
)
from drctl.model.vrrp import Vip
from drctl.quickclass import dataclass, field, replace
from drctl.render.host_address import (
    MOST_RANGE_ADDRESSES,
    address_range,
    family_of,
    order_key,
    parsed,
)
from drctl.render.host_address import (
    canonical as canonical,
)
from drctl.render.host_gateway import Gateway, Gateways
from drctl.render.rendered import Loss
from drctl.text.place import Place


@dataclass(frozen=True, slots=True)
class Names:
    """What the machines are called: folder names of the output.

    `by_address` has those of the real servers; one that is missing is named after its address.
    Addresses that share a name are one machine.
    """

    primary: str = "primary"
    backup: str = "backup"
    by_address: Mapping[str, str] = field(default_factory=dict)

    def of_server(self, address: str) -> str:
        """Folder name of the real server with this address."""
        return self.by_address.get(address) or address.replace(":", "-")


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """What of a VIP is served: a port of a protocol; `number` 0 is every port, `protocol` empty
    every protocol."""

    protocol: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Binding:
    """A VIP that a machine serves behind the directors.

    `vip` and `real_address` are canonical; `real_address` is what the director sends to, None for
    a host name. `method` is a forwarding method, `options` the words after it. `mark` is the
    firewall mark of the service, None for one that has an address. The origins of `vip` are the
    service's, those of the binding itself the server's too.
    """

    vip: str
    method: str
    real_address: str | None
    ports: tuple[Port, ...]
    mark: int | None = None
    options: tuple[str, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)

    @property
    def family(self) -> int:
        """4 or 6, the VIP's."""
        return family_of(self.vip)

    @property
    def real_family(self) -> int | None:
        """4 or 6, the real server's."""
        return None if self.real_address is None else family_of(self.real_address)


@dataclass(frozen=True, slots=True)
class Host:
    """A machine. `rank` is set for a director; `bindings` for what serves behind the directors,
    which a director may do too. `addresses` are those the configuration knows it by."""

    name: str
    addresses: tuple[str, ...] = ()
    bindings: tuple[Binding, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    rank: Rank | None = None
    losses: tuple[Loss, ...] = ()


def hosts_of(
    primary: Configuration, backup: Configuration | None, names: Names
) -> tuple[Host, ...]:
    """The directors, then the real servers and sorry servers in the order of their names.

    Both configurations are one director's view in keepalived's terms; what only one of them has
    counts too.
    """
    views = [primary] if backup is None else [primary, backup]
    directors = _directors(primary, backup, names)
    vips = _vips(views)
    owners = {a: host.name for host in directors for a in host.addresses}
    builders: dict[str, _Builder] = {}
    general: list[Loss] = []
    for server in _servers(views, vips, general):
        if server.real is not None and (server.real.is_loopback or server.text in vips):
            if not server.real.is_loopback:
                general += [_loss_own_vip(server.text, one) for one in server.bindings]
            continue
        name = owners.get(server.text) or names.of_server(server.text)
        if name not in builders:
            builders[name] = _Builder()
        builders[name].add(server)
    gateways = Gateways(views, vips)
    director_names = {host.name for host in directors}
    first, *others = (_with_work(host, builders, gateways) for host in directors)
    first = replace(first, losses=(*dict.fromkeys(general), *first.losses))
    rest = (
        _with_work(Host(name), builders, gateways)
        for name in sorted(builders)
        if name not in director_names
    )
    return (first, *others, *rest)


@dataclass(frozen=True, slots=True)
class _Server:
    """The VIPs of one service on one real server. `text` is the canonical address, or a name."""

    text: str
    real: IPv4Address | IPv6Address | None
    bindings: list[Binding]


_Key = tuple[str, str, str, int | None, tuple[str, ...]]


@dataclass(slots=True)
class _Builder:
    """Collects what a machine does, each thing once."""

    addresses: dict[str, None] = field(default_factory=dict)
    bindings: dict[_Key, Binding] = field(default_factory=dict)
    losses: dict[Loss, None] = field(default_factory=dict)

    def add(self, server: _Server) -> None:
        if server.real is not None:
            self.addresses[server.text] = None
        for new in server.bindings:
            if server.real is None and new.method != MASQUERADE:
                self.losses[_loss_host_name(server.text, new)] = None
            key = (new.vip, new.method, server.text, new.mark, new.options)
            known = self.bindings.setdefault(key, new)
            if known is not new:
                self._merge(key, known, new)

    def _merge(self, key: _Key, known: Binding, new: Binding) -> None:
        if new.ports == known.ports and new.origins == known.origins:
            return  # both directors' files say the same of it, as they should
        ports = tuple(sorted({*known.ports, *new.ports}))
        origins = {
            field: tuple(dict.fromkeys((*known.origins[field], *new.origins[field])))
            for field in (SELF, "vip")
        }
        if ports != known.ports or origins != known.origins:
            self.bindings[key] = replace(known, ports=ports, origins=origins)


def _with_work(host: Host, builders: Mapping[str, _Builder], gateways: Gateways) -> Host:
    builder = builders.get(host.name)
    if builder is None:
        return host
    bindings = tuple(sorted(builder.bindings.values(), key=_binding_key))
    losses = list(builder.losses)
    found: dict[str, Gateway] = {}
    for binding in bindings:
        real = binding.real_address
        if binding.method != MASQUERADE or real is None or real in found or host.rank is not None:
            continue
        gateway = gateways.of(real, binding.origins[SELF])
        if isinstance(gateway, Loss):
            losses.append(gateway)
        else:
            found[real] = gateway
    addresses = dict.fromkeys((*host.addresses, *sorted(builder.addresses, key=order_key)))
    return replace(
        host,
        addresses=tuple(addresses),
        bindings=bindings,
        gateways=tuple(found.values()),
        losses=(*host.losses, *dict.fromkeys(losses)),
    )


def _directors(
    primary: Configuration, backup: Configuration | None, names: Names
) -> tuple[Host, ...]:
    known: dict[Rank, dict[str, None]] = {rank: {} for rank in Rank}
    views = [(Rank.PRIMARY, primary)]
    if backup is not None:
        views.append((Rank.BACKUP, backup))
    for rank, view in views:
        other = Rank.BACKUP if rank is Rank.PRIMARY else Rank.PRIMARY
        for director in view.directors:
            for text in (director.public, director.private):
                known[director.rank].update(_some(text))
        for instance in view.instances:
            known[rank].update(_some(instance.unicast_source))
            known[rank].update(_some(instance.multicast_source))
            if len(instance.unicast_peers) == 1:
                known[other].update(_some(instance.unicast_peers[0].address))
    hosts = [Host(names.primary, tuple(known[Rank.PRIMARY]), rank=Rank.PRIMARY)]
    if backup is not None:
        hosts.append(Host(names.backup, tuple(known[Rank.BACKUP]), rank=Rank.BACKUP))
    return tuple(hosts)


def _vips(views: Iterable[Configuration]) -> dict[str, Vip]:
    """VIPs that a director brings up, by canonical address."""
    found: dict[str, Vip] = {}
    for view in views:
        for vip in view.vips:
            text = canonical(vip.address)
            if text is not None:
                found.setdefault(text, vip)
    return found


def _servers(
    views: Iterable[Configuration], vips: Mapping[str, Vip], losses: list[Loss]
) -> Iterator[_Server]:
    known: set[tuple[int, int]] = set()
    for view in views:
        groups = {group.name: group for group in view.service_groups}
        for service in view.services:
            # mostly the very same services are on both directors
            key = id(service), id(groups.get(service.group or ""))
            if not service.is_active or key in known:
                continue
            known.add(key)
            entries = _Entries(service, groups, vips, losses)
            for server in _machines(service):
                forwarding = server.forwarding or service.forwarding or Forwarding(MASQUERADE)
                real = parsed(server.address)
                text = canonical(server.address) or server.address
                places = _once(server.origins.get(SELF) or server.origins.get("address", ()))
                method, options = forwarding.method, forwarding.options
                found = entries.for_family(real)
                if method == TUNNEL:
                    for vip in (entry[0] for entry in found if entry[0] in vips):
                        losses.extend(_loss_tunnel_source(vip, vips[vip]))
                address = None if real is None else text
                bindings = [
                    Binding(
                        vip,
                        method,
                        address,
                        ports,
                        mark,
                        options,
                        {SELF: _joined(vip_places, places), "vip": vip_places},
                    )
                    for vip, ports, mark, vip_places in found
                ]
                if bindings:
                    yield _Server(text, real, bindings)


def _once(places: tuple[Place, ...]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(places))


def _joined(first: tuple[Place, ...], then: tuple[Place, ...]) -> tuple[Place, ...]:
    """Both, each place once; they are few, and in each of them once already."""
    return first + tuple([place for place in then if place not in first])


def _machines(service: VirtualService) -> Iterator[RealServer | SorryServer]:
    for server in service.real_servers:
        if server.is_active and server.address:
            yield server
    if service.sorry_server is not None and service.sorry_server.address:
        yield service.sorry_server


_Entry = tuple[str, tuple[Port, ...], int | None, tuple[Place, ...]]


class _Entries:
    """VIPs of a service with their ports; those of a bare mark depend on the server's family."""

    def __init__(
        self,
        service: VirtualService,
        groups: Mapping[str, ServiceGroup],
        vips: Mapping[str, Vip],
        losses: list[Loss],
    ) -> None:
        self._service = service
        self._vips = vips
        self._losses = losses
        self._fixed: list[_Entry] = []
        self._bare_marks: list[tuple[int, tuple[Place, ...]]] = []
        self._by_family: dict[int | None, tuple[_Entry, ...]] = {}
        own = service.origins.get(SELF, ())
        if service.mark is not None:
            self._take_mark(service, own)
        elif service.group is not None:
            self._take_group(service, groups)
        elif service.address is not None:
            self._take(service.address, service.port, own)

    def for_family(self, real: IPv4Address | IPv6Address | None) -> tuple[_Entry, ...]:
        """The VIPs that a real server of this address serves."""
        family = None if real is None else real.version
        if family not in self._by_family:
            marked = [entry for mark in self._bare_marks for entry in self._of_mark(mark, family)]
            self._by_family[family] = (*self._fixed, *marked)
        return self._by_family[family]

    def _take(self, address: str, port: int | None, places: tuple[Place, ...]) -> None:
        vip = canonical(address)
        if vip is None:
            why = f"{address} is no address, so the real servers' side of it cannot be written"
            self._losses.append(Loss("vip.name", why, places))
            return
        ports = (Port(self._service.protocol or "tcp", port or 0),)
        self._fixed.append((vip, ports, None, _once(places)))

    def _take_mark(self, service: VirtualService, places: tuple[Place, ...]) -> None:
        assert service.mark is not None
        if not service.mark_rules:
            self._bare_marks.append((service.mark, places))
        ports: dict[str, dict[Port, None]] = {}
        origins: dict[str, dict[Place, None]] = {}
        for rule in service.mark_rules:
            vip = canonical(rule.address)
            if vip is None:
                why = f"{rule.address} is no address; the real servers' side cannot be written"
                self._losses.append(Loss("vip.name", why, rule.origins.get(SELF, places)))
                continue
            ports.setdefault(vip, {})[Port(rule.protocol, rule.port or 0)] = None
            origins.setdefault(vip, {}).update(
                dict.fromkeys((*places, *rule.origins.get(SELF, ())))
            )
        self._fixed.extend(
            (vip, tuple(sorted(ports[vip])), service.mark, tuple(origins[vip])) for vip in ports
        )

    def _take_group(self, service: VirtualService, groups: Mapping[str, ServiceGroup]) -> None:
        own = service.origins.get(SELF, ())
        group = groups.get(service.group or "")
        if group is None:
            why = f"virtual_server_group {service.group} is not defined; its VIPs are unknown"
            self._losses.append(Loss("service.group", why, own))
            return
        for entry in group.entries:
            places = (*own, *entry.origins.get(SELF, ()))
            if entry.mark is not None:
                self._bare_marks.append((entry.mark, places))
            elif entry.address is not None and entry.last is None:
                self._take(entry.address, entry.port, places)
            elif entry.address is not None:
                self._take_range(entry, places)

    def _take_range(self, entry: GroupEntry, places: tuple[Place, ...]) -> None:
        addresses = address_range(entry.address or "", entry.last or "")
        if addresses is None:
            why = (
                f"{entry.address}-{entry.last} is no range of at most {MOST_RANGE_ADDRESSES} "
                "addresses, so its VIPs are not written for the real servers"
            )
            self._losses.append(Loss("service.range", why, places))
            return
        for address in addresses:
            self._take(address, entry.port, places)

    def _of_mark(self, mark: tuple[int, tuple[Place, ...]], family: int | None) -> Iterator[_Entry]:
        number, places = mark
        wanted = {"inet": 4, "inet6": 6}.get(self._service.ip_family or "", family)
        found = [vip for vip in self._vips if family_of(vip) == (wanted or 4)]
        if found:
            why = (
                f"which VIPs get mark {number} is decided by the director's packet filter, not by "
                "the configuration; the real servers are prepared for every VIP of the VRRP "
                "instances on all ports"
            )
        else:
            why = (
                f"no VIP of mark {number} is known, since no VRRP instance has one, so nothing is "
                "written for its real servers"
            )
        loss = Loss("service.mark", why, places)
        if loss not in self._losses:
            self._losses.append(loss)
        for vip in found:
            yield vip, (Port(),), number, places


def _loss_tunnel_source(address: str, vip: Vip) -> tuple[Loss, ...]:
    """The director may take an IPv6 VIP for the source of its tunnel's packets unless the VIP is
    deprecated, which keepalived does by itself for /128; the kernel of a real server that holds the
    VIP drops packets from itself (ip6_tnl_rcv_ctl)."""
    if family_of(address) == 4 or vip.prefix in {None, 128} or "preferred_lft" in vip.options:
        return ()
    why = (
        f"{address}/{vip.prefix} may become the source of the packets that the director sends "
        "through the tunnel, and a real server that holds it drops those: write the VIP as /128 or "
        "with preferred_lft 0"
    )
    return (Loss("vip.tunnel-source", why, vip.origins.get(SELF, ())),)


def _loss_own_vip(text: str, binding: Binding) -> Loss:
    why = (
        f"real server {text} is a VIP of the directors, so the active director would serve "
        "itself; nothing is written for it"
    )
    return Loss("real-server.vip", why, binding.origins[SELF])


def _loss_host_name(text: str, binding: Binding) -> Loss:
    why = (
        f"{text} is a host name; a rule that puts the server's own address into its ARP "
        "requests needs the address"
    )
    return Loss("real-server.name", why, binding.origins[SELF])


def _binding_key(binding: Binding) -> tuple[tuple[int, int], str, str, int]:
    return (
        order_key(binding.vip),
        binding.method,
        binding.real_address or "",
        -1 if binding.mark is None else binding.mark,
    )


def _some(text: str | None) -> dict[str, None]:
    found = None if text is None else canonical(text)
    return {} if found is None else {found: None}
