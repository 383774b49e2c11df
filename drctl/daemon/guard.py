"""The guard: a small second process that gives the VIPs up when the controller dies.

Started by `guard_client`, as `python -m drctl.daemon.guard CHANNEL CONTROLLER LOCK`: numbers of
inherited descriptors, a stream socket to the controller, a pidfd of it, and the lock file, on which
it holds the lock until the VIPs are gone. It decides nothing else, does no configuration, and
imports neither zmq nor a netlink library, so that it is small and always gets to run.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys

from drctl.adapters.release import Releaser
from drctl.daemon.guard_protocol import (
    END,
    ENDED,
    HELD,
    HOLD,
    READY,
    RELEASE,
    Frames,
    GuardSpokeWrongly,
    frame,
    held_of,
)

_READ_BYTES = 64 << 10
_IGNORED = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGUSR1", "SIGUSR2", "SIGPIPE")
_LOWEST_OOM_SCORE = "-1000"
_LOCK_WHAT_IS_USED = 1 | 4
"""MCL_CURRENT, MCL_ONFAULT: what is in memory stays there. Not MCL_FUTURE: with it a limit on
locked memory (RLIMIT_MEMLOCK) would let a later allocation fail, at the worst moment."""
_PR_SET_NAME = 15
_NAME = b"drctl-guard"

_ANY_TABLE = "drctl"
"""The rehearsal asks for it; it need not exist."""

GAVE_UP, ENDED_ON_REQUEST, COULD_NOT, SPOKE_WRONGLY = 0, 0, 1, 2
"""Exit codes: VIPs given up after the controller's death; ended because it was told to; not all
could be given up; the controller sent something else than the protocol, which changes nothing."""


class Guard:
    """One guard. `channel` and `controller` are descriptors."""

    def __init__(self, channel: int, controller: int, releaser: Releaser) -> None:
        self._channel = channel
        self._controller = controller
        self._releaser = releaser
        self._frames = Frames()
        self._table = ""
        self._addresses: frozenset[bytes] = frozenset()

    def run(self) -> int:
        """Wait for the controller's word or its death; the exit code."""
        poll = select.poll()
        poll.register(self._controller, select.POLLIN)
        poll.register(self._channel, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            # what it said before it died is heard first; without that the pidfd says it is dead
            is_spoken_to = self._channel in ready
            code = self._listen() if is_spoken_to else self._give_up(is_told=False)
            if code is not None:
                return code

    def _listen(self) -> int | None:
        """Read what the controller says. The end of the stream is its death, or as good as that:
        whom nobody can tell anything guards nothing."""
        try:
            received = os.read(self._channel, _READ_BYTES)
        except ConnectionError:
            received = b""
        if not received:
            return self._give_up(is_told=False)
        for kind, body in self._frames.feed(received):
            if kind == HOLD:
                self._table, self._addresses = held_of(body)
                self._say(HELD)
            elif kind == RELEASE:
                return self._give_up(is_told=True)
            elif kind == END:
                self._say(ENDED)
                return ENDED_ON_REQUEST
            else:
                raise GuardSpokeWrongly(f"a frame of kind {kind} to the guard")
        return None

    def _give_up(self, *, is_told: bool) -> int:
        failed = self._releaser.release(self._table, self._addresses)
        report = "\n".join(str(refused) for refused in failed)
        if is_told:
            self._say(ENDED, report)
        elif report:
            _complain(report)
        return COULD_NOT if failed else GAVE_UP

    def _say(self, kind: int, report: str = "") -> None:
        """Answer; a controller that died meanwhile is noticed in the next turn."""
        try:
            os.write(self._channel, frame(kind, report.encode()))
        except ConnectionError as gone:
            _complain(f"cannot answer the controller: {gone.strerror}")


def prepare_process() -> list[str]:
    """Ignore signals, be the last that is killed for memory, run before others.

    What is not allowed comes back in words: it is no reason not to guard.
    """
    for name in _IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    gc.disable()
    refused = []
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(_LOWEST_OOM_SCORE)
    except OSError as cause:
        refused.append(f"guard: cannot lower oom_score_adj: {cause.strerror}")
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError as cause:
        refused.append(f"guard: cannot run with real-time priority: {cause.strerror}")
    return refused


def stay_in_memory() -> list[str]:
    """Have what is used by now not paged out; what is not allowed comes back in words."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NAME, _NAME, 0, 0, 0)
    if libc.mlockall(_LOCK_WHAT_IS_USED) == 0:
        return []
    return [f"guard: cannot lock memory: {os.strerror(ctypes.get_errno())}"]


def _complain(report: str) -> None:
    """To standard error, which may have died with the controller."""
    try:
        sys.stderr.write(f"drctl-guard: {report}\n")
        sys.stderr.flush()
    except OSError:
        return


def main(arguments: list[str]) -> int:
    """Guard until the controller dies or says that it ends; the exit code."""
    channel, controller, lock = map(int, arguments)
    for descriptor in (channel, controller, lock):
        os.set_inheritable(descriptor, False)
    refused = prepare_process()
    releaser = Releaser()
    releaser.rehearse(_ANY_TABLE)
    refused += stay_in_memory()
    os.write(channel, frame(READY, "\n".join(refused).encode()))
    try:
        return Guard(channel, controller, releaser).run()
    except GuardSpokeWrongly as wrong:
        _complain(str(wrong))
        return SPOKE_WRONGLY


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
