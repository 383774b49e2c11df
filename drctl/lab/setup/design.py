"""What a lab consists of: hosts, cards, cables, and the directors' files. Pure.

Addresses, devices and host names are those of the configuration. The directors run `drctl run` with
the VRRP part of it; programs that the configuration calls are left out, since they would run on
this machine.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from drctl.convert.ledger import Ledger
from drctl.convert.naming import choose_names
from drctl.convert.options import ConvertOptions
from drctl.convert.pairing import Directors
from drctl.errors import UsageError
from drctl.lab.pair.director import Settings, drctl_toml
from drctl.lab.plan import BYSTANDER, CLIENT, DIRECTOR, REAL_SERVER, Flow, LabHost, Vip
from drctl.lab.setup.pace import pace_here
from drctl.lab.topology import Manner, topology_of, with_listeners
from drctl.lab.workload import workload_of
from drctl.model.check import TcpCheck
from drctl.model.configuration import Configuration
from drctl.model.pair import Settings as GlobalSettings
from drctl.model.service import VirtualService
from drctl.model.vrrp import VrrpInstance
from drctl.render.host import Host as SetupHost
from drctl.render.host import hosts_of
from drctl.render.keepalived import keepalived_file
from drctl.render.options import RenderOptions

NAMESPACE = "drctl-lab-"
"""What the names of all labs' namespaces begin with."""
SWITCH = "switch"
MOST_LINKS = 4
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,15}")
_DEVICE = re.compile(r"[^\s/:]{1,15}")
_MANNER = Manner(families=(4, 6), has_neighbours=True, needs_services=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a lab comes from: the configuration file, its dialect, and the method against the ARP
    problem that the real servers use."""

    path: str
    dialect: str
    method: str


@dataclass(frozen=True)
class Design:
    """Everything. `setup` are the machines as the conversion knows them, `views` the directors'
    configurations; `files` are the directors' by node and name; `flows` are what clients ask."""

    name: str
    source: Source
    hosts: tuple[LabHost, ...]
    vips: tuple[Vip, ...]
    setup: tuple[SetupHost, ...]
    views: tuple[Configuration, ...]
    files: dict[str, dict[str, str]]
    flows: tuple[Flow, ...]
    notes: tuple[str, ...]

    def namespace(self, host: str) -> str:
        """The host's network namespace."""
        return namespace_of(self.name, host)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """All of them, the switch's first."""
        return tuple(self.namespace(name) for name in (SWITCH, *(one.name for one in self.hosts)))

    @property
    def bridges(self) -> dict[str, str]:
        """The switch's bridge of each segment."""
        segments = dict.fromkeys(port.segment for host in self.hosts for port in host.ports)
        return {segment: f"br{number}" for number, segment in enumerate(segments)}

    def port(self, host: str, card: str) -> str:
        """The switch's end of a host's cable."""
        number = next(n for n, one in enumerate(self.hosts) if one.name == host)
        cards = [port.name for port in self.hosts[number].ports]
        return f"h{number}p{cards.index(card)}"

    def host(self, name: str) -> LabHost:
        """The host of that name. Raises UsageError."""
        found = next((one for one in self.hosts if one.name == name), None)
        if found is None:
            names = ", ".join(one.name for one in self.hosts)
            raise UsageError(f"the lab has no host {name}; there are {names}")
        return found

    def with_role(self, role: str) -> tuple[LabHost, ...]:
        """Hosts that have the role."""
        return tuple(host for host in self.hosts if role in host.roles)

    @property
    def client(self) -> LabHost:
        """The host that asks."""
        return self.with_role(CLIENT)[0]

    @property
    def bystander(self) -> LabHost:
        """The host that is no part of the setup."""
        return self.with_role(BYSTANDER)[0]

    @property
    def directors(self) -> tuple[LabHost, ...]:
        """The pair, the primary first."""
        return self.with_role(DIRECTOR)

    @property
    def real_servers(self) -> tuple[LabHost, ...]:
        """Those that serve, directors that do too."""
        return self.with_role(REAL_SERVER)

    @property
    def digest(self) -> str:
        """Differs when anything of it does."""
        serving = [[host.name, *map(repr, host.bindings)] for host in self.setup]
        parts = [asdict(self.source), list(map(asdict, self.hosts)), self.files, serving]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def namespace_of(lab: str, host: str) -> str:
    """The network namespace of a lab's host."""
    return f"{NAMESPACE}{lab}.{host}"


def check_name(name: str) -> str:
    """A lab's name. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name} is no name for a lab: at most 16 small letters, digits and hyphens"
        )
    return name


def design_of(
    name: str, source: Source, configuration: Configuration, directors: Directors, folder: Path
) -> Design:
    """The lab of a configuration file, as read, and of its directors; `folder` is where the
    directors' files will be. Raises UsageError for what no lab can show."""
    if directors.backup is None:
        raise UsageError(
            "the configuration is of one director and has no pair (vrrp_instance; in an lvs.cf: "
            "backup_active); `drctl lab run FILE` tries one director in a guest kernel"
        )
    names = choose_names(directors, ConvertOptions(), Ledger())
    setup = hosts_of(directors.primary, directors.backup, names)
    views = (directors.primary, directors.backup)
    topology = topology_of(configuration, views, setup, None, _MANNER)
    vips = frozenset(vip.address for vip in topology.vips)
    workload = workload_of(configuration, directors.primary, names, vips)
    hosts = tuple(with_listeners(h, workload.listeners.get(h.name, ())) for h in topology.hosts)
    _check_devices(hosts)
    pair = [host for host in hosts if DIRECTOR in host.roles]
    files = _files(pair, views, source, folder)
    known = tuple(_with_addresses(one, hosts) for one in setup)
    flows = workload.flows
    return Design(name, source, hosts, topology.vips, known, views, files, flows, topology.notes)


def _with_addresses(one: SetupHost, hosts: tuple[LabHost, ...]) -> SetupHost:
    """The machine with the addresses that the lab chose for it, so that it is known by them."""
    built = [host for host in hosts if host.name == one.name]
    chosen = [text for host in built for port in host.ports for text in _bare(port.addresses)]
    return replace(one, addresses=tuple(dict.fromkeys((*one.addresses, *chosen))))


def _check_devices(hosts: tuple[LabHost, ...]) -> None:
    for host in hosts:
        for port in host.ports:
            if not _DEVICE.fullmatch(port.name) or port.name in {"lo", ".", "..", "all", "default"}:
                raise UsageError(f"{port.name} is no device that the lab can make")


def _files(
    pair: list[LabHost], views: tuple[Configuration, ...], source: Source, folder: Path
) -> dict[str, dict[str, str]]:
    options, pace = RenderOptions(Path(source.path).name), pace_here()
    files = {}
    for own, other, view in zip(pair, reversed(pair), views, strict=True):
        settings = Settings(
            node=own.name,
            peer=other.name,
            priority=0,
            heartbeat_ms=pace.heartbeat_ms,
            vips=(),
            links=_links(own, other),
            server="",
            keys=folder / "keys",
            confirm_ms=pace.confirm_ms,
        )
        files[own.name] = {
            "keepalived.conf": keepalived_file(_quiet(view), options)[0].text,
            "drctl.toml": drctl_toml(settings, folder / own.name),
        }
    return files


def _links(own: LabHost, other: LabHost) -> tuple[tuple[str, str], ...]:
    """A heartbeat link over each segment that both are on."""
    links = []
    for mine in own.ports:
        for theirs in other.ports:
            if mine.segment == theirs.segment:
                pairs = ((a, b) for a in _bare(mine.addresses) for b in _bare(theirs.addresses))
                links += [pair for pair in pairs if (":" in pair[0]) == (":" in pair[1])][:1]
    if not links:
        raise UsageError(f"{own.name} and {other.name} are on no network together")
    return tuple(links[:MOST_LINKS])


def _bare(addresses: tuple[str, ...]) -> list[str]:
    """Without prefix lengths; link-local ones need a device, and are left out."""
    return [text.partition("/")[0] for text in addresses if not text.startswith("fe80:")]


def _quiet(view: Configuration) -> Configuration:
    """What failover and IPVS need of a director's configuration: nothing that runs a program,
    sends mail, or is not about VIPs and real servers."""
    return replace(
        Configuration(),
        rank=view.rank,
        settings=GlobalSettings(),
        directors=view.directors,
        instances=tuple(_quiet_instance(one) for one in view.instances),
        sync_groups=tuple(
            replace(one, hooks=(), sends_mail=None, tracks=(), notifies_priority=None, leftovers=())
            for one in view.sync_groups
        ),
        services=tuple(_quiet_service(one) for one in view.services),
        service_groups=view.service_groups,
    )


def _quiet_instance(instance: VrrpInstance) -> VrrpInstance:
    return VrrpInstance(
        name=instance.name,
        state=instance.state,
        interface=instance.interface or "eth0",
        virtual_router_id=instance.virtual_router_id,
        priority=instance.priority,
        is_preempting=instance.is_preempting,
        preempt_delay_ms=instance.preempt_delay_ms,
        vips=tuple(replace(vip, options=()) for vip in instance.vips),
        tracks=tuple(replace(t, options=()) for t in instance.tracks if t.kind == "interface"),
    )


def _quiet_service(service: VirtualService) -> VirtualService:
    is_tcp = (service.protocol or "TCP").upper() == "TCP"
    servers = tuple(
        replace(
            one,
            # of all checks what the lab's servers can pass, without a program
            checks=(TcpCheck(),) if one.checks and is_tcp else (),
            hooks=(),
            sends_mail=None,
            leftovers=(),
        )
        for one in service.real_servers
    )
    return replace(service, hooks=(), sends_mail=None, leftovers=(), real_servers=servers)
