"""What the VRRP process of keepalived dumps, as a meaning (see `meaning_record`)."""

from __future__ import annotations

import re
from typing import Any

from agreement import meaning_option, meaning_routing, meaning_tracking
from agreement.meaning_record import (
    TRACK,
    Meaning,
    Record,
    command,
    hooks,
    milliseconds,
    number,
    put,
    record,
    records,
    sections,
)

_PEER = re.compile(r"(\S+) min_ttl (\d+) max_ttl (\d+)")
_TRACKED = {
    "Tracked interfaces": "interface",
    "Tracked scripts": "script",
    "Tracked files": "file",
    "Tracked processes": "process",
    "Tracked process": "process",
    "Tracked BFDs": "bfd",
}
_EVENTS = {
    "Backup": "backup",
    "Master": "master",
    "Fault": "fault",
    "Stop": "stop",
    "Deleted": "deleted",
    "Generic": "notify",
    "Master rx lower pri": "master_rx_lower_pri",
}


def read_vrrp(text: str, wanted: dict[str, str]) -> Meaning:
    """The dump of the VRRP process; `wanted` are the states that instances were to start in, which
    have often changed when the dump is written."""
    found: Meaning = {}
    for section, lines in sections(text):
        if section == "Global definitions":
            put(found, "settings", _settings(record(lines)))
        elif section == "Static Addresses":
            texts = [line.strip() for line in lines if line.strip()]
            put(found, "static addresses", {"addresses": [address(line) for line in texts]})
        elif section in {"Static Routes", "Static Rules"}:
            kind = section.removeprefix("Static ").lower().removesuffix("s")
            meaning_routing.put_dumped(
                found, lines[:-1] if lines[-1:] == [""] else lines, "static", kind
            )
        elif section == "VRRP Topology":
            for one in records(lines, " VRRP Instance = "):
                name = one.get("VRRP Instance")
                block = put(found, f"instance {name}", _instance(one, wanted.get(name)))
                for kind in ("route", "rule"):
                    listed = one.lists.get(f"Virtual {kind.capitalize()}s", ())
                    meaning_routing.put_dumped(found, listed, block, kind)
        elif section == "VRRP Sync groups":
            for one in records(lines, " VRRP Sync Group = "):
                name = one.get("VRRP Sync Group").rpartition(", ")[0]
                put(found, f"sync group {name}", _sync_group(one))
        elif section == "VRRP Scripts":
            for one in records(lines, " VRRP Script = "):
                put(found, f"script {one.get('VRRP Script')}", _script(one))
        else:
            meaning_tracking.read_dumped(found, section, lines)
    return found


def wanted_states(log: str) -> dict[str, str]:
    """The state that each instance is to start in, from the dump that `keepalived -d` logs before
    it starts them."""
    found: dict[str, str] = {}
    name = ""
    for line in log.splitlines():
        if line.startswith(" VRRP Instance = "):
            name = line.removeprefix(" VRRP Instance = ")
        elif line.startswith("   Wantstate = "):
            found.setdefault(name, line.removeprefix("   Wantstate = "))
    return found


def _state_hooks(one: Record) -> dict[str, Any]:
    return hooks(one, {f"{k} state transition script": event for k, event in _EVENTS.items()})


def _settings(one: Record) -> dict[str, Any]:
    port = one.get("Smtp server port")
    server = one.values.get("Smtp server")
    found = {
        "router_id": one.values.get("Router ID"),
        "notification_emails": tuple(one.lists.get("Email notification to", ())),
        "notification_email_from": one.values.get("Email notification from"),
        "smtp_server": None if server is None else (server, int(port)),
        "smtp_connect_timeout_s": number(one.get("Smtp server connection timeout")),
        "has_script_security": one.has("Script security enabled"),
        "is_vrrp_strict": one.flag("VRRP strict mode", "true"),
        "vrrp_version": number(one.get("VRRP default protocol version")),
        "flushes_ipvs": one.flag("LVS flush", "true"),
        "sync interface": one.values.get("LVS syncd interface"),
        "sync instance": one.values.get("LVS syncd vrrp instance"),
        "sync id": number(one.get("LVS syncd syncid")),
        "tcp_s": number(one.get("LVS TCP timeout")),
        "tcpfin_s": number(one.get("LVS TCP FIN timeout")),
    }
    known = {key: value for key, value in found.items() if value is not None}
    return {**known, **meaning_option.dumped_settings(one)}


def address(text: str) -> tuple[tuple[str, str], ...]:
    """An address with its options, sorted: `192.0.2.9/24 dev eth0 scope global`."""
    first, *words = text.split(" ")
    where, _, length = first.partition("/")
    options = {"address": where, "prefix": length or ("128" if ":" in where else "32")}
    at = 0
    while at < len(words):
        word = words[at]
        if word in {"dev", "brd", "scope", "label", "peer", "track_group", "preferred_lft"}:
            # behind an @ stands the device on which keepalived made this one
            options[word] = words[at + 1].rpartition("@")[2]
            at += 1
        elif word not in {"set", "iptable_set", "nftable_set"}:  # what is done with it already
            options[word] = "yes"
        at += 1
    if options.get("preferred_lft") == "forever":
        del options["preferred_lft"]
    return tuple(sorted(options.items()))


def _tracks(one: Record) -> tuple[tuple[str, str, int, bool], ...]:
    return tuple(
        sorted(
            (kind, parts[1], int(parts[2]), parts[3] is not None)
            for heading, kind in _TRACKED.items()
            for line in one.lists.get(heading, ())
            if (parts := TRACK.fullmatch(line))
        )
    )


def _instance(one: Record, wanted: str | None) -> dict[str, Any]:
    interval = one.get("Advert interval")
    base = re.search(r" on ([^\s,]+)", one.get("Interface"))  # of a device that keepalived made
    scale = 1000 if interval.endswith(" sec") else 1
    source = one.get("Using src_ip")
    is_ours = source.endswith(" (from configuration)")
    found: dict[str, Any] = {
        "version": number(one.get("VRRP Version")),
        "sync group": one.values.get("Sync group"),
        "state": wanted,
        "interface": base[1] if base else one.get("Interface"),
        "source": source.removesuffix(" (from configuration)") if is_ours else None,
        "unicast_peers": tuple(
            sorted(
                (p[1], int(p[2]), int(p[3]))
                for line in one.lists.get("Unicast Peer", ())
                if (p := _PEER.fullmatch(line))
            )
        ),
        "garp_master_delay_s": number(one.get("Gratuitous ARP delay")),
        "garp_master_refresh_s": number(one.get("Gratuitous ARP refresh")),
        "down_timer_adverts": number(one.get("Down timer adverts")),
        "virtual_router_id": number(one.get("Virtual Router ID")),
        "priority": number(one.get("Priority")),
        "advert_ms": (number(interval) or 0) * scale,
        "is_preempting": one.flag("Preempt", "enabled"),
        "preempt_delay_ms": milliseconds(one.get("Preempt delay", "0").removesuffix(" secs")),
        "authentication": {"SIMPLE_PASSWORD": "PASS", "IPSEC_AH": "AH"}.get(
            one.get("Authentication type")
        ),
        "password": one.values.get("Password"),
        "vips": tuple(address(line) for line in one.lists.get("Virtual IP", ())),
        "excluded vips": tuple(address(line) for line in one.lists.get("Virtual IP Excluded", ())),
        "tracks": _tracks(one),
        "sends_mail": one.flag("Using smtp notification"),
        **meaning_option.dumped_instance(one),
        **_state_hooks(one),
    }
    return found


def _sync_group(one: Record) -> dict[str, Any]:
    return {
        "members": tuple(one.lists.get("VRRP member instances", ())),
        "tracks": _tracks(one),
        "sends_mail": one.flag("Using smtp notification"),
        "notifies_priority": {"yes": True, "no": False}.get(one.get("Notify priority changes")),
        "tracks with weight": one.has("sync group tracking weight set"),
        **_state_hooks(one),
    }


def _script(one: Record) -> dict[str, Any]:
    owner = one.get("Script uid:gid").split(":")
    return {
        "command": command(one.get("Command")),
        "interval s": number(one.get("Interval")),
        "timeout s": number(one.get("Timeout")),
        "weight": number(one.get("Weight")),
        "reverse": one.get("Weight").endswith(" reverse"),
        "rise": number(one.get("Rise")),
        "fall": number(one.get("Fall")),
        "owner": (owner[0], owner[1]),
    }
