"""What the process of the services of keepalived dumps, as a meaning (see `meaning_record`)."""

from __future__ import annotations

import re
from typing import Any

from agreement.meaning_record import (
    TRACK,
    Meaning,
    Record,
    command,
    hooks,
    microseconds,
    milliseconds,
    number,
    put,
    record,
    records,
    sections,
)

_PAIR = re.compile(r"\[(.*)\]:(\d+)")
_TRIO = re.compile(r"\[(.*)\]:(\w+):(\d+)")
_CHECK = re.compile(r" (?:\[|FWM ).* -> \[")
_METHODS = {"NAT": "masquerading", "DR": "direct routing", "TUN": "tunnelling"}
_KINDS = {
    "HTTP_GET": "http",
    "SSL_GET": "http",
    "TCP_CHECK": "tcp",
    "SMTP_CHECK": "smtp",
    "DNS_CHECK": "dns",
    "UDP_CHECK": "udp",
    "PING_CHECK": "ping",
    "MISC_CHECK": "misc",
    "BFD_CHECK": "bfd",
    "FILE_CHECK": "file",
}


def read_check(text: str) -> Meaning:
    """The dump of the process that has the services."""
    found: Meaning = {}
    for section, lines in sections(text):
        if section == "LVS Topology":
            _read_services(found, lines)
        elif section == "Health checkers":
            for one in records(lines, _CHECK):
                _add_check(found, one)
    return found


def _forwarding(text: str) -> str | None:
    return _METHODS.get(text.partition(",")[0])


def _is_on(one: Record, what: str) -> bool:
    return one.has(f"{what} is ON")


def _read_services(found: Meaning, lines: list[str]) -> None:
    part: list[list[str]] = []
    for line in lines:
        if line.startswith((" ------< ", "   ------< ")):
            part.append([])
        if part:
            part[-1].append(line)
    name = ""
    for block in part:
        one = record(block[1:])
        if "Virtual server group" in block[0]:
            title = one.get("Virtual Server Group").rsplit(", IPv4 = ", 1)[0]
            put(found, f"group {title}", {"entries": _entries(block)})
        elif "Virtual server" in block[0]:
            title, fields = _service(one)
            name = put(found, f"service {title}", fields)
        else:
            where, fields = _real_server(one)
            put(found, f"{name} > {where}", fields)


def _entries(block: list[str]) -> tuple[str, ...]:
    """`192.0.2.1-192.0.2.9:80`, `mark 7`."""
    found = []
    for line in block:
        if where := re.fullmatch(r"   VIP(?: Range)? = (\S+), VPORT = (\d+)", line):
            found.append(f"{where[1]} port {where[2]}")
        elif mark := re.fullmatch(r"   FWMARK = (\d+)(.*)", line):
            found.append(f"mark {mark[1]}{mark[2]}")
    return tuple(sorted(found))


def _service(one: Record) -> tuple[str, dict[str, Any]]:
    where = re.fullmatch(r"(\S+), VPORT = (\d+)", one.get("VS VIP"))
    if where:
        protocol = one.get("protocol").lower()
        title = f"{where[1]} port {where[2]} {protocol}"
    elif group := one.values.get("VS GROUP"):
        title = f"group {_between(group)} {one.get('protocol').lower()}"
    else:
        title = f"mark {one.get('VS FWMARK')}"
    first, sorry, method, inhibits = None, None, None, None
    for _, text in one.lines:
        if "forwarding method = " in text:
            value = _forwarding(text.partition("forwarding method = ")[2])
            if sorry is None:
                first = value
            else:
                method = value
        elif text.startswith("sorry server "):
            sorry = text.partition("= ")[2]
        elif sorry and text.startswith("Inhibit on failure is "):
            inhibits = text.endswith("ON")
    quorum = re.fullmatch(r"(\d+), hysteresis = (\d+)", one.get("quorum"))
    found: dict[str, Any] = {
        "virtualhost": one.values.get("VirtualHost"),
        "ip_family": one.get("Address family"),
        "timeout_ms": milliseconds(one.get("connection timeout")),
        "loop_ms": milliseconds(one.get("delay_loop")),
        "scheduler": one.get("lvs_sched"),
        "flags": tuple(sorted(k.lower() for k, v in one.values.items() if _is_flag(k, v))),
        "is_one_packet": one.get("One packet scheduling").startswith("enabled"),
        "persistence_s": number(one.get("persistence timeout")),
        "persistence_mask": one.values.get("persistence granularity"),
        "is_alpha": _is_on(one, "alpha"),
        "is_omega": _is_on(one, "omega"),
        "retries": number(one.get("Retry count")),
        "retry_delay_ms": milliseconds(one.get("Retry delay")),
        "warmup_ms": milliseconds(one.get("Warmup")),
        "inhibits_on_failure": next(
            (t.endswith("ON") for _, t in one.lines if t.startswith("Inhibit on failure is ")), None
        ),
        "quorum": int(quorum[1]) if quorum else None,
        "hysteresis": int(quorum[2]) if quorum else None,
        "has_ha_suspend": one.has("Using HA suspend"),
        "forwarding": first,
        "sorry server": None if sorry is None else _sorry(sorry),
        "sorry forwarding": method,
        "sorry inhibits": inhibits,
        **hooks(
            one,
            {
                "Quorum up notify script": "quorum_up",
                "Quorum down notify script": "quorum_down",
            },
        ),
    }
    return title, found


def _is_flag(key: str, value: str) -> bool:
    return value == "enabled" and re.fullmatch(r"Hashed|(?:sh|mh)-\w+|flag-\d", key) is not None


def _between(text: str) -> str:
    """The name in `[NAME]:PORT`."""
    return text.removeprefix("[").rpartition("]:")[0]


def _sorry(text: str) -> str:
    where = _TRIO.fullmatch(text)
    return f"{where[1]} port {where[3]}" if where else text


def _real_server(one: Record) -> tuple[str, dict[str, Any]]:
    where = re.fullmatch(r"(\S+), RPORT = (\d+), WEIGHT.*", one.get("RIP"))
    limits = re.fullmatch(r"(\d+) -> (\d+)", one.get("connection limit range"))
    host = one.values.get("VirtualHost")
    found: dict[str, Any] = {
        "weight": number(one.get("initial weight")),
        "forwarding": _forwarding(one.get("forwarding method")),
        "is_alpha": _is_on(one, "Alpha"),
        "timeout_ms": milliseconds(one.get("connection timeout")),
        "lower_threshold": int(limits[1]) if limits else None,
        "upper_threshold": int(limits[2]) if limits else None,
        "loop_ms": milliseconds(one.get("Delay loop")),
        "retries": number(one.get("Retry count")),
        "retry_delay_ms": milliseconds(one.get("Retry delay")),
        "warmup_ms": milliseconds(one.get("Warmup")),
        "inhibits_on_failure": _is_on(one, "Inhibit on failure"),
        "virtualhost": None if host is None else host[1:-1],
        "file weights": _file_weights(one),
        **hooks(one, {"RS up notify script": "up", "RS down notify script": "down"}),
    }
    return (f"{where[1]} port {where[2]}" if where else "?"), found


def _file_weights(one: Record) -> tuple[tuple[str, str], ...]:
    """The files that a real server is checked by, each with its weight."""
    found, is_inside = [], False
    for indent, text in one.lines:
        if text == "Tracked Files":
            is_inside = True
        elif indent == 3:
            is_inside = False
        elif is_inside and (parts := TRACK.fullmatch(text)):
            found.append((parts[1], parts[2] + (parts[3] or "")))
    return tuple(found)


def _add_check(found: Meaning, one: Record) -> None:
    vs, _, rs = one.lines[0][1].partition(" -> ")
    trio, server = _TRIO.fullmatch(vs), _TRIO.fullmatch(rs)
    if vs.startswith("FWM "):
        service = f"mark {vs.removeprefix('FWM ')}"
    elif trio:
        service = f"{trio[1]} port {trio[3]} {trio[2]}"
    else:
        service = f"group {_between(vs)} {server[2] if server else ''}"
    where = f"{server[1]} port {server[3]}" if server else rs
    add_check(found, f"service {service} > {where}", _check(one))


def add_check(found: Meaning, server: str, check: dict[str, Any]) -> None:
    """Add a check below its server: by its place, or one of a file by the file's name, since all
    of those are behind the others in a dump."""
    if check["type"] == "file":
        put(found, f"{server} > file check {check['file']}", check)
        return
    place = 1
    while (name := f"{server} > check {place}") in found:
        place += 1
    found[name] = check


def _check(one: Record) -> dict[str, Any]:
    method = one.get("Keepalive method")
    word = method.partition(",")[0]
    if word in {"FILE_CHECK", "BFD_CHECK"}:
        # nothing is asked, so their timers mean nothing
        key, shown = ("file", "Tracked file") if word == "FILE_CHECK" else ("name", "Name")
        return {"type": _KINDS[word], key: one.get(shown)}
    found: dict[str, Any] = {
        "type": _KINDS[word],
        "is_alpha": one.flag("Alpha"),
        "loop_ms": microseconds(one.get("Delay loop")),
        "warmup_ms": microseconds(one.get("Warmup")),
        "retries": number(one.get("Retries")),
        "retry_delay_ms": microseconds(one.get("Delay before retry")),
    }
    if target := _PAIR.fullmatch(one.get("Dest")):
        found["to"] = f"{target[1]} port {target[2]}"
        source = _PAIR.fullmatch(one.get("Bind to"))
        found["from"] = f"{source[1]} port {source[2]}" if source else None
        found["bind_interface"] = one.values.get("Bind i/f")
        found["mark"] = number(one.get("Mark"))
        found["timeout_ms"] = milliseconds(one.get("Timeout"))
    kind = found["type"]
    if kind == "http":
        found["uses_tls"] = word == "SSL_GET"
        found["http_protocol"] = method.rpartition(" ")[2]
        found["virtualhost"] = one.values.get("Virtualhost")
        found["urls"] = _urls(one)
    elif kind == "misc":
        found["command"] = command(one.get("script"))
        found["timeout s"] = number(one.get("timeout"))
        found["is_dynamic"] = one.flag("dynamic", "YES")
        owner = one.get("uid:gid").split(":")
        found["owner"] = (owner[0], owner[1])
    elif kind == "smtp":
        found["helo_name"] = one.get("helo")
    elif kind == "dns":
        found["record_type"], found["name"] = one.get("Type"), one.get("Name")
    elif kind == "udp":
        found["payload bytes"] = number(one.get("Payload len")) or 0
        found["requires reply"] = one.flag("Require reply")
    return found


def _urls(one: Record) -> tuple[dict[str, Any], ...]:
    found: list[dict[str, Any]] = []
    for _, text in one.lines:
        key, _, value = text.partition(" = ")
        if key == "Checked url":
            found.append(
                {"path": value, "digest": None, "status": [], "virtualhost": None, "regex": None}
            )
        elif not found:
            continue
        elif key == "digest":
            found[-1]["digest"] = value
        elif key == "Virtual host":
            found[-1]["virtualhost"] = value
        elif key == "Regex":
            found[-1]["regex"] = value[1:-1]
        elif re.fullmatch(r"\d+(?:-\d+)?", text):
            first, _, last = text.partition("-")
            found[-1]["status"].append((int(first), int(last or first)))
    return tuple(found)
