"""A director's processes end, stop, or are told to hand over."""

from __future__ import annotations

import signal
from pathlib import Path

from live_case import SLACK_MS, Plan, now_ms, stage


def test_controller_killed_vip_moves(tmp_path: Path) -> None:
    with stage(Plan(), tmp_path) as live:
        holder = live.holder
        at_ms = now_ms()
        holder.signal(signal.SIGKILL)
        live.await_holder(lambda name: name != holder.name)
        seen = live.seen(at_ms, 1)
        print("controller killed:", seen)
        assert seen.twice == 0, live.logs()
        assert seen.outage_ms < 150 + 30 + SLACK_MS, live.logs()
