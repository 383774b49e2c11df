"""lvs.cf's view to keepalived's: one Piranha model into a configuration for each director.

The facts behind each step are pulse's, lvsd's and nanny's of Piranha 0.8.6; the ledger tells the
user where keepalived behaves differently.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from drctl.convert.block import places_of_block
from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.lower_heartbeat import places_that_name_a_backup
from drctl.convert.lower_local import LocalParts, lower_local_services, places_of_local_block
from drctl.convert.lower_service import lower_services
from drctl.convert.lower_vrrp import VrrpParts, lower_vrrp
from drctl.convert.options import ConvertOptions
from drctl.convert.pairing import Directors
from drctl.convert.unread import note_unread
from drctl.convert.writable import is_device
from drctl.model.check import MiscCheck
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF
from drctl.model.pair import IpvsTimeouts, Pulse, Rank, Settings, SyncDaemon
from drctl.model.service import VirtualService
from drctl.model.vrrp import SyncGroup
from drctl.text.place import Place

LONGEST_TIMEOUT_S = 2_678_400
"""31 days: the most that lvs_timeouts and persistence_timeout take (keepalived 2.2.7)."""


def lower(configuration: Configuration, options: ConvertOptions, ledger: Ledger) -> Directors:
    """Turn what an lvs.cf says into keepalived's terms, once for each director."""
    pulse = configuration.pulse
    assert pulse is not None, "only an lvs.cf is lowered"
    note_unread(configuration, ledger)
    services: tuple[VirtualService, ...] = ()
    local = LocalParts()
    if pulse.service == "fos":
        why = "service = fos: pulse ignored virtual blocks"
        _drop_all((places_of_block(block) for block in configuration.services), why, ledger)
        local = lower_local_services(configuration, options, ledger)
        ledger.idle(pulse.origins.get("method", ()), "fos forwards nothing")
    else:
        services = lower_services(configuration, options, ledger)
        why = "service = lvs: pulse ignored failover blocks"
        blocks = (places_of_local_block(block) for block in configuration.local_services)
        _drop_all(blocks, why, ledger)
    vrrp = lower_vrrp(configuration, local, options, ledger)
    settings = _settings(configuration, pulse, (vrrp, services), ledger)
    decides = pulse.origins.get("service", ())
    shared = Configuration(
        settings=settings,
        directors=configuration.directors,
        scripts=tuple(
            replace(one, origins={**one.origins, SELF: (*one.origins.get(SELF, ()), *decides)})
            for one in local.scripts
        ),
        sync_groups=_sync_groups(vrrp),
        services=services,
    )
    primary = _for_rank(shared, vrrp, Rank.PRIMARY, options.primary)
    if not vrrp.has_backup:
        return Directors(primary, None)
    backup = _for_rank(shared, vrrp, Rank.BACKUP, options.backup)
    return Directors(primary, _made_by(backup, places_that_name_a_backup(configuration)))


def _made_by(backup: Configuration, places: tuple[Place, ...]) -> Configuration:
    """The backup's configuration, whose instance is what the statements that ask for a backup
    became; without an instance it is its name."""
    if not backup.instances:
        settings = backup.settings
        origins = {**settings.origins, "router_id": places}
        return replace(backup, settings=replace(settings, origins=origins))
    first, *others = backup.instances
    origins = {**first.origins, SELF: (*first.origins.get(SELF, ()), *places)}
    return replace(backup, instances=(replace(first, origins=origins), *others))


def _for_rank(shared: Configuration, vrrp: VrrpParts, rank: Rank, router_id: str) -> Configuration:
    return replace(
        shared,
        rank=rank,
        settings=replace(shared.settings, router_id=router_id),
        instances=vrrp.instances[rank],
    )


def _sync_groups(vrrp: VrrpParts) -> tuple[SyncGroup, ...]:
    instances = vrrp.instances[Rank.PRIMARY]
    if len(instances) < 2:
        return ()
    gateway = instances[1]
    return (
        SyncGroup(
            "piranha",
            tuple(instance.name for instance in instances),
            hooks=vrrp.hooks,
            origins={SELF: gateway.origins.get(SELF, ())},
        ),
    )


def _drop_all(blocks: Iterable[list[tuple[Place, ...]]], why: str, ledger: Ledger) -> None:
    todo = "convert a copy with the other service when these are still needed"
    for block in blocks:
        for places in block:
            ledger.idle(places, why, todo)


def _settings(
    configuration: Configuration,
    pulse: Pulse,
    parts: tuple[VrrpParts, tuple[VirtualService, ...]],
    ledger: Ledger,
) -> Settings:
    vrrp, services = parts
    instances = vrrp.instances[Rank.PRIMARY]
    has_scripts = bool(
        vrrp.hooks
        or any(instance.hooks or instance.tracks for instance in instances)
        or any(
            isinstance(check, MiscCheck)
            for service in services
            for server in service.real_servers
            for check in server.checks
        )
    )
    if has_scripts:
        ledger.choose(
            "user that scripts run as",
            "root",
            "pulse, lvsd and nanny ran everything as root; keepalived refuses a script that "
            "others than root may change (enable_script_security)",
            "edit script_user",
        )
    if services:
        ledger.choose(
            "IPVS table at start",
            "flushed",
            "lvsd cleared the whole table when it started (ipvsadm -C)",
            "remove lvs_flush",
        )
    if pulse.nat_router is None:
        ledger.idle(configuration.origins.get("nat_nmask", ()), "there is no nat_router to mask")
    return Settings(
        has_script_security=has_scripts,
        script_user="root" if has_scripts else None,
        flushes_ipvs=bool(services),
        sync_daemon=_sync_daemon(pulse, instances[0].name if instances else None, ledger),
        ipvs_timeouts=_timeouts(configuration.settings.ipvs_timeouts, ledger),
        origins={"flushes_ipvs": pulse.origins.get("service", ())},
    )


def _sync_daemon(pulse: Pulse, instance: str | None, ledger: Ledger) -> SyncDaemon | None:
    origins = pulse.origins
    names = ("sync_interface", "sync_id")
    if not pulse.syncs_connections:
        for name in names:
            why = "syncdaemon is off or missing, so pulse started no connection sync"
            ledger.idle(origins.get(name, ()), why)
        ledger.field(origins, "syncs_connections", Verdict.EXACT, "off is keepalived's default")
        return None
    if instance is None:
        why = "without a VRRP instance there is no state that connection sync could follow"
        for name in ("syncs_connections", *names):
            ledger.field(origins, name, Verdict.DROPPED, why)
        return None
    interface = pulse.sync_interface
    if interface is not None and not is_device(interface):
        why = f"{interface} can be no network device; eth0, pulse's default, is written"
        ledger.field(origins, "sync_interface", Verdict.REPAIRED, why, "correct syncd_iface")
        interface = "eth0"
    if interface is None:
        interface = "eth0"
        why = "syncd_iface is not given: pulse used eth0"
        todo = "check that eth0 is the device that connection sync is to use"
        ledger.field(origins, "syncs_connections", Verdict.EXACT, why, todo)
    return SyncDaemon(
        interface,
        instance,
        pulse.sync_id,
        origins={
            SELF: origins.get("syncs_connections", ()),
            "interface": origins.get("sync_interface", ()),
            "sync_id": origins.get("sync_id", ()),
        },
    )


def _timeouts(given: IpvsTimeouts | None, ledger: Ledger) -> IpvsTimeouts | None:
    if given is None:
        return None
    seconds = {"tcp_s": given.tcp_s, "tcpfin_s": given.tcpfin_s, "udp_s": given.udp_s}
    for name, value in seconds.items():
        if value is None:
            why = "0 leaves the kernel's timeout, as leaving the word out does"
            ledger.field(given.origins, name, Verdict.EXACT, why)
        elif value > LONGEST_TIMEOUT_S:
            seconds[name] = LONGEST_TIMEOUT_S
            why = f"{value} s is more than keepalived takes; {LONGEST_TIMEOUT_S} s written"
            ledger.field(given.origins, name, Verdict.APPROXIMATED, why)
    if not any(seconds.values()):
        return None
    origins = {**given.origins, SELF: tuple(p for ps in given.origins.values() for p in ps)}
    return IpvsTimeouts(**seconds, origins=origins)
