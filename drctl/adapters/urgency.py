"""Being run before others, and not being paged out: a director that is not run loses its VIPs."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

_SCHED_RESET_ON_FORK = 0x40000000
_LOCK_WHAT_IS_USED = 1 | 4
"""MCL_CURRENT, MCL_ONFAULT."""
_LOW_OOM_SCORE = "-900"


def begin_urgent() -> None:
    """Real-time priority for this thread and those it starts. To be called before libzmq starts its
    own: each reads its priority and writes it again when it begins, in two steps, and the process
    is aborted when `be_urgent` comes between them with another policy."""
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def be_urgent() -> list[str]:
    """Real-time priority for every thread there is, its children excepted; memory locked; among the
    last to be killed when memory runs out. What is not allowed comes back in words."""
    refused = []
    try:
        for thread in Path("/proc/self/task").iterdir():
            policy = os.SCHED_RR | _SCHED_RESET_ON_FORK
            os.sched_setscheduler(int(thread.name), policy, os.sched_param(1))
    except OSError as cause:
        refused.append(f"no real-time priority: {cause.strerror}")
    try:
        Path("/proc/self/oom_score_adj").write_text(_LOW_OOM_SCORE, "ascii")
    except OSError as cause:
        refused.append(f"oom_score_adj cannot be lowered: {cause.strerror}")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_LOCK_WHAT_IS_USED) != 0:
        refused.append(f"memory cannot be locked: {os.strerror(ctypes.get_errno())}")
    return refused
