"""The processes of a lab: each carries the lab's name and what it is in its environment, and passes
both on, so that it is found whatever became of whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from drctl.errors import DrctlError

LAB, PART = "DRCTL_LAB", "DRCTL_LAB_PART"
END_LIMIT_S = 15.0
LOOK_AGAIN_S = 0.02
"""While a process becomes another program its environment cannot be read: who finds none has to
look again."""


def mark(lab: str, part: str = "") -> dict[str, str]:
    """The environment of a lab's process, on top of this one's."""
    return {**os.environ, LAB: lab, PART: part}


def inside() -> str:
    """The lab that this process is in, "" when it is in none."""
    return os.environ.get(LAB, "")


def start(
    command: list[str], environment: dict[str, str], log: Path, *, has_pipe: bool = False
) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one. With a pipe its output can be read, what it says of
    errors goes to the log in any case."""
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if has_pipe else file,
            stderr=file,
            start_new_session=True,
        )


def processes(lab: str) -> dict[int, str]:
    """The lab's processes with what each is."""
    wanted = f"{LAB}={lab}".encode()
    prefix = f"{PART}=".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended
        if wanted in words:
            part = next((one for one in words if one.startswith(prefix)), prefix)
            found[int(entry.name)] = part.removeprefix(prefix).decode("utf-8", "replace")
    return found


def of_part(lab: str, part: str) -> list[int]:
    """The processes that are this part of the lab."""
    for wait_s in (LOOK_AGAIN_S, 0.0):
        if found := sorted(pid for pid, name in processes(lab).items() if name == part):
            return found
        time.sleep(wait_s)
    return []


def in_namespace(namespace: str) -> list[int]:
    """The processes in a network namespace."""
    try:
        wanted = Path("/run/netns", namespace).stat()
    except OSError:
        return []
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):  # it has ended
            if entry.name.isdigit():
                there = (entry / "ns" / "net").stat()
                if (there.st_dev, there.st_ino) == (wanted.st_dev, wanted.st_ino):
                    found.append(int(entry.name))
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to those that are still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def end_all(lab: str, namespaces: Iterable[str]) -> int:
    """Kill all processes of the lab, and all that others started in its namespaces; how many there
    were. Raises DrctlError when one does not end."""
    ended: set[int] = set()
    limit_s = time.monotonic() + END_LIMIT_S
    places = tuple(namespaces)
    empty_looks = 0
    while True:
        left = set(processes(lab)).union(*(in_namespace(one) for one in places)) - {os.getpid()}
        if not left:
            empty_looks += 1
            if empty_looks == 2:
                return len(ended)
            time.sleep(LOOK_AGAIN_S)
            continue
        empty_looks = 0
        if time.monotonic() > limit_s:
            raise DrctlError(f"processes of lab {lab} do not end: {sorted(left)}")
        ended |= left
        send(left, signal.SIGKILL)
        time.sleep(0.02)
