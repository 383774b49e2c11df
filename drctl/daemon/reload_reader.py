"""The controller's end of the process that reads the configuration for a reload."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys

from drctl.daemon.preparation import Preparation, Unready
from drctl.daemon.preparation_shape import shape
from drctl.errors import DrctlError

LIMIT_MS = 30_000
OTHER = "is not the one that runs: restart the daemon, which hands over first"
_MOST_BYTES = 64 << 20
_READ_BYTES = 1 << 18


class Reader:
    """One reading of the configuration. `fileno` is readable when there is something to `receive`;
    nothing here waits."""

    def __init__(self, path: str, now_ms: int, *, has_fence: bool, accepts: bool) -> None:
        self.end_ms = now_ms + LIMIT_MS
        self._received = bytearray()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        options = ["yes" if each else "no" for each in (has_fence, accepts)]
        module = [sys.executable, "-s", "-P", "-m", "drctl.daemon.reload_reading"]
        try:
            self._process = subprocess.Popen(
                [*module, str(theirs.fileno()), path, *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError as cause:
            ours.close()
            raise DrctlError(f"cannot start a process that reads: {cause.strerror}") from cause
        finally:
            theirs.close()
        ours.setblocking(False)
        self._channel = ours

    @property
    def pid(self) -> int:
        return self._process.pid

    def fileno(self) -> int:
        return self._channel.fileno()

    def receive(self) -> Preparation | Unready | None:
        """What it has found; None when it has not ended."""
        while True:
            try:
                piece = self._channel.recv(_READ_BYTES)
            except BlockingIOError:
                return None
            except OSError:
                piece = b""
            if not piece:
                return self._whole()
            self._received += piece
            if len(self._received) > _MOST_BYTES:
                return Unready(["the configuration is too large"])

    def _whole(self) -> Preparation | Unready:
        head, end, body = self._received.partition(b"\n")
        if end and head + end != shape():
            version = head.decode("ascii", "replace").partition(" ")[0]
            return Unready([f"the drctl that is installed ({version}) {OTHER}"])
        try:
            found = pickle.loads(body)
        except (EOFError, pickle.UnpicklingError):
            return Unready(["the process that reads the configuration has died"])
        return found if isinstance(found, Preparation) else Unready(found)

    def close(self) -> subprocess.Popen[bytes]:
        """Give back what is open; the process, which is ending, is to be waited for."""
        self._channel.close()
        self._process.kill()
        return self._process


def reaped(processes: list[subprocess.Popen[bytes]]) -> list[subprocess.Popen[bytes]]:
    """Those that have not ended yet."""
    return [process for process in processes if process.poll() is None]
