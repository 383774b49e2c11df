"""What operators ask: done here, or passed on to the director that holds the group."""

from __future__ import annotations

from dataclasses import dataclass

from drctl.core.action import Reply
from drctl.core.event import Command, OperatorAsked
from drctl.core.group import GroupState
from drctl.core.peer import PeerView
from drctl.core.role import ACTIVE, FAULT, HELD

FIRST_VERSION = 2
"""Heartbeats can carry such a request from this version on."""
LISTEN_HEARTBEATS = 5


@dataclass(frozen=True, slots=True)
class Request:
    """To `holder`, who holds the group by the claim of `epoch`: hand it over to `target` ("":
    whoever can). It is withdrawn at `end_ms`, and when anybody claims the group: then another epoch
    is seen than the highest one known now, which may be above the holder's."""

    holder: str
    epoch: int
    seen_epoch: int
    target: str
    end_ms: int


def obey(group: GroupState, event: OperatorAsked) -> None:
    """Carry out a command for one group, or begin to. STOP is not for one group."""
    is_active = group.role is ACTIVE
    is_here = event.command is Command.SWITCH and event.target == group.around.settings.node
    if event.command is Command.RESUME:
        group.is_held = group.has_stood_down = False
        if group.order is not None:
            group.order = (Command.SWITCH.value, group.order[1])
        _reply(group, "resumed")
    elif is_active and is_here:
        _reply(group, f"{event.target} holds it")
    elif group.order is not None:
        _reply(group, "a switchover was asked for already", is_done=False)
    elif is_active and not group.is_shut:
        group.order = (event.command.value, event.target)
    elif event.command is Command.PAUSE and not group.role.is_holding:
        group.is_held = True
        _reply(group, "paused")
    elif event.command is Command.SWITCH and not group.role.is_holding:
        _pass_on(group, event.now_ms, event.target)
    else:
        _reply(group, f"this director is {group.role.word}, not active", is_done=False)


def _pass_on(group: GroupState, now_ms: int, target: str) -> None:
    holder = group.holder(now_ms)
    if holder is None:
        _reply(group, "no living director says that it holds it", is_done=False)
        return
    peer, theirs = holder
    name = peer.config.node
    why_not = _hindrance(group, now_ms, peer, target)
    if target == name and theirs.role is ACTIVE:
        _reply(group, f"{name} holds it")
    elif theirs.role is not ACTIVE:
        _reply(group, f"{name} is {theirs.role.word}; ask again when that is over", is_done=False)
    elif peer.newest < FIRST_VERSION:
        _reply(group, f"{name} has an older drctl, which has to be asked itself", is_done=False)
    elif why_not:
        _reply(group, why_not, is_done=False)
    else:
        timing = group.around.timing
        end_ms = now_ms + timing.handover_ms + LISTEN_HEARTBEATS * timing.heartbeat_ms
        group.request = Request(name, theirs.epoch, group.seen_epoch, target, end_ms)
        group.around.beat_soon = True


def _hindrance(group: GroupState, now_ms: int, holder: PeerView, target: str) -> str:
    """Why nobody else could take it, or the target could not."""
    node = group.around.settings.node
    others = [peer.config.node for peer in group.candidates(now_ms) if peer is not holder]
    if target in others:
        return ""
    if target not in {"", node}:
        return unable(group, now_ms, target)
    obstacle = group.obstacle(now_ms)
    if obstacle is None or (others and not target):
        return ""
    return f"{node} cannot take it: {obstacle[1]}"


def unable(group: GroupState, now_ms: int, target: str) -> str:
    """Why the target could not take it, or nobody else could (""), as far as it tells."""
    peers = group.around.peers
    if not target:
        reasons = [f"{name} {_unable(group, now_ms, peer)}" for name, peer in peers.items()]
        return f"no other director can take it: {'; '.join(reasons) or 'there is none'}"
    if target not in peers:
        return f"{target} cannot take it: no other director has that name"
    return f"{target} cannot take it: it {_unable(group, now_ms, peers[target])}"


def _unable(group: GroupState, now_ms: int, peer: PeerView) -> str:
    theirs = peer.groups.get(group.name)
    if now_ms >= peer.fresh_until_ms:
        return "is not heard"
    if theirs is None:
        return "does not have the group"
    if theirs.role is HELD:
        return "is paused or stopping"
    if theirs.is_blind:
        return "gets no answer from any witness"
    if theirs.role is FAULT:
        return "is in fault"
    if not group.around.timing.has_fence and group.around.is_other(peer):
        return "has another configuration"
    return "is not ready"


def follow(group: GroupState, now_ms: int) -> None:
    """What became of the request that was passed on."""
    request = group.request
    if request is None:
        return
    if group.role is ACTIVE and now_ms >= group.no_yield_until_ms:
        _end(group, group.around.settings.node)
        return
    if group.role is ACTIVE:
        # the other one still has the VIPs, and is silent
        group.wake(group.no_yield_until_ms)
        return
    holder = group.holder(now_ms)
    if holder is not None and holder[1].role is ACTIVE and holder[1].epoch > request.epoch:
        _end(group, holder[0].config.node)
    elif now_ms >= request.end_ms:
        group.request = None
        _reply(group, f"{request.holder} did not hand it over in time", is_done=False)
    else:
        group.wake(request.end_ms)


def _end(group: GroupState, name: str) -> None:
    request = group.request
    assert request is not None
    group.request = None
    is_done = name == request.target if request.target else name != request.holder
    _reply(group, f"{name} {'holds' if is_done else 'keeps'} it", is_done=is_done)


def passed_on(group: GroupState, now_ms: int, candidates: list[PeerView]) -> tuple[str, str] | None:
    """What the operator of another director orders this one to do, if it can be done."""
    for peer in group.around.fresh(now_ms):
        theirs = peer.groups.get(group.name)
        if theirs is None or not theirs.is_asking or theirs.epoch != group.epoch:
            continue
        if any(theirs.target in {"", one.config.node} for one in candidates):
            return (Command.SWITCH.value, theirs.target)
    return None


def _reply(group: GroupState, text: str, *, is_done: bool = True) -> None:
    group.around.emit(Reply(group.name, is_done=is_done, text=text))
