"""What a guest has to build and measure, as values that travel to it as JSON.

The guest program reads this and nothing else of drctl: standard library only.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

SCHEMA = 1
NONE = "none"
"""The trial without ARP rules: the real servers get the VIPs and nothing else."""

CLIENT = "client"
BYSTANDER = "bystander"
"""A host that is no part of the setup."""
DIRECTOR = "director"
REAL_SERVER = "real-server"


@dataclass(frozen=True, slots=True)
class Port:
    """A network card of a host. `segment` names the switch; `addresses` are `address/length`."""

    name: str
    segment: str
    mac: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """`destination` (address/length) is on the link of `device`."""

    destination: str
    device: str


@dataclass(frozen=True, slots=True)
class Listener:
    """A server on a real server. `answer` is latin-1 text for a check; `speaks_first` sends it
    before anything was received; `is_smtp` answers every further line with 250."""

    port: int
    protocol: str
    answer: str
    speaks_first: bool = False
    is_smtp: bool = False


@dataclass(frozen=True, slots=True)
class LabHost:
    """A host. `folder` is the name below the converted output, None for the client."""

    name: str
    roles: tuple[str, ...]
    ports: tuple[Port, ...]
    routes: tuple[Route, ...] = ()
    listeners: tuple[Listener, ...] = ()
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Vip:
    """A VIP on `segment`. `is_asked`: the client is on that segment; a gateway of masqueraded
    real servers is not for clients."""

    address: str
    segment: str
    is_asked: bool = True


@dataclass(frozen=True, slots=True)
class Flow:
    """Requests of the client to one address and port. `service` is IPVS's name of the service
    (`TCP 192.0.2.80:80`, `FWM 5`); `weights` are by host name, `destinations` how many
    entries with a weight above 0 IPVS has for each host; `requests` are sent."""

    service: str
    vip: str
    port: int
    protocol: str
    scheduler: str
    is_persistent: bool
    method: str
    weights: tuple[tuple[str, int], ...]
    destinations: tuple[tuple[str, int], ...]
    requests: int

    def without(self, host: str) -> Flow:
        """The flow when a host is dead."""
        return dataclasses.replace(
            self,
            weights=tuple(pair for pair in self.weights if pair[0] != host),
            destinations=tuple(pair for pair in self.destinations if pair[0] != host),
        )


@dataclass(frozen=True, slots=True)
class StandIn:
    """A program that the configuration calls and the lab does not have: prints `output`."""

    path: str
    output: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One method, from bare hosts to the failover. `output` is the folder that was converted for
    it, `backend` which of Debian's two variants the arptables and iptables commands are."""

    method: str
    output: str
    backend: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything. Times in milliseconds; `patience` stretches them on a slow guest. `stable_ms` is
    how long a director must have been active before it counts as the one that stays it."""

    hosts: tuple[LabHost, ...]
    vips: tuple[Vip, ...]
    flows: tuple[Flow, ...]
    stand_ins: tuple[StandIn, ...]
    trials: tuple[Trial, ...]
    forwarding: str
    has_pair: bool
    takeover_limit_ms: int
    patience: float = 1.0
    stable_ms: int = 0

    def host(self, name: str) -> LabHost:
        """The host of that name."""
        return next(host for host in self.hosts if host.name == name)

    @property
    def asked_vips(self) -> tuple[Vip, ...]:
        """VIPs that the client can ask for."""
        return tuple(vip for vip in self.vips if vip.is_asked)

    def with_role(self, role: str) -> tuple[LabHost, ...]:
        """Hosts that have the role."""
        return tuple(host for host in self.hosts if role in host.roles)

    def owner_of(self, mac: str) -> str:
        """Name of the host that a network card belongs to, or the MAC itself."""
        for host in self.hosts:
            if any(port.mac == mac for port in host.ports):
                return host.name
        return mac


def to_json(plan: Plan) -> str:
    """The plan for the guest."""
    return json.dumps({"schema": SCHEMA, **dataclasses.asdict(plan)})


def from_json(text: str) -> Plan:
    """The plan again; raises ValueError for another schema."""
    raw: dict[str, Any] = json.loads(text)
    if raw["schema"] != SCHEMA:
        raise ValueError(f"plan of schema {raw['schema']}, this guest program speaks {SCHEMA}")
    return Plan(
        hosts=tuple(_host(host) for host in raw["hosts"]),
        vips=tuple(Vip(**vip) for vip in raw["vips"]),
        flows=tuple(_flow(flow) for flow in raw["flows"]),
        stand_ins=tuple(StandIn(**program) for program in raw["stand_ins"]),
        trials=tuple(Trial(**trial) for trial in raw["trials"]),
        forwarding=raw["forwarding"],
        has_pair=raw["has_pair"],
        takeover_limit_ms=raw["takeover_limit_ms"],
        patience=raw["patience"],
        stable_ms=raw["stable_ms"],
    )


def _flow(raw: dict[str, Any]) -> Flow:
    pairs = {
        name: tuple((host, number) for host, number in raw[name])
        for name in ("weights", "destinations")
    }
    return Flow(**{**raw, **pairs})


def _host(raw: dict[str, Any]) -> LabHost:
    return LabHost(
        name=raw["name"],
        roles=tuple(raw["roles"]),
        ports=tuple(
            Port(port["name"], port["segment"], port["mac"], tuple(port["addresses"]))
            for port in raw["ports"]
        ),
        routes=tuple(Route(**route) for route in raw["routes"]),
        listeners=tuple(Listener(**listener) for listener in raw["listeners"]),
        folder=raw["folder"],
    )
