"""`python3 -m drctl.lab.guest.commands PLAN`: drctl's commands one after the other, in a guest
whose files may be written (`guest_root`). The plan is a list of lists of words; what each command
says, and how it ended, is told to the machine outside. One that could not do its work ends it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from drctl.lab.guest.events import emit

REFUSED = 2
"""The exit code of a command that could not do its work."""


def main(plan: str) -> None:
    """Run them all, or up to the first that is refused."""
    commands: list[list[str]] = json.loads(Path(plan).read_text(encoding="utf-8"))
    emit("booted", kernel=os.uname().release)
    for words in commands:
        code = _run(words)
        emit("ended", code=code)
        if code >= REFUSED or code < 0:
            break
    emit("done")


def _run(words: list[str]) -> int:
    command = [sys.executable, "-m", "drctl", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        beside = threading.Thread(target=_tell, args=("progress", process.stderr))
        beside.start()
        _tell("said", process.stdout)
        beside.join()
    return process.returncode


def _tell(event: str, said: IO[bytes]) -> None:
    for line in said:
        emit(event, text=line.decode("utf-8", "replace").rstrip("\n"))


if __name__ == "__main__":
    main(sys.argv[1])
