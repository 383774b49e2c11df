"""A very small HTTP server for a loop that waits for nobody: GET /metrics, and nothing else.

A request is answered and the connection closed. Who is slow, or sends nothing, keeps one of a few
places until somebody else needs it.
"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from drctl.errors import DrctlError

MOST_CLIENTS = 8
MOST_REQUEST_BYTES = 8192
_READ_BYTES = 8192
_MOST_CALLING = 64

Page = Callable[[], str]


class MetricsRefused(DrctlError):
    """The address cannot be listened on."""


@dataclass(slots=True)
class _Client:
    channel: socket.socket
    received: bytes = b""
    unsent: bytes = b""
    has_sent: bool = False


class MetricsServer:
    """Listens on `host`:`port`; `page` makes the text, with `content_type`, for each request.

    `fileno` is always the same; when it is readable: `serve`.
    """

    def __init__(self, host: str, port: int, page: Page, content_type: str) -> None:
        self._page = page
        self._type = content_type
        self._listener = _listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._clients: dict[int, _Client] = {}
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)

    def fileno(self) -> int:
        return self._poll.fileno()

    def serve(self) -> None:
        """Do what can be done without waiting."""
        is_called = False
        for descriptor, _ in self._poll.poll(0):
            if descriptor == self._listener.fileno():
                is_called = True
            else:
                self._go_on(self._clients[descriptor])
        if is_called:
            self._accept()

    def close(self) -> None:
        for client in list(self._clients.values()):
            self._forget(client)
        self._poll.close()
        self._listener.close()

    def _accept(self) -> None:
        if len(self._clients) >= MOST_CLIENTS:
            self._forget(next(iter(self._clients.values())))
        try:
            channel, _ = self._listener.accept()
        except OSError as cause:
            if cause.errno in {errno.EMFILE, errno.ENFILE} and self._clients:
                self._forget(next(iter(self._clients.values())))
            return
        channel.setblocking(False)
        self._clients[channel.fileno()] = _Client(channel)
        self._poll.register(channel, select.EPOLLIN)

    def _go_on(self, client: _Client) -> None:
        try:
            if client.unsent:
                self._send(client)
            elif client.has_sent:
                self._drain(client)
            else:
                self._receive(client)
        except BlockingIOError:
            return
        except OSError:
            self._forget(client)

    def _receive(self, client: _Client) -> None:
        received = client.channel.recv(_READ_BYTES)
        client.received += received
        is_whole = b"\r\n\r\n" in client.received or b"\n\n" in client.received
        if is_whole:
            client.unsent = self._response(client.received)
        elif len(client.received) > MOST_REQUEST_BYTES:
            client.unsent = _response("431 Request Header Fields Too Large", "too large\n")
        elif not received:
            self._forget(client)
            return
        else:
            return
        self._poll.modify(client.channel, select.EPOLLOUT)
        self._send(client)

    def _send(self, client: _Client) -> None:
        sent = client.channel.send(client.unsent, socket.MSG_NOSIGNAL)
        client.unsent = client.unsent[sent:]
        if client.unsent:
            return
        # closing while something unread lies there would take the answer back
        client.has_sent = True
        client.channel.shutdown(socket.SHUT_WR)
        self._poll.modify(client.channel, select.EPOLLIN)

    def _drain(self, client: _Client) -> None:
        client.received = b""
        if not client.channel.recv(_READ_BYTES):
            self._forget(client)

    def _response(self, request: bytes) -> bytes:
        words = request.split(b"\n", 1)[0].split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _response("400 Bad Request", "not HTTP\n")
        method, target, _ = words
        if method not in {b"GET", b"HEAD"}:
            return _response("405 Method Not Allowed", "GET only\n", "Allow: GET, HEAD\r\n")
        if target.split(b"?", 1)[0] != b"/metrics":
            return _response("404 Not Found", "there is only /metrics\n")
        whole = _response("200 OK", self._page(), kind=self._type)
        return whole if method == b"GET" else whole.split(b"\r\n\r\n", 1)[0] + b"\r\n\r\n"

    def _forget(self, client: _Client) -> None:
        del self._clients[client.channel.fileno()]
        self._poll.unregister(client.channel)
        client.channel.close()


def _response(code: str, text: str, more: str = "", kind: str = "text/plain") -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {code}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"{more}Connection: close\r\n\r\n"
    )
    return head.encode() + body


def _listen(host: str, port: int) -> socket.socket:
    try:
        # numbers only: a name service may be what is down
        flags = socket.AI_NUMERICHOST | socket.AI_PASSIVE
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                with suppress(OSError):
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.setblocking(False)
            listener.bind(address)
            listener.listen(_MOST_CALLING)
        except OSError:
            listener.close()
            raise
    except OSError as cause:
        message = f"cannot listen on {host} port {port} for metrics: {cause.strerror or cause}"
        raise MetricsRefused(message) from cause
    return listener
