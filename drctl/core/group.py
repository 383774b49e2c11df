"""The state of one group, and what every role does with it. Each role's rules have a module."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from drctl.core import arbiter
from drctl.core.action import (
    Announce,
    CloseFence,
    DropVips,
    OpenFence,
    PrepareFence,
    Probe,
    RenewFence,
    RenewVips,
    Reply,
    Report,
    ShutArp,
    TakeVips,
    TellGuard,
)
from drctl.core.around import Around
from drctl.core.beat import GroupBeat
from drctl.core.burst import Burst, sample
from drctl.core.peer import PeerView
from drctl.core.priority import Standing, standing
from drctl.core.role import FAULT, HELD, STANDBY, WAITING, YIELDING, Role
from drctl.core.value import NEVER_MS, Group

if TYPE_CHECKING:
    from drctl.core.command import Request

Key = tuple[int, int, str]
"""Epoch, priority, node: of two that hold a group, the higher one keeps it."""

RETRY_MS = 1000


class Phase(Enum):
    """How far a takeover has got."""

    GUARD = "guard"
    VIPS = "vips"
    FENCE = "fence"


class GroupState:
    """One group on this node. Instants are of the node's monotonic clock. `config` has the VIPs
    that it has now, `wanted` the addresses that it is to have.

    `is_bidding`: it would take the VIPs, if the arbiter lent the group. `reports_due_ms` is until
    when the first reports of tracked things are waited for. `stale_epoch` is the highest one of a
    claim in a stale beat. `is_deposed`: it held the VIPs beside another director, and gave way.
    `is_waiting`: a kernel action of a takeover is not settled yet. `rival` answered for the VIPs
    too, and has to give way; `is_beside_rival`: a living peer says that it is active too.
    `request` is what this node's operator wants of the holder, another director; `order` a command
    of an operator that is being carried out, and its target.
    """

    def __init__(self, config: Group, around: Around) -> None:
        self.config = config
        self.around = around
        self.name = config.name
        self.wanted = config.addresses
        self.role = STANDBY
        self.since_ms = 0
        self.reason = "started"
        self.wake_at_ms = NEVER_MS
        self.standing = Standing(config.priority)
        self.started_ms = 0
        self.is_bidding = False
        self.reports_due_ms: dict[str, int] = {}

        self.seen_epoch = 0
        self.epoch = 0
        self.claim_priority = config.priority
        self.stale_epoch = 0
        self.stale_claimer: PeerView | None = None

        self.listen_until_ms = 0
        self.fault_until_ms = 0
        self.fault_text = ""
        self.is_held = False
        self.is_adopting = False
        self.may_answer = False
        self.drop_again_ms = 0
        self.has_stood_down = False
        self.is_deposed = False
        self.wants_since_ms: int | None = None
        self.wants = False

        self.burst: Burst | None = None
        self.phase = Phase.GUARD
        self.is_waiting = False
        self.claim_ms = 0
        self.yielder: PeerView | None = None
        self.before_ms = NEVER_MS

        self.fence_until_ms = NEVER_MS
        self.renew_fence_at_ms = 0
        self.vips_until_ms: list[int] = []
        self.renew_turn = self.probe_turn = self.prompt_until_ms = 0
        self.renews_all = False
        self.is_shut = False
        self.conflict_probes = self.conflict_probe_ms = 0
        self.announce_at_ms: int | None = None
        self.refreshed_ms = 0
        self.heard_rival_ms = 0
        self.rival: PeerView | None = None
        self.is_beside_rival = False

        self.target = ""
        self.yield_ms = 0
        self.release_ms: int | None = None
        self.successor: tuple[str, int] | None = None
        self.no_yield_until_ms = 0
        self.request: Request | None = None
        self.order: tuple[str, str] | None = None
        self._told: tuple[tuple[Any, ...], GroupBeat] | None = None

    # what it is

    def key(self) -> Key:
        return (self.epoch, self.claim_priority, self.around.settings.node)

    def peer_key(self, peer: PeerView) -> Key:
        group = peer.groups[self.name]
        return (group.epoch, group.priority, peer.config.node)

    def wake(self, at_ms: int) -> None:
        """Have `step` called then at the latest."""
        self.wake_at_ms = min(self.wake_at_ms, at_ms)

    def obstacle(self, now_ms: int) -> tuple[Role, str] | None:
        """Why it may not take the VIPs, with the role that this means."""
        if self.around.is_stopping:
            return HELD, "stopping"
        if self.is_held:
            return HELD, "paused by the operator"
        failure = self.dead_interface() or self.standing.fault or self.blind_interface()
        if failure:
            return FAULT, failure
        if now_ms < self.fault_until_ms:
            self.wake(self.fault_until_ms)
            return FAULT, self.fault_text
        if arbiter.forbids(self, now_ms) and not arbiter.is_awaited(self, now_ms):
            return FAULT, arbiter.REFUSAL
        return None

    def dead_interface(self) -> str:
        for name in self.config.interfaces:
            if not self.around.sights[name].is_up:
                return f"{name} has no carrier"
        return ""

    def blind_interface(self) -> str:
        for name in self.config.interfaces:
            if self.around.sights[name].is_blind:
                return f"no witness answers on {name}"
        return ""

    def has_proof(self, since_ms: int) -> bool:
        """On every interface a witness answered since then."""
        return all(self.around.sights[name].has_proof(since_ms) for name in self.config.interfaces)

    def missing_report(self, now_ms: int) -> str:
        """A tracked thing of which nothing is known yet, while that is waited for. VIPs that are
        here already are kept meanwhile."""
        if self.is_adopting:
            return ""
        for name, due_ms in self.reports_due_ms.items():
            if now_ms < due_ms and name not in self.around.reports:
                self.wake(due_ms)
                return f"{name} has not reported yet"
        return "the arbiter has said nothing yet" if arbiter.is_awaited(self, now_ms) else ""

    def is_settled_in(self, now_ms: int) -> bool:
        """It has listened, and knows what it has to know: its role is more than the first one."""
        return now_ms >= self.listen_until_ms and not self.missing_report(now_ms)

    def is_eligible(self, now_ms: int) -> bool:
        """It could take the VIPs now, or as soon as it has listened: of two that start together the
        one of lower priority waits for the other."""
        if self.role not in WAITING or self.missing_report(now_ms):
            return False
        return self.obstacle(now_ms) is None

    def holder(self, now_ms: int) -> tuple[PeerView, GroupBeat] | None:
        """The living peer that holds the group, by its word; of several the one that keeps it."""
        best: PeerView | None = None
        for peer in self.around.peers.values():
            group = peer.groups.get(self.name)
            if group is None or not group.role.is_holding or now_ms >= peer.fresh_until_ms:
                continue
            if best is None or self.peer_key(peer) > self.peer_key(best):
                best = peer
        return None if best is None else (best, best.groups[self.name])

    def candidates(self, now_ms: int) -> list[PeerView]:
        """Living peers that could take the group, the best one first. Without a fence none with
        another configuration: it could not tell by ARP what this node answers for after all."""
        found = [
            peer
            for peer in self.around.fresh(now_ms)
            if self.name in peer.groups
            and peer.groups[self.name].is_eligible
            and (self.around.timing.has_fence or not self.around.is_other(peer))
        ]
        return sorted(found, key=self._peer_rank, reverse=True) if len(found) > 1 else found

    def _peer_rank(self, peer: PeerView) -> tuple[bool, int, str]:
        group = peer.groups[self.name]
        return (group.may_answer, group.priority, peer.config.node)

    def is_outranked(self, now_ms: int) -> bool:
        """A living peer is to take the group first. Who has the VIPs already comes before all."""
        mine = (self.is_adopting, self.standing.priority, self.around.settings.node)
        return any(self._peer_rank(peer) > mine for peer in self.candidates(now_ms))

    def is_adopted_elsewhere(self, now_ms: int) -> bool:
        """A living peer has kept the VIPs from before too, and comes first."""
        mine = (True, self.standing.priority, self.around.settings.node)
        peers = self.around.fresh(now_ms)
        return any(self.name in peer.groups and self._peer_rank(peer) > mine for peer in peers)

    def claimant(self, now_ms: int) -> str:
        """A living peer that has VIPs in a group which this node does not know, and knows nothing
        of this one: they may be the same, under another name. "" when there is none."""
        for peer in self.around.fresh(now_ms):
            if self.name in peer.groups:
                continue
            for theirs in peer.groups.values():
                if (theirs.role.is_holding or theirs.may_answer) and self.around.is_strange(theirs):
                    return peer.config.node
        return ""

    def has_doubt(self, now_ms: int) -> bool:
        """The kernel of a peer may answer for the VIPs, and only the segment can tell. The one who
        is handing over is not among them."""
        if self.around.former:
            return True
        for peer in self.around.peers.values():
            is_other = self.around.is_other(peer)
            if peer is self.yielder and not is_other:
                continue
            if is_other or not peer.is_fresh(now_ms):
                return True
            if peer.beat_after_ms < self.around.stopped_ms:
                return True
            group = peer.groups.get(self.name)
            if group is None or (group.may_answer and not group.role.is_holding):
                return True
        return False

    def beat(self, now_ms: int) -> GroupBeat:
        """What the next heartbeat says of it."""
        is_holding = self.role.is_holding
        request = None if is_holding else self._open_request()
        known = request.epoch if request is not None else self.seen_epoch
        target = self.target if self.role is YIELDING else ""
        told = (
            self.role,
            self.epoch if is_holding else known,
            self.claim_priority if is_holding else self.standing.priority,
            self.is_eligible(now_ms),
            self.may_answer or not self.around.leftover.isdisjoint(self.wanted),
            bool(self.blind_interface()),
            self.wants,
            request is not None,
            request.target if request is not None else target,
        )
        # most say the same again
        if self._told is None or told != self._told[0]:
            self._told = (told, GroupBeat(self.name, *told))
        return self._told[1]

    def _open_request(self) -> Request | None:
        """What is asked of the holder, as long as nobody has claimed the group since."""
        request = self.request
        is_open = request is not None and self.seen_epoch == request.seen_epoch
        return request if is_open else None

    # what it does

    def change(self, now_ms: int, role: Role, reason: str) -> None:
        """Another role; tells the peers at once."""
        if role is not self.role:
            epoch = self.epoch if role.is_holding or self.role.is_holding else self.seen_epoch
            self.around.emit(Report(self.name, self.role, role, epoch, reason))
            self.role = role
            self.since_ms = now_ms
            self.around.beat_soon = True
        self.reason = reason

    def probe(self, now_ms: int) -> None:
        """One round of the burst, with a question to the witnesses: to few while somebody answers
        for the VIPs, because then the round is not expected to count."""
        assert self.burst is not None
        asked = 1 if self.burst.is_answered else 4
        for interface, addresses in self.burst.probe(now_ms):
            self.around.emit(Probe(interface, addresses))
        for name in self.config.interfaces:
            self.around.ask(name, self.around.sights[name].some(asked))

    def run_burst(self, now_ms: int) -> bool:
        """Probe when it is time; true when nobody answers, and witnesses vouch for it."""
        burst = self.burst
        assert burst is not None
        if self.around.is_hidden(self.name, now_ms):
            burst.answered(now_ms)
        if burst.is_due(now_ms):
            burst.settle(is_vouched=self.has_proof(burst.sent_ms))
            # only one that is alone may have a word of the arbiter that outlives his silence
            is_anybody_silent = bool(self.around.silent(now_ms))
            burst.patience_ms = arbiter.patience_ms(self.around) if is_anybody_silent else 0
        if burst.is_clear:
            unaware_ms = arbiter.unaware_until_ms(self.around, now_ms)
            if now_ms < unaware_ms:
                self.wake(unaware_ms)
            return now_ms >= unaware_ms
        if now_ms >= burst.next_ms():
            self.probe(now_ms)
        self.wake(burst.next_ms())
        return False

    def start_burst(self, now_ms: int, *, asks_all: bool = False) -> None:
        """A living peer with another configuration may have any of the VIPs in another group."""
        silent = self.around.silent(now_ms)
        is_quick = bool(silent) and all(peer.is_gone and peer.heard_ms for peer in silent)
        self.burst = Burst(self.config, self.around.timing, now_ms, is_quick=is_quick)
        if asks_all or self.around.is_mixed(now_ms):
            self.burst.ask_all()

    def probe_one(self) -> None:
        """Ask for one VIP of each interface, in turn."""
        self.probe_turn += 1
        for interface, addresses in sample(self.config, self.probe_turn, 1):
            self.around.emit(Probe(interface, addresses))

    def prepare_fence(self, now_ms: int, *, is_open: bool = False, is_shut: bool = False) -> None:
        if not self.around.timing.has_fence:
            return
        number = self.around.take_number(self, "prepare")
        self.around.emit(PrepareFence(number, self.name, is_open=is_open, is_shut=is_shut))
        if is_open or is_shut:
            self.fence_until_ms = now_ms + self.around.timing.fence_ms
            self.renew_fence_at_ms = 0

    def tell_guard(self) -> None:
        self.around.emit(TellGuard(self.around.take_number(self, "guard"), self.name))

    def take_vips(self, now_ms: int, before_ms: int) -> None:
        self.may_answer = True
        lease_ms = self.around.timing.lease_ms
        self.vips_until_ms = [now_ms + lease_ms] * self.slices()
        number = self.around.take_number(self, "vips")
        self.around.emit(TakeVips(number, self.name, before_ms))

    def slices(self) -> int:
        """In how many parts the leases of the VIPs are renewed, a part with every heartbeat."""
        turns = self.around.timing.renew_ms // self.around.timing.heartbeat_ms
        return max(1, min(turns, len(self.config.vips)))

    def open_fence(self, now_ms: int, before_ms: int) -> None:
        self.fence_until_ms = now_ms + self.around.timing.fence_ms
        self.renew_fence_at_ms = 0
        number = self.around.take_number(self, "open")
        self.around.emit(OpenFence(number, self.name, before_ms))

    def shut(self) -> None:
        """Fall silent in ARP and ND, but go on accepting packets."""
        self.is_shut = True
        self.burst = None
        self.around.emit(ShutArp(self.around.take_number(self, "shut"), self.name))

    def announce(self, now_ms: int, count: int, only: frozenset[str] = frozenset()) -> None:
        """These addresses, or all, while the lease lasts."""
        if self.lease_end_ms() > now_ms:
            self.around.emit(Announce(self.name, count, self.lease_end_ms(), only))

    def renew(self, now_ms: int) -> None:
        """Extend the leases, in a turn in which a beat was sent."""
        timing = self.around.timing
        if timing.has_fence and now_ms >= self.renew_fence_at_ms:
            self.renew_fence_at_ms = now_ms + timing.fence_renew_ms
            self.fence_until_ms = max(self.fence_until_ms, now_ms + timing.fence_ms)
            if self.config.vips:
                number = self.around.take_number(self, "renew fence")
                self.around.emit(RenewFence(number, self.name))
        slices = len(self.vips_until_ms)
        if not slices:
            return
        if now_ms == self.around.stopped_ms and now_ms >= self.prompt_until_ms:
            # an address may be gone, which waits to be read: to renew it would be to install it;
            # but who is always late has to renew
            self.prompt_until_ms = now_ms + timing.lease_ms
            return
        every = max(1, timing.renew_ms // timing.heartbeat_ms // slices)
        self.renew_turn += 1
        count = len(self.config.vips)
        if self.renews_all:
            self.renews_all = False
            self.vips_until_ms = [now_ms + timing.lease_ms] * slices
            self._renew_vips(0, count)
            return
        if self.renew_turn % every:
            return
        part = self.renew_turn // every % slices
        self._renew_vips(count * part // slices, count * (part + 1) // slices)
        self.vips_until_ms[part] = now_ms + timing.lease_ms

    def _renew_vips(self, first: int, end: int) -> None:
        number = self.around.take_number(self, "renew vips")
        self.around.emit(RenewVips(number, self.name, first, end))

    def lease_anew(self, until_ms: int) -> None:
        """It has other VIPs, or other leases, than before, of which none ends before that."""
        self.vips_until_ms = [until_ms] * self.slices()
        self.renews_all = True

    def lease_end_ms(self) -> int:
        """When the kernel lets go, of the fence or of a VIP, unless it is told otherwise."""
        end_ms = min(self.vips_until_ms, default=NEVER_MS)
        return min(end_ms, self.fence_until_ms) if self.around.timing.has_fence else end_ms

    def drop(self, now_ms: int) -> None:
        """Fence closed, VIPs away."""
        if self.around.timing.has_fence:
            number = self.around.take_number(self, "close")
            self.around.emit(CloseFence(number, self.name))
        self.around.emit(DropVips(self.around.take_number(self, "drop"), self.name))
        self.drop_again_ms = now_ms + self.around.timing.heartbeat_ms
        self.fence_until_ms = NEVER_MS
        self.vips_until_ms = []

    def release(self, now_ms: int, reason: str) -> None:
        """Let go of everything, whatever the role was, and be standby."""
        self.drop(now_ms)
        self.burst = None
        self.is_shut = False
        self.is_waiting = False
        self.is_adopting = False
        self.yielder = None
        self.release_ms = None
        self.announce_at_ms = None
        self.conflict_probes = 0
        self.change(now_ms, STANDBY, reason)
        self._end_order(reason)

    def _end_order(self, reason: str) -> None:
        """It was let go of before the operator's switchover was over: that is not made up for when
        the group comes back. A pause is one, whoever holds the group."""
        if self.order is None:
            return
        self.is_held = is_paused = self.order[0] == "pause"
        self.order = None
        self.around.emit(Reply(self.name, is_done=is_paused, text=reason))

    def refresh_standing(self) -> None:
        self.standing = standing(self.config, self.around.reports)
