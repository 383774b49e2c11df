"""VRRP: instances, their VIPs, sync groups and what they track. Terms of RFC 5798."""

from __future__ import annotations

from drctl.model.origin import NO_ORIGINS, Leftover, Origins
from drctl.model.pair import Hook
from drctl.model.routing import Route, Rule
from drctl.quickclass import dataclass, field


@dataclass(frozen=True, slots=True)
class Vip:
    """A virtual IP address, IPv4 or IPv6, in canonical text form.

    `prefix` is the length in bits, None when not given (keepalived: /32, /128). `device` None means
    the instance's interface. `options` are further words of the entry in order (`brd`, `scope` …
    with their values). `is_excluded` marks virtual_ipaddress_excluded.
    """

    address: str
    prefix: int | None = None
    device: str | None = None
    label: str | None = None
    options: tuple[str, ...] = ()
    is_excluded: bool = False
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Authentication:
    """VRRPv2 authentication; `kind` is `PASS` or `AH`. The password never appears in a report."""

    kind: str | None
    password: str | None = field(default=None, repr=False)
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class UnicastPeer:
    """A peer's address; `options` are further words (min_ttl, max_ttl with values)."""

    address: str
    options: tuple[str, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Track:
    """A tracked thing by name. `kind` is `interface`, `script`, `file`, `process` or `bfd`;
    `weight` is added to the priority (None: its failure is a fault)."""

    kind: str
    name: str
    weight: int | None = None
    options: tuple[str, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class VrrpInstance:
    """One virtual router on one interface, as one director sees it.

    `state` is `MASTER` or `BACKUP` (None: not given, keepalived: BACKUP). `advert_ms` is None when
    not given (keepalived: 1000). `priority` 1..255.
    """

    name: str
    state: str | None = None
    interface: str | None = None
    virtual_router_id: int | None = None
    priority: int | None = None
    advert_ms: int | None = None
    down_timer_adverts: int | None = None
    is_preempting: bool = True
    preempt_delay_ms: int | None = None
    version: int | None = None
    unicast_source: str | None = None
    unicast_peers: tuple[UnicastPeer, ...] = ()
    multicast_source: str | None = None
    authentication: Authentication | None = None
    vips: tuple[Vip, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    tracks: tuple[Track, ...] = ()
    hooks: tuple[Hook, ...] = ()
    sends_mail: bool | None = None
    garp_master_delay_s: int | None = None
    garp_master_refresh_s: int | None = None
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SyncGroup:
    """Instances that change state together."""

    name: str
    members: tuple[str, ...] = ()
    tracks: tuple[Track, ...] = ()
    hooks: tuple[Hook, ...] = ()
    sends_mail: bool | None = None
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TrackScript:
    """A vrrp_script: a command whose exit status is tracked. `is_reversed`: the weight counts when
    it fails."""

    name: str
    command: str | None = None
    interval_ms: int | None = None
    timeout_ms: int | None = None
    weight: int | None = None
    is_reversed: bool = False
    rise: int | None = None
    fall: int | None = None
    user: str | None = None
    group: str | None = None
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)
