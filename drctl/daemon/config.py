"""drctl.toml: read strictly, every mistake told at once with its line."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from drctl.daemon.problem import ConfigRefused, Problem
from drctl.daemon.setting import SETTINGS, Setting
from drctl.errors import FileRefused

STATE_DIR = "/var/lib/drctl"
MOST_PEERS = 15
MOST_LINKS = 4
LARGEST_FILE_BYTES = 1024 * 1024
ETCD_TIMEOUT_MS = 1000
_ARBITER_KEYS = {
    **dict.fromkeys(("addresses", "interval", "fall", "rise"), ("gateway",)),
    **dict.fromkeys(("endpoints", "prefix", "ttl", "ca", "cert", "key"), ("etcd",)),
    "timeout": ("gateway", "etcd"),
}
_BY_PATH = {setting.path: setting for setting in SETTINGS}
_TABLES = {"keys", "peer[]", "peer[].link[]", "timing", "fence", "arbiter", "metrics"}
_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\s\"'-]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*([\w.\"'-]+)\s*=")


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """One heartbeat path; `port` None when the file does not say."""

    local: str
    peer: str
    port: int | None = None


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """Another director; without links those of an lvs.cf are taken."""

    node: str
    public: str
    links: tuple[LinkConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class ArbiterConfig:
    """Who decides; `interval_ms` and `timeout_ms` are 0 where the file does not say."""

    kind: str = "none"
    addresses: tuple[str, ...] = ()
    interval_ms: int = 0
    timeout_ms: int = 100
    fall: int = 3
    rise: int = 2
    endpoints: tuple[str, ...] = ()
    prefix: str = "/drctl/"
    ttl_ms: int = 5000
    ca: str = ""
    cert: str = ""
    key: str = ""

    def shared(self, heartbeat_ms: int) -> tuple[object, ...]:
        """What must be the same on all directors."""
        if self.kind == "none":
            return ()
        if self.kind == "etcd":
            return (self.kind, self.prefix)
        return (self.kind, self.hold_ms(heartbeat_ms))

    def interval_or(self, heartbeat_ms: int) -> int:
        """How often it is asked."""
        return self.interval_ms or max(100, heartbeat_ms)

    def hold_ms(self, heartbeat_ms: int) -> int:
        """How long an echo counts, from when it was asked for."""
        return self.fall * self.interval_or(heartbeat_ms) + self.timeout_ms


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """The whole file. Durations are milliseconds; None where the default depends on others."""

    path: str
    node: str
    config: str
    secret: str
    peers: tuple[PeerConfig, ...]
    config_id: str | None = None
    control: str = "/run/drctl/control.sock"
    state_dir: str = STATE_DIR
    witnesses: tuple[str, ...] = ()
    heartbeat_ms: int = 100
    confirm_ms: int = 30
    confirm_probes: int = 6
    fence_ms: int = 500
    lease_ms: int = 2000
    overlap_ms: int = 50
    handover_ms: int = 1000
    fence_kind: str = "auto"
    arbiter: ArbiterConfig = field(default_factory=ArbiterConfig)
    metrics_listen: str | None = None


def read_config(path: str) -> DaemonConfig:
    """The configuration in a file; ConfigRefused has all that is wrong in it."""
    try:
        # without waiting for whoever writes to a FIFO
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileRefused("read", path, "it is no regular file")
            raw = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as refused:
        raise FileRefused("read", path, refused) from refused
    if len(raw) > LARGEST_FILE_BYTES:
        raise FileRefused("read", path, f"it is larger than {LARGEST_FILE_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as bad:
        line = raw.count(b"\n", 0, bad.start) + 1
        raise ConfigRefused([Problem(path, line, "bytes that are no UTF-8")]) from bad
    return parse_config(path, text)


def parse_config(path: str, text: str) -> DaemonConfig:
    """The configuration in a text."""
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as bad:
        found = re.search(r"at line (\d+)", str(bad))
        line = int(found[1]) if found else 0
        message = re.sub(r" \(at .*\)", "", str(bad))
        reason = f"{message[:1].lower()}{message[1:]}" or "nested too deeply"
        raise ConfigRefused([Problem(path, line, reason)]) from bad
    reader = _Reader(path, _lines(text))
    values = reader.table(tree, "", "")
    reader.check(values, tree)
    if reader.problems:
        raise ConfigRefused(reader.problems)
    return _config(path, values)


class _Reader:
    """Collects values and problems. A place is the path with the numbers of repeated tables."""

    def __init__(self, path: str, lines: Mapping[str, int]) -> None:
        self.problems: list[Problem] = []
        self._path = path
        self._lines = lines

    def refuse(self, place: str, message: str) -> None:
        """The line of the place, or else of the table around it."""
        at = place
        while at and at not in self._lines:
            at = at.rpartition(".")[0]
        self.problems.append(Problem(self._path, self._lines.get(at, 0), message))

    def table(self, tree: Mapping[str, Any], path: str, place: str) -> dict[str, Any]:
        """Values by the last name of their paths; tables inside by theirs."""
        found: dict[str, Any] = {}
        for key, value in tree.items():
            inner, at = _joined(path, key), _joined(place, key)
            if inner in _BY_PATH:
                self._value(found, _BY_PATH[inner], value, at)
            elif inner in _TABLES:
                if isinstance(value, dict):
                    found[key] = self.table(value, inner, at)
                else:
                    self.refuse(at, f"{key} is a table: write [{inner}]")
            elif f"{inner}[]" in _TABLES:
                found[key] = self._tables(value, f"{inner}[]", at)
            else:
                self.refuse(at, f"unknown setting {at}{_suggested(path, key)}")
        for setting in SETTINGS:
            parent, _, name = setting.path.rpartition(".")
            if setting.is_required and parent == path and name not in tree:
                where = f"[[{path.replace('[]', '')}]]" if path.endswith("[]") else f"[{path}]"
                self.refuse(place, f"{name} is missing" + (f" in {where}" if path else ""))
        return found

    def _value(self, found: dict[str, Any], setting: Setting, value: object, at: str) -> None:
        try:
            found[setting.path.rpartition(".")[2]] = setting.parse(value)
        except ValueError as reason:
            self.refuse(at, f"{at}: {reason}")

    def _tables(self, value: object, path: str, place: str) -> list[dict[str, Any]]:
        name = path.replace("[]", "")
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.refuse(place, f"{name} is repeated: write [[{name}]]")
            return []
        return [self.table(one, path, f"{place}[{n}]") for n, one in enumerate(value)]

    def check(self, values: Mapping[str, Any], tree: Mapping[str, Any]) -> None:
        """What concerns more than one setting."""
        if "keys" not in tree:
            self.refuse("", "[keys] is missing: secret = PATH of this node's key")
        peers: list[dict[str, Any]] = values.get("peer", [])
        if not tree.get("peer"):
            self.refuse("", "[[peer]] is missing: a director alone has nobody to fail over to")
        if len(peers) > MOST_PEERS:
            self.refuse(f"peer[{MOST_PEERS}]", f"{len(peers)} peers, at most {MOST_PEERS}")
        names = {values.get("node"): "this node itself"}
        for number, peer in enumerate(peers):
            place = f"peer[{number}]"
            name = peer.get("node")
            if name is not None and name in names:
                self.refuse(f"{place}.node", f"{name} is {names[name]}")
            names[name] = "named twice"
            self._check_links(peer.get("link", []), place)
        self._check_timing(values.get("timing", {}))
        self._check_arbiter(values, tree)

    def _check_links(self, links: list[dict[str, Any]], place: str) -> None:
        if len(links) > MOST_LINKS:
            self.refuse(f"{place}.link[{MOST_LINKS}]", f"{len(links)} links, at most {MOST_LINKS}")
        seen: set[tuple[str, str]] = set()
        for number, link in enumerate(links):
            if not {"local", "peer"} <= link.keys():
                continue
            at = f"{place}.link[{number}].peer"
            ends = link["local"], link["peer"]
            if ends[0] == ends[1]:
                self.refuse(at, f"{ends[1]} is the own address of this link")
            elif (":" in ends[0]) != (":" in ends[1]):
                self.refuse(at, f"{ends[0]} and {ends[1]} are not of one family")
            elif ends in seen:
                self.refuse(at, f"a second link from {ends[0]} to {ends[1]}")
            seen.add(ends)

    def _check_timing(self, timing: Mapping[str, Any]) -> None:
        heartbeat_ms = timing.get("heartbeat", 100)
        fence_ms = timing.get("fence", max(500, 3 * heartbeat_ms))
        if fence_ms < 3 * heartbeat_ms:
            reason = f"timing.fence: {fence_ms}ms is less than 3 heartbeats ({3 * heartbeat_ms}ms)"
            self.refuse("timing.fence", f"{reason}: one late heartbeat would take the VIPs away")
        if "lease" in timing and timing["lease"] < fence_ms:
            self.refuse("timing.lease", f"timing.lease: shorter than the fence ({fence_ms}ms)")

    def _check_arbiter(self, values: Mapping[str, Any], tree: Mapping[str, Any]) -> None:
        arbiter, timing = values.get("arbiter", {}), values.get("timing", {})
        given = tree.get("arbiter", {})
        if not isinstance(given, dict) or ("kind" in given and "kind" not in arbiter):
            return
        kind = arbiter.get("kind", "none")
        for key in given:
            kinds = _ARBITER_KEYS.get(key, ("gateway", "etcd", "none"))
            if kind not in kinds:
                wanted = " and ".join(kinds)
                self.refuse(f"arbiter.{key}", f"arbiter.{key} is for {wanted}, not for {kind}")
        if kind == "etcd" and "endpoints" not in given:
            self.refuse("arbiter.kind", "arbiter.endpoints is missing for etcd")
        if ("cert" in given) != ("key" in given):
            self.refuse("arbiter", "arbiter.cert and arbiter.key go together")
        heartbeat_ms = timing.get("heartbeat", 100)
        if arbiter.get("interval", heartbeat_ms) < heartbeat_ms:
            reason = f"arbiter.interval: shorter than a heartbeat ({heartbeat_ms}ms)"
            self.refuse("arbiter.interval", reason)
        fence_ms = timing.get("fence", max(500, 3 * heartbeat_ms))
        if kind == "etcd" and arbiter.get("ttl", 5000) < 3 * fence_ms:
            reason = f"arbiter.ttl: less than 3 times the fence ({3 * fence_ms}ms)"
            self.refuse("arbiter.ttl", reason)


def _config(path: str, values: Mapping[str, Any]) -> DaemonConfig:
    timing, arbiter = values.get("timing", {}), values.get("arbiter", {})
    heartbeat_ms = timing.get("heartbeat", 100)
    fence_ms = timing.get("fence", max(500, 3 * heartbeat_ms))
    lease_ms = timing.get("lease", max(2000, -(-fence_ms // 1000) * 1000))
    plain = {
        key: values[key]
        for key in ("config_id", "control", "state_dir", "witnesses")
        if key in values
    }
    timed = {
        f"{key}{unit}": timing[key]
        for key, unit in (
            ("confirm", "_ms"),
            ("confirm_probes", ""),
            ("overlap", "_ms"),
            ("handover", "_ms"),
        )
        if key in timing
    }
    peers = tuple(
        PeerConfig(
            one["node"],
            one["public"],
            tuple(LinkConfig(**link) for link in one.get("link", [])),
        )
        for one in values["peer"]
    )
    return DaemonConfig(
        path,
        values["node"],
        values["config"],
        values["keys"]["secret"],
        peers,
        heartbeat_ms=heartbeat_ms,
        fence_ms=fence_ms,
        lease_ms=lease_ms,
        fence_kind=values.get("fence", {}).get("kind", "auto"),
        arbiter=_arbiter(arbiter),
        metrics_listen=values.get("metrics", {}).get("listen"),
        **plain,
        **timed,
    )


def _arbiter(values: Mapping[str, Any]) -> ArbiterConfig:
    names = {"interval": "interval_ms", "timeout": "timeout_ms", "ttl": "ttl_ms"}
    given = {names.get(key, key): value for key, value in values.items()}
    if given.get("kind") == "etcd":
        given.setdefault("timeout_ms", ETCD_TIMEOUT_MS)
    return ArbiterConfig(**given)


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _suggested(path: str, key: str) -> str:
    from difflib import get_close_matches

    known = {}
    for one in (*_BY_PATH, *_TABLES):
        parent, _, name = one.removesuffix("[]").rpartition(".")
        known[name if parent == path else one.replace("[]", "")] = one
    close = get_close_matches(key, known, n=1, cutoff=0.6)
    if not close:
        close = [name for name in known if name.endswith(f".{key}")][:1]
    return f" (did you mean {close[0]}?)" if close else ""


def _lines(text: str) -> dict[str, int]:
    """The line of each key and table, by its place."""
    found: dict[str, int] = {}
    for number, place in _places(text):
        found.setdefault(place, number)
    return found


def _places(text: str) -> Iterator[tuple[int, str]]:
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.fullmatch(line):
            table = ""
            names = re.sub(r"[\s\"']", "", header[2]).split(".")
            for index, name in enumerate(names):
                table = _joined(table, name)
                if index == len(names) - 1 and header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                if table in counts:
                    table = f"{table}[{counts[table]}]"
            yield number, table
        elif key := _KEY.match(line):
            yield number, _joined(table, re.sub(r"[\"']", "", key[1]))
