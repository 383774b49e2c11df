"""What this process may do to the network."""

from __future__ import annotations

from pathlib import Path

_NEEDED = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13}
"""By their numbers (capabilities(7))."""


def missing_rights() -> tuple[str, ...]:
    """Capabilities that a director needs, and this process has not."""
    status = Path("/proc/self/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    has = int(line.split()[1], 16)
    return tuple(name for name, number in _NEEDED.items() if not has >> number & 1)
