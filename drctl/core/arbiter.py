"""What an arbiter outside of the directors has to say about holding a group.

One that vouches (`gateway`) is needed by who does not hear all the other directors. What it says is
good for a while, so a silent director may go on for that long after everything was cut off: nothing
is taken from it before that is over. One that lends (`etcd`) gives a group to one director at a
time, and nobody answers for it without.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from drctl.core.action import AskArbiter
from drctl.core.event import ArbiterReported
from drctl.core.role import Role
from drctl.core.value import NEVER_MS

if TYPE_CHECKING:
    from drctl.core.around import Around
    from drctl.core.group import GroupState

REFUSAL = "the arbiter does not allow it"
FIRST_WORD_MS = 5000
"""How long a group that starts waits for the first word of one that vouches."""


def heard(around: Around, event: ArbiterReported) -> bool:
    """A word of it; false when it says no more than that all goes on."""
    before_ms = around.grants.get(event.group, 0)
    around.grants[event.group] = event.until_ms
    return not event.now_ms < before_ms <= event.until_ms


def end_ms(group: GroupState, now_ms: int) -> int:
    """Until when the group's VIPs may answer for all that the arbiter says."""
    around = group.around
    arbiter = around.settings.arbiter
    if arbiter is None or not (arbiter.is_lease or around.silent(now_ms)):
        return NEVER_MS
    return around.grants.get(group.name if arbiter.is_lease else "", 0)


def is_missing(group: GroupState, now_ms: int) -> bool:
    """The arbiter does not allow it to hold the group now."""
    until_ms = end_ms(group, now_ms)
    if now_ms < until_ms < NEVER_MS:
        group.wake(until_ms)
    return now_ms >= until_ms


def forbids(group: GroupState, now_ms: int) -> bool:
    """One that vouches does not, so there is no use in trying."""
    arbiter = group.around.settings.arbiter
    return arbiter is not None and not arbiter.is_lease and is_missing(group, now_ms)


def is_not_lent(group: GroupState, now_ms: int) -> bool:
    """One that lends groups has not lent this one."""
    arbiter = group.around.settings.arbiter
    return arbiter is not None and arbiter.is_lease and is_missing(group, now_ms)


def is_awaited(group: GroupState, now_ms: int) -> bool:
    """One that vouches has said nothing yet, and would be asked."""
    around = group.around
    if around.grants or not forbids(group, now_ms):
        return False
    due_ms = group.started_ms + FIRST_WORD_MS
    group.wake(due_ms)
    return now_ms < due_ms


def patience_ms(around: Around) -> int:
    """How long the segment must have been silent before something is taken from a director that is
    not heard: longer than he may hold it without anybody."""
    arbiter = around.settings.arbiter
    if arbiter is None or arbiter.is_lease:
        return 0
    return arbiter.hold_ms + around.timing.heartbeat_ms


def unaware_until_ms(around: Around, now_ms: int) -> int:
    """Until when a silent director may believe that it hears us, and need nobody to vouch."""
    arbiter = around.settings.arbiter
    if arbiter is None or arbiter.is_lease:
        return 0
    heard = [peer.heard_ms for peer in around.silent(now_ms) if peer.heard_ms is not None]
    return max(heard, default=0) + around.timing.stale_ms + around.timing.suspect_ms


def ask(group: GroupState) -> None:
    """Tell one that lends who is to have the group, when that has changed."""
    around = group.around
    arbiter = around.settings.arbiter
    if arbiter is None or not arbiter.is_lease:
        return
    _tell(around, group.name, _wanted(group))


def give_back(around: Around, names: Collection[str]) -> None:
    """All groups but these: the configuration has no others any more."""
    for name in [one for one in around.asked if one not in names]:
        _tell(around, name, "")


def _tell(around: Around, name: str, holder: str) -> None:
    if around.asked.get(name, "") == holder:
        return
    around.asked[name] = holder
    if holder != around.settings.node:
        around.grants[name] = 0
    if not holder:
        del around.asked[name]
    around.emit(AskArbiter(name, holder))


def _wanted(group: GroupState) -> str:
    """This node, the director that it hands over to, or nobody that it knows of."""
    node = group.around.settings.node
    if group.role is Role.YIELDING and not group.is_waiting:
        return group.target
    if group.role.is_holding or group.is_adopting or group.is_bidding:
        return node
    # not given back before the kernel has let go
    is_left = group.may_answer and group.around.grants.get(group.name, 0) > 0
    return node if is_left else ""
