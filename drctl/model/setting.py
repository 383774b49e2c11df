"""What global_defs say for all VRRP instances, and how the director meets its surroundings."""

from __future__ import annotations

from drctl.model.origin import NO_ORIGINS, Origins
from drctl.quickclass import dataclass, field


@dataclass(frozen=True, slots=True)
class VrrpDefaults:
    """Values of all VRRP instances that say nothing else; those with the name of an instance's
    field mean the same. `receive_buffer_policy` is `MTU`, `ADVERT` or a number of bytes. Delays are
    how long VRRP waits after the start of keepalived, or of the machine.
    """

    default_interface: str | None = None
    has_dynamic_interfaces: bool = False
    interfaces_may_change: bool = False
    has_local_igmp: bool = True
    multicast_group_ipv4: str | None = None
    multicast_group_ipv6: str | None = None
    down_timer_adverts: int | None = None
    garp_master_delay_s: int | None = None
    garp_master_repeat: int | None = None
    garp_master_refresh_s: int | None = None
    garp_master_refresh_repeat: int | None = None
    garp_lower_prio_delay_s: int | None = None
    garp_lower_prio_repeat: int | None = None
    garp_interval_us: int | None = None
    gna_interval_us: int | None = None
    has_fewest_garps: bool | None = None
    garp_extra_s: int | None = None
    garp_extra_on_all: bool = False
    checks_unicast_source: bool = False
    skips_address_check: bool = False
    is_silent_to_lower: bool | None = None
    answers_higher: bool | None = None
    ignores_adverts_as_owner: bool | None = None
    has_v2_checksum: bool | None = None
    startup_delay_us: int | None = None
    boot_delay_us: int | None = None
    vmac_prefix: str | None = None
    vmac_address_prefix: str | None = None
    receive_buffer_policy: str | None = None
    receive_buffer_factor: int | None = None
    notifies_priority: bool | None = None
    logs_unknown_routers: bool = False
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """Packet filters that keepalived sets up, for addresses that must not be answered for and for
    services of a group. Texts are the words behind the keyword: empty for keepalived's own names.
    """

    iptables: str | None = None
    ipsets: str | None = None
    nftables: str | None = None
    nftables_priority: int | None = None
    has_counters: bool = False
    has_interface_numbers: bool = False
    ipvs_nftables: str | None = None
    ipvs_nftables_priority: int | None = None
    ipvs_first_mark: int | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Fifo:
    """A named pipe that changes of state are written to; `user` and `group` own it."""

    path: str
    user: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class TlsClient:
    """What checks over TLS show and trust: files of PEM; the password never appears in a report."""

    password: str | None = field(default=None, repr=False)
    authority: str | None = None
    certificate: str | None = None
    key: str | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Namespace:
    """Network namespaces of VRRP and of IPVS (empty: that in which keepalived was started)."""

    name: str | None = None
    ipvs: str | None = None
    has_ipsets: bool = False
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)
