"""pulse's addresses and heartbeat as VRRP instances.

Everything moves together in Piranha, so there is one instance with all VIPs, and a second one in
the same sync group when nat_router lies on another device.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.lower_heartbeat import (
    Networks,
    decide_backup,
    lower_hooks,
    lower_tracks,
    note_replaced,
    private_device,
    timed,
)
from drctl.convert.lower_local import LocalParts
from drctl.convert.lower_unicast import Instances, seat
from drctl.convert.lower_vip import lower_gateway, lower_vips, note_own_address, on_interface
from drctl.convert.options import ConvertOptions
from drctl.errors import UsageError
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF
from drctl.model.pair import Director, Hook, Pulse, Rank
from drctl.model.vrrp import Vip, VrrpInstance
from drctl.units import in_same_network, inet_aton

INSTANCE = "piranha"
GATEWAY_INSTANCE = "piranha_gateway"
_FALLBACK_INTERFACE = "eth0"


@dataclass(frozen=True, slots=True)
class VrrpParts:
    """Instances of each director; `hooks` are set when they belong to a sync group instead of to
    the one instance."""

    instances: Instances
    hooks: tuple[Hook, ...]
    has_backup: bool


def lower_vrrp(
    configuration: Configuration, local: LocalParts, options: ConvertOptions, ledger: Ledger
) -> VrrpParts:
    """Instances of both directors. Raises UsageError for a network without a known device."""
    pulse = configuration.pulse
    assert pulse is not None, "only an lvs.cf is lowered"
    directors = {director.rank: director for director in configuration.directors}
    has_backup = decide_backup(configuration, pulse, options, ledger)
    _note_unset_primary(configuration, ledger)
    vips = lower_vips(configuration, pulse, ledger)
    gateway = lower_gateway(pulse, ledger)
    if gateway is not None:
        places = gateway.origins.get("address", ())
        note_own_address(gateway.address, places, configuration, ledger)
    has_instance = bool(vips) or gateway is not None
    note_replaced(pulse, ledger, has_backup=has_backup and has_instance)
    if not has_instance:
        _note_without_instance(pulse, directors, local, ledger)
        empty: Instances = dict.fromkeys(Rank, ())
        return VrrpParts(empty, (), has_backup)
    public = _public_device(vips, gateway, directors)
    networks = _choose_networks(public, pulse, directors, options, ledger)
    hooks = lower_hooks(pulse, list(local.starts), list(local.stops), ledger)
    first = VrrpInstance(
        name=INSTANCE,
        state="BACKUP",
        interface=networks.own,
        is_preempting=False,
        vips=on_interface(vips, networks.own),
        origins={"interface": pulse.origins.get("monitor_links", ()) if has_backup else ()},
    )
    instances = _with_gateway(timed(first, pulse, ledger), gateway, networks.own, ledger)
    if len(instances) > 1:
        device = instances[1].interface
        networks = replace(networks, private=networks.private or device, gateway=device)
    tracks = lower_tracks(pulse, directors, networks, options, ledger) if has_backup else ()
    if not has_backup:
        why = "pulse did not watch links without a backup"
        ledger.idle(pulse.origins.get("monitor_links", ()), why)
    is_alone = len(instances) == 1
    instances[0] = replace(
        instances[0],
        tracks=(*tracks, *local.tracks),
        hooks=hooks if is_alone else (),
    )
    seated = seat(tuple(instances), directors, options, ledger, has_backup=has_backup)
    return VrrpParts(seated, () if is_alone else hooks, has_backup)


def _with_gateway(
    first: VrrpInstance, gateway: Vip | None, interface: str, ledger: Ledger
) -> list[VrrpInstance]:
    """nat_router on VRRP's own device is one more VIP; on another one it has its own instance."""
    if gateway is None:
        return [first]
    known = next((vip for vip in first.vips if vip.address == gateway.address), None)
    if known is not None:
        places = gateway.origins.get("address", ())
        why = f"{gateway.address} is a VIP too, which moves all the same"
        masks = gateway.origins.get("prefix", ())
        ledger.note(places, Verdict.EXACT, why)
        if gateway.prefix in {None, known.prefix}:
            ledger.note(masks, Verdict.EXACT, why)
        else:
            why = f"{gateway.address} is a VIP too, and its mask /{known.prefix} counts"
            ledger.note(masks, Verdict.APPROXIMATED, why, "make the masks alike")
        merged = replace(
            known,
            origins={**known.origins, SELF: (*known.origins.get(SELF, ()), *places, *masks)},
        )
        vips = tuple(merged if vip is known else vip for vip in first.vips)
        return [replace(first, vips=vips)]
    if not first.vips or gateway.device in {None, interface}:
        return [replace(first, vips=(*first.vips, *on_interface((gateway,), interface)))]
    device = gateway.device
    assert device is not None, "None is the instance's own"
    second = replace(
        first,
        name=GATEWAY_INSTANCE,
        interface=device,
        vips=on_interface((gateway,), device),
        origins={**first.origins, SELF: gateway.origins.get(SELF, ())},
    )
    return [first, second]


def _choose_networks(
    public: str | None,
    pulse: Pulse,
    directors: dict[Rank, Director],
    options: ConvertOptions,
    ledger: Ledger,
) -> Networks:
    """The directors' devices; VRRP runs on that of the VIPs unless the user wants the private
    network."""
    private = private_device(pulse, options)
    if options.vrrp_network == "private":
        if private is None:
            raise UsageError(
                "--vrrp-network private needs --private-interface DEV: the file has no syncd_iface"
            )
        why = "asked for; when that network alone fails, both directors hold the VIPs"
        ledger.choose("network that VRRP runs on", f"private ({private})", why, "--vrrp-network")
        return Networks(private, options.interface or public, private)
    if options.interface is not None:
        ledger.choose("device of VRRP", options.interface, "asked for", "--interface")
        return Networks(options.interface, options.interface, private)
    own = public or _FALLBACK_INTERFACE
    why = (
        "the device of the VIPs: who loses the clients' network must lose the VIPs"
        if public is not None
        else "no VIP names a device"
    )
    if any(director.private not in {None, director.public} for director in directors.values()):
        why += (
            "; pulse also sent its heartbeat over the private network and took over only when both "
            "were silent, which VRRP cannot"
        )
    ledger.choose("network that VRRP runs on", f"public ({own})", why, "--vrrp-network")
    return Networks(own, public, private)


def _public_device(
    vips: tuple[Vip, ...], gateway: Vip | None, directors: dict[Rank, Director]
) -> str | None:
    """The device of a VIP in the primary's own network, else of the first VIP that names one."""
    named = [vip for vip in vips if vip.device]
    primary = directors.get(Rank.PRIMARY)
    near = [vip for vip in named if primary is not None and _is_near(vip, primary)]
    chosen = next(iter((*near, *named)), None) or gateway
    return None if chosen is None else chosen.device


def _is_near(vip: Vip, director: Director) -> bool:
    """Whether VIP and director share a network; a /32 is looked at as the usual /24."""
    if director.public is None or inet_aton(director.public) is None:
        return False
    return in_same_network(vip.address, director.public, min(vip.prefix or 24, 24))


def _note_unset_primary(configuration: Configuration, ledger: Ledger) -> None:
    primary = next((d for d in configuration.directors if d.rank is Rank.PRIMARY), None)
    if primary is None or primary.public is None:
        why = "0.0.0.0 is no address of a director; pulse refused it"
        ledger.note(configuration.origins.get("primary", ()), Verdict.DROPPED, why, "correct it")


def _note_without_instance(
    pulse: Pulse, directors: dict[Rank, Director], local: LocalParts, ledger: Ledger
) -> None:
    why = (
        "no active block has a VIP that could be read, so there is nothing for a VRRP instance to "
        "hold"
    )
    todo = "add an active virtual with an address"
    fields = ("keepalive_ms", "deadtime_ms", "monitor_links")
    for places in (
        *(pulse.origins.get(name, ()) for name in fields),
        *(hook.origins.get("command", ()) for hook in pulse.hooks),
        *(places for _, places in (*local.starts, *local.stops)),
        *(places for director in directors.values() for places in director.origins.values()),
    ):
        ledger.note(places, Verdict.DROPPED, why, todo)
