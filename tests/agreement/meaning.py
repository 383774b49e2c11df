"""drctl's JSON of a keepalived.conf as the blocks and fields of `meaning_dump`, and the comparison.

drctl says what a file says, null where it is silent; keepalived says what it will do. So what
follows from the words is worked out here, with the reason at each step: its defaults, and what it
changes after reading (2.2.7: vrrp_complete_instance, validate_check_config).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agreement.meaning_dump import Meaning, put

from drctl.readers.keepalived_words import split_command

Json = Mapping[str, Any]

OWNER = 255
DEFAULT_PERSISTENCE_S = 360
DEFAULT_LOOP_MS = 60_000
DEFAULT_TIMEOUT_MS = 5_000
DEFAULT_HELO = "smtpserver.example"
LONGEST_V2_MS, LONGEST_V3_MS = 255_000, 40_950
LONGEST_PASSWORD = 8
HOOK_EVENTS = {"up", "down", "quorum_up", "quorum_down"}


@dataclass(frozen=True)
class Host:
    """The machine of the dump, and the global defaults that drctl's model has no field for:
    `defaults` are those of keepalived's own dump. `users` have user and group number."""

    users: Mapping[str, Sequence[str]]
    groups: Mapping[str, str]
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """A field of a block in which the two do not say the same; `field` is empty when the whole
    block is missing on one side."""

    block: str
    field: str
    drctl: Any
    keepalived: Any

    def __str__(self) -> str:
        if not self.field:
            side = "keepalived" if self.drctl is None else "drctl"
            return f"{self.block}: only {side} has it"
        return f"{self.block}: {self.field}: drctl {self.drctl!r}, keepalived {self.keepalived!r}"


def differences(mine: Meaning, theirs: Meaning) -> list[Difference]:
    """Each field that differs, and each block that one side lacks."""
    found = []
    for block in dict.fromkeys((*mine, *theirs)):
        if block not in mine or block not in theirs:
            # what is below a missing block is missing with it
            parent = block.rpartition(" > ")[0]
            if not parent or (parent in mine) == (parent in theirs):
                found.append(Difference(block, "", mine.get(block), theirs.get(block)))
            continue
        for name in dict.fromkeys((*mine[block], *theirs[block])):
            left, right = mine[block].get(name), theirs[block].get(name)
            if left is not ANY and left != right:
                found.append(Difference(block, name, left, right))
    return found


def fields_compared(mine: Meaning, theirs: Meaning) -> int:
    """How many fields the comparison looked at."""
    both = mine.keys() & theirs.keys()
    return sum(
        value is not ANY for block in both for value in {**theirs[block], **mine[block]}.values()
    )


class _Any:
    """Stands for a value that the file leaves to the machine."""

    def __repr__(self) -> str:
        return "(any)"


ANY: Any = _Any()


def project(model: Json, passwords: Mapping[str, str], host: Host) -> tuple[Meaning, Meaning]:
    """What the VRRP process and the process of the services must have understood, if drctl's
    `model` is right. `passwords` by instance, since the JSON has none."""
    teller = _Teller(model, passwords, host)
    return teller.vrrp(), teller.check()


class _Teller:
    def __init__(self, model: Json, passwords: Mapping[str, str], host: Host) -> None:
        self.model = model
        self.settings: Json = model["settings"]
        self.passwords = passwords
        self.host = host
        self.scripts = {one["name"]: one for one in model["scripts"]}

    # VRRP

    def vrrp(self) -> Meaning:
        """Settings, instances, sync groups, scripts and static addresses."""
        found: Meaning = {}
        put(found, "settings", self._settings())
        if self.model["static_addresses"]:
            listed = [_address(one, "") for one in self.model["static_addresses"]]
            put(found, "static addresses", {"addresses": listed})
        groups = {m: g["name"] for g in self.model["sync_groups"] for m in g["members"]}
        for one in self.model["instances"]:
            put(found, f"instance {one['name']}", self._instance(one, groups.get(one["name"])))
        names = {one["name"] for one in self.model["instances"]}
        for one in self.model["sync_groups"]:
            members = tuple(m for m in one["members"] if m in names)
            if members:  # a group of none is removed
                put(found, f"sync group {one['name']}", self._sync_group(one, members))
        tracked = {
            track["name"]
            for one in (*self.model["instances"], *self.model["sync_groups"])
            for track in one["tracks"]
            if track["kind"] == "script"
        }
        for one in self.model["scripts"]:
            if one["name"] in tracked:  # scripts that nobody tracks are removed
                put(found, f"script {one['name']}", self._script(one))
        return found

    def _settings(self) -> dict[str, Any]:
        said = self.settings
        server, _, port = (said["smtp_server"] or "").partition(" ")
        is_address = re.fullmatch(r"[\d.]+|[\da-fA-F:]*:[\da-fA-F:.]*", server) is not None
        sync = said["sync_daemon"] or {}
        timeouts = said["ipvs_timeouts"] or {}
        found: dict[str, Any] = {
            # the host's own name, and the user's own address, unless set
            "router_id": said["router_id"] or ANY,
            "notification_emails": tuple(said["notification_emails"]),
            "notification_email_from": said["notification_email_from"] or ANY,
            "smtp_server": (server, int(port or 25)) if is_address else ANY,
            "smtp_connect_timeout_s": said["smtp_connect_timeout_s"] or ANY,
            "has_script_security": said["has_script_security"],
            "is_vrrp_strict": said["is_vrrp_strict"],
            "vrrp_version": said["vrrp_version"] or 2,
            "flushes_ipvs": said["flushes_ipvs"],
            "sync interface": sync.get("interface"),
            "sync instance": sync.get("instance"),
            "sync id": ANY if sync.get("sync_id") is None else sync["sync_id"],
            # the dump has the UDP timeout under the name of the TCP one
            "tcp_s": timeouts.get("tcp_s") or timeouts.get("udp_s"),
            "tcpfin_s": timeouts.get("tcpfin_s"),
            "script owner": self._owner(None, None),
        }
        return found

    def _owner(self, user: str | None, group: str | None) -> tuple[str, str]:
        """Numbers of user and group that a script runs as."""
        if user is None:
            default = (self.settings["script_user"] or "").split()
            if not default:
                default = [
                    "keepalived_script" if "keepalived_script" in self.host.users else "root"
                ]
            user, group = default[0], (default[1] if len(default) > 1 else None)
        uid, gid = self.host.users.get(user, ("?", "?"))
        if group is not None:
            gid = self.host.groups.get(group.removeprefix(":"), "?")
        return uid, gid

    def _hooks(self, one: Json) -> dict[str, Any]:
        return {
            f"hook {hook['event']}": (
                command_words(hook["command"]),
                *self._owner(hook["user"], hook["group"]),
            )
            for hook in one["hooks"]
        }

    def _sends_mail(self, said: bool | None) -> Any:
        # smtp_alert_vrrp and smtp_alert of global_defs are no fields of the model
        return self.host.defaults.get("sends_mail", False) if said is None else said

    def _tracks(self, one: Json) -> tuple[tuple[str, str, int, bool], ...]:
        found = []
        for track in one["tracks"]:
            weight, is_reverse = track["weight"], "reverse" in track["options"]
            if track["kind"] == "script":
                script = self.scripts.get(track["name"])
                if script is None:
                    continue  # reported, and not tracked
                if weight is None:
                    weight = script["weight"]
            if track["kind"] == "interface" and track["name"] == one.get("interface"):
                continue  # an instance tracks its own interface anyway
            found.append((track["kind"], track["name"], weight or 0, is_reverse))
        return tuple(sorted(found))

    def _instance(self, one: Json, group: str | None) -> dict[str, Any]:
        defaults = self.host.defaults
        version = self._version(one)
        priority = one["priority"] or (OWNER if one["state"] == "MASTER" else 100)
        state = one["state"] or ("MASTER" if priority == OWNER else "BACKUP")
        kind, password = self._authentication(one, version)
        if kind == "AH" and state == "MASTER" and priority != OWNER:
            state = "BACKUP"  # it must hear an advert before it can send one
        # an initial master does not wait for others, an owner least of all
        is_preempting = one["is_preempting"] or state == "MASTER" or priority == OWNER
        waits = is_preempting and state != "MASTER"
        return {
            "version": version,
            "sync group": group,
            "state": state,
            "interface": one["interface"] or "not configured",
            "source": _source(one),
            "unicast_peers": tuple(sorted(_peer(peer) for peer in one["unicast_peers"])),
            "garp_master_delay_s": _or(one["garp_master_delay_s"], defaults, "garp delay"),
            "garp_master_refresh_s": _or(one["garp_master_refresh_s"], defaults, "garp refresh"),
            "down_timer_adverts": _or(one["down_timer_adverts"], defaults, "down timer"),
            "virtual_router_id": one["virtual_router_id"],
            "priority": priority,
            "advert_ms": _advert_ms(one["advert_ms"], version),
            "is_preempting": is_preempting,
            "preempt_delay_ms": (one["preempt_delay_ms"] or 0) if waits else 0,
            "authentication": kind,
            "password": password,
            "vips": _vips(one, is_excluded=False),
            "excluded vips": _vips(one, is_excluded=True),
            "tracks": self._tracks(one),
            "sends_mail": self._sends_mail(one["sends_mail"]),
            **self._hooks(one),
        }

    def _version(self, one: Json) -> int:
        words = [vip["address"] for vip in one["vips"]]
        words += [peer["address"] for peer in one["unicast_peers"]]
        words += [one[name] for name in ("unicast_source", "multicast_source") if one[name]]
        is_six = bool(words) and ":" in words[0]
        if is_six and self.settings["is_vrrp_strict"]:
            return 3
        return int(one["version"] or (3 if is_six else self.settings["vrrp_version"] or 2))

    def _authentication(self, one: Json, version: int) -> tuple[str | None, str | None]:
        """What is left of it: version 3 has none, and without a password there is none."""
        said = one["authentication"] or {}
        password = self.passwords.get(one["name"])
        if version == 3 or self.settings["is_vrrp_strict"] or not password:
            return None, None
        kind = said.get("kind")
        return kind, password[:LONGEST_PASSWORD] if kind == "PASS" else None

    def _sync_group(self, one: Json, members: tuple[str, ...]) -> dict[str, Any]:
        return {
            "members": members,
            "tracks": self._tracks(one),
            "sends_mail": self._sends_mail(one["sends_mail"]),
            **self._hooks(one),
        }

    def _script(self, one: Json) -> dict[str, Any]:
        return {
            "command": command_words(one["command"] or ""),
            "interval s": (1000 if one["interval_ms"] is None else one["interval_ms"]) // 1000,
            "timeout s": (one["timeout_ms"] or 0) // 1000,
            "weight": one["weight"] or 0,
            "reverse": False,
            "rise": one["rise"] or 1,
            "fall": one["fall"] or 1,
            "owner": self._owner(one["user"], one["group"]),
        }

    # services

    def check(self) -> Meaning:
        """Groups, services, real servers and checks."""
        found: Meaning = {}
        groups = {one["name"]: one for one in self.model["service_groups"]}
        services = [one for one in self.model["services"] if one["real_servers"]]
        if services:  # without any the groups are not dumped
            for one in self.model["service_groups"]:
                entries = tuple(sorted(_entry(entry) for entry in one["entries"]))
                put(found, f"group {one['name']}", {"entries": entries})
        for one in services:
            if one["group"] is not None and one["group"] not in groups:
                continue  # dropped without a word
            self._service(found, one, groups.get(one["group"]))
        return found

    def _service(self, found: Meaning, one: Json, group: Json | None) -> None:
        servers = _servers(one)
        name = put(found, f"service {_title(one, group)}", self._service_fields(one, servers))
        plain = name.partition(" #")[0]
        counts: dict[str, int] = {}
        for server in servers:
            where = _endpoint(server["address"], _server_port(one, server))
            put(found, f"{name} > {where}", self._server(one, server))
            for check in server["checks"]:
                number = counts[where] = counts.get(where, 0) + 1
                below = f"{plain} > {where} > check {number}"
                while below in found:
                    number += 1
                    below = f"{plain} > {where} > check {number}"
                found[below] = self._check(one, server, check)

    def _service_fields(self, one: Json, servers: Sequence[Json]) -> dict[str, Any]:
        connect = one["connect"]
        weights = sum(_weight(one, server) for server in servers)
        quorum = min(one["quorum"] or 1, weights)
        persistence = one["persistence_s"]
        if persistence is None and _is_persistent(one):
            persistence = DEFAULT_PERSISTENCE_S
        sorry = one["sorry_server"]
        found: dict[str, Any] = {
            "virtualhost": one["virtualhost"],
            "ip_family": ANY if one["ip_family"] is None else one["ip_family"],
            "timeout_ms": _first(connect["timeout_ms"], DEFAULT_TIMEOUT_MS),
            "loop_ms": _first(connect["loop_ms"], DEFAULT_LOOP_MS),
            "scheduler": one["scheduler"] or "wlc",
            "flags": tuple(sorted(set(one["scheduler_flags"]))),
            "is_one_packet": one["is_one_packet"],
            "persistence_s": persistence,
            "persistence_mask": one["persistence_mask"],
            "is_alpha": one["is_alpha"],
            "is_omega": one["is_omega"],
            "retries": connect["retries"],
            "retry_delay_ms": connect["retry_delay_ms"],
            "warmup_ms": connect["warmup_ms"],
            "inhibits_on_failure": one["inhibits_on_failure"],
            "quorum": quorum,
            "hysteresis": min(one["hysteresis"] or 0, max(quorum - 1, 0)),
            "has_ha_suspend": one["has_ha_suspend"] and one["mark"] is None,
            "forwarding": _method(one) if one["forwarding"] else ANY,
            "sorry server": None,
            "sorry forwarding": None,
            "sorry inhibits": None,
            **self._hooks(one),
        }
        if sorry is not None:
            method = (sorry["forwarding"] or {}).get("method") or _method(one)
            port = _settled_port(one, sorry["port"], method, is_sorry=True)
            found["sorry server"] = _endpoint(sorry["address"], port)
            found["sorry forwarding"] = method
            found["sorry inhibits"] = sorry["inhibits"]
        return found

    def _server(self, service: Json, one: Json) -> dict[str, Any]:
        connect = service["connect"]
        return {
            "weight": _weight(service, one),
            "forwarding": _method(service, one),
            "is_alpha": _first(one["is_alpha"], service["is_alpha"]),
            "timeout_ms": _first(connect["timeout_ms"], DEFAULT_TIMEOUT_MS),
            "lower_threshold": one["lower_threshold"] or 0,
            "upper_threshold": one["upper_threshold"] or 0,
            "loop_ms": _first(one["loop_ms"], connect["loop_ms"], DEFAULT_LOOP_MS),
            "retries": _first(one["retries"], connect["retries"]),
            "retry_delay_ms": _first(one["delay_before_retry_ms"], connect["retry_delay_ms"]),
            "warmup_ms": connect["warmup_ms"],
            "inhibits_on_failure": _first(
                one["inhibits_on_failure"], service["inhibits_on_failure"]
            ),
            "virtualhost": one["virtualhost"],
            **self._hooks(one),
        }

    def _check(self, service: Json, server: Json, one: Json) -> dict[str, Any]:
        kind = one["type"]
        if kind in {"bfd", "file"}:
            key = "name" if kind == "bfd" else "file"
            return {"type": kind, key: one[key]}
        around, connect = service["connect"], one["connect"]
        default_retries, default_delay_ms = _RETRY.get(kind, (1, 1000))
        loop = _first(connect["loop_ms"], server["loop_ms"], around["loop_ms"], DEFAULT_LOOP_MS)
        retries = _first(connect["retries"], server["retries"], around["retries"], default_retries)
        delay = _first(
            connect["retry_delay_ms"],
            server["delay_before_retry_ms"],
            around["retry_delay_ms"],
            default_delay_ms,
            loop,
        )
        found: dict[str, Any] = {
            "type": kind,
            "is_alpha": _first(connect["is_alpha"], server["is_alpha"], service["is_alpha"]),
            "loop_ms": loop,
            "warmup_ms": _first(connect["warmup_ms"], around["warmup_ms"], loop),
            "retries": retries,
            # without retries the dump does not have it
            "retry_delay_ms": delay if retries else None,
        }
        if kind != "misc":
            port = _first(connect["port"], server["port"], 0)
            source = connect["bind_address"]
            if source is None and connect["bind_port"] is not None:
                source = "::" if ":" in server["address"] else "0.0.0.0"
            found["to"] = _endpoint(connect["address"] or server["address"], port)
            found["from"] = None if source is None else _endpoint(source, connect["bind_port"])
            found["bind_interface"] = connect["bind_interface"]
            found["mark"] = connect["mark"] or None
            found["timeout_ms"] = _first(
                connect["timeout_ms"], around["timeout_ms"], DEFAULT_TIMEOUT_MS
            )
        found.update(self._check_own(one))
        return found

    def _check_own(self, one: Json) -> dict[str, Any]:
        """What only this kind of check has."""
        match one["type"]:
            case "http":
                protocol = (one["http_protocol"] or "1.0").upper()
                return {
                    "uses_tls": one["uses_tls"],
                    "http_protocol": protocol if protocol != "1.1C" else "1.1",
                    "virtualhost": one["virtualhost"],
                    "urls": tuple(_url(url) for url in one["urls"] if url["path"]),
                }
            case "misc":
                return {
                    "command": command_words(one["command"] or ""),
                    "timeout s": (one["timeout_ms"] or 0) // 1000,
                    "is_dynamic": one["is_dynamic"],
                    "owner": self._owner(one["user"], one["group"]),
                }
            case "smtp":
                return {"helo_name": one["helo_name"] or ANY}
            case "dns":
                return {"record_type": one["record_type"] or "SOA", "name": one["name"] or "."}
            case "udp":
                return {
                    "payload bytes": len((one["payload"] or "").replace(" ", "")) // 2,
                    "requires reply": one["requires_reply"] is not None,
                }
        return {}


_RETRY: dict[str, tuple[int, int | None]] = {
    "http": (1, 3000),
    "dns": (3, None),
    "misc": (0, 1000),
}
"""Retries and the delay before one, in milliseconds (None: that of the loop)."""


def _first(*values: Any) -> Any:
    """The first that is given."""
    return next((value for value in values if value is not None), None)


def _or(said: int | None, defaults: Mapping[str, Any], name: str) -> Any:
    return defaults.get(name) if said is None else said


def command_words(command: str) -> tuple[str, ...]:
    """The words of a command. 2.2.7 splits a quoted command once more. A bare name is looked for
    in the search path, so only what stands behind the last slash is compared then."""
    words = split_command(command)
    return tuple(words)


def _advert_ms(said: int | None, version: int) -> int:
    """Version 2 has whole seconds, version 3 steps of 10 ms up to 40.95 s; others are rounded."""
    value = said or 1000
    step, longest = (1000, LONGEST_V2_MS) if version == 2 else (10, LONGEST_V3_MS)
    if value > longest:
        return longest
    return max((value + step // 2) // step * step, step)


def _source(one: Json) -> str | None:
    """The last of the two statements that set it."""
    found = []
    for name in ("unicast_source", "multicast_source"):
        if one[name] is not None:
            place = one["origins"][name][-1]
            found.append((place["line"], place["column"], one[name]))
    return str(max(found)[2]) if found else None


def _peer(one: Json) -> tuple[str, int, int]:
    options = dict(zip(one["options"][::2], one["options"][1::2], strict=True))
    return one["address"], int(options.get("min_ttl", 0)), int(options.get("max_ttl", 255))


def _vips(one: Json, *, is_excluded: bool) -> tuple[tuple[tuple[str, str], ...], ...]:
    return tuple(
        _address(vip, one["interface"] or "")
        for vip in one["vips"]
        if vip["is_excluded"] == is_excluded
    )


_WITH_VALUE = {"scope", "brd", "broadcast", "peer", "preferred_lft", "track_group"}


def _address(one: Json, device: str) -> tuple[tuple[str, str], ...]:
    address = one["address"]
    is_six = ":" in address
    prefix = _first(one["prefix"], 128 if is_six else 32)
    found = {"address": address, "prefix": str(prefix), "scope": "global"}
    found["dev"] = one["device"] or device or "eth0"
    if one["label"] and not is_six:
        found["label"] = one["label"]
    words = list(one.get("options", ()))
    while words:
        word = words.pop(0)
        value = words.pop(0) if word in _WITH_VALUE else "yes"
        if word in {"brd", "broadcast"}:
            found["brd"] = _broadcast(f"{address}/{prefix}", value)
        elif word == "peer":
            peer, slash, length = value.partition("/")
            found["prefix"] = length if slash else found["prefix"]
            found["peer"] = f"{peer}/{found['prefix']}"
        elif not (word == "preferred_lft" and value == "forever"):
            found[word] = value
    return tuple(sorted(found.items()))


def _broadcast(network: str, said: str) -> str:
    """`+` sets all bits of the host, `-` none."""
    found = ipaddress.ip_interface(network).network
    return {"+": str(found.broadcast_address), "-": str(found.network_address)}.get(said, said)


def _endpoint(address: str, port: int | None) -> str:
    return f"{address} port {port or 0}"


def _entry(one: Json) -> str:
    if one["mark"] is not None:
        return f"mark {one['mark']}"
    last = f"-{one['last']}" if one["last"] and one["last"] != one["address"] else ""
    return f"{one['address']}{last} port {one['port'] or 0}"


def _title(one: Json, group: Json | None) -> str:
    if one["mark"] is not None:
        return f"mark {one['mark']}"
    protocol = one["protocol"] or "udp"  # the kernel's default
    if group is not None:
        has_marks = any(entry["mark"] is not None for entry in group["entries"])
        has_addresses = any(entry["address"] is not None for entry in group["entries"])
        return f"group {one['group']} {protocol if has_addresses or not has_marks else 'none'}"
    return f"{_endpoint(one['address'], one['port'])} {protocol}"


def _servers(one: Json) -> list[Json]:
    """The real servers that are left: none twice, none of another family unless tunnelled."""
    found: dict[tuple[str, int | None], Json] = {}
    family = one["address"]
    for server in one["real_servers"]:
        is_other = family is not None and (":" in family) != (":" in server["address"])
        if not (is_other and _method(one, server) != "tunnelling"):
            found.setdefault((server["address"], server["port"] or None), server)
    return list(found.values())


def _method(service: Json, server: Json | None = None) -> str:
    """Masquerading unless set."""
    said = (server["forwarding"] if server else None) or service["forwarding"]
    return str(said["method"]) if said else "masquerading"


def _server_port(service: Json, server: Json) -> int:
    return _settled_port(service, server["port"], _method(service, server))


def _settled_port(service: Json, port: int | None, method: str, *, is_sorry: bool = False) -> int:
    """The port of a real server: the service's where the packets keep it, none with a mark."""
    if service["group"] is not None:
        return port or 0
    if method == "masquerading":
        return port or (0 if is_sorry or service["mark"] is not None else service["port"] or 0)
    return 0 if service["mark"] is not None else service["port"] or 0


def _weight(service: Json, server: Json) -> int:
    return int(_first(server["weight"], service["weight"], 1))


def _is_persistent(one: Json) -> bool:
    """Whether persistence follows from a mask, or from a service on all ports."""
    is_address = one["mark"] is None and one["group"] is None
    return one["persistence_mask"] is not None or (is_address and not one["port"])


def _url(one: Json) -> dict[str, Any]:
    status = sorted(tuple(pair) for pair in one["status_codes"]) or [(200, 299)]
    digest = one["digest"]
    return {
        "path": one["path"],
        "digest": digest.lower() if digest else None,
        "status": _merged(status),
        "virtualhost": one["virtualhost"],
        "regex": one["regex"],
    }


def _merged(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges that touch are one."""
    found: list[tuple[int, int]] = []
    for first, last in ranges:
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found
