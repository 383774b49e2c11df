"""lvs.cf's view to keepalived's: one Piranha model into a configuration for each director.

The facts behind each step are pulse's, lvsd's and nanny's of Piranha 0.8.6; the ledger tells the
user where keepalived behaves differently.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.lower_local import LocalParts, lower_local_services
from drctl.convert.lower_service import lower_services
from drctl.convert.lower_vrrp import VrrpParts, lower_vrrp
from drctl.convert.options import ConvertOptions
from drctl.convert.unread import note_unread
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF
from drctl.model.pair import IpvsTimeouts, Pulse, Rank, Settings, SyncDaemon
from drctl.model.vrrp import SyncGroup

LONGEST_TIMEOUT_S = 2_678_400
"""31 days: the most that lvs_timeouts and persistence_timeout take (keepalived 2.2.7)."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """The directors' configurations; `backup` is None for a director that stands alone."""

    primary: Configuration
    backup: Configuration | None


def lower(configuration: Configuration, options: ConvertOptions, ledger: Ledger) -> Lowered:
    """Turn what an lvs.cf says into keepalived's terms, once for each director."""
    pulse = configuration.pulse
    assert pulse is not None, "only an lvs.cf is lowered"
    note_unread(configuration, ledger)
    if pulse.service == "fos":
        services = ()
        for service in configuration.services:
            ledger.note(
                service.origins[SELF],
                Verdict.DROPPED,
                "service = fos: pulse ignored virtual blocks",
            )
        local = lower_local_services(configuration, options, ledger)
    else:
        services = lower_services(configuration, options, ledger)
        local = LocalParts()
        for block in configuration.local_services:
            ledger.note(
                block.origins[SELF],
                Verdict.DROPPED,
                "service = lvs: pulse ignored failover blocks",
                "convert a copy with service = fos when these services are still needed",
            )
    vrrp = lower_vrrp(configuration, local, options, ledger)
    settings = _settings(configuration, pulse, vrrp, ledger)
    shared = Configuration(
        settings=settings,
        directors=configuration.directors,
        scripts=local.scripts,
        sync_groups=_sync_groups(vrrp),
        services=services,
    )
    primary = _for_rank(shared, vrrp, Rank.PRIMARY, options.primary)
    backup = _for_rank(shared, vrrp, Rank.BACKUP, options.backup) if vrrp.has_backup else None
    return Lowered(primary, backup)


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


def _settings(
    configuration: Configuration, pulse: Pulse, vrrp: VrrpParts, ledger: Ledger
) -> Settings:
    instances = vrrp.instances[Rank.PRIMARY]
    has_scripts = bool(
        any(instance.hooks for instance in instances)
        or vrrp.hooks
        or any(instance.tracks for instance in instances)
        or _has_check_programs(configuration)
    )
    if has_scripts:
        ledger.choose(
            "user that scripts run as",
            "root",
            "pulse, lvsd and nanny ran everything as root; keepalived refuses a script that "
            "others than root may change (enable_script_security)",
            "edit script_user",
        )
    ledger.choose(
        "IPVS table at start",
        "flushed",
        "lvsd cleared the whole table when it started (ipvsadm -C)",
        "remove lvs_flush",
    )
    return Settings(
        has_script_security=has_scripts,
        script_user="root" if has_scripts else None,
        flushes_ipvs=True,
        sync_daemon=_sync_daemon(pulse, instances[0].name if instances else None, ledger),
        ipvs_timeouts=_timeouts(configuration.settings.ipvs_timeouts, ledger),
    )


def _has_check_programs(configuration: Configuration) -> bool:
    return any(service.nanny is not None for service in configuration.services)


def _sync_daemon(pulse: Pulse, instance: str | None, ledger: Ledger) -> SyncDaemon | None:
    origins = pulse.origins
    if not pulse.syncs_connections or instance is None:
        why = "syncdaemon is off, so pulse started no connection sync"
        for name in ("sync_interface", "sync_id"):
            ledger.field(origins, name, Verdict.EXACT, why)
        ledger.field(origins, "syncs_connections", Verdict.EXACT, "off is keepalived's default")
        return None
    interface = pulse.sync_interface
    if interface is None:
        interface = "eth0"
        ledger.field(
            origins,
            "syncs_connections",
            Verdict.EXACT,
            "syncd_iface is not given: pulse used eth0",
            "check that eth0 is the device that connection sync is to use",
        )
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
