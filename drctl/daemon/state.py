"""The state directory: what has to outlive the controller.

* `epochs`: below which every epoch may have been used. A small file that is written in place, so
  that it can be written on a full disk, with two slots in turn, so that a write that was cut short
  never loses the older value.
* `paused.json`: groups that the operator paused.
* `addresses.json`: the VIPs, for whoever has to give them up when nothing else of this lives.
* `memory.json`: what is known of peers and stations. Nothing depends on it but the first moments of
  the next start.

Writing waits for the disk. A loop that must not wait has it done by `drctl.daemon.later`.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drctl.errors import DrctlError, FileRefused

EPOCHS = "epochs"
PAUSED = "paused.json"
ADDRESSES = "addresses.json"
MEMORY = "memory.json"
HISTORY = "history.sqlite3"

SCHEMA = 1
SLOT_BYTES = 4096
"""A slot is a block of its own: no write touches the other slot's."""
HIGHEST_EPOCH = (1 << 63) - 1
SKIPPED_WHEN_DAMAGED = 1 << 20
"""Epochs left out when one of two slots cannot be read: it may have been the higher one."""

_SLOT = struct.Struct("!8sQI")
_MAGIC = b"drctlEP1"
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
_LARGEST_JSON_BYTES = 16 << 20


class StateDamaged(DrctlError):
    """A file of the state directory cannot be understood; the message names the way out."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What an earlier run knew: (interface, address) of stations and (node, MAC) of peers, as
    `core.event.Started` takes them."""

    stations: tuple[tuple[str, str], ...] = ()
    peer_macs: tuple[tuple[str, str], ...] = ()


class State:
    """An open state directory. `notes` are things found in it that could not be used, in words."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self.epoch = 0
        """Every epoch below it may have been used."""
        self.paused: frozenset[str] = frozenset()
        self._epochs = -1
        self._next_slot = 0
        self._remembered: Memory | None = None

    @classmethod
    def open(cls, path: Path | str) -> State:
        """Open it, and make it when there is none. Raises `FileRefused` or `StateDamaged`."""
        state = cls(Path(path))
        open_folder(state.path)
        try:
            state._open_epochs()
            state._read_paused()
        except DrctlError:
            state.close()
            raise
        return state

    def close(self) -> None:
        if self._epochs >= 0:
            os.close(self._epochs)
            self._epochs = -1

    # epochs

    def reserve(self, below: int) -> None:
        """Write down that epochs below `below` may be used; it is on the disk when this returns.

        Never goes back. Raises `FileRefused`.
        """
        if below <= self.epoch:
            return
        if below > HIGHEST_EPOCH:
            raise FileRefused("write", str(self.path / EPOCHS), f"{below} is no epoch")
        block = _slot(below)
        try:
            written = os.pwrite(self._epochs, block, self._next_slot * SLOT_BYTES)
            os.fdatasync(self._epochs)
        except OSError as cause:
            raise FileRefused("write", str(self.path / EPOCHS), cause) from cause
        if written != len(block):
            raise FileRefused("write", str(self.path / EPOCHS), "it was written in part only")
        self._next_slot = 1 - self._next_slot
        self.epoch = below

    def _open_epochs(self) -> None:
        path = self.path / EPOCHS
        try:
            self._epochs = os.open(path, os.O_RDWR | _FLAGS)
        except FileNotFoundError:
            _replace(path, _slot(0) * 2)
            self._open_epochs()
            return
        except OSError as cause:
            raise FileRefused("open", str(path), cause) from cause
        try:
            raw = os.pread(self._epochs, 2 * SLOT_BYTES, 0)
        except OSError as cause:
            raise FileRefused("read", str(path), cause) from cause
        values = [_value(raw[at : at + SLOT_BYTES]) for at in (0, SLOT_BYTES)]
        whole = [value for value in values if value is not None]
        if not whole:
            raise StateDamaged(
                f"{path} is damaged: neither of its two values is whole; delete "
                f"it, and start while a peer that holds the VIPs runs: it tells which epochs "
                f"were used"
            )
        self.epoch = max(whole)
        if len(whole) == 2:
            self._next_slot = values.index(min(whole))
            return
        self._next_slot = values.index(None)
        self.epoch += SKIPPED_WHEN_DAMAGED
        self.notes.append(
            f"{path}: one of two values was not whole (a write was cut short); the other one is "
            f"used, with {SKIPPED_WHEN_DAMAGED} epochs left out"
        )

    # what the operator paused

    def set_paused(self, groups: Iterable[str]) -> None:
        """Have these groups, and no others, paused after a restart too. Raises `FileRefused`."""
        wanted = frozenset(groups)
        path = self.path / PAUSED
        if wanted:
            _replace(path, _json({"schema": SCHEMA, "groups": sorted(wanted)}))
        else:
            # a full disk must not keep a group paused
            try:
                path.unlink(missing_ok=True)
                _sync_directory(self.path)
            except OSError as cause:
                raise FileRefused("delete", str(path), cause) from cause
        self.paused = wanted

    def _read_paused(self) -> None:
        path = self.path / PAUSED
        found = _read_json(path)
        if found is None:
            return
        match found:
            case {"schema": 1, "groups": [*groups]} if all(isinstance(one, str) for one in groups):
                self.paused = frozenset(groups)
            case _:
                raise StateDamaged(
                    f"{path} is damaged: it does not list paused groups; delete it, then pause "
                    f"again what is to stay paused"
                )

    # what is to be given up

    def set_addresses(self, addresses: Iterable[str]) -> None:
        """Write down which VIPs this director may hold from now on. Raises `FileRefused`."""
        wanted = frozenset(addresses)
        with suppress(StateDamaged, FileRefused):
            if written_addresses(self.path) == wanted:
                return
        written = {"schema": SCHEMA, "addresses": sorted(wanted)}
        _replace(self.path / ADDRESSES, _json(written))

    # what is known of others

    def memory(self) -> Memory:
        """What was remembered; nothing where that cannot be read, which `notes` then tells."""
        path = self.path / MEMORY
        try:
            found = _read_json(path)
            if found is None:
                return Memory()
            if not isinstance(found, dict) or found.get("schema") != SCHEMA:
                raise ValueError("another schema")
            return Memory(
                tuple((_text(name), _text(address)) for name, address in found["stations"]),
                tuple((_text(node), _text(mac)) for node, mac in found["peer_macs"]),
            )
        except FileRefused as refused:
            self.notes.append(str(refused))
        except (StateDamaged, ValueError, TypeError, KeyError) as wrong:
            self.notes.append(f"{path} is not used: it is damaged ({wrong})")
        return Memory()

    def remember(self, memory: Memory) -> str:
        """Write it down for the next run, if it changed; "", or why that is not possible."""
        if memory == self._remembered:
            return ""
        written = {
            "schema": SCHEMA,
            "stations": memory.stations,
            "peer_macs": memory.peer_macs,
        }
        try:
            _replace(self.path / MEMORY, _json(written))
        except FileRefused as refused:
            return str(refused)
        self._remembered = memory
        return ""


def open_folder(path: Path) -> None:
    """Have the state directory, and nobody else write to it. Raises `FileRefused`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except FileExistsError as cause:
        raise FileRefused("use the state directory", str(path), "not a directory") from cause
    except OSError as cause:
        raise FileRefused("make the state directory", str(path), cause) from cause
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(found.st_mode)
        why = f"others may write to it (mode {mode:04o}); chmod 0700 {path}"
        raise FileRefused("use the state directory", str(path), why)
    if found.st_uid not in {0, os.geteuid()}:
        why = f"it belongs to user {found.st_uid}; chown it to the one that drctl runs as"
        raise FileRefused("use the state directory", str(path), why)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise FileRefused("use the state directory", str(path), "it cannot be written to")


def written_addresses(path: Path) -> frozenset[str] | None:
    """The VIPs that the last run of this state directory may have held; None when that is written
    nowhere. Raises `FileRefused` or `StateDamaged`."""
    file = path / ADDRESSES
    match _read_json(file):
        case None:
            return None
        case {"schema": 1, "addresses": [*found]} if all(isinstance(one, str) for one in found):
            return frozenset(found)
    raise StateDamaged(f"{file} is damaged: it does not list addresses; delete it")


def _slot(below: int) -> bytes:
    head = _MAGIC + struct.pack("!Q", below)
    return (head + struct.pack("!I", zlib.crc32(head))).ljust(SLOT_BYTES, b"\0")


def _value(raw: bytes) -> int | None:
    """The epoch in a slot; None when it is not whole."""
    if len(raw) != SLOT_BYTES:
        return None
    magic, below, checksum = _SLOT.unpack_from(raw)
    if magic != _MAGIC or checksum != zlib.crc32(raw[:16]) or below > HIGHEST_EPOCH:
        return None
    return int(below)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=True) + "\n").encode()


def _read_json(path: Path) -> Any:
    """What a file holds, None when there is none. Raises `FileRefused` or `StateDamaged`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as cause:
        raise FileRefused("read", str(path), cause) from cause
    try:
        with os.fdopen(descriptor, "rb") as file:
            raw = file.read(_LARGEST_JSON_BYTES)
    except OSError as cause:
        raise FileRefused("read", str(path), cause) from cause
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as wrong:
        raise StateDamaged(f"{path} is damaged: it is no JSON ({wrong}); delete it") from wrong


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises `FileRefused`."""
    new = path.with_name(path.name + ".new")
    try:
        with suppress(FileNotFoundError):
            new.unlink()
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
        _sync_directory(path.parent)
    except OSError as cause:
        with suppress(OSError):
            new.unlink()
        raise FileRefused("write", str(path), cause) from cause


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
