"""The failover core of one director: events in, actions out."""

from __future__ import annotations

from typing import assert_never

from drctl.core import active, arbiter, card, command, frame, standby, taking, yielding
from drctl.core.action import Action, ReserveEpochs, SendBeat, StartGuard, Stop
from drctl.core.around import Around
from drctl.core.beat import Beat
from drctl.core.event import (
    AddressVanished,
    ArbiterReported,
    BeatHeard,
    CarrierChanged,
    Command,
    Event,
    FenceVanished,
    FrameHeard,
    GuardLost,
    LinkLost,
    MacsChanged,
    OperatorAsked,
    Outcome,
    Reconfigured,
    Settled,
    Started,
    TimeCame,
    TrackReported,
    read_ms,
)
from drctl.core.group import RETRY_MS, GroupState
from drctl.core.peer import PeerView
from drctl.core.reconfigure import Reconfiguration, begin
from drctl.core.role import ACTIVE, CLAIMING, INSTALLED, STANDBY, TAKING, YIELDING, Role
from drctl.core.value import NEVER_MS, Settings

EPOCHS_RESERVED = 1000
EPOCHS_LEFT = 100
STEPS_AT_ONCE = 4
"""A group may change its role so often within one event; what is left waits for the next one."""

STEPS = {
    Role.STANDBY: standby.step,
    Role.SUSPECT: standby.step,
    Role.FAULT: standby.step,
    Role.HELD: standby.step,
    Role.TAKING: taking.step,
    Role.ACTIVE: active.step,
    Role.YIELDING: yielding.step,
}


AWAITING = frozenset({Role.SUSPECT, Role.TAKING, Role.YIELDING})
"""Roles in which a beat counts for when it was sent, even if it says nothing new."""


class Node:
    """One director. `feed` it events; `deadline_ms` is when it wants a `TimeCame` at the latest."""

    def __init__(self, settings: Settings) -> None:
        self.around = Around(settings)
        self.groups = {group.name: GroupState(group, self.around) for group in settings.groups}
        self._change = Reconfiguration(self.around, self.groups)
        self._group_of: dict[str, GroupState] = {}
        self._note_vips()
        self.deadline_ms = 0
        self._stepped_ms = 0
        self._apart_ms = 0
        self._is_for_silence = False
        """The deadline is the silence of a peer or of witnesses, and puts itself off."""
        self._is_beside = False
        """Some group is standby: it matters at once that a beat is late."""
        self._lapse_ms = NEVER_MS
        """When the first lease of what is held ends."""
        self._late_ms = NEVER_MS
        """Whoever comes to feed events only then has been stopped, or is too slow."""
        self._sequence = 0
        self._next_beat_ms = 0
        self._sent_ms = 0
        self._is_reserving = False
        self._reserve_below = 0
        self._reserve_again_ms = 0
        self._has_stopped = False

    @property
    def settings(self) -> Settings:
        """What it is configured with now."""
        return self.around.settings

    def _note_vips(self) -> None:
        """Which group, or what is on its way to one, hears of frames about an address."""
        self._group_of.clear()
        for group in self.groups.values():
            self._group_of.update(dict.fromkeys(group.config.addresses, group))
        self._group_of.update(self._change.awaited())

    def feed(self, event: Event) -> tuple[Action, ...]:
        """Take in one event; what to do about it, in this order."""
        now_ms = event.now_ms
        around = self.around
        around.out = []
        if now_ms >= self._late_ms:
            around.stopped_ms = now_ms
        if now_ms >= self._lapse_ms:
            self._let_go_of_lapsed(now_ms)
        if not self._take_in(event) and not around.out and not self._change.is_busy:
            if self._is_for_silence:
                self._await_silence()
            if now_ms < self.deadline_ms:
                return ()
        self._step(now_ms, read_ms(event))
        is_turn = now_ms >= self._next_beat_ms
        if is_turn:
            self._turn(now_ms)
        elif around.beat_soon:
            self._send(now_ms)
        around.beat_soon = False
        self._reserve(now_ms)
        self._stop()
        if self._change.is_busy:
            self._change.go_on(now_ms)
            # another heartbeat may be shorter, and so may the leases that it renews
            next_ms = now_ms + around.timing.heartbeat_ms
            self._next_beat_ms = min(self._next_beat_ms, next_ms)
        if self._change.has_moved:
            self._change.has_moved = False
            self._note_vips()
        self._stepped_ms = now_ms
        self._look_ahead()
        return tuple(around.out)

    # taking in

    def _let_go_of_lapsed(self, now_ms: int) -> None:
        """A process that was stopped for too long drops its VIPs before it does anything else."""
        for group in self.groups.values():
            if now_ms < group.lease_end_ms():
                continue
            if group.role.is_holding:
                group.release(now_ms, "the lease lapsed")
            else:
                # to renew what was kept from before would be to install it anew
                group.is_adopting = False

    def _take_in(self, event: Event) -> bool:
        """False when the event changes nothing that a role looks at."""
        match event:
            case FrameHeard():
                return frame.heard(self.around, self._group_of, event)
            case BeatHeard():
                return self._hear_beat(event)
            case TimeCame():
                return False
            case Settled():
                return self._settle(event)
            case Started():
                self._start(event)
            case LinkLost():
                self._lose_link(event)
            case TrackReported():
                self.around.reports[event.name] = (event.is_up, event.value)
                for group in self.groups.values():
                    group.refresh_standing()
            case CarrierChanged() | MacsChanged():
                card.changed(self.around, self.groups.values(), event)
            case FenceVanished():
                self._restore_fence(event.now_ms)
            case AddressVanished():
                self._restore_address(event)
            case GuardLost():
                self.around.alarm(
                    event.now_ms, ("guard",), "the guard died; another one is started"
                )
                self._start_guard()
            case ArbiterReported():
                return arbiter.heard(self.around, event)
            case OperatorAsked() | Reconfigured():
                self._obey(event)
            case _:
                assert_never(event)
        return True

    def _start(self, event: Started) -> None:
        around, now_ms = self.around, event.now_ms
        around.boot = event.boot
        around.epochs_below = event.epoch
        for name, address in event.stations:
            if name in around.sights:
                around.sights[name].heard(now_ms, address, "", is_answer_to_me=False)
        for sight in around.sights.values():
            sight.start(now_ms)
        for node, mac in event.peer_macs:
            if node in around.peers:
                around.peers[node].know((mac,))
        for group in self.groups.values():
            begin(group, now_ms, event.epoch)
            group.is_held = group.name in event.held
            group.may_answer = not event.present.isdisjoint(group.config.addresses)
            group.is_adopting = not event.answering.isdisjoint(group.config.addresses)
            group.prepare_fence(now_ms, is_open=group.is_adopting)
            if group.may_answer:
                group.tell_guard()
        self._next_beat_ms = now_ms

    def _hear_beat(self, event: BeatHeard) -> bool:
        peer, beat, now_ms = self.around.peers.get(event.peer), event.beat, event.now_ms
        if peer is None or beat.node != event.peer:
            return False
        was_fresh = peer.is_fresh(now_ms)
        peer.link_heard(event.link, now_ms)
        if not peer.is_news(beat):
            return False
        for theirs in beat.groups:
            group = self.groups.get(theirs.name)
            if group is not None:
                is_new_claim = theirs.role is TAKING and theirs.epoch > group.seen_epoch
                group.seen_epoch = max(group.seen_epoch, theirs.epoch)
                self.around.beat_soon |= is_new_claim
        sent_after_ms = peer.echoed_ms(beat, self.around.boot, now_ms)
        if sent_after_ms is None:
            self._hear_stale(peer, beat)
            is_long_ago = now_ms - self._sent_ms >= self.around.timing.heartbeat_ms // 4
            self.around.beat_soon |= is_long_ago
            return True
        has_changed = peer.learn(beat, now_ms, sent_after_ms)
        self.around.note_beat(peer, event.link, now_ms)
        if beat.digest != self.settings.digest:
            text = f"{peer.config.node} has another configuration"
            self.around.alarm(now_ms, ("digest", peer.config.node), text)
        if not was_fresh:
            self.around.beat_soon = True
            return True
        return has_changed or any(group.role in AWAITING for group in self.groups.values())

    def _lose_link(self, event: LinkLost) -> None:
        peer = self.around.peers.get(event.peer)
        if peer is not None:
            peer.link_lost(event.link)

    def _hear_stale(self, peer: PeerView, beat: Beat) -> None:
        """It says nothing of now, but a claim with a higher epoch was made after ours."""
        for theirs in beat.groups:
            group = self.groups.get(theirs.name)
            if group is None or theirs.role not in CLAIMING:
                continue
            if theirs.epoch > group.stale_epoch:
                group.stale_epoch, group.stale_claimer = theirs.epoch, peer

    def _settle(self, event: Settled) -> bool:
        group, kind = self.around.pending.pop(event.number)
        now_ms, outcome = event.now_ms, event.outcome
        if kind == "layout":
            self._change.settled(event)
            return True
        if kind == "vips" and self._change.arrived(event, group):
            return True
        if outcome is Outcome.DONE and kind in {"renew fence", "renew vips", "close"}:
            return False
        if kind == "renew fence":
            group.renew_fence_at_ms = now_ms
        if kind == "epochs":
            self._epochs_settled(event)
            return True
        if kind == "drop":
            if outcome is Outcome.DONE and not group.role.is_holding:
                group.may_answer = False
                self.around.beat_soon = True
            elif outcome is Outcome.FAILED:
                text = f"the VIPs cannot be dropped: {event.why}"
                self.around.alarm(now_ms, ("kernel", group.name, kind), text)
        elif group.role is TAKING and kind in {"guard", "vips", "open"}:
            taking.settled(group, now_ms, kind, outcome, event.why)
        elif group.role is ACTIVE:
            active.settled(group, now_ms, kind, outcome, event.why)
        elif group.role is YIELDING:
            yielding.settled(group, now_ms, kind, outcome, event.why)
        elif outcome is Outcome.FAILED:
            self.around.alarm(now_ms, ("kernel", group.name, kind), f"{kind}: {event.why}")
        return True

    def _restore_fence(self, now_ms: int) -> None:
        self.around.alarm(now_ms, ("fence",), "somebody removed the fence; it is put back")
        for group in self.groups.values():
            is_open = group.role in INSTALLED or group.is_adopting
            group.prepare_fence(now_ms, is_open=is_open, is_shut=is_open and group.is_shut)

    def _restore_address(self, event: AddressVanished) -> None:
        for group in self.groups.values():
            if event.address in group.config.addresses:
                group.is_adopting = False
            if not group.role.is_holding or event.address not in group.config.addresses:
                continue
            text = f"somebody removed {event.address}; it is put back"
            self.around.alarm(event.now_ms, ("address", event.address), text)
            # nobody answered for it meanwhile: whom we do not hear may have taken it
            if group.role is TAKING or group.has_doubt(event.now_ms):
                group.release(event.now_ms, text)
                continue
            group.take_vips(event.now_ms, group.lease_end_ms())
            group.announce_at_ms = event.now_ms

    def _start_guard(self) -> None:
        any_group = next(iter(self.groups.values()))
        self.around.emit(StartGuard(self.around.take_number(any_group, "new guard")))

    def _obey(self, event: OperatorAsked | Reconfigured) -> None:
        if isinstance(event, Reconfigured):
            self._change.ask(event)
            return
        if event.command is Command.STOP:
            self.around.is_stopping = True
            self.around.beat_soon = True
            return
        for group in self.groups.values():
            if event.group in {"", group.name}:
                command.obey(group, event)

    # going on

    def _step(self, now_ms: int, frames_ms: int) -> None:
        for name, sight in self.around.sights.items():
            asked = sight.step(now_ms, frames_ms)
            if asked:
                self.around.ask(name, asked)
        for group in self.groups.values():
            for _ in range(STEPS_AT_ONCE):
                role = group.role
                group.wake_at_ms = NEVER_MS
                STEPS[role](group, now_ms)
                if group.role is role:
                    break
            else:
                group.wake(now_ms + 1)
            if group.request is not None:
                command.follow(group, now_ms)
        if self._change.is_busy:
            self._change.step(now_ms)
        if arbiter.lends(self.around):
            arbiter.ask(self.around, (*self.groups.values(), *self._change.places))

    def _turn(self, now_ms: int) -> None:
        """Once a heartbeat: beat, then renew what may be renewed, then ask the witnesses."""
        around = self.around
        self._next_beat_ms += around.timing.heartbeat_ms
        if self._next_beat_ms <= now_ms:
            self._next_beat_ms = now_ms + around.timing.heartbeat_ms
        self._send(now_ms)
        for group in self.groups.values():
            has_vips = group.role in INSTALLED or group.is_adopting
            if has_vips and active.keeps_witness_rule(group, now_ms):
                group.renew(now_ms)
            if active.looks_for_others(group, now_ms):
                group.probe_one()
        for name, sight in around.sights.items():
            around.ask(name, sight.turn(now_ms))
        around.expire_alarms(now_ms)
        for name, sight in around.sights.items():
            if sight.is_waived:
                around.alarm(now_ms, ("witness", name), f"no witness is known on {name}")

    def _send(self, now_ms: int) -> None:
        self._sequence += 1
        self._sent_ms = now_ms
        settings = self.settings
        groups = tuple(group.beat(now_ms) for group in self.groups.values())
        for peer in self.around.peers.values():
            peer.sent(self._sequence, now_ms)
            beat = Beat(
                settings.node,
                self.around.boot,
                self._sequence,
                peer.boot,
                peer.sequence,
                settings.digest,
                self.around.macs,
                groups,
                settings.newest_version,
            )
            versions = peer.versions(settings.newest_version)
            self.around.emit(SendBeat(peer.config.node, beat, versions))

    def _reserve(self, now_ms: int) -> None:
        """Have epochs written down long before they are needed."""
        if self._is_reserving or now_ms < self._reserve_again_ms:
            return
        highest = 0
        for group in self.groups.values():
            highest = max(highest, group.seen_epoch)
        if highest + EPOCHS_LEFT < self.around.epochs_below:
            return
        self._is_reserving = True
        self._reserve_below = highest + EPOCHS_RESERVED
        any_group = next(iter(self.groups.values()))
        number = self.around.take_number(any_group, "epochs")
        self.around.emit(ReserveEpochs(number, self._reserve_below))

    def _epochs_settled(self, event: Settled) -> None:
        self._is_reserving = False
        if event.outcome is Outcome.DONE:
            self.around.epochs_below = self._reserve_below
            return
        self._reserve_again_ms = event.now_ms + RETRY_MS
        text = f"the epoch cannot be written down: {event.why}"
        self.around.alarm(event.now_ms, ("epochs",), text)

    def _stop(self) -> None:
        if not self.around.is_stopping or self._has_stopped:
            return
        groups = self.groups.values()
        is_free = not any(group.role.is_holding or group.may_answer for group in groups)
        if is_free and self._change.is_free():
            self._has_stopped = True
            self.around.emit(Stop())

    def _look_ahead(self) -> None:
        """When time alone changes something again."""
        at_ms, lapse_ms, now_ms = self._next_beat_ms, NEVER_MS, self._stepped_ms
        self._is_beside = False
        for group in self.groups.values():
            self._is_beside |= group.role is STANDBY
            if group.role.is_holding or group.is_adopting:
                lapse_ms = min(lapse_ms, group.lease_end_ms())
            if now_ms < group.wake_at_ms < at_ms:
                at_ms = group.wake_at_ms
        if self._change.is_busy:
            for place in self._change.places:
                if now_ms < place.wake_at_ms < at_ms:
                    at_ms = place.wake_at_ms
        self._lapse_ms = lapse_ms
        self._apart_ms = min(at_ms, lapse_ms)
        self._await_silence()

    def _await_silence(self) -> None:
        """The deadline: what the groups wait for, or before that the silence of somebody."""
        at_ms = self.around.silence_ms(self._stepped_ms, is_beside=self._is_beside)
        self._is_for_silence = at_ms < self._apart_ms
        self.deadline_ms = min(at_ms, self._apart_ms)
        self._late_ms = self.deadline_ms + self.around.timing.heartbeat_ms // 2 + 1
