"""YIELDING: a planned switchover, from falling silent in ARP to dropping the VIPs."""

from __future__ import annotations

from drctl.core import command
from drctl.core.action import Reply
from drctl.core.beat import GroupBeat
from drctl.core.event import Outcome
from drctl.core.group import GroupState
from drctl.core.peer import PeerView
from drctl.core.role import ACTIVE, YIELDING


def consider(group: GroupState, now_ms: int) -> None:
    """Hand the group over when the operator, a fault, or a peer of higher priority asks for it."""
    candidates = group.candidates(now_ms)
    if group.order is not None:
        _obey(group, now_ms, candidates)
        return
    reason = "stopping" if group.around.is_stopping else ""
    reason = reason or group.standing.fault
    if reason:
        if candidates:
            begin(group, now_ms, candidates[0], reason)
        else:
            group.release(now_ms, reason)
        return
    if now_ms < group.no_yield_until_ms:
        return
    group.order = command.passed_on(group, now_ms, candidates)
    if group.order is not None:
        _obey(group, now_ms, candidates)
        return
    for peer in candidates:
        theirs = peer.groups[group.name]
        if theirs.wants and theirs.priority > group.standing.priority:
            begin(group, now_ms, peer, f"{peer.config.node} has a higher priority")
            return


def _obey(group: GroupState, now_ms: int, candidates: list[PeerView]) -> None:
    assert group.order is not None
    reason, target = group.order
    for peer in candidates:
        if target in {"", peer.config.node}:
            begin(group, now_ms, peer, reason)
            return
    group.order = None
    text = command.unable(group, now_ms, target)
    group.around.emit(Reply(group.name, is_done=False, text=text))


def begin(group: GroupState, now_ms: int, peer: PeerView, reason: str) -> None:
    """Fall silent in ARP first; the peer is asked when that is done."""
    group.target = peer.config.node
    group.yield_ms = now_ms
    group.release_ms = None
    group.change(now_ms, YIELDING, reason)
    if group.around.timing.has_fence:
        group.around.beat_soon = False
        group.is_waiting = True
        group.shut()
    else:
        group.is_waiting = False


def step(group: GroupState, now_ms: int) -> None:
    """Wait until the other holds the VIPs, then let go."""
    if group.dead_interface():
        group.release(now_ms, group.dead_interface())
        return
    if group.release_ms is not None:
        if now_ms >= group.release_ms:
            _finish(group, now_ms, group.target)
        else:
            group.wake(group.release_ms)
        return
    timing = group.around.timing
    holder = group.holder(now_ms)
    if holder is not None:
        peer, theirs = holder
        is_higher = group.peer_key(peer) > group.key()
        if is_higher and theirs.role is ACTIVE:
            group.release_ms = now_ms + timing.overlap_ms
            group.wake(group.release_ms)
            return
        if is_higher and peer.config.node != group.target:
            _finish(group, now_ms, peer.config.node)
            return
    if now_ms >= group.yield_ms + timing.handover_ms or _is_declined(group, now_ms):
        _go_back(group, now_ms)
        return
    group.wake(group.yield_ms + timing.handover_ms)


def see_claim(group: GroupState, now_ms: int) -> None:
    """The target speaks for the VIPs: he has taken them, even if his beats do not come through."""
    if group.release_ms is None and not group.is_waiting:
        group.release_ms = now_ms + group.around.timing.overlap_ms


def _is_declined(group: GroupState, now_ms: int) -> bool:
    """The target lives, has heard the request, and does not follow it, or knows no such group."""
    peer = group.around.peers[group.target]
    theirs: GroupBeat | None = peer.groups.get(group.name)
    if group.is_waiting or not peer.is_fresh(now_ms) or peer.beat_after_ms <= group.yield_ms:
        return False
    return theirs is None or not (theirs.role.is_holding or theirs.is_eligible)


def _finish(group: GroupState, now_ms: int, successor: str) -> None:
    order = group.order
    group.order = None
    group.has_stood_down = order is not None
    group.release(now_ms, f"handed over to {successor}")
    group.successor = successor, now_ms
    if order is not None:
        if order[0] == "pause":
            group.is_held = True
        text = f"{successor} holds it"
        group.around.emit(Reply(group.name, is_done=True, text=text))


def _go_back(group: GroupState, now_ms: int) -> None:
    """The other did not take it. He may still do: outbid him, and answer only when nobody does."""
    if group.around.is_stopping or group.standing.fault:
        # there is nothing to go back to, and who does not take it so may do when nobody has it
        group.release(now_ms, f"{group.target} did not take it")
        return
    group.no_yield_until_ms = now_ms + 10 * group.around.timing.heartbeat_ms
    if group.order is not None:
        text = f"{group.target} did not take it"
        group.around.emit(Reply(group.name, is_done=False, text=text))
        group.order = None
    group.epoch = group.seen_epoch = group.seen_epoch + 1
    group.is_waiting = False
    group.burst = None
    group.change(now_ms, ACTIVE, f"{group.target} did not take it")
    if not group.around.timing.has_fence:
        group.announce(now_ms, group.config.announcing.count)


def settled(group: GroupState, now_ms: int, kind: str, outcome: Outcome, why: str) -> None:
    """An action of the yielding director ended."""
    if outcome is Outcome.LAPSED:
        group.release(now_ms, "the lease lapsed")
    elif kind == "shut":
        group.is_waiting = False
        group.around.beat_soon = True
        if outcome is not Outcome.DONE:
            group.around.alarm(now_ms, ("kernel", group.name, kind), f"{kind}: {why}")
