"""What few files say: rarer values of the settings and of instances, as keepalived dumps them and
as it must have understood them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from agreement.meaning import ANY, first
from agreement.meaning_record import Record, number

Json = Mapping[str, Any]
Fields = dict[str, Any]

_OWNER = _TTL = 255
_SECOND_US = 1_000_000
_SWITCH = {"on": True, "off": False, "unset": None}
_FLUSHED = {"full": "all", "VS": "services"}
_CHECKSUMS = {"config": "accepted", "never": "never"}
_MULTICAST = {"ipv4": "224.0.0.18", "ipv6": "ff02::12"}
_GARP = {
    "garp_master_delay_s": ("Gratuitous ARP delay", 5, 0),
    "garp_master_repeat": ("Gratuitous ARP repeat", 5, 1),
    "garp_master_refresh_s": ("Gratuitous ARP refresh timer", 0, 0),
    "garp_master_refresh_repeat": ("Gratuitous ARP refresh repeat", 1, 0),
}
"""What the dump calls a value, its default, and the least with vrrp_min_garp."""
_GLOBAL_LINES = {
    "vmac_prefix": "VMAC prefix",
    "vmac_address_prefix": "VMAC address prefix",
}
FIFOS = {
    "fifo": "Global notify fifo",
    "vrrp_fifo": "VRRP notify fifo",
    "lvs_fifo": "LVS notify fifo",
}


def dumped_settings(one: Record) -> Fields:
    """The section of the global definitions."""
    found: Fields = {
        "sends_mail": _SWITCH[one.get("Default smtp_alert")],
        "vrrp_sends_mail": _SWITCH[one.get("Default smtp_alert_vrrp")],
        "checks_send_mail": _SWITCH[one.get("Default smtp_alert_checker")],
        "smtp_helo_name": one.values.get("Smtp HELO name"),
        "logs_check_failures": one.flag("Checkers log all failures", "true"),
        "dynamic interfaces": one.flag("Dynamic interfaces", "true"),
        "interfaces_may_change": one.flag("Allow interface changes", "true"),
        "has_fault_mail": not one.flag("Send emails for fault transitions", "off"),
        "no check mail": one.get("no_checker_emails") == "1",
        "first states": one.get("rs_init_notifies") == "1",
        "local igmp": one.flag("Disable local IGMP", "no"),
        "flushed_on_stop": _FLUSHED.get(one.get("LVS flush on stop")),
        "repeats states": one.flag("FIFO write vrrp states on reload", "true"),
        "notifies_priority": one.flag("VRRP notify priority changes", "true"),
        "group ipv4": one.values.get("VRRP IPv4 mcast group"),
        "group ipv6": one.values.get("VRRP IPv6 mcast group"),
        "down_timer_adverts": number(one.get("Num adverts before down")),
        "silent": not one.flag("Send advert after receive lower priority advert", "true"),
        "answers": one.flag("Send advert after receive higher priority advert", "true"),
        "garp us": _microseconds(one.get("Gratuitous ARP interval")),
        "gna us": _microseconds(one.get("Gratuitous NA interval")),
        "checks source": one.flag("VRRP check unicast_src", "true"),
        "skips address check": one.flag("VRRP skip check advert addresses", "true"),
        "buffer factor": number(one.get("rx_bufs_multiples")),
        "startup us": _microseconds(one.get("vrrp_startup_delay", "0")),
        "logs routers": one.has("log_unknown_vrids"),
        **{name: one.values.get(line) for name, line in _GLOBAL_LINES.items()},
        **{name: number(one.get(line)) for name, (line, _, _) in _GARP.items()},
        **{name: _path(one.values.get(line)) for name, line in FIFOS.items()},
    }
    return found


def _microseconds(seconds: str) -> int:
    return int(Decimal(seconds) * _SECOND_US)


def _path(text: str | None) -> str | None:
    """The pipe without who owns it."""
    return None if text is None else text.partition(",")[0]


def told_settings(said: Json) -> Fields:
    """The same of drctl's settings."""
    vrrp = said["vrrp"] or {}
    return {
        **{name: said[name] for name in ("sends_mail", "vrrp_sends_mail", "checks_send_mail")},
        # the router's own name unless set
        "smtp_helo_name": said["smtp_helo_name"] or ANY,
        "logs_check_failures": bool(said["logs_check_failures"]),
        "dynamic interfaces": bool(vrrp.get("has_dynamic_interfaces")),
        "interfaces_may_change": bool(vrrp.get("interfaces_may_change")),
        "has_fault_mail": said["has_fault_mail"],
        "no check mail": bool(said["has_no_check_mail"]),
        "first states": bool(said["notifies_first_state"]),
        "local igmp": vrrp.get("has_local_igmp", True),
        "flushed_on_stop": said["flushed_on_stop"],
        "repeats states": said["repeats_states_on_reload"],
        "notifies_priority": bool(vrrp.get("notifies_priority")),
        "group ipv4": vrrp.get("multicast_group_ipv4") or _MULTICAST["ipv4"],
        "group ipv6": vrrp.get("multicast_group_ipv6") or _MULTICAST["ipv6"],
        "down_timer_adverts": vrrp.get("down_timer_adverts") or 3,
        "silent": bool(vrrp.get("is_silent_to_lower")),
        "answers": bool(vrrp.get("answers_higher")),
        "garp us": vrrp.get("garp_interval_us") or 0,
        "gna us": vrrp.get("gna_interval_us") or 0,
        "checks source": vrrp.get("checks_unicast_source", False),
        "skips address check": vrrp.get("skips_address_check", False),
        "buffer factor": vrrp.get("receive_buffer_factor") or 3,
        "startup us": vrrp.get("startup_delay_us") or 0,
        "logs routers": vrrp.get("logs_unknown_routers", False),
        **{name: vrrp.get(name) for name in _GLOBAL_LINES},
        **{name: _garp_default(vrrp, name) for name in _GARP},
        # one that cannot be made is forgotten
        **{name: None if said[name] is None else ANY for name in FIFOS},
    }


def _garp_default(vrrp: Json, name: str) -> Any:
    """What is set; the default, or the least. keepalived tells a default that is written from none
    only by its place."""
    _, default, least = _GARP[name]
    value = vrrp.get(name)
    if vrrp.get("has_fewest_garps") is None:
        return first(value, default)
    return ANY if value == default else first(value, least)


def dumped_instance(one: Record) -> Fields:
    """An instance's rarer values."""
    source = next((text for _, text in one.lines if text.startswith("Multicast address ")), "")
    extra = next((k for k in one.values if k.startswith("Gratuitous ARP for each")), "")
    return {
        "garp_master_repeat": number(one.get("Gratuitous ARP repeat")),
        "garp_master_refresh_repeat": number(one.get("Gratuitous ARP refresh repeat")),
        "lower delay": number(one.get("Gratuitous ARP lower priority delay")),
        "lower repeat": number(one.get("Gratuitous ARP lower priority repeat")),
        "extra": number(one.get(extra)) or 0,
        "silent": not one.flag("Send advert after receive lower priority advert", "true"),
        "answers": one.flag("Send advert after receive higher priority advert", "true"),
        "accepts": one.flag("Accept", "enabled"),
        "promotes": one.flag("Promote_secondaries", "enabled"),
        "tracks_interface": not one.has("VRRP interface tracking disabled"),
        "skips address check": one.has("Skip checking advert IP addresses"),
        "strict": one.has("Enforcing strict VRRP compliance"),
        "buffer": number(one.get("Kernel rx buffer size")) or 0,
        "debug": number(one.get("Debug level")) or 0,
        "notifies_priority": one.flag("Notify priority changes", "true"),
        "tells deletion": one.flag("Notify deleted", "Deleted"),
        "group": re.sub(r"^Multicast address |,.*", "", source) or None,
        "ttl": number(one.get("Unicast TTL")),
        "checks source": one.has("Check unicast src : yes"),
        "old checksum": _CHECKSUMS.get(one.get("Unicast checksum compatibility")),
        "vrf": one.values.get("VRF"),
        "vmac": any(text.startswith("Use VMAC, ") for _, text in one.lines),
        "ipvlan": any(text.startswith("Use IPVLAN, ") for _, text in one.lines),
        "vmac addresses": one.has("Use VMAC for VIPs on other interfaces"),
    }


def told_instance(one: Json, settings: Json, group: Json | None, *, is_strict: bool) -> Fields:
    """The same of drctl's instance, which is in `group`, if any."""
    vrrp = settings["vrrp"] or {}
    is_six, is_owner = one["_six"], one["_priority"] == _OWNER
    is_unicast = bool(one["_peers"])
    delay, repeat = (
        _garp_default(vrrp, name) for name in ("garp_master_delay_s", "garp_master_repeat")
    )
    lower_delay = first(vrrp.get("garp_lower_prio_delay_s"), delay)
    lower_repeat = first(vrrp.get("garp_lower_prio_repeat"), repeat)
    accepts = first(one["accepts"], True if is_owner else not is_strict)
    notifies = first(
        one["notifies_priority"],
        None if group is None else group["notifies_priority"],
        bool(vrrp.get("notifies_priority")),
    )
    default_group = vrrp.get(f"multicast_group_{'ipv6' if is_six else 'ipv4'}")
    has_limits = any("_ttl" in word for peer in one["_peers"] for word in peer["options"])
    return {
        "garp_master_repeat": first(one["garp_master_repeat"], repeat),
        "garp_master_refresh_repeat": first(
            one["garp_master_refresh_repeat"], _garp_default(vrrp, "garp_master_refresh_repeat")
        ),
        "lower delay": 0 if is_strict else first(one["garp_lower_prio_delay_s"], lower_delay),
        "lower repeat": 0 if is_strict else first(one["garp_lower_prio_repeat"], lower_repeat),
        # dropped where there is no further device
        "extra": ANY if first(one["garp_extra_s"], vrrp.get("garp_extra_s")) else 0,
        "silent": is_strict
        or first(one["is_silent_to_lower"], bool(vrrp.get("is_silent_to_lower"))),
        "answers": not is_strict and first(one["answers_higher"], bool(vrrp.get("answers_higher"))),
        # strict mode takes it from all but an owner of version 2
        "accepts": ANY if is_strict else accepts,
        "promotes": one["promotes_secondaries"],
        "tracks_interface": one["tracks_interface"],
        # 2.2.7 sets it whatever the word behind it says
        "skips address check": one["skips_address_check"] is not None
        or vrrp.get("skips_address_check", False),
        "strict": is_strict,
        "buffer": one["receive_buffer_bytes"] or 0,
        "debug": one["debug_level"] or 0,
        "notifies_priority": notifies,
        "tells deletion": one["notifies_deletion"]
        or any(hook["event"] == "deleted" for hook in one["hooks"]),
        "group": None
        if is_unicast
        else one["multicast_group"] or default_group or _MULTICAST["ipv6" if is_six else "ipv4"],
        "ttl": first(one["unicast_ttl"], None if is_six else _TTL) if is_unicast else None,
        # that of the settings counts beside it
        "checks source": is_unicast and (one["checks_unicast_source"] or has_limits),
        "old checksum": one["old_checksum"] if is_unicast else None,
        "vrf": ANY if one["vrf"] else None,
        "vmac": one["vmac"] is not None,
        "ipvlan": one["ipvlan"] is not None and one["vmac"] is None,
        "vmac addresses": one["has_vmac_addresses"],
    }
