"""What ARP and neighbour discovery tell: who speaks for a VIP, who probes for it, who is there."""

from __future__ import annotations

from collections.abc import Mapping

from drctl.core import active, yielding
from drctl.core.around import Around
from drctl.core.event import FrameHeard
from drctl.core.group import GroupState
from drctl.core.peer import PeerView
from drctl.core.role import ACTIVE, COMING, INSTALLED, SUSPECT, TAKING, YIELDING

ON_ITS_WAY_MS = 20
"""A frame that somebody sent is heard by then."""


def heard(around: Around, group_of: Mapping[str, GroupState], event: FrameHeard) -> bool:
    """Sort a frame by what it means for this node; false when no role has to look at it.
    `group_of` has the groups by their VIPs."""
    sight = around.sights.get(event.interface)
    if sight is None or event.mac in around.own_macs:
        return False
    group = group_of.get(event.sender or event.target)
    if group is not None:
        return _claimed(group, event) if event.sender else _probed(group, event)
    if not event.sender:
        return False
    is_awaited = sight.is_awaited
    sight.heard(event.now_ms, event.sender, event.mac, is_answer_to_me=event.is_answer_to_me)
    for peer in around.peers_at.get((event.interface, event.sender), ()):
        peer.know((event.mac,))
    return is_awaited


def _claimed(group: GroupState, event: FrameHeard) -> bool:
    """Somebody else speaks for a VIP; false when that changes nothing but the count of probes."""
    around, now_ms = group.around, event.now_ms
    peer = around.peer_of(event.mac)
    if peer is None and not around.may_be_peer(event.interface, event.mac, now_ms):
        text = f"{event.mac} answers for {event.sender} on {event.interface}, and is no director"
        around.alarm(now_ms, ("leak", event.sender, event.mac), text)
        return False
    if group.role is YIELDING and peer is not None and peer.config.node == group.target:
        yielding.see_claim(group, now_ms)
        return True
    if peer is not None and peer.is_fresh(now_ms):
        return _claimed_by_living(group, event, peer)
    if group.burst is not None:
        group.burst.answered(now_ms)
    if group.role is SUSPECT:
        was_adopting, group.is_adopting = group.is_adopting, False
        name = peer.config.node if peer else f"a director ({event.mac})"
        text = f"{name} is not heard, but answers for {event.sender}"
        around.alarm(now_ms, ("unheard", group.name), text)
        return was_adopting
    group.is_adopting = False
    if group.role is TAKING and group.burst is None and group.yielder is None:
        group.start_burst(now_ms)
    elif group.role in INSTALLED and group.release_ms is None:
        # without a fence a yielding director answers too
        active.contested(group, now_ms, peer)
    return True


def _claimed_by_living(group: GroupState, event: FrameHeard, peer: PeerView) -> bool:
    """Beats decide between directors that hear each other; an answer may be older than a beat."""
    is_other = group.around.is_other(peer)
    if peer is group.yielder and not is_other:
        return False
    theirs = peer.groups.get(group.name)
    says_no = theirs is not None and not theirs.may_answer and not theirs.role.is_holding
    if group.role in COMING:
        # the frame may be later than the beat
        return _begin_anew(group, event.now_ms)
    if group.role is ACTIVE and theirs is not None and theirs.role is ACTIVE:
        if group.burst is not None:
            group.burst.answered(event.now_ms)
        active.contested(group, event.now_ms, peer)
    elif group.role is ACTIVE and is_other and (says_no or theirs is None):
        # it has the VIP in another group
        if group.burst is not None:
            group.burst.answered(event.now_ms)
        elif not _may_be_older(group, event.now_ms):
            active.contested(group, event.now_ms, peer)
    elif group.role is ACTIVE and says_no:
        if event.now_ms - group.since_ms > 10 * group.around.timing.heartbeat_ms:
            text = f"{peer.config.node} answers for {event.sender}, and says it does not hold it"
            group.around.alarm(event.now_ms, ("leak", event.sender, event.mac), text)
    elif group.burst is not None:
        # what it says may be older than its answer
        group.burst.answered(event.now_ms)
    else:
        return False
    return True


def _may_be_older(group: GroupState, now_ms: int) -> bool:
    """What is heard may have been sent before the group was taken here. After a cut two may hold it
    though, and have a heartbeat to find that out."""
    on_its_way_ms = max(ON_ITS_WAY_MS, group.around.timing.heartbeat_ms // 2)
    return now_ms - group.since_ms <= on_its_way_ms


def _begin_anew(group: GroupState, now_ms: int) -> bool:
    """No probe counts that was sent before now."""
    is_first = group.burst is None
    if group.burst is None:
        group.start_burst(now_ms)
    assert group.burst is not None
    group.burst.answered(now_ms)
    return is_first or group.role is not SUSPECT


def _probed(group: GroupState, event: FrameHeard) -> bool:
    """Another director that is not heard asks for the VIPs before it takes them. Of two that ask at
    the same time the one with the lower MAC goes on, which needs no heartbeat to agree on."""
    around, now_ms = group.around, event.now_ms
    peer = around.peer_of(event.mac)
    if peer is None and not around.may_be_peer(event.interface, event.mac, now_ms):
        return False
    is_known = peer is not None and peer.is_fresh(now_ms) and not around.is_other(peer)
    if is_known and group.role is not TAKING:
        return False
    is_open = group.role is ACTIVE and not group.is_shut
    if is_open or not (group.role is TAKING or group.burst is not None):
        return False
    if event.mac < around.mac_of[event.interface]:
        return _begin_anew(group, now_ms)
    if group.role is TAKING:
        if group.burst is None:
            group.start_burst(now_ms)
        group.probe(now_ms)
    return True
