"""The event of the history that stands for others, which are missing."""

from __future__ import annotations

import time
from typing import Any


def wall_ms() -> int:
    """The time of day, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def lost_event(what: str, count: int | None = None) -> dict[str, Any]:
    """Says what is missing; `count` is how many, None when nobody knows."""
    return {"at_ms": wall_ms(), "kind": "lost", "reason": what, "count": count}
