"""Which VIPs a node has under which group, when its configuration changes: what stays, what moves,
what comes and what goes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from drctl.core.value import Group, Vip


@dataclass(frozen=True, slots=True)
class Holding:
    """A group as it is now: `is_active`: it answers for its VIPs; `may_answer`: it may."""

    group: Group
    is_active: bool
    may_answer: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """`groups` are the wanted ones, each with those of its VIPs that it can have now.

    `leaving` are VIPs that this node answers for, or may, and must not any more. `arriving` are,
    by group, those that an active group is to have besides, once nobody else answers for them.
    `remade` are those that an active group keeps, with another prefix, label, scope or broadcast
    address. `adopted` groups are new, and have VIPs that this host answers for already; the
    `moved` ones of them by another group's lease.
    """

    groups: tuple[Group, ...]
    leaving: tuple[Vip, ...] = ()
    arriving: Mapping[str, tuple[Vip, ...]] = field(default_factory=dict)
    remade: Mapping[str, frozenset[str]] = field(default_factory=dict)
    adopted: frozenset[str] = frozenset()
    moved: frozenset[str] = frozenset()


def lay_out(
    wanted: Iterable[Group],
    now: Mapping[str, Holding],
    leaving: frozenset[str] = frozenset(),
    *,
    arrived: Iterable[Vip] = (),
    present: frozenset[str] = frozenset(),
) -> Layout:
    """The layout for the groups that are wanted, after what there is `now`.

    Addresses in `leaving` are not free yet. `arrived` VIPs belong to nobody, and have been looked
    for; `present` ones are on this host without being any group's.
    """
    return _Planner(tuple(wanted), now, leaving, tuple(arrived), present).layout()


class _Planner:
    def __init__(
        self,
        wanted: tuple[Group, ...],
        now: Mapping[str, Holding],
        leaving: frozenset[str],
        arrived: tuple[Vip, ...],
        present: frozenset[str],
    ) -> None:
        self.wanted = wanted
        self.now = now
        self.free_from = leaving
        answered = [vip for one in now.values() if one.is_active for vip in one.group.vips]
        self.answered = {vip.address: vip for vip in (*answered, *arrived)}
        self.at_risk = {
            vip.address: vip
            for one in now.values()
            if one.is_active or one.may_answer
            for vip in one.group.vips
        }
        self.present = present - self.at_risk.keys() - leaving
        self.kept: set[str] = set()
        """At risk, and still where somebody looks after them."""

    def layout(self) -> Layout:
        chosen = {group.name: self._settled(group) for group in self.wanted}
        leaving = tuple(vip for at, vip in self.at_risk.items() if at not in self.kept)
        taken = self.free_from | {vip.address for vip in leaving}
        groups, moved = [], set()
        arriving: dict[str, tuple[Vip, ...]] = {}
        for group in self.wanted:
            vips = chosen[group.name]
            if vips is None:
                vips = tuple(vip for vip in group.vips if vip.address not in taken)
            elif group.name not in self.now:
                moved.add(group.name)
            else:
                missing = tuple(v for v in group.vips if v not in vips and v.address not in taken)
                arriving |= {group.name: missing} if missing else {}
            groups.append(group if vips == group.vips else replace(group, vips=vips))
        adopted = frozenset(group.name for group in self.wanted if self._is_present(group)) | moved
        remade = dict(self._remade(groups))
        return Layout(tuple(groups), leaving, arriving, remade, adopted, frozenset(moved))

    def _settled(self, group: Group) -> tuple[Vip, ...] | None:
        """The VIPs that the group answers for, from before or from another group, if it is active
        or new; None when there are none, or are none yet. Remembers which are looked after."""
        now = self.now.get(group.name)
        if now is not None and not now.is_active:
            if now.may_answer:
                self.kept |= group.addresses & now.group.addresses
            return None
        vips = tuple(vip for vip in group.vips if self._is_answered(vip))
        self.kept |= {vip.address for vip in vips}
        return vips if vips or now is not None else None

    def _is_answered(self, vip: Vip) -> bool:
        held = self.answered.get(vip.address)
        return held is not None and held.interface == vip.interface

    def _is_present(self, group: Group) -> bool:
        return group.name not in self.now and not self.present.isdisjoint(group.addresses)

    def _remade(self, groups: Iterable[Group]) -> Iterable[tuple[str, frozenset[str]]]:
        for group in groups:
            now = self.now.get(group.name)
            if now is None or not now.is_active:
                continue
            others = {vip.address for vip in group.vips if self.answered[vip.address] != vip}
            if others:
                yield group.name, frozenset(others)
