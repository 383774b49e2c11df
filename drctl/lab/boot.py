"""Booting a guest and listening to it: what User-mode Linux and QEMU have in common.

A guest runs in a session of its own, so that all its processes can be ended together.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import drctl
from drctl.errors import DrctlError
from drctl.lab.guest.events import parse

_KEPT_LINES = 60
_END_LIMIT_S = 20
_LOOK_AGAIN_S = 0.02


class GuestLostError(DrctlError):
    """The guest did not start, ended too early, or was silent for too long."""


class Kernel(Protocol):
    """A way to boot a guest."""

    name: str
    backend: str
    patience: float

    def command(self, work: Path, plan: Path) -> list[str]:
        """The command line that boots a guest which runs the plan and powers off; `work` is a
        folder for files that the command needs. Raises ToolMissing."""

    def environment(self, work: Path) -> dict[str, str]:
        """Variables on top of the caller's for the command."""


@dataclass
class Console:
    """Everything else that appeared on the guest's console, the last lines of it."""

    lines: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Remember a line."""
        if line.strip():
            self.lines.append(line)
            del self.lines[:-_KEPT_LINES]

    def text(self) -> str:
        """The lines, or a word that there are none."""
        return "\n".join(self.lines) if self.lines else "(nothing on the console)"


def guest_command(plan: Path, *options: str) -> list[str]:
    """The guest program's command line: this interpreter, this checkout or installation."""
    return [sys.executable, "-B", "-m", "drctl.lab.guest", str(plan), *options]


def python_path() -> str:
    """Folder that holds the drctl package."""
    return str(Path(drctl.__file__).resolve().parent.parent)


def check_visible(path: Path, hidden: Iterable[str], what: str, way_out: str) -> None:
    """Raises DrctlError for a place that the guest has its own of, below one of `hidden`."""
    for place in hidden:
        if path.resolve().is_relative_to(place):
            raise DrctlError(f"{what} below {place}, which a guest has its own of: {way_out}")


def check_visible_temporary(hidden: Iterable[str]) -> None:
    """The same of temporary files."""
    folder = Path(tempfile.gettempdir())
    check_visible(folder, hidden, "temporary files are", "set TMPDIR to another folder")


def run_guest(
    kernel: Kernel, work: Path, plan: Path, *, boot_limit_s: float, silence_limit_s: float
) -> Generator[dict[str, Any], None, None]:
    """Boot, yield each event of the guest, and end it, whatever happens to the caller.

    Raises GuestLostError when the guest says nothing for `boot_limit_s` (first) or
    `silence_limit_s` (later), or ends without the event `done`.
    """
    console = Console()
    process = subprocess.Popen(
        kernel.command(work, plan),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **kernel.environment(work)},
        cwd=work,
        start_new_session=True,
    )
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        limit_s = boot_limit_s
        while True:
            line = _next_line(lines, limit_s, console)
            if line is None:
                raise GuestLostError(f"the guest ended before it was done:\n{console.text()}")
            event = parse(line)
            if event is None:
                console.add(line)
                continue
            limit_s = silence_limit_s
            yield event
            if event["event"] == "done":
                return
    finally:
        _end(process)
        reader.join(_END_LIMIT_S)


def _read(process: subprocess.Popen[bytes], lines: queue.Queue[str | None]) -> None:
    """Hand on what the guest says, to its end; nobody else closes what is read from here."""
    assert process.stdout is not None
    with process.stdout as said:
        for raw in said:
            lines.put(raw.decode("utf-8", "replace").strip("\r\n"))
    lines.put(None)


def _next_line(lines: queue.Queue[str | None], limit_s: float, console: Console) -> str | None:
    """The next line that is not empty; None at the end."""
    end = time.monotonic() + limit_s
    while True:
        try:
            line = lines.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            raise GuestLostError(
                f"the guest was silent for {limit_s:.0f} s and was ended:\n{console.text()}"
            ) from None
        if line is None or line:
            return line


def _end(process: subprocess.Popen[bytes]) -> None:
    """End every process of the guest's session, and see them gone: User-mode Linux has one for each
    of the guest's own."""
    with contextlib.suppress(ProcessLookupError):  # all have ended by themselves
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(_END_LIMIT_S)
    limit_s = time.monotonic() + _END_LIMIT_S
    while _is_any_left(process.pid) and time.monotonic() < limit_s:
        time.sleep(_LOOK_AGAIN_S)


def _is_any_left(group: int) -> bool:
    """Whether a process of the group runs; one that only waits to be asked for its end does not."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended
                state, _, of = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(of) == group and state not in "ZX":
                    return True
    return False
