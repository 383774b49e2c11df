"""Servers for the check program to ask, and the way to run it."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from corpus import PROJECT

PROGRAM = PROJECT / "templates" / "check" / "drctl-check"
LOOPBACK = "127.0.0.1"

Handler = Callable[[socket.socket], None]


@dataclass
class Asked:
    """A listening port, and what each client wrote before it closed."""

    port: int
    received: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """What the check program said."""

    status: int
    reason: str

    @property
    def is_up(self) -> bool:
        assert self.status in {0, 1}, self.reason
        return self.status == 0


def check(*arguments: str, state: Path | None = None, limit_s: float = 20) -> Answer:
    """Run the program with the system's interpreter, as keepalived would."""
    extra = [] if state is None else [f"--state-dir={state}"]
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    words = [*arguments[:cut], *extra, *arguments[cut:]]
    done = subprocess.run(
        [PROGRAM, *words], capture_output=True, timeout=limit_s, check=False, stdin=subprocess.PIPE
    )
    assert done.stdout == b""
    return Answer(done.returncode, done.stderr.decode("utf-8", "replace"))


def silent(_client: socket.socket) -> None:
    """Say nothing and wait for the client to leave."""


def saying(*pieces: bytes) -> Handler:
    """Send the pieces; each but the first only after the client has read what was there."""

    def handle(client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for index, piece in enumerate(pieces):
            if index and not wait_until_read(client):
                return
            client.sendall(piece)

    return handle


def closing(client: socket.socket) -> None:
    """End the answer without a byte."""
    client.shutdown(socket.SHUT_WR)


def resetting(client: socket.socket) -> None:
    """Break the connection."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()


def wait_until_read(client: socket.socket) -> bool:
    """Until the other end of this loopback connection has taken everything; False when it left."""
    here = client.getsockname()[1]
    there = client.getpeername()[1]
    for _ in range(1_000_000):
        queue = _receive_queue(there, here)
        if queue is None:
            return False
        if queue == 0:
            return True
        os.sched_yield()
    raise AssertionError("the client never read")


def _receive_queue(local: int, remote: int) -> int | None:
    """Unread bytes of the established connection with these ports, from /proc/net/tcp."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        ports = tuple(int(words[i].partition(":")[2], 16) for i in (1, 2))
        if ports == (local, remote) and words[3] == "01":
            return int(words[4].partition(":")[2], 16)
    return None


@contextmanager
def serving(handler: Handler, family: int = socket.AF_INET) -> Iterator[Asked]:
    """A TCP server that treats every client with `handler` and then reads until it leaves."""
    address = LOOPBACK if family == socket.AF_INET else "::1"
    with socket.create_server((address, 0), family=family) as listener:
        asked = Asked(listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, handler, asked))
        thread.start()
        try:
            yield asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=20)
            assert not thread.is_alive()


def _serve(listener: socket.socket, handler: Handler, asked: Asked) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            found = bytearray()
            try:
                handler(client)
                while piece := client.recv(65536):
                    found += piece
            except OSError:
                pass
            asked.received.append(bytes(found))


@contextmanager
def answering_udp(answer: bytes | None) -> Iterator[Asked]:
    """A UDP port that takes one datagram and answers it, or keeps silent (None)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind((LOOPBACK, 0))
        port.settimeout(20)
        asked = Asked(port.getsockname()[1])

        def serve() -> None:
            text, client = port.recvfrom(65536)
            asked.received.append(text)
            if answer is not None:
                port.sendto(answer, client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join(timeout=20)
        assert not thread.is_alive()


@contextmanager
def closed_port(kind: int = socket.SOCK_STREAM) -> Iterator[int]:
    """A port that is bound (nobody else gets it) and on which nobody listens."""
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind((LOOPBACK, 0))
        yield holder.getsockname()[1]
