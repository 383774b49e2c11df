"""ARP on one interface: probing, asking, announcing, hearing (RFC 826, RFC 5227)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from drctl.adapters.packet import (
    BROADCAST,
    FRAMES_REMEMBERED,
    Heard,
    PacketSocket,
    frame_filter,
    is_station,
    mac_bytes,
)
from drctl.adapters.source import Sources

if TYPE_CHECKING:
    from drctl.core.value import Vip

ETHERTYPE = 0x0806
REQUEST, REPLY = 1, 2
FRAME_BYTES = 42
_FRAME = struct.Struct("!6s6sH HHBBH 6s4s6s4s")
_NOBODY, _NOWHERE = bytes(4), bytes(6)
_FILTER = frame_filter(
    [(2, 12, (ETHERTYPE,)), (2, 14, (1,)), (2, 16, (0x0800,)), (2, 18, (0x0604,)), (2, 20, (1, 2))],
    FRAME_BYTES,
    FRAME_BYTES,
)


def decode(frame: bytes, interface: str, *, is_to_me: bool) -> Heard | None:
    """What an Ethernet frame says; None when it is not proper ARP for IPv4.

    It is not when a station's MAC is none, or a sender's address is broadcast or multicast.
    """
    if len(frame) < FRAME_BYTES:
        return None
    fields = _FRAME.unpack_from(frame)
    _, _, ethertype, hardware, protocol, hardware_bytes, protocol_bytes, operation = fields[:8]
    sender_mac, sender, _, target = fields[8:]
    if (ethertype, hardware, protocol) != (ETHERTYPE, 1, 0x0800):
        return None
    if (hardware_bytes, protocol_bytes) != (6, 4) or operation not in (REQUEST, REPLY):
        return None
    if not is_station(sender_mac) or sender[0] >= 224:
        return None
    if sender == _NOBODY and operation == REPLY:
        return None
    if sender == _NOBODY:
        kind = "probe"
    elif sender == target:
        kind = "announcement"
    else:
        kind = "request" if operation == REQUEST else "reply"
    return Heard(
        interface,
        "" if sender == _NOBODY else socket.inet_ntoa(sender),
        sender_mac.hex(":"),
        socket.inet_ntoa(target),
        is_to_me,
        kind,
    )


def encode(
    operation: int, sender: tuple[bytes, bytes], target: tuple[bytes, bytes], to: bytes
) -> bytes:
    """A frame to the MAC `to`; `sender` and `target` are MAC and address."""
    return _FRAME.pack(to, sender[0], ETHERTYPE, 1, 0x0800, 6, 4, operation, *sender, *target)


_decode = lru_cache(FRAMES_REMEMBERED)(decode)
_encode = lru_cache(FRAMES_REMEMBERED)(encode)


class ArpSocket:
    """ARP on one interface. `own` are this host's own addresses there, with prefix lengths;
    `device` is what the kernel calls the interface, where that is another name, and `patience_s`
    how long there may be no room for a frame."""

    def __init__(
        self,
        interface: str,
        own: Iterable[tuple[str, int]] = (),
        device: str = "",
        patience_s: float = 0.0,
    ) -> None:
        self.interface = interface
        self._packets = PacketSocket(device or interface, ETHERTYPE, _FILTER, patience_s)
        self._sources = Sources()
        self.set_own(own)

    def set_own(self, own: Iterable[tuple[str, int]]) -> None:
        """This host's own addresses changed."""
        self._sources.put((address, prefix) for address, prefix in own if ":" not in address)

    def fileno(self) -> int:
        """Readable when frames have come."""
        return self._packets.fileno()

    def close(self) -> None:
        """Give back the socket."""
        self._packets.close()

    def lost(self) -> int:
        """Frames lost since the last call."""
        return self._packets.lost()

    def probe(self, address: str) -> None:
        """Ask everybody who has the address, naming no sender (RFC 5227 2.1.1)."""
        mac, target = self._packets.mac(), socket.inet_aton(address)
        frame = encode(REQUEST, (mac, _NOBODY), (_NOWHERE, target), BROADCAST)
        self._packets.send([frame], f"probe {address}")

    def ask(self, address: str, mac: str | None = None) -> None:
        """Ask for the address from our own, only that station if its MAC is given.

        Without an address of our own it is a probe, which is answered to this card all the same.
        """
        own, target = self._packets.mac(), socket.inet_aton(address)
        sender = self._sources.towards(address) or _NOBODY
        to = mac_bytes(mac) if mac else BROADCAST
        frame = _encode(REQUEST, (own, sender), (_NOWHERE, target), to)
        self._packets.send([frame], f"ask for {address}")

    def announce(self, vips: Sequence[Vip], count: int = 1) -> None:
        """Tell everybody, `count` times, that the IPv4 VIPs of this interface are at this card: by
        a gratuitous request and a reply, for there are stations that believe only one of them."""
        mac = self._packets.mac()
        frames = []
        for vip in vips:
            if vip.is_v6 or vip.interface != self.interface:
                continue
            address = socket.inet_aton(vip.address)
            frames.append(encode(REQUEST, (mac, address), (_NOWHERE, address), BROADCAST))
            frames.append(encode(REPLY, (mac, address), (mac, address), BROADCAST))
        for _ in range(count):
            self._packets.send(frames, "announce by arp")

    def receive(self) -> list[Heard]:
        """What was heard since the last call, in order; the rest at the next call if it is much."""
        heard = (
            _decode(frame, self.interface, is_to_me=is_to_me)
            for frame, is_to_me in self._packets.receive()
        )
        return [each for each in heard if each is not None]
