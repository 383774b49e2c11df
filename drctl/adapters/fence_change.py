"""What has to be done to the kernel's tables so that they are as a layout says. Pure.

Only what differs is replaced, in one transaction; a table that somebody bent out of shape is made
anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drctl.adapters import nftables as nf
from drctl.adapters.fence_layout import Layout

Lives = Mapping[tuple[int, str], int]
"""Family and set: for how many milliseconds it is to be open, 0 for closed. Sets that are not in
it, and live, stay as they are."""


@dataclass
class Found:
    """One table as the kernel has it. `lives` are the milliseconds left of *alive* elements."""

    is_dormant: bool = False
    hooks: dict[str, nf.Hook | None] = field(default_factory=dict)
    rules: dict[str, list[str]] = field(default_factory=dict)
    sets: list[str] = field(default_factory=list)
    maps: dict[str, dict[bytes, str]] = field(default_factory=dict)
    lives: dict[str, int] = field(default_factory=dict)


def read_tables(tables: nf.Tables, table: str) -> dict[int, Found]:
    """The tables of that name by family."""
    found = {
        family: Found(is_dormant=bool(flags & 1))
        for family, flags in tables.tables(table).items()
        if family in nf.FAMILIES
    }
    for family, name, hook in tables.chains(table):
        if family in found:
            found[family].hooks[name] = hook
    for family in found:
        for chain, comment in tables.rules(family, table):
            found[family].rules.setdefault(chain, []).append(comment)
    for family, name in tables.sets(table):
        if family not in found:
            continue
        elements = tables.elements(family, table, name)
        leads = {nf.element_key(of): chain for of in elements if (chain := nf.element_chain(of))}
        of_table = found[family]
        if name in ("vips", "voices"):
            of_table.maps[name] = leads
            continue
        of_table.sets.append(name)
        for of in elements:
            if nf.element_key(of) == nf.ETHERTYPE[family]:
                of_table.lives[name] = nf.element_left_ms(of)
    return found


def is_bent(found: Found, layout: Layout) -> bool:
    """Whether a table cannot be put right by parts: hooks are wrong, or it is switched off."""
    hooks = {name: hook for name, hook in found.hooks.items() if hook is not None}
    missing_map = any(name not in found.maps for name in layout.maps)
    return found.is_dormant or hooks != layout.hooks or missing_map


def changes(
    table: str, found: Mapping[int, Found], wanted: Mapping[int, Layout], lives: Lives
) -> list[nf.Item]:
    """The items of the transaction; none when all is as it should be."""
    items = [nf.del_table(family, table) for family in found.keys() - wanted.keys()]
    for family, layout in wanted.items():
        present = found.get(family)
        if present is not None and is_bent(present, layout):
            items.append(nf.del_table(family, table))
            present = None
        items += _Table(table, layout, present).items(lives)
    return items


class _Table:
    """The changes of one table."""

    def __init__(self, table: str, layout: Layout, found: Found | None) -> None:
        self.table = table
        self.layout = layout
        self.family = layout.family
        self.is_new = found is None
        self.found = found or Found()

    def items(self, lives: Lives) -> list[nf.Item]:
        made: list[nf.Item] = []
        if self.is_new:
            made.append(nf.new_table(self.family, self.table))
        made += self._new_objects()
        made += self._elements_that_go()
        made += self._rules()
        made += self._elements_that_come()
        made += self._old_objects()
        return made + self._alive(lives)

    def _new_objects(self) -> list[nf.Item]:
        family, table, layout = self.family, self.table, self.layout
        made: list[nf.Item] = []
        names = [name for name in layout.sets if name not in self.found.sets]
        for number, name in enumerate(names, 1):
            made.append(nf.new_set(family, table, name, number=number))
        maps = [name for name in layout.maps if name not in self.found.maps]
        for number, name in enumerate(maps, len(names) + 1):
            made.append(nf.new_map(family, table, name, number=number))
        for chain in layout.rules:
            if chain in self.found.hooks:
                continue
            hook = layout.hooks.get(chain)
            if hook is None:
                made.append(nf.new_chain(family, table, chain))
            else:
                made.append(nf.new_base_chain(family, table, chain, hook))
        return made

    def _elements_that_go(self) -> list[nf.Item]:
        made: list[nf.Item] = []
        for name, leads in self.layout.maps.items():
            present = self.found.maps.get(name, {})
            gone = [key for key, chain in present.items() if leads.get(key) != chain]
            if gone:
                made += nf.del_jumps(self.family, self.table, name, gone)
        return made

    def _elements_that_come(self) -> list[nf.Item]:
        made: list[nf.Item] = []
        for name, leads in self.layout.maps.items():
            present = self.found.maps.get(name, {})
            come = [(key, chain) for key, chain in leads.items() if present.get(key) != chain]
            if come:
                made += nf.new_jumps(self.family, self.table, name, come)
        return made

    def _rules(self) -> list[nf.Item]:
        made = []
        for chain, rules in self.layout.rules.items():
            present = self.found.rules.get(chain, [])
            if present == [comment for _, comment in rules]:
                continue
            if present:
                made.append(nf.del_rules(self.family, self.table, chain))
            made += [
                nf.new_rule(self.family, (self.table, chain), expressions, comment)
                for expressions, comment in rules
            ]
        return made

    def _old_objects(self) -> list[nf.Item]:
        chains = [name for name in self.found.hooks if name not in self.layout.rules]
        with_rules = [chain for chain in chains if self.found.rules.get(chain)]
        made = [nf.del_rules(self.family, self.table, chain) for chain in with_rules]
        made += [nf.del_chain(self.family, self.table, chain) for chain in chains]
        names = [name for name in self.found.sets if name not in self.layout.sets]
        names += [name for name in self.found.maps if name not in self.layout.maps]
        return made + [nf.del_set(self.family, self.table, name) for name in names]

    def _alive(self, lives: Lives) -> list[nf.Item]:
        made: list[nf.Item] = []
        for name in self.layout.sets:
            left_ms = lives.get((self.family, name))
            if left_ms:
                made += nf.lease(self.family, self.table, name, left_ms)
            elif left_ms == 0 and name in self.found.lives:
                made.append(nf.flush_set(self.family, self.table, name))
        return made
