"""Who may speak to us: the authenticator of ZeroMQ (ZAP, RFC 27), in the poll loop of its owner.

libzmq asks it in the middle of a CURVE handshake, over a socket in the same process. A key on the
list gets in, and is the `User-Id` of all that comes by that connection; everything else is refused.
The socket must be bound before any other one is, and while nobody answers nobody gets in.
"""

from __future__ import annotations

from collections.abc import Collection

import zmq
from zmq.utils import z85

DOMAIN = b"drctl"
_ENDPOINT = "inproc://zeromq.zap.01"
_AT_ONCE = 64
_REQUEST_FRAMES = 9
_MOST_REMEMBERED = 256


class Zap:
    """Answers for one context. `accepted` are public keys in Z85."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], accepted: Collection[str]) -> None:
        self.accepted = frozenset(accepted)
        self.refused = 0
        self._strangers: dict[tuple[str, str], None] = {}
        self._socket = context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.bind(_ENDPOINT)
        self.descriptor = int(self._socket.getsockopt(zmq.FD))
        """Readable when somebody asks."""

    def answer(self) -> bool:
        """Answer who waits; True when more may wait."""
        for _ in range(_AT_ONCE):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return False
            self._answer_one(frames)
        return True

    def strangers(self) -> list[tuple[str, str]]:
        """Address and public key of those that were refused for the first time since the last
        call."""
        found = list(self._strangers)
        self._strangers.clear()
        return found

    def close(self) -> None:
        """Nobody gets in any more."""
        self._socket.close()

    def _answer_one(self, frames: list[bytes]) -> None:
        # routing id, empty, version, request id, domain, address, identity, mechanism, key
        if len(frames) != _REQUEST_FRAMES or frames[2] != b"1.0":
            self.refused += 1
            return
        domain, address, mechanism, raw = frames[4], frames[5], frames[7], frames[8]
        key = z85.encode(raw).decode("ascii") if len(raw) == 32 else ""
        is_known = domain == DOMAIN and mechanism == b"CURVE" and key in self.accepted
        if not is_known:
            self.refused += 1
            if len(self._strangers) < _MOST_REMEMBERED:
                self._strangers[address.decode("ascii", "replace"), key] = None
        status, text = (b"200", b"OK") if is_known else (b"400", b"unknown key")
        user = key.encode() if is_known else b""
        self._socket.send_multipart(
            [frames[0], b"", b"1.0", frames[3], status, text, user, b""], zmq.NOBLOCK
        )
