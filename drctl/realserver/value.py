"""What a real server is to have, and what it has. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from drctl.adapters.addresses import LinkState, Present
from drctl.adapters.arp_rules import Chain
from drctl.adapters.listening import Listener
from drctl.adapters.nat_rules import Redirection
from drctl.adapters.sysctls import Setting
from drctl.render.real_server_plan import Plan


@dataclass(frozen=True, slots=True)
class Service:
    """A port of a VIP that a director sends here; `own` is the server's own address."""

    vip: str
    protocol: str
    port: int
    own: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that brings it all back at boot."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a host of a setup is to have; `plan` is the renderers' own."""

    host: str
    plan: Plan
    services: tuple[Service, ...]
    files: tuple[File, ...] = ()


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

    @property
    def cards(self) -> tuple[str, ...]:
        """The interfaces on which ARP is spoken."""
        return tuple(
            link.interface for link in self.links if link.has_arp and link.interface != "lo"
        )


@dataclass(frozen=True, slots=True)
class Boot:
    """What the boot files say: the text of each that is wanted (None: it is not there), and the
    settings that win."""

    files: dict[str, str | None]
    settings: dict[str, Setting]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it is to be, and what a client would see of it."""

    what: str
    wanted: str
    actual: str
    effect: str
