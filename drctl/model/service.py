"""Virtual services and the real servers behind them."""

from __future__ import annotations

from drctl.model.check import Check, Connect, NannyCheck
from drctl.model.origin import NO_ORIGINS, Leftover, Origins
from drctl.model.pair import Hook
from drctl.model.vrrp import Vip
from drctl.quickclass import dataclass, field

DIRECT = "direct routing"
TUNNEL = "tunnelling"
MASQUERADE = "masquerading"


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A forwarding method, one of `DIRECT`, `TUNNEL`, `MASQUERADE`; `options` are the words after
    it (tunnel type, port, checksum)."""

    method: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RealServer:
    """A real server of one virtual service.

    `name` is the lvs.cf block's, None in keepalived.conf. `port` None means all ports or the
    service's. `weight` None means not given (1). `is_active` False: in the file, but switched off.
    """

    address: str
    port: int | None = None
    name: str | None = None
    weight: int | None = None
    forwarding: Forwarding | None = None
    upper_threshold: int | None = None
    lower_threshold: int | None = None
    inhibits_on_failure: bool | None = None
    virtualhost: str | None = None
    delay_before_retry_ms: int | None = None
    retries: int | None = None
    loop_ms: int | None = None
    timeout_ms: int | None = None
    warmup_ms: int | None = None
    is_alpha: bool | None = None
    sends_mail: bool | None = None
    snmp_name: str | None = None
    checks: tuple[Check, ...] = ()
    hooks: tuple[Hook, ...] = ()
    is_active: bool = True
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SorryServer:
    """Where requests go when no real server is left."""

    address: str
    port: int | None = None
    forwarding: Forwarding | None = None
    inhibits: bool = False
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """An entry of a virtual_server_group: a mark, or an address (`last` closes a range, both
    inclusive) with a port (None: all). `ip_family` is that of a mark, `inet` or `inet6`."""

    address: str | None = None
    last: str | None = None
    port: int | None = None
    mark: int | None = None
    ip_family: str | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ServiceGroup:
    """Addresses and marks under one name."""

    name: str
    entries: tuple[GroupEntry, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MarkRule:
    """Traffic that gets a service's mark on the director: what lvs.cf leaves to hand-made rules.

    `address` is the VIP, `port` a number or None for all ports of `protocol` (tcp, udp).
    """

    address: str
    protocol: str
    port: int | None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class VirtualService:
    """A virtual service: `address` with `port`, or `mark`, or the `group` of that name.

    `protocol` is `tcp`, `udp`, `sctp`, None when not given. `port` None means all ports.
    `name`, `vip`, `nanny` and `is_active` come from lvs.cf, where a virtual brings its address
    along; a mark's virtual keeps its `port`, which decides the check. `mark_rules` is known for
    marks that come from lvs.cf, empty for those of a keepalived.conf.
    """

    address: str | None = None
    port: int | None = None
    mark: int | None = None
    group: str | None = None
    name: str | None = None
    vip: Vip | None = None
    nanny: NannyCheck | None = None
    is_active: bool = True
    mark_rules: tuple[MarkRule, ...] = ()
    protocol: str | None = None
    scheduler: str | None = None
    scheduler_flags: tuple[str, ...] = ()
    forwarding: Forwarding | None = None
    persistence_s: int | None = None
    persistence_mask: str | None = None
    persistence_engine: str | None = None
    is_one_packet: bool = False
    is_alpha: bool = False
    is_omega: bool = False
    quorum: int | None = None
    hysteresis: int | None = None
    inhibits_on_failure: bool = False
    virtualhost: str | None = None
    ip_family: str | None = None
    has_ha_suspend: bool = False
    sends_mail: bool | None = None
    snmp_name: str | None = None
    connect: Connect = Connect()
    weight: int | None = None
    real_servers: tuple[RealServer, ...] = ()
    sorry_server: SorryServer | None = None
    hooks: tuple[Hook, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class LocalService:
    """A `failover` block of lvs.cf (fos): a service that runs on the active director itself."""

    name: str
    port: int = 80
    vip: Vip | None = None
    nanny: NannyCheck = NannyCheck()
    start_command: str | None = None
    stop_command: str | None = None
    is_active: bool = True
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)
