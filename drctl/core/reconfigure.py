"""Going over to other settings while VIPs are held: only what differs is touched.

What is to be is laid out first (`layout`), and done in an order in which no VIP answers without its
guard and its lease. Nothing is begun while a group is being taken or handed over.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from drctl.core import arriving
from drctl.core.action import DropVips, EndReload, LayOut, Place, Reply, Report, TakeVips
from drctl.core.around import Around
from drctl.core.arriving import Arrival
from drctl.core.event import Outcome, Reconfigured, Settled
from drctl.core.group import RETRY_MS, GroupState
from drctl.core.layout import Holding, Layout, lay_out
from drctl.core.peer import PeerView
from drctl.core.role import ACTIVE, PASSING, STANDBY, WAITING
from drctl.core.sight import Sight
from drctl.core.value import NEVER_MS, Group, Settings, Timing, Vip

LISTEN_HEARTBEATS = 3
PATIENCE_MS = 10_000
"""So long a reload waits for the end of takeovers and handovers."""
LEAVING, ARRIVING = "\0leaving ", "\0arriving "
"""First words of the names of places; no configuration can have such a group."""
GONE = "it is not configured any more"


@dataclass(frozen=True, slots=True)
class _Move:
    """A layout that the shell has been asked for: the places in it, and the names they get."""

    layout: Layout
    leaving: Group | None
    arriving: dict[str, Group]
    laid: dict[str, tuple[Vip, ...]] = field(default_factory=dict)


class Reconfiguration:
    """What is between the settings of a node and what it has. `groups` are the node's, by name."""

    def __init__(self, around: Around, groups: dict[str, GroupState]) -> None:
        self._around = around
        self._groups = groups
        self._asked: Reconfigured | None = None
        self._until_ms = 0
        self._move: _Move | None = None
        self._laid = {name: state.config.vips for name, state in groups.items()}
        self._leaving: list[GroupState] = []
        self._arrivals: dict[str, Arrival] = {}
        self._count = 0
        """Of looks for another layout: no place gets the name of an earlier one."""
        self._again_ms = 0
        self._is_timing_mixed = False
        self._has_other_leases = False
        self.is_busy = False
        """There is something left to be done."""
        self.has_moved = False
        """Other groups, or other VIPs in them: to be reset by who looks at it."""

    def ask(self, event: Reconfigured) -> None:
        """Begin, as soon as that is possible."""
        if self._asked is not None:
            self._end(is_done=False, text="another one was asked for before it began")
        self._asked = event
        self._again_ms = 0
        self._until_ms = event.now_ms + PATIENCE_MS
        self.is_busy = True

    @property
    def places(self) -> list[GroupState]:
        """What has VIPs beside the groups."""
        return [*self._leaving, *(one.place for one in self._arrivals.values())]

    def awaited(self) -> list[tuple[str, GroupState]]:
        """Addresses that are on their way, with the places that want to hear of them."""
        return [
            (address, one.place)
            for one in self._arrivals.values()
            if not one.is_merged
            for address in one.place.config.addresses
        ]

    def is_free(self) -> bool:
        """Nothing that is left over can answer any more."""
        return not any(place.may_answer for place in self.places)

    # with every event

    def step(self, now_ms: int) -> None:
        """Let time pass for what leaves and what arrives."""
        for place in self._leaving:
            place.wake_at_ms = NEVER_MS
            if place.may_answer and now_ms >= place.drop_again_ms:
                place.drop(now_ms)
            place.wake(max(place.drop_again_ms, now_ms + 1))
        for name, arrival in list(self._arrivals.items()):
            arrival.place.wake_at_ms = NEVER_MS
            group = arrival.group
            if arrival.is_over:
                del self._arrivals[name]
            elif group.role is not ACTIVE or group.is_shut or self._around.is_stopping:
                self._call_off(name, arrival, now_ms)
            else:
                arriving.step(arrival, now_ms)

    def _call_off(self, name: str, arrival: Arrival, now_ms: int) -> None:
        """The group has been let go of, or has to be silent."""
        del self._arrivals[name]
        if not arrival.is_merged:
            self._leave(arrival.place, now_ms)

    def _leave(self, place: GroupState, now_ms: int) -> None:
        """Its VIPs, which answer or may, must not."""
        place.role = STANDBY
        place.burst = None
        place.may_answer = True
        place.drop(now_ms)
        self._leaving.append(place)
        self._note_leftover()

    def _note_leftover(self) -> None:
        left = [place.config.addresses for place in self._leaving]
        self._around.leftover = frozenset[str]().union(*left)
        self.has_moved = True

    def go_on(self, now_ms: int) -> None:
        """After all else of an event: lay out what is due, as the last of its actions."""
        if self._move is not None or not self._around.boot:
            return
        if self._is_timing_mixed and self._agrees(now_ms):
            self._use_timing(self._around.settings.timing, self._around.settings.timing)
            for group in self._groups.values():
                if group.role is ACTIVE and group.vips_until_ms:
                    group.lease_anew(min(group.vips_until_ms))
        gone = [place for place in self._leaving if not place.may_answer]
        if gone:
            self._leaving = [place for place in self._leaving if place.may_answer]
            self._note_leftover()
        if now_ms < self._again_ms:
            return
        if not self._is_calm():
            if self._asked is not None and now_ms >= self._until_ms:
                text = f"not reloaded: a takeover or a switchover has lasted for {PATIENCE_MS} ms"
                self._end(is_done=False, text=text)
            return
        self._count += 1
        if self._is_laid_out():
            self._note_busy()
        else:
            self._lay_out(now_ms)

    def _is_calm(self) -> bool:
        """Nothing is on its way but what is here."""
        if self._around.is_stopping or self._around.pending:
            # an outcome that comes between the layout and its own would find other groups
            return False
        return not any(
            group.role in PASSING or group.is_shut or group.is_adopting or group.is_waiting
            for group in self._groups.values()
        )

    # laying out

    def _is_laid_out(self) -> bool:
        """Every group has what it is to have, and the shell has nothing else: there is no other
        layout."""
        if self._asked is not None or self._leaving or self._arrivals:
            return False
        states = self._groups.values()
        if any(len(state.config.vips) != len(state.wanted) for state in states):
            return False
        return self._laid == {state.name: state.config.vips for state in states}

    def _lay_out(self, now_ms: int) -> None:
        asked = self._asked
        if asked is not None:
            # what is on its way has other companions from now on
            for name, arrival in list(self._arrivals.items()):
                self._call_off(name, arrival, now_ms)
        ready = [one for one in self._arrivals.values() if one.ready_before_ms is not None]
        settings = asked.settings if asked is not None else self._around.settings
        planned = lay_out(
            settings.groups,
            {
                name: Holding(state.config, state.role is ACTIVE, state.may_answer)
                for name, state in self._groups.items()
            },
            self._around.leftover,
            arrived=[vip for one in ready for vip in one.place.config.vips],
            present=asked.present if asked is not None else frozenset(),
        )
        move = _Move(planned, self._leaving_group(planned), self._arriving_groups(planned))
        places = self._places(move)
        move.laid.update((place.group.name, place.group.vips) for place in places)
        if asked is None and move.laid == self._laid:
            self._note_busy()
            return
        before_ms = min((one.ready_before_ms or NEVER_MS for one in ready), default=NEVER_MS)
        self._move = move
        any_group = next(iter(self._groups.values()))
        number = self._around.take_number(any_group, "layout")
        self._around.emit(
            LayOut(number, tuple(places), before_ms, settings if asked is not None else None)
        )

    def _note_busy(self) -> None:
        self.is_busy = bool(self._leaving or self._arrivals or self._is_timing_mixed) or any(
            len(state.config.vips) != len(state.wanted) for state in self._groups.values()
        )

    def _places(self, move: _Move) -> list[Place]:
        found = []
        for group in move.layout.groups:
            state = self._groups.get(group.name)
            is_active = state is not None and state.role is ACTIVE
            is_open = is_active or group.name in move.layout.adopted
            may_answer = is_open or (state is not None and state.may_answer)
            found.append(Place(group, is_open, is_guarded=may_answer))
        others = [place.config for place in self._leaving]
        others += [move.leaving] if move.leaving is not None else []
        return [
            *found,
            *(Place(one, is_guarded=True) for one in (*others, *move.arriving.values())),
        ]

    def _leaving_group(self, planned: Layout) -> Group | None:
        return Group(f"{LEAVING}{self._count}", planned.leaving, ()) if planned.leaving else None

    def _arriving_groups(self, planned: Layout) -> dict[str, Group]:
        """By the names of those that they come to."""
        found = {}
        for name, vips in planned.arriving.items():
            known = self._arrivals.get(name)
            if known is not None and known.place.config.vips == vips and not known.is_merged:
                found[name] = known.place.config
                continue
            cards = tuple(dict.fromkeys(vip.interface for vip in vips))
            found[name] = Group(f"{ARRIVING}{self._count} {name}", vips, cards)
        return found

    def settled(self, event: Settled) -> None:
        """The layout is what was planned, or as it was before."""
        move, asked = self._move, self._asked
        assert move is not None
        self._move = None
        if event.outcome is Outcome.DONE:
            self._laid = move.laid
            self._has_other_leases = False
            if asked is not None:
                self._use(asked)
            self._perform(move, event.now_ms)
            if asked is not None:
                self._end(is_done=True, text="")
            return
        for arrival in self._arrivals.values():
            arrival.ready_before_ms = None
        if event.outcome is Outcome.LATE:
            return
        self._again_ms = event.now_ms + RETRY_MS
        text = f"the VIPs cannot be laid out anew: {event.why}"
        self._around.alarm(event.now_ms, ("kernel", "layout"), text)
        if asked is not None:
            self._end(is_done=False, text=event.why)

    def arrived(self, event: Settled, place: GroupState) -> bool:
        """The answer to an action for a place; false when it is none that arrives."""
        for arrival in self._arrivals.values():
            if arrival.place is place:
                arriving.settled(arrival, event.now_ms, event.outcome, event.why)
                return True
        return False

    def _end(self, *, is_done: bool, text: str) -> None:
        self._asked = None
        self._around.emit(EndReload(is_done, text))

    # performing

    def _perform(self, move: _Move, now_ms: int) -> None:
        """The shell has the layout: what follows from it."""
        around, planned, old = self._around, move.layout, dict(self._groups)
        until_ms = min(
            (at for one in old.values() if one.role is ACTIVE for at in one.vips_until_ms),
            default=now_ms + around.timing.lease_ms,
        )
        self._groups.clear()
        for group, wanted in zip(planned.groups, around.settings.groups, strict=True):
            state = old.pop(group.name, None)
            if state is None:
                state = self._begin(group, now_ms, until_ms, planned)
            else:
                self._change(state, group, now_ms, until_ms)
            state.wanted = wanted.addresses
            self._groups[group.name] = state
        for state in old.values():
            self._forget(state)
        if move.leaving is not None:
            self._leave(GroupState(move.leaving, around), now_ms)
        for name, addresses in planned.remade.items():
            self._remake(self._groups[name], addresses, now_ms)
        self._go_on_arriving(move, now_ms)
        self._note_busy()
        self.has_moved = True

    def _begin(self, group: Group, now_ms: int, until_ms: int, planned: Layout) -> GroupState:
        """A group that was not there before: it begins as at a start of the daemon."""
        around = self._around
        state = GroupState(group, around)
        begin(state, now_ms, around.epochs_below)
        if group.name in planned.adopted:
            state.may_answer = state.is_adopting = True
            state.fence_until_ms = now_ms + around.timing.fence_ms
            if group.name in planned.moved:
                state.lease_anew(until_ms)
        return state

    def _change(self, state: GroupState, group: Group, now_ms: int, until_ms: int) -> None:
        before, timing = state.config, self._around.timing
        state.config = group
        state.refresh_standing()
        state.reports_due_ms = {
            track.name: state.reports_due_ms.get(track.name, now_ms + track.wait_ms)
            for track in group.tracks
        }
        if state.role in WAITING:
            state.burst = None
        if not group.is_preempting:
            state.wants = False
        if state.role is not ACTIVE:
            return
        state.fence_until_ms = min(state.fence_until_ms, now_ms + timing.fence_ms)
        state.renew_fence_at_ms = 0
        if group.vips != before.vips or self._has_other_leases:
            arrival = self._arrivals.get(group.name)
            ends = [until_ms, *(arrival.place.vips_until_ms if arrival is not None else ())]
            state.lease_anew(min(ends))

    def _forget(self, state: GroupState) -> None:
        if state.role is not STANDBY:
            is_holding = state.role.is_holding
            epoch = state.epoch if is_holding else state.seen_epoch
            self._around.emit(Report(state.name, state.role, STANDBY, epoch, GONE))
        if state.order is not None or state.request is not None:
            self._around.emit(Reply(state.name, is_done=False, text=GONE))

    def _remake(self, group: GroupState, addresses: frozenset[str], now_ms: int) -> None:
        """The kernel changes a prefix or a label of no address: it goes, and comes at once."""
        around = self._around
        around.emit(DropVips(around.take_number(group, "remake"), group.name, addresses))
        number = around.take_number(group, "vips")
        around.emit(TakeVips(number, group.name, group.lease_end_ms(), addresses))
        group.announce(now_ms, group.config.announcing.count, addresses)

    def _go_on_arriving(self, move: _Move, now_ms: int) -> None:
        for arrival in self._arrivals.values():
            if arrival.ready_before_ms is not None:
                arriving.merged(arrival, now_ms)
                arrival.ready_before_ms = None
        for name, group in move.arriving.items():
            known = self._arrivals.get(name)
            if known is None or known.place.config is not group:
                self._arrivals[name] = arriving.arrival(self._groups[name], group, now_ms)

    # settings

    def _use(self, asked: Reconfigured) -> None:
        """All that is no group's."""
        around, before, settings = self._around, self._around.settings, asked.settings
        around.settings = settings
        self._has_other_leases = settings.timing != before.timing
        self._use_peers(settings)
        self._use_interfaces(settings, asked.now_ms)
        self._use_timing(before.timing, settings.timing)
        tracked = {track.name for group in settings.groups for track in group.tracks}
        around.reports = {name: one for name, one in around.reports.items() if name in tracked}

    def _use_peers(self, settings: Settings) -> None:
        around = self._around
        old = dict(around.peers)
        around.peers.clear()
        for peer in settings.peers:
            view = old.pop(peer.node, None) or PeerView(peer, settings.timing)
            view.use(peer, view.timing)
            around.peers[peer.node] = view
            around.former.pop(peer.node, None)
        around.former |= {node: view for node, view in old.items() if view.macs}
        around.note_addresses()

    def _use_interfaces(self, settings: Settings, now_ms: int) -> None:
        around = self._around
        vips = frozenset[str]().union(*(group.addresses for group in settings.groups))
        old = dict(around.sights)
        around.sights.clear()
        for card in settings.interfaces:
            sight = old.get(card.name)
            peers = around.peers_on(card.name)
            if sight is None:
                sight = Sight(card, around.timing, peers)
                sight.start(now_ms)
            else:
                sight.use(card, peers, vips)
            around.sights[card.name] = sight
            around.mac_of[card.name] = min(card.macs)
        around.note_macs()

    def _use_timing(self, before: Timing, timing: Timing) -> None:
        """Until all that live have the same configuration, beat as often as the quicker of the two
        intervals wants it, and be as patient with others as the slower one."""
        around = self._around
        quick = min(before.heartbeat_ms, timing.heartbeat_ms)
        slow = max(before.heartbeat_ms, timing.heartbeat_ms)
        self._is_timing_mixed = quick != slow
        around.timing = replace(timing, heartbeat_ms=quick) if quick != slow else timing
        patient = replace(timing, heartbeat_ms=slow) if quick != slow else timing
        for view in around.peers.values():
            view.use(view.config, patient)
        for sight in around.sights.values():
            sight.timing = around.timing

    def _agrees(self, now_ms: int) -> bool:
        fresh = self._around.fresh(now_ms)
        return bool(fresh) and not self._around.is_mixed(now_ms)


def begin(state: GroupState, now_ms: int, epoch: int) -> None:
    """A group listens first, before it takes anything. Epochs below that one may have been used."""
    timing = state.around.timing
    state.since_ms = state.started_ms = now_ms
    state.seen_epoch = epoch
    state.listen_until_ms = now_ms + LISTEN_HEARTBEATS * timing.heartbeat_ms
    state.reports_due_ms = {track.name: now_ms + track.wait_ms for track in state.config.tracks}
    state.refresh_standing()
