"""The recorder: writes the history, in a process of its own, so that no disk, however slow or full,
delays the controller.

Started by `recorder_client`, as `python -m drctl.daemon.recorder CHANNEL PATH`; it ends when the
channel does. What cannot be written now is kept for later; what there is no room for is counted,
and the history says so when it can be written again.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from drctl.daemon.background import begin
from drctl.daemon.history import History, HistoryRefused
from drctl.daemon.line_channel import ChannelEnded, LineChannel
from drctl.daemon.lost_event import lost_event, wall_ms

MOST_KEPT = 10_000
WRITTEN_AT_ONCE = 500
TRY_AGAIN_S = 2.0
PRUNE_EVERY_S = 3600.0


class Writer:
    """Takes events from the channel and writes them into the history at `path`."""

    def __init__(self, channel: socket.socket, path: str) -> None:
        self._lines = LineChannel(channel)
        self._history = History(Path(path))
        self._kept: deque[dict[str, Any]] = deque()
        self._lost = 0
        self._trouble = ""
        self._try_at_s = 0.0
        self._prune_at_s = 0.0

    def run(self) -> int:
        """Write what comes until there will be no more; 0 when all is written."""
        poll = select.poll()
        poll.register(self._lines, select.POLLIN)
        while True:
            poll.poll(self._wait_ms())
            try:
                self._take(self._lines.receive())
            except ChannelEnded:
                self._try_at_s = 0.0
                self._write()
                self._history.close()
                return 1 if self._kept else 0
            self._write()
            self._prune()
            self._lines.flush()

    def _wait_ms(self) -> float | None:
        if not self._kept:
            return None
        return max(0.0, self._try_at_s - time.monotonic()) * 1000

    def _take(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            if len(self._kept) >= MOST_KEPT:
                self._kept.popleft()
                self._lost += 1
            self._kept.append(event)

    def _write(self) -> None:
        while self._kept and time.monotonic() >= self._try_at_s:
            some = [self._kept[at] for at in range(min(WRITTEN_AT_ONCE, len(self._kept)))]
            told = []
            if self._lost:
                what = f"{self._lost} events were not recorded: {self._trouble}"
                told.append(lost_event(what, self._lost))
            try:
                self._history.write([*told, *some])
            except HistoryRefused as refused:
                self._try_at_s = time.monotonic() + TRY_AGAIN_S
                self._say(str(refused))
                return
            self._lost = 0
            for _ in some:
                self._kept.popleft()
            self._say(self._history.note)

    def _prune(self) -> None:
        if self._kept or time.monotonic() < self._prune_at_s:
            return
        self._prune_at_s = time.monotonic() + PRUNE_EVERY_S
        try:
            self._history.prune(wall_ms())
        except HistoryRefused as refused:
            self._say(str(refused))

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._lines.put({"trouble": trouble})


def main(arguments: list[str]) -> int:
    """Record until the controller ends or dies; 0 when all was written."""
    channel, path = arguments
    return Writer(begin("drctl-recorder", channel), path).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
