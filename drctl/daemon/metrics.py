"""The daemon's state as Prometheus reads it (text format 0.0.4), from what `drctl status` says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drctl.core.role import Role

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ROLES = tuple(role.word for role in Role)


@dataclass(frozen=True, slots=True)
class Counter:
    """Something that only grows. `name` without `drctl_` and `_total`; `labels` name its series."""

    name: str
    meaning: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def metrics(
    status: Mapping[str, Any], counters: Iterable[Counter] = (), gauges: Iterable[Counter] = ()
) -> str:
    """All of it. Of several counters with the same name the first one's meaning is shown."""
    out = _Page()
    labels = {"node": status["node"], "version": status["version"]}
    digest = {"config_digest": status["config_digest"]}
    out.add("info", "What runs.", 1, labels | digest)
    out.add("guard_up", "Whether the guard lives.", status["guard_pid"] is not None)
    out.add("alarms", "How many alarms stand.", len(status["alarms"]))
    for group in status["groups"]:
        _group(out, group)
    for peer in status["peers"]:
        node = {"peer": peer["node"]}
        out.add("peer_alive", "Whether the peer's heartbeat is heard.", peer["alive"], node)
        for link in peer["links"]:
            where = node | {"local": link["local"], "remote": link["peer"]}
            out.add("link_up", "Whether the heartbeat comes by this path.", link["up"], where)
    for witness in status["witnesses"]:
        where = {"interface": witness["interface"]}
        out.add("witnesses_known", "Stations that may be asked.", witness["known"], where)
        out.add("witnesses_answering", "Those that answer.", witness["answering"], where)
    for gauge in gauges:
        out.add(gauge.name, gauge.meaning, gauge.value, dict(gauge.labels))
    for counter in counters:
        name = f"{counter.name}_total"
        out.add(name, counter.meaning, counter.value, dict(counter.labels), kind="counter")
    return out.text()


def _group(out: _Page, group: Mapping[str, Any]) -> None:
    name = {"group": group["name"]}
    for role in _ROLES:
        meaning = "The role of this director in the group: 1 for the one that it has."
        out.add("group_role", meaning, group["role"] == role, name | {"role": role})
    out.add("group_epoch", "The highest epoch known.", group["epoch"], name)
    out.add("group_priority", "The priority that counts now.", group["priority"], name)
    out.add("group_vips", "How many VIPs it has.", len(group["vips"]), name)
    meaning = "When the role began, in seconds since 1970."
    out.add("group_since_seconds", meaning, group["since_ms"] / 1000, name)


class _Page:
    """Series by metric, in the order in which the metrics came first."""

    def __init__(self) -> None:
        self._heads: dict[str, str] = {}
        self._series: dict[str, list[str]] = {}

    def add(
        self,
        name: str,
        meaning: str,
        value: float,
        labels: Mapping[str, str] | None = None,
        *,
        kind: str = "gauge",
    ) -> None:
        full = f"drctl_{name}"
        head = f"# HELP {full} {_escaped(meaning)}\n# TYPE {full} {kind}\n"
        self._heads.setdefault(full, head)
        pairs = ",".join(f'{key}="{_quoted(text)}"' for key, text in (labels or {}).items())
        series = f"{full}{{{pairs}}}" if pairs else full
        self._series.setdefault(full, []).append(f"{series} {_number(value)}\n")

    def text(self) -> str:
        return "".join(
            line for name, head in self._heads.items() for line in (head, *self._series[name])
        )


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
