"""What differs between what a daemon works by and what a reload has read, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from drctl.core.value import Announcing, Group, Settings, Timing
from drctl.daemon.preparation import Preparation

FIXED = {
    "node": "node",
    "state_dir": "state_dir",
    "control": "control",
    "fence_kind": "fence.kind",
    "metrics_listen": "metrics.listen",
}
"""Fields of the configuration that only a start uses, and what they are called in drctl.toml."""
MOST_NAMED = 10


def fixed(before: Preparation, after: Preparation) -> tuple[str, ...]:
    """Differences that a reload cannot make."""
    return tuple(
        f"{after.config.path}: {name} needs a restart: it is {_shown(old)}, and now {_shown(new)}"
        for key, name in FIXED.items()
        if (old := getattr(before.config, key)) != (new := getattr(after.config, key))
    )


def differences(before: Preparation, after: Preparation) -> tuple[str, ...]:
    """A line for each; none when nothing differs."""
    return tuple(_differences(before, after))


def _differences(before: Preparation, after: Preparation) -> Iterator[str]:
    yield from _groups(before.settings, after.settings)
    yield from _timing(before.settings.timing, after.settings.timing)
    yield from _links(before, after)
    yield from _keys(before, after)
    cards = {card.name: card for card in before.settings.interfaces}
    for card in after.settings.interfaces:
        if card.name not in cards:
            yield f"interface {card.name} is new"
        elif set(card.witnesses) != set(cards[card.name].witnesses):
            yield f"interface {card.name}: {len(card.witnesses)} witnesses are named"
    if before.own != after.own:
        yield "this host has other addresses of its own"
    if before.hooks != after.hooks:
        yield "scripts, files, processes or mails: other ones, or others than before"
    if before.config.arbiter != after.config.arbiter:
        yield f"arbiter: {before.config.arbiter.kind} -> {after.config.arbiter.kind}"


def _groups(before: Settings, after: Settings) -> Iterator[str]:
    old = {group.name: group for group in before.groups}
    new = {group.name: group for group in after.groups}
    homes = {address: group.name for group in before.groups for address in group.addresses}
    for name, group in new.items():
        if name not in old:
            yield f"group {name} is new, with {len(group.vips)} VIPs"
        else:
            yield from _group(old[name], group)
    for name in old.keys() - new.keys():
        yield f"group {name} is gone, with {len(old[name].vips)} VIPs"
    moved = [
        f"{vip.address} moves from {homes[vip.address]} to {group.name}"
        for group in after.groups
        for vip in group.vips
        if homes.get(vip.address, group.name) != group.name
    ]
    yield from _some(moved)


def _group(old: Group, new: Group) -> Iterator[str]:
    known = {vip.address: vip for vip in old.vips}
    added = [f"{vip.address} added" for vip in new.vips if vip.address not in known]
    gone = [f"{address} taken out" for address in known if address not in new.addresses]
    remade = [
        f"{vip.address} has another prefix, card, label, scope or broadcast address"
        for vip in new.vips
        if known.get(vip.address, vip) != vip
    ]
    named = {
        "priority": (old.priority, new.priority),
        "preemption": (old.is_preempting, new.is_preempting),
        "preempt_delay_ms": (old.preempt_delay_ms, new.preempt_delay_ms),
        "interfaces": (" ".join(old.interfaces), " ".join(new.interfaces)),
    }
    changed = [f"{key} {a} -> {b}" for key, (a, b) in named.items() if a != b]
    if (old.tracks, old.members) != (new.tracks, new.members):
        changed.append("what is tracked, or its weights")
    if old.announcing != new.announcing:
        changed.append(f"announcements: {_announced(new.announcing)}")
    for line in (*changed, *_some(added), *_some(gone), *_some(remade)):
        yield f"group {new.name}: {line}"


def _announced(rule: Announcing) -> str:
    refresh = f", {rule.refresh_count} every {rule.refresh_ms} ms" if rule.refresh_ms else ""
    again = f", again after {rule.again_ms} ms" if rule.again_ms else ""
    return f"{rule.count}{again}{refresh}"


def _some(lines: list[str]) -> Iterable[str]:
    """The first ones, and how many there are besides."""
    if len(lines) <= MOST_NAMED:
        return lines
    rest = len(lines) - MOST_NAMED
    return [*lines[:MOST_NAMED], f"... and {rest} more like {lines[MOST_NAMED]}"]


def _timing(old: Timing, new: Timing) -> Iterator[str]:
    for each in fields(Timing):
        a, b = getattr(old, each.name), getattr(new, each.name)
        if a != b:
            yield f"timing: {each.name} {a} -> {b}"


def _links(before: Preparation, after: Preparation) -> Iterator[str]:
    for peer in after.settings.peers:
        if all(peer.node != one.node for one in before.settings.peers):
            yield f"peer {peer.node} is new"
    for peer in before.settings.peers:
        if all(peer.node != one.node for one in after.settings.peers):
            yield f"peer {peer.node} is gone"
    for link in after.links:
        if link not in before.links:
            yield f"link {link.local} - {link.remote} to {link.peer} added"
    for link in before.links:
        if link not in after.links:
            yield f"link {link.local} - {link.remote} to {link.peer} taken out"


def _keys(before: Preparation, after: Preparation) -> Iterator[str]:
    if before.keyring.own != after.keyring.own:
        yield "this node has another key"
    for node, keys in after.keyring.accepted.items():
        known = before.keyring.accepted.get(node)
        if known is not None and known != keys:
            new = len(set(keys) - {*known})
            yield f"keys that are accepted from {node}: {len(keys)}, {new} of them new"


def _shown(value: object) -> str:
    return "not set" if value is None else str(value)
