"""Whether a tracked script counts as up, by keepalived's rules (vrrp_scheduler.c)."""

from __future__ import annotations

from drctl.daemon.hook_value import TrackScript


class Tracker:
    """Counts the results of one script.

    `is_up` is None before the first result, of which one is enough; then it takes `rise` successes
    or `fall` failures on end to change it.
    """

    def __init__(self, script: TrackScript) -> None:
        self._rise = max(1, script.rise)
        self._fall = max(1, script.fall)
        self.is_up: bool | None = False if script.starts_failed else None
        self._count = 0
        """How many results on end speak against `is_up`."""

    def go_on(self, before: Tracker) -> None:
        """Take over from an earlier definition of the script: what it found out stays true."""
        if before.is_up is not None:
            self.is_up = before.is_up

    def take(self, *, is_success: bool) -> bool:
        """Another result; true when `is_up` changed."""
        if self.is_up is None:
            self.is_up = is_success
            return True
        if is_success == self.is_up:
            self._count = 0
            return False
        self._count += 1
        if self._count < (self._rise if is_success else self._fall):
            return False
        self._count = 0
        self.is_up = is_success
        return True
