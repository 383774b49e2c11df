"""Echo requests of ICMP and ICMPv6 (RFC 792, RFC 4443): who answers is reachable."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import struct

from drctl.errors import KernelRefused

_ECHO = struct.Struct("!BBHHH")
_NUMBER = struct.Struct("!I")
_REQUEST, _REPLY = 8, 0
_REQUEST6, _REPLY6 = 128, 129
_SOL_RAW = 255
_ICMP_FILTER = 1
_ICMP6_FILTER = 1
_READ_BYTES = 2048
_TOKEN_BYTES = 12
_IP_BYTES = 20


class Pinger:
    """Asks addresses of one family. It never waits."""

    def __init__(self, family: socket.AddressFamily) -> None:
        self._is_v6 = family == socket.AF_INET6
        protocol = socket.IPPROTO_ICMPV6 if self._is_v6 else socket.IPPROTO_ICMP
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            self._socket = socket.socket(family, kind, protocol)
        except OSError as cause:
            raise KernelRefused("open a raw socket for ICMP", cause.errno) from cause
        # nothing but echo replies is to wake us
        if self._is_v6:
            words = [0xFFFFFFFF] * 8
            words[_REPLY6 >> 5] &= ~(1 << (_REPLY6 & 31))
            wanted = struct.pack("=8I", *words)
            self._socket.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, wanted)
        else:
            wanted = struct.pack("=I", 0xFFFFFFFF & ~(1 << _REPLY))
            self._socket.setsockopt(_SOL_RAW, _ICMP_FILTER, wanted)
        self._identifier = os.getpid() & 0xFFFF
        self._token = secrets.token_bytes(_TOKEN_BYTES)
        """Nobody else can know it, so an answer with it is one to us."""
        self.refusal = ""
        """Why the last request could not be sent, "" when it could."""

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def ask(self, address: str, number: int) -> bool:
        """Send a request with this number; false when it cannot be sent now, which is the same as
        no answer."""
        head = _ECHO.pack(
            _REQUEST6 if self._is_v6 else _REQUEST, 0, 0, self._identifier, number & 0xFFFF
        )
        message = head + self._token + _NUMBER.pack(number)
        if not self._is_v6:
            # the kernel adds that of ICMPv6 itself
            message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
        try:
            self._socket.sendto(message, _name_of(address))
        except OSError as cause:
            self.refusal = cause.strerror or str(cause)
            return False
        self.refusal = ""
        return True

    def answers(self) -> list[int]:
        """Numbers of our requests that were answered, by whomever."""
        found: list[int] = []
        while True:
            try:
                packet = self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                return found
            except OSError as cause:
                # what the network has to say of an earlier request
                self.refusal = cause.strerror or str(cause)
                return found
            number = self._number_in(packet)
            if number is not None:
                found.append(number)

    def _number_in(self, packet: bytes) -> int | None:
        at = 0 if self._is_v6 else (packet[0] & 15) * 4 if packet else _IP_BYTES
        body = packet[at + _ECHO.size :]
        if len(body) != _TOKEN_BYTES + 4 or body[:_TOKEN_BYTES] != self._token:
            return None
        kind = packet[at]
        if kind != (_REPLY6 if self._is_v6 else _REPLY):
            return None
        number: int = _NUMBER.unpack(body[_TOKEN_BYTES:])[0]
        return number


def _name_of(address: str) -> tuple[str, int] | tuple[str, int, int, int]:
    """As a socket wants it; the zone of an address is looked up each time, for it may come back
    with another number."""
    host, _, zone = address.partition("%")
    if ipaddress.ip_address(host).version == 4:
        return (host, 0)
    if not zone:
        return (host, 0, 0, 0)
    return (host, 0, 0, int(zone) if zone.isdecimal() else socket.if_nametoindex(zone))


def checksum(message: bytes) -> int:
    """Of the Internet (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(message) // 2}H", message))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
