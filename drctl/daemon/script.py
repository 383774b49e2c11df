"""Running a program that nobody trusts to end: as another user, in a session of its own, with a
limit, after which it and all that it started is terminated and then killed."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from drctl.daemon.hook_value import Program

KILLED_AFTER_MS = 2000
"""From the polite signal to the other one, as in keepalived."""
NOT_STARTED = 127
_PR_SET_PDEATHSIG = 1
_OWN = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")
_DEFAULT = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
_NEVER_MS = 1 << 62


class Script:
    """A running program; `fileno` is readable when it has ended.

    `end` gives its exit status, below 0 the signal that ended it. `is_late` is set when the limit
    has passed; the program may live on for a while.
    """

    def __init__(self, pid: int, limit_at_ms: int) -> None:
        self.pid = pid
        self.is_late = False
        self._pidfd = os.pidfd_open(pid)
        self._signal_at_ms = limit_at_ms
        self._next_signal = signal.SIGTERM

    def fileno(self) -> int:
        return self._pidfd

    def wake_ms(self) -> int:
        """When `tick` has something to do."""
        return self._signal_at_ms

    def tick(self, now_ms: int) -> None:
        """Terminate it when its time is over, and kill it when that was not enough."""
        if now_ms < self._signal_at_ms:
            return
        self.is_late = True
        self.signal(self._next_signal)
        is_last = self._next_signal is signal.SIGKILL
        self._next_signal = signal.SIGKILL
        self._signal_at_ms = _NEVER_MS if is_last else now_ms + KILLED_AFTER_MS

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and all that it started and that is still in its process group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def end(self) -> int:
        """Reap it, and kill what is left of one that was late; its exit status."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self._pidfd)
        if self.is_late:
            self.signal(signal.SIGKILL)
        return os.waitstatus_to_exitcode(status)


class Launcher:
    """Starts programs. Loads all that the short time between fork and exec needs."""

    def __init__(self) -> None:
        import ctypes

        self._prctl: Callable[..., int] = ctypes.CDLL(None).prctl
        self._null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self._environment = {name: value for name, value in os.environ.items() if name not in _OWN}

    def start(
        self, program: Program, arguments: Sequence[str], limit_at_ms: int, stdin: int = -1
    ) -> Script:
        """Start it with further arguments; one that cannot be run ends with NOT_STARTED. What it
        is given to read is also where it complains to; of others nobody hears that.

        Nothing waits for the exec: a file on a server that does not answer stops this program
        alone. Raises OSError when there can be no further process.
        """
        pid = os.fork()
        if pid == 0:
            try:
                self._become(program, arguments, stdin)
            finally:
                os._exit(NOT_STARTED)
        return Script(pid, limit_at_ms)

    def _become(self, program: Program, arguments: Sequence[str], stdin: int) -> None:
        os.setsid()
        for number in _DEFAULT:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.dup2(self._null if stdin < 0 else stdin, 0)
        os.dup2(self._null, 1)
        os.dup2(self._null if stdin < 0 else stdin, 2)
        self._change_user(program)
        # after the change of user, which would undo it
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        command = [*program.argv, *arguments]
        try:
            os.execvpe(command[0], command, self._environment)
        except OSError as cause:
            if cause.errno == errno.ENOEXEC:
                os.execve("/bin/sh", ["/bin/sh", *command], self._environment)
            raise

    def _change_user(self, program: Program) -> None:
        uid, gid = program.uid, program.gid
        assert uid is None or gid is not None, "a user without a group would keep the daemon's"
        if gid is None or (uid in {None, os.geteuid()} and gid == os.getegid()):
            return
        os.setgroups((gid,))
        os.setresgid(gid, gid, gid)
        if uid is not None:
            os.setresuid(uid, uid, uid)
