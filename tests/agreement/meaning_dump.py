"""keepalived's dumps of what it understood, as blocks of fields. Pure functions on text.

A meaning is a mapping from the name of a block to its fields: `settings`, `instance NAME`, `sync
group NAME`, `script NAME`, `static addresses`, `group NAME`, `service 192.0.2.10:80/tcp`, and below
a service `… > 192.0.2.21:80` for a real server, `… > check 1` for its checks in order. The second
block of one name has ` #2` behind it. Times are milliseconds, None is "not set". `meaning.py` makes
the same of drctl's JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Meaning = dict[str, dict[str, Any]]

_SECTION = re.compile(r"------< (.*) >------")
_SCRIPT = re.compile(r"(.*), uid:gid (\d+):(\d+)")
_TRACK = re.compile(r"(\S+?)[,:]? weight (-?\d+)( reverse)?")
_PEER = re.compile(r"(\S+) min_ttl (\d+) max_ttl (\d+)")
_PAIR = re.compile(r"\[(.*)\]:(\d+)")
_TRIO = re.compile(r"\[(.*)\]:(\w+):(\d+)")
_CHECK = re.compile(r" (?:\[|FWM ).* -> \[")
_METHODS = {"NAT": "masquerading", "DR": "direct routing", "TUN": "tunnelling"}
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


@dataclass
class Record:
    """An object of a dump: its `key = value` lines, and the lines below a heading."""

    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    lines: list[tuple[int, str]] = field(default_factory=list)

    def get(self, key: str, default: str = "") -> str:
        """The text behind `key =`."""
        return self.values.get(key, default)

    def has(self, line: str) -> bool:
        """Whether there is exactly this line."""
        return any(text == line for _, text in self.lines)

    def flag(self, key: str, yes: str = "yes") -> bool:
        """Whether the text behind `key =` is `yes`."""
        return self.values.get(key) == yes


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
        elif section == "VRRP Topology":
            for one in records(lines, " VRRP Instance = "):
                name = one.get("VRRP Instance")
                put(found, f"instance {name}", _instance(one, wanted.get(name)))
        elif section == "VRRP Sync groups":
            for one in records(lines, " VRRP Sync Group = "):
                name = one.get("VRRP Sync Group").rpartition(", ")[0]
                put(found, f"sync group {name}", _sync_group(one))
        elif section == "VRRP Scripts":
            for one in records(lines, " VRRP Script = "):
                put(found, f"script {one.get('VRRP Script')}", _script(one))
    return found


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


def put(found: Meaning, name: str, fields: dict[str, Any]) -> str:
    """Add a block; returns its name, which tells it from earlier ones of the same name."""
    unique, number = name, 1
    while unique in found:
        number += 1
        unique = f"{name} #{number}"
    found[unique] = fields
    return unique


def sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each section of a dump with its lines."""
    name = ""
    lines: list[str] = []
    for line in text.split("\n"):
        if head := _SECTION.fullmatch(line):
            yield name, lines
            name, lines = head[1], []
        else:
            lines.append(line)
    yield name, lines


def records(lines: list[str], start: str | re.Pattern[str]) -> Iterator[Record]:
    """The objects of a section: each begins with a line that starts so."""
    pattern = re.compile(re.escape(start)) if isinstance(start, str) else start
    part: list[str] = []
    is_open = False
    for line in lines:
        if pattern.match(line):
            if is_open:
                yield record(part)
            part, is_open = [], True
        part.append(line)
    if is_open:
        yield record(part)


def record(lines: list[str]) -> Record:
    """The lines of one object; one below a heading (`Virtual IP (2):`) is an item of its list."""
    found = Record()
    heading, depth = "", 0
    for line in lines:
        text = line.lstrip(" ")
        indent = len(line) - len(text)
        if not text:
            continue
        found.lines.append((indent, text))
        if heading and indent > depth:
            found.lists[heading].append(text)
            continue
        heading = ""
        if text.endswith(":") and " = " not in text:
            heading, depth = re.sub(r"(?: \(\d+\))? ?:$", "", text), indent
            found.lists[heading] = []
        elif " = " in text:
            key, _, value = text.partition(" = ")
            found.values.setdefault(key, value)
        elif text.endswith(" ="):
            found.values.setdefault(text.removesuffix(" ="), "")
    return found


def command(text: str) -> tuple[str, ...]:
    """The words of a command, which the dump has each in quotes."""
    first, _, rest = text.partition(" '")
    if not text.startswith("'"):
        # a redirection alone
        return (first, *(command(f"'{rest}") if rest else ()))
    return tuple(text.removeprefix("'").removesuffix("'").split("' '"))


def _hook(text: str) -> tuple[tuple[str, ...], str, str] | None:
    parts = _SCRIPT.fullmatch(text)
    return (command(parts[1]), parts[2], parts[3]) if parts else None


def _hooks(one: Record, names: dict[str, str]) -> dict[str, Any]:
    return {
        f"hook {event}": _hook(text)
        for key, event in names.items()
        if (text := one.values.get(key)) is not None
    }


def _state_hooks(one: Record) -> dict[str, Any]:
    return _hooks(one, {f"{k} state transition script": event for k, event in _EVENTS.items()})


def milliseconds(seconds: str) -> int | None:
    """A decimal number of seconds, of which the rest below a millisecond is dropped."""
    return int(Decimal(seconds) * 1000) if seconds else None


def microseconds(text: str) -> int | None:
    """`3000000 us`, as milliseconds."""
    return int(text.removesuffix(" us")) // 1000 if text else None


def number(text: str) -> int | None:
    """The number at the start of the text."""
    found = re.match(r"-?\d+", text)
    return int(found[0]) if found else None


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
    return {key: value for key, value in found.items() if value is not None}


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
        elif word != "set":
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
            if (parts := _TRACK.fullmatch(line))
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
        **_state_hooks(one),
    }
    return found


def _sync_group(one: Record) -> dict[str, Any]:
    return {
        "members": tuple(one.lists.get("VRRP member instances", ())),
        "tracks": _tracks(one),
        "sends_mail": one.flag("Using smtp notification"),
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
        **_hooks(
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
        **_hooks(one, {"RS up notify script": "up", "RS down notify script": "down"}),
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
        elif is_inside and (parts := _TRACK.fullmatch(text)):
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
