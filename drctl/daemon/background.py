"""How a process that must not disturb the controller begins. Imports little."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import Any

_NICER = 5
_PR_SET_NAME = 15
_ORDINARY_OOM_SCORE = "0"


def begin(name: str, channel: str) -> socket.socket:
    """Give up the controller's priorities, outlive what is sent to the whole service, and take the
    inherited channel by its number.

    Signals that would end it are caught and not ignored, for programs that it runs would inherit
    that; it ends when the channel does.
    """
    descriptor = int(channel)
    os.set_inheritable(descriptor, False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _go_on)
    _step_back()
    _call_itself(name)
    return socket.socket(fileno=descriptor)


def _go_on(_number: int, _frame: Any) -> None:
    return


def _step_back() -> None:
    try:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        if os.getpriority(os.PRIO_PROCESS, 0) <= 0:
            os.setpriority(os.PRIO_PROCESS, 0, _NICER)
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(_ORDINARY_OOM_SCORE)
    except OSError as cause:
        sys.stderr.write(f"drctl: cannot give up a priority: {cause.strerror}\n")


def _call_itself(name: str) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
