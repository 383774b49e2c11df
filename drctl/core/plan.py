"""Observed against wanted addresses: what stands in the way of a VIP."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from drctl.core.value import Vip


@dataclass(frozen=True, slots=True)
class Observed:
    """An address as the kernel has it."""

    address: str
    prefix: int
    interface: str


def strays(vips: Iterable[Vip], observed: Iterable[Observed]) -> tuple[Observed, ...]:
    """Entries of the VIPs' addresses with another prefix, or on another interface: adding the VIP
    would leave them, and they would have no lease."""
    wanted = {(vip.address, vip.prefix, vip.interface) for vip in vips}
    named = {address for address, _, _ in wanted}
    return tuple(
        entry
        for entry in observed
        if entry.address in named and (entry.address, entry.prefix, entry.interface) not in wanted
    )
