"""The other director's priority in one VRRP instance, from the given one's.

A tracked script or interface moves the VIPs only when its weight is larger than the difference of
the two priorities, so the difference follows from the weights.
"""

from __future__ import annotations

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.options import DEFAULT_PRIORITIES
from drctl.model.configuration import Configuration
from drctl.model.pair import Rank
from drctl.model.vrrp import Track, VrrpInstance

DEFAULT_PRIORITY = 100
OWNER_PRIORITY = 255
HIGHEST_PRIORITY = 254
DIFFERENCE = DEFAULT_PRIORITIES[0] - DEFAULT_PRIORITIES[1]


def effective_priority(instance: VrrpInstance) -> int:
    """What keepalived 2.2.7 takes when the file does not say: 255 with state MASTER, else 100."""
    if instance.priority is not None:
        return instance.priority
    return OWNER_PRIORITY if instance.state == "MASTER" else DEFAULT_PRIORITY


def peer_priority(
    configuration: Configuration, instance: VrrpInstance, role: Rank, ledger: Ledger
) -> int:
    """A priority for the peer of the director that is `role` in this instance; 1..254."""
    own = effective_priority(instance)
    weight = _smallest_weight(configuration, instance)
    difference = DIFFERENCE if weight is None else min(DIFFERENCE, max(1, weight // 2))
    if role is Rank.PRIMARY and own == OWNER_PRIORITY:
        found = DEFAULT_PRIORITY
        why = (
            f"{own} on the given director is the address owner's; any lower number will do"
            if instance.priority is not None
            else "priority is missing, and with state MASTER keepalived takes 255, the owner's"
        )
    elif role is Rank.PRIMARY:
        found = max(1, own - difference)
        why = f"{own - found} less than the given director's {own}"
    else:
        found = min(HIGHEST_PRIORITY, own + difference)
        why = f"{found - own} more than the given director's {own}"
    if weight is not None and abs(own - found) < weight:
        why += f", so that a failed track of weight {weight} moves the VIPs"
    elif weight is not None:
        note = f"the track weight {weight} is too small to move the VIPs from {own} to {found}"
        todo = "raise the weight above the difference of the priorities"
        ledger.field(instance.origins, "priority", Verdict.EXACT, note, todo)
    ledger.choose(f"priority of the peer in {instance.name}", found, why, "--priorities")
    ledger.field(instance.origins, "priority", Verdict.EXACT, f"{own} here, {found} on the peer")
    return found


def _smallest_weight(configuration: Configuration, instance: VrrpInstance) -> int | None:
    """The smallest weight, without its sign, that is to change who holds the VIPs; None when all
    failures are faults or nothing is tracked."""
    tracks: list[Track] = [*instance.tracks]
    for group in configuration.sync_groups:
        if instance.name in group.members:
            tracks.extend(group.tracks)
    usual = {("script", one.name): one.weight for one in configuration.scripts}
    usual |= {("process", one.name): one.weight for one in configuration.track_processes}
    usual |= {("bfd", one.name): one.weight for one in configuration.bfd_sessions}
    # the weight of a file alone says nothing: it is multiplied with what the file holds
    weights = [
        track.weight if track.weight is not None else usual.get((track.kind, track.name))
        for track in tracks
    ]
    return min((abs(weight) for weight in weights if weight), default=None)
