"""The heartbeat's transport: opaque messages between directors, encrypted, over several links.

For each link a connection goes out (PUSH) and one comes in (PULL). Nothing here waits, starts a
thread of ours or decides anything: the owner polls `fileno()` and then calls `receive` and
`events`, and does so at least once in every heartbeat, since what a link does in time (another
try, another key) is done there.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import zmq

from drctl.adapters.heartbeat_link import Door, Ground, LinkDenied, LinkDown, LinkUp, Path
from drctl.adapters.heartbeat_socket import Context, HeartbeatLink
from drctl.adapters.keys import Keyring
from drctl.adapters.zap import Zap

MAX_BYTES = 16 * 1024
_AT_ONCE = 256
_MOST_SENDERS = 1024


@dataclass(frozen=True, slots=True)
class StrangerDenied:
    """Somebody at a peer's address knocked with a key that is on no list."""

    address: str
    key: str


LinkEvent = LinkUp | LinkDown | LinkDenied | StrangerDenied


class Heartbeat:
    """All links of one node. Raises LinkRefused where the kernel refuses a listening socket; an
    address that is not there, or a peer that is not, is no failure."""

    def __init__(
        self, links: Sequence[HeartbeatLink], keyring: Keyring, *, max_bytes: int = MAX_BYTES
    ) -> None:
        self._keyring = keyring
        self._max_bytes = max_bytes
        self._events: list[LinkEvent] = []
        self._context: Context = zmq.Context(io_threads=1)
        self._poll = select.epoll()
        self._ground = Ground(self._context, self._poll, max_bytes)
        self._more = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._more, select.EPOLLIN)
        self._zap = Zap(self._context, _accepted(keyring))
        self._poll.register(self._zap.descriptor, select.EPOLLIN)
        self._doors: dict[tuple[str, int], Door] = {}
        self._links = tuple(links)
        self._paths: dict[HeartbeatLink, Path] = {}
        self._waiting: list[Door] = []
        self._settling: Door | None = None
        self._ready: dict[tuple[str, int], None] = {}
        self._senders: dict[tuple[tuple[str, int], str, str], tuple[str, str] | None] = {}
        """Peer and link by door, key and address; of those who have sent something."""
        self.dropped = 0
        try:
            self._set_links(links)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """The one descriptor to poll for reading."""
        return self._poll.fileno()

    @property
    def refused(self) -> int:
        """Handshakes that the list of keys has refused so far."""
        return self._zap.refused

    def send(self, peer: str, payload: bytes) -> int:
        """Give the message to every link of the peer that is up and has room; how many took it."""
        assert len(payload) <= self._max_bytes, "the wire format has a smaller limit"
        return sum([path.send(payload) for path in self._paths.values() if path.link.peer == peer])

    def turn(self) -> tuple[list[tuple[str, str, bytes]], list[LinkEvent]]:
        """What `receive` and `events` would say, by looking once."""
        self._turn()
        return self._taken(), self._told()

    def receive(self) -> list[tuple[str, str, bytes]]:
        """Messages that have come: peer, link and the bytes, in the order of each link."""
        self._turn()
        return self._taken()

    def events(self) -> list[LinkEvent]:
        """What happened to the links since the last call."""
        self._turn()
        return self._told()

    def _taken(self) -> list[tuple[str, str, bytes]]:
        heard: list[tuple[str, str, bytes]] = []
        for key in self._ready:
            door = self._doors.get(key)
            if door is None:
                continue  # a reload has closed it
            for count in range(_AT_ONCE):
                taken = door.inbox.take(is_first=not count)
                if taken is None:
                    break
                found = self._sender(door, taken)
                if found is None:
                    self.dropped += 1
                else:
                    heard.append(found)
            else:
                self._call_again()
        self._ready.clear()
        return heard

    def _told(self) -> list[LinkEvent]:
        for address, key in self._zap.strangers():
            self._events.append(StrangerDenied(address, key))
        found = self._events
        self._events = []
        return found

    def is_up(self, peer: str, link: str) -> bool:
        """Whether our connection to the peer over the link stands."""
        return any(
            path.is_up for at, path in self._paths.items() if (at.peer, at.name) == (peer, link)
        )

    def reload(self, links: Sequence[HeartbeatLink], keyring: Keyring) -> None:
        """Go over to other links or keys; what stays the same is not touched.

        A new key of ours is used for calling a peer once it has accepted it, the old one until
        then; our listening sockets change one after the other, so that with two links some link
        carries messages all the time. A key that a peer no longer has is cut off. When a listening
        socket is refused, nothing has changed.
        """
        before = self._keyring
        self._doors |= self._new_doors(links, keyring)
        self._keyring = keyring
        self._zap.accepted = _accepted(keyring)
        is_other = keyring.own != before.own
        if is_other or not _accepted(before) <= _accepted(keyring):
            self._waiting = list(self._doors.values())
        self._links = tuple(links)
        self._set_links(links)
        for link, path in self._paths.items():
            path.change(keyring.own, keyring.accepted[link.peer])

    def renew(self, card: str) -> None:
        """A card of that name was made: listen anew on addresses that name it (`fe80::1%eth0`), for
        those were the old one's. Raises LinkRefused; then these links wait for another call."""
        others = [link for link in self._links if not link.local.endswith(f"%{card}")]
        if len(others) < len(self._links):
            self._set_links(others)
            self._set_links(self._links)

    def close(self, linger_ms: int = 0) -> None:
        """End everything; what was sent last has `linger_ms` to leave."""
        for path in self._paths.values():
            path.close(linger_ms)
        for door in self._doors.values():
            door.close()
        self._paths.clear()
        self._doors.clear()
        self._zap.close()
        self._context.term()
        if not self._poll.closed:
            self._poll.close()
            os.close(self._more)

    def _new_doors(
        self, links: Iterable[HeartbeatLink], keyring: Keyring
    ) -> dict[tuple[str, int], Door]:
        made: dict[tuple[str, int], Door] = {}
        try:
            for key, sources in _sources(links).items():
                if key not in self._doors:
                    made[key] = Door(self._ground, key, sources, keyring.own)
        except BaseException:
            for door in made.values():
                door.close()
            raise
        return made

    def _set_links(self, links: Sequence[HeartbeatLink]) -> None:
        self._senders.clear()
        self._doors.update(self._new_doors(links, self._keyring))
        wanted = _sources(links)
        for key in [key for key in self._doors if key not in wanted]:
            door = self._doors.pop(key)
            self._waiting = [other for other in self._waiting if other is not door]
            door.close()
        for key, sources in wanted.items():
            self._doors[key].listener.admit(sources)
        for link in [link for link in self._paths if link not in links]:
            path = self._paths.pop(link)
            if path.is_up:
                self._events.append(LinkDown(link.peer, link.name))
            path.close()
        for link in links:
            if link not in self._paths:
                keys = self._keyring.accepted[link.peer]
                self._paths[link] = Path(self._ground, link, self._keyring.own, keys)

    def _turn(self) -> None:
        """Everything but messages."""
        ready = {descriptor for descriptor, _ in self._poll.poll(0)}
        is_all = self._more in ready
        if is_all:
            os.eventfd_read(self._more)
        if (is_all or self._zap.descriptor in ready) and self._zap.answer():
            self._call_again()
        now = time.monotonic()
        for path in self._paths.values():
            if is_all or not path.is_settled or path.descriptor in ready:
                self._events += path.turn(now, None if is_all else ready)
        for key, door in self._doors.items():
            if is_all or door.inbox.descriptor in ready:
                self._ready[key] = None
        if self._settling is not None or self._waiting:
            self._change_doors(now)

    def _change_doors(self, now: float) -> None:
        """One listening socket after the other gets the new key."""
        if self._settling is not None and self._settling.is_settled(now):
            self._settling = None
        if self._settling is None and self._waiting:
            door = self._waiting.pop(0)
            up = (link for link, path in self._paths.items() if path.is_up)
            peers = {link.peer for link in up if link.door == door.key}
            door.change(self._keyring.own, peers, now)
            self._call_again()
            self._settling = door

    def _sender(self, door: Door, taken: tuple[str, str, bytes]) -> tuple[str, str, bytes] | None:
        """Whose message it is, by its key alone, and the link; None when it is nobody's."""
        key, address, payload = taken
        if not payload or len(payload) > self._max_bytes:
            return None
        who = door.key, key, address
        if who not in self._senders:
            if len(self._senders) == _MOST_SENDERS:
                self._senders.clear()
            self._senders[who] = self._link_of(door, key, address)
        found = self._senders[who]
        if found is None:
            return None
        door.awaited.discard(found[0])
        return *found, payload

    def _link_of(self, door: Door, key: str, address: str) -> tuple[str, str] | None:
        peer = self._keyring.node_of(key)
        own = [link for link in self._paths if link.peer == peer and link.door == door.key]
        if peer is None or not own:
            return None
        link = next((link for link in own if link.remote == address), own[0])
        return peer, link.name

    def _call_again(self) -> None:
        os.eventfd_write(self._more, 1)


def _accepted(keyring: Keyring) -> frozenset[str]:
    return frozenset(key for keys in keyring.accepted.values() for key in keys)


def _sources(links: Iterable[HeartbeatLink]) -> dict[tuple[str, int], frozenset[str]]:
    """The listening sockets that links need, and who may reach each."""
    found: dict[tuple[str, int], frozenset[str]] = {}
    for link in links:
        found[link.door] = found.get(link.door, frozenset()) | {link.remote}
    return found


__all__ = [
    "Heartbeat",
    "HeartbeatLink",
    "LinkDenied",
    "LinkDown",
    "LinkEvent",
    "LinkUp",
    "StrangerDenied",
]
