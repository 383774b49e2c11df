"""drctl's JSON of a keepalived.conf as the process of the services must have understood it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agreement.meaning import ANY, Host, Json, Owners, command_words, endpoint, first
from agreement.meaning_dump_service import add_check
from agreement.meaning_record import Meaning, put

DEFAULT_PERSISTENCE_S = 360
UNSET = 2**32 - 1
DEFAULT_LOOP_MS = 60_000
DEFAULT_TIMEOUT_MS = 5_000


def project(model: Json, host: Host) -> Meaning:
    """Groups, services, real servers and checks."""
    return _Teller(model, host).tell()


class _Teller:
    def __init__(self, model: Json, host: Host) -> None:
        self.model = model
        self.owners = Owners(model["settings"], host)

    def tell(self) -> Meaning:
        found: Meaning = {}
        # one without entries is removed
        groups = {one["name"]: one for one in self.model["service_groups"] if one["entries"]}
        services = [
            one
            for one in self.model["services"]
            if _servers(one) and (one["group"] is None or _fits(one, groups.get(one["group"])))
        ]
        if services:  # without any the groups are not dumped
            for one in self.model["service_groups"]:
                if one["entries"]:
                    entries = tuple(sorted(_entry(entry) for entry in one["entries"]))
                    put(found, f"group {one['name']}", {"entries": entries})
        for one in services:
            self._service(found, one, groups.get(one["group"]))
        return found

    def _service(self, found: Meaning, one: Json, group: Json | None) -> None:
        servers = _servers(one)
        name = put(
            found, f"service {_title(one, group)}", self._service_fields(one, servers, group)
        )
        plain = name.partition(" #")[0]
        for server in servers:
            where = endpoint(server["address"], _server_port(one, server))
            put(found, f"{name} > {where}", self._server(one, server))
            for check in server["checks"]:
                for single in _singles(check):
                    add_check(found, f"{plain} > {where}", self._check(one, server, single))

    def _service_fields(
        self, one: Json, servers: Sequence[Json], group: Json | None
    ) -> dict[str, Any]:
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
            "timeout_ms": first(connect["timeout_ms"], DEFAULT_TIMEOUT_MS),
            "loop_ms": first(connect["loop_ms"], DEFAULT_LOOP_MS),
            "scheduler": one["scheduler"] or "wlc",
            "flags": _flags(one),
            "is_one_packet": one["is_one_packet"],
            "persistence_s": persistence,
            "persistence_mask": one["persistence_mask"],
            "is_alpha": one["is_alpha"],
            "is_omega": one["is_omega"],
            "retries": _count(connect["retries"]),
            "retry_delay_ms": connect["retry_delay_ms"],
            "warmup_ms": connect["warmup_ms"],
            "inhibits_on_failure": one["inhibits_on_failure"],
            "quorum": quorum,
            "hysteresis": min(one["hysteresis"] or 0, max(quorum - 1, 0)),
            "has_ha_suspend": one["has_ha_suspend"] and not _has_mark(one, group),
            "forwarding": _method(one) if one["forwarding"] else ANY,
            "sorry server": None,
            "sorry forwarding": None,
            "sorry inhibits": None,
            **self.owners.hooks(one),
        }
        if sorry is not None:
            method = (sorry["forwarding"] or {}).get("method") or _method(one)
            port = _settled_port(one, sorry["port"], method, is_sorry=True)
            found["sorry server"] = endpoint(sorry["address"], port)
            found["sorry forwarding"] = method
            found["sorry inhibits"] = sorry["inhibits"]
        return found

    def _server(self, service: Json, one: Json) -> dict[str, Any]:
        connect = service["connect"]
        return {
            "weight": _weight(service, one),
            "forwarding": _method(service, one),
            "is_alpha": first(one["is_alpha"], service["is_alpha"]),
            "timeout_ms": first(one["timeout_ms"], connect["timeout_ms"], DEFAULT_TIMEOUT_MS),
            "lower_threshold": one["lower_threshold"] or 0,
            "upper_threshold": one["upper_threshold"] or 0,
            "loop_ms": first(one["loop_ms"], connect["loop_ms"], DEFAULT_LOOP_MS),
            "retries": first(_count(one["retries"]), _count(connect["retries"])),
            "retry_delay_ms": first(one["delay_before_retry_ms"], connect["retry_delay_ms"]),
            "warmup_ms": first(one["warmup_ms"], connect["warmup_ms"]),
            "inhibits_on_failure": first(
                one["inhibits_on_failure"], service["inhibits_on_failure"]
            ),
            "virtualhost": one["virtualhost"],
            "file weights": _file_weights(one, self.model["track_files"]),
            **self.owners.hooks(one),
        }

    def _check(self, service: Json, server: Json, one: Json) -> dict[str, Any]:
        kind = one["type"]
        if kind in {"bfd", "file"}:
            key = "name" if kind == "bfd" else "file"
            return {"type": kind, key: one[key]}
        around, connect = service["connect"], one["connect"]
        default_retries, default_delay_ms = _RETRY.get(kind, (1, 1000))
        loop = first(connect["loop_ms"], server["loop_ms"], around["loop_ms"], DEFAULT_LOOP_MS)
        said = (connect["retries"], server["retries"], around["retries"])
        retries = first(*map(_count, said), default_retries)
        delay = first(
            connect["retry_delay_ms"],
            server["delay_before_retry_ms"],
            around["retry_delay_ms"],
            default_delay_ms,
            loop,
        )
        found: dict[str, Any] = {
            "type": kind,
            "is_alpha": first(connect["is_alpha"], server["is_alpha"], service["is_alpha"]),
            "loop_ms": loop,
            "warmup_ms": first(
                connect["warmup_ms"], server["warmup_ms"], around["warmup_ms"], loop
            ),
            "retries": retries,
            # without retries the dump does not have it
            "retry_delay_ms": delay if retries else None,
        }
        if kind != "misc":
            port = first(connect["port"], server["port"], 0)
            source = connect["bind_address"]  # without one the port is not dumped
            found["to"] = endpoint(connect["address"] or server["address"], port)
            found["from"] = None if source is None else endpoint(source, connect["bind_port"])
            found["bind_interface"] = connect["bind_interface"]
            found["mark"] = connect["mark"] or None
            found["timeout_ms"] = first(
                connect["timeout_ms"],
                server["timeout_ms"],
                around["timeout_ms"],
                DEFAULT_TIMEOUT_MS,
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
                    "owner": self.owners.of(one["user"], one["group"]),
                }
            case "smtp":
                return {"helo_name": one["helo_name"] or ANY}
            case "dns":
                return {"record_type": one["record_type"] or "SOA", "name": one["name"] or ""}
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


_FAMILIES = {None: "", "inet": " IPv4", "inet6": " IPv6"}


def _entry(one: Json) -> str:
    if one["mark"] is not None:
        return f"mark {one['mark']}{_FAMILIES[one['ip_family']]}"
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
    return f"{endpoint(one['address'], one['port'])} {protocol}"


_CONNECT = ("address", "port", "bind_address", "bind_port", "bind_interface", "mark", "timeout_ms")


def _singles(check: Json) -> list[Json]:
    """The checks that one block makes: an SMTP check has one more for each host, and none for the
    block itself unless that says where or how to connect."""
    hosts = check.get("hosts") or []
    connect = check.get("connect", {})
    has_own = not hosts or any(connect[name] is not None for name in _CONNECT)
    # timers in a host's block are those of the whole check
    said = [connect, *(host["connect"] for host in hosts)]
    pace = {
        name: first(*(one[name] for one in reversed(said)))
        for name in connect
        if name not in {*_CONNECT, "origins"}
    }
    # a host's time limit is 0 unless it has its own: 2.2.7 forgets to set it
    others: list[Json] = [
        {
            **check,
            "connect": {
                **host["connect"],
                **pace,
                "timeout_ms": host["connect"]["timeout_ms"] or 0,
            },
        }
        for host in hosts
    ]
    own = {**check, "connect": {**connect, **pace}} if hosts else check
    return [own, *others] if has_own else others


def _count(said: int | None) -> int | None:
    """A number of retries; the largest is keepalived's own mark for none given."""
    return None if said == UNSET else said


def _flags(one: Json) -> tuple[str, ...]:
    """Flags that have an effect: those of a scheduler behind its name only, `hashed` never."""
    origins = one["origins"]
    found = set()
    for flag, place in zip(one["scheduler_flags"], origins.get("scheduler_flags", ()), strict=True):
        known = [p for p in origins.get("scheduler", ()) if _at(p) < _at(place)]
        if flag.startswith("flag-") or (known and flag.startswith(f"{one['scheduler']}-")):
            found.add(flag)
    return tuple(sorted(found))


def _at(place: Json) -> tuple[int, int]:
    return place["line"], place["column"]


def _has_mark(one: Json, group: Json | None) -> bool:
    """Whether packets are told by a mark, also by one of several in a group."""
    entries = group["entries"] if group is not None else ()
    return one["mark"] is not None or any(entry["mark"] is not None for entry in entries)


def _file_weights(server: Json, files: Sequence[Json]) -> tuple[tuple[str, str], ...]:
    """Weights of files; one without its own has that of the file's block."""
    blocks = {one["name"]: one for one in reversed(files)}
    found = []
    for check in server["checks"]:
        if check["type"] != "file" or check["file"] not in blocks:
            continue
        own = check if check["weight"] is not None else blocks[check["file"]]
        weight = 1 if own["weight"] is None else own["weight"]
        found.append((check["file"], f"{weight}{' reverse' if own['is_reversed'] else ''}"))
    return tuple(found)


def _fits(one: Json, group: Json | None) -> bool:
    """Whether the group is there, and its addresses are of the family of the real servers."""
    if group is None:
        return False
    groups = {":" in entry["address"] for entry in group["entries"] if entry["address"]}
    servers = {
        ":" in server["address"]
        for server in one["real_servers"]
        if _method(one, server) != "tunnelling"
    }
    return not (groups and servers and groups != servers)


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
    return int(first(server["weight"], service["weight"], 1))


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
    for low, high in ranges:
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found
