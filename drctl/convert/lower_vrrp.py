"""pulse's heartbeat, addresses and hooks in VRRP's terms.

Everything moves together in Piranha, so there is one instance with all VIPs, and a second one in
the same sync group when nat_router lies on another device.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.lower_local import LocalParts
from drctl.convert.options import DEFAULT_PRIORITIES, ConvertOptions
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF
from drctl.model.pair import Address, Director, Hook, Pulse, Rank
from drctl.model.service import MASQUERADE
from drctl.model.vrrp import Authentication, Track, UnicastPeer, Vip, VrrpInstance
from drctl.text.place import Place
from drctl.units import in_same_network, inet_aton

INSTANCE = "piranha"
GATEWAY_INSTANCE = "piranha_gateway"
LONGEST_LABEL = 15
_FALLBACK_INTERFACE = "eth0"


@dataclass(frozen=True, slots=True)
class VrrpParts:
    """Instances of each director; `hooks` are set when they belong to a sync group instead of to
    the one instance."""

    instances: dict[Rank, tuple[VrrpInstance, ...]]
    hooks: tuple[Hook, ...]
    has_backup: bool


def lower_vrrp(
    configuration: Configuration, local: LocalParts, options: ConvertOptions, ledger: Ledger
) -> VrrpParts:
    """Instances of both directors."""
    pulse = configuration.pulse
    assert pulse is not None, "only an lvs.cf is lowered"
    directors = {director.rank: director for director in configuration.directors}
    has_backup = _has_backup(pulse, directors, options, ledger)
    vips = _vips(configuration, pulse, ledger)
    gateway = _gateway(pulse, ledger)
    if not vips and gateway is None:
        _note_without_instance(pulse, directors, ledger)
        empty: dict[Rank, tuple[VrrpInstance, ...]] = {rank: () for rank in Rank}
        return VrrpParts(empty, (), has_backup)
    interface = _interface(vips, gateway, directors, options, ledger)
    hooks = (*_hooks(pulse), *local.hooks)
    instance = VrrpInstance(
        name=INSTANCE,
        state="BACKUP",
        interface=interface,
        is_preempting=False,
        vips=_on_interface(vips, interface),
        origins={"vips": ()},
    )
    instance = _timed(instance, pulse, ledger)
    instances = [instance]
    gateway_device = None
    if gateway is not None and (gateway.device or interface) != interface:
        gateway_device = gateway.device
        instances.append(
            replace(
                instance,
                name=GATEWAY_INSTANCE,
                interface=gateway_device,
                vips=_on_interface((gateway,), gateway_device or interface),
                origins={**instance.origins, SELF: gateway.origins.get(SELF, ())},
            )
        )
    elif gateway is not None:
        known = {vip.address for vip in instance.vips}
        if gateway.address not in known:
            extra = _on_interface((gateway,), interface)
            instances[0] = replace(instance, vips=(*instance.vips, *extra))
    tracks = (*_tracks(pulse, vips, interface, options, ledger), *local.tracks)
    instances[0] = replace(instances[0], tracks=tracks)
    if len(instances) == 1:
        instances[0] = replace(instances[0], hooks=hooks)
    seated = _seat(tuple(instances), directors, has_backup, options, ledger)
    return VrrpParts(seated, hooks if len(instances) > 1 else (), has_backup)


def _has_backup(
    pulse: Pulse, directors: dict[Rank, Director], options: ConvertOptions, ledger: Ledger
) -> bool:
    backup = directors.get(Rank.BACKUP)
    if backup is None or backup.public is None:
        ledger.choose(
            "pair",
            "one director",
            "the file names no backup, so there is nobody to take over",
            "add backup and backup_active = 1 to the lvs.cf",
        )
        return False
    if pulse.backup_active or options.is_backup_forced:
        if not pulse.backup_active:
            ledger.choose(
                "pair",
                "two directors",
                "backup_active is 0 or missing, and --with-backup asks for the backup all the same",
                "--with-backup",
            )
        return True
    places = (*pulse.origins.get("backup_active", ()), *backup.origins.get("public", ()))
    why = "backup_active is 0 or missing: pulse sent no heartbeats and exited on the backup"
    ledger.note(places, Verdict.DROPPED, why, "convert with --with-backup for a pair")
    ledger.note(backup.origins.get("private", ()), Verdict.DROPPED, why)
    ledger.choose("pair", "one director", why, "--with-backup")
    return False


def _vips(configuration: Configuration, pulse: Pulse, ledger: Ledger) -> tuple[Vip, ...]:
    """The VIPs of all active blocks of the kind that runs, each address once."""
    found: dict[str, Vip] = {}
    labels: dict[str, Vip] = {}
    blocks = configuration.local_services if pulse.service == "fos" else configuration.services
    for block in blocks:
        if not block.is_active or block.vip is None:
            continue
        vip = block.vip
        places = vip.origins.get("address", ())
        if inet_aton(vip.address) is None:
            why = f"{vip.address} is a host name, and a VIP must be an address"
            todo = "write the address into the lvs.cf and convert again"
            ledger.note(places, Verdict.DROPPED, why, todo)
            continue
        if vip.address in found:
            known = found[vip.address]
            merged = {
                name: (*known.origins.get(name, ()), *vip.origins.get(name, ()))
                for name in {*known.origins, *vip.origins}
            }
            found[vip.address] = replace(known, prefix=known.prefix or vip.prefix, origins=merged)
            continue
        found[vip.address] = _labelled(vip, labels, ledger)
    for vip in found.values():
        _note_mask(vip, ledger)
    return tuple(found.values())


def _labelled(vip: Vip, labels: dict[str, Vip], ledger: Ledger) -> Vip:
    places = vip.origins.get("address", ())
    if vip.label is None:
        if vip.device is not None:
            why = (
                f"{vip.device} is no alias: pulse re-addressed the card itself on takeover and took "
                "it down on release; keepalived adds and removes the VIP only"
            )
            ledger.note(places, Verdict.REPAIRED, why)
        return vip
    if len(vip.label) > LONGEST_LABEL:
        why = f"label {vip.label} is longer than {LONGEST_LABEL} characters and is left out"
        ledger.note(places, Verdict.APPROXIMATED, why)
        return replace(vip, label=None)
    other = labels.setdefault(vip.label, vip)
    if other is not vip:
        why = (
            f"{vip.label} carries {other.address} too: pulse let the later VIP overwrite the "
            "earlier one; keepalived keeps both"
        )
        ledger.note((*places, *other.origins.get("address", ())), Verdict.REPAIRED, why)
    return vip


def _note_mask(vip: Vip, ledger: Ledger) -> None:
    if vip.prefix is None:
        why = (
            "without vip_nmask pulse applied the classful mask; the VIP is written as /32, which "
            "announces no network"
        )
        places = vip.origins.get("prefix") or vip.origins.get("address", ())
        ledger.note(places, Verdict.APPROXIMATED, why)


def _gateway(pulse: Pulse, ledger: Ledger) -> Vip | None:
    router = pulse.nat_router
    if router is None:
        return None
    places = router.origins.get("address", ())
    if pulse.method != MASQUERADE:
        why = "pulse reads nat_router only with network = nat"
        ledger.note((*places, *router.origins.get("prefix", ())), Verdict.DROPPED, why)
        return None
    if inet_aton(router.address) is None:
        why = f"{router.address} is a host name, and the gateway must be an address"
        ledger.note(places, Verdict.DROPPED, why, "write the address into the lvs.cf")
        return None
    if router.label is None and router.device is not None:
        why = (
            f"{router.device} is no alias: pulse re-addressed the card itself on takeover and took "
            "it down on release; keepalived adds and removes the address only"
        )
        ledger.note(places, Verdict.REPAIRED, why)
    prefix = router.prefix
    if prefix == 32:
        why = "/32 gives the real servers' gateway no network; kept as written"
        todo = "check nat_nmask: the director needs a route to the real servers' network"
        ledger.note(router.origins.get("prefix", ()), Verdict.EXACT, why, todo)
    if prefix is None:
        why = "without nat_nmask the gateway address is written as /32"
        ledger.note(places, Verdict.APPROXIMATED, why, "check the network of the gateway address")
    return Vip(router.address, prefix, router.device, router.label, origins=_vip_origins(router))


def _vip_origins(router: Address) -> dict[str, tuple[Place, ...]]:
    places = router.origins.get("address", ())
    return {**router.origins, SELF: places, "device": places, "label": places}


def _interface(
    vips: tuple[Vip, ...],
    gateway: Vip | None,
    directors: dict[Rank, Director],
    options: ConvertOptions,
    ledger: Ledger,
) -> str:
    """The device VRRP runs on: that of a VIP in the primary's own network, else of the first."""
    private = options.vrrp_network == "private"
    if private and options.private_interface:
        ledger.choose(
            "network that VRRP runs on",
            f"private ({options.private_interface})",
            "asked for; when that network alone fails, both directors hold the VIPs",
            "--vrrp-network",
        )
        return options.private_interface
    if options.interface is not None:
        ledger.choose("device of VRRP", options.interface, "asked for", "--interface")
        return options.interface
    primary = directors.get(Rank.PRIMARY)
    candidates = [vip for vip in vips if vip.device]
    near = [vip for vip in candidates if primary is not None and _is_near(vip, primary)]
    chosen = next(iter((*near, *candidates)), None) or gateway
    device = chosen.device if chosen is not None and chosen.device else _FALLBACK_INTERFACE
    reason = "the device of the VIPs: who loses the clients' network must lose the VIPs"
    if any(director.private not in {None, director.public} for director in directors.values()):
        reason += (
            "; pulse also sent its heartbeat over the private network and took over only when both "
            "were silent, which VRRP cannot"
        )
    ledger.choose("network that VRRP runs on", f"public ({device})", reason, "--vrrp-network")
    return device


def _is_near(vip: Vip, director: Director) -> bool:
    if director.public is None or inet_aton(director.public) is None:
        return False
    return vip.prefix is not None and in_same_network(vip.address, director.public, vip.prefix)


def _on_interface(vips: tuple[Vip, ...], interface: str) -> tuple[Vip, ...]:
    """VIPs of an instance; a device is named only where it is not the instance's own."""
    return tuple(
        replace(vip, prefix=vip.prefix or 32, device=None)
        if vip.device in {None, interface}
        else replace(vip, prefix=vip.prefix or 32)
        for vip in vips
    )


def _timed(instance: VrrpInstance, pulse: Pulse, ledger: Ledger) -> VrrpInstance:
    """Heartbeat interval and limit: N adverts missed, rounded from deadtime / keepalive."""
    keepalive_ms, deadtime_ms = pulse.keepalive_ms, pulse.deadtime_ms
    places = pulse.origins.get("keepalive_ms", ())
    if keepalive_ms < 1000:
        keepalive_ms = 1000
        ledger.note(places, Verdict.REPAIRED, "keepalive 0 s is no interval; 1 s written")
    if keepalive_ms > 255_000:
        keepalive_ms = 255_000
        ledger.note(places, Verdict.APPROXIMATED, "VRRP's longest interval is 255 s")
    adverts = (deadtime_ms + keepalive_ms // 2) // keepalive_ms
    dead = pulse.origins.get("deadtime_ms", ())
    if deadtime_ms < 2 * keepalive_ms:
        why = (
            f"deadtime {deadtime_ms // 1000} s is less than two heartbeats of "
            f"{keepalive_ms // 1000} s, so one lost packet moved the VIPs; three adverts written"
        )
        ledger.note(dead or places, Verdict.REPAIRED, why)
        adverts = 3
    elif adverts > 100:
        adverts = 100
        ledger.note(
            dead, Verdict.APPROXIMATED, "100 adverts are the most that keepalived waits for"
        )
    elif deadtime_ms % keepalive_ms:
        why = (
            f"deadtime is no multiple of keepalive; a director is dead after {adverts} adverts, "
            f"{adverts * keepalive_ms / 1000:g} s, and a part of an interval"
        )
        ledger.note(dead, Verdict.APPROXIMATED, why)
    else:
        why = "VRRP adds a skew below one advert interval that depends on the priority"
        ledger.note(dead, Verdict.EXACT, why)
    ledger.field(
        pulse.origins,
        "heartbeat_port",
        Verdict.DROPPED,
        "VRRP is IP protocol 112 and has no port",
        "open protocol 112 between the directors where UDP "
        f"{pulse.heartbeat_port} was open; see firewall files of the directors",
    )
    ledger.field(
        pulse.origins,
        "hard_shutdown",
        Verdict.DROPPED,
        "the death of a checker is not fatal in keepalived, which restarts it",
    )
    ledger.field(pulse.origins, "service", Verdict.EXACT, "decides which blocks are converted")
    origins = {
        **instance.origins,
        "advert_ms": places,
        "down_timer_adverts": (*dead, *places),
        SELF: (),
    }
    return replace(instance, advert_ms=keepalive_ms, down_timer_adverts=adverts, origins=origins)


def _hooks(pulse: Pulse) -> tuple[Hook, ...]:
    """active_cmd at master, inactive_cmd at every other state."""
    found = []
    for hook in pulse.hooks:
        events = ("master",) if hook.event == "active" else ("backup", "fault", "stop")
        origins = {SELF: hook.origins.get("command", ()), **hook.origins}
        found.extend(Hook(event, hook.command, origins=origins) for event in events)
    return tuple(found)


def _tracks(
    pulse: Pulse,
    vips: tuple[Vip, ...],
    interface: str,
    options: ConvertOptions,
    ledger: Ledger,
) -> tuple[Track, ...]:
    """Devices whose carrier is watched: never the instance's own, which keepalived watches
    anyhow."""
    places = pulse.origins.get("monitor_links", ())
    private = options.private_interface or pulse.sync_interface
    if not pulse.monitor_links:
        why = "keepalived always watches the device of its instance; no other is tracked"
        ledger.note(places, Verdict.EXACT, why)
        return ()
    devices = dict.fromkeys(vip.device for vip in vips if vip.device)
    if private:
        devices[private] = None
        if options.private_interface is None:
            ledger.choose(
                "device of the private network",
                private,
                "lvs.cf does not name it; syncd_iface is the best guess",
                "--private-interface",
            )
    devices.pop(interface, None)
    if not devices:
        why = f"{interface} is the instance's own device, which keepalived watches anyhow"
        todo = "" if private else "name the private device with --private-interface to watch it too"
        ledger.note(places, Verdict.EXACT, why, todo)
    return tuple(Track("interface", device, origins={SELF: places}) for device in devices if device)


def _note_without_instance(pulse: Pulse, directors: dict[Rank, Director], ledger: Ledger) -> None:
    why = "no active block has a VIP, so there is nothing for a VRRP instance to hold"
    todo = "add an active virtual with an address"
    for places in (*pulse.origins.values(), *(h.origins.get("command", ()) for h in pulse.hooks)):
        ledger.note(places, Verdict.DROPPED, why, todo)
    for director in directors.values():
        for places in director.origins.values():
            ledger.note(places, Verdict.DROPPED, why, todo)


def _seat(
    instances: tuple[VrrpInstance, ...],
    directors: dict[Rank, Director],
    has_backup: bool,
    options: ConvertOptions,
    ledger: Ledger,
) -> dict[Rank, tuple[VrrpInstance, ...]]:
    """What differs between the directors, and what is chosen for both."""
    first_id = _virtual_router_id(instances[0], options, ledger)
    priorities = options.priorities or DEFAULT_PRIORITIES
    ledger.choose(
        "priorities",
        f"{priorities[0]} primary, {priorities[1]} backup",
        "with state BACKUP and nopreempt on both, a returning director waits, as pulse did, and "
        "after a partition the primary wins",
        "--priorities",
    )
    authentication = _authentication(options, ledger)
    networks = [_unicast(directors, has_backup, instances[0].interface, options, ledger)]
    if len(instances) > 1:
        networks.append(_gateway_unicast(directors, instances[1], has_backup, ledger))
    seated = {}
    for rank, priority in zip(Rank, priorities, strict=True):
        seated[rank] = tuple(
            _with_peers(
                replace(
                    instance,
                    virtual_router_id=(first_id + index - 1) % 255 + 1,
                    priority=priority,
                    authentication=authentication,
                ),
                network,
                rank,
            )
            for index, (instance, network) in enumerate(zip(instances, networks, strict=True))
        )
    return seated


@dataclass(frozen=True, slots=True)
class _Unicast:
    """Addresses of the two ends by rank with their places; empty: multicast."""

    ends: dict[Rank, tuple[str, tuple[Place, ...]]]


def _with_peers(instance: VrrpInstance, network: _Unicast, rank: Rank) -> VrrpInstance:
    if not network.ends:
        return instance
    other = Rank.BACKUP if rank is Rank.PRIMARY else Rank.PRIMARY
    own, own_places = network.ends[rank]
    peer, peer_places = network.ends[other]
    return replace(
        instance,
        unicast_source=own,
        unicast_peers=(UnicastPeer(peer, origins={SELF: peer_places}),),
        origins={
            **instance.origins,
            "unicast_source": own_places,
            "unicast_peers": peer_places,
        },
    )


def _virtual_router_id(instance: VrrpInstance, options: ConvertOptions, ledger: Ledger) -> int:
    if options.virtual_router_id is not None:
        chosen = options.virtual_router_id
        ledger.choose("virtual_router_id", chosen, "asked for", "--virtual-router-id")
        return chosen
    last = int(instance.vips[0].address.rpartition(".")[2])
    chosen = last if 0 < last < 255 else 51
    ledger.choose(
        "virtual_router_id",
        chosen,
        "the last number of the first VIP; it must be unique among all VRRP pairs on the network",
        "--virtual-router-id",
    )
    return chosen


def _authentication(options: ConvertOptions, ledger: Ledger) -> Authentication | None:
    if options.password is None:
        ledger.choose(
            "VRRP authentication",
            "none",
            "pulse had none either, and RFC 5798 has dropped it; only the peer's address is "
            "listened to",
            "--auth-pass-file",
        )
        return None
    ledger.choose("VRRP authentication", "PASS", "asked for", "--auth-pass-file")
    return Authentication("PASS", options.password)


def _unicast(
    directors: dict[Rank, Director],
    has_backup: bool,
    interface: str | None,
    options: ConvertOptions,
    ledger: Ledger,
) -> _Unicast:
    use_private = options.vrrp_network == "private" and interface == options.private_interface
    field = "private" if use_private else "public"
    _note_other_network(directors, use_private, ledger)
    ends = {}
    for rank in Rank:
        director = directors.get(rank)
        address = None if director is None else getattr(director, field)
        if director is None or address is None:
            continue
        if inet_aton(address) is None:
            why = f"{address} is a host name; unicast VRRP needs an address, so VRRP is multicast"
            todo = "write the address into the lvs.cf and convert again"
            ledger.note(director.origins.get(field, ()), Verdict.APPROXIMATED, why, todo)
            continue
        ends[rank] = (address, director.origins.get(field, ()))
    if has_backup and len(ends) == 2 and ends[Rank.PRIMARY][0] != ends[Rank.BACKUP][0]:
        return _Unicast(ends)
    for address, places in ends.values():
        why = f"without a peer's address {address} has no place in a VRRP instance"
        ledger.note(places, Verdict.DROPPED, why)
    if has_backup:
        ledger.choose(
            "VRRP addressing",
            "multicast 224.0.0.18",
            "the file does not give two different addresses for the directors",
            "give primary and backup in the lvs.cf",
        )
    return _Unicast({})


def _note_other_network(directors: dict[Rank, Director], use_private: bool, ledger: Ledger) -> None:
    field = "public" if use_private else "private"
    both = all(director.private for director in directors.values())
    for director in directors.values():
        places = director.origins.get(field, ())
        if field == "private" and not both:
            why = "only one private address is given, and pulse could not use it"
            ledger.note(places, Verdict.REPAIRED, why)
        else:
            why = (
                "VRRP runs over one network only; pulse watched both and took over when both were "
                "silent"
            )
            todo = "--vrrp-network chooses the other one"
            ledger.note(places, Verdict.APPROXIMATED, why, todo)


def _gateway_unicast(
    directors: dict[Rank, Director], instance: VrrpInstance, has_backup: bool, ledger: Ledger
) -> _Unicast:
    """The gateway's network is the private one when the private addresses lie in it."""
    gateway = instance.vips[0]
    ends = {
        rank: (director.private, director.origins.get("private", ()))
        for rank, director in directors.items()
        if director.private and inet_aton(director.private) is not None
    }
    near = all(
        in_same_network(a, gateway.address, min(gateway.prefix or 24, 24)) for a, _ in ends.values()
    )
    if has_backup and len(ends) == 2 and near:
        return _Unicast(ends)
    if has_backup:
        ledger.choose(
            f"VRRP addressing on {instance.interface}",
            "multicast 224.0.0.18",
            "the file gives no addresses of the directors in the gateway's network",
            "edit unicast_peer",
        )
    return _Unicast({})
