"""How quick a lab's directors and looks are: those of a guest have to be slower, since it stands
still for longer than a machine does."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

_VARIABLE = "DRCTL_LAB_PACE"
"""By which drctl outside tells drctl in a guest."""


@dataclass(frozen=True)
class Pace:
    """`heartbeat_ms` and `confirm_ms` are the directors' (0: their own default); `listen_s` is how
    long a look waits for late answers, `settle_s` how long the directors may take to agree."""

    heartbeat_ms: int = 100
    confirm_ms: int = 0
    listen_s: float = 0.0
    settle_s: float = 30.0

    def variables(self) -> dict[str, str]:
        """With which a process has this pace."""
        return {_VARIABLE: json.dumps(asdict(self))}


PACES = {"uml": Pace(300, 100, 2.0, 60.0), "qemu": Pace(1500, 600, 5.0, 180.0)}
"""By the guest's kernel."""


def pace_here() -> Pace:
    """That of this process."""
    told = os.environ.get(_VARIABLE)
    return Pace() if told is None else Pace(**json.loads(told))
