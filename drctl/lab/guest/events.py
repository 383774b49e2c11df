"""What the guest tells the machine outside: JSON lines on standard output with a mark in front,
since a kernel writes to the same console."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

MARK = "@drctl-lab "
_lock = threading.Lock()


def emit(event: str, **fields: object) -> None:
    """Send one event."""
    line = MARK + json.dumps({"event": event, **fields}, ensure_ascii=True)
    with _lock:
        sys.stdout.write(f"\n{line}\n")
        sys.stdout.flush()


def parse(line: str) -> dict[str, Any] | None:
    """The event of a console line; None for any other text, ValueError for a broken event."""
    if not line.startswith(MARK):
        return None
    event = json.loads(line[len(MARK) :])
    if not isinstance(event, dict):
        raise TypeError(f"an event is an object, not {line!r}")
    return event
