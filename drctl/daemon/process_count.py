"""Whether there are as many processes of a kind as there ought to be, by keepalived's rules
(track_process.c). What the kernel tells, or what is found in /proc, is put in from outside."""

from __future__ import annotations

from enum import Enum

from drctl.daemon.hook_value import TrackProcess


class _Waits(Enum):
    """For what the delay is: that there are fewer again, or more again."""

    GAINED = "gained"
    LOST = "lost"


class ProcessCount:
    """The processes that one TrackProcess means, as far as they are known.

    `is_up` is None before `begin`. A number that a fork leads to counts after the fork delay, one
    that the end of a process leads to after the terminate delay, each only if it still holds then;
    what another program or another name leads to counts at once.
    """

    def __init__(self, wanted: TrackProcess) -> None:
        self.wanted = wanted
        self.pids: set[int] = set()
        self.is_up: bool | None = None
        self._waits: _Waits | None = None
        self._due_ms = 0
        arguments = [one.encode() + b"\0" for one in wanted.arguments]
        self._program = wanted.program.encode()
        self._arguments = b"".join(arguments)

    # which processes are meant

    @property
    def wants_command(self) -> bool:
        """It is told by its command line, not by its name."""
        return self.wanted.is_full_command

    @property
    def command_bytes(self) -> int:
        """As much of a command line as tells it from longer ones."""
        return len(self._program) + 1 + len(self._arguments) + 1

    def means(self, name: bytes, command: bytes) -> bool:
        """Whether a process of this name and command line is one of them."""
        if not self.wants_command:
            return name == self._program
        program, _, given = command.partition(b"\0")
        return program == self._program and self._has_arguments(given)

    def _has_arguments(self, given: bytes) -> bool:
        wanted = self._arguments
        match self.wanted.match:
            case "":
                return True
            case "exact":
                return given[: len(wanted) + 1] == wanted
            case "partial":
                return given.startswith(wanted)
            case _:
                # the last one may be longer
                return len(given) >= len(wanted) and given.startswith(wanted[:-1])

    # what becomes of them

    def begin(self, pids: set[int]) -> None:
        """All that there are at the start."""
        self.pids = pids
        self.is_up = self._is_right(len(pids))

    def add(self, pid: int, now_ms: int, *, is_fork: bool) -> None:
        """One more, by a fork, or because it runs the program, or has the name, now."""
        if pid not in self.pids:
            self.replace(self.pids | {pid}, now_ms, is_delayed=is_fork)

    def remove(self, pid: int, now_ms: int, *, is_end: bool) -> None:
        """One less, by its end, or because it runs another program, or has another name, now."""
        if pid in self.pids:
            self.replace(self.pids - {pid}, now_ms, is_delayed=is_end)

    def replace(self, pids: set[int], now_ms: int, *, is_delayed: bool) -> None:
        """Other processes than before."""
        before, after = len(self.pids), len(pids)
        self.pids = pids
        if self._is_right(before) is self._is_right(after):
            return
        waited, self._waits = self._waits, None
        side = _Waits.GAINED if after > before else _Waits.LOST
        wanted = self.wanted
        delay_ms = wanted.fork_delay_ms if side is _Waits.GAINED else wanted.terminate_delay_ms
        if is_delayed and delay_ms and waited in {None, side}:
            self._waits, self._due_ms = side, now_ms + delay_ms
        else:
            self.is_up = self._is_right(after)

    def wake_ms(self) -> int | None:
        """When `tick` has something to do."""
        return None if self._waits is None else self._due_ms

    def tick(self, now_ms: int) -> None:
        """What still holds after its delay counts."""
        if self._waits is not None and now_ms >= self._due_ms:
            self._waits = None
            self.is_up = self._is_right(len(self.pids))

    def _is_right(self, count: int) -> bool:
        most = self.wanted.quorum_max
        return count >= self.wanted.quorum and (most is None or count <= most)

    def why(self) -> str:
        """What is wrong with their number, "" when nothing is."""
        if self._is_right(len(self.pids)):
            return ""
        least, most = self.wanted.quorum, self.wanted.quorum_max
        bound = f"at least {least}" if len(self.pids) < least else f"at most {most}"
        return f"{len(self.pids)} processes {self.wanted.program}, {bound} wanted"
