"""The ends of a heartbeat link, which outlive their sockets: `Path` goes out, `Door` takes in."""

from __future__ import annotations

import select
from collections.abc import Collection
from dataclasses import dataclass

from drctl.adapters.heartbeat_listener import Listener
from drctl.adapters.heartbeat_socket import Connection, Context, HeartbeatLink, Inbox
from drctl.adapters.keys import SecretKey

_AGAIN_S = 0.1
"""Pause after a handshake that failed."""
_SILENT_S = 1.0
"""A connection that is not back by then is made anew: libzmq gives some up without a word."""
_DENIALS = 3
"""Handshakes in a row that fail before that is told, and more than there are keys: a process that
is killed leaves one behind."""
_SETTLE_S = 1.0
"""So long a door waits for its peers after its key has changed, before the next door changes."""
_MOST_EARLY_S = 0.9
"""Back peers end the wait, but leave the time for both sides to notice that this link is up."""


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Our connection to the peer stands: it has our key and we have its."""

    peer: str
    link: str


@dataclass(frozen=True, slots=True)
class LinkDown:
    """Our connection to the peer ended."""

    peer: str
    link: str


@dataclass(frozen=True, slots=True)
class LinkDenied:
    """The peer's address answers, but not as the peer: a wrong key on one side, or something else
    listens there. Told once, until the link has been up."""

    peer: str
    link: str


@dataclass(frozen=True, slots=True)
class Ground:
    """What all sockets of a heartbeat share."""

    context: Context
    poll: select.epoll
    max_bytes: int


class Door:
    """A listening socket, and what comes in by it."""

    def __init__(
        self, ground: Ground, key: tuple[str, int], sources: frozenset[str], own: SecretKey
    ) -> None:
        self.key = key
        self.awaited: set[str] = set()
        self._ground = ground
        self._until = 0.0
        self.listener = Listener(*key, sources)
        try:
            self.inbox = self._made(own)
        except BaseException:
            self.listener.close()
            raise

    def change(self, own: SecretKey, awaited: set[str], now: float) -> None:
        """Begin again with this key: all connections end, and who has the right key comes back."""
        inbox = self._made(own)
        self._forget()
        self.inbox = inbox
        self.awaited = set(awaited)
        self._until = now + _SETTLE_S

    def is_settled(self, now: float) -> bool:
        """Whether the awaited peers have come back, or have had the time to."""
        return now >= self._until or (not self.awaited and now >= self._until - _MOST_EARLY_S)

    def close(self) -> None:
        """End it with all its connections."""
        self._forget()
        self.listener.close()

    def _made(self, own: SecretKey) -> Inbox:
        ground = self._ground
        inbox = Inbox(ground.context, self.listener, own, ground.max_bytes)
        ground.poll.register(inbox.descriptor, select.EPOLLIN)
        return inbox

    def _forget(self) -> None:
        self._ground.poll.unregister(self.inbox.descriptor)
        self.inbox.close()


class Path:
    """Our connection to a peer over one link, with whichever of its keys the peer has now."""

    def __init__(
        self, ground: Ground, link: HeartbeatLink, own: SecretKey, keys: tuple[str, ...]
    ) -> None:
        self.link = link
        self.is_up = False
        self._ground = ground
        self._own = own
        self._keys = keys
        self._is_denied = False
        self._denials = 0
        self._again_at = 0.0
        self._silent_since: float | None = None
        self._next: Connection | None = None
        self._connection = self._made(keys[0])

    @property
    def descriptor(self) -> int:
        """Readable when something happened to the connection."""
        return self._connection.descriptor

    @property
    def is_settled(self) -> bool:
        """It stands, which was told, and nothing is tried: time alone changes nothing."""
        return self.is_up and self._next is None and self._connection.is_up

    def send(self, payload: bytes) -> bool:
        """Whether the message was taken."""
        return self._connection.send(payload)

    def turn(
        self, now: float, ready: Collection[int] | None
    ) -> list[LinkUp | LinkDown | LinkDenied]:
        """Look what happened, where one of the descriptors in `ready` is ours (None: all are), and
        try again where it is time to."""
        for connection in (self._next, self._connection):
            if connection is not None and (ready is None or connection.descriptor in ready):
                connection.watch()
        self._turn_next(now)
        found: list[LinkUp | LinkDown | LinkDenied] = []
        names = (self.link.peer, self.link.name)
        is_up = self._connection.is_up
        if is_up != self.is_up:
            self.is_up = is_up
            found.append(LinkUp(*names) if is_up else LinkDown(*names))
            if is_up:
                self._is_denied, self._denials = False, 0
            elif len(self._keys) > 1:
                # it may have changed its key just now
                self._replace(now)
        if not is_up:
            self._try_again(now)
            if self._denials >= max(_DENIALS, len(self._keys) + 1) and not self._is_denied:
                self._is_denied = True
                found.append(LinkDenied(*names))
        return found

    def change(self, own: SecretKey, keys: tuple[str, ...]) -> None:
        """Go over to these keys. A connection that stands is kept until the new one does, unless
        the peer's key has been withdrawn."""
        current = self._connection
        is_withdrawn = current.server_key not in keys
        if self._next is not None and (own, keys) != (self._own, self._keys):
            self._forget(self._next)
            self._next = None
        self._own, self._keys = own, keys
        if is_withdrawn or (current.own != own and not current.is_up):
            self._forget(current)
            self._connection = self._made(keys[0])
        elif current.own != own and self._next is None:
            self._next = self._made(current.server_key)

    def close(self, linger_ms: int = 0) -> None:
        """End it; what was sent has `linger_ms` to leave."""
        for connection in (self._connection, self._next):
            if connection is not None:
                self._forget(connection, linger_ms)

    def _turn_next(self, now: float) -> None:
        """The connection with our new key takes over once it stands."""
        if self._next is None:
            return
        if self._next.is_up or not self._connection.is_up:
            self._forget(self._connection, _LEAVE_MS)
            self._connection, self._next = self._next, None
        elif self._next.is_stuck and now >= self._again_at:
            self._again_at = now + _AGAIN_S
            key = self._after(self._next.server_key)
            self._forget(self._next)
            self._next = self._made(key)

    def _try_again(self, now: float) -> None:
        if self._silent_since is None:
            self._silent_since = now
        is_silent = now - self._silent_since >= _SILENT_S
        if self._connection.is_stuck and now >= self._again_at:
            self._denials += 1
        elif is_silent:
            self._denials = 0
        if (self._connection.is_stuck and now >= self._again_at) or is_silent:
            self._replace(now)

    def _replace(self, now: float) -> None:
        """A new connection, with the peer's next key."""
        key = self._after(self._connection.server_key)
        self._forget(self._connection)
        self._connection = self._made(key)
        self._silent_since = now
        # the other keys are tried at once
        self._again_at = now if key != self._keys[0] else now + _AGAIN_S

    def _after(self, key: str) -> str:
        at = self._keys.index(key) if key in self._keys else -1
        return self._keys[(at + 1) % len(self._keys)]

    def _made(self, key: str) -> Connection:
        made = Connection(self._ground.context, self.link, self._own, key)
        self._ground.poll.register(made.descriptor, select.EPOLLIN)
        # the descriptor tells of nothing before somebody has found that there was nothing
        made.watch()
        return made

    def _forget(self, connection: Connection, linger_ms: int = 0) -> None:
        self._ground.poll.unregister(connection.descriptor)
        connection.close(linger_ms)


_LEAVE_MS = 200
"""What the connection with the old key has taken may still leave."""
