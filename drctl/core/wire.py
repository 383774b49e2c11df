"""A heartbeat as bytes: versioned, strict, and limited in size.

Layout, integers big-endian: `DR`, version (1 byte), from version 2 on the newest version that the
sender understands (1 byte), boot, sequence, echo boot, echo (8 bytes each), then the node's name
and the digest as strings, the MACs (a count and 6 bytes each), the groups (a count of 1 byte, and
each one's name, role, flags, epoch, priority and target). A string is a length of 1 byte and that
much UTF-8. Nothing may follow. Version 2 has one flag more, `is_asking`.

The version before the newest one is read and written too, so that directors can be upgraded one by
one: who is not known to understand the newest gets each beat in both.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

from drctl.core.beat import NEWEST_VERSION, Beat, GroupBeat
from drctl.core.role import Role

MAGIC = b"DR"
VERSIONS = (NEWEST_VERSION - 1, NEWEST_VERSION)
SIZE_LIMIT_BYTES = 16 * 1024
MACS_LIMIT = 64
GROUPS_LIMIT = 255

REMEMBERED = 32
"""Most of a heartbeat is as in the one before: so many of them are read, or written, only once."""

_START = struct.Struct(">2sB")
_HEADS = {1: struct.Struct(">QQQQ"), 2: struct.Struct(">BQQQQ")}
_GROUP = struct.Struct(">BBQB")
_COUNT = struct.Struct(">B")
_FLAGS = {
    1: ("is_eligible", "may_answer", "is_blind", "wants"),
    2: ("is_eligible", "may_answer", "is_blind", "wants", "is_asking"),
}
_MAC_BYTES = 6


class WireError(ValueError):
    """The bytes are no heartbeat; `str()` says where they stop being one."""


class OtherVersion(WireError):
    """A heartbeat of a version that this one does not understand."""


def encode(beat: Beat, version: int = NEWEST_VERSION) -> bytes:
    """The bytes of a heartbeat; a value that does not fit is a `WireError`. What an older version
    has no place for is left out."""
    if len(beat.macs) > MACS_LIMIT or len(beat.groups) > GROUPS_LIMIT:
        raise WireError(f"{len(beat.macs)} MACs, {len(beat.groups)} groups: too many")
    newest = (beat.newest,) if version > 1 else ()
    numbers = (beat.boot, beat.sequence, beat.echo_boot, beat.echo)
    head = _START.pack(MAGIC, version) + _HEADS[version].pack(*newest, *numbers)
    return head + _written(beat.node, beat.digest, beat.macs, beat.groups, version)


@lru_cache(REMEMBERED)
def _written(
    node: str, digest: str, macs: tuple[str, ...], groups: tuple[GroupBeat, ...], version: int
) -> bytes:
    """What follows the head."""
    parts = [_string(node), _string(digest)]
    parts.append(_COUNT.pack(len(macs)))
    parts += [bytes.fromhex(mac.replace(":", "")) for mac in macs]
    parts.append(_COUNT.pack(len(groups)))
    for group in groups:
        flags = sum(getattr(group, name) << bit for bit, name in enumerate(_FLAGS[version]))
        parts.append(_string(group.name))
        parts.append(_GROUP.pack(group.role, flags, group.epoch, group.priority))
        parts.append(_string(group.target))
    return b"".join(parts)


def _string(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 255:
        raise WireError(f"{text[:20]!r}... is longer than 255 bytes")
    return bytes((len(raw),)) + raw


def decode(data: bytes, newest: int = NEWEST_VERSION) -> Beat:
    """The heartbeat that these bytes are; anything else is a `WireError`, and so is a version above
    `newest`."""
    if len(data) > SIZE_LIMIT_BYTES:
        raise WireError(f"{len(data)} bytes: more than {SIZE_LIMIT_BYTES}")
    magic, version = _unpacked(_START, data, 0)
    if magic != MAGIC:
        raise WireError("it does not begin as a heartbeat does")
    if version not in VERSIONS or version > newest:
        raise OtherVersion(f"heartbeat of version {version}, this is {newest}")
    head = _HEADS[version]
    numbers = _unpacked(head, data, _START.size)
    understood = numbers[0] if version > 1 else version
    if understood < version:
        raise WireError(f"version {version} from a sender that understands {understood}")
    at = _START.size + head.size
    node, digest, macs, groups = _read(data[at:], at, version)
    boot, sequence, echo_boot, echo = numbers[-4:]
    return Beat(node, boot, sequence, echo_boot, echo, digest, macs, groups, understood)


def _unpacked(layout: struct.Struct, data: bytes, at: int) -> tuple[Any, ...]:
    if at + layout.size > len(data):
        raise WireError(f"it ends at byte {len(data)}, {at + layout.size} were expected")
    return layout.unpack_from(data, at)


@lru_cache(REMEMBERED)
def _read(
    data: bytes, before: int, version: int
) -> tuple[str, str, tuple[str, ...], tuple[GroupBeat, ...]]:
    """What follows a head of `before` bytes."""
    reader = _Reader(data, before)
    node, digest = reader.string(), reader.string()
    macs = tuple(reader.mac() for _ in range(reader.count(MACS_LIMIT)))
    groups = tuple(reader.group(_FLAGS[version]) for _ in range(reader.count(GROUPS_LIMIT)))
    if len({group.name for group in groups}) != len(groups):
        raise WireError("a group is named twice")
    reader.end()
    return node, digest, macs, groups


class _Reader:
    def __init__(self, data: bytes, before: int) -> None:
        self.data = data
        self.before = before
        self.at = 0

    @property
    def place(self) -> int:
        """Where it is in the whole heartbeat."""
        return self.before + self.at

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        return layout.unpack(self.take(layout.size))

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            ends, expected = self.before + len(self.data), self.before + end
            raise WireError(f"it ends at byte {ends}, {expected} were expected")
        part, self.at = self.data[self.at : end], end
        return part

    def count(self, limit: int) -> int:
        count: int = self.unpack(_COUNT)[0]
        if count > limit:
            raise WireError(f"{count} entries at byte {self.place}: more than {limit}")
        return count

    def string(self) -> str:
        (size,) = self.take(1)
        try:
            return self.take(size).decode()
        except UnicodeDecodeError as error:
            raise WireError(f"no UTF-8 before byte {self.place}") from error

    def mac(self) -> str:
        return self.take(_MAC_BYTES).hex(":")

    def group(self, names: tuple[str, ...]) -> GroupBeat:
        name = self.string()
        role, flags, epoch, priority = self.unpack(_GROUP)
        if role > max(Role) or flags >> len(names):
            raise WireError(f"role {role}, flags {flags:#x} of group {name!r}")
        values = {key: bool(flags >> bit & 1) for bit, key in enumerate(names)}
        return GroupBeat(name, Role(role), epoch, priority, **values, target=self.string())

    def end(self) -> None:
        if self.at != len(self.data):
            raise WireError(f"{len(self.data) - self.at} bytes follow the heartbeat")
