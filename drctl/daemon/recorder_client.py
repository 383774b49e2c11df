"""The controller's end of the recorder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drctl.daemon.child import Child
from drctl.daemon.lost_event import lost_event, wall_ms


class Recorder:
    """`put` an event, and it is in the history soon after. `fileno` as `Child`."""

    def __init__(self, path: Path | str) -> None:
        self._child = Child("drctl.daemon.recorder", (str(Path(path).absolute()),), self._greeting)
        self._told_dropped = 0
        self._trouble = ""

    @classmethod
    def spawn(cls, path: Path | str, now_ms: int) -> Recorder:
        """Start it. When that is not possible it is tried again, and `trouble` says why."""
        recorder = cls(path)
        recorder._child.start(now_ms)
        return recorder

    @property
    def pid(self) -> int | None:
        return self._child.pid

    @property
    def dropped(self) -> int:
        """How many events nobody will find in the history."""
        return self._child.dropped

    @property
    def trouble(self) -> str:
        """Why the history is not being written, "" when it is."""
        return self._child.trouble or self._trouble

    def fileno(self) -> int:
        return self._child.fileno()

    def put(self, event: dict[str, Any]) -> None:
        """Have it recorded; never waits. `at_ms` is added: now, in milliseconds since 1970."""
        count = self._child.dropped - self._told_dropped
        if count:
            before = self._child.dropped
            what = f"{count} events were not recorded: the recorder did not take them in time"
            self._child.put(lost_event(what, count))
            if self._child.dropped == before:
                self._told_dropped = before
            else:
                self._child.dropped = before
        self._child.put({"at_ms": wall_ms(), **event})

    def receive(self, now_ms: int) -> None:
        """Take in what the recorder says of itself."""
        for message in self._child.receive(now_ms):
            self._trouble = str(message.get("trouble", ""))

    def tick(self, now_ms: int) -> None:
        """With every turn of the loop."""
        self._child.tick(now_ms)

    def end(self, timeout_ms: int = 5000) -> bool:
        """Wait until all is written; False when it is not."""
        is_written = self._child.end(timeout_ms)
        self._child.close()
        return is_written

    def _greeting(self) -> list[dict[str, Any]]:
        if self._child.starts < 2:
            return []
        return [lost_event("the recorder died: what it was given last may be missing")]
