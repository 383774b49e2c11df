"""Raw packets on one interface: ARP and neighbour-discovery frames, and nothing else.

A filter in the kernel drops all the rest, frames of VLANs among it (those belong to the VLAN's own
interface). What is sent here passes the fence.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence

from drctl.adapters.netlink import attach_filter, bpf
from drctl.errors import FileRefused, KernelRefused
from drctl.quickclass import dataclass

BROADCAST = b"\xff" * 6
ETHERNET_BYTES = 14
FRAMES_REMEMBERED = 256
"""Frames are the same again and again: so many are taken apart, or put together, only once."""
_FRAME_BYTES = 2048
_BUFFER_BYTES = 4 << 20
_MOST_AT_ONCE = 256
_FULL_AGAIN_S = 0.002
PATIENCE_S = 0.5
"""For programs that may wait: so long a busy machine has no room for a frame."""
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP, _MEMBER_MULTICAST = 1, 0
_PACKET_STATISTICS = 6
_PACKET_IGNORE_OUTGOING = 23
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE = 0x20, 0x28, 0x30
_LOAD_LENGTH, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x80, 0x15, 0x35, 0x06
_PACKET_TYPE = 0xFFFFF000 + 4
_FOR_US = (socket.PACKET_HOST, socket.PACKET_BROADCAST, socket.PACKET_MULTICAST)
"""A frame of a VLAN without an interface here counts as for another host (net/core/dev.c, which
takes its tag away before it is delivered)."""

Test = tuple[int, int, tuple[int, ...]]
"""Width in bytes, offset from the frame's beginning, and the values that are let through."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame. `kind` is request, reply, probe, announcement, ns or na.

    `sender_address` is the address it speaks for, "" for a probe (an NS from `::`); `sender_mac`
    the hardware address given for it, in lower case; `target_address` the address asked for, or
    answered. `is_to_me`: it came to this card's own MAC (an NA: and answers a question).
    """

    interface: str
    sender_address: str
    sender_mac: str
    target_address: str
    is_to_me: bool
    kind: str


def frame_filter(tests: Sequence[Test], least_bytes: int, most_bytes: int) -> bytes:
    """A BPF program that lets frames through, cut to `most_bytes`, that stand all tests."""
    steps: list[tuple[int, int, int, tuple[int, ...]]] = []
    steps.append((_LOAD_WORD, _PACKET_TYPE, _IF_EQUAL, _FOR_US))
    steps.append((_LOAD_LENGTH, 0, _IF_AT_LEAST, (least_bytes,)))
    loads = {1: _LOAD_BYTE, 2: _LOAD_HALF, 4: _LOAD_WORD}
    steps += [(loads[width], offset, _IF_EQUAL, values) for width, offset, values in tests]
    drop_at = sum(1 + len(values) for _, _, _, values in steps) + 1
    made: list[tuple[int, int, int, int]] = []
    for load, offset, condition, values in steps:
        made.append((load, 0, 0, offset))
        for number, value in enumerate(values, 1):
            left = len(values) - number
            to_drop = drop_at - len(made) - 1 if left == 0 else 0
            made.append((condition, left, to_drop, value))
    made += [(_RETURN, 0, 0, most_bytes), (_RETURN, 0, 0, 0)]
    return bpf(made)


class PacketSocket:
    """Frames of one Ethernet type on one interface. It never waits, except for `patience_s` where
    the way out has no room for a frame.

    It outlives a link that is down for a while; for one that was removed and made again, under
    whatever name, a new object is needed.
    """

    def __init__(
        self, interface: str, ethertype: int, program: bytes, patience_s: float = 0.0
    ) -> None:
        self.interface = interface
        self._patience_s = patience_s
        operation = f"open a packet socket on {interface}"
        try:
            kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            self._socket = socket.socket(socket.AF_PACKET, kind, 0)
        except OSError as cause:
            words = "CAP_NET_RAW is needed" if cause.errno == errno.EPERM else ""
            raise KernelRefused(operation, cause.errno, words) from cause
        try:
            # protocol 0 hears nothing: the filter is there before the first frame
            attach_filter(self._socket, program)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            # the kernel takes as much of it as it allows
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            self._socket.bind((interface, ethertype))
        except OSError as cause:
            self._socket.close()
            raise KernelRefused(operation, cause.errno) from cause

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def join(self, group: bytes) -> None:
        """Hear what is sent to this group's MAC, while the socket is open."""
        index = socket.if_nametoindex(self.interface)
        request = struct.pack("=iHH8s", index, _MEMBER_MULTICAST, len(group), group)
        try:
            self._socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, request)
        except OSError as cause:
            raise KernelRefused(f"join a group on {self.interface}", cause.errno) from cause

    def mac(self) -> bytes:
        """The interface's hardware address as it is now."""
        try:
            address: bytes = self._socket.getsockname()[4]
        except OSError as cause:
            raise KernelRefused(f"read the MAC of {self.interface}", cause.errno) from cause
        if len(address) != 6:
            raise KernelRefused(f"use {self.interface}", errno.EAFNOSUPPORT, "it is no Ethernet")
        return address

    def send(self, frames: Sequence[bytes], operation: str) -> None:
        """Send frames; raises `KernelRefused` at the first that is not taken. Where there is no
        room for one there may be for the next: then it is raised at the end."""
        until_s = time.monotonic() + self._patience_s
        try:
            left = [frame for frame in frames if not self._has_sent(frame, until_s)]
        except OSError as cause:
            raise KernelRefused(f"{operation} on {self.interface}", cause.errno) from cause
        if left:
            words = f"{len(left)} of {len(frames)} frames" if len(frames) > 1 else ""
            raise KernelRefused(f"{operation} on {self.interface}", errno.ENOBUFS, words)

    def _has_sent(self, frame: bytes, until_s: float) -> bool:
        """False when there was no room for it."""
        while True:
            try:
                self._socket.send(frame)
            except OSError as cause:
                # the card's queue is full, or what this socket may have in it
                if cause.errno not in {errno.ENOBUFS, errno.EAGAIN}:
                    raise
            else:
                return True
            if time.monotonic() >= until_s:
                return False
            time.sleep(_FULL_AGAIN_S)

    def receive(self) -> list[tuple[bytes, bool]]:
        """Frames that have come, at most 256, and whether each was sent to this card's own MAC.

        A link that went down has nothing more to say: that is no error here, for the watch on links
        tells it.
        """
        found: list[tuple[bytes, bool]] = []
        while len(found) < _MOST_AT_ONCE:
            try:
                frame = self._socket.recv(_FRAME_BYTES)
            except BlockingIOError:
                break
            except OSError as cause:
                if cause.errno == errno.ENETDOWN:
                    break
                raise KernelRefused(f"hear {self.interface}", cause.errno) from cause
            # of unicast the filter lets only through what was sent to this card
            found.append((frame, not frame[0] & 1))
        return found

    def lost(self) -> int:
        """How many frames were lost since the last call, because nobody fetched them in time."""
        try:
            counted = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        except OSError as cause:
            raise KernelRefused(f"count losses on {self.interface}", cause.errno) from cause
        return int(struct.unpack("=II", counted)[1])


def close_all(closings: Sequence[Callable[[], None]]) -> None:
    """Close sockets, all at a time: the kernel has each close of a packet socket wait for all
    processors (`synchronize_net` in packet_release), some 10 ms, and several wait together."""
    import threading

    threads = [threading.Thread(target=close) for close in closings]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def is_station(mac: bytes) -> bool:
    """Whether a hardware address can be that of one station."""
    return len(mac) == 6 and not mac[0] & 1 and any(mac)


def mac_bytes(mac: str) -> bytes:
    """`02:00:00:00:00:01` as bytes."""
    return bytes.fromhex(mac.replace(":", ""))


def some_number(below: int) -> int:
    """One of 0 to `below` - 1 that nobody can foresee. (`secrets` takes 8 ms to import.)"""
    return int.from_bytes(os.urandom(8), "big") % below


def read_flag(path: str) -> bool:
    """Whether a sysctl is not 0; one that does not exist is 0."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes 5 ms to import
            return file.read(16).strip() not in (b"0", b"")
    except FileNotFoundError:
        return False
    except OSError as cause:
        raise FileRefused("read", path, cause) from cause
