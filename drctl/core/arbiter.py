"""What an arbiter outside of the directors has to say about holding a group.

One that vouches (`gateway`) is needed by who does not hear all the other directors. What it says is
good for a while, so a silent director may go on for that long after everything was cut off: nothing
is taken from it before that is over. One that lends (`etcd`) gives a VIP to one director at a
time, and nobody answers for it without: a VIP and not a group, since a group may be called
otherwise or have other VIPs where the configuration is not the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from drctl.core.action import AskArbiter
from drctl.core.event import ArbiterReported
from drctl.core.role import YIELDING
from drctl.core.value import NEVER_MS

if TYPE_CHECKING:
    from drctl.core.around import Around
    from drctl.core.group import GroupState

REFUSAL = "the arbiter does not allow it"
FIRST_WORD_MS = 5000
"""How long a group that starts waits for the first word of one that vouches."""


def heard(around: Around, event: ArbiterReported) -> bool:
    """A word of it; false when it says no more than that all goes on."""
    grants = around.grants
    before_ms = min(grants.get(address, 0) for address in event.addresses)
    grants.update(dict.fromkeys(event.addresses, event.until_ms))
    around.lent_ms.clear()
    return not event.now_ms < before_ms <= event.until_ms


def end_ms(group: GroupState, now_ms: int) -> int:
    """Until when the group's VIPs may answer for all that the arbiter says."""
    around = group.around
    arbiter = around.settings.arbiter
    if arbiter is None or not (arbiter.is_lease or around.silent(now_ms)):
        return NEVER_MS
    return (
        _lent_ms(around, group.config.addresses) if arbiter.is_lease else around.grants.get("", 0)
    )


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
    """One that lends VIPs has not lent all of the group's."""
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


def lends(around: Around) -> bool:
    """There is one that lends. What another one was asked for before is forgotten."""
    arbiter = around.settings.arbiter
    if arbiter is not None and arbiter.is_lease:
        return True
    if around.asked:
        around.asked = {}
    return False


def ask(around: Around, groups: Iterable[GroupState]) -> None:
    """Tell one that lends who is to have the VIPs of these, when that has changed. What is new is
    told before what is given back, so that nothing that is kept is ever unasked."""
    before = around.asked
    asked = {group.config.addresses: holder for group in groups if (holder := _wanted(group))}
    if asked == before:
        return
    node = around.settings.node
    ours = frozenset[str]().union(*(them for them, holder in asked.items() if holder == node))
    around.grants = {name: until for name, until in around.grants.items() if name in ours}
    around.lent_ms.clear()
    around.asked = asked
    for addresses, holder in asked.items():
        if before.get(addresses) != holder:
            around.emit(AskArbiter(tuple(sorted(addresses)), holder))
    for addresses in before:
        if addresses not in asked:
            around.emit(AskArbiter(tuple(sorted(addresses)), ""))


def _lent_ms(around: Around, addresses: frozenset[str]) -> int:
    """Until when all of these are lent to this node, 0 when one is not."""
    found = around.lent_ms.get(addresses)
    if found is None:
        found = min((around.grants.get(one, 0) for one in addresses), default=NEVER_MS)
        around.lent_ms[addresses] = found
    return found


def _wanted(group: GroupState) -> str:
    """This node, the director that it hands over to, or nobody that it knows of."""
    node = group.around.settings.node
    if group.role is YIELDING and not group.is_waiting:
        return group.target
    if group.role.is_holding or group.is_adopting or group.is_bidding:
        return node
    # not given back before the kernel has let go
    is_left = group.may_answer and _lent_ms(group.around, group.config.addresses) > 0
    return node if is_left else ""
