"""Files, processes, BFD sessions and devices that are watched: as keepalived dumps them, and as it
must have understood what drctl's JSON says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from agreement.meaning import ANY
from agreement.meaning_record import Meaning, Record, number, put, record, records

Json = Mapping[str, Any]
Fields = dict[str, Any]

_BFD_START = " BFD Instance = "
_BFD_LINES = (
    *("Neighbor IP", "Source IP", "Required min RX", "Desired min TX", "Desired idle TX"),
    *("Detection multiplier", "TTL", "hoplimit", "max_hops", "passive", "send event to"),
)
_DEFAULT_MIN_US, _DEFAULT_IDLE_US, _DEFAULT_MULTIPLIER = 10_000, 1_000_000, 5
_TTL, _HOP_LIMIT = 255, 64
_SECOND_US = 1_000_000


def read_dumped(found: Meaning, section: str, lines: list[str]) -> None:
    """What one section of the dump of the VRRP process has."""
    if section == "VRRP Track files":
        for one in records(lines, " Track file = "):
            put(found, f"track file {one.get('Track file')}", _dumped_file(one))
    elif section == "VRRP Track processes":
        for one in records(lines, " VRRP Track process = "):
            put(found, f"track process {one.get('VRRP Track process')}", _dumped_process(one))
    elif section == "VRRP Track BFDs":
        for one in records(lines, " VRRP Track BFD = "):
            put(found, f"track bfd {one.get('VRRP Track BFD')}", _dumped_weight(one))
    elif section == "Static Track groups":
        for one in records(lines, " Static Track Group = "):
            members = tuple(one.lists.get("VRRP member instances", ()))
            put(found, f"track group {one.get('Static Track Group')}", {"members": members})
    elif section.startswith("GARP delay group"):
        _put_garp(found, record([line for line in lines if " time " not in line]), lines)


def _put_garp(found: Meaning, one: Record, lines: list[str]) -> None:
    """Only the group of a block has devices of its own: others stand for one each."""
    devices = [line.strip() for line in lines if line.startswith("  ")]
    fields = {
        "garp us": _microseconds(one.values.get("GARP interval")),
        "gna us": _microseconds(one.values.get("GNA interval")),
    }
    for device in devices:
        put(found, f"garp device {device}", {k: v for k, v in fields.items() if v is not None})


def _microseconds(seconds: str | None) -> int | None:
    return None if seconds is None else int(Decimal(seconds) * _SECOND_US)


def _dumped_weight(one: Record) -> Fields:
    said = one.get("Weight")
    return {"weight": number(said), "reverse": said.endswith(" reverse")}


def _dumped_file(one: Record) -> Fields:
    return {"path": one.get("File"), **_dumped_weight(one)}


def _dumped_process(one: Record) -> Fields:
    match = next((text for _, text in one.lines if text.startswith("Param match")), None)
    return {
        "program": one.get("Process"),
        "arguments": one.values.get("Parameters"),
        "match": None
        if match is None
        else match.rpartition(" = ")[2].replace("Param match", "exact"),
        "quorum": number(one.get("Min processes")),
        "quorum max": number(one.get("Max processes")),
        "fork us": _microseconds(one.get("Fork delay").removesuffix("s")),
        "terminate us": _microseconds(one.get("Terminate delay").removesuffix("s")),
        "full command": one.flag("Full command", "true"),
        **_dumped_weight(one),
    }


def read_sessions(log: str) -> Meaning:
    """The sessions that the BFD process writes to the log when it starts: it has no dump of its
    own. Other processes write there too, so only its own lines count."""
    parts: list[list[str]] = []
    for line in log.splitlines():
        if line.startswith(_BFD_START):
            parts.append([line])
        elif parts and line.startswith("   ") and line.lstrip().startswith(_BFD_LINES):
            parts[-1].append(line)
    found: Meaning = {}
    for lines in parts:
        one = record(lines)
        put(found, f"bfd session {one.get('BFD Instance')}", _dumped_session(one))
    return found


def _dumped_session(one: Record) -> Fields:
    return {
        "neighbor": one.get("Neighbor IP"),
        "source": one.values.get("Source IP"),
        "receive us": number(one.get("Required min RX interval")),
        "send us": number(one.get("Desired min TX interval")),
        "idle us": number(one.get("Desired idle TX interval")),
        "multiplier": number(one.get("Detection multiplier")),
        "ttl": number(one.get("TTL") or one.get("hoplimit")),
        "max hops": number(one.get("max_hops")),
        "passive": one.flag("passive", "true"),
        "vrrp": one.flag("send event to VRRP process", "Yes"),
        "checks": one.flag("send event to checker process", "Yes"),
    }


def put_told(found: Meaning, model: Json, tracked: Iterable[tuple[str, str]]) -> None:
    """What drctl says; `tracked` are kind and name of what instances and groups track."""
    known = set(tracked)
    seen: set[tuple[str, str]] = set()
    for one in model["track_files"]:
        key = "file", one["name"]
        # the first one of a name is found; keepalived forgets those that nothing tracks
        if key in known and key not in seen and one["path"] is not None:
            seen.add(key)
            fields = {"path": one["path"], **_weight(one, 1)}
            put(found, f"track file {one['name']}", fields)
    for one in model["track_processes"]:
        if one["program"] is not None:
            put(found, f"track process {one['name']}", _process(one))
    for one in model["bfd_sessions"]:
        if _is_for(one, "tells_vrrp"):
            put(found, f"track bfd {one['name']}", _weight(one, 0))
    _put_groups(found, model)


def _put_groups(found: Meaning, model: Json) -> None:
    names = {one["name"] for one in model["instances"]}
    for one in model["track_groups"]:
        members = tuple(name for name in dict.fromkeys(one["members"]) if name in names)
        if members:
            put(found, f"track group {one['name']}", {"members": members})
    devices: dict[str, Fields] = {}
    for one in model["garp_groups"]:
        intervals = {"garp us": one["garp_interval_us"], "gna us": one["gna_interval_us"]}
        given = {name: value for name, value in intervals.items() if value is not None}
        for device in one["interfaces"] if given else ():
            devices.setdefault(device, given)
    vrrp = model["settings"]["vrrp"] or {}
    usual = {"garp us": vrrp.get("garp_interval_us"), "gna us": vrrp.get("gna_interval_us")}
    given = {name: value for name, value in usual.items() if value}
    for device in _used_devices(model) if given else ():
        devices.setdefault(device, given)
    for device, fields in devices.items():
        put(found, f"garp device {device}", fields)


def _used_devices(model: Json) -> Iterator[str]:
    """The devices of instances and their addresses."""
    for one in model["instances"]:
        if one["interface"]:
            yield one["interface"]
        for vip in one["vips"]:
            if vip["device"]:
                yield vip["device"]


def _weight(one: Json, default: int) -> Fields:
    said = one["weight"]
    return {"weight": default if said is None else said, "reverse": one["is_reversed"]}


def _process(one: Json) -> Fields:
    has_match = one["match"] is not None or bool(one["arguments"])
    most = one["quorum_max"]
    return {
        "program": one["program"],
        # the dump joins more than two of them in a way of its own
        "arguments": _arguments(one["arguments"]),
        "match": one["match"] or ("exact" if one["arguments"] else None),
        "quorum": 0 if most == 0 else one["quorum"] or 1,
        "quorum max": most,
        "fork us": _wrapped(one["fork_delay_us"] or 0),
        "terminate us": _wrapped(one["terminate_delay_us"] or 0),
        "full command": one["is_full_command"] or has_match,
        **_weight(one, 0),
    }


def _wrapped(delay_us: int) -> int:
    """2.2.7 holds these in 32 bits with a sign: above 2147 s they are wrong."""
    return (delay_us + 2**31) % 2**32 - 2**31


def _arguments(words: Iterable[str]) -> Any:
    given = list(words)
    if not given:
        return None
    return given[0] if len(given) == 1 else ANY


def _is_for(one: Json, field: str) -> bool:
    return bool(one[field]) or not (one["tells_vrrp"] or one["tells_checks"])


def told_sessions(model: Json) -> Meaning:
    """The sessions of drctl's model as the BFD process must have understood them."""
    found: Meaning = {}
    ends: set[tuple[str, str | None]] = set()
    for one in model["bfd_sessions"]:
        neighbor, source = one["neighbor"], one["source"]
        is_bad = neighbor is None or (source is not None and (":" in source) != (":" in neighbor))
        if is_bad or (neighbor, source) in ends:
            continue
        ends.add((neighbor, source))
        ttl = one["ttl"] or (_HOP_LIMIT if ":" in neighbor else _TTL)
        fields = {
            "neighbor": neighbor,
            "source": source,
            "receive us": one["min_receive_us"] or _DEFAULT_MIN_US,
            "send us": one["min_send_us"] or _DEFAULT_MIN_US,
            "idle us": one["idle_send_us"] or _DEFAULT_IDLE_US,
            "multiplier": one["multiplier"] or _DEFAULT_MULTIPLIER,
            "ttl": ttl,
            # 2.2.7 takes -1 for more than the TTL too
            "max hops": min((one["max_hops"] or 0) % 2**32, ttl),
            "passive": one["is_passive"],
            "vrrp": _is_for(one, "tells_vrrp"),
            "checks": _is_for(one, "tells_checks"),
        }
        put(found, f"bfd session {one['name']}", fields)
    return found
