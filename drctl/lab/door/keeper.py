"""`python3 -m drctl.lab.door.keeper KERNEL`: boots a guest and keeps it, in a network namespace of
its own, which nobody else has a name for and which goes with it. It says, as a line of JSON on
standard output, that the guest takes commands, or why it does not; with --bound it ends when its
standard input does."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from typing import Final

from drctl.adapters.work_folder import work_folder
from drctl.errors import DrctlError
from drctl.lab.boot import python_path, run_guest
from drctl.lab.door.frames import OUTSIDE, PREFIX, TAP
from drctl.lab.guest_root import ROOTED
from drctl.lab.pair.host import own_network, run
from drctl.lab.setup.pace import PACES

FOLDERS: Final = "drctl-lab-guest-"
_BOOT_LIMIT_S: Final = 240.0
_FOR_EVER_S: Final = 1e9
_PROGRAM: Final = (sys.executable, "-B", "-m", "drctl.lab.door.server")


def main() -> int:
    """Keep it until it ends, or this process is to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernel", choices=tuple(ROOTED))
    parser.add_argument("--bound", action="store_true")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    if options.bound:
        threading.Thread(target=_watch_input, daemon=True).start()
    try:
        _keep(options.kernel)
    except DrctlError as refused:
        print(refused, file=sys.stderr, flush=True)
        _tell(failed=str(refused))
    return 1


def _keep(kernel: str) -> None:
    own_network()
    run("ip", "tuntap", "add", "dev", TAP, "mode", "tap")
    run("ip", "address", "add", f"{OUTSIDE}/{PREFIX}", "dev", TAP)
    run("ip", "link", "set", TAP, "up")
    variables = {"PYTHONPATH": python_path(), **PACES[kernel].variables()}
    guest = ROOTED[kernel](_PROGRAM, variables, has_door=True)
    with work_folder(FOLDERS) as work:
        plan = work / "plan"
        plan.touch()
        events = run_guest(
            guest,
            work,
            plan,
            boot_limit_s=_BOOT_LIMIT_S * guest.patience,
            silence_limit_s=_FOR_EVER_S,
        )
        with contextlib.closing(events):
            for event in events:
                _tell(**event)


def _tell(**fields: object) -> None:
    """Whoever started this one may be gone."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(fields), flush=True)


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _watch_input() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
