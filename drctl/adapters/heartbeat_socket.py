"""The ZeroMQ sockets of one heartbeat link: `Connection` goes out to a peer, `Inbox` takes in.

Both are CURVE or nothing. libzmq (4.3.5) connects again by itself after a connection broke, but
never after a handshake that failed by protocol or by refusal; `Connection.is_stuck` says so, and
its owner makes another one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import count

import zmq

from drctl.adapters.heartbeat_listener import LinkRefused, Listener
from drctl.adapters.keys import SecretKey
from drctl.adapters.zap import DOMAIN

Context = zmq.Context[zmq.Socket[bytes]]

_HWM_OUT = 8
_HWM_IN = 64
_RETRANSMIT_MS = 300
_CONNECT_MS = 200
_RECONNECT_MS = 20
_HANDSHAKE_MS = 500
_IDLE_S = 1
_CURVE_BYTES = 64
"""What CURVE adds to a message, with something to spare."""
_INTERNET_CONTROL = 0xC0
"""The type of service of routing protocols, which VRRP has too."""
_FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_WATCHED = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | _FAILED
_EVENTS, _POLLIN, _NOBLOCK = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.NOBLOCK)
"""What is used for every message, as plain numbers: an enum's members take five times as long."""
_numbers = count()


@dataclass(frozen=True, slots=True)
class HeartbeatLink:
    """One path to a peer: we listen on `local` and connect from it to `remote`, both with `port`.

    `name` is what the core calls it; several peers may share `local` and `port`.
    """

    peer: str
    name: str
    local: str
    remote: str
    port: int

    @property
    def door(self) -> tuple[str, int]:
        """The listening socket that it needs."""
        return self.local, self.port


class Connection:
    """A PUSH socket that is connected, or tries to be, to one peer with one of its keys."""

    def __init__(
        self, context: Context, link: HeartbeatLink, own: SecretKey, server_key: str
    ) -> None:
        self.server_key = server_key
        self.own = own
        self.is_up = False
        self.is_stuck = False
        self._socket = context.socket(zmq.PUSH)
        _prepare(self._socket, own)
        self._socket.setsockopt(zmq.SNDHWM, _HWM_OUT)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._socket.setsockopt(zmq.CONNECT_TIMEOUT, _CONNECT_MS)
        self._socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
        self._socket.setsockopt_string(zmq.CURVE_PUBLICKEY, own.public)
        self._socket.setsockopt_string(zmq.CURVE_SERVERKEY, server_key)
        address = f"inproc://heartbeat-monitor-{next(_numbers)}"
        self._socket.monitor(address, _WATCHED)
        self._monitor = context.socket(zmq.PAIR)
        self._monitor.linger = 0
        self._monitor.connect(address)
        self.descriptor = int(self._monitor.getsockopt(zmq.FD))
        """Readable when something happened to the connection."""
        place = f"{_bracketed(link.remote)}:{link.port}"
        try:
            self._socket.connect(f"tcp://{_bracketed(link.local)}:0;{place}")
        except zmq.ZMQError as refused:
            self.close()
            raise LinkRefused("connect to", place, _os_error(refused)) from refused

    def send(self, payload: bytes) -> bool:
        """Hand the message over if there is a connection with room for it; never waits."""
        try:
            self._socket.send(payload, _NOBLOCK)
        except zmq.Again:
            return False
        return True

    def watch(self) -> None:
        """Take note of what happened."""
        while True:
            try:
                frames = self._monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            event, _value = struct.unpack("=HI", frames[0])
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.is_up = True
                self.is_stuck = False
            elif event & _FAILED:
                self.is_up = False
                self.is_stuck = True
            elif event == zmq.EVENT_DISCONNECTED:
                self.is_stuck = self.is_stuck or not self.is_up
                self.is_up = False

    def close(self, linger_ms: int = 0) -> None:
        """End it; what was sent has `linger_ms` to leave."""
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close(linger_ms)


class Inbox:
    """A PULL socket on a listening one, for whoever the authenticator lets in."""

    def __init__(
        self, context: Context, listener: Listener, own: SecretKey, max_bytes: int
    ) -> None:
        self._socket = context.socket(zmq.PULL)
        _prepare(self._socket, own)
        self._socket.setsockopt(zmq.RCVHWM, _HWM_IN)
        self._socket.setsockopt(zmq.MAXMSGSIZE, max_bytes + _CURVE_BYTES)
        self._socket.setsockopt(zmq.CURVE_SERVER, 1)
        self._socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        self._socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        # a peer that vanished without a word holds a descriptor until this notices
        self._socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        self._socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, _IDLE_S)
        self._socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, _IDLE_S)
        self._socket.setsockopt(zmq.USE_FD, listener.duplicate())
        try:
            self._socket.bind(f"tcp://{listener.place}")
        except zmq.ZMQError as refused:
            self._socket.close()
            raise LinkRefused("listen on", listener.place, _os_error(refused)) from refused
        self.descriptor = int(self._socket.getsockopt(zmq.FD))
        """Readable when a message may be there."""

    def take(self, *, is_first: bool = False) -> tuple[str, str, bytes] | None:
        """The sender's public key, its address and the message; None when there is nothing. A
        message of several parts is none of ours, and comes out empty. `is_first`: since the
        descriptor was readable."""
        # asking is five times as quick as an exception, but hardly anything else wakes us
        if not is_first and not int(self._socket.getsockopt(_EVENTS)) & _POLLIN:
            return None
        try:
            first = self._socket.recv(_NOBLOCK, copy=False)
        except zmq.Again:
            return None
        payload = first.bytes
        if first.more:
            payload = b""
            self._socket.recv_multipart(_NOBLOCK)
        return str(first.get("User-Id")), str(first.get("Peer-Address")), payload

    def close(self) -> None:
        """End it, and every connection that came in by it."""
        self._socket.close(0)


def _prepare(socket: zmq.Socket[bytes], own: SecretKey) -> None:
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
    socket.setsockopt(zmq.TCP_MAXRT, _RETRANSMIT_MS)
    socket.setsockopt(zmq.TOS, _INTERNET_CONTROL)
    socket.setsockopt_string(zmq.CURVE_SECRETKEY, own.secret)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _os_error(refused: zmq.ZMQError) -> OSError:
    return OSError(refused.errno, refused.strerror)
