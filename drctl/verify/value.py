"""What is asked of a segment, what was heard, and what it means. Values only."""

from __future__ import annotations

from enum import StrEnum

from drctl.quickclass import dataclass, field


class Role(StrEnum):
    """What a host is to the setup. Which director is the active one is found out at the end."""

    DIRECTOR = "director"
    REAL_SERVER = "real-server"
    UNKNOWN = "unknown"


class How(StrEnum):
    """The way in which a station spoke for a VIP.

    REPLY: it answered a question. SOURCE: it named the VIP as its own address when it asked for
    another one. GRATUITOUS: it told everybody, unasked. LOCAL: it is this host, which does not
    hear itself.
    """

    REPLY = "reply"
    SOURCE = "source"
    GRATUITOUS = "gratuitous"
    LOCAL = "local"


class Verdict(StrEnum):
    """What the segment says of a VIP."""

    OK = "ok"
    UNANSWERED = "unanswered"
    LEAK = "leak"
    TWO_DIRECTORS = "two-directors"
    UNKNOWN_HOST = "unknown-host"


@dataclass(frozen=True, slots=True)
class Target:
    """A VIP (canonical text), and the interface of this host on whose segment it is asked for.
    `unnamed`: how many directors may be there whose own addresses on it are not known."""

    vip: str
    interface: str
    unnamed: int = 0


@dataclass(frozen=True, slots=True)
class Station:
    """A host of the setup, by one of its own addresses on a segment. `vips` are those that it
    serves behind the directors; `rank` orders directors, the first one is to be active."""

    address: str
    interface: str
    host: str
    role: Role
    vips: tuple[str, ...] = ()
    rank: int = 0
    ports: tuple[tuple[str, int], ...] = ()
    """Pairs of a VIP and a port of TCP that it takes connections for."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A station spoke for an address: VIP or its own. The MAC is in lower case with colons."""

    address: str
    mac: str
    interface: str
    how: How


@dataclass(frozen=True, slots=True)
class Here:
    """This host: its name in the setup ("" when it is none of it), the MACs of its interfaces,
    and the VIPs that it has on the interface where they are asked for."""

    host: str = ""
    role: Role = Role.UNKNOWN
    rank: int = 0
    macs: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Survey:
    """What was asked, and everything that was heard. `tried` are pairs of a station's address and a
    VIP: a packet for that VIP was to make it ask for another address. `provoked`: it did ask."""

    targets: tuple[Target, ...]
    stations: tuple[Station, ...]
    sightings: tuple[Sighting, ...]
    here: Here = Here()
    tried: frozenset[tuple[str, str]] = frozenset()
    provoked: frozenset[tuple[str, str]] = frozenset()
    active: str = ""
    """The director that says it is active, "" when nobody was asked."""
    proxies: frozenset[str] = frozenset()
    """MACs that answer for addresses that nobody has."""
    routers: frozenset[tuple[str, int]] = frozenset()
    """MACs that advertise a virtual router by VRRP, with its number."""
    ties: frozenset[tuple[str, str]] = frozenset()
    """Two MACs of one machine: what is sent to the first one it answers by the second one."""
    indirect: frozenset[tuple[str, str]] = frozenset()
    """MACs that answer clients about an IPv4 address, and no probes, as a proxy does; with it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One host's answer for a VIP. `role` is `active`, `standby`, `real-server` or `unknown`."""

    mac: str
    host: str
    role: str
    how: tuple[How, ...]

    @property
    def is_reply(self) -> bool:
        """It answers questions, as one that holds the VIP does."""
        return How.REPLY in self.how or How.LOCAL in self.how


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict of one VIP; `cause` and `hint` are empty for a good one."""

    vip: str
    verdict: Verdict
    answers: tuple[Answer, ...] = ()
    cause: str = ""
    hint: str = ""


class Passage(StrEnum):
    """Whether a real server takes a VIP's packets."""

    OK = "ok"
    BLACK_HOLE = "black-hole"
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True)
class Through:
    """What became of one connection to a real server, as a director would send it."""

    vip: str
    real_server: str
    verdict: Passage
    cause: str = ""
    port: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that one look gave."""

    findings: tuple[Finding, ...]
    through: tuple[Through, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def is_good(self) -> bool:
        """Every VIP is answered by one director, and no real server swallows packets."""
        return all(one.verdict is Verdict.OK for one in self.findings) and not any(
            one.verdict is Passage.BLACK_HOLE for one in self.through
        )
