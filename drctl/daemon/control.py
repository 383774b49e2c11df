"""The socket that operators' commands come by, for a loop that waits for nobody.

A client sends one JSON object a line and gets one a line; it may ask again when it has its answer.
A request: `{"command": "...", "group": "", "target": "", "options": {}}`; only the first is needed.
What is no request is answered here, with `{"ok": false, "text": "..."}`, and the client let go of.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drctl.errors import DrctlError, FileRefused

MOST_CLIENTS = 32
MOST_REQUEST_BYTES = 64 << 10
_READ_BYTES = 64 << 10
_CREDENTIALS = struct.Struct("3i")
_LONGEST_PATH_BYTES = 107


class ControlTaken(DrctlError):
    """Another daemon answers on that socket."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for. `client` is what the answer is given to; `pid` and `uid` are the
    asking process's, as the kernel tells them."""

    client: int
    command: str
    group: str = ""
    target: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    pid: int = 0
    uid: int = 0


class _BadRequest(Exception):
    """A line that is no request."""


@dataclass(slots=True)
class _Client:
    number: int
    channel: socket.socket
    pid: int
    uid: int
    received: bytearray = field(default_factory=bytearray)
    unsent: bytes = b""
    is_asking: bool = False
    """Its request is with the daemon, or the answer on the way: it is not read from."""
    is_ending: bool = False
    """It is let go of when the answer is sent."""


class ControlServer:
    """Listens on a unix socket. `fileno` is readable when there is anything to do: `requests`."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._clients: dict[int, _Client] = {}
        self._by_number: dict[int, _Client] = {}
        self._last_number = 0
        self._listener = _listen(self.path)
        found = self.path.lstat()
        self._made = (found.st_dev, found.st_ino)
        # one descriptor for the loop, however many clients there are
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._spare = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._poll.fileno()

    def filenos(self) -> tuple[int, ...]:
        """The descriptors to wait for; always the same one."""
        return (self.fileno(),)

    def requests(self) -> list[Request]:
        """Do what can be done without waiting; the requests that have come."""
        found: list[Request] = []
        is_called = False
        for descriptor, events in self._poll.poll(0):
            if descriptor == self._listener.fileno():
                is_called = True
                continue
            client = self._clients[descriptor]
            if events & select.EPOLLHUP:
                # whoever was told that there is no answer is not to be obeyed later
                self._forget(client)
            elif client.unsent:
                self._send(client)
            elif events & select.EPOLLIN and not client.is_asking:
                self._receive(client, found)
            else:
                self._forget(client)
        if is_called:
            # last: a new client may get the descriptor of one that has just gone
            self._accept()
        return found

    def answer(self, client: int, answer: dict[str, Any]) -> None:
        """Answer a request; nothing happens when the client has gone."""
        found = self._by_number.get(client)
        if found is None or not found.is_asking or found.unsent:
            return
        found.unsent = json.dumps(answer, ensure_ascii=True).encode() + b"\n"
        self._send(found)

    def is_waiting(self, client: int) -> bool:
        """Whether the client is there, and has no answer yet."""
        found = self._by_number.get(client)
        return found is not None and found.is_asking and not found.unsent

    def close(self) -> None:
        """Let go of all, and take the socket away, if it is still this one."""
        for client in list(self._clients.values()):
            self._forget(client)
        self._poll.close()
        self._listener.close()
        os.close(self._spare)
        with suppress(FileNotFoundError):
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == self._made:
                self.path.unlink()

    # clients

    def _accept(self) -> None:
        try:
            channel, _ = self._listener.accept()
        except OSError as cause:
            if cause.errno in {errno.EMFILE, errno.ENFILE}:
                self._turn_away()
            return
        channel.setblocking(False)
        raw = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(raw)
        is_full = len(self._clients) >= MOST_CLIENTS and not self._evict()
        self._last_number += 1
        client = _Client(self._last_number, channel, pid, uid)
        self._clients[channel.fileno()] = client
        self._by_number[client.number] = client
        self._poll.register(channel, select.EPOLLIN)
        if uid not in {0, os.geteuid()}:
            self._refuse(client, "only root may ask this daemon")
        elif is_full:
            self._refuse(client, f"{MOST_CLIENTS} others are asking this daemon already")

    def _turn_away(self) -> None:
        """There are no descriptors left: whoever calls would call for ever."""
        os.close(self._spare)
        with suppress(OSError):
            self._listener.accept()[0].close()
        self._spare = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)

    def _evict(self) -> bool:
        """Let go of whoever has been there longest without asking anything."""
        for client in self._clients.values():
            if not client.is_asking:
                self._forget(client)
                return True
        return False

    def _receive(self, client: _Client, found: list[Request]) -> None:
        try:
            received = client.channel.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._forget(client)
            return
        client.received += received
        self._read_line(client, found)

    def _read_line(self, client: _Client, found: list[Request]) -> None:
        end = client.received.find(b"\n")
        if end < 0 and len(client.received) <= MOST_REQUEST_BYTES:
            return
        if end < 0 or end > MOST_REQUEST_BYTES:
            self._refuse(client, f"a request of more than {MOST_REQUEST_BYTES} bytes")
            return
        line = bytes(client.received[:end])
        if len(client.received) > end + 1:
            self._refuse(client, "a second request before the answer to the first")
            return
        client.received.clear()
        try:
            request = _request(client, line)
        except _BadRequest as wrong:
            self._refuse(client, str(wrong))
            return
        client.is_asking = True
        self._watch(client)
        found.append(request)

    def _refuse(self, client: _Client, text: str) -> None:
        client.is_asking = client.is_ending = True
        self.answer(client.number, {"ok": False, "text": text})

    def _send(self, client: _Client) -> None:
        try:
            sent = client.channel.send(client.unsent, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._forget(client)
            return
        client.unsent = client.unsent[sent:]
        if not client.unsent:
            if client.is_ending:
                self._forget(client)
                return
            client.is_asking = False
        self._watch(client)

    def _watch(self, client: _Client) -> None:
        """What is waited for of a client: room to send, or a request when it has none running, or
        nothing but its end, which is told always."""
        events = 0
        if client.unsent:
            events = select.EPOLLOUT
        elif not client.is_asking:
            events = select.EPOLLIN
        self._poll.modify(client.channel, events)

    def _forget(self, client: _Client) -> None:
        del self._clients[client.channel.fileno()]
        del self._by_number[client.number]
        self._poll.unregister(client.channel)
        client.channel.close()


def _request(client: _Client, line: bytes) -> Request:
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError) as wrong:
        raise _BadRequest(f"no JSON: {wrong}") from wrong
    if not isinstance(asked, dict):
        raise _BadRequest("a request is a JSON object")
    texts = [asked.get(name, "") for name in ("command", "group", "target")]
    options = asked.get("options", {})
    if not all(isinstance(text, str) for text in texts) or not isinstance(options, dict):
        raise _BadRequest("command, group and target are texts, options an object")
    if not texts[0]:
        raise _BadRequest("a request without a command")
    command, group, target = texts
    return Request(client.number, command, group, target, options, client.pid, client.uid)


def _listen(path: Path) -> socket.socket:
    """A listening socket that only its owner may connect to."""
    if len(os.fsencode(path)) > _LONGEST_PATH_BYTES:
        why = f"the path is longer than {_LONGEST_PATH_BYTES} bytes"
        raise FileRefused("listen on", str(path), why)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _clear(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)
            listener.bind(os.fspath(path))
            # nobody can connect before `listen`
            path.chmod(0o600)
            listener.listen(MOST_CLIENTS)
        except OSError:
            listener.close()
            raise
    except OSError as cause:
        raise FileRefused("listen on", str(path), cause) from cause
    return listener


def _clear(path: Path) -> None:
    """Take away a socket that nobody listens on any more."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise FileRefused("listen on", str(path), "it is there already, and no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.setblocking(False)
        # EAGAIN: its queue is full, so it listens
        found = other.connect_ex(os.fspath(path))
    if found == errno.ECONNREFUSED:
        path.unlink()
        return
    if found not in {0, errno.EAGAIN}:
        raise FileRefused("listen on", str(path), OSError(found, os.strerror(found)))
    raise ControlTaken(f"another drctl answers on {path}")
