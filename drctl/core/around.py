"""What all groups of a node share: peers, interfaces, alarms, and the actions being collected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from drctl.core.action import Action, Alarm, Ask
from drctl.core.beat import GroupBeat
from drctl.core.peer import PeerView
from drctl.core.role import PASSING
from drctl.core.sight import Sight
from drctl.core.value import NEVER_MS, Settings, Timing
from drctl.core.wire import MACS_LIMIT

if TYPE_CHECKING:
    from drctl.core.group import GroupState

ALARM_LASTS_MS = 3000
"""An alarm ends when its cause was not seen for so long."""


class Around:
    """The node's common state; groups read it, and add to `out`."""

    __slots__ = (
        "alarms",
        "asked",
        "beat_soon",
        "boot",
        "epochs_below",
        "former",
        "grants",
        "host_macs",
        "is_stopping",
        "leftover",
        "lent_ms",
        "mac_of",
        "macs",
        "number",
        "out",
        "own_macs",
        "peers",
        "peers_at",
        "pending",
        "reports",
        "settings",
        "sights",
        "stopped_ms",
        "timing",
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.timing: Timing = settings.timing
        self.peers = {peer.node: PeerView(peer, settings.timing) for peer in settings.peers}
        self.peers_at: dict[tuple[str, str], list[PeerView]] = {}
        """Those that have a link address, by our interface and that address."""
        self.note_addresses()
        self.sights = {
            interface.name: Sight(interface, settings.timing, self.peers_on(interface.name))
            for interface in settings.interfaces
        }
        self.host_macs = settings.macs
        self.mac_of = {interface.name: min(interface.macs) for interface in settings.interfaces}
        self.macs: tuple[str, ...] = ()
        """Hardware addresses that this host may answer by: any card answers for any address."""
        self.own_macs: frozenset[str] = frozenset()
        """All that it has, also where they are too many to be told."""
        self.note_macs()
        self.out: list[Action] = []
        self.number = 0
        self.pending: dict[int, tuple[GroupState, str]] = {}
        self.alarms: dict[tuple[str, ...], int] = {}
        self.reports: dict[str, tuple[bool, int]] = {}
        self.grants: dict[str, int] = {}
        """Until when the arbiter allows what, by VIP, or of all with ""."""
        self.lent_ms: dict[frozenset[str], int] = {}
        """The same for VIPs together, worked out already."""
        self.asked: dict[frozenset[str], str] = {}
        """Who is to have VIPs, as the arbiter was told."""
        self.beat_soon = False
        self.boot = 0
        self.stopped_ms = 0
        """When this process last found that it had been late by half a heartbeat: what waits to
        be read then is from before."""
        self.epochs_below = 0
        self.is_stopping = False
        self.former: dict[str, PeerView] = {}
        """Directors that the configuration does not name any more: they may still run."""
        self.leftover: frozenset[str] = frozenset()
        """Addresses that are no VIPs any more, and could not be dropped yet."""

    def note_addresses(self) -> None:
        """After the peers have changed."""
        self.peers_at.clear()
        for view in self.peers.values():
            for at in view.config.addresses:
                self.peers_at.setdefault(at, []).append(view)

    def peers_on(self, interface: str) -> tuple[str, ...]:
        """Addresses of peers that are reached by one of our interfaces."""
        return tuple(address for name, address in self.peers_at if name == interface)

    def note_beat(self, peer: PeerView, link: str, now_ms: int) -> None:
        """A fresh heartbeat came by that link: the card that it runs over hears."""
        for each in peer.config.links:
            if each.name == link and (sight := self.sights.get(each.interface)) is not None:
                sight.beat_ms = now_ms

    def note_macs(self) -> None:
        """After hardware addresses have changed."""
        every = dict.fromkeys((*self.mac_of.values(), *self.host_macs))
        self.macs = tuple(every)[:MACS_LIMIT]
        self.own_macs = frozenset(every)

    def change_macs(self, macs: Mapping[str, str]) -> set[str]:
        """The host's cards have these; the names of those that had another one before."""
        self.host_macs = tuple(macs.values())
        changed = {name for name, mac in self.mac_of.items() if macs.get(name, mac) != mac}
        for name in changed:
            self.mac_of[name] = macs[name]
            if sight := self.sights.get(name):
                sight.config = replace(sight.config, macs=(macs[name],))
        self.note_macs()
        return changed

    def emit(self, action: Action) -> None:
        self.out.append(action)

    def ask(self, interface: str, addresses: tuple[str, ...]) -> None:
        if addresses:
            self.out.append(Ask(interface, addresses))

    def take_number(self, group: GroupState, kind: str) -> int:
        """The number for an action whose outcome the group wants to hear of as `kind`."""
        self.number += 1
        self.pending[self.number] = (group, kind)
        return self.number

    def fresh(self, now_ms: int) -> list[PeerView]:
        """Peers that live, as far as beats can tell."""
        return [peer for peer in self.peers.values() if now_ms < peer.fresh_until_ms]

    def silence_ms(self, now_ms: int, *, is_beside: bool) -> int:
        """When the next peer or witness is silent, unless it is heard before; `is_beside`: or the
        beat of a peer late."""
        at_ms = NEVER_MS
        for peer in self.peers.values():
            if now_ms < peer.fresh_until_ms < at_ms:
                at_ms = peer.fresh_until_ms
            if is_beside and now_ms < peer.late_from_ms < at_ms:
                at_ms = peer.late_from_ms
        for sight in self.sights.values():
            if (wake_ms := sight.wake_ms()) < at_ms:
                at_ms = max(wake_ms, now_ms)
        return at_ms

    def silent(self, now_ms: int) -> list[PeerView]:
        return [peer for peer in self.peers.values() if now_ms >= peer.fresh_until_ms]

    def is_other(self, peer: PeerView) -> bool:
        """The peer has another configuration, as far as it was heard."""
        return peer.beat is not None and peer.beat.digest != self.settings.digest

    def is_strange(self, theirs: GroupBeat) -> bool:
        """A peer's group that this node does not know."""
        return all(group.name != theirs.name for group in self.settings.groups)

    def is_mixed(self, now_ms: int) -> bool:
        """A living peer has another configuration."""
        return any(self.is_other(peer) for peer in self.fresh(now_ms))

    def is_hidden(self, name: str, now_ms: int) -> bool:
        """A living peer with another configuration takes another group, or hands it over: it may
        have VIPs of this one, is silent, and will not be for long."""
        return any(
            group.role in PASSING and group.name != name
            for peer in self.fresh(now_ms)
            if self.is_other(peer)
            for group in peer.groups.values()
        )

    def peer_of(self, mac: str) -> PeerView | None:
        """The peer that the MAC belongs to, None for others."""
        for peer in (*self.peers.values(), *self.former.values()):
            if mac in peer.macs:
                return peer
        return None

    def may_be_peer(self, interface: str, mac: str, now_ms: int) -> bool:
        """Nobody knows whose MAC it is, and there is a silent peer of which no MAC is known."""
        if self.sights[interface].has_mac(mac):
            return False
        return any(not peer.macs for peer in self.silent(now_ms))

    def alarm(self, now_ms: int, key: Iterable[str], text: str) -> None:
        """Raise an alarm, or keep it up."""
        key = tuple(key)
        if key not in self.alarms:
            self.emit(Alarm(key, text, is_on=True))
        self.alarms[key] = now_ms + ALARM_LASTS_MS

    def expire_alarms(self, now_ms: int) -> None:
        for key in [key for key, end_ms in self.alarms.items() if now_ms >= end_ms]:
            del self.alarms[key]
            self.emit(Alarm(key, "", is_on=False))
