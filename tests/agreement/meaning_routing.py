"""Routes and rules: as keepalived dumps them (`format_iproute`, `format_iprule` of 2.2.7), and as
it must have understood what drctl says in its JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agreement.meaning import ANY
from agreement.meaning_record import Meaning, put

from drctl.schema.composite_number import c_prefix

Json = Mapping[str, Any]
Fields = dict[str, Any]

KEEPALIVED = "18"
_TABLES = {"default": "253", "main": "254", "local": "255"}
_SCOPES = {"global": "0", "site": "200", "link": "253", "host": "254", "nowhere": "255"}
_PROTOCOLS = {
    "none": 0,
    "redirect": 1,
    "kernel": 2,
    "boot": 3,
    "static": 4,
    "gated": 8,
    "ra": 9,
    "mrt": 10,
    "zebra": 11,
    "bird": 12,
    "dnrouted": 13,
    "xorp": 14,
    "ntk": 15,
    "dhcp": 16,
    "mrouted": 17,
    "keepalived": 18,
    "babel": 42,
    "openr": 99,
    "bgp": 186,
    "isis": 187,
    "ospf": 188,
    "rip": 189,
    "eigrp": 192,
}
_KINDS = {
    "0": "none",
    "1": "unicast",
    "2": "local",
    "3": "broadcast",
    "4": "anycast",
    "5": "multicast",
    "6": "blackhole",
    "7": "unreachable",
    "8": "prohibit",
    "9": "throw",
    "10": "nat",
    "11": "xresolve",
    "brd": "broadcast",
}
_IP_PROTOCOLS = {"icmp": "1", "tcp": "6", "udp": "17", "gre": "47", "esp": "50", "vrrp": "112"}
_EVERYWHERE = {"0.0.0.0/0": "default", "::/0": "default"}
_FLAGS = {"onlink", "no_track", "l3mdev", "nop"}
_MOST_OF_MS = {"s": 1000.0, "ms": 1.0}
_RAW_PER_MS = {"rtt": 8, "rttvar": 4, "rto_min": 1}
_SHORTEST_MS = 200.0


def put_dumped(found: Meaning, lines: Iterable[str], owner: str, kind: str) -> None:
    """A block for each dumped line, below `owner`; `kind` is `route` or `rule`."""
    read = _dumped_route if kind == "route" else _dumped_rule
    for number, line in enumerate(lines, 1):
        put(found, f"{owner} > {kind} {number}", read(line.split()))


def put_told(found: Meaning, lines: Sequence[Json], owner: str, kind: str) -> None:
    """A block for each line of drctl's model."""
    tell = _told_route if kind == "route" else _told_rule
    for number, line in enumerate(lines, 1):
        put(found, f"{owner} > {kind} {number}", tell(line))


def _dumped_route(words: list[str]) -> Fields:
    found: Fields = {"mode": words.pop(0)}
    if not re.match(r"[\d.]+|[\da-f:]*:|default", words[0]):
        found["kind"] = words.pop(0)
    where = words.pop(0)
    found["destination"] = _EVERYWHERE.get(where, where)
    hops: list[Fields] = []
    target = found
    while words:
        name = words.pop(0)
        if name.startswith("["):  # where the kernel has it
            break
        if name == "nexthop":
            target = {}
            hops.append(target)
        elif name in {"no_track", "track_group"}:
            # behind the hops, but of the route
            found[name] = True if name == "no_track" else words.pop(0)
        else:
            _take(target, name, words)
    if hops:
        found["hops"] = hops
    return found


def _take(target: Fields, name: str, words: list[str]) -> None:
    if name in _FLAGS:
        target[name] = True
    elif name == "encap":
        target[name] = _encapsulation(list(_until_option(words)))
    elif name == "via":
        target[name] = tuple(words[:2])
        del words[:2]
    elif name in {"realm", "realms"}:
        target["realms"] = _realms(words.pop(0))
    else:
        value = words.pop(0)
        if value == "lock" and words:
            value = f"lock {words.pop(0)}"
        target[name] = _milliseconds(name, value) if name in _RAW_PER_MS else value


def _until_option(words: list[str]) -> Iterator[str]:
    """The words that belong to an encapsulation: those before the next option."""
    yield words.pop(0)
    while words and words[0] not in {"via", "dev", "table", "proto", "nexthop", "no_track"}:
        yield words.pop(0)


def _encapsulation(words: list[str]) -> tuple[str, ...]:
    """The kind with its options, sorted; labels and locators are dumped in another form."""
    kind, *rest = words
    if kind not in {"ip", "ip6"}:
        return (kind,)
    pairs = sorted(zip(rest[::2], rest[1::2], strict=False))
    return (kind, *(f"{name} {_number(value)}" for name, value in pairs))


def _number(text: str) -> str:
    value = c_prefix(text)
    return text if value < 0 else str(value)


def _realms(text: str) -> tuple[str, ...]:
    return tuple(map(_number, text.split("/")))


def _milliseconds(name: str, text: str) -> tuple[bool, float]:
    """Whether it is locked, and the time, which is 200 ms at least; a number without a unit counts
    in parts of a millisecond."""
    is_locked = text.startswith("lock ")
    parts = re.fullmatch(r"([\d.]+)([a-z]*)", text.removeprefix("lock ").lower())
    assert parts is not None, text
    value, unit = float(parts[1]), parts[2].removesuffix("ec").removesuffix("ecs")
    time_ms = value * _MOST_OF_MS[unit] if unit else value / _RAW_PER_MS[name]
    return is_locked, round(max(time_ms, _SHORTEST_MS), 3)


def _told_route(one: Json) -> Fields:
    options = dict(one["options"])
    kind = _KINDS.get(one["kind"] or "unicast", one["kind"] or "unicast")
    # a type sets the bit that the dump takes for `add`
    mode = next((word for word in ("append", "add", "prepend") if word in options), "prepend")
    found: Fields = {
        "mode": ANY if kind != "unicast" else mode,
        "destination": _EVERYWHERE.get(one["destination"], one["destination"]),
        "kind": None if kind == "unicast" else kind,
        "from": _EVERYWHERE.get(options.get("from", ""), options.get("from")),
        "src": one["source"],
        "via": _via(one["via"]),
        "dev": one["device"],
        "table": None if one["table"] is None else _TABLES.get(one["table"], one["table"]),
        "scope": None if one["scope"] is None else _SCOPES.get(one["scope"], one["scope"]),
        "metric": None if one["metric"] is None else str(one["metric"]),
        "proto": _protocol(one, options),
        # what nothing watches is told as not tracked
        "no_track": True if not one["is_tracked"] or one["device"] is None else None,
        "track_group": one["track_group"],
        "hops": [_hop(hop) for hop in one["hops"]] or None,
    }
    if found["table"] == _TABLES["main"]:
        found["table"] = None
    for name, value in one["options"]:
        if name not in {"append", "add", "prepend", "from", "protocol"}:
            found.update(_told_option(one, name, value))
    return {name: value for name, value in found.items() if value is not None}


def _via(address: str | None) -> tuple[str, str] | None:
    if address is None:
        return None
    return ("inet6" if ":" in address else "inet", address)


def _protocol(one: Json, options: Mapping[str, str]) -> str | None:
    """That of keepalived, so that it knows its own, unless the route is not tracked."""
    if one["is_tracked"]:
        return KEEPALIVED
    said = options.get("protocol")
    return None if said is None else str(_PROTOCOLS.get(said, said))


def _told_option(one: Json, name: str, value: str) -> Fields:
    if name == "onlink":
        return {name: True if one["family"] == "inet" else None}
    if name == "realms":
        return {name: _if_known(value, _realms(value))}
    if name == "tos":
        return {name: _if_known(value, value)}
    if name == "encap":
        return {name: _encapsulation(value.split(" "))}
    if name in _RAW_PER_MS:
        return {name: _milliseconds(name, value)}
    if name == "expires":
        return {name: f"{value}sec"}
    if name == "vrf":
        return {"table": ANY}
    if name == "congctl" and value.startswith("lock "):
        return {name: f"{value.removeprefix('lock ')}lock"}
    return {name: value}


def _if_known(said: str, value: Any) -> Any:
    """The value, unless it is a name that the machine's own tables explain."""
    return value if all(c_prefix(part) >= 0 for part in said.split("/")) else ANY


def _hop(hop: Json) -> Fields:
    found: Fields = {
        "via": _via(hop["via"]),
        "dev": hop["device"],
        "weight": None if hop["weight"] is None else str(hop["weight"]),
    }
    for name, value in hop["options"]:
        found.update(_told_option({"family": "inet"}, name, value))
    return {name: value for name, value in found.items() if value is not None}


def _dumped_rule(words: list[str]) -> Fields:
    found: Fields = {}
    if words[0] == "inet6":
        found["inet6"] = bool(words.pop(0))
    if words[0] == "not":
        found["not"] = bool(words.pop(0))
    while words:
        name = words.pop(0)
        if name in _FLAGS:
            found[name] = True
            continue
        value = words.pop(0)
        if name in {"from", "to"}:
            value = "all" if value in _EVERYWHERE else value
        elif name == "fwmark":
            found[name] = tuple(_number(part) for part in value.split("/"))
            continue
        elif name == "realms":
            found[name] = _realms(value)
            continue
        found[name] = _number(value) if name == "tos" else value
    if found.get("lookup") == "0":  # beside l3mdev
        del found["lookup"]
    if found.get("realms") == ("0", "0"):
        del found["realms"]
    return found


def _told_rule(one: Json) -> Fields:
    options = dict(one["options"])
    has_no_address = one["source"] is None and one["destination"] is None
    protocol = KEEPALIVED if one["is_tracked"] else options.get("protocol")
    found: Fields = {
        "inet6": True if has_no_address and one["family"] == "inet6" else None,
        "not": one["is_inverted"] or None,
        "from": _all(one["source"]) or "all",
        "to": _all(one["destination"]),
        # without one keepalived counts down from some number
        "priority": ANY if one["priority"] is None else str(one["priority"]),
        "tos": _if_known(options.get("tos", "0"), options.get("tos", "0")),
        "iif": one["in_device"],
        "oif": one["out_device"],
        "fwmark": _mark(one),
        "suppress_prefixlen": options.get("suppress_prefixlength"),
        "suppress_ifgroup": options.get("suppress_ifgroup"),
        "tunnel-id": None if options.get("tunnel-id") == "0" else options.get("tunnel-id"),
        "uidrange": options.get("uidrange"),
        "protocol": protocol,
        "ipproto": _ip_protocol(options.get("ipproto")),
        "sport": options.get("sport"),
        "dport": options.get("dport"),
        "realms": _rule_realms(options.get("realms")),
        "no_track": None if one["is_tracked"] else True,
        "track_group": one["track_group"],
        **_action(one),
    }
    return {name: value for name, value in found.items() if value is not None}


def _all(network: str | None) -> str | None:
    return "all" if network in _EVERYWHERE else network


def _mark(one: Json) -> tuple[str, ...] | None:
    """A mask of all bits is not dumped; one that is not given neither."""
    if one["mark"] is None:
        return None
    mask = one["mark_mask"]
    return (str(one["mark"]), *(() if mask in {None, 2**32 - 1} else (str(mask),)))


def _ip_protocol(said: str | None) -> Any:
    if said is None:
        return None
    return _IP_PROTOCOLS.get(said, said if said.isdigit() else ANY)


def _rule_realms(said: str | None) -> Any:
    """Both are dumped: 0 for the first when only one is given."""
    if said is None:
        return None
    if _if_known(said, said) is ANY:
        return ANY
    parts = _realms(said)
    return None if set(parts) == {"0"} else ("0", *parts)[-2:]


def _action(one: Json) -> Fields:
    action = one["action"]
    if action == "table":
        return {"lookup": _TABLES.get(one["table"], one["table"])}
    if action == "goto":
        return {"goto": str(one["target"])}
    return {action: True} if action in _FLAGS else {"type": action}
