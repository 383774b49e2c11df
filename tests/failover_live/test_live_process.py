"""A director's processes end, stop, or are told to hand over."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from live_case import FULL, SLACK_MS, VIP, VIP6, Plan, Stage, now_ms, pass_time, settle, stage

from drctl.lab.pair.client import Client

STARTED_MS = 5000
MANY = (VIP, *(f"198.18.{number // 250}.{number % 250 + 1}" for number in range(999)))


def _moves(live: Stage, what: str, limit_ms: float) -> None:
    """The VIP goes to another director within the limit, and nobody answers beside it."""
    holder = live.holder
    at_ms = now_ms()
    if what in {"guard", "both"}:
        os.kill(holder.guard, signal.SIGKILL)
    if what in {"controller", "both"}:
        holder.signal(signal.SIGKILL)
    if what == "stop":
        holder.signal(signal.SIGSTOP)
    live.await_holder(lambda name: name != holder.name)
    seen = live.seen(at_ms, 0.6)
    print(f"{what}:", seen)
    assert seen.twice == 0, live.logs()
    assert seen.outage_ms < limit_ms + SLACK_MS, live.logs()


def test_controller_killed_vip_moves(tmp_path: Path) -> None:
    with stage(Plan(), tmp_path) as live:
        _moves(live, "controller", 60)


def test_controller_and_guard_killed_fence_lapses_vip_moves(tmp_path: Path) -> None:
    with stage(Plan(), tmp_path) as live:
        _moves(live, "both", 500 + 100)


def test_controller_and_guard_killed_without_nftables_lease_ends_vip_moves(tmp_path: Path) -> None:
    with stage(Plan(fence_ms=0), tmp_path) as live:
        _moves(live, "both", 2000 + 500)


@FULL
def test_controller_killed_without_nftables_vip_moves(tmp_path: Path) -> None:
    with stage(Plan(fence_ms=0), tmp_path) as live:
        _moves(live, "controller", 150)


@FULL
@pytest.mark.parametrize("fence_ms", [500, 0])
def test_controller_killed_with_many_vips_vip_moves(tmp_path: Path, fence_ms: int) -> None:
    with stage(Plan(vips=MANY, fence_ms=fence_ms), tmp_path) as live:
        _moves(live, "controller", 150)
        # ten thousand announcements do not keep it from its beats and leases
        at_ms = live.holder.journal("role")[-1]["at"]
        seen = live.seen(at_ms, 2)
        assert (seen.twice, live.holder.moves(at_ms)) == (0, ["active"]), live.logs()


def test_controller_killed_with_a_full_disk_vip_moves(tmp_path: Path) -> None:
    with stage(Plan(is_disk_full=True), tmp_path) as live:
        _moves(live, "controller", 60)


def test_controller_killed_ipv6_vip_moves(tmp_path: Path) -> None:
    with stage(Plan(vips=(VIP6, VIP)), tmp_path) as live:
        _moves(live, "controller", 60)


def test_controller_stopped_and_continued_stays_standby(tmp_path: Path) -> None:
    with stage(Plan(), tmp_path) as live:
        first = live.holder
        _moves(live, "stop", 500 + 100)
        at_ms = now_ms()
        first.signal(signal.SIGCONT)
        seen = live.seen(at_ms, 2)
        print("continued:", seen)
        assert seen.twice == 0, live.logs()
        assert seen.holders == (live.other(first).name,), live.logs()
        assert seen.outage_ms < SLACK_MS, live.logs()


@FULL
def test_controller_stopped_without_nftables_stays_standby_afterwards(tmp_path: Path) -> None:
    with stage(Plan(fence_ms=0), tmp_path) as live:
        first = live.holder
        _moves(live, "stop", 2000 + 500)
        at_ms = now_ms()
        first.signal(signal.SIGCONT)
        seen = live.seen(at_ms, 2)
        print("continued:", seen)
        assert (seen.twice, seen.holders) == (0, (live.other(first).name,)), live.logs()


def test_guard_killed_nothing_moves_and_another_is_started(tmp_path: Path) -> None:
    with stage(Plan(), tmp_path) as live:
        holder, at_ms = live.holder, now_ms()
        dead = holder.guard
        os.kill(dead, signal.SIGKILL)
        seen = live.seen(at_ms, 0.6)
        print("guard:", seen)
        assert (seen.twice, seen.holders) == (0, (holder.name,)), live.logs()
        assert seen.unanswered == 0, live.logs()
        assert holder.guard != dead
        assert "guard" in holder.alarms(at_ms)
        # a new process takes longer than a heartbeat; nobody noticed
        assert live.other(holder).moves(at_ms) == [], live.logs()
        # the new one is as good as the old one was
        _moves(live, "controller", 60)


@pytest.mark.parametrize("vips", [(VIP,), pytest.param(MANY, marks=FULL)], ids=len)
def test_switch_asked_no_request_is_answered_twice(tmp_path: Path, vips: tuple[str, ...]) -> None:
    with stage(Plan(vips=vips), tmp_path) as live:
        holder, at_ms = live.holder, now_ms()
        holder.signal(signal.SIGUSR1)
        live.await_holder(lambda name: name != holder.name)
        seen = live.seen(at_ms, 0.6)
        print("switch:", seen)
        assert seen.twice == 0, live.logs()
        assert seen.holders == (holder.name, live.other(holder).name), live.logs()
        # between the old fence and the new one lies a message each way
        assert seen.outage_ms < SLACK_MS, live.logs()


def test_sigterm_hands_over_and_leaves_nothing(tmp_path: Path) -> None:
    with stage(Plan(), tmp_path) as live:
        holder, at_ms = live.holder, now_ms()
        guard = holder.guard
        holder.signal(signal.SIGTERM)
        assert holder.wait(10) == 0, live.logs()
        seen = live.seen(at_ms, 0.6)
        print("SIGTERM:", seen)
        assert seen.twice == 0, live.logs()
        assert seen.outage_ms < SLACK_MS, live.logs()
        assert VIP not in holder.host.ip("address")
        assert not Path(f"/proc/{guard}").exists()


@pytest.mark.parametrize("vips", [(VIP,), pytest.param(MANY, marks=FULL)], ids=len)
@pytest.mark.parametrize("how", [signal.SIGUSR1, pytest.param(signal.SIGTERM, marks=FULL)])
def test_handover_asked_no_packet_of_a_stream_is_lost(
    tmp_path: Path, vips: tuple[str, ...], how: signal.Signals
) -> None:
    with stage(Plan(vips=vips), tmp_path) as live:
        stream = Client(live.client_host, VIP, {}, is_echo=True)
        try:
            pass_time(0.3)
            holder, at_ms = live.holder, now_ms()
            holder.signal(how)
            live.await_holder(lambda name: name != holder.name)
            pass_time(0.6)
            lost, doubled = stream.losses(at_ms)
        finally:
            stream.close()
        print(f"stream, {how.name}, {len(vips)}: {lost} lost, {doubled} doubled")
        assert (lost, doubled) == (0, 0), live.logs()


def test_both_directors_killed_and_started_one_holds_it(tmp_path: Path) -> None:
    with stage(Plan(), tmp_path) as live:
        at_ms = now_ms()
        for each in live.directors.values():
            each.signal(signal.SIGKILL)
        for each in live.directors.values():
            each.end()
        for each in live.directors.values():
            each.start()
        live.await_holder(bool)
        settle(live)
        seen = live.seen(at_ms, 0.6)
        print("both directors:", seen)
        assert seen.twice == 0, live.logs()
        assert len(seen.holders) <= 2, live.logs()
        # two interpreters start, listen for three heartbeats, and wait for the end of old leases
        assert seen.outage_ms < STARTED_MS + SLACK_MS, live.logs()


@FULL
def test_restarted_holder_comes_back_as_standby(tmp_path: Path) -> None:
    with stage(Plan(), tmp_path) as live:
        first = live.holder
        _moves(live, "both", 500 + 100)
        at_ms = now_ms()
        first.end()
        first.start()
        settle(live)
        seen = live.seen(at_ms)
        print("restarted:", seen)
        assert (seen.twice, seen.holders) == (0, (live.other(first).name,)), live.logs()
        assert seen.outage_ms < SLACK_MS, live.logs()


@FULL
def test_preempting_director_returns_and_takes_it_without_loss(tmp_path: Path) -> None:
    with stage(Plan(is_preempting=True), tmp_path) as live:
        first = live.holder
        assert first.name == "lb1"
        _moves(live, "controller", 60)
        at_ms = now_ms()
        first.end()
        first.start()
        live.await_holder(lambda name: name == first.name)
        seen = live.seen(at_ms, 0.6)
        print("preempted:", seen)
        assert seen.twice == 0, live.logs()
        assert seen.outage_ms < SLACK_MS, live.logs()


def test_three_directors_killed_one_after_the_other_the_next_takes_it(tmp_path: Path) -> None:
    with stage(Plan(nodes=3), tmp_path) as live:
        first = live.holder
        _moves(live, "controller", 150)
        second = live.holder
        pass_time(1)
        at_ms = now_ms()
        second.signal(signal.SIGKILL)
        live.await_holder(lambda name: name not in {first.name, second.name})
        seen = live.seen(at_ms, 0.6)
        print("second of three:", seen)
        assert seen.twice == 0, live.logs()
        assert seen.outage_ms < 150 + SLACK_MS, live.logs()
