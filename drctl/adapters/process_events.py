"""Processes of this machine: what there is in /proc, and what the kernel tells of starts and ends.

The kernel's process connector (linux/cn_proc.h) tells nothing in a network, PID or user namespace
other than the first one: there `ProcessEvents` is refused. Imports little.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from drctl.adapters.netlink import RECEIVE_BUFFER_BYTES, attach_filter, bpf
from drctl.errors import KernelRefused
from drctl.quickclass import dataclass

_NETLINK_CONNECTOR = 11
_CN_IDX_PROC = _CN_VAL_PROC = 1
_LISTEN, _IGNORE = 1, 2
_NLMSG_DONE = 3
_SO_RCVBUFFORCE = 33

_NONE, _FORK, _EXEC, _COMM, _EXIT = 0, 1, 2, 0x200, 0x80000000
_HEADER = struct.Struct("=IHHII")
_CONNECTOR = struct.Struct("=IIIIHH")
_WORD = struct.Struct("=I")
_EVENT_AT = _HEADER.size + _CONNECTOR.size
_DATA_AT = _EVENT_AT + 16
_DATA = struct.Struct("=IIII")
_COMM_AT = _DATA_AT + 8
_COMM_BYTES = 16
_READ_BYTES = 4096
_OPERATION = "listen to starts and ends of processes"


@dataclass(frozen=True, slots=True)
class Forked:
    """A process has a new child."""

    parent: int
    pid: int


@dataclass(frozen=True, slots=True)
class Executed:
    """A process runs another program."""

    pid: int


@dataclass(frozen=True, slots=True)
class Renamed:
    """A process gave itself another name."""

    pid: int
    name: bytes


@dataclass(frozen=True, slots=True)
class Exited:
    """A process is over."""

    pid: int


ProcessEvent = Forked | Executed | Renamed | Exited


class ProcessEvents:
    """What the kernel tells, from the moment this was made. Raises KernelRefused where it does
    not."""

    def __init__(self) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            self._socket = socket.socket(socket.AF_NETLINK, kind, _NETLINK_CONNECTOR)
        except OSError as cause:
            raise KernelRefused(_OPERATION, cause.errno) from cause
        try:
            self._listen()
        except OSError as cause:
            self._socket.close()
            raise KernelRefused(_OPERATION, cause.errno) from cause
        except KernelRefused:
            self._socket.close()
            raise

    def _listen(self) -> None:
        attach_filter(self._socket, _processes_alone())
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._socket.bind((0, _CN_IDX_PROC))
        number = secrets.randbits(31)
        self._ask(_LISTEN, number)
        # the answer is there when the call returns, or never comes
        if not self._is_confirmed(number):
            raise KernelRefused(_OPERATION, errno.EOPNOTSUPP, "the kernel does not answer")

    def _ask(self, operation: int, number: int) -> None:
        body = _CONNECTOR.pack(_CN_IDX_PROC, _CN_VAL_PROC, 0, number, _WORD.size, 0)
        body += _WORD.pack(operation)
        length = _HEADER.size + len(body)
        self._socket.send(_HEADER.pack(length, _NLMSG_DONE, 0, 0, 0) + body)

    def _is_confirmed(self, number: int) -> bool:
        while True:
            try:
                message, (sender, _) = self._socket.recvfrom(_READ_BYTES)
            except BlockingIOError:
                return False
            if sender == 0 and _kind(message) == _NONE:
                acknowledged = _CONNECTOR.unpack_from(message, _HEADER.size)[3]
                (refused,) = _WORD.unpack_from(message, _DATA_AT)
                if acknowledged == number + 1:
                    return not refused

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        """Listen no more: the kernel counts its listeners."""
        with suppress(OSError):
            self._ask(_IGNORE, 0)
        self._socket.close()

    def read(self) -> list[ProcessEvent]:
        """What has come by now. Raises KernelRefused (ENOBUFS) when some were lost; the rest can be
        read after that."""
        found: list[ProcessEvent] = []
        while True:
            try:
                message, (sender, _) = self._socket.recvfrom(_READ_BYTES)
            except BlockingIOError:
                return found
            except OSError as cause:
                raise KernelRefused("read starts and ends of processes", cause.errno) from cause
            make = _EVENTS.get(_kind(message)) if sender == 0 else None
            if make is not None:
                found.append(make(message))


def _kind(message: bytes) -> int:
    """PROC_EVENT_*, -1 for what is no such message."""
    if len(message) < _COMM_AT + _COMM_BYTES:
        return -1
    if _CONNECTOR.unpack_from(message, _HEADER.size)[:2] != (_CN_IDX_PROC, _CN_VAL_PROC):
        return -1
    kind: int = _WORD.unpack_from(message, _EVENT_AT)[0]
    return kind


def _forked(message: bytes) -> Forked:
    _, parent, _, pid = _DATA.unpack_from(message, _DATA_AT)
    return Forked(parent, pid)


def _group_of(message: bytes) -> int:
    pid: int = _DATA.unpack_from(message, _DATA_AT)[1]
    return pid


def _renamed(message: bytes) -> Renamed:
    name = message[_COMM_AT : _COMM_AT + _COMM_BYTES].split(b"\0", 1)[0]
    return Renamed(_group_of(message), name)


_EVENTS: dict[int, Callable[[bytes], ProcessEvent]] = {
    _FORK: _forked,
    _EXEC: lambda message: Executed(_group_of(message)),
    _COMM: _renamed,
    _EXIT: lambda message: Exited(_group_of(message)),
}


def _processes_alone() -> bytes:
    """Events of threads, and those of other kinds, are not to wake us. A filter sees words in
    network order."""

    def word(value: int) -> int:
        return int.from_bytes(_WORD.pack(value), "big")

    load, same, same_x, keep = 0x20, 0x15, 0x1D, (0x06, 0, 0, 0xFFFFFFFF)
    return bpf(
        [
            (load, 0, 0, _EVENT_AT),
            (same, 13, 0, word(_NONE)),
            (same, 7, 0, word(_FORK)),
            (same, 2, 0, word(_EXEC)),
            (same, 1, 0, word(_COMM)),
            (same, 0, 8, word(_EXIT)),
            (load, 0, 0, _DATA_AT),
            (0x07, 0, 0, 0),  # X = A
            (load, 0, 0, _DATA_AT + 4),
            (0x05, 0, 0, 3),
            (load, 0, 0, _DATA_AT + 8),
            (0x07, 0, 0, 0),
            (load, 0, 0, _DATA_AT + 12),
            (same_x, 1, 0, 0),
            (0x06, 0, 0, 0),
            keep,
        ]
    )


def process_ids() -> list[int]:
    """All processes there are."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - fast


def status_of(pid: int) -> tuple[bytes, int] | None:
    """Its name and its parent; None when it is over, be it that nobody has reaped it yet."""
    raw = _read(pid, "stat", 512)
    if raw is None:
        return None
    # the name may contain anything
    name, _, rest = raw.partition(b"(")[2].rpartition(b")")
    state, parent = rest.split(None, 2)[:2]
    return None if state in {b"Z", b"X"} else (name, int(parent))


def command_of(pid: int, limit: int) -> bytes | None:
    """Its command line, each argument ended by a zero, at most so many bytes; None when it is
    over."""
    return _read(pid, "cmdline", limit)


def _read(pid: int, what: str, limit: int) -> bytes | None:
    try:
        descriptor = os.open(f"/proc/{pid}/{what}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, limit)
    except OSError:
        return None
    finally:
        os.close(descriptor)
