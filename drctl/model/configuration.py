"""The root of the model: one configuration file, understood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.model.origin import NO_ORIGINS, Leftover, Origins
from drctl.model.pair import Address, Director, Pulse, Rank, Settings
from drctl.model.service import LocalService, ServiceGroup, VirtualService
from drctl.model.vrrp import SyncGroup, TrackScript, Vip, VrrpInstance
from drctl.quickclass import dataclass, field

if TYPE_CHECKING:
    from drctl.model.routing import Route, Rule, TrackGroup
    from drctl.model.setting import Namespace, TlsClient
    from drctl.model.tracking import (
        BfdSession,
        GarpGroup,
        InterfaceDelay,
        PolledLink,
        TrackFile,
        TrackProcess,
    )


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a configuration file says.

    A keepalived.conf is one director's view; `rank` is whose, None when it cannot be told. An
    lvs.cf speaks of both (`pulse` is set, `directors` are named). `leftovers` are top-level
    statements without a field; those inside blocks are in their objects.
    """

    settings: Settings = Settings()
    namespace: Namespace | None = None
    rank: Rank | None = None
    directors: tuple[Director, ...] = ()
    pulse: Pulse | None = None
    instances: tuple[VrrpInstance, ...] = ()
    sync_groups: tuple[SyncGroup, ...] = ()
    scripts: tuple[TrackScript, ...] = ()
    track_files: tuple[TrackFile, ...] = ()
    track_processes: tuple[TrackProcess, ...] = ()
    bfd_sessions: tuple[BfdSession, ...] = ()
    garp_groups: tuple[GarpGroup, ...] = ()
    interface_delays: tuple[InterfaceDelay, ...] = ()
    polled_links: tuple[PolledLink, ...] = ()
    polls_links: bool = False
    track_groups: tuple[TrackGroup, ...] = ()
    static_addresses: tuple[Address, ...] = ()
    static_routes: tuple[Route, ...] = ()
    static_rules: tuple[Rule, ...] = ()
    service_groups: tuple[ServiceGroup, ...] = ()
    services: tuple[VirtualService, ...] = ()
    tls: TlsClient | None = None
    local_services: tuple[LocalService, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)

    @property
    def vips(self) -> tuple[Vip, ...]:
        """All VIPs, each address once: those of the instances, then those of the services."""
        seen: dict[str, Vip] = {}
        for instance in self.instances:
            for vip in instance.vips:
                seen.setdefault(vip.address, vip)
        carriers: list[VirtualService | LocalService] = [*self.services, *self.local_services]
        for carrier in carriers:
            if carrier.vip is not None and carrier.is_active:
                seen.setdefault(carrier.vip.address, carrier.vip)
        return tuple(seen.values())
