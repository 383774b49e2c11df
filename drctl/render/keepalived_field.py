"""Fields that one keyword each says, block by block: what stands in a file for them."""

from __future__ import annotations

from typing import Any

from drctl.render.keepalived_word import argument, decimal, seconds

FLAG, WORD, MAYBE, WORDS = "flag", "word", "maybe", "words"
"""A keyword that stands alone when the field is true; one with the field's value behind it, or
without when it is empty; one with the words of the field, which may be none."""
OFF = "off"
"""A keyword that stands alone when the field is false."""
MICROSECONDS, MILLISECONDS = "us", "ms"
"""The field counts microseconds; the keyword wants seconds, or milliseconds."""

Fields = tuple[tuple[str, str, str], ...]

INSTANCE: Fields = (
    ("is_strict", "strict_mode", WORD),
    ("is_ipv6", "native_ipv6", FLAG),
    ("vrf", "vrf", WORD),
    ("has_vmac_addresses", "use_vmac_addr", FLAG),
    ("sends_from_base", "vmac_xmit_base", FLAG),
    ("tracks_interface", "dont_track_primary", OFF),
    ("tracks_source", "track_src_ip", FLAG),
    ("polls_link", "linkbeat_use_polling", FLAG),
    ("skips_address_check", "skip_check_adv_addr", WORD),
    ("is_silent_to_lower", "lower_prio_no_advert", WORD),
    ("answers_higher", "higher_prio_send_advert", WORD),
    ("ignores_adverts_as_owner", "owner_ignore_adverts", WORD),
    ("has_v2_checksum", "v3_checksum_as_v2", WORD),
    ("late_priority", "timer_expired_backup", WORD),
    ("receive_buffer_bytes", "kernel_rx_buf_size", WORD),
    ("debug_level", "debug", WORD),
    ("needs_no_vip", "no_virtual_ipaddress", FLAG),
    ("promotes_secondaries", "promote_secondaries", FLAG),
    ("garp_master_delay_s", "garp_master_delay", WORD),
    ("garp_master_repeat", "garp_master_repeat", WORD),
    ("garp_master_refresh_s", "garp_master_refresh", WORD),
    ("garp_master_refresh_repeat", "garp_master_refresh_repeat", WORD),
    ("garp_lower_prio_delay_s", "garp_lower_prio_delay", WORD),
    ("garp_lower_prio_repeat", "garp_lower_prio_repeat", WORD),
    ("multicast_source", "mcast_src_ip", WORD),
    ("multicast_group", "mcast_dst_ip", WORD),
    ("unicast_source", "unicast_src_ip", WORD),
    ("unicast_ttl", "unicast_ttl", WORD),
    ("checks_unicast_source", "check_unicast_src", FLAG),
    ("is_fault_without_peer", "unicast_fault_no_peer", FLAG),
)
SETTINGS: Fields = (
    ("sends_mail", "smtp_alert", WORD),
    ("vrrp_sends_mail", "smtp_alert_vrrp", WORD),
    ("checks_send_mail", "smtp_alert_checker", WORD),
    ("has_fault_mail", "no_email_faults", OFF),
    ("has_no_check_mail", "no_checker_emails", WORD),
    ("logs_check_failures", "checker_log_all_failures", WORD),
    ("notifies_first_state", "rs_init_notifies", WORD),
    ("startup_timeout_s", "startup_script_timeout", WORD),
    ("shutdown_timeout_s", "shutdown_script_timeout", WORD),
    ("repeats_states_on_reload", "fifo_write_vrrp_states_on_reload", FLAG),
)
VRRP: Fields = (
    ("default_interface", "default_interface", WORD),
    ("has_local_igmp", "disable_local_igmp", OFF),
    ("multicast_group_ipv4", "vrrp_mcast_group4", WORD),
    ("multicast_group_ipv6", "vrrp_mcast_group6", WORD),
    ("down_timer_adverts", "vrrp_down_timer_adverts", WORD),
    ("garp_master_delay_s", "vrrp_garp_master_delay", WORD),
    ("garp_master_repeat", "vrrp_garp_master_repeat", WORD),
    ("garp_master_refresh_s", "vrrp_garp_master_refresh", WORD),
    ("garp_master_refresh_repeat", "vrrp_garp_master_refresh_repeat", WORD),
    ("garp_lower_prio_delay_s", "vrrp_garp_lower_prio_delay", WORD),
    ("garp_lower_prio_repeat", "vrrp_garp_lower_prio_repeat", WORD),
    ("garp_interval_us", "vrrp_garp_interval", MICROSECONDS),
    ("gna_interval_us", "vrrp_gna_interval", MICROSECONDS),
    ("has_fewest_garps", "vrrp_min_garp", WORD),
    ("checks_unicast_source", "vrrp_check_unicast_src", FLAG),
    ("skips_address_check", "vrrp_skip_check_adv_addr", FLAG),
    ("is_silent_to_lower", "vrrp_lower_prio_no_advert", WORD),
    ("answers_higher", "vrrp_higher_prio_send_advert", WORD),
    ("ignores_adverts_as_owner", "vrrp_owner_ignore_adverts", WORD),
    ("has_v2_checksum", "v3_checksum_as_v2", WORD),
    ("startup_delay_us", "vrrp_startup_delay", MICROSECONDS),
    ("boot_delay_us", "vrrp_delay_after_boot", MICROSECONDS),
    ("vmac_prefix", "vmac_prefix", WORD),
    ("vmac_address_prefix", "vmac_addr_prefix", WORD),
    ("receive_buffer_policy", "vrrp_rx_bufs_policy", WORD),
    ("receive_buffer_factor", "vrrp_rx_bufs_multiplier", WORD),
    ("notifies_priority", "vrrp_notify_priority_changes", WORD),
    ("logs_unknown_routers", "log_unknown_vrids", FLAG),
)
PACKET_FILTER: Fields = (
    ("iptables", "vrrp_iptables", WORDS),
    ("ipsets", "vrrp_ipsets", WORDS),
    ("nftables", "nftables", MAYBE),
    ("nftables_priority", "nftables_priority", WORD),
    ("has_counters", "nftables_counters", FLAG),
    ("has_interface_numbers", "nftables_ifindex", FLAG),
    ("ipvs_nftables", "nftables_ipvs", MAYBE),
    ("ipvs_nftables_priority", "nftables_ipvs_priority", WORD),
    ("ipvs_first_mark", "nftables_ipvs_start_fwmark", WORD),
)
TLS: Fields = (
    ("password", "password", WORD),
    ("authority", "ca", WORD),
    ("certificate", "certificate", WORD),
    ("key", "key", WORD),
)
NAMESPACE: Fields = (
    ("name", "net_namespace", WORD),
    ("ipvs", "net_namespace_ipvs", MAYBE),
    ("has_ipsets", "namespace_with_ipsets", FLAG),
)
URL: Fields = (
    ("is_regex_inverted", "regex_no_match", FLAG),
    ("regex_from_bytes", "regex_min_offset", WORD),
    ("regex_to_bytes", "regex_max_offset", WORD),
    ("is_tls_compliant", "tls_compliant", WORD),
)
HTTP: Fields = (
    ("http_protocol", "http_protocol", WORD),
    ("virtualhost", "virtualhost", WORD),
    ("has_sni", "enable_sni", WORD),
    ("sni_name", "sni_name", WORD),
    ("is_tls_compliant", "tls_compliant", WORD),
    ("has_fast_recovery", "fast_recovery", WORD),
)
HMAC: Fields = (
    ("active_key", "active_key", WORD),
    ("mode", "mode", WORD),
    ("anti_replay", "anti_replay", WORD),
    ("time_window_s", "time_window", WORD),
)
TRACK_FILE: Fields = (("path", "file", WORD),)
TRACK_PROCESS: Fields = (
    ("quorum", "quorum", WORD),
    ("quorum_max", "quorum_max", WORD),
    ("fork_delay_us", "fork_delay", MICROSECONDS),
    ("terminate_delay_us", "terminate_delay", MICROSECONDS),
    ("is_full_command", "full_command", FLAG),
)
BFD: Fields = (
    ("neighbor", "neighbor_ip", WORD),
    ("source", "source_ip", WORD),
    ("min_receive_us", "min_rx", MILLISECONDS),
    ("min_send_us", "min_tx", MILLISECONDS),
    ("idle_send_us", "idle_tx", MILLISECONDS),
    ("multiplier", "multiplier", WORD),
    ("is_passive", "passive", FLAG),
    ("ttl", "ttl", WORD),
    ("max_hops", "max_hops", WORD),
    ("tells_vrrp", "vrrp", FLAG),
    ("tells_checks", "checker", FLAG),
    ("is_multihop", "multihop", WORD),
)
GARP_GROUP: Fields = (
    ("garp_interval_us", "garp_interval", MICROSECONDS),
    ("gna_interval_us", "gna_interval", MICROSECONDS),
)
BLOCKS = {
    "settings": SETTINGS,
    "vrrp": VRRP,
    "packet_filter": PACKET_FILTER,
    "tls": TLS,
    "namespace": NAMESPACE,
    "url": URL,
    "http": HTTP,
    "instance": INSTANCE,
    "hmac": HMAC,
    "track_file": TRACK_FILE,
    "track_process": TRACK_PROCESS,
    "bfd": BFD,
    "garp_group": GARP_GROUP,
}


def written(name: str, value: Any, how: str) -> str | None:
    """What stands behind the keyword: empty for nothing, None when it is not written at all."""
    if how in {FLAG, OFF}:
        return "" if value is (how == FLAG) else None
    if value is None:
        return None
    if value == "" and how in {MAYBE, WORDS}:
        return ""
    if how == WORDS:
        return " ".join(map(argument, value.split(" ")))
    if how == MICROSECONDS:
        return decimal(value, 6)
    if how == MILLISECONDS:
        return decimal(value, 3)
    if isinstance(value, bool):
        return "on" if value else "off"
    return seconds(value) if name.endswith("_ms") else argument(value)
