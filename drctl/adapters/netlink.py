"""Netlink messages, written and read by hand; imports little, for the guard starts with it.

A library is not used for the failover path: the guard must start fast and stay small, a renewed
lease is a constant string of bytes, and a thousand addresses go to the kernel in few system calls.
Facts: linux/netlink.h; rtnetlink and nfnetlink answer within the `send` that asks, so what
they have to say is there to be read when it returns, and nothing here ever waits.
"""

from __future__ import annotations

import errno
import socket
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence

from drctl.errors import KernelRefused

NETLINK_ROUTE = 0
NETLINK_SOCK_DIAG = 4
NETLINK_NETFILTER = 12

_NAMES = {
    NETLINK_ROUTE: "rtnetlink",
    NETLINK_SOCK_DIAG: "sock_diag",
    NETLINK_NETFILTER: "nfnetlink",
}

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_REPLACE = 0x100
NLM_F_DUMP = 0x300
NLM_F_CREATE = 0x400
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200

NLMSG_ERROR = 2
NLMSG_DONE = 3

_SOL_NETLINK = 270
_NETLINK_EXT_ACK = 11
_NETLINK_CAP_ACK = 10
_NETLINK_ADD_MEMBERSHIP = 1
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_SNDBUFFORCE = 32
_NLMSGERR_ATTR_MSG = 1
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF

RECEIVE_BUFFER_BYTES = 4 << 20
READ_BYTES = 32 << 10
"""The kernel makes no part of a dump longer."""
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")
HEADER_BYTES = _HEADER.size
DUMP_TRIES = 8

Attributes = dict[int, bytes]
Refusal = tuple[int, int, str]
"""Sequence number of the message that was refused, errno, what the kernel added in words."""


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    length = 4 + len(payload)
    return _ATTRIBUTE.pack(length, kind) + payload + bytes(-length & 3)


def nested(kind: int, *parts: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(parts))


def text(kind: int, value: str) -> bytes:
    """An attribute that holds a string, ended by a zero."""
    return attribute(kind, value.encode() + b"\0")


def be32(kind: int, value: int) -> bytes:
    """A 32 bit number in network order, as netfilter wants it."""
    return attribute(kind, struct.pack("!I", value & 0xFFFFFFFF))


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """A whole message, padded; `NLM_F_REQUEST` is added."""
    length = HEADER_BYTES + len(body)
    return (
        _HEADER.pack(length, kind, flags | NLM_F_REQUEST, sequence, 0) + body + bytes(-length & 3)
    )


def attributes(payload: bytes) -> Attributes:
    """The attributes in `payload` by type; of a repeated one, the last. A broken tail ends it."""
    return dict(attribute_list(payload))


def attribute_list(payload: bytes) -> list[tuple[int, bytes]]:
    """The attributes in `payload` in their order."""
    found = []
    at, end = 0, len(payload)
    unpack = _ATTRIBUTE.unpack_from
    while at + 4 <= end:
        length, kind = unpack(payload, at)
        if length < 4 or at + length > end:
            break
        found.append((kind & _TYPE_MASK, payload[at + 4 : at + length]))
        at += (length + 3) & ~3
    return found


def cstring(value: bytes) -> str:
    """A string of the kernel's, without the zero that ends it."""
    return value.split(b"\0", 1)[0].decode("utf-8", "replace")


class Received:
    """One message that came: its type, flags, sequence, the sender's port and the body."""

    __slots__ = ("body", "flags", "kind", "port", "sequence")

    def __init__(self, kind: int, flags: int, sequence: int, port: int, body: bytes) -> None:
        self.kind = kind
        self.flags = flags
        self.sequence = sequence
        self.port = port
        self.body = body


def messages(buffer: bytes) -> Iterator[Received]:
    """The messages in one datagram."""
    at, end = 0, len(buffer)
    while at + HEADER_BYTES <= end:
        length, kind, flags, sequence, port = _HEADER.unpack_from(buffer, at)
        if length < HEADER_BYTES or at + length > end:
            break
        yield Received(kind, flags, sequence, port, buffer[at + HEADER_BYTES : at + length])
        at += (length + 3) & ~3


def refusal_in(received: Received) -> Refusal:
    """Reads an NLMSG_ERROR; its errno is 0 for an acknowledgement."""
    number = -_ERROR.unpack_from(received.body)[0]
    words = ""
    if number and received.flags & NLM_F_ACK_TLVS:
        original = HEADER_BYTES
        if not received.flags & NLM_F_CAPPED:
            (original,) = struct.unpack_from("=I", received.body, 4)
        tail = received.body[4 + ((original + 3) & ~3) :]
        words = cstring(attributes(tail).get(_NLMSGERR_ATTR_MSG, b""))
    return received.sequence, number, words


class Netlink:
    """A socket to one part of the kernel. It never waits."""

    def __init__(self, protocol: int, *, groups: Iterable[int] = ()) -> None:
        self.what = _NAMES[protocol]
        self._is_read = True
        """Nothing that was asked for waits to be read."""
        try:
            kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            self._socket = socket.socket(socket.AF_NETLINK, kind, protocol)
        except OSError as cause:
            raise KernelRefused(f"open a {self.what} socket", cause.errno) from cause
        try:
            self._socket.bind((0, 0))
            self.port: int = self._socket.getsockname()[0]
            for option in (_NETLINK_EXT_ACK, _NETLINK_CAP_ACK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            self._enlarge(_SO_RCVBUFFORCE, socket.SO_RCVBUF)
            self._enlarge(_SO_SNDBUFFORCE, socket.SO_SNDBUF)
            for group in groups:
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
        except OSError as cause:
            self._socket.close()
            raise KernelRefused(f"set up a {self.what} socket", cause.errno) from cause

    def _enlarge(self, forced: int, allowed: int) -> None:
        """Room for a thousand refusals; without CAP_NET_ADMIN as much as anybody may have."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, forced, RECEIVE_BUFFER_BYTES)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, allowed, RECEIVE_BUFFER_BYTES)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def attach_filter(self, program: bytes) -> None:
        """Have the kernel drop what a classic BPF program returns 0 for."""
        attach_filter(self._socket, program)

    def transact(self, buffer: bytes, operation: str) -> list[Refusal]:
        """Send messages in one system call; the refusals that came back, in order.

        The last message has to ask for an acknowledgement. Raises when the call itself failed.
        """
        self._send(buffer, operation)
        refused = []
        for received in self._answers(operation):
            if received.kind == NLMSG_ERROR:
                refusal = refusal_in(received)
                if not refusal[1]:
                    self._is_read = True  # the acknowledgement: nothing comes after it
                    break
                refused.append(refusal)
        return refused

    def dump(self, request: bytes, operation: str) -> list[Received]:
        """All objects that a dump request asks for; asked again when they changed meanwhile.

        A request without NLM_F_DUMP gets its one answer.
        """
        for _ in range(DUMP_TRIES):
            self._send(request, operation)
            found, interrupted = [], False
            for received in self._answers(operation):
                interrupted = interrupted or bool(received.flags & NLM_F_DUMP_INTR)
                if received.kind == NLMSG_ERROR:
                    _, number, words = refusal_in(received)
                    if number == errno.EINTR:
                        interrupted = True
                    elif number:
                        raise KernelRefused(operation, number, words)
                elif received.kind == NLMSG_DONE:
                    (code,) = _ERROR.unpack_from(received.body) if received.body else (0,)
                    if code < 0:
                        raise KernelRefused(operation, -code)
                else:
                    found.append(received)
            if not interrupted:
                return found
        raise KernelRefused(operation, errno.EAGAIN, "it changes all the time")

    def read(self) -> Iterator[Received]:
        """What has come by now: notifications. Raises `KernelRefused` (ENOBUFS) when some were
        lost, after which the rest can still be read."""
        yield from self._answers(f"read {self.what} notifications")

    def _send(self, buffer: bytes, operation: str) -> None:
        if not self._is_read:
            self._drain(operation)
        self._is_read = False
        try:
            self._socket.send(buffer)
        except OSError as cause:
            raise KernelRefused(operation, cause.errno) from cause

    def _drain(self, operation: str) -> None:
        """Forget what an earlier call that failed has left."""
        try:
            while self._socket.recv(READ_BYTES):
                pass
        except BlockingIOError:
            return
        except OSError as cause:
            raise KernelRefused(operation, cause.errno) from cause

    def _answers(self, operation: str) -> Iterator[Received]:
        while True:
            try:
                buffer, (sender, _) = self._socket.recvfrom(READ_BYTES)
            except BlockingIOError:
                self._is_read = True
                return
            except OSError as cause:
                raise KernelRefused(operation, cause.errno) from cause
            if sender == 0:  # others may send to us too, if they have the right
                yield from messages(buffer)


def attach_filter(sock: socket.socket, program: bytes) -> None:
    """Attach a classic BPF program, a sequence of `struct sock_filter` (8 bytes each)."""
    assert program, "an empty program is none"
    assert len(program) % 8 == 0, "instructions have 8 bytes"
    kept = array("B", program)  # ctypes would tell its address too, and takes 3 ms to import
    header = struct.pack("HL", len(program) // 8, kept.buffer_info()[0])
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)


def bpf(instructions: Sequence[tuple[int, int, int, int]]) -> bytes:
    """Classic BPF instructions (code, jump if true, jump if false, k) as bytes."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def interface_index(name: str) -> int:
    """Index of a link in this network namespace."""
    try:
        return socket.if_nametoindex(name)
    except OSError as cause:
        raise KernelRefused(f"find interface {name}", cause.errno or errno.ENODEV) from cause
