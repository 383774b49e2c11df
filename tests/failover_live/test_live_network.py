"""Links die, heal, lose frames or carry them one way only."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_case import FULL, SLACK_MS, VIP, VIP6, Plan, Stage, now_ms, pass_time, stage

MANY = (VIP, *(f"198.18.{number // 250}.{number % 250 + 1}" for number in range(999)))
DETECTED_MS = 150 + 30
"""Silence of one and a half heartbeats of 100 ms, and the burst."""


def _stays(live: Stage, since_ms: float, for_s: float) -> None:
    """Whoever held it before still does, alone, and without an outage."""
    seen = live.seen(since_ms, for_s)
    print("stays:", seen)
    assert (seen.twice, len(seen.holders)) == (0, 1), live.logs()
    assert seen.outage_ms < SLACK_MS, live.logs()


def _dies_and_heals(live: Stage, down_s: float, limit_ms: float) -> None:
    holder, at_ms = live.holder, now_ms()
    live.silence(holder.name)
    pass_time(down_s)
    seen = live.client.seen(at_ms)
    print(f"silent for {down_s} s:", seen)
    assert seen.twice == 0, live.logs()
    if down_s > 1:
        assert seen.outage_ms < limit_ms + SLACK_MS, live.logs()
        assert live.holder is not holder, live.logs()
    healed_ms = now_ms()
    live.heal(holder.name)
    seen = live.seen(healed_ms, 2)
    print(f"healed after {down_s} s:", seen)
    # without a fence the one that was cut off answers until it is heard: a heartbeat and a probe
    allowed = 0 if live.plan.fence_ms else DETECTED_MS + SLACK_MS
    assert seen.twice <= allowed, live.logs()
    assert seen.outage_ms < SLACK_MS, live.logs()
    assert seen.holders[-1:] == (live.holder.name,)


@pytest.mark.parametrize(
    "down_s", [0.3, 4, pytest.param(0.1, marks=FULL), pytest.param(30, marks=FULL)]
)
def test_link_silent_and_healed_one_director_answers(tmp_path: Path, down_s: float) -> None:
    with stage(Plan(), tmp_path) as live:
        _dies_and_heals(live, down_s, DETECTED_MS)


@FULL
@pytest.mark.parametrize("down_s", [0.3, 4, 30])
def test_link_silent_with_a_second_link_and_healed_one_director_answers(
    tmp_path: Path, down_s: float
) -> None:
    with stage(Plan(links="ab"), tmp_path) as live:
        _dies_and_heals(live, down_s, DETECTED_MS)


@FULL
@pytest.mark.parametrize("down_s", [0.1, 0.3, 4])
def test_link_silent_without_nftables_and_healed_one_director_answers(
    tmp_path: Path, down_s: float
) -> None:
    with stage(Plan(fence_ms=0), tmp_path) as live:
        _dies_and_heals(live, down_s, DETECTED_MS)


@FULL
@pytest.mark.parametrize("vips", [(VIP6,), MANY], ids=["ipv6", "1000"])
def test_link_silent_other_vips_one_director_answers(tmp_path: Path, vips: tuple[str, ...]) -> None:
    with stage(Plan(vips=vips), tmp_path) as live:
        _dies_and_heals(live, 4, DETECTED_MS + 30)


@FULL
def test_link_silent_at_10_ms_vip_moves(tmp_path: Path) -> None:
    with stage(Plan(heartbeat_ms=10), tmp_path) as live:
        _dies_and_heals(live, 4, 15 + 10)


@pytest.mark.parametrize("links", ["ab", pytest.param("a", marks=FULL)])
def test_carrier_lost_vip_moves(tmp_path: Path, links: str) -> None:
    with stage(Plan(links=links), tmp_path) as live:
        holder, at_ms = live.holder, now_ms()
        live.switch.ip("link", "set", holder.name, "down")
        live.await_holder(lambda name: name != holder.name)
        seen = live.seen(at_ms, 0.6)
        print("carrier lost:", seen)
        assert seen.twice == 0, live.logs()
        assert seen.outage_ms < DETECTED_MS + SLACK_MS, live.logs()
        healed_ms = now_ms()
        live.switch.ip("link", "set", holder.name, "up")
        _stays(live, healed_ms, 1)


def test_service_link_silent_heartbeat_network_alive_vip_moves(tmp_path: Path) -> None:
    with stage(Plan(links="b"), tmp_path) as live:
        _dies_and_heals(live, 2, DETECTED_MS)


def test_heartbeat_network_cut_nothing_moves_with_alarm(tmp_path: Path) -> None:
    with stage(Plan(links="b"), tmp_path) as live:
        holder, at_ms = live.holder, now_ms()
        live.silence("lb1-b")
        _stays(live, at_ms, 2)
        assert live.other(holder).alarms(at_ms), live.logs()


@FULL
def test_one_link_of_two_silent_nothing_moves(tmp_path: Path) -> None:
    with stage(Plan(links="ab"), tmp_path) as live:
        at_ms = now_ms()
        live.silence("lb1-b")
        _stays(live, at_ms, 2)
        assert live.holder.moves(at_ms) == []
        assert live.other(live.holder).moves(at_ms) == [], live.logs()


def test_standby_deaf_nothing_moves(tmp_path: Path) -> None:
    with stage(Plan(), tmp_path) as live:
        at_ms = now_ms()
        live.drop(f'oifname "{live.other(live.holder).name}"')
        _stays(live, at_ms, 2)


@pytest.mark.parametrize("way", ["oifname", pytest.param("iifname", marks=FULL)])
def test_active_link_one_way_vip_moves(tmp_path: Path, way: str) -> None:
    with stage(Plan(), tmp_path) as live:
        holder, at_ms = live.holder, now_ms()
        live.drop(f'{way} "{holder.name}"')
        live.await_holder(lambda name: name != holder.name)
        seen = live.seen(at_ms, 2)
        print(f"{way} of the active dropped:", seen)
        assert seen.twice == 0, live.logs()
        assert seen.outage_ms < DETECTED_MS + SLACK_MS, live.logs()
        healed_ms = now_ms()
        live.drop()
        _stays(live, healed_ms, 1)


@pytest.mark.parametrize("for_s", [5, pytest.param(60, marks=FULL)])
def test_frames_lost_now_and_then_nothing_moves(tmp_path: Path, for_s: float) -> None:
    with stage(Plan(), tmp_path) as live:
        at_ms = now_ms()
        live.drop("numgen random mod 100 < 5")
        _stays(live, at_ms, for_s)


@FULL
def test_controllers_cannot_talk_and_sync_group_splits_vip_moves(tmp_path: Path) -> None:
    """eth0 of the holder answers, eth1 does not: the other waits until nothing answers."""
    with stage(Plan(is_wide=True), tmp_path) as live:
        holder, at_ms = live.holder, now_ms()
        live.drop("ip protocol tcp", f'iifname "{holder.name}-b"', f'oifname "{holder.name}-b"')
        live.await_holder(lambda name: name != holder.name)
        seen = live.seen(at_ms, 0.6)
        print("split:", seen)
        assert seen.twice == 0, live.logs()
        assert seen.outage_ms < 500 + DETECTED_MS + SLACK_MS, live.logs()


def test_sync_group_loses_its_second_interface_all_vips_move(tmp_path: Path) -> None:
    with stage(Plan(is_wide=True), tmp_path) as live:
        holder, at_ms = live.holder, now_ms()
        live.silence(f"{holder.name}-b")
        live.await_holder(lambda name: name != holder.name)
        seen = live.seen(at_ms, 0.6)
        print("second interface:", seen)
        assert seen.twice == 0, live.logs()
        assert seen.outage_ms < DETECTED_MS + SLACK_MS, live.logs()
        assert "198.51.100.100" in live.holder.host.ip("address")
        assert "198.51.100.100" not in holder.host.ip("address")
