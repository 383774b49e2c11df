"""`python3 -m drctl.lab.door.server PLAN`: in the guest, runs what comes through the door, until
the guest is ended. The plan is not read: every guest program gets one."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

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
from drctl.lab.guest.events import emit

_WAITING_BYTES: Final = 1 << 18
"""What is read ahead of a command that does not read it."""
_GONE: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL


def main() -> None:
    """Serve, a thread for each command."""
    for number in (signal.SIGHUP, signal.SIGINT):
        # what is ignored here, commands would ignore too
        signal.signal(number, signal.SIG_DFL)
    with socket.create_server((INSIDE, PORT)) as door:
        emit("booted", kernel=os.uname().release)
        while True:
            connection, _ = door.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


def serve(connection: socket.socket) -> None:
    """One command. Its caller hears why it could not be started as the shell's 126."""
    frames = Frames()
    waiting: list[tuple[Kind, bytes]] = []
    with connection, suppress(ConnectionError):
        while not waiting:
            received = connection.recv(MOST_BYTES)
            if not received:
                return
            waiting = frames.of(received)
        start = Start.from_bytes(waiting.pop(0)[1])
        try:
            session = _Session(connection, start, frames)
        except OSError as refused:
            send(connection, Kind.ERRORS, f"{start.words[0]}: {refused.strerror}\n".encode())
            send_told(connection, Kind.ENDED, 126)
            return
        session.run(waiting)


class _Session:
    """A command that runs: what it says goes out, what its caller types goes in. When the caller is
    gone it is hung up on, as by a terminal."""

    def __init__(self, connection: socket.socket, start: Start, frames: Frames) -> None:
        self._connection, self._frames = connection, frames
        self._terminal = -1
        self._process = self._on_terminal(start) if start.size else self._on_pipes(start)
        self._to_send = bytearray()
        self._is_input_over = False

    def _on_pipes(self, start: Start) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        process = _open(start, pipe, pipe, pipe)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._input = os.dup(process.stdin.fileno())
        process.stdin.close()
        self._outputs = {
            process.stdout.fileno(): Kind.OUTPUT,
            process.stderr.fileno(): Kind.ERRORS,
        }
        return process

    def _on_terminal(self, start: Start) -> subprocess.Popen[bytes]:
        assert start.size
        self._terminal, other = os.openpty()
        _resize(self._terminal, start.size)
        try:
            process = _open(start, other, other, other)
        except BaseException:
            os.close(self._terminal)
            raise
        finally:
            os.close(other)
        self._input = os.dup(self._terminal)
        self._outputs = {self._terminal: Kind.OUTPUT}
        return process

    def run(self, frames: list[tuple[Kind, bytes]]) -> None:
        """To its end."""
        os.set_blocking(self._input, False)
        try:
            self._take(frames)
            while self._outputs:
                self._step()
            send_told(self._connection, Kind.ENDED, _exit_code(self._process.wait()))
        except (ConnectionError, ValueError):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGHUP)
        finally:
            self._close()
            self._process.wait()

    def _step(self) -> None:
        poll = select.poll()
        room = len(self._to_send) < _WAITING_BYTES
        poll.register(self._connection, select.POLLRDHUP | (select.POLLIN if room else 0))
        for output in self._outputs:
            poll.register(output, select.POLLIN)
        if self._to_send and self._input >= 0:
            poll.register(self._input, select.POLLOUT)
        for descriptor, events in poll.poll():
            if descriptor == self._connection.fileno():
                self._hear(events)
            elif descriptor in self._outputs:
                self._say(descriptor)
            else:
                self._pass_on(events)

    def _hear(self, events: int) -> None:
        received = self._connection.recv(MOST_BYTES) if events & select.POLLIN else b""
        if not received:
            raise ConnectionResetError("the caller is gone")
        self._take(self._frames.of(received))

    def _take(self, frames: list[tuple[Kind, bytes]]) -> None:
        for kind, data in frames:
            match kind:
                case Kind.INPUT:
                    self._to_send += data
                case Kind.END_OF_INPUT:
                    self._is_input_over = True
                case Kind.SIZE if self._terminal >= 0:
                    rows, columns = json.loads(data)
                    _resize(self._terminal, (rows, columns))
        self._end_input()

    def _say(self, output: int) -> None:
        try:
            said = os.read(output, MOST_BYTES)
        except OSError:  # a terminal that nobody has open any more
            said = b""
        if said:
            send(self._connection, self._outputs[output], said)
        else:
            del self._outputs[output]

    def _pass_on(self, events: int) -> None:
        try:
            if events & _GONE:
                raise BrokenPipeError
            del self._to_send[: os.write(self._input, self._to_send)]
        except BlockingIOError:
            return
        except OSError:  # the command reads no more
            self._to_send.clear()
            self._is_input_over = True
        self._end_input()

    def _end_input(self) -> None:
        """The command's input ends once all of it was handed on."""
        if self._is_input_over and not self._to_send and self._input >= 0:
            os.close(self._input)
            self._input = -1

    def _close(self) -> None:
        for one in (self._input, self._terminal):
            if one >= 0:
                os.close(one)
        for file in (self._process.stdout, self._process.stderr):
            if file:
                file.close()


def _open(start: Start, given: int, said: int, errors: int) -> subprocess.Popen[bytes]:
    """In a session of its own, so that all of it can be hung up on."""
    folder = Path(start.folder)
    # in place of this process, with the terminal as the session's
    leader = ("setsid", "--ctty") if start.size else ()
    return subprocess.Popen(
        (*leader, *start.words),
        stdin=given,
        stdout=said,
        stderr=errors,
        cwd=folder if folder.is_dir() else "/",
        env={**os.environ, **start.environment},
        start_new_session=not leader,
    )


def _resize(terminal: int, size: tuple[int, int]) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))


def _exit_code(status: int) -> int:
    """As a shell has it."""
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    main()
