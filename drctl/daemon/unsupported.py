"""What of a configuration the heartbeat replaces, and what the daemon cannot honour, keyword by
keyword. A field that stands in no table here is honoured, or belongs to the health checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Leftover
from drctl.model.pair import Pulse
from drctl.model.vrrp import SyncGroup, Vip, VrrpInstance
from drctl.text.place import Place

_WIRE = "belongs to VRRP on the wire; the heartbeat takes its place"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that is not carried out as it stands, and why."""

    place: Place | None
    why: str
    is_replaced: bool = False


REPLACED_OF_INSTANCE = {
    **dict.fromkeys(
        {
            "virtual_router_id",
            "advert_ms",
            "down_timer_adverts",
            "version",
            "unicast_source",
            "unicast_peers",
            "multicast_source",
            "multicast_group",
            "authentication",
            "hmac",
            "unicast_ttl",
            "old_checksum",
            "checks_unicast_source",
            "is_fault_without_peer",
            "is_ipv6",
            "needs_no_vip",
            "sends_from_base",
            "skips_address_check",
            "is_silent_to_lower",
            "answers_higher",
            "ignores_adverts_as_owner",
            "has_v2_checksum",
            "garp_lower_prio_delay_s",
            "garp_lower_prio_repeat",
            "receive_buffer_bytes",
        },
        _WIRE,
    ),
    "late_priority": "a late process loses its lease in the kernel instead",
    "debug_level": "the daemon's log has its own settings",
}
REFUSED_OF_INSTANCE = {
    "routes": "routes do not move with the VIPs",
    "rules": "rules do not move with the VIPs",
    "vmac": "the VIPs keep the card's hardware address, there is no VMAC",
    "ipvlan": "the VIPs stay on the card, there is no ipvlan device",
    "has_vmac_addresses": "the VIPs keep the card's hardware address, there is no VMAC",
    "vrf": "there is no support for VRFs",
    "tracks_source": "the loss of the source address is not tracked",
    "polls_link": "the carrier is taken from the kernel's events, cards are not polled",
    "garp_extra_s": "there are no extra announcements",
    "garp_extra_on_all": "there are no extra announcements",
    "notifies_priority": "scripts are not told of changes of priority",
}
REPLACED_OF_DEFAULTS = {
    **dict.fromkeys(
        {
            "has_local_igmp",
            "multicast_group_ipv4",
            "multicast_group_ipv6",
            "down_timer_adverts",
            "garp_lower_prio_delay_s",
            "garp_lower_prio_repeat",
            "has_fewest_garps",
            "checks_unicast_source",
            "skips_address_check",
            "is_silent_to_lower",
            "answers_higher",
            "ignores_adverts_as_owner",
            "has_v2_checksum",
            "receive_buffer_policy",
            "receive_buffer_factor",
            "logs_unknown_routers",
        },
        _WIRE,
    ),
    "has_dynamic_interfaces": "a card may always come later",
    "interfaces_may_change": "a card may always come later",
    "garp_interval_us": "all announcements of a takeover go out at once",
    "gna_interval_us": "all announcements of a takeover go out at once",
    "vmac_prefix": "there are no VMACs",
    "vmac_address_prefix": "there are no VMACs",
}
REFUSED_OF_DEFAULTS = {
    "startup_delay_us": "the daemon listens as long as its own timing says",
    "boot_delay_us": "the daemon listens as long as its own timing says",
    "garp_extra_s": "there are no extra announcements",
    "garp_extra_on_all": "there are no extra announcements",
    "notifies_priority": "scripts are not told of changes of priority",
}
REPLACED_OF_SETTINGS = {"vrrp_version": _WIRE}
REFUSED_OF_SETTINGS = {
    "sync_daemon": "connections are not synchronised",
    "startup_timeout_s": "the startup script is not run",
    "shutdown_timeout_s": "the shutdown script is not run",
    "repeats_states_on_reload": "a reload does not repeat the states",
}
_REFUSED_OF_CONFIGURATION = {
    "namespace": "the daemon runs in the network namespace it is started in",
    "interface_delays": "carrier counts at once",
    "polled_links": "the carrier is taken from the kernel's events, cards are not polled",
    "static_addresses": "static addresses are not set",
    "static_routes": "static routes are not set",
    "static_rules": "static rules are not set",
}
_ON_BY_DEFAULT = {"has_local_igmp"}
"""What a statement can only take away."""
_REFUSED_OPTIONS = frozenset(
    {"peer", "home", "mngtmpaddr", "noprefixroute", "autojoin", "use_vmac", "track_group"}
)
_REPLACED_OPTIONS = {
    "-nodad": "the segment is asked for it before it is taken",
    "no_track": "an address that somebody removes is always put back",
    "preferred_lft": "the lease says how long an address lives",
}
_NOT_UNDERSTOOD = "it is not understood"
_REFUSED_EVENTS = frozenset({"startup", "shutdown", "notify_fifo", "vrrp_notify_fifo"})
_SYNC = "syncs_connections"


def examine(configuration: Configuration) -> Iterator[Statement]:
    """All such statements that failover has to do with."""
    settings = configuration.settings
    yield from _fields(settings, REPLACED_OF_SETTINGS, is_replaced=True)
    yield from _fields(settings, REFUSED_OF_SETTINGS)
    if settings.vrrp is not None:
        yield from _fields(settings.vrrp, REPLACED_OF_DEFAULTS, is_replaced=True)
        yield from _fields(settings.vrrp, REFUSED_OF_DEFAULTS)
    if settings.packet_filter is not None:
        why = "the fence is the daemon's own table of nftables"
        yield from _object(settings.packet_filter, why, is_replaced=True)
    for hook in settings.hooks:
        if hook.event in _REFUSED_EVENTS:
            yield from _object(hook, f"the {hook.event} script is not run")
    yield from _fields(configuration, _REFUSED_OF_CONFIGURATION)
    for group in configuration.garp_groups:
        yield from _object(group, REPLACED_OF_DEFAULTS["garp_interval_us"], is_replaced=True)
    for instance in configuration.instances:
        yield from _instance(instance, is_strict=settings.is_vrrp_strict)
    for group_ in configuration.sync_groups:
        yield from _sync_group(group_)
    for leftovers in (
        *(one.leftovers for one in configuration.scripts),
        *(one.leftovers for one in configuration.track_files),
        *(one.leftovers for one in configuration.track_processes),
    ):
        yield from _left(leftovers)
    for leftover in settings.leftovers:
        if leftover.word.startswith(("vrrp", "garp", "gna", "notify", "smtp")):
            yield from _left((leftover,))


_REPLACED_OF_PULSE = {
    "keepalive_ms": "[timing] of drctl.toml says how often there is a heartbeat",
    "deadtime_ms": "a takeover follows from the heartbeat and from what the segment answers",
    "backup_active": "drctl.toml names the peers",
    "monitor_links": "the carrier of the VIPs' interfaces always counts",
}


def replaced_of_pulse(pulse: Pulse) -> Iterator[Statement]:
    """What of pulse's own heartbeat the daemon's takes the place of."""
    for field, why in _REPLACED_OF_PULSE.items():
        for place in pulse.origins.get(field, ()):
            yield Statement(place, why, is_replaced=True)


def _instance(instance: VrrpInstance, *, is_strict: bool) -> Iterator[Statement]:
    yield from _fields(instance, REPLACED_OF_INSTANCE, is_replaced=True)
    yield from _fields(instance, REFUSED_OF_INSTANCE)
    if not instance.tracks_interface:
        why = "the carrier of the VIPs' own interface always counts"
        yield from _at(instance, "tracks_interface", why)
    drops = "packets to the VIPs are accepted by the active director"
    if instance.accepts is False:
        yield from _at(instance, "accepts", drops)
    elif instance.accepts is None:
        strict = is_strict if instance.is_strict is None else instance.is_strict
        if strict:
            yield from _at(
                instance, "is_strict", f"with vrrp_strict keepalived drops them, {drops}"
            )
    for vip in instance.vips:
        yield from _vip(vip)
    yield from _tracks(instance)
    yield from _left(instance.leftovers)


def _vip(vip: Vip) -> Iterator[Statement]:
    for word in vip.options:
        if word in _REFUSED_OPTIONS:
            yield from _at(vip, "options", f"the option {word} of an address is not set")
            return
    for word, why in _REPLACED_OPTIONS.items():
        if word in vip.options:
            yield from _at(vip, "options", why, is_replaced=True)


def _sync_group(group: SyncGroup) -> Iterator[Statement]:
    if group.notifies_priority:
        yield from _at(group, "notifies_priority", REFUSED_OF_INSTANCE["notifies_priority"])
    yield from _tracks(group)
    yield from _left(group.leftovers)


def _tracks(owner: VrrpInstance | SyncGroup) -> Iterator[Statement]:
    for track in owner.tracks:
        if track.kind == "bfd":
            yield from _object(track, "BFD sessions are not tracked")


def _left(found: tuple[Leftover, ...]) -> Iterator[Statement]:
    for leftover in found:
        yield Statement(leftover.place, f"{_NOT_UNDERSTOOD} ({leftover.reason})")


def _fields(
    owner: Any, table: Mapping[str, str], *, is_replaced: bool = False
) -> Iterator[Statement]:
    for field, why in table.items():
        value = getattr(owner, field)
        is_off = value is None or value is False or value == ()
        if value is True if field in _ON_BY_DEFAULT else is_off:
            continue
        if field in owner.origins or not isinstance(value, tuple):
            yield from _at(owner, field, why, is_replaced=is_replaced)
        else:
            for one in value:
                yield from _object(one, why, is_replaced=is_replaced)


def _at(owner: Any, field: str, why: str, *, is_replaced: bool = False) -> Iterator[Statement]:
    value = getattr(owner, field)
    origins = owner.origins.get(field)
    if not origins and hasattr(value, "origins"):
        yield from _object(value, why, is_replaced=is_replaced)
        return
    places = origins or owner.origins.get(SELF, (None,))
    yield Statement(places[-1], why, is_replaced)


def _object(owner: Any, why: str, *, is_replaced: bool = False) -> Iterator[Statement]:
    origins = owner.origins
    places = origins.get(SELF) or next(iter(origins.values()), (None,))
    yield Statement(places[-1], why, is_replaced)
