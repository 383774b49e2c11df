"""Which files were written, replaced or deleted, as the kernel tells it (inotify(7)). Imports
little."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from contextlib import suppress

_IN_CLOSE_WRITE = 0x8
_IN_MOVED_FROM = 0x40
_IN_MOVED_TO = 0x80
_IN_DELETE = 0x200
_IN_DELETE_SELF = 0x400
_IN_MOVE_SELF = 0x800
_IN_Q_OVERFLOW = 0x4000
_IN_IGNORED = 0x8000
_IN_ONLYDIR = 0x1000000
_WANTED = (
    _IN_CLOSE_WRITE | _IN_MOVED_FROM | _IN_MOVED_TO | _IN_DELETE | _IN_DELETE_SELF | _IN_MOVE_SELF
)
_GONE = _IN_DELETE_SELF | _IN_MOVE_SELF | _IN_IGNORED
_EVENT = struct.Struct("=iIII")
_READ_BYTES = 65536


class FileEvents:
    """Watches folders for what becomes of files in them."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._add: Callable[..., int] = library.inotify_add_watch
        self._remove: Callable[..., int] = library.inotify_rm_watch
        self._descriptor: int = library.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._folders: dict[int, str] = {}

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    def watch(self, folder: str) -> bool:
        """Watch a folder; false when there is none, or it cannot be watched."""
        number = self._add(self._descriptor, os.fsencode(folder), _WANTED | _IN_ONLYDIR)
        if number < 0:
            return False
        self._folders[number] = folder
        return True

    def keep(self, folders: set[str]) -> None:
        """Watch no others any more."""
        for number in [n for n, folder in self._folders.items() if folder not in folders]:
            del self._folders[number]
            self._remove(self._descriptor, number)

    def read(self) -> tuple[set[str], set[str]]:
        """Paths of files that changed, and folders that are not watched any more, because they are
        gone; or, when some were lost, all of them."""
        files: set[str] = set()
        gone: set[str] = set()
        with suppress(BlockingIOError):
            while raw := os.read(self._descriptor, _READ_BYTES):
                at = 0
                while at + _EVENT.size <= len(raw):
                    number, mask, _, length = _EVENT.unpack_from(raw, at)
                    name = raw[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
                    at += _EVENT.size + length
                    if mask & _IN_Q_OVERFLOW:
                        gone.update(self._folders.values())
                    elif number in self._folders and mask & _GONE:
                        gone.add(self._folders[number])
                    elif number in self._folders:
                        files.add(f"{self._folders[number]}/{os.fsdecode(name)}")
        for number in [n for n, folder in self._folders.items() if folder in gone]:
            del self._folders[number]
            self._remove(self._descriptor, number)
        return files, gone
