"""What the lab's client asks for and what its servers listen on, from the configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from math import gcd

from drctl.lab.answer import Answered, answer_to_checks, answer_to_nanny, stand_ins
from drctl.lab.plan import Flow, Listener, StandIn
from drctl.model.check import Check, NannyCheck
from drctl.model.configuration import Configuration
from drctl.model.service import DIRECT, MASQUERADE, RealServer, ServiceGroup, VirtualService
from drctl.render.host import Names, canonical

FEWEST_REQUESTS = 8
MOST_REQUESTS = 120
_WEIGHTED = frozenset({"wrr", "wlc", "sed", "nq"})
_DEFAULT_SCHEDULER = "wlc"
_ANY_PORT = 80


@dataclass(frozen=True, slots=True)
class Workload:
    """`listeners` are by host; `notes` say what the lab leaves out or plays itself."""

    flows: tuple[Flow, ...]
    listeners: Mapping[str, tuple[Listener, ...]]
    stand_ins: tuple[StandIn, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """A VIP's port of a service; `key` is IPVS's name of the service."""

    key: str
    vip: str
    port: int
    protocol: str


@dataclass
class _Collector:
    """What was found so far, each listener once by host, protocol and port. `nannies` are the
    checks of an lvs.cf by VIP, port and protocol."""

    names: Names
    nannies: Mapping[tuple[str, int, str], NannyCheck]
    listeners: dict[str, dict[tuple[str, int], Listener]] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def listen(self, host: str, answered: Answered) -> None:
        listener = answered.listener
        known = self.listeners.setdefault(host, {})
        other = known.setdefault((listener.protocol, listener.port), listener)
        where = f"{host} port {listener.port}/{listener.protocol}"
        if other != listener:
            self.note(f"{where}: two services want different answers; the first one decides")
        if answered.problem is not None:
            self.note(f"{where}: {answered.problem}")

    def note(self, text: str) -> None:
        self.notes[text] = None


def workload_of(
    source: Configuration, lowered: Configuration, names: Names, vips: frozenset[str]
) -> Workload:
    """Flows and servers. `source` is the file as read, which knows an lvs.cf's checks; `lowered` is
    a director's view in keepalived's terms; `vips` are those that the lab brings up."""
    collector = _Collector(names, _nannies(source))
    groups = {group.name: group for group in lowered.service_groups}
    flows: list[Flow] = []
    checks: list[Check] = []
    for service in lowered.services:
        if not service.is_active:
            continue
        servers = [server for server in service.real_servers if server.is_active]
        checks += [check for server in servers for check in server.checks]
        for endpoint in _endpoints(service, groups, collector):
            if endpoint.vip not in vips:
                collector.note(f"{endpoint.key}: {endpoint.vip} is no IPv4 VIP of the directors")
            elif endpoint.protocol not in {"tcp", "udp"}:
                collector.note(f"{endpoint.key}: the lab's client does not speak SCTP")
            elif not servers:
                collector.note(f"{endpoint.key}: the service has no real server")
            else:
                _listen(endpoint, service, servers, collector)
                flows.append(_flow(endpoint, service, servers, names))
    programs = stand_ins(collector.nannies.values(), checks)
    for program in programs:
        collector.note(f"{program.path} is played by the lab where the machine does not have it")
    listeners = {host: tuple(found.values()) for host, found in collector.listeners.items()}
    return Workload(tuple(flows), listeners, programs, tuple(collector.notes))


def _nannies(source: Configuration) -> dict[tuple[str, int, str], NannyCheck]:
    """Checks of an lvs.cf by what they check; the first block decides, as it did in lvsd."""
    found: dict[tuple[str, int, str], NannyCheck] = {}
    for service in source.services:
        if service.is_active and service.nanny is not None and service.vip is not None:
            address = canonical(service.vip.address) or service.vip.address
            key = (address, service.port or 0, service.protocol or "tcp")
            found.setdefault(key, service.nanny)
    return found


def _endpoints(
    service: VirtualService, groups: Mapping[str, ServiceGroup], collector: _Collector
) -> Iterator[_Endpoint]:
    """What a client can connect to. Of a range of addresses the first one stands for all."""
    protocol = service.protocol or "tcp"
    if service.mark is not None:
        key = f"FWM {service.mark}"
        for rule in service.mark_rules:
            address = canonical(rule.address) or rule.address
            yield _Endpoint(key, address, rule.port or _ANY_PORT, rule.protocol)
        if not service.mark_rules:
            collector.note(f"{key}: what gets the mark is not in the configuration")
    elif service.group is not None:
        group = groups.get(service.group)
        for entry in () if group is None else group.entries:
            if entry.address is None:
                collector.note(f"FWM {entry.mark}: what gets the mark is not in the configuration")
            else:
                yield _addressed(entry.address, entry.port, protocol)
    elif service.address is not None:
        yield _addressed(service.address, service.port, protocol)


def _addressed(text: str, port: int | None, protocol: str) -> _Endpoint:
    address = canonical(text) or text
    return _Endpoint(
        f"{protocol.upper()} {address}:{port or 0}", address, port or _ANY_PORT, protocol
    )


def _listen(
    endpoint: _Endpoint,
    service: VirtualService,
    servers: list[RealServer],
    collector: _Collector,
) -> None:
    nanny = collector.nannies.get((endpoint.vip, endpoint.port, endpoint.protocol))
    for server in servers:
        host = collector.names.of_server(server.address)
        is_masqueraded = method_of(service, server) == MASQUERADE
        port = (server.port or endpoint.port) if is_masqueraded else endpoint.port
        if nanny is not None:
            collector.listen(host, answer_to_nanny(port, endpoint.protocol, nanny))
        else:
            collector.listen(host, answer_to_checks(port, endpoint.protocol, server.checks))
        for other in _other_ports(server, port):
            collector.listen(host, answer_to_checks(other, "tcp", server.checks))


def _other_ports(server: RealServer, port: int) -> Iterator[int]:
    """Ports that only checks ask."""
    for check in server.checks:
        connect = getattr(check, "connect", None)
        if connect is not None and connect.address is None and connect.port not in {None, port}:
            yield connect.port


def method_of(service: VirtualService, server: RealServer) -> str:
    """The forwarding method of one real server."""
    forwarding = server.forwarding or service.forwarding
    return MASQUERADE if forwarding is None else forwarding.method


def _flow(
    endpoint: _Endpoint, service: VirtualService, servers: list[RealServer], names: Names
) -> Flow:
    weights: dict[str, int] = {}
    destinations: dict[str, set[int | None]] = {}
    for server in servers:
        host = names.of_server(server.address)
        given = server.weight if server.weight is not None else service.weight
        weight = 1 if given is None else given
        weights[host] = weights.get(host, 0) + weight
        if weight > 0:
            destinations.setdefault(host, set()).add(server.port)
    scheduler = service.scheduler or _DEFAULT_SCHEDULER
    methods = {method_of(service, server) for server in servers}
    return Flow(
        service=endpoint.key,
        vip=endpoint.vip,
        port=endpoint.port,
        protocol=endpoint.protocol,
        scheduler=scheduler,
        is_persistent=service.persistence_s is not None,
        method=methods.pop() if len(methods) == 1 else DIRECT,
        weights=tuple(sorted(weights.items())),
        destinations=tuple(sorted((host, len(ports)) for host, ports in destinations.items())),
        requests=_request_count(scheduler, weights),
    )


def _request_count(scheduler: str, weights: Mapping[str, int]) -> int:
    """Enough to see the spread: whole cycles of the scheduler where they are not too long."""
    used = [weight for weight in weights.values() if weight > 0]
    if not used:
        return FEWEST_REQUESTS
    divisor = reduce(gcd, used)
    cycle = sum(used) // divisor if scheduler in _WEIGHTED else len(used)
    if cycle >= MOST_REQUESTS:
        return MOST_REQUESTS
    return cycle * max(2, -(-FEWEST_REQUESTS // cycle)) if cycle < MOST_REQUESTS // 2 else cycle
