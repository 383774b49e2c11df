"""Named pipes that get a line for each change of state (notify_fifo)."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from contextlib import suppress


class Fifos:
    """Pipes by path, made where there are none. What nobody reads stays in the pipe until it is
    full, then it is left out, as with keepalived."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}

    def write(self, path: str, line: str) -> str:
        """Never waits; "" or why it was not written."""
        try:
            os.write(self._descriptor(path), line.encode())
        except BlockingIOError:
            return "it is full: nobody reads it"
        except OSError as cause:
            return cause.strerror or str(cause)
        return ""

    def keep(self, paths: Collection[str]) -> None:
        """Have these open, and let go of all others."""
        for path in set(self._open).difference(paths):
            os.close(self._open.pop(path))
        for path in paths:
            with suppress(OSError):
                self._descriptor(path)

    def _descriptor(self, path: str) -> int:
        if path in self._open:
            return self._open[path]
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # for reading too: a pipe that nobody has open for reading keeps nothing
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError("it is no named pipe")
        self._open[path] = descriptor
        return descriptor
