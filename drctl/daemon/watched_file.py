"""A tracked file: a number in it counts, by keepalived's rules (track_file)."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from drctl.daemon.hook_value import TrackFile

_READ_BYTES = 127
_NUMBER = re.compile(rb"\s*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))")
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

    def look(self) -> bool:
        """Whether the number changed. What is not there, or no number, is 0."""
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
