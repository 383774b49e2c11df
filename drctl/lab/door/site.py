"""Guests that stay: booting one, finding it again, ending it. A guest is a lab's, by its name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM
from typing import Final

from drctl.adapters.work_folder import clear_left
from drctl.errors import DrctlError, ToolMissing
from drctl.lab.boot import check_visible_temporary
from drctl.lab.door import client
from drctl.lab.door.keeper import FOLDERS
from drctl.lab.guest.shell import SEARCH_PATH
from drctl.lab.setup import process

TOOLS: Final = (("ip", "iproute2"), ("bridge", "iproute2"), ("keepalived", "keepalived"))
"""What a lab in a guest needs beside the kernel; those are the machine's own."""
HIDDEN: Final = ("/dev", "/proc", "/run", "/sys")
"""Where such guests mount something of their own over the machine's files."""
KEEPER: Final = "keeper"
"""What the process that keeps the guest is called."""
_END_LIMIT_S: Final = 20.0

Tell = Callable[[str], None]


@dataclass(slots=True)
class Ended:
    """What a command wrote to standard output and to standard error, by lines, and its exit
    code."""

    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    code: int = 0


@dataclass(frozen=True, slots=True)
class Guest:
    """One that takes commands; `keeper` is a pid."""

    keeper: int

    def release(self) -> str:
        """The kernel's."""
        said: list[bytes] = []
        client.call(self.keeper, ("uname", "-r"), said.append, said.append)
        return b"".join(said).decode("utf-8", "replace").strip()

    def drctl(self, words: Sequence[str], tell: Tell) -> Ended:
        """What a command of drctl says there; `tell` gets each line of its standard error at
        once."""
        ended = Ended()

        def error(line: str) -> None:
            ended.errors.append(line)
            tell(line)

        said, errors = _Lines(ended.lines.append), _Lines(error)
        ended.code = client.call(self.keeper, _command(words), said.take, errors.take)
        said.end()
        errors.end()
        return ended

    def become(self, words: Sequence[str]) -> int:
        """Run a command of drctl there as if it ran here; its exit code."""
        return client.become(self.keeper, _command(words))


def check_machine() -> None:
    """Raises ToolMissing, or DrctlError, when no lab in a guest can be made here."""
    for tool, package in TOOLS:
        if shutil.which(tool, path=SEARCH_PATH) is None:
            raise ToolMissing(tool, package)
    if not Path("/dev/net/tun").exists():
        raise DrctlError("there is no /dev/net/tun, by which a guest is reached: `modprobe tun`")
    check_visible_temporary(HIDDEN)


def boot(lab: str, kernel: str, log: Path, tell: Tell) -> Guest:
    """Boot one that stays until `end`. Raises DrctlError when it does not come."""
    tell(f"booting {kernel}")
    command = [*_KEEP, kernel]
    try:
        with process.start(command, process.mark(lab, KEEPER), log, has_pipe=True) as keeper:
            guest = _booted(keeper)
            assert keeper.stdout is not None
            keeper.stdout.close()
            # it is not waited for: it stays
            keeper.returncode = 0
            return guest
    except BaseException:
        end(lab)
        raise


@contextmanager
def booted(lab: str, kernel: str, tell: Tell) -> Iterator[Guest]:
    """One that goes at the end, however this process ends. Raises DrctlError when it does not
    come."""
    tell(f"booting {kernel}")
    pipe = subprocess.PIPE
    command = [*_KEEP, kernel, "--bound"]
    environment = process.mark(lab, KEEPER)
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, env=environment, start_new_session=True
    ) as keeper:
        try:
            yield _booted(keeper)
        finally:
            end(lab)


_KEEP: Final = (sys.executable, "-m", "drctl.lab.door.keeper")


def _booted(keeper: subprocess.Popen[bytes]) -> Guest:
    assert keeper.stdout is not None
    told = json.loads(keeper.stdout.readline() or "{}")
    if told.get("event") != "booted":
        raise DrctlError(told.get("failed", "the guest was ended while it booted"))
    return Guest(keeper.pid)


def find(lab: str) -> Guest | None:
    """The lab's; None when it has none, or has no more."""
    keepers = process.of_part(lab, KEEPER)
    own = [pid for pid in keepers if _is_keeper(pid)]
    return Guest(own[0]) if own else None


def _is_keeper(pid: int) -> bool:
    """Its guest has the same environment."""
    try:
        return _KEEP[2].encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return False


def end(lab: str) -> int:
    """End the lab's guest, the keeper first, which clears up; how many processes there were. Raises
    DrctlError when one does not end."""
    own = set(process.of_part(lab, KEEPER))
    keepers = [pid for pid in own if _is_keeper(pid)]
    process.send(keepers, SIGTERM)
    limit_s = time.monotonic() + _END_LIMIT_S
    while any(map(_is_keeper, keepers)) and time.monotonic() < limit_s:
        time.sleep(process.LOOK_AGAIN_S)
    gone = own - set(process.of_part(lab, KEEPER))
    count = len(gone) + process.end_all(lab, ())
    # a keeper that was killed has left its own
    clear_left(FOLDERS)
    return count


def _command(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "drctl", *words]


class _Lines:
    """Makes lines of bytes as they come."""

    def __init__(self, take: Callable[[str], object]) -> None:
        self._take = take
        self._left = b""

    def take(self, data: bytes) -> None:
        """More of them."""
        *lines, self._left = (self._left + data).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace"))

    def end(self) -> None:
        """A last line without an end is one."""
        if self._left:
            self._take(self._left.decode("utf-8", "replace"))
