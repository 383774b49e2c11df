"""Observed against wanted addresses: what has to be done in the kernel."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from drctl.core.value import Vip


@dataclass(frozen=True, slots=True)
class Observed:
    """An address as the kernel has it; `index` tells entries of one address apart (interface name
    and prefix)."""

    address: str
    prefix: int
    interface: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`wrong` are entries to delete first: a VIP with another prefix or on another interface."""

    wrong: tuple[Observed, ...]
    missing: tuple[Vip, ...]
    present: tuple[Vip, ...]

    @property
    def is_empty(self) -> bool:
        return not self.wrong and not self.missing


def installing(vips: Iterable[Vip], observed: Collection[Observed]) -> Plan:
    """What makes the kernel have exactly these VIPs, whatever else it has."""
    by_address: dict[str, list[Observed]] = {}
    for entry in observed:
        by_address.setdefault(entry.address, []).append(entry)
    wrong: list[Observed] = []
    missing: list[Vip] = []
    present: list[Vip] = []
    for vip in vips:
        entries = by_address.get(vip.address, ())
        fitting = [e for e in entries if (e.prefix, e.interface) == (vip.prefix, vip.interface)]
        wrong += [entry for entry in entries if entry not in fitting]
        (present if fitting else missing).append(vip)
    return Plan(tuple(wrong), tuple(missing), tuple(present))


def removing(addresses: Collection[str], observed: Iterable[Observed]) -> tuple[Observed, ...]:
    """Every entry of these addresses, whatever its prefix and interface."""
    return tuple(entry for entry in observed if entry.address in addresses)
