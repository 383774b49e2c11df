"""What goes over the connection of a command: frames of a kind, each with its length."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

INSIDE: Final = "203.0.113.2"
OUTSIDE: Final = "203.0.113.1"
"""The guest's address and its keeper's, on a network that only the two are on (RFC 5737)."""
PREFIX: Final = 30
PORT: Final = 7000
TAP: Final = "tap0"
"""The keeper's end of the guest's card."""

MOST_BYTES: Final = 32_768
"""Of a frame that this side makes."""
_LIMIT_BYTES: Final = 1 << 20
_HEADER: Final = struct.Struct("!BI")


class Kind(IntEnum):
    """START: JSON of `Start`. SIZE: JSON, rows and columns. ENDED: JSON, the exit code."""

    START = 1
    INPUT = 2
    END_OF_INPUT = 3
    SIZE = 4
    OUTPUT = 5
    ERRORS = 6
    ENDED = 7


@dataclass(frozen=True, slots=True)
class Start:
    """A command: `size` is its terminal's, rows and columns, None when it has none."""

    words: tuple[str, ...]
    environment: dict[str, str]
    folder: str
    size: tuple[int, int] | None

    def to_bytes(self) -> bytes:
        """As it is sent."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(fields).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Start:
        """As it was sent."""
        told = json.loads(data)
        size = told["size"]
        return cls(
            tuple(told["words"]),
            told["environment"],
            told["folder"],
            None if size is None else (size[0], size[1]),
        )


def send(connection: socket.socket, kind: Kind, data: bytes = b"") -> None:
    """Send a frame; waits for room."""
    connection.sendall(_HEADER.pack(kind, len(data)) + data)


def send_told(connection: socket.socket, kind: Kind, told: Any) -> None:
    """Send a frame of JSON."""
    send(connection, kind, json.dumps(told).encode())


class Frames:
    """Takes a connection's bytes apart."""

    def __init__(self) -> None:
        self._left = bytearray()

    def of(self, received: bytes) -> list[tuple[Kind, bytes]]:
        """The frames that are whole now. Raises ValueError for what is none."""
        self._left += received
        found = []
        while len(self._left) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._left)
            if length > _LIMIT_BYTES:
                raise ValueError(f"a frame of {length} bytes")
            end = _HEADER.size + length
            if len(self._left) < end:
                break
            found.append((Kind(kind), bytes(self._left[_HEADER.size : end])))
            del self._left[:end]
        return found
