"""Running a command in a guest that stays, from outside: with this terminal, or with its output
taken."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final

from drctl.errors import DrctlError
from drctl.lab.door.frames import (
    INSIDE,
    MOST_BYTES,
    PORT,
    Frames,
    Kind,
    Start,
    send,
    send_told,
)
from drctl.lab.pair.host import inside_network

PASSED_ON: Final = ("TERM", "SHELL", "PATH", "HOME", "LANG", "LC_ALL", "TZ")
"""Of the caller's environment: how it looks, and where its programs are, which are the guest's."""
_CONNECT_LIMIT_S: Final = 10.0
_AT_ONCE: Final = struct.pack("ii", 1, 0)

Take = Callable[[bytes], object]


def call(keeper: int, words: Sequence[str], said: Take, errors: Take) -> int:
    """Run a command without input in the guest of this keeper (its pid), hand on what it writes to
    standard output and to standard error, and return its exit code. Raises DrctlError when the
    guest cannot be reached, or is lost."""
    with _connected(keeper) as connection:
        _begin(connection, words, None)
        send(connection, Kind.END_OF_INPUT)
        return _Talk(connection, said, errors).to_the_end()


def become(keeper: int, words: Sequence[str]) -> int:
    """Run a command there as if it ran here: its input, its output and its terminal are this
    process's; its exit code. Raises DrctlError as `call`."""
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    with _connected(keeper) as connection:
        _begin(connection, words, _size() if is_terminal else None)
        talk = _Talk(connection, _writer(1), _writer(2))
        with _raw_terminal() if is_terminal else nullcontext():
            return talk.with_input(is_terminal=is_terminal)


@contextmanager
def _connected(keeper: int) -> Iterator[socket.socket]:
    try:
        with inside_network(f"/proc/{keeper}/ns/net"):
            connection = socket.create_connection((INSIDE, PORT), _CONNECT_LIMIT_S)
    except OSError as refused:
        raise DrctlError(f"the guest cannot be reached: {refused.strerror or refused}") from refused
    with connection:
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # when this process ends, the guest knows it at once, whatever it has not read yet
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        yield connection


def _begin(connection: socket.socket, words: Sequence[str], size: tuple[int, int] | None) -> None:
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    start = Start(tuple(words), environment, str(Path.cwd()), size)
    send(connection, Kind.START, start.to_bytes())


def _writer(descriptor: int) -> Take:
    def write(data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]

    return write


class _Talk:
    """With a command that was started."""

    def __init__(self, connection: socket.socket, said: Take, errors: Take) -> None:
        self._connection = connection
        self._takers = {Kind.OUTPUT: said, Kind.ERRORS: errors}
        self._frames = Frames()

    def to_the_end(self) -> int:
        """Its exit code."""
        while (code := self._hear()) is None:
            pass
        return code

    def with_input(self, *, is_terminal: bool) -> int:
        """Its exit code; meanwhile it gets standard input, and is told of the terminal's size."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.register(0, select.POLLIN)
        with _resized() as news:
            poll.register(news, select.POLLIN)
            while True:
                for descriptor, _ in poll.poll():
                    if descriptor == self._connection.fileno():
                        if (code := self._hear()) is not None:
                            return code
                    elif descriptor == news:
                        os.read(news, MOST_BYTES)
                        if is_terminal:
                            send_told(self._connection, Kind.SIZE, _size())
                    elif typed := os.read(0, MOST_BYTES):
                        send(self._connection, Kind.INPUT, typed)
                    else:
                        poll.unregister(0)
                        send(self._connection, Kind.END_OF_INPUT)

    def _hear(self) -> int | None:
        """What it said by now; its exit code once it has ended."""
        try:
            received = self._connection.recv(MOST_BYTES)
        except ConnectionError:
            received = b""
        if not received:
            raise DrctlError("the guest was ended, or is lost")
        for kind, data in self._frames.of(received):
            if kind is Kind.ENDED:
                return int(json.loads(data))
            self._takers[kind](data)
        return None


def _size() -> tuple[int, int]:
    found = os.get_terminal_size(0)
    return found.lines, found.columns


@contextmanager
def _raw_terminal() -> Iterator[None]:
    """What is typed goes on as it is; the terminal is as it was afterwards."""
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextmanager
def _resized() -> Iterator[int]:
    """What can be read from once the terminal has another size."""
    news, own = os.pipe()
    os.set_blocking(own, False)

    def tell(_number: int, _frame: object) -> None:
        with suppress(BlockingIOError):  # it is told already
            os.write(own, b"!")

    before = signal.signal(signal.SIGWINCH, tell)
    try:
        yield news
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(news)
        os.close(own)
