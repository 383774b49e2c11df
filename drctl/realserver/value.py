"""What a real server is to have, and what it has. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from drctl.adapters.addresses import LinkState, Present
from drctl.adapters.arp_rules import Chain
from drctl.adapters.boot_addresses import BootAddress
from drctl.adapters.boot_units import UnitState
from drctl.adapters.filter_chain import FilterChain
from drctl.adapters.layers import Layers
from drctl.adapters.listening import Listener
from drctl.adapters.nat_rules import Redirection
from drctl.adapters.route_lookup import Route
from drctl.adapters.sysctls import Setting
from drctl.render.real_server_plan import Plan


@dataclass(frozen=True, slots=True)
class Service:
    """A port of a VIP that a director sends here; `own` is the server's own address. `is_own`: it
    comes to that one, as with masquerading."""

    vip: str
    protocol: str
    port: int
    own: str
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file that brings it all back at boot."""

    path: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a host of a setup is to have; `plan` is the renderers' own. `own` are the addresses that
    the directors send to, `directors` all of theirs, those that move too."""

    host: str
    plan: Plan
    services: tuple[Service, ...]
    files: tuple[File, ...] = ()
    own: tuple[str, ...] = ()
    directors: tuple[str, ...] = ()
    net: str = "systemd"


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the kernel does with a client's packet for an address of this host that comes in on a
    card. The card with the way back is `back`."""

    address: str
    client: str
    card: str
    route: Route
    back: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How an answer from an address of this host leaves for a client. `is_far`: the client is in
    none of this host's networks."""

    address: str
    client: str
    route: Route
    is_far: bool


@dataclass(frozen=True, slots=True)
class Kernel:
    """The running kernel of a host, in this network namespace."""

    present: tuple[Present, ...]
    links: tuple[LinkState, ...]
    arp_ignore: dict[str, int]
    arp_announce: dict[str, int]
    rp_filter: dict[str, int]
    arp_chains: tuple[Chain, ...]
    redirections: tuple[Redirection, ...]
    listeners: tuple[Listener, ...]
    arrivals: tuple[Arrival, ...] = ()
    answers: tuple[Answer, ...] = ()
    layers: Layers = Layers()
    arp_notify: dict[str, int] = field(default_factory=dict)
    filter_chains: tuple[FilterChain, ...] = ()
    proxied: dict[tuple[str, str], str] = field(default_factory=dict)
    """VIPs that it answers for in somebody's place, each with the card: what has it do so."""
    routed: frozenset[str] = frozenset()
    """VIPs whose packets a local route takes here, without an address."""

    @property
    def cards(self) -> tuple[str, ...]:
        """The interfaces on which ARP is spoken; for its slaves a bond speaks."""
        silent = {"lo", *self.layers.ports}
        return tuple(
            link.interface for link in self.links if link.has_arp and link.interface not in silent
        )


@dataclass(frozen=True, slots=True)
class Boot:
    """What the boot files say: the text of each that is wanted (None: it is not there) and its
    mode, the settings that win, what starts the units, whether what brings up the VIPs starts (by
    its unit), where the rules and the network start by runlevel of System V, and the addresses of
    other files. `reads_interfaces_d`: what /etc/network/interfaces has to do."""

    files: dict[str, str | None]
    settings: dict[str, Setting]
    modes: dict[str, int] = field(default_factory=dict)
    units: dict[str, UnitState] = field(default_factory=dict)
    providers: dict[str, bool] = field(default_factory=dict)
    rules_start: dict[int, int] = field(default_factory=dict)
    network_start: dict[int, int] = field(default_factory=dict)
    addresses: tuple[BootAddress, ...] = ()
    reads_interfaces_d: bool = True


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it is to be, and what a client would see of it."""

    what: str
    wanted: str
    actual: str
    effect: str
