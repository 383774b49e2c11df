"""What the controller and its guard say to each other, over a stream of frames. Imports little.

A frame: two bytes `dG`, one of version, one of kind, four of the body's length in network order.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator

from drctl.errors import DrctlError

VERSION = 1
MOST_BYTES = 1 << 20
_MAGIC = b"dG"
_HEAD = struct.Struct("!2sBBI")

HOLD, HELD, END, RELEASE, READY, ENDED = range(1, 7)
"""HOLD (to the guard): the fence's table and all addresses that it answers for from now on; HELD is
the answer. END: it ends and leaves everything as it is; RELEASE: it gives up first. READY (from
the guard): it has started; ENDED: its last word. READY and ENDED carry what went wrong, a line
each."""

_KINDS = frozenset(range(HOLD, ENDED + 1))


class GuardSpokeWrongly(DrctlError):
    """What came over the channel is not the protocol, or another version of it."""


def frame(kind: int, body: bytes = b"") -> bytes:
    """One frame."""
    if len(body) > MOST_BYTES:
        raise GuardSpokeWrongly(f"a frame of {len(body)} bytes, at most {MOST_BYTES} are allowed")
    return _HEAD.pack(_MAGIC, VERSION, kind, len(body)) + body


class Frames:
    """Cuts what is received into frames."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, received: bytes) -> Iterator[tuple[int, bytes]]:
        """Kind and body of each frame that is whole by now. Raises `GuardSpokeWrongly`."""
        self._pending += received
        while len(self._pending) >= _HEAD.size:
            magic, version, kind, length = _HEAD.unpack_from(self._pending)
            if magic != _MAGIC or version != VERSION or kind not in _KINDS:
                raise GuardSpokeWrongly(f"a frame that begins with {self._pending[:4]!r}")
            if length > MOST_BYTES:
                raise GuardSpokeWrongly(f"a frame of {length} bytes, at most {MOST_BYTES}")
            end = _HEAD.size + length
            if len(self._pending) < end:
                return
            body, self._pending = self._pending[_HEAD.size : end], self._pending[end:]
            yield kind, body


def hold_body(table_name: str, packed: Collection[bytes]) -> bytes:
    """Body of HOLD; `table_name` is empty where there is no fence. IPv4 first."""
    name = table_name.encode()
    if len(name) > 255:
        raise GuardSpokeWrongly(f"a table name of {len(name)} bytes, at most 255")
    short = sorted(address for address in packed if len(address) == 4)
    long = sorted(address for address in packed if len(address) == 16)
    assert len(short) + len(long) == len(packed), "an address has 4 or 16 bytes"
    return b"".join((struct.pack("!BI", len(name), len(short)), name, *short, *long))


def held_of(body: bytes) -> tuple[str, frozenset[bytes]]:
    """Table name and addresses of a HOLD. Raises `GuardSpokeWrongly`."""
    try:
        length, count = struct.unpack_from("!BI", body)
        name = body[5 : 5 + length].decode()
    except (struct.error, UnicodeDecodeError) as cause:
        raise GuardSpokeWrongly("a hold that cannot be read") from cause
    rest = body[5 + length :]
    cut = count * 4
    if len(body) < 5 + length or cut > len(rest) or (len(rest) - cut) % 16:
        raise GuardSpokeWrongly("a hold of the wrong length")
    short = (rest[at : at + 4] for at in range(0, cut, 4))
    long = (rest[at : at + 16] for at in range(cut, len(rest), 16))
    return name, frozenset((*short, *long))
