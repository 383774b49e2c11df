"""VRRP: instances, their VIPs, sync groups and what they track. Terms of RFC 5798."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.model.origin import NO_ORIGINS, Leftover, Origins
from drctl.model.pair import Hook
from drctl.quickclass import dataclass, field

if TYPE_CHECKING:
    from drctl.model.routing import Route, Rule


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
class HmacKey:
    """A key of HMAC authentication by its number; `password` is the text, `hex:` with digits or
    `file:` with a path, and never appears in a report."""

    number: int
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class HmacAuthentication:
    """HMAC authentication, which keepalived 2.4 has. `mode` is `enforce`, `permissive` or
    `receive-only`, `anti_replay` `time` or `monotonic`; `time_window_s` how old an advert may be.
    """

    keys: tuple[HmacKey, ...] = ()
    active_key: int | None = None
    mode: str | None = None
    anti_replay: str | None = None
    time_window_s: int | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Vmac:
    """The macvlan device with the router's MAC address that an instance runs on (use_vmac); both
    are keepalived's choice when None. An `address` of five bytes is completed with the router ID.
    """

    name: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Ipvlan:
    """The ipvlan device that an instance runs on (use_ipvlan), with its own address; `mode` is
    `bridge`, `private` or `vepa`."""

    name: str | None = None
    address: str | None = None
    prefix: int | None = None
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class VrrpInstance:
    """One virtual router on one interface, as one director sees it.

    `state` is `MASTER` or `BACKUP` (None: not given, keepalived: BACKUP). `advert_ms` is None when
    not given (keepalived: 1000). `priority` 1..255. `old_checksum` is how unicast adverts of 1.3.6
    are met: `accepted` or `never`. `garp_extra_s` is the interval of announcements on the devices
    of further VIPs, on those that are no VMAC too with `garp_extra_on_all`. A master that was held
    up for longer than a backup of `late_priority` waits becomes a backup.
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
    garp_master_repeat: int | None = None
    garp_master_refresh_repeat: int | None = None
    garp_lower_prio_delay_s: int | None = None
    garp_lower_prio_repeat: int | None = None
    garp_extra_s: int | None = None
    garp_extra_on_all: bool = False
    is_strict: bool | None = None
    accepts: bool | None = None
    is_ipv6: bool = False
    needs_no_vip: bool = False
    promotes_secondaries: bool = False
    tracks_interface: bool = True
    tracks_source: bool = False
    polls_link: bool = False
    multicast_group: str | None = None
    unicast_ttl: int | None = None
    checks_unicast_source: bool = False
    is_fault_without_peer: bool = False
    old_checksum: str | None = None
    vmac: Vmac | None = None
    ipvlan: Ipvlan | None = None
    has_vmac_addresses: bool = False
    sends_from_base: bool = False
    vrf: str | None = None
    hmac: HmacAuthentication | None = None
    skips_address_check: bool | None = None
    is_silent_to_lower: bool | None = None
    answers_higher: bool | None = None
    ignores_adverts_as_owner: bool | None = None
    has_v2_checksum: bool | None = None
    late_priority: int | None = None
    receive_buffer_bytes: int | None = None
    debug_level: int | None = None
    notifies_priority: bool | None = None
    notifies_deletion: bool = False
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SyncGroup:
    """Instances that change state together; their tracks may have weights when
    `tracks_with_weight`."""

    name: str
    members: tuple[str, ...] = ()
    tracks: tuple[Track, ...] = ()
    hooks: tuple[Hook, ...] = ()
    sends_mail: bool | None = None
    notifies_priority: bool | None = None
    tracks_with_weight: bool = False
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TrackScript:
    """A vrrp_script: a command whose exit status is tracked. `is_reversed`: the weight counts when
    it fails. `starts_failed`: it counts as failed until it has run."""

    name: str
    command: str | None = None
    interval_ms: int | None = None
    timeout_ms: int | None = None
    weight: int | None = None
    is_reversed: bool = False
    rise: int | None = None
    fall: int | None = None
    starts_failed: bool = False
    user: str | None = None
    group: str | None = None
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)
