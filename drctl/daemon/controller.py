"""The controller: one node, its adapters, and the loop between them."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from drctl.adapters.addresses import Addresses, AddressGone, LinkChanged, LinkGone, LinkState
from drctl.adapters.fence import Fence, FenceGone
from drctl.adapters.heartbeat import Heartbeat, StrangerDenied
from drctl.adapters.heartbeat_link import LinkDenied, LinkDown
from drctl.adapters.packet import is_station, mac_bytes
from drctl.adapters.segment import Segment
from drctl.core import wire
from drctl.core.event import (
    AddressVanished,
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
    Started,
)
from drctl.core.node import Node
from drctl.core.role import Role
from drctl.core.value import Settings
from drctl.daemon.cards import Cards
from drctl.daemon.executor import Executor, Listener, now_ms
from drctl.daemon.guard_keeper import GuardKeeper
from drctl.daemon.later import Done, Later, Work
from drctl.daemon.loop import BEATS, FRAMES, LOCAL, Loop
from drctl.daemon.state import State
from drctl.daemon.tracked_carrier import carrier, carriers
from drctl.errors import DrctlError

log = logging.getLogger("drctl")

ANSWERS = frozenset({"reply", "na"})
ANNOUNCEMENTS = frozenset({"announcement"})
LOOK_MS = 50
"""So long nobody looks whether scripts, recorder and operators want something in time."""
GUARD_AGAIN_MS = 1000
"""Pause after a guard that could not be started."""


@dataclass(slots=True)
class Counters:
    """What is not worth a line each."""

    beats_refused: int = 0
    frames_unsent: int = 0


@dataclass(slots=True)
class Equipment:
    """What a controller works with; `fence` is None where there is no nftables."""

    addresses: Addresses
    fence: Fence | None
    heartbeat: Heartbeat
    segments: dict[str, Segment]
    guard: GuardKeeper
    state: State
    listener: Listener
    counters: Counters = field(default_factory=Counters)


class Controller:
    """Runs one director until it is told to stop, and has let go of everything."""

    def __init__(self, settings: Settings, equipment: Equipment) -> None:
        self.settings = settings
        self.node = Node(settings)
        self._of = equipment
        self.executor = Executor(settings, equipment)
        self.loop = Loop(self.node, self.executor)
        self.on_turn: Callable[[], None] = lambda: None
        """Called now and then: for what nobody waits for."""
        self.on_denied: Callable[[LinkDenied | StrangerDenied], None] = lambda _: None
        """Is told of connections that were refused."""
        self.on_unread: Callable[[str, wire.WireError], None] = lambda *_: None
        """Is told of heartbeats of a peer that could not be read."""
        self._heard_ms = 0
        self._macs: dict[str, str] = {}
        """Hardware addresses of this host's cards, by interface."""
        self._group_of = {
            address: group.name for group in settings.groups for address in group.addresses
        }
        self.executor.beside = self._start_guard
        self._guard_fileno = equipment.guard.fileno()
        self._guard_again_ms = 0
        self._look_at_ms = 0
        self._cards = Cards(
            equipment.addresses, equipment.segments, self._reopen, equipment.listener.alarmed
        )
        self._cards.use(settings)
        self._indexes = {link.interface: link.index for link in equipment.addresses.links()}
        """Of all cards, as the heartbeat knows them."""
        self._later = Later()
        self.on_disk = self.executor.on_disk = self._later.do
        self._watch_all()

    def run(self) -> None:
        """Start the node, and work until `stop` has been carried out."""
        self.loop.feed(self._started())
        cards = [each for each in self._of.addresses.links() if is_station(mac_bytes(each.mac))]
        self._macs = {each.interface: each.mac for each in cards}
        self.loop.feed(MacsChanged(now_ms(), tuple(self._macs.items())))
        self._tell_links()
        self.loop.run()

    def stop(self) -> None:
        """Hand everything over, then end the loop."""
        self.loop.feed(OperatorAsked(now_ms(), Command.STOP))

    def leave(self) -> str:
        """End at once, with the VIPs left as they are to whoever comes after; "", or why not."""
        moving = [
            f"{name} is {group.role.word}"
            for name, group in self.node.groups.items()
            if group.role in {Role.TAKING, Role.YIELDING}
        ]
        if moving:
            return f"{', '.join(moving)}: ask again when it has settled"
        of = self._of
        held = [group for group in self.node.groups.values() if group.role is Role.ACTIVE]
        try:
            for refused in of.addresses.keep([vip for one in held for vip in one.config.vips]):
                return str(refused)
            if of.fence is not None:
                of.fence.remove()
            self.loop.forget(self._guard_fileno)
            of.guard.leave()
        except DrctlError as refused:
            return str(refused)
        self.executor.is_over = True
        self.loop.stop()
        return ""

    def open_segments(self, segments: dict[str, Segment]) -> None:
        """Hear and ask on these interfaces too."""
        for name, segment in segments.items():
            self._of.segments[name] = segment
            self._hear(segment)

    def _hear(self, segment: Segment) -> None:
        for descriptor in segment.filenos():
            self.loop.watch(descriptor, FRAMES, self._reader(segment, descriptor))

    def _reopen(self, segment: Segment, device: str) -> None:
        """On a card that was made anew."""
        for descriptor in segment.filenos():
            self.loop.forget(descriptor)
        try:
            segment.open_on(device)
        finally:
            self._hear(segment)

    @property
    def segments(self) -> dict[str, Segment]:
        """Those that are open, by interface."""
        return self._of.segments

    def close_segments(self, names: Iterable[str]) -> None:
        """No more on these."""
        for name in names:
            segment = self._of.segments.pop(name)
            for descriptor in segment.filenos():
                self.loop.forget(descriptor)
            segment.close()

    def present(self, settings: Settings) -> frozenset[str]:
        """VIPs of these settings that the kernel of this host has."""
        vips = {vip.address for group in settings.groups for vip in group.vips}
        return frozenset(
            each.address for each in self._of.addresses.observed() if each.address in vips
        )

    def use(self, settings: Settings) -> None:
        """The core has gone over to these settings."""
        self.settings = settings
        self._group_of = {
            address: group.name for group in settings.groups for address in group.addresses
        }
        self._cards.use(settings)
        for event in self._local_events():
            self.loop.feed(event)
        self._tell_links()

    def _tell_links(self) -> None:
        """A word to the core about each interface that matters."""
        links = self._of.addresses.links()
        for link in links:
            if link.interface in self.node.around.sights and not link.is_up:
                self.loop.feed(CarrierChanged(now_ms(), link.interface, is_up=False))
        for event in carriers(self.settings.groups, links):
            self.loop.feed(event)

    def _watch_all(self) -> None:
        of = self._of
        self.open_segments(dict(of.segments))
        self.loop.watch(of.addresses.fileno(), LOCAL, self._local_events)
        if of.fence is not None:
            self.loop.watch(of.fence.fileno(), LOCAL, self._fence_events)
        self.loop.watch(self._guard_fileno, LOCAL, self._guard_events)
        self.loop.watch(self._later.fileno(), LOCAL, self._later_events)
        self.loop.watch(of.heartbeat.fileno(), BEATS, self._heartbeat_events)
        self.loop.after_turn = self._after_turn

    def _started(self) -> Started:
        """What this host and the state directory know at the beginning."""
        present = self.present(self.settings)
        fence = self._of.fence
        is_fenced = fence is not None and fence.is_present()
        memory = self._of.state.memory()
        return Started(
            now_ms(),
            secrets.randbits(63) + 1,
            self._of.state.epoch,
            present,
            frozenset() if is_fenced else present,
            memory.stations,
            memory.peer_macs,
            self._of.state.paused,
        )

    # sources

    def _reader(self, segment: Segment, descriptor: int) -> Callable[[], Iterator[Event]]:
        def read() -> Iterator[Event]:
            told: set[tuple[str, str]] = set()
            for heard in segment.receive(descriptor):
                if heard.kind in ANNOUNCEMENTS:
                    # a director announces a thousand VIPs: one word for a group is enough
                    word = (heard.sender_mac, self._group_of.get(heard.sender_address, ""))
                    if word[1] and word in told:
                        continue
                    told.add(word)
                yield FrameHeard(
                    now_ms(),
                    segment.interface,
                    heard.sender_address,
                    heard.sender_mac,
                    heard.target_address,
                    heard.is_to_me and heard.kind in ANSWERS,
                )

        return read

    def _local_events(self) -> Iterator[Event]:
        for event in self._of.addresses.events():
            match event:
                case AddressGone():
                    yield AddressVanished(now_ms(), event.address)
                case LinkChanged():
                    yield from self._card_events(event.link)
                case LinkGone():
                    self._cards.lost(event.interface)
                    yield CarrierChanged(now_ms(), event.interface, is_up=False)
                    yield from self._changed_macs(event.interface, "")
                    yield from carrier(self.settings.groups, event.interface, is_up=False)

    def _card_events(self, link: LinkState) -> Iterator[Event]:
        """A card has changed, or come."""
        name = link.interface
        if self._indexes.get(name) != link.index:
            try:
                self._of.heartbeat.renew(name)
                self._indexes[name] = link.index
            except DrctlError as refused:
                # the next word of the card has it tried again
                log.warning("link_refused interface=%s error=%r", name, str(refused))
        is_up = self._cards.is_ready(link) and link.is_up
        yield CarrierChanged(now_ms(), name, is_up)
        yield from self._changed_macs(name, link.mac)
        yield from carrier(self.settings.groups, name, is_up=link.is_up)

    def _look_after_cards(self, at_ms: int) -> None:
        for link in self._cards.tick(at_ms):
            for event in self._card_events(link):
                self.loop.feed(event)
        for event in self._local_events():
            self.loop.feed(event)

    def _changed_macs(self, interface: str, mac: str) -> Iterator[Event]:
        before = self._macs.pop(interface, "")
        if is_station(mac_bytes(mac)):
            self._macs[interface] = mac
        if self._macs.get(interface, "") == before:
            return
        yield MacsChanged(now_ms(), tuple(self._macs.items()))

    def _fence_events(self) -> Iterator[Event]:
        fence = self._of.fence
        assert fence is not None
        if not fence.events():
            return
        try:
            fence.state()
        except FenceGone:
            yield FenceVanished(now_ms())

    def _guard_events(self) -> Iterator[Event]:
        self.loop.forget(self._guard_fileno)
        yield GuardLost(now_ms())

    def _start_guard(self, restart: Work, done: Done) -> None:
        """A process takes long to start: beats and leases go on meanwhile."""

        def settled(refused: DrctlError | None) -> None:
            done(refused)
            if refused is None:
                self._guard_fileno = self._of.guard.fileno()
                self.loop.watch(self._guard_fileno, LOCAL, self._guard_events)
            else:
                self._guard_again_ms = now_ms() + GUARD_AGAIN_MS

        self._later.do(restart, settled)

    def _later_events(self) -> Iterator[Event]:
        self._later.settle()
        while self.executor.settled:
            yield self.executor.settled.popleft()

    def _heartbeat_events(self) -> Iterator[Event]:
        self._heard_ms = now_ms()
        messages, links = self._of.heartbeat.turn()
        for peer, link, payload in messages:
            try:
                beat = wire.decode(payload, self.settings.newest_version)
            except wire.WireError as error:
                self._of.counters.beats_refused += 1
                self.on_unread(peer, error)
                continue
            yield BeatHeard(now_ms(), peer, link, beat)
        for event in links:
            if isinstance(event, LinkDown):
                yield LinkLost(now_ms(), event.peer, event.link)
            elif isinstance(event, LinkDenied | StrangerDenied):
                self.on_denied(event)

    def _after_turn(self) -> None:
        """The transport wants to be looked at once in a heartbeat, also when nothing comes."""
        at_ms = now_ms()
        if self._guard_again_ms and at_ms >= self._guard_again_ms:
            self._guard_again_ms = 0
            self.loop.feed(GuardLost(now_ms()))
        if at_ms - self._heard_ms >= self.settings.timing.heartbeat_ms:
            for event in self._heartbeat_events():
                self.loop.feed(event)
        if at_ms >= self._look_at_ms:
            self._look_at_ms = at_ms + LOOK_MS
            self._look_after_cards(at_ms)
            self.on_turn()

    def guard_pid(self) -> int:
        return self._of.guard.pid

    def close(self) -> None:
        """End the guard, which gives up what is left, take the fence away, and give back what is
        open."""
        of = self._of
        problems: list[str] = []
        self._later.close()
        ends = (of.guard.end, self._remove_fence, lambda: of.heartbeat.close(50))
        for end in (*ends, of.addresses.close):
            try:
                end()
            except DrctlError as error:
                problems.append(str(error))
        for segment in of.segments.values():
            segment.close()
        if of.fence is not None:
            of.fence.close_sockets()
        of.state.close()
        if problems:
            raise DrctlError("; ".join(problems))

    def _remove_fence(self) -> None:
        """Whoever has the VIPs on this host next is not to be silenced by a fence that nobody opens
        any more. A VIP that is here nevertheless stays silent."""
        if self._of.fence is not None and not self.present(self.settings):
            self._of.fence.remove()
