"""A group's effective priority, from what is tracked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drctl.core.value import Group, Member, Track

LOWEST, HIGHEST, OWNER = 1, 254, 255
FAULT_VALUE = -254
MOST_ADDED = 253


@dataclass(frozen=True, slots=True)
class Standing:
    """`fault` says what failed, empty when nothing did."""

    priority: int
    fault: str = ""


def standing(group: Group, reports: Mapping[str, tuple[bool, int]]) -> Standing:
    """What `reports` (name to is_up and value) make of the configured priority.

    The rules are keepalived's (vrrp_track.c, track_file.c): a failure without a weight is a fault,
    a positive weight counts while the thing is up, a negative one while it is down. A number in a
    file counts times its weight, at most 253; a product of -254 or less is a fault and counts
    nothing. The sum stays within 1..254, and 255 is never changed. What was not reported yet
    changes nothing.
    """
    members = group.members or (Member(group.priority, group.tracks),)
    fault = ""
    for track in group.tracks:
        if track.name in reports and _change(track, *reports[track.name]) is None:
            fault = f"{track.name} failed"
            break
    return Standing(min(_priority(member, reports) for member in members), fault)


def _priority(member: Member, reports: Mapping[str, tuple[bool, int]]) -> int:
    if member.priority == OWNER:
        return OWNER
    total = member.priority
    for track in member.tracks:
        if track.name in reports:
            total += _change(track, *reports[track.name]) or 0
    return min(max(total, LOWEST), HIGHEST)


def _change(track: Track, is_up: bool, value: int) -> int | None:
    """What one thing adds to the priority; None when it is a fault."""
    sign = -1 if track.is_reversed else 1
    if not track.weight:
        return 0 if is_up is not track.is_reversed else None
    if not track.is_value:
        return sign * track.weight if is_up is (track.weight > 0) else 0
    change = sign * value * track.weight
    return min(change, MOST_ADDED) if change > FAULT_VALUE else None
