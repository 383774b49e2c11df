"""What operators change in a configuration, by chance; every director gets the same change, each
when it is told to reload."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from random import Random
from typing import Any

from drctl.core.value import Group, Settings, Vip
from simulator.topology import NODES

Change = Callable[[Settings], Settings]
"""Made for any director, by its name."""
NEW_HOST = 230


class Operator:
    """Thinks of changes. `texts` describe those made so far."""

    def __init__(self, seed: int) -> None:
        self.random = Random(f"reload {seed}")
        self._count = 0

    def change(self, settings: Settings, what: str = "") -> tuple[str, Change, bool]:
        """A change that fits these settings: in words, as a function, and whether it may be a
        reason to move VIPs that stay. `what` kind it is to be, where that is possible."""
        self._count += 1
        named = {"move": self._move, "rename": self._rename, "timing": self._timing}
        if what and (wanted := named[what](settings)) is not None:
            return wanted
        kinds = [self._add, self._add, self._remove, self._priority, self._timing, self._prefix,
                 self._move, self._new_group, self._drop_group, self._rename]  # fmt: skip
        while True:
            made = self.random.choice(kinds)(settings)
            if made is not None:
                return made

    def _group(self, settings: Settings) -> Group:
        return self.random.choice(settings.groups)

    def _add(self, settings: Settings) -> tuple[str, Change, bool]:
        group = self._group(settings)
        interface = self.random.choice(group.vips).interface
        vip = self._new_vip(settings, interface)
        text = f"{vip.address} added to {group.name}"
        return text, _with_vips(group.name, lambda vips: (*vips, vip)), False

    def _new_vip(self, settings: Settings, interface: str) -> Vip:
        known = next(v for group in settings.groups for v in group.vips if v.interface == interface)
        network = known.address.rpartition(".")[0]
        return Vip(f"{network}.{NEW_HOST + self._count}", 24, interface)

    def _remove(self, settings: Settings) -> tuple[str, Change, bool] | None:
        group = self._group(settings)
        if len(group.vips) < 2:
            return None
        vip = self.random.choice(group.vips)
        text = f"{vip.address} taken out of {group.name}"
        return text, _with_vips(group.name, _without(vip.address)), False

    def _prefix(self, settings: Settings) -> tuple[str, Change, bool]:
        group = self._group(settings)
        address = self.random.choice(group.vips).address

        def changed(vips: tuple[Vip, ...]) -> tuple[Vip, ...]:
            return tuple(
                replace(v, prefix=56 - v.prefix) if v.address == address else v for v in vips
            )

        return f"another prefix for {address}", _with_vips(group.name, changed), False

    def _move(self, settings: Settings) -> tuple[str, Change, bool] | None:
        if len(settings.groups) < 2:
            return None
        source, target = self.random.sample(settings.groups, 2)
        if len(source.vips) < 2:
            return None
        vip = self.random.choice(source.vips)
        out, into = (
            _with_vips(source.name, _without(vip.address)),
            _with_vips(target.name, lambda vips: (*vips, vip)),
        )
        text = f"{vip.address} moved from {source.name} to {target.name}"
        return text, lambda given: into(out(given)), True

    def _new_group(self, settings: Settings) -> tuple[str, Change, bool]:
        like = self._group(settings)
        vip = self._new_vip(settings, self.random.choice(like.vips).interface)
        name = f"new{self._count}"

        def changed(given: Settings) -> Settings:
            model = next(group for group in given.groups if group.name == like.name)
            made = replace(model, name=name, vips=(vip,), interfaces=(vip.interface,))
            return replace(given, groups=(*given.groups, made))

        return f"group {name} with {vip.address}", changed, True

    def _drop_group(self, settings: Settings) -> tuple[str, Change, bool] | None:
        if len(settings.groups) < 2:
            return None
        name = self._group(settings).name

        def changed(given: Settings) -> Settings:
            groups = tuple(group for group in given.groups if group.name != name)
            return replace(given, groups=groups)

        return f"group {name} taken out", changed, True

    def _rename(self, settings: Settings) -> tuple[str, Change, bool]:
        name, other = self._group(settings).name, f"renamed{self._count}"

        def changed(given: Settings) -> Settings:
            groups = (replace(g, name=other) if g.name == name else g for g in given.groups)
            return replace(given, groups=tuple(groups))

        return f"group {name} is called {other}", changed, True

    def _priority(self, settings: Settings) -> tuple[str, Change, bool]:
        name = self._group(settings).name
        priorities = self.random.sample(range(20, 240), len(NODES))

        def changed(given: Settings) -> Settings:
            mine = priorities[NODES.index(given.node)]
            groups = (replace(g, priority=mine) if g.name == name else g for g in given.groups)
            return replace(given, groups=tuple(groups))

        return f"priorities of {name}: {priorities}", changed, True

    def _timing(self, settings: Settings) -> tuple[str, Change, bool]:
        before = settings.timing
        heartbeat_ms = self.random.choice((before.heartbeat_ms, 20, 50, 100, 200))
        fence_ms = self.random.choice((3, 5, 8)) * heartbeat_ms if before.has_fence else 0
        timing = replace(
            before,
            heartbeat_ms=heartbeat_ms,
            fence_ms=fence_ms,
            lease_ms=self.random.choice((1000, 2000, 3000)) + 1000 * (fence_ms > 1000),
            handover_ms=10 * heartbeat_ms,
        )
        text = f"heartbeat {heartbeat_ms} ms, fence {fence_ms} ms, lease {timing.lease_ms} ms"
        return text, lambda given: replace(given, timing=timing), False


def _without(address: str) -> Callable[[tuple[Vip, ...]], tuple[Vip, ...]]:
    return lambda vips: tuple(vip for vip in vips if vip.address != address)


def _with_vips(name: str, change: Callable[[tuple[Vip, ...]], tuple[Vip, ...]]) -> Change:
    def changed(given: Settings) -> Settings:
        return replace(
            given, groups=tuple(_changed(g, change) if g.name == name else g for g in given.groups)
        )

    return changed


def _changed(group: Group, change: Callable[[tuple[Vip, ...]], tuple[Vip, ...]]) -> Group:
    vips = change(group.vips)
    return replace(group, vips=vips, interfaces=tuple(dict.fromkeys(v.interface for v in vips)))


def sealed(settings: Settings) -> Settings:
    """With a digest of what has to be equal everywhere."""
    shown: Any = [(group.name, group.vips) for group in settings.groups]
    text = repr((sorted(shown), settings.timing))
    return replace(settings, digest=sha256(text.encode()).hexdigest()[:16])
