"""Every setting of drctl.toml, as a table: what the reader accepts and the documentation lists.

A path has the names of tables before that of the key; `[]` stands behind a table that may be
repeated. Durations are milliseconds here and text (`"100ms"`, `"2s"`) in the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

DURATION = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,3}))?(ms|s|m)")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000}
_MOST_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Setting:
    """One key. `parse` takes the value as TOML has it and raises ValueError with the reason;
    `default` is as somebody would write it, "" when there is none; `effect` is for people."""

    path: str
    parse: Callable[[object], object]
    default: str
    effect: str
    unit: str = ""
    is_required: bool = False


def duration(value: object) -> int:
    """`"100ms"`, `"2s"`, `"1.5s"`, `"1m"` in milliseconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'{value} has no unit: write "{value}ms" or "{value}s"')
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'{_shown(value)} is no duration: write "100ms" or "2s"')
    whole, fraction, unit = found.groups()
    thousandths = int(whole) * 1000 + int((fraction or "0").ljust(3, "0"))
    scaled = thousandths * _UNIT_MS[unit]
    if scaled % 1000:
        raise ValueError(f"{value} is no whole number of milliseconds")
    if scaled // 1000 > _MOST_MS:
        raise ValueError(f"{value} is longer than an hour")
    return scaled // 1000


def between(low_ms: int, high_ms: int) -> Callable[[object], int]:
    """A duration within limits, both inclusive."""

    def parse(value: object) -> int:
        found = duration(value)
        if not low_ms <= found <= high_ms:
            raise ValueError(f"{value} is not within {low_ms}ms to {high_ms}ms")
        return found

    return parse


def whole_seconds(value: object) -> int:
    """The lease: the kernel counts it in whole seconds."""
    found = duration(value)
    if found % 1000 or not 2000 <= found <= 60_000:
        raise ValueError(f"{value} is no lease: whole seconds, 2s to 60s")
    return found


def ttl(value: object) -> int:
    """etcd counts in whole seconds."""
    found = duration(value)
    if found % 1000 or not 2000 <= found <= 300_000:
        raise ValueError(f"{value} is no time to live: whole seconds, 2s to 300s")
    return found


def number(low: int, high: int) -> Callable[[object], int]:
    """A whole number within limits, both inclusive."""

    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{_shown(value)} is no whole number from {low} to {high}")
        return value

    return parse


def text(value: object) -> str:
    """Any text but an empty one."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"{_shown(value)} is no text")
    return value


def path(value: object) -> str:
    """An absolute path: a daemon has no folder to start from."""
    found = text(value)
    if not found.startswith("/"):
        raise ValueError(f"{found} is no absolute path")
    return found


def node(value: object) -> str:
    """The name of a director."""
    from drctl.adapters.keys import is_node_name

    found = text(value)
    if not is_node_name(found):
        raise ValueError(f"{found} is no name of a node: letters, digits, dots and hyphens")
    return found


def address(value: object) -> str:
    """An address in canonical form; IPv6 may have a zone (`fe80::1%eth0`)."""
    found = text(value)
    try:
        one = ip_address(found)
    except ValueError:
        raise ValueError(f"{found} is no IP address") from None
    if one.is_unspecified or one.is_multicast:
        raise ValueError(f"{found} is no address of a machine")
    return str(one)


def addresses(value: object) -> tuple[str, ...]:
    """A list of addresses."""
    if not isinstance(value, list):
        raise ValueError(f'{_shown(value)} is no list: write ["192.0.2.1"]')
    return tuple(dict.fromkeys(address(one) for one in value))


def endpoints(value: object) -> tuple[str, ...]:
    """A list of URLs of etcd."""
    if not isinstance(value, list) or not value:
        raise ValueError(f'{_shown(value)} is no list: write ["https://192.0.2.5:2379"]')
    for one in value:
        if not re.fullmatch(r"https?://[^\s/]+", text(one)):
            raise ValueError(f"{one} is no URL like https://192.0.2.5:2379")
    return tuple(value)


def listen(value: object) -> str:
    """ADDRESS:PORT of our own."""
    found = text(value)
    host, colon, port = found.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError(f"{found} is no ADDRESS:PORT")
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError(f"{found} is no ADDRESS:PORT") from None
    return found


def choice(*words: str) -> Callable[[object], str]:
    """One of some words."""

    def parse(value: object) -> str:
        if value not in words:
            raise ValueError(f"{_shown(value)} is none of {', '.join(words)}")
        return str(value)

    return parse


def _shown(value: object) -> str:
    return str(value)[:60] if not isinstance(value, dict) else "a table"


SETTINGS: tuple[Setting, ...] = (
    Setting("node", node, "", "name of this director, as its peers call it", is_required=True),
    Setting(
        "config",
        path,
        "",
        "keepalived.conf or lvs.cf with the VIPs, priorities, tracking and hooks",
        is_required=True,
    ),
    Setting(
        "config_id",
        text,
        "",
        "as `keepalived -i`: decides on `@ID` lines of a keepalived.conf; this host's name when "
        "left out",
    ),
    Setting("control", path, "/run/drctl/control.sock", "socket of `drctl status` and the others"),
    Setting("state_dir", path, "/var/lib/drctl", "folder of epochs, pauses and the history"),
    Setting(
        "witnesses",
        addresses,
        "[]",
        "further stations on the VIPs' networks whose ARP or ND answer proves that one's own link "
        "works; real servers and gateways are known without it",
    ),
    Setting(
        "keys.secret", path, "", "this node's key, readable by its owner alone", is_required=True
    ),
    Setting("peer[].node", node, "", "name of another director", is_required=True),
    Setting(
        "peer[].public", path, "", "its public key, or several while it changes", is_required=True
    ),
    Setting(
        "peer[].link[].local",
        address,
        "",
        "own address of this link; need not be there yet",
        is_required=True,
    ),
    Setting("peer[].link[].peer", address, "", "the peer's address of this link", is_required=True),
    Setting(
        "peer[].link[].port",
        number(1, 65535),
        "5390",
        "TCP port on both directors; heartbeat_port of an lvs.cf that has one",
    ),
    Setting(
        "timing.heartbeat",
        between(10, 10_000),
        "100ms",
        "interval of heartbeats; after 1.5 of them without any a peer is suspect",
        "ms",
    ),
    Setting(
        "timing.confirm",
        between(10, 10_000),
        "30ms",
        "how long the probes of a takeover are spread over, one heartbeat at most; longer where "
        "several groups on a slow machine would flood it and its segment with them",
        "ms",
    ),
    Setting(
        "timing.confirm_probes",
        number(3, 50),
        "6",
        "ARP or ND probes that nobody may answer before a takeover; fewer take over wrongly where "
        "packets are lost",
    ),
    Setting(
        "timing.fence",
        between(30, 60_000),
        "500ms",
        "how long the kernel goes on answering for the VIPs without the daemon; at least 3 "
        "heartbeats, and 3 heartbeats by default where that is longer",
        "ms",
    ),
    Setting(
        "timing.lease",
        whole_seconds,
        "2s",
        "lifetime of a VIP in the kernel without the daemon; whole seconds, at least the fence",
        "s",
    ),
    Setting(
        "timing.overlap",
        between(0, 1000),
        "50ms",
        "how long the old director still accepts packets after a planned switchover",
        "ms",
    ),
    Setting(
        "timing.handover",
        between(100, 60_000),
        "1s",
        "how long a switchover may take before it is called off",
        "ms",
    ),
    Setting(
        "fence.kind",
        choice("auto", "nft", "address"),
        "auto",
        "`nft` insists on nftables, `address` does without it, `auto` takes it where it exists",
    ),
    Setting(
        "arbiter.kind",
        choice("none", "gateway", "etcd"),
        "none",
        "who decides when the segment itself is cut in two",
    ),
    Setting(
        "arbiter.addresses",
        addresses,
        "",
        "for `gateway`: the reference point, the default gateway when left out; of several any "
        "answer counts, so all of them must be on one side of whatever cut there may be",
    ),
    Setting(
        "arbiter.interval",
        between(10, 60_000),
        "100ms",
        "for `gateway`: how often it is asked for an echo; one heartbeat at least, and by default "
        "where that is longer",
        "ms",
    ),
    Setting(
        "arbiter.timeout",
        between(10, 10_000),
        "100ms",
        "for `gateway`: an echo that takes longer does not count; for `etcd`, where it is 1s by "
        "default: how long one member may take to answer",
        "ms",
    ),
    Setting(
        "arbiter.fall",
        number(1, 100),
        "3",
        "for `gateway`: so many echoes may be missing in a row. Nothing is taken from a silent "
        "director before `fall` intervals and a `timeout` have passed",
    ),
    Setting(
        "arbiter.rise",
        number(1, 100),
        "2",
        "for `gateway`: so many echoes in a row make it count again",
    ),
    Setting("arbiter.endpoints", endpoints, "", "for `etcd`: URLs of the cluster's members"),
    Setting(
        "arbiter.prefix",
        text,
        "/drctl/",
        "for `etcd`: what the keys of the VIPs begin with; the same on all directors, and "
        "another one for each set of directors",
    ),
    Setting(
        "arbiter.ttl",
        ttl,
        "5s",
        "for `etcd`: how long a VIP stays lent to a director that is gone; whole seconds, at "
        "least 3 times the fence",
        "s",
    ),
    Setting("arbiter.ca", path, "", "for `etcd`: certificates that its own is checked with"),
    Setting("arbiter.cert", path, "", "for `etcd`: this director's certificate"),
    Setting("arbiter.key", path, "", "for `etcd`: its key"),
    Setting("metrics.listen", listen, "", "ADDRESS:PORT of Prometheus metrics; off when left out"),
)
