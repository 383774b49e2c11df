"""The carrier of tracked interfaces, which need not carry VIPs, nor be there."""

from __future__ import annotations

from collections.abc import Iterable

from drctl.adapters.addresses import LinkState
from drctl.core.event import TrackReported
from drctl.core.value import Group
from drctl.daemon.executor import now_ms

KIND = "interface:"
"""What the names of such tracks begin with."""


def carriers(groups: Iterable[Group], links: Iterable[LinkState]) -> list[TrackReported]:
    """A word about every tracked interface of these groups: what is not there is down."""
    ups = {f"{KIND}{link.interface}" for link in links if link.is_up}
    return [
        TrackReported(now_ms(), name, name in ups)
        for name in _names(groups)
        if name.startswith(KIND)
    ]


def carrier(groups: Iterable[Group], interface: str, *, is_up: bool) -> list[TrackReported]:
    """A word about one that has changed, if it is tracked."""
    name = f"{KIND}{interface}"
    return [TrackReported(now_ms(), name, is_up)] if name in _names(groups) else []


def _names(groups: Iterable[Group]) -> dict[str, None]:
    return dict.fromkeys(track.name for group in groups for track in group.tracks)
