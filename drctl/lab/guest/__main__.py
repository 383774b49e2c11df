"""`python3 -m drctl.lab.guest PLAN [--init]`: run every trial of the plan, then say so.

Never run it outside a guest: it refuses where the root file system is writable.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from drctl.lab.guest.events import emit
from drctl.lab.guest.machine import power_off, prepare
from drctl.lab.guest.shell import SEARCH_PATH, GuestError
from drctl.lab.guest.trial import run_trial
from drctl.lab.plan import from_json


def main(arguments: list[str]) -> int:
    """0: every trial was tried, whatever it measured or failed at."""
    os.environ["PATH"] = SEARCH_PATH
    plan = from_json(Path(arguments[0]).read_text(encoding="utf-8"))
    is_init = "--init" in arguments[1:]
    code = 0
    try:
        prepare(is_init=is_init)
        emit("booted", kernel=os.uname().release)
        for trial in plan.trials:
            try:
                run_trial(plan, trial)
            except GuestError as refused:
                emit("error", method=trial.method, message=str(refused))
    except GuestError as refused:
        emit("error", method=None, message=str(refused))
        code = 1
    except Exception:  # noqa: BLE001 - the last place that can tell the machine outside
        emit("error", method=None, message=traceback.format_exc())
        code = 1
    emit("done", code=code)
    if is_init:
        power_off()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
