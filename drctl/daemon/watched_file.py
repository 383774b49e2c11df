"""A tracked file: a number in it counts, by keepalived's rules (track_file)."""

from __future__ import annotations

import os
import re
import select
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from drctl.adapters.file_events import FileEvents
from drctl.daemon.hook_value import TrackFile

_READ_BYTES = 127
_NUMBER = re.compile(rb"\s*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))")
LOOK_EVERY_MS = 200
_NEVER_MS = 1 << 62
_LOWEST, _HIGHEST = -(1 << 31), 1 << 31


class WatchedFile:
    """Looked at again and again: it may be replaced, deleted and made anew."""

    def __init__(self, file: TrackFile) -> None:
        self.file = file
        self.value: int | None = None
        """The number found last; None before the first look."""
        self._seen: tuple[int, ...] | None = None

    def prepare(self, *, is_start: bool) -> str:
        """Make the file that is to be there; "" or why that is not possible. What is there already
        is overwritten at the start alone."""
        initial = self.file.initial
        if initial is None:
            return ""
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        flags |= os.O_TRUNC if self.file.overwrites and is_start else os.O_EXCL
        try:
            with suppress(FileExistsError):
                descriptor = os.open(self.file.path, flags, 0o644)
                try:
                    os.write(descriptor, b"%d\n" % initial)
                finally:
                    os.close(descriptor)
        except OSError as cause:
            return f"{self.file.path} cannot be made: {cause.strerror}"
        return ""

    def read(self) -> bool:
        """Read it, as it is now; whether the number changed."""
        before, self.value = self.value, self._read()
        return before != self.value

    def look(self) -> bool:
        """Read it if it was written since the last look; whether the number changed. What is not
        there, or no number, is 0."""
        try:
            found = Path(self.file.path).stat()
            seen: tuple[int, ...] = (
                found.st_dev,
                found.st_ino,
                found.st_mtime_ns,
                found.st_ctime_ns,
            )
        except OSError:
            seen = ()
        if seen == self._seen:
            return False
        self._seen = seen
        before, self.value = self.value, self._read() if seen else 0
        return before != self.value

    def _read(self) -> int:
        try:
            # a named pipe must not hold it up
            descriptor = os.open(self.file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                number = _NUMBER.match(os.read(descriptor, _READ_BYTES))
            finally:
                os.close(descriptor)
        except OSError:
            return 0
        value = _number(number) if number else 0
        # keepalived passes over what no 32 bits hold
        return value if _LOWEST <= value <= _HIGHEST else self.value or 0


def _number(found: re.Match[bytes]) -> int:
    """As strtol reads it: decimal, octal after a 0, hexadecimal after a 0x."""
    sign, hexadecimal, octal, decimal = found.groups()
    digits, base = (hexadecimal, 16) if hexadecimal else (octal, 8) if octal else (decimal, 10)
    value = int(digits, base)
    return -value if sign == b"-" else value


class FileWatch:
    """All tracked files. `fileno` is readable when there is something to `receive`; `tick` at
    `wake_ms` at the latest. Then `changed` tells what is new.

    A file counts when whoever wrote it has closed it, as the kernel tells. One whose folder is not
    there, or which is a link to another, is looked at now and then.
    """

    def __init__(self) -> None:
        self._files: dict[str, WatchedFile] = {}
        self._told: dict[str, str] = {}
        """Names of files of which the kernel tells, with their paths."""
        self._changed: dict[str, WatchedFile] = {}
        self._look_at_ms = 0
        self._poll = select.epoll()
        self._events: FileEvents | None = None
        with suppress(OSError):
            self._events = FileEvents()
            self._poll.register(self._events.fileno(), select.EPOLLIN)

    def fileno(self) -> int:
        return self._poll.fileno()

    def configure(self, files: Iterable[TrackFile], *, is_start: bool) -> list[tuple[str, str]]:
        """Other settings; names of files that cannot be made, and why."""
        wanted = {file.name: file for file in files}
        for name in [n for n, watched in self._files.items() if wanted.get(n) != watched.file]:
            del self._files[name]
            self._changed.pop(name, None)
            self._told.pop(name, None)
        refused = []
        for name, file in wanted.items():
            if name not in self._files:
                self._files[name] = WatchedFile(file)
                if why := self._files[name].prepare(is_start=is_start):
                    refused.append((name, why))
        if self._events is not None:
            self._events.keep({os.path.dirname(path) for path in self._told.values()})  # noqa: PTH120
        self._look_at_ms = 0
        return refused

    def wake_ms(self) -> int:
        """When `tick` has something to do."""
        return self._look_at_ms if len(self._told) < len(self._files) else _NEVER_MS

    def receive(self) -> None:
        """Take in what has happened to files."""
        if self._events is None:
            return
        files, gone = self._events.read()
        for name, path in list(self._told.items()):
            if os.path.dirname(path) in gone:  # noqa: PTH120
                del self._told[name]
                self._look_at_ms = 0
            elif path in files and self._files[name].read():
                self._changed[name] = self._files[name]

    def tick(self, now_ms: int) -> None:
        """Look at files of which the kernel does not tell, and have it tell if it can."""
        if now_ms < self.wake_ms():
            return
        self._look_at_ms = now_ms + LOOK_EVERY_MS
        for name, watched in self._files.items():
            if name in self._told:
                continue
            path = watched.file.path
            folder = os.path.dirname(path)  # noqa: PTH120
            is_itself = os.path.realpath(path) == path
            if self._events is not None and is_itself and self._events.watch(folder):
                self._told[name] = path
            if watched.look():
                self._changed[name] = watched

    def changed(self) -> list[WatchedFile]:
        """Those with another number than when this was asked last."""
        found, self._changed = list(self._changed.values()), {}
        return found
