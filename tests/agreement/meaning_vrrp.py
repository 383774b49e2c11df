"""drctl's JSON of a keepalived.conf as the VRRP process must have understood it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agreement import meaning_option, meaning_routing, meaning_tracking
from agreement.meaning import ANY, Host, Json, LeftOver, Owners, command_words, first
from agreement.meaning_record import Meaning, put

OWNER = 255
LONGEST_PASSWORD = 8
LONGEST_V2_MS, LONGEST_V3_MS = 255_000, 40_950
_WITH_VALUE = {"scope", "brd", "broadcast", "peer", "preferred_lft", "track_group"}


_DEFINED = {"file": "track_files", "process": "track_processes", "bfd": "bfd_sessions"}
_SCOPES = {"0": "global", "200": "site", "253": "link", "254": "host", "255": "nowhere"}


def project(document: Json, passwords: Mapping[str, str], host: Host) -> Meaning:
    """Settings, instances, sync groups, scripts and static addresses. `passwords` by instance,
    since the JSON has none."""
    return _Teller(document, passwords, host).tell()


class _Teller:
    def __init__(self, document: Json, passwords: Mapping[str, str], host: Host) -> None:
        self.model: Json = document["model"]
        self.settings: Json = self.model["settings"]
        self.left = LeftOver(document, self.model["instances"])
        self.passwords = passwords
        self.host = host
        self.owners = Owners(self.settings, host)
        model = self.model
        self.scripts: dict[str, Json] = {}
        for one in model["scripts"]:
            if self._is_kept(one):
                self.scripts.setdefault(one["name"], one)  # found first, others are not used
        self.groups = {m: g["name"] for g in model["sync_groups"] for m in g["members"]}
        self.of_group = {m: g for g in model["sync_groups"] for m in g["members"]}
        self.defined = {
            (kind, one["name"]): one
            for kind, key in _DEFINED.items()
            for one in reversed(model[key])
        }
        self.tracked: set[str] = set()

    def tell(self) -> Meaning:
        found: Meaning = {}
        model = self.model
        put(found, "settings", self._settings())
        if self.model["static_addresses"]:
            listed = [address(one, "eth0") for one in self.model["static_addresses"]]
            put(found, "static addresses", {"addresses": listed})
        for kind in ("route", "rule"):
            meaning_routing.put_told(found, self.model[f"static_{kind}s"], "static", kind)
        for one in self.model["instances"]:
            block = put(found, f"instance {one['name']}", self._instance(one))
            for kind in ("route", "rule"):
                meaning_routing.put_told(found, one[f"{kind}s"], block, kind)
        names = {one["name"] for one in self.model["instances"]}
        for one in self.model["sync_groups"]:
            # the second time a name says nothing
            members = tuple(m for m in dict.fromkeys(one["members"]) if m in names)
            if members:  # a group of none is removed
                put(found, f"sync group {one['name']}", self._sync_group(one, members))
        for name, one in self.scripts.items():
            if name in self.tracked:  # the others are removed
                put(found, f"script {name}", self._script(one))
        tracks = (t for o in (*model["instances"], *model["sync_groups"]) for t in o["tracks"])
        named = ((track["kind"], track["name"]) for track in tracks)
        meaning_tracking.put_told(found, model, named)
        return found

    def _is_kept(self, script: Json) -> bool:
        """Whether a script has a command and a user that there is."""
        owner = self.owners.of(script["user"], script["group"])
        return script["command"] is not None and owner is not None

    def _own_state(self, one: Json) -> str:
        """The state that an instance wants to start in."""
        priority = self._priority(one)
        owned = "MASTER" if priority == OWNER else "BACKUP"
        if self._is_strict(one):
            return owned
        said = one["state"] or ("BACKUP" if self.left.has_refused(one, "state") else owned)
        is_hashed = (one["authentication"] or {}).get("kind") == "AH"
        if is_hashed and said == "MASTER" and priority != OWNER:
            return "BACKUP"  # it must hear an advert before it can send one
        return str(said)

    def _states(self) -> dict[str, str]:
        """The states of all: in a sync group none wants to be master unless all are owners."""
        found = {one["name"]: self._own_state(one) for one in self.model["instances"]}
        for group in self.model["sync_groups"]:
            members = [m for m in group["members"] if m in found]
            priorities = {one["name"]: self._priority(one) for one in self.model["instances"]}
            if any(priorities[m] != OWNER or found[m] != "MASTER" for m in members):
                found.update(dict.fromkeys(members, "BACKUP"))
        return found

    def _priority(self, one: Json) -> int:
        """An initial master without one is an owner; a bad one is 100."""
        if one["priority"] is None and self.left.has_refused(one, "priority"):
            return 100
        is_master = one["state"] == "MASTER"
        return int(one["priority"] or (OWNER if is_master else 100))

    def _settings(self) -> dict[str, Any]:
        said = self.settings
        server, _, port = (said["smtp_server"] or "").partition(" ")
        is_address = re.fullmatch(r"[\d.]+|[\da-fA-F:]*:[\da-fA-F:.]*", server) is not None
        sync = said["sync_daemon"] or {}
        timeouts = said["ipvs_timeouts"] or {}
        sender = said["notification_email_from"]
        return {
            # the host's own name, and the user's own address, unless set
            "router_id": said["router_id"] or ANY,
            "notification_email_from": sender or ANY,
            # dumped behind a sender only, who is made up where mail is sent
            "notification_emails": tuple(said["notification_emails"]) if sender else ANY,
            "smtp_server": (server, int(port or 25)) if is_address else ANY,
            # dumped with a server only
            "smtp_connect_timeout_s": first(said["smtp_connect_timeout_s"], 30)
            if is_address
            else ANY,
            "has_script_security": said["has_script_security"],
            "is_vrrp_strict": said["is_vrrp_strict"],
            "vrrp_version": said["vrrp_version"] or 2,
            "flushes_ipvs": said["flushes_ipvs"],
            "sync interface": sync.get("interface"),
            "sync instance": sync.get("instance"),
            # the instance's number unless set
            "sync id": first(sync.get("sync_id"), ANY if sync else None),
            # the dump has the UDP timeout under the name of the TCP one
            "tcp_s": timeouts.get("tcp_s") or timeouts.get("udp_s"),
            "tcpfin_s": timeouts.get("tcpfin_s"),
            **meaning_option.told_settings(said),
        }

    def _sends_mail(self, said: bool | None) -> Any:
        return first(said, self.settings["vrrp_sends_mail"], self.settings["sends_mail"], False)

    def _tracks(
        self, one: Json, *, is_owner: bool, group: str | None = None
    ) -> tuple[tuple[str, str, int, bool], ...]:
        """What is left of it: an owner's priority does not float, nor does that of an instance in
        a sync group unless the group says so."""
        is_fixed = is_owner or (group is not None and not self._is_weighted(group))
        found = []
        for track in _firsts(one["tracks"]):
            kind, name = track["kind"], track["name"]
            weight = track["weight"]
            is_reverse = False
            if kind in _DEFINED:
                thing = self.defined.get((kind, name))
                if thing is None or _is_below(thing, track):
                    continue  # not known, or not yet
                weight = first(weight, thing["weight"], 1 if kind == "file" else 0)
                is_reverse = thing["is_reversed"]
            if track["options"]:
                is_reverse = "reverse" in track["options"]
            if kind == "script":
                script = self.scripts.get(name)
                if script is None or name in self.host.disabled:
                    continue
                if _is_below(script, track):
                    continue  # not known yet
                weight = first(weight, script["weight"])
                if not track["options"]:
                    is_reverse = script["is_reversed"]
            elif kind == "interface" and name == one.get("interface"):
                continue  # an instance tracks its own interface anyway
            if kind in {"interface", "script"}:
                weight = max(-253, min(weight or 0, 253))
            if is_fixed and weight and kind != "process":
                if (kind == "interface" and group is not None) or (kind == "file" and weight == 1):
                    weight = 0
                else:
                    continue
            found.append((kind, name, weight, is_reverse))
            self.tracked.add(name)
        return tuple(sorted(found))

    def _is_weighted(self, group: str) -> bool:
        """Whether the tracks of a sync group may have weights."""
        return any(
            one["name"] == group and one["tracks_with_weight"] for one in self.model["sync_groups"]
        )

    def _is_strict(self, one: Json) -> bool:
        return bool(first(one["is_strict"], self.settings["is_vrrp_strict"]))

    def _instance(self, one: Json) -> dict[str, Any]:
        defaults = meaning_option.told_settings(self.settings)
        is_strict = self._is_strict(one)
        priority = self._priority(one)
        state = self._own_state(one)
        version = self._version(one, is_strict=is_strict)
        kind, password = self._authentication(one, version, is_strict=is_strict)
        # an initial master does not wait for others, an owner least of all
        is_preempting = one["is_preempting"] or state == "MASTER" or priority == OWNER
        waits = is_preempting and state != "MASTER" and not is_strict
        group = self.groups.get(one["name"])
        return {
            "version": version,
            "sync group": group,
            "state": self._states()[one["name"]],
            "interface": one["interface"] or "not configured",
            # an address of the device that keepalived makes is the source too
            "source": ANY if one["ipvlan"] is not None else _source(one),
            "unicast_peers": tuple(
                sorted(_peer(peer) for peer in one["unicast_peers"] if _is_of(one, peer["address"]))
            ),
            "garp_master_delay_s": first(
                one["garp_master_delay_s"], defaults["garp_master_delay_s"]
            ),
            "garp_master_refresh_s": first(
                one["garp_master_refresh_s"], defaults["garp_master_refresh_s"]
            ),
            "down_timer_adverts": 3
            if is_strict
            else first(one["down_timer_adverts"], defaults["down_timer_adverts"]),
            "virtual_router_id": one["virtual_router_id"],
            "priority": priority,
            "advert_ms": _advert_ms(one["advert_ms"], version),
            "is_preempting": is_preempting,
            "preempt_delay_ms": (one["preempt_delay_ms"] or 0) if waits else 0,
            "authentication": kind,
            "password": password,
            "vips": _vips(one, is_excluded=False),
            "excluded vips": _vips(one, is_excluded=True),
            "tracks": self._tracks(one, is_owner=priority == OWNER, group=group),
            "sends_mail": self._sends_mail(one["sends_mail"]),
            **meaning_option.told_instance(
                {
                    **one,
                    "_priority": priority,
                    "_six": _is_six(one),
                    "_peers": [p for p in one["unicast_peers"] if _is_of(one, p["address"])],
                },
                self.settings,
                self.of_group.get(one["name"]),
                is_strict=is_strict,
            ),
            **self.owners.hooks(one),
        }

    def _version(self, one: Json, *, is_strict: bool) -> int:
        is_six = _is_six(one)
        if is_six and is_strict:
            return 3
        return int(one["version"] or (3 if is_six else self.settings["vrrp_version"] or 2))

    def _authentication(
        self, one: Json, version: int, *, is_strict: bool
    ) -> tuple[str | None, str | None]:
        """What is left of it: version 3 and strict mode have none, nor is there any without a
        password."""
        password = self.passwords.get(one["name"])
        kind = (one["authentication"] or {}).get("kind")
        if version == 3 or is_strict or not password:
            return None, None
        return kind, password[:LONGEST_PASSWORD] if kind == "PASS" else None

    def _sync_group(self, one: Json, members: tuple[str, ...]) -> dict[str, Any]:
        owners = {i["name"] for i in self.model["instances"] if i["priority"] == OWNER}
        tracks = self._tracks(one, is_owner=False)
        if owners & set(members):
            tracks = tuple((kind, name, 0, reverse) for kind, name, _, reverse in tracks)
        return {
            "members": members,
            "tracks": tracks,
            "sends_mail": self._sends_mail(one["sends_mail"]),
            "notifies_priority": one["notifies_priority"],
            "tracks with weight": one["tracks_with_weight"],
            **self.owners.hooks(one),
        }

    def _script(self, one: Json) -> dict[str, Any]:
        return {
            "command": command_words(one["command"] or ""),
            # 2.2.7 reads no further than the point, and 1 instead of 0
            "interval s": _seconds(one["interval_ms"], 1),
            "timeout s": _seconds(one["timeout_ms"], 0),
            "weight": one["weight"] or 0,
            "reverse": one["is_reversed"],
            "rise": one["rise"] or 1,
            "fall": one["fall"] or 1,
            "owner": self.owners.of(one["user"], one["group"]),
        }


def _firsts(tracks: Sequence[Json]) -> Iterable[Json]:
    """The first line of each thing that is tracked; others of the same are refused."""
    found: dict[tuple[str, str], Json] = {}
    for track in tracks:
        found.setdefault((track["kind"], track["name"]), track)
    return found.values()


def _seconds(said_ms: int | None, default: int) -> int:
    return default if said_ms is None else said_ms // 1000 or default


def _advert_ms(said: int | None, version: int) -> int:
    """Version 2 has whole seconds, version 3 steps of 10 ms up to 40.95 s; others are rounded."""
    value = said or 1000
    step, longest = (1000, LONGEST_V2_MS) if version == 2 else (10, LONGEST_V3_MS)
    if value > longest:
        return longest
    return max((value + step // 2) // step * step, step)


def _is_below(one: Json, other: Json) -> bool:
    """Whether an object stands below another one of the same file."""
    places = [each["origins"]["self"][-1] for each in (one, other)]
    return places[0]["path"] == places[1]["path"] and _where(one) > _where(other)


def _where(one: Json, name: str = "self") -> tuple[int, int]:
    place = one["origins"][name][-1]
    return place["line"], place["column"]


def _sources(one: Json) -> list[tuple[tuple[int, int], str]]:
    names = ("unicast_source", "multicast_source")
    return [(_where(one, name), one[name]) for name in names if one[name] is not None]


def _source(one: Json) -> str | None:
    """The last of the two statements that set it."""
    found = [pair for pair in _sources(one) if _is_of(one, pair[1])]
    return max(found)[1] if found else None


def _is_six(one: Json) -> bool:
    """Whether an instance is one of IPv6: its first address decides, whatever it is for."""
    found = [*_sources(one)]
    found += [(_where(vip), vip["address"]) for vip in one["vips"] if not vip["is_excluded"]]
    found += [(_where(peer), peer["address"]) for peer in one["unicast_peers"]]
    return bool(found) and ":" in min(found)[1]


def _is_of(one: Json, address: str) -> bool:
    """Whether an address is of the instance's family; others are refused."""
    return (":" in address) == _is_six(one)


def _peer(one: Json) -> tuple[str, int, int]:
    options = dict(zip(one["options"][::2], one["options"][1::2], strict=True))
    return one["address"], int(options.get("min_ttl", 0)), int(options.get("max_ttl", 255))


def _vips(one: Json, *, is_excluded: bool) -> tuple[tuple[tuple[str, str], ...], ...]:
    return tuple(
        address(vip, one["interface"] or "")
        for vip in one["vips"]
        if vip["is_excluded"] == is_excluded and (is_excluded or _is_of(one, vip["address"]))
    )


def address(one: Json, device: str) -> tuple[tuple[str, str], ...]:
    """An address with its options, sorted; on `device` unless it has one of its own."""
    where = one["address"]
    is_six = ":" in where
    length = str(first(one["prefix"], 128 if is_six else 32))
    found = {"address": where, "prefix": length, "dev": one["device"] or device}
    words = list(one.get("options", ()))
    has_lifetime = "preferred_lft" in words
    while words:
        word = words.pop(0)
        value = words.pop(0) if word in _WITH_VALUE else "yes"
        if word in {"brd", "broadcast"}:
            found["brd"] = value
        elif word == "preferred_lft":
            if is_six and value == "0":
                found["deprecated"] = "yes"
            elif is_six and value != "forever":
                found[word] = value
        elif word == "scope":
            found[word] = _SCOPES.get(value, value)
        else:
            found[word] = value
    if "peer" in found:
        # its length is that of the address alone, whatever stands behind the address
        found["prefix"] = "128" if is_six else "32"
        found["peer"] = f"{found['peer']}/{found['prefix']}"
        found.pop("brd", None)
    elif found.get("brd") in {"+", "-"}:
        found["brd"] = _broadcast(f"{where}/{length}", found["brd"])
    if is_six:
        found["scope"] = "global"
        if length == "128" and not has_lifetime:
            found["deprecated"] = "yes"  # so that it is no source address
    else:
        found.setdefault("scope", "global")
        if one["label"]:
            found["label"] = one["label"]
    return tuple(sorted(found.items()))


def _broadcast(network: str, said: str) -> str:
    """`+` sets all bits of the host, `-` none."""
    found = ipaddress.ip_interface(network).network
    return str(found.broadcast_address if said == "+" else found.network_address)
