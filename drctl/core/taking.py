"""TAKING: from the claim to the first announcement."""

from __future__ import annotations

from drctl.core import active, arbiter
from drctl.core.event import Outcome
from drctl.core.group import RETRY_MS, GroupState, Phase
from drctl.core.peer import PeerView
from drctl.core.role import TAKING, YIELDING
from drctl.core.value import NEVER_MS


def begin(
    group: GroupState,
    now_ms: int,
    reason: str,
    yielder: PeerView | None = None,
    before_ms: int = NEVER_MS,
) -> None:
    """Claim the group with the next epoch.

    `yielder` is the director that hands it over, and `before_ms` the instant before which that has
    to be done.
    """
    around = group.around
    epoch = group.seen_epoch + 1
    if epoch >= around.epochs_below:
        group.fault_text = "the epoch could not be written down"
        group.fault_until_ms = now_ms + around.timing.heartbeat_ms
        group.wake(group.fault_until_ms)
        return
    group.epoch = group.seen_epoch = epoch
    group.claim_priority = group.standing.priority
    group.claim_ms = now_ms
    group.yielder = yielder
    group.before_ms = before_ms
    group.phase = Phase.GUARD
    group.is_waiting = True
    group.wants = False
    group.wants_since_ms = None
    group.has_stood_down = group.is_deposed = False
    if yielder is not None:
        group.burst = None
    group.change(now_ms, TAKING, reason)
    group.tell_guard()


def step(group: GroupState, now_ms: int) -> None:
    """Go on as far as what is known of the others allows."""
    problem = _problem(group, now_ms)
    if problem:
        group.release(now_ms, problem)
        group.wake(now_ms + 1)
        return
    group.wake(group.claim_ms + _limit_ms(group))
    if group.is_waiting or group.phase is Phase.GUARD:
        return
    is_last = group.phase is Phase.FENCE or not group.around.timing.has_fence
    if not is_last:
        group.is_waiting = True
        group.take_vips(now_ms, NEVER_MS)
        return
    if arbiter.is_missing(group, now_ms):
        return
    before_ms = _safe_before_ms(group, now_ms)
    if before_ms is None or now_ms >= before_ms:
        return
    before_ms = min(before_ms, arbiter.end_ms(group, now_ms))
    group.is_waiting = True
    if group.phase is Phase.VIPS:
        group.take_vips(now_ms, before_ms)
    else:
        group.open_fence(now_ms, before_ms)


def _limit_ms(group: GroupState) -> int:
    timing = group.around.timing
    return timing.handover_ms + 10 * timing.heartbeat_ms + arbiter.patience_ms(group.around)


def _problem(group: GroupState, now_ms: int) -> str:
    """Why the takeover has to end here, "" when it may go on."""
    obstacle = group.obstacle(now_ms)
    if obstacle is not None:
        return obstacle[1]
    if now_ms >= group.claim_ms + _limit_ms(group):
        return "the takeover took too long"
    if now_ms >= group.before_ms:
        return "the time for the handover is over"
    claimant = group.claimant(now_ms)
    if claimant:
        return f"{claimant} has VIPs in a group unknown here"
    holder = group.holder(now_ms)
    if holder is None:
        return ""
    peer, theirs = holder
    if peer is group.yielder:
        if theirs.role is YIELDING and theirs.target == group.around.settings.node:
            return ""
        return f"{peer.config.node} keeps it"
    if group.peer_key(peer) > group.key():
        return f"{peer.config.node} claims it with a higher epoch or priority"
    return ""


def _safe_before_ms(group: GroupState, now_ms: int) -> int | None:
    """Until when the VIPs may begin to answer, None when they may not now.

    Who lives must have heard of the claim and hold nothing: he will be silent on the group until he
    has not heard of us for `suspect_ms`, counted from the beat he echoes. Of who is silent only the
    segment tells: the last probe rules him out for as long as a burst of his own takes.
    """
    around = group.around
    before_ms = group.before_ms
    for peer in around.fresh(now_ms):
        if peer is group.yielder:
            continue
        theirs = peer.groups.get(group.name)
        if theirs is None and around.is_other(peer):
            # it does not know the group: only the segment tells whether it has one of the VIPs
            continue
        if peer.beat_after_ms < group.claim_ms or theirs is None or theirs.role.is_holding:
            return None
        before_ms = min(before_ms, peer.beat_after_ms + around.timing.suspect_ms)
    if group.burst is None:
        if not group.has_doubt(now_ms):
            return before_ms
        group.start_burst(now_ms)
    assert group.burst is not None
    valid_ms = around.timing.vouched_ms
    if group.run_burst(now_ms):
        if now_ms < group.burst.vouched_ms + valid_ms:
            return min(before_ms, group.burst.vouched_ms + valid_ms)
        if not group.burst.is_pending:
            group.probe(now_ms)
        group.wake(group.burst.sent_ms + group.burst.gap_ms)
    return None


def settled(group: GroupState, now_ms: int, kind: str, outcome: Outcome, why: str) -> None:
    """An action of the takeover ended."""
    if outcome is Outcome.LATE:
        group.is_waiting = False
        if kind == "vips":
            group.may_answer = False
            group.vips_until_ms = []
        return
    if outcome is not Outcome.DONE:
        group.fault_text = f"{kind}: {why}"
        group.fault_until_ms = now_ms + RETRY_MS
        group.around.alarm(now_ms, ("kernel", group.name), group.fault_text)
        group.release(now_ms, group.fault_text)
        return
    group.is_waiting = False
    if kind == "guard":
        group.phase = Phase.VIPS
    elif kind == "vips" and group.around.timing.has_fence:
        group.phase = Phase.FENCE
    elif kind in {"vips", "open"}:
        active.begin(group, now_ms)
