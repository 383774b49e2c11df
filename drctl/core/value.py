"""What the failover core is configured with. Durations are integer milliseconds (`_ms`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from drctl.core.beat import NEWEST_VERSION

NEVER_MS = 1 << 62
"""An instant that does not come."""
LATE_MS = 15
"""A beat that is less late than that is none that anybody cares about."""


@dataclass(frozen=True, slots=True)
class Vip:
    """A virtual address as the kernel is to hold it.

    `address` is canonical text without prefix, IPv4 or IPv6; `prefix` its length in bits;
    `interface` the card it lies on. `label`, `scope` and `broadcast` are empty when not wanted.
    """

    address: str
    prefix: int
    interface: str
    label: str = ""
    scope: str = ""
    broadcast: str = ""

    @property
    def is_v6(self) -> bool:
        return ":" in self.address


@dataclass(frozen=True)
class Timing:
    """All that the protocol waits for. The rest follows from the heartbeat.

    `lease_ms` is the lifetime of an address in the kernel (whole seconds), `fence_ms` that of the
    element which lets a group answer, 0 where there is no nftables. `confirm_probes` are sent
    within `confirm_ms` before a takeover, `confirm_limit_ms` at most.
    """

    heartbeat_ms: int = 100
    confirm_probes: int = 6
    fence_ms: int = 500
    lease_ms: int = 2000
    overlap_ms: int = 50
    handover_ms: int = 1000
    confirm_limit_ms: int = 30

    @cached_property
    def suspect_ms(self) -> int:
        """Silence that makes a peer suspect: one and a half heartbeats."""
        return self.heartbeat_ms + (self.heartbeat_ms + 1) // 2

    @cached_property
    def late_ms(self) -> int:
        """Age of the last beat from which on the next one is late. Beats of a busy machine are late
        by a few milliseconds all the time."""
        return self.heartbeat_ms + max(LATE_MS, self.heartbeat_ms // 5)

    @cached_property
    def confirm_ms(self) -> int:
        return min(self.confirm_limit_ms, self.heartbeat_ms)

    @cached_property
    def confirm_gap_ms(self) -> int:
        return max(1, self.confirm_ms // self.confirm_probes)

    @cached_property
    def quick_gap_ms(self) -> int:
        """Between probes when the peer's process is known to have ended: only its kernel can
        answer. So few of them take longer than the answer to one that is not quick."""
        gap_ms = self.confirm_gap_ms
        return max(min(2, gap_ms), min(gap_ms, 2 * gap_ms // (self.confirm_probes - 1)))

    @cached_property
    def vouched_ms(self) -> int:
        """For how long the last probe rules out who is silent: a burst of his own takes longer."""
        return self.quick_gap_ms * (self.confirm_probes - 1)

    @cached_property
    def stale_ms(self) -> int:
        """Age of an echo from which on a beat proves no life."""
        return 3 * self.heartbeat_ms

    @cached_property
    def blind_ms(self) -> int:
        """How long no witness may answer on a card over which a peer is heard."""
        return max(self.fence_ms, 5 * self.heartbeat_ms)

    @cached_property
    def fence_renew_ms(self) -> int:
        """How old the fence's lease may get before a turn renews it: about a tenth, which is of no
        use to who is late, and spares four of five renewals at a short heartbeat."""
        return max(0, self.fence_ms // 10 - self.heartbeat_ms // 2)

    @cached_property
    def renew_ms(self) -> int:
        """How often an address's lease is renewed: once a second, and well before it ends."""
        return min(1000, self.lease_ms // 2)

    @cached_property
    def has_fence(self) -> bool:
        return self.fence_ms > 0


@dataclass(frozen=True, slots=True)
class Track:
    """Something whose failure counts: `name` as the shell reports it.

    `weight` 0: its failure is a fault. Above 0: added to the priority while it is up; below 0:
    added while it is down (keepalived's rule, vrrp_track.c). With `is_value` the reported number
    times `weight` is added (track_file). `is_reversed`: the weight counts with the other sign, and
    without one being up is the fault. `wait_ms` is how long after the start the group is not taken
    while nothing was reported.
    """

    name: str
    weight: int = 0
    is_value: bool = False
    is_reversed: bool = False
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Announcing:
    """How often gratuitous ARP and unsolicited NA tell of a group's VIPs: `count` times when it is
    taken, the same again after `again_ms`, and `refresh_count` times every `refresh_ms` as long as
    it is held (0: never)."""

    count: int = 5
    again_ms: int = 5000
    refresh_ms: int = 0
    refresh_count: int = 1


@dataclass(frozen=True, slots=True)
class Member:
    """A vrrp_instance of a sync group: its priority and what changes it."""

    priority: int
    tracks: tuple[Track, ...] = ()


@dataclass(frozen=True)
class Group:
    """VIPs that move together: a vrrp_instance, a vrrp_sync_group, or all of an lvs.cf.

    `priority` is this node's, 1..255, and `tracks` is what changes it; where there are `members` it
    is the lowest of theirs, and `tracks` are those of all of them. `interfaces` are those of the
    VIPs and of the instances; each needs a witness. Without `is_preempting` a returning node stays
    standby beside a living holder of lower priority.
    """

    name: str
    vips: tuple[Vip, ...]
    interfaces: tuple[str, ...]
    priority: int = 100
    is_preempting: bool = True
    preempt_delay_ms: int = 0
    tracks: tuple[Track, ...] = ()
    members: tuple[Member, ...] = ()
    announcing: Announcing = Announcing()

    @cached_property
    def addresses(self) -> frozenset[str]:
        return frozenset(vip.address for vip in self.vips)

    @cached_property
    def by_interface(self) -> dict[str, tuple[str, ...]]:
        """The VIPs' addresses by the interface they lie on."""
        found: dict[str, list[str]] = {}
        for vip in self.vips:
            found.setdefault(vip.interface, []).append(vip.address)
        return {interface: tuple(addresses) for interface, addresses in found.items()}


@dataclass(frozen=True, slots=True)
class Link:
    """One heartbeat path to a peer; `interface` is ours that it runs over ("" when unknown)."""

    name: str
    interface: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another director. `addresses` are its link addresses by our interface that reaches them:
    pairs of interface and address; asked by ARP they tell its MACs, and that a card works."""

    node: str
    links: tuple[Link, ...]
    addresses: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Interface:
    """A card that carries VIPs: `macs` of ours on it, and stations which may be asked as witnesses
    (real servers, gateway), as addresses."""

    name: str
    macs: tuple[str, ...]
    witnesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arbiter:
    """Who decides when directors do not hear each other.

    Without `is_lease` it vouches for a director that does not hear all others, for `hold_ms` at
    most; without that he neither takes nor keeps. With `is_lease` it lends each group to one
    director at a time, and nobody holds one without.
    """

    is_lease: bool = False
    hold_ms: int = 0


@dataclass(frozen=True)
class Settings:
    """One node's whole configuration; `digest` is of what must be equal on all directors."""

    node: str
    groups: tuple[Group, ...]
    peers: tuple[Peer, ...]
    interfaces: tuple[Interface, ...]
    timing: Timing = field(default_factory=Timing)
    digest: str = ""
    arbiter: Arbiter | None = None
    newest_version: int = NEWEST_VERSION
    """Of heartbeats; an older one than there is makes it a director that is not upgraded yet."""

    @cached_property
    def macs(self) -> tuple[str, ...]:
        """All of this node's."""
        return tuple(mac for interface in self.interfaces for mac in interface.macs)
