"""What happens to this host's cards: carriers, and hardware addresses."""

from __future__ import annotations

from collections.abc import Iterable

from drctl.core.around import Around
from drctl.core.event import CarrierChanged, MacsChanged
from drctl.core.group import GroupState
from drctl.core.role import ACTIVE


def changed(
    around: Around, groups: Iterable[GroupState], event: CarrierChanged | MacsChanged
) -> None:
    """Take the change in."""
    if isinstance(event, MacsChanged):
        _change_macs(around, groups, event)
        return
    sight = around.sights.get(event.interface)
    if sight is not None:
        sight.is_up = event.is_up


def _change_macs(around: Around, groups: Iterable[GroupState], event: MacsChanged) -> None:
    """Peers are to know whose they are, and stations where the VIPs are now."""
    before = around.macs
    cards = around.change_macs(dict(event.macs))
    around.beat_soon |= around.macs != before
    for group in groups:
        if group.role is ACTIVE and not cards.isdisjoint(group.config.by_interface):
            group.announce_at_ms = event.now_ms
