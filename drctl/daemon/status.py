"""What `drctl status --json` says (schema 1), from the core's state and what the shell knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drctl import __version__
from drctl.core.group import GroupState
from drctl.core.node import Node
from drctl.core.peer import PeerView
from drctl.core.sight import Sight

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Facts:
    """What only the shell knows.

    `guard_pid` is None while there is no guard. `links` are (own address, peer's address) by
    (peer, name of the link in the core). `alarms` are the texts of those that stand. `wall_ms` is
    the time of day, in milliseconds since 1970, at the instant `now_ms`. `arbiter` is what there
    is to say of it, if there is one.
    """

    pid: int
    guard_pid: int | None
    wall_ms: int
    links: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    alarms: Iterable[str] = ()
    arbiter: Mapping[str, Any] | None = None


def status(node: Node, now_ms: int, facts: Facts) -> dict[str, Any]:
    """The state of everything. `since_ms` of a group is the time of day when its role began, in
    milliseconds since 1970."""
    around = node.around
    return {
        "schema": SCHEMA,
        "node": node.settings.node,
        "pid": facts.pid,
        "guard_pid": facts.guard_pid,
        "version": __version__,
        "config_digest": node.settings.digest,
        "peers": [_peer(peer, now_ms, facts) for peer in around.peers.values()],
        "witnesses": [_witness(name, sight, now_ms) for name, sight in around.sights.items()],
        "groups": [_group(group, now_ms, facts) for group in node.groups.values()],
        "alarms": list(facts.alarms),
        "arbiter": facts.arbiter,
    }


def roles_in_words(node: Node) -> str:
    """A line such as `lb1: active web, mail; standby db`."""
    by_role: dict[str, list[str]] = {}
    for group in node.groups.values():
        by_role.setdefault(group.role.word, []).append(group.name)
    roles = [f"{role} {', '.join(names)}" for role, names in by_role.items()]
    return f"{node.settings.node}: {'; '.join(roles)}"


def evidence(node: Node, group: str, now_ms: int, facts: Facts) -> dict[str, Any]:
    """What was known when a role changed, for the history."""
    around = node.around
    state = node.groups[group]
    return {
        "priority": state.standing.priority,
        "peers": [
            _peer(peer, now_ms, facts) | _claim(peer, group) for peer in around.peers.values()
        ],
        "witnesses": [
            _witness(name, around.sights[name], now_ms) for name in state.config.interfaces
        ],
        "alarms": list(facts.alarms),
        "arbiter": facts.arbiter,
    }


def _claim(peer: PeerView, group: str) -> dict[str, Any]:
    """What the peer said of the group last."""
    said = peer.groups.get(group)
    if said is None:
        return {"role": None, "epoch": None}
    return {"role": said.role.word, "epoch": said.epoch}


def _peer(peer: PeerView, now_ms: int, facts: Facts) -> dict[str, Any]:
    links = []
    for name in peer.links:
        local, remote = facts.links.get((peer.config.node, name), ("", name))
        links.append({"local": local, "peer": remote, "up": peer.is_link_up(name, now_ms)})
    return {"node": peer.config.node, "alive": peer.is_fresh(now_ms), "links": links}


def _witness(name: str, sight: Sight, now_ms: int) -> dict[str, Any]:
    """A station counts as answering when it did since its turn to be asked came last."""
    turns = len(sight.stations) + 3
    within_ms = turns * sight.timing.heartbeat_ms
    answering = sum(
        station.answered_ms is not None and now_ms - station.answered_ms <= within_ms
        for station in sight.stations.values()
    )
    return {"interface": name, "known": len(sight.stations), "answering": answering}


def _group(group: GroupState, now_ms: int, facts: Facts) -> dict[str, Any]:
    return {
        "name": group.name,
        "role": group.role.word,
        "epoch": group.epoch if group.role.is_holding else group.seen_epoch,
        "priority": group.standing.priority,
        "vips": [vip.address for vip in group.config.vips],
        "since_ms": facts.wall_ms - (now_ms - group.since_ms),
        "reason": group.reason,
    }
