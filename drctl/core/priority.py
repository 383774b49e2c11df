"""A group's effective priority, from what is tracked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drctl.core.value import Group

LOWEST, HIGHEST = 1, 254


@dataclass(frozen=True, slots=True)
class Standing:
    """`fault` says what failed, empty when nothing did."""

    priority: int
    fault: str = ""


def standing(group: Group, reports: Mapping[str, tuple[bool, int]]) -> Standing:
    """What `reports` (name to is_up and value) make of the configured priority.

    The rules are keepalived's (vrrp_track.c): a failure without a weight is a fault, a positive
    weight counts while the thing is up, a negative one while it is down; the sum stays within
    1..254. What was not reported yet changes nothing.
    """
    total = group.priority
    fault = ""
    for track in group.tracks:
        if track.name not in reports:
            continue
        is_up, value = reports[track.name]
        if track.is_value:
            total += value * track.weight
        elif track.weight == 0:
            if not is_up and not fault:
                fault = f"{track.name} failed"
        elif is_up == (track.weight > 0):
            total += track.weight
    if total != group.priority:
        total = min(max(total, LOWEST), HIGHEST)
    return Standing(total, fault)
