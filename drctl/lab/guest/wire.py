"""The client's ear on the wire: every ARP packet that speaks of a VIP, every packet that comes from
one, and ARP questions of our own."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass

from drctl.lab.guest.shell import network_of
from drctl.lab.plan import LabHost, Port

_ETH_ALL, _ETH_IP, _ETH_ARP = 0x0003, 0x0800, 0x0806
_OUTGOING = 4
_ARP = struct.Struct("!HHBBH6s4s6s4s")
REQUEST, REPLY = 1, 2


@dataclass(frozen=True, slots=True)
class Heard:
    """An ARP packet that says "`vip` is at `mac`"; `at_s` is the monotonic clock."""

    at_s: float
    vip: str
    mac: str
    operation: int


class Ear:
    """Listens on one card of the client until closed."""

    def __init__(self, host: LabHost, port: Port, vips: frozenset[str]) -> None:
        self.port = port
        self._vips = vips
        self._lock = threading.Lock()
        self._heard: list[Heard] = []
        self._replies: Counter[tuple[str, str]] = Counter()
        self._own = port.addresses[0].partition("/")[0]
        with network_of(host.name):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_ALL))
            self._socket.bind((port.name, _ETH_ALL))
        self._socket.settimeout(0.2)
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def ask(self, vip: str) -> float:
        """Send "who has `vip`?" to everybody; returns the time."""
        own = socket.inet_aton(self._own)
        mac = bytes.fromhex(self.port.mac.replace(":", ""))
        body = _ARP.pack(1, _ETH_IP, 6, 4, REQUEST, mac, own, b"\0" * 6, socket.inet_aton(vip))
        at_s = time.monotonic()
        self._socket.send(b"\xff" * 6 + mac + struct.pack("!H", _ETH_ARP) + body)
        return at_s

    def heard(self, vip: str, since_s: float) -> list[Heard]:
        """ARP packets about the VIP since then."""
        with self._lock:
            return [h for h in self._heard if h.vip == vip and h.at_s >= since_s]

    def take_replies(self, vip: str) -> Counter[str]:
        """MACs that packets from the VIP came from since the last call."""
        with self._lock:
            found = Counter({mac: n for (who, mac), n in self._replies.items() if who == vip})
            for mac in found:
                del self._replies[vip, mac]
            return found

    def close(self) -> None:
        """Stop listening."""
        self._is_closing.set()
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._is_closing.is_set():
            try:
                frame, address = self._socket.recvfrom(2048)
            except TimeoutError:
                continue
            if address[2] != _OUTGOING:
                self._hear(frame)

    def _hear(self, frame: bytes) -> None:
        (kind,) = struct.unpack_from("!H", frame, 12)
        if kind == _ETH_ARP and len(frame) >= 14 + _ARP.size:
            *_, operation, mac, sender, _, _ = _ARP.unpack_from(frame, 14)
            vip = socket.inet_ntoa(sender)
            if vip in self._vips:
                with self._lock:
                    self._heard.append(Heard(time.monotonic(), vip, mac.hex(":"), operation))
        elif kind == _ETH_IP and len(frame) >= 34:
            vip = socket.inet_ntoa(frame[26:30])
            if vip in self._vips:
                with self._lock:
                    self._replies[vip, frame[6:12].hex(":")] += 1
