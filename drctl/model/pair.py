"""The director pair: who is in it and how the two watch each other."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from drctl.model.origin import NO_ORIGINS, Leftover, Origins
from drctl.quickclass import dataclass, field

if TYPE_CHECKING:
    from drctl.model.setting import Fifo, PacketFilter, VrrpDefaults


class Rank(StrEnum):
    """Configured place in the pair; who is active now is another matter."""

    PRIMARY = "primary"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True)
class Director:
    """One director. `public` and `private` are its addresses on the two networks, None when the
    configuration does not say."""

    rank: Rank
    name: str
    public: str | None = None
    private: str | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Hook:
    """A command at a change of state.

    `event` is the keyword's ending: `master`, `backup`, `fault`, `stop`, `deleted`, `notify` (all),
    `master_rx_lower_pri`, `up`, `down`, `quorum_up`, `quorum_down`, and for lvs.cf `active`,
    `inactive`; of the settings `startup`, `shutdown`, and `notify_fifo`, `vrrp_notify_fifo`,
    `lvs_notify_fifo`, which read a pipe. `user` and `group` are those it runs as.
    """

    event: str
    command: str
    user: str | None = None
    group: str | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Address:
    """An address on a device that is not a VIP of an instance (nat_router, static_ipaddress).

    `prefix` is the network's length in bits, None when not given. `options` are further words of
    the entry in order, as those of a VIP.
    """

    address: str
    prefix: int | None = None
    device: str | None = None
    label: str | None = None
    options: tuple[str, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Pulse:
    """What only Piranha's pulse has: its heartbeat and what belongs to it.

    `service` is `lvs` or `fos`. `method` is the forwarding method of every virtual. Durations are
    milliseconds; the defaults are those of pulse 0.8.6.
    `heartbeat_port` is a number, or a service name that has none in our table. `sync_interface`
    None means pulse's default, eth0.
    """

    service: str = "lvs"
    method: str = "masquerading"
    backup_active: bool = False
    heartbeat_port: str = "539"
    keepalive_ms: int = 2000
    deadtime_ms: int = 5000
    monitor_links: bool = False
    hard_shutdown: bool = True
    nat_router: Address | None = None
    syncs_connections: bool = False
    sync_interface: str | None = None
    sync_id: int = 0
    hooks: tuple[Hook, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SyncDaemon:
    """Connection synchronisation of IPVS. `sync_id` 0..255; `instance` names the VRRP instance
    whose state it follows (None in lvs.cf, where it follows the node)."""

    interface: str | None
    instance: str | None = None
    sync_id: int | None = None
    max_length_bytes: int | None = None
    port: int | None = None
    ttl: int | None = None
    multicast_group: str | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IpvsTimeouts:
    """Timeouts of connection entries in seconds; None leaves the kernel's."""

    tcp_s: int | None = None
    tcpfin_s: int | None = None
    udp_s: int | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for the whole director (keepalived's global_defs).

    `sends_mail` is for all, unless `vrrp_sends_mail` or `checks_send_mail` says otherwise. What is
    `flushed_on_stop` is `all` of IPVS, or the `services` of the file.
    """

    router_id: str | None = None
    notification_emails: tuple[str, ...] = ()
    notification_email_from: str | None = None
    smtp_server: str | None = None
    smtp_connect_timeout_s: int | None = None
    smtp_helo_name: str | None = None
    sends_mail: bool | None = None
    vrrp_sends_mail: bool | None = None
    checks_send_mail: bool | None = None
    has_fault_mail: bool = True
    has_no_check_mail: bool | None = None
    has_script_security: bool = False
    script_user: str | None = None
    is_vrrp_strict: bool = False
    vrrp_version: int | None = None
    flushes_ipvs: bool = False
    flushed_on_stop: str | None = None
    sync_daemon: SyncDaemon | None = None
    ipvs_timeouts: IpvsTimeouts | None = None
    logs_check_failures: bool | None = None
    notifies_first_state: bool | None = None
    vrrp: VrrpDefaults | None = None
    packet_filter: PacketFilter | None = None
    hooks: tuple[Hook, ...] = ()
    startup_timeout_s: int | None = None
    shutdown_timeout_s: int | None = None
    fifo: Fifo | None = None
    vrrp_fifo: Fifo | None = None
    lvs_fifo: Fifo | None = None
    repeats_states_on_reload: bool = False
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)
