"""Work that waits for a disk, done beside the loop by one thread, in the order it was given.

Only system calls are waited for there: Python hands the interpreter back to the loop meanwhile.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable

from drctl.errors import DrctlError

Work = Callable[[], None]
"""What it raises is a `DrctlError`."""
Done = Callable[[DrctlError | None], None]


class Later:
    """`do` starts work; when `fileno` is readable, `settle` calls what waits for its end."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[Work, Done] | None] = queue.SimpleQueue()
        self._ended: deque[tuple[Done, DrctlError | None, BaseException | None]] = deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="drctl-later", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Readable when work has ended."""
        return self._wake

    def do(self, work: Work, done: Done) -> None:
        """Have it done; `settle` then calls `done` with None, or with what was refused."""
        self._waiting.put((work, done))

    def settle(self) -> None:
        """Call what waits for work that has ended, in this thread. Raises what was a mistake in
        the work, which is anything but a `DrctlError`."""
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            return
        while self._ended:
            done, refused, mistake = self._ended.popleft()
            if mistake is not None:
                raise mistake
            done(refused)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was given is done, and settle it. False when it took too long: a
        disk that does not answer must not keep the program from ending."""
        self._waiting.put(None)
        self._thread.join(timeout_s)
        self.settle()
        if self._thread.is_alive():
            return False
        os.close(self._wake)
        return True

    def _run(self) -> None:
        while (given := self._waiting.get()) is not None:
            work, done = given
            refused: DrctlError | None = None
            mistake: BaseException | None = None
            try:
                work()
            except DrctlError as cause:
                refused = cause
            except BaseException as wrong:  # noqa: BLE001 - it is raised in the loop's thread
                mistake = wrong
            self._ended.append((done, refused, mistake))
            os.eventfd_write(self._wake, 1)
