"""STANDBY, SUSPECT, FAULT and HELD: waiting, and finding out whether to take over."""

from __future__ import annotations

from drctl.core import arbiter, taking
from drctl.core.beat import GroupBeat
from drctl.core.group import GroupState
from drctl.core.peer import PeerView
from drctl.core.role import STANDBY, SUSPECT, YIELDING, Role


def step(group: GroupState, now_ms: int) -> None:
    """Let time pass in a role that holds nothing."""
    group.is_bidding = False
    obstacle = group.obstacle(now_ms)
    if obstacle is not None:
        _calm(group, now_ms, *obstacle)
        group.is_adopting = False
        group.wants = group.is_deposed = False
        group.wants_since_ms = None
    if group.is_adopting and arbiter.is_not_lent(group, now_ms):
        # somebody may have it where the segment cannot tell
        group.is_adopting = False
    if group.is_adopting and (group.holder(now_ms) or group.is_adopted_elsewhere(now_ms)):
        group.is_adopting = False
    _drop_leftover(group, now_ms)
    if obstacle is not None:
        return
    if now_ms < group.listen_until_ms:
        group.wake(group.listen_until_ms)
        return
    missing = group.missing_report(now_ms)
    if missing:
        _calm(group, now_ms, STANDBY, missing)
        return
    _look(group, now_ms)


def _look(group: GroupState, now_ms: int) -> None:
    holder = group.holder(now_ms)
    if holder is not None:
        group.is_adopting = False
        _drop_leftover(group, now_ms)
        _stand_beside(group, now_ms, *holder)
        return
    group.wants = False
    group.wants_since_ms = None
    if _is_succeeded(group, now_ms):
        group.wake(now_ms + group.around.timing.heartbeat_ms)
        return
    if group.is_outranked(now_ms):
        group.is_adopting = False
        _calm(group, now_ms, STANDBY, "another director is to take it")
        return
    claimant = group.claimant(now_ms)
    if claimant:
        group.is_adopting = False
        _drop_leftover(group, now_ms)
        _calm(group, now_ms, STANDBY, f"{claimant} has VIPs in a group unknown here")
        return
    group.is_bidding = True
    if group.has_doubt(now_ms):
        _suspect(group, now_ms)
        return
    _calm(group, now_ms, STANDBY, "nobody holds it")
    if arbiter.is_missing(group, now_ms):
        group.is_adopting = False
    else:
        taking.begin(group, now_ms, "nobody holds it")


def _is_succeeded(group: GroupState, now_ms: int) -> bool:
    """It was handed over on the word of the segment, and the successor lives, but none of his beats
    is later than that: the ones before could not say that he holds it."""
    if group.successor is None:
        return False
    name, since_ms = group.successor
    peer = group.around.peers.get(name)
    if peer is None or now_ms >= peer.fresh_until_ms or peer.beat_after_ms > since_ms:
        group.successor = None
    return group.successor is not None


def _calm(group: GroupState, now_ms: int, role: Role, reason: str) -> None:
    group.burst = None
    group.change(now_ms, role, reason)


def _drop_leftover(group: GroupState, now_ms: int) -> None:
    """What could not be dropped is dropped until it is."""
    if not group.may_answer or group.is_adopting:
        return
    if now_ms >= group.drop_again_ms:
        group.drop(now_ms)
    group.wake(group.drop_again_ms)


def _stand_beside(group: GroupState, now_ms: int, peer: PeerView, theirs: GroupBeat) -> None:
    """A living peer holds the group: take it only when it is given."""
    node = group.around.settings.node
    if theirs.role is YIELDING and theirs.target == node:
        end_ms = peer.beat_after_ms + group.around.timing.handover_ms * 9 // 10
        if now_ms < end_ms and not group.may_answer:
            taking.begin(group, now_ms, f"{peer.config.node} hands over", peer, end_ms)
            return
    if now_ms < peer.late_from_ms or group.is_outranked(now_ms):
        group.burst = None
    else:
        _ask_early(group, now_ms)
    group.change(now_ms, STANDBY, f"{peer.config.node} holds it")
    # of two that held it at the same time the one of higher priority has it in the end
    may_preempt = group.config.is_preempting or group.is_deposed
    if not (may_preempt and group.standing.priority > theirs.priority):
        group.wants = False
        group.wants_since_ms = None
        return
    if group.has_stood_down:
        return
    if group.wants_since_ms is None:
        group.wants_since_ms = now_ms
    due_ms = group.wants_since_ms + group.config.preempt_delay_ms
    group.wants = now_ms >= due_ms
    if not group.wants:
        group.wake(due_ms)


def _ask_early(group: GroupState, now_ms: int) -> None:
    """The holder's beat is late. Should he turn out to be silent, it is known by then whether his
    kernel answers; and as long as he is heard nothing follows from it."""
    if group.burst is None:
        group.start_burst(now_ms)
    assert group.burst is not None
    if group.run_burst(now_ms):
        # the last probe is to be a fresh one when it comes to that
        if not group.burst.is_pending:
            group.probe(now_ms)
        group.wake(group.burst.sent_ms + group.burst.gap_ms)


def _suspect(group: GroupState, now_ms: int) -> None:
    """Nobody says that he holds it, and not everybody was heard: ask the segment."""
    around = group.around
    if group.role is not SUSPECT:
        silent = ", ".join(peer.config.node for peer in around.silent(now_ms))
        group.change(now_ms, SUSPECT, f"silent: {silent}" if silent else "not sure")
    if group.burst is None:
        group.start_burst(now_ms)
    assert group.burst is not None
    silent_now = around.silent(now_ms)
    if silent_now and all(peer.is_gone and peer.heard_ms for peer in silent_now):
        group.burst.hurry()
    is_clear = group.run_burst(now_ms)
    if arbiter.is_missing(group, now_ms):
        group.is_adopting = False
        _drop_leftover(group, now_ms)
    elif is_clear:
        taking.begin(group, now_ms, group.reason)
