"""A host's kernel: addresses with lifetimes, and the fence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

FOREVER_US = 1 << 62


@dataclass(slots=True)
class Element:
    """A group's way through the fence: open until then; `is_shut` is silent in ARP only."""

    until_us: int = 0
    is_shut: bool = False


@dataclass(slots=True)
class Kernel:
    """What answers for a VIP, whatever the processes above it do or think.

    `addresses` maps an address to the end of its lease. `table` is None where nftables does not
    exist, or the table was removed: then nothing is fenced. Times are of this host's clock, which
    stands still while the host is frozen.
    """

    addresses: dict[str, int] = field(default_factory=dict)
    table: dict[str, Element] | None = None
    group_of: dict[str, str] = field(default_factory=dict)
    flushed: dict[str, Element] = field(default_factory=dict)
    """What the table had when somebody removed it."""

    def has(self, address: str, now_us: int) -> bool:
        end_us = self.addresses.get(address)
        if end_us is None:
            return False
        if now_us >= end_us:
            del self.addresses[address]
            return False
        return True

    def _element(self, address: str) -> Element | None:
        return None if self.table is None else self.table.get(self.group_of.get(address, ""))

    def answers(self, address: str, now_us: int) -> bool:
        """It answers ARP for the address."""
        if not self.has(address, now_us):
            return False
        element = self._element(address)
        return element is None or (now_us < element.until_us and not element.is_shut)

    def accepts(self, address: str, now_us: int) -> bool:
        """It takes a packet for the address."""
        if not self.has(address, now_us):
            return False
        element = self._element(address)
        return element is None or now_us < element.until_us

    # what a process asks of it

    def add(self, address: str, end_us: int) -> None:
        self.addresses[address] = end_us

    def delete(self, address: str) -> None:
        self.addresses.pop(address, None)

    def prepare(self, fenced: Any, now_us: int, until_us: int, *, is_shut: bool) -> None:
        """Have the group fenced; what is, and is closed, stays so. A VIP that another group had is
        this one's from now on."""
        group = fenced.name
        self.group_of |= dict.fromkeys(fenced.addresses, group)
        known = self.table.get(group) if self.table is not None else None
        if known is not None and now_us >= known.until_us:
            until_us = 0
        if self.table is None:
            # the whole table comes back in one transaction, with what is left of its leases
            self.table = {name: e for name, e in self.flushed.items() if name != group}
        self.table[group] = Element(until_us, is_shut)

    def open(self, group: str, until_us: int) -> bool:
        if self.table is None or group not in self.table:
            return False
        self.table[group] = Element(until_us)
        return True

    def renew(self, group: str, now_us: int, until_us: int) -> bool:
        """False when the lease was over already, or the table is away."""
        if self.table is None or group not in self.table:
            return False
        element = self.table[group]
        if now_us >= element.until_us:
            return False
        element.until_us = until_us
        return True

    def shut(self, group: str) -> bool:
        if self.table is None or group not in self.table:
            return False
        self.table[group].is_shut = True
        return True

    def lay_out(self, places: Iterable[Any], now_us: int, fence_us: int) -> None:
        """Exactly these groups are fenced; who lives does so as long as before, and no longer."""
        places = list(places)
        self.group_of = {v: place.group.name for place in places for v in place.group.addresses}
        if not fence_us:
            return
        before = self.flushed if self.table is None else self.table
        self.table = {}
        for place in places:
            known = before.get(place.group.name)
            if not place.group.vips:
                continue
            if not (place.is_open or place.is_shut):
                self.table[place.group.name] = Element()
            elif known is None:
                self.table[place.group.name] = Element(now_us + fence_us, place.is_shut)
            else:
                self.table[place.group.name] = Element(known.until_us, place.is_shut)

    def close_all(self) -> None:
        for group in self.table or ():
            self.close(group)

    def close(self, group: str) -> None:
        if self.table is not None and group in self.table:
            self.table[group] = Element()

    def flush(self) -> None:
        """Somebody removes the table."""
        self.flushed = self.table or {}
        self.table = None
