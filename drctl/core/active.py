"""ACTIVE: holding the VIPs, and letting go of them in time."""

from __future__ import annotations

from drctl.core import arbiter, yielding
from drctl.core.event import Outcome
from drctl.core.group import GroupState
from drctl.core.peer import PeerView
from drctl.core.role import ACTIVE, INSTALLED

CONFLICT_PROBES = 2
OUTLIVED_MS = 1000
"""After a cut, beats from before it come in for so long."""


def begin(group: GroupState, now_ms: int) -> None:
    """The VIPs answer: say so to everybody."""
    timing = group.around.timing
    group.burst = None
    group.yielder = None
    group.is_adopting = False
    group.is_shut = False
    group.conflict_probes = CONFLICT_PROBES
    group.conflict_probe_ms = now_ms + timing.confirm_gap_ms
    again_ms = group.config.announcing.again_ms
    group.announce_at_ms = now_ms + again_ms if again_ms else None
    group.refreshed_ms = now_ms
    # who handed it over still accepts packets; do not pass it on before that is over
    group.no_yield_until_ms = now_ms + timing.overlap_ms + timing.heartbeat_ms
    group.wake(group.no_yield_until_ms)
    group.change(now_ms, ACTIVE, group.reason)
    group.announce(now_ms, group.config.announcing.count)


def step(group: GroupState, now_ms: int) -> None:
    """Keep the group, hand it over, or let go of it."""
    rival = _rival(group, now_ms)
    group.is_deposed |= bool(rival) and not group.is_shut
    problem = group.dead_interface() or rival or _refusal(group, now_ms)
    if problem:
        group.release(now_ms, problem)
        return
    if group.blind_interface() and not _is_blindness_common(group, now_ms):
        _be_blind(group, now_ms)
        return
    if group.is_shut:
        _verify(group, now_ms)
        return
    _probe_for_conflicts(group, now_ms)
    _outlive_rivals(group, now_ms)
    _announce_again(group, now_ms)
    if group.claim_priority != group.standing.priority:
        _claim_anew(group)
    yielding.consider(group, now_ms)


def _claim_anew(group: GroupState) -> bool:
    """The priority of a claim is a part of it, and never changes; with another one it is another
    claim. Who is standby compares with it."""
    if group.seen_epoch + 1 >= group.around.epochs_below:
        return False
    group.epoch = group.seen_epoch = group.seen_epoch + 1
    group.claim_priority = group.standing.priority
    group.around.beat_soon = True
    return True


def _rival(group: GroupState, now_ms: int) -> str:
    """Somebody else holds it by a better right."""
    holder = group.holder(now_ms)
    if holder is not None and group.peer_key(holder[0]) > group.key():
        return f"{holder[0].config.node} claims it with a higher epoch or priority"
    if group.stale_epoch <= group.epoch:
        return ""
    if _has_outlived(group, now_ms, group.stale_claimer) and _claim_anew(group):
        return ""
    return "somebody claimed it with a higher epoch"


def _has_outlived(group: GroupState, now_ms: int, peer: PeerView | None) -> bool:
    """It was seen a moment ago that the peer answers too, and has to give way: what he claimed
    before that is over."""
    is_recent = now_ms - group.heard_rival_ms <= OUTLIVED_MS
    return peer is not None and peer is group.rival and is_recent and not group.is_shut


def _refusal(group: GroupState, now_ms: int) -> str:
    """The arbiter does not allow it. Who is silent in ARP, after a handover that failed, may wait
    for what he has passed on to come back."""
    if not arbiter.is_missing(group, now_ms):
        return ""
    end_ms = group.since_ms + group.around.timing.handover_ms
    if group.is_shut and now_ms < end_ms:
        group.wake(end_ms)
        return ""
    return arbiter.REFUSAL


def _is_blindness_common(group: GroupState, now_ms: int) -> bool:
    """The peers that live have no witness either: nobody could do better."""
    fresh = group.around.fresh(now_ms)
    views = [peer.groups.get(group.name) for peer in fresh]
    return bool(views) and all(view is not None and view.is_blind for view in views)


def keeps_witness_rule(group: GroupState, now_ms: int) -> bool:
    """The leases may be renewed: every interface has a witness, or no living peer has one."""
    return not group.blind_interface() or _is_blindness_common(group, now_ms)


def looks_for_others(group: GroupState, now_ms: int) -> bool:
    """It may not be the only one that answers: a peer is silent, or says that it holds it too."""
    if group.is_adopting:
        return True
    if group.role not in INSTALLED or group.is_shut:
        return False
    around = group.around
    if around.silent(now_ms) or around.is_mixed(now_ms):
        return True
    return group.holder(now_ms) is not None


def _be_blind(group: GroupState, now_ms: int) -> None:
    """Nobody answers on an interface. A living peer can do better; a silent one may have taken it
    already, so be silent until the lease ends, or until somebody answers."""
    if group.around.fresh(now_ms) or not group.around.timing.has_fence:
        if group.around.fresh(now_ms):
            group.release(now_ms, group.blind_interface())
        return
    if not group.is_shut:
        group.shut()
    group.burst = None
    group.wake(group.lease_end_ms())


def _verify(group: GroupState, now_ms: int) -> None:
    """Answer again only when nobody else does."""
    if group.burst is None:
        group.start_burst(now_ms)
    assert group.burst is not None
    if group.burst.answered_ms is not None:
        group.release(now_ms, "another director answers for it")
        return
    if group.is_waiting:
        return
    until_ms = arbiter.end_ms(group, now_ms)
    if group.run_burst(now_ms) and now_ms < until_ms:
        group.is_waiting = True
        before_ms = group.burst.vouched_ms + 2 * group.around.timing.confirm_ms
        group.open_fence(now_ms, min(before_ms, until_ms))


def _probe_for_conflicts(group: GroupState, now_ms: int) -> None:
    if not group.conflict_probes:
        return
    if now_ms >= group.conflict_probe_ms:
        group.conflict_probes -= 1
        group.conflict_probe_ms = now_ms + group.around.timing.confirm_gap_ms
        group.probe_one()
    if group.conflict_probes:
        group.wake(group.conflict_probe_ms)


def _outlive_rivals(group: GroupState, now_ms: int) -> None:
    """Who held it too has let go: whoever sent his packets there learns better."""
    holder = group.holder(now_ms)
    was_beside = group.is_beside_rival
    group.is_beside_rival = holder is not None and holder[1].role is ACTIVE
    if was_beside and not group.is_beside_rival:
        group.announce_at_ms = now_ms


def _announce_again(group: GroupState, now_ms: int) -> None:
    if group.announce_at_ms is not None and now_ms >= group.announce_at_ms:
        group.announce(now_ms, group.config.announcing.count)
        group.announce_at_ms = None
    if group.announce_at_ms is not None:
        group.wake(group.announce_at_ms)
    _refresh(group, now_ms)


def _refresh(group: GroupState, now_ms: int) -> None:
    """The interval counts from the last refresh, whatever else was announced meanwhile."""
    announcing = group.config.announcing
    if not announcing.refresh_ms:
        return
    if now_ms >= group.refreshed_ms + announcing.refresh_ms:
        group.refreshed_ms = now_ms
        group.announce(now_ms, announcing.refresh_count)
    group.wake(group.refreshed_ms + announcing.refresh_ms)


def contested(group: GroupState, now_ms: int, peer: PeerView | None) -> None:
    """A director that is not heard answers for a VIP that this node holds."""
    around = group.around
    if group.is_shut:
        return
    name = peer.config.node if peer else "a director of unknown name"
    around.alarm(now_ms, ("two", group.name), f"{name} answers for VIPs of {group.name} too")
    if peer is not None and _is_stronger(group, peer):
        if now_ms - group.heard_rival_ms >= around.timing.heartbeat_ms:
            group.announce(now_ms, 1)
        group.heard_rival_ms, group.rival = now_ms, peer
        # and once more when he is silent: his last answers may be the ones that were believed
        group.announce_at_ms = now_ms + 2 * around.timing.heartbeat_ms
        group.wake(group.announce_at_ms)
        return
    group.is_deposed = True
    if around.timing.has_fence:
        group.shut()
    else:
        group.release(now_ms, f"{name} answers for it")


def _is_stronger(group: GroupState, peer: PeerView) -> bool:
    """By name, which both know in the same way whatever they have heard; who does not know whom he
    sees is the weaker one. A priority that was heard may have changed since, and then both keep."""
    return group.around.settings.node < peer.config.node


def settled(group: GroupState, now_ms: int, kind: str, outcome: Outcome, why: str) -> None:
    """An action of the holder ended."""
    if kind == "open":
        group.is_waiting = False
        if outcome is Outcome.DONE:
            group.burst = None
            group.is_shut = False
            group.is_deposed = False
            group.announce(now_ms, group.config.announcing.count)
            return
        group.burst = None
    if outcome is Outcome.LAPSED:
        group.release(now_ms, "the lease lapsed")
    elif outcome is Outcome.FAILED:
        group.around.alarm(now_ms, ("kernel", group.name, kind), f"{kind}: {why}")
