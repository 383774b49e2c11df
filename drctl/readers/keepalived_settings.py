"""global_defs of a keepalived.conf, by table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from drctl.model.origin import SELF
from drctl.model.pair import IpvsTimeouts, Settings, SyncDaemon
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_block import (
    Context,
    Field,
    Lines,
    Spread,
    Table,
    Values,
    body_of,
    on_line,
    read_into,
)
from drctl.readers.keepalived_hook import hook_table, hooks_of
from drctl.readers.keepalived_words import Words
from drctl.syntax.tree import Statement
from drctl.text.place import Place

if TYPE_CHECKING:
    from drctl.model.setting import Fifo


def _email(words: Words, place: Place) -> Iterable[str]:
    del place
    return words.rest()


def _sync_daemon(words: Words) -> dict[str, Any]:
    found: dict[str, Any] = {"interface": words.take("the interface")}
    options = {
        "id": ("sync_id", 0, 255),
        "maxlen": ("max_length_bytes", 1, 65507),
        "port": ("port", 1, 65535),
        "ttl": ("ttl", 1, 255),
    }
    while (word := words.peek()) is not None:
        words.take(word)
        if word in options:
            name, low, high = options[word]
            found[name] = w.whole(words.take(f"the value of {word}"), low, high)
        elif word == "group":
            found["multicast_group"] = w.address(words)
        elif word == "inst":
            found["instance"] = words.take("the instance")
        elif "instance" not in found:
            found["instance"] = word
        else:
            # the old form: the id stands behind the instance
            found["sync_id"] = w.whole(word, 0, 255)
    return found


def _timeouts(words: Words) -> dict[str, int]:
    found = {}
    names = {"tcp": "tcp_s", "tcpfin": "tcpfin_s", "udp": "udp_s"}
    while words.peek() is not None:
        word = words.take("the name")
        if word not in names:
            raise ValueError(f"{word} is none of {', '.join(names)}")
        found[names[word]] = w.whole(words.take(f"the value of {word}"), 0, 2_678_400)
    if not found:
        raise ValueError("the timeouts are missing")
    return found


def _fifo(words: Words) -> Fifo:
    """`PATH [USER [GROUP]]`."""
    from drctl.model.setting import Fifo

    path = words.take("the path")
    given = w.owner(words) if words.peek() is not None else {}
    return Fifo(path, **given)


def _dynamic(words: Words) -> dict[str, Any]:
    """dynamic_interfaces, alone or with `allow_if_changes`."""
    if words.peek() is None:
        return {"vrrp.has_dynamic_interfaces": True}
    w.choice("allow_if_changes")(words)
    return dict.fromkeys(("vrrp.has_dynamic_interfaces", "vrrp.interfaces_may_change"), True)


def _flush_on_stop(words: Words) -> str:
    if words.peek() is None:
        return "all"
    w.choice("VS")(words)
    return "services"


def _buffer_policy(words: Words) -> str:
    word = words.take("the policy")
    known = word.upper() if word.upper() in {"MTU", "ADVERT"} else ""
    return known or str(w.seconds(Words([word])))


def _all_words(words: Words) -> str:
    """The words of the line, empty when there are none."""
    return " ".join(words.rest())


_garp_interval = w.scaled(6, 1, w.U32)
_start_delay = w.scaled(6, 1_000, w.U32)

_VRRP: Table = {
    "default_interface": Field("vrrp.default_interface", w.text),
    "dynamic_interfaces": Spread("vrrp.has_dynamic_interfaces", _dynamic),
    "disable_local_igmp": Field("vrrp.has_local_igmp", w.cleared),
    "vrrp_mcast_group4": Field("vrrp.multicast_group_ipv4", w.endpoint),
    "vrrp_mcast_group6": Field("vrrp.multicast_group_ipv6", w.endpoint),
    "vrrp_down_timer_adverts": Field("vrrp.down_timer_adverts", w.integer(1, 100)),
    "vrrp_garp_master_delay": Field("vrrp.garp_master_delay_s", w.integer(0, 4294)),
    "vrrp_garp_master_repeat": Field("vrrp.garp_master_repeat", w.seconds),
    "vrrp_garp_master_refresh": Field("vrrp.garp_master_refresh_s", w.seconds),
    "vrrp_garp_master_refresh_repeat": Field("vrrp.garp_master_refresh_repeat", w.seconds),
    "vrrp_garp_lower_prio_delay": Field("vrrp.garp_lower_prio_delay_s", w.integer(0, 4294)),
    "vrrp_garp_lower_prio_repeat": Field("vrrp.garp_lower_prio_repeat", w.integer(0, 2**31 - 1)),
    "vrrp_garp_interval": Field("vrrp.garp_interval_us", _garp_interval),
    "vrrp_gna_interval": Field("vrrp.gna_interval_us", _garp_interval),
    "vrrp_min_garp": Field("vrrp.has_fewest_garps", w.boolean),
    **dict.fromkeys(
        ("vrrp_garp_extra_if", "vrrp_vmac_garp_intvl"),
        Spread("vrrp.garp_extra_s", w.garp_extra(1, "vrrp.")),
    ),
    "vrrp_check_unicast_src": Field("vrrp.checks_unicast_source", w.flag),
    "vrrp_skip_check_adv_addr": Field("vrrp.skips_address_check", w.flag),
    "vrrp_lower_prio_no_advert": Field("vrrp.is_silent_to_lower", w.boolean),
    "vrrp_higher_prio_send_advert": Field("vrrp.answers_higher", w.boolean),
    "vrrp_owner_ignore_adverts": Field("vrrp.ignores_adverts_as_owner", w.boolean),
    "v3_checksum_as_v2": Field("vrrp.has_v2_checksum", w.boolean),
    "vrrp_startup_delay": Field("vrrp.startup_delay_us", _start_delay),
    "vrrp_delay_after_boot": Field("vrrp.boot_delay_us", _start_delay),
    "vmac_prefix": Field("vrrp.vmac_prefix", w.text, keeps_first=True),
    "vmac_addr_prefix": Field("vrrp.vmac_address_prefix", w.text, keeps_first=True),
    "vrrp_rx_bufs_policy": Field("vrrp.receive_buffer_policy", _buffer_policy),
    "vrrp_rx_bufs_multiplier": Field("vrrp.receive_buffer_factor", w.integer(1, w.U32)),
    "vrrp_notify_priority_changes": Field("vrrp.notifies_priority", w.boolean),
    "log_unknown_vrids": Field("vrrp.logs_unknown_routers", w.flag),
}
_PACKET_FILTER: Table = {
    "vrrp_iptables": Field("filter.iptables", _all_words),
    "vrrp_ipsets": Field("filter.ipsets", _all_words),
    "nftables": Field("filter.nftables", w.maybe_text, keeps_first=True),
    "nftables_priority": Field("filter.nftables_priority", w.integer(-(2**31), 2**31 - 1)),
    "nftables_counters": Field("filter.has_counters", w.flag),
    "nftables_ifindex": Field("filter.has_interface_numbers", w.flag),
    "nftables_ipvs": Field("filter.ipvs_nftables", w.maybe_text, keeps_first=True),
    "nftables_ipvs_priority": Field(
        "filter.ipvs_nftables_priority", w.integer(-(2**31), 2**31 - 1)
    ),
    "nftables_ipvs_start_fwmark": Field("filter.ipvs_first_mark", w.integer(1, w.U32)),
}
_FIFOS = ("notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo")
_HOOKS = {f"{event}_script": event for event in ("startup", "shutdown", *_FIFOS)}

_SETTINGS: Table = {
    "router_id": Field("router_id", w.text),
    "notification_email": Lines("notification_emails", _email),
    "notification_email_from": Field("notification_email_from", w.text),
    "smtp_server": Field("smtp_server", w.joined),
    "smtp_connect_timeout": Field("smtp_connect_timeout_s", w.integer(0, 4294)),
    "enable_script_security": Field("has_script_security", w.flag),
    "script_user": Field("script_user", w.joined),
    "vrrp_strict": Field("is_vrrp_strict", w.flag_without_word),
    "vrrp_version": Field("vrrp_version", w.integer(2, 3)),
    "lvs_flush": Field("flushes_ipvs", w.flag),
    "lvs_sync_daemon": Field("sync_daemon", _sync_daemon),
    "lvs_timeouts": Field("ipvs_timeouts", _timeouts),
    **dict.fromkeys(
        ("lvs_flush_on_stop", "lvs_flush_onstop"), Field("flushed_on_stop", _flush_on_stop)
    ),
    "smtp_helo_name": Field("smtp_helo_name", w.text),
    "smtp_alert": Field("sends_mail", w.boolean),
    "smtp_alert_vrrp": Field("vrrp_sends_mail", w.boolean),
    "smtp_alert_checker": Field("checks_send_mail", w.boolean),
    "no_email_faults": Field("has_fault_mail", w.cleared),
    "no_checker_emails": Field("has_no_check_mail", w.boolean),
    "checker_log_all_failures": Field("logs_check_failures", w.boolean),
    "rs_init_notifies": Field("notifies_first_state", w.boolean),
    "startup_script_timeout": Field("startup_timeout_s", w.integer(1, 1000)),
    "shutdown_script_timeout": Field("shutdown_timeout_s", w.integer(1, 1000)),
    **{name: Field(name.replace("notify_", ""), _fifo, keeps_first=True) for name in _FIFOS},
    "fifo_write_vrrp_states_on_reload": Field("repeats_states_on_reload", w.flag),
    **hook_table(_HOOKS, keeps_first=True),
    **_VRRP,
    **_PACKET_FILTER,
}


def read_settings(context: Context, values: Values, statement: Statement) -> None:
    """A global_defs block into `values`; several of them are merged."""
    read_into(context, values, body_of(statement), _SETTINGS)


def settings_of(values: Values, places: tuple[Place, ...]) -> Settings:
    """The settings of all global_defs blocks, which stand at `places`."""
    fields = values.outer()
    for name, kind in (("sync_daemon", SyncDaemon), ("ipvs_timeouts", IpvsTimeouts)):
        if name in fields:
            given = fields[name]
            origins = on_line(values.places[name][-1], *given)
            fields[name] = kind(**given, origins=origins)
    if inner := values.inner("vrrp"):
        from drctl.model.setting import VrrpDefaults

        fields["vrrp"] = VrrpDefaults(**inner)
    if inner := values.inner("filter"):
        from drctl.model.setting import PacketFilter

        fields["packet_filter"] = PacketFilter(**inner)
    origins = dict(values.origins())
    if places:
        origins[SELF] = places
    return Settings(
        **fields, hooks=hooks_of(values), leftovers=tuple(values.leftovers), origins=origins
    )
