"""Carries out what the core asks for, by the adapters. Decides nothing.

An action that touches the kernel is answered by one `Settled`, whatever became of it; the loop
feeds the answers before it takes in anything else.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from drctl.adapters.addresses import Addresses
from drctl.adapters.fence import Fence, FenceGone, Gate
from drctl.adapters.segment import Segment
from drctl.core import wire
from drctl.core.action import (
    Action,
    Alarm,
    Announce,
    Ask,
    AskArbiter,
    CloseFence,
    DropVips,
    EndReload,
    LayOut,
    OpenFence,
    PrepareFence,
    Probe,
    RenewFence,
    RenewVips,
    Reply,
    Report,
    ReserveEpochs,
    SendBeat,
    ShutArp,
    StartGuard,
    Stop,
    TakeVips,
    TellGuard,
)
from drctl.core.event import Outcome, Settled
from drctl.core.value import Settings, Vip
from drctl.daemon.later import Done, Work
from drctl.errors import DrctlError

ANNOUNCED_AT_ONCE = 100
"""Of more VIPs the repeated announcements are spread over turns, so that beats go on."""

FRAMES_AT_ONCE = 500

LATE = (Outcome.LATE, "")
DONE = (Outcome.DONE, "")

Answer = tuple[Outcome, str]
UNSETTLED: Answer = (Outcome.FAILED, "not settled yet")
"""The outcome is told later."""


@dataclass(slots=True)
class Repeat:
    """Announcements that are still to be sent, while the lease lasts."""

    vips: tuple[Vip, ...]
    before_ms: int


def now_ms() -> int:
    """The clock of all events: CLOCK_MONOTONIC in whole milliseconds."""
    return time.monotonic_ns() // 1_000_000


class Transport(Protocol):
    """What the heartbeat is sent by."""

    def send(self, peer: str, payload: bytes) -> int: ...


class Protector(Protocol):
    """The guard, as the executor needs it."""

    def hold(self, addresses: frozenset[str]) -> None:
        """Have the guard answer for exactly these addresses, before this returns."""

    def restart(self, addresses: frozenset[str]) -> None:
        """Start another guard that answers for these."""


class Epochs(Protocol):
    """Where epochs are written down."""

    def reserve(self, below: int) -> None: ...


class Listener(Protocol):
    """Who is told what happens: log, history, hooks, operators."""

    def changed(self, report: Report) -> None: ...

    def alarmed(self, alarm: Alarm) -> None: ...

    def replied(self, reply: Reply) -> None: ...

    def stopped(self) -> None: ...


class Tools(Protocol):
    """What the hands hold; `fence` is None where there is no nftables."""

    @property
    def addresses(self) -> Addresses: ...

    @property
    def fence(self) -> Fence | None: ...

    @property
    def segments(self) -> Mapping[str, Segment]: ...

    @property
    def heartbeat(self) -> Transport: ...

    @property
    def guard(self) -> Protector: ...

    @property
    def state(self) -> Epochs: ...

    @property
    def listener(self) -> Listener: ...


class Executor:
    """One node's hands."""

    def __init__(self, settings: Settings, tools: Tools) -> None:
        self._settings = settings
        self._groups = {group.name: group for group in settings.groups}
        self._lease_ms = settings.timing.lease_ms
        self._addresses = tools.addresses
        self._fence = tools.fence
        self._segments = tools.segments
        self._transport = tools.heartbeat
        self._protector = tools.guard
        self._epochs = tools.state
        self._listener = tools.listener
        self._guarded: dict[str, frozenset[str]] = {}
        self.settled: deque[Settled] = deque()
        self.beside: Callable[[Work, Done], None] = at_once
        """Has work done that takes longer than a turn may, and tells its end in the loop's thread.
        """
        self.on_disk: Callable[[Work, Done], None] = at_once
        """The same for what waits for a disk."""
        self.on_ask: Callable[[AskArbiter], None] = lambda _: None
        """Asks the arbiter, if there is one that lends groups."""
        self.on_settings: Callable[[Settings], None] = lambda _: None
        """Goes over to the links and keys that belong to the settings, or back to those of before;
        raises a DrctlError when nothing could be changed."""
        self.on_reload: Callable[[EndReload], None] = lambda _: None
        """Is told what became of a reload."""
        self._repeats: dict[str, Repeat] = {}
        self.is_over = False
        """Nothing is carried out any more: what is held is somebody else's."""
        self._hands: dict[type, Callable[..., Answer | None]] = {
            SendBeat: self._send_beat,
            Probe: self._probe,
            Ask: self._ask,
            PrepareFence: self._prepare_fence,
            TellGuard: self._tell_guard,
            StartGuard: self._start_guard,
            TakeVips: self._take_vips,
            RenewVips: self._renew_vips,
            DropVips: self._drop_vips,
            OpenFence: self._open_fence,
            RenewFence: self._renew_fence,
            ShutArp: self._shut_arp,
            CloseFence: self._close_fence,
            Announce: self._announce,
            ReserveEpochs: self._reserve_epochs,
            AskArbiter: self._ask_arbiter,
            LayOut: self._lay_out,
            EndReload: self._end_reload,
            Report: self._listener.changed,
            Alarm: self._listener.alarmed,
            Reply: self._listener.replied,
            Stop: lambda _: self._listener.stopped(),
        }

    def carry_out(self, actions: tuple[Action, ...]) -> None:
        """All of them, in order; answers are added to `settled`."""
        if self.is_over:
            return
        for action in actions:
            number = getattr(action, "number", None)
            try:
                answer = self._hands[type(action)](action)
            except DrctlError as refused:
                if number is None:
                    raise
                answer = (Outcome.FAILED, str(refused))
            if number is not None and answer is not UNSETTLED:
                assert answer is not None
                self.settled.append(Settled(now_ms(), number, *answer))

    def _vips(self, group: str, only: frozenset[str] = frozenset()) -> tuple[Vip, ...]:
        vips = self._groups[group].vips
        return tuple(vip for vip in vips if vip.address in only) if only else vips

    def _ask_arbiter(self, action: AskArbiter) -> None:
        self.on_ask(action)

    def _send_beat(self, action: SendBeat) -> None:
        for version in action.versions:
            self._transport.send(action.peer, wire.encode(action.beat, version))

    def _probe(self, action: Probe) -> None:
        self._segments[action.interface].probe(action.addresses)

    def _ask(self, action: Ask) -> None:
        self._segments[action.interface].ask(action.addresses)

    def _prepare_fence(self, action: PrepareFence) -> Answer:
        assert self._fence is not None
        gate = Gate.SHUT if action.is_shut else Gate.OPEN if action.is_open else Gate.CLOSED
        self._fence.prepare_group(action.group, self._vips(action.group), gate)
        return DONE

    def _tell_guard(self, action: TellGuard) -> Answer:
        self._guarded[action.group] = self._groups[action.group].addresses
        self._protector.hold(frozenset[str]().union(*self._guarded.values()))
        return DONE

    def _start_guard(self, action: StartGuard) -> Answer:
        addresses = frozenset[str]().union(*self._guarded.values())

        def done(refused: DrctlError | None) -> None:
            outcome = DONE if refused is None else (Outcome.FAILED, str(refused))
            self.settled.append(Settled(now_ms(), action.number, *outcome))

        self.beside(lambda: self._protector.restart(addresses), done)
        return UNSETTLED

    def _end_reload(self, action: EndReload) -> None:
        self.on_reload(action)

    def _lay_out(self, action: LayOut) -> Answer:
        """What may fail comes first, and is taken back when the rest does."""
        if now_ms() >= action.before_ms:
            return LATE
        guarded = {
            place.group.name: place.group.addresses for place in action.places if place.is_guarded
        }
        before = frozenset[str]().union(*self._guarded.values())
        after = frozenset[str]().union(*guarded.values())
        if not after <= before:
            self._protector.hold(before | after)
        if action.settings is not None:
            self.on_settings(action.settings)
        try:
            self._lay_fence(action)
        except DrctlError:
            if action.settings is not None:
                self.on_settings(self._settings)
            raise
        self._settings = action.settings or self._settings
        self._lease_ms = self._settings.timing.lease_ms
        self._groups = {place.group.name: place.group for place in action.places}
        self._guarded = guarded
        self._drop_repeats()
        if not before <= after:
            self._protector.hold(after)
        return DONE

    def _lay_fence(self, action: LayOut) -> None:
        if self._fence is None:
            return
        lease_ms = self._fence.fence_ms
        if action.settings is not None:
            self._fence.use_lease(action.settings.timing.fence_ms)
        try:
            self._fence.prepare(
                {place.group.name: place.group.vips for place in action.places},
                [place.group.name for place in action.places if place.is_open],
                [place.group.name for place in action.places if place.is_shut],
            )
        except DrctlError:
            self._fence.use_lease(lease_ms)
            raise

    def _drop_repeats(self) -> None:
        """Nothing is announced that is no VIP of the group any more."""
        for name, repeat in list(self._repeats.items()):
            group = self._groups.get(name)
            known = group.addresses if group is not None else frozenset[str]()
            repeat.vips = tuple(vip for vip in repeat.vips if vip.address in known)
            if not repeat.vips:
                del self._repeats[name]

    def _take_vips(self, action: TakeVips) -> Answer:
        if now_ms() >= action.before_ms:
            return LATE
        vips = self._vips(action.group, action.only)
        failed = self._addresses.delete_strays(vips) + self._addresses.add(vips, self._lease_ms)
        return _outcome(failed)

    def _renew_vips(self, action: RenewVips) -> Answer:
        vips = self._vips(action.group)[action.first : action.end]
        return _outcome(self._addresses.renew(vips, self._lease_ms))

    def _drop_vips(self, action: DropVips) -> Answer:
        if action.group not in self._groups:
            # its lease ended while another layout was made: nothing has that name any more
            return DONE
        if action.only:
            return _outcome(self._addresses.delete(action.only))
        self._repeats.pop(action.group, None)
        return _outcome(self._addresses.delete(self._groups[action.group].addresses))

    def _open_fence(self, action: OpenFence) -> Answer:
        assert self._fence is not None
        if now_ms() >= action.before_ms:
            return LATE
        self._fence.open(action.group)
        return DONE

    def _renew_fence(self, action: RenewFence) -> Answer:
        assert self._fence is not None
        return DONE if self._fence.renew(action.group) else (Outcome.LAPSED, "")

    def _shut_arp(self, action: ShutArp) -> Answer:
        assert self._fence is not None
        self._repeats.pop(action.group, None)
        self._fence.shut_arp(action.group)
        return DONE

    def _close_fence(self, action: CloseFence) -> Answer:
        assert self._fence is not None
        self._repeats.pop(action.group, None)
        if action.group not in self._groups:
            return DONE
        try:
            self._fence.close(action.group)
        except FenceGone:
            # nothing is fenced, but the VIPs are dropped next; the watch tells of the table
            return DONE
        return DONE

    def _announce(self, action: Announce) -> None:
        if now_ms() >= action.before_ms:
            return
        vips = self._vips(action.group, action.only)
        is_much = len(vips) > ANNOUNCED_AT_ONCE or len(vips) * action.count > FRAMES_AT_ONCE
        self._tell(vips, 1 if is_much else action.count)
        if is_much and action.count > 1:
            waiting = self._repeats.get(action.group) if action.only else None
            more = waiting.vips if waiting is not None else ()
            again = more + vips * (action.count - 1)
            self._repeats[action.group] = Repeat(again, action.before_ms)

    def go_on(self) -> bool:
        """Some more announcements of a large group; whether there is still something to do."""
        if not self._repeats:
            return False
        for name, repeat in list(self._repeats.items()):
            if now_ms() >= repeat.before_ms:
                del self._repeats[name]
                continue
            self._tell(repeat.vips[:ANNOUNCED_AT_ONCE], 1)
            repeat.vips = repeat.vips[ANNOUNCED_AT_ONCE:]
            if not repeat.vips:
                del self._repeats[name]
        return bool(self._repeats)

    def _tell(self, vips: tuple[Vip, ...], count: int) -> None:
        for interface in {vip.interface for vip in vips}:
            self._segments[interface].announce(vips, count)

    def _reserve_epochs(self, action: ReserveEpochs) -> Answer:
        def done(refused: DrctlError | None) -> None:
            outcome = DONE if refused is None else (Outcome.FAILED, str(refused))
            self.settled.append(Settled(now_ms(), action.number, *outcome))

        self.on_disk(lambda: self._epochs.reserve(action.below), done)
        return UNSETTLED


def at_once(work: Work, done: Done) -> None:
    """Without a loop: wait for it."""
    try:
        work()
    except DrctlError as refused:
        done(refused)
    else:
        done(None)


def _outcome(failed: list[DrctlError]) -> Answer:
    if not failed:
        return DONE
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return Outcome.FAILED, f"{failed[0]}{more}"


def packed(addresses: frozenset[str]) -> list[bytes]:
    """Addresses as the guard is told them."""
    return [
        socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        for address in sorted(addresses)
    ]
