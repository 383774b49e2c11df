"""Somebody else removes what a director has made, or answers for its VIPs."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from live_case import FULL, SLACK_MS, VIP, VIP6, Plan, now_ms, pass_time, stage


def test_ruleset_flushed_fence_is_put_back(tmp_path: Path) -> None:
    with stage(Plan(), tmp_path) as live:
        holder, at_ms = live.holder, now_ms()
        holder.host.run("nft", "flush", "ruleset")
        seen = live.seen(at_ms, 1)
        print("flushed:", seen)
        assert (seen.twice, seen.holders) == (0, (holder.name,)), live.logs()
        assert seen.outage_ms < SLACK_MS, live.logs()
        assert "fence" in holder.alarms(at_ms), live.logs()
        assert "drctl" in holder.host.run("nft", "list", "tables")


@FULL
def test_ruleset_flushed_while_stopped_lease_of_the_address_holds(tmp_path: Path) -> None:
    with stage(Plan(), tmp_path) as live:
        holder, at_ms = live.holder, now_ms()
        holder.signal(signal.SIGSTOP)
        holder.host.run("nft", "flush", "ruleset")
        live.await_holder(lambda name: name != holder.name)
        seen = live.seen(at_ms, 1)
        print("flushed while stopped:", seen)
        assert seen.twice == 0, live.logs()
        # it waits for the address's lease, and that ends with the second after
        assert seen.outage_ms < 2000 + 500 + SLACK_MS, live.logs()
        resumed_ms = now_ms()
        holder.signal(signal.SIGCONT)
        seen = live.seen(resumed_ms, 1)
        assert (seen.twice, len(seen.holders)) == (0, 1), live.logs()


@pytest.mark.parametrize("vip", [VIP, pytest.param(VIP6, marks=FULL)])
def test_address_deleted_is_put_back(tmp_path: Path, vip: str) -> None:
    with stage(Plan(vips=(vip,)), tmp_path) as live:
        holder, at_ms = live.holder, now_ms()
        length = 64 if ":" in vip else 24
        holder.host.ip("address", "delete", f"{vip}/{length}", "dev", "eth0")
        seen = live.seen(at_ms, 1)
        print("deleted:", seen)
        assert (seen.twice, seen.holders) == (0, (holder.name,)), live.logs()
        assert seen.outage_ms < SLACK_MS, live.logs()
        assert "address" in holder.alarms(at_ms), live.logs()


def test_third_machine_leaks_vip_still_moves_with_alarm(tmp_path: Path) -> None:
    with stage(Plan(), tmp_path) as live:
        leak = live.segment.host("leak", "192.0.2.66/24", f"{VIP}/32")
        pass_time(0.5)
        holder, at_ms = live.holder, now_ms()
        holder.signal(signal.SIGKILL)
        live.await_holder(lambda name: name != holder.name)
        seen = live.seen(at_ms, 1)
        print("leak:", seen)
        assert seen.twice == 0, live.logs()
        assert leak.mac() in seen.holders
        assert live.holder.alarms(at_ms), live.logs()
