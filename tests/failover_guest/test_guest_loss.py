"""A heartbeat network that loses, delays and reorders what it carries, by netem."""

from __future__ import annotations

import os

import pytest
from device_case import KINDS, Devices, now_ms, pass_time
from live_case import FULL
from netns_case import run

KERNELS = ("uml", "qemu")
LONG_S = 60 if os.environ.get("DRCTL_FULL", "") not in {"", "0"} else 15


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param("loss 5% delay 5ms 5ms", id="5-percent"),
        pytest.param("loss 20% delay 20ms 20ms duplicate 5%", id="20-percent", marks=FULL),
    ],
)
def test_heartbeats_lost_and_late_nothing_moves(live: Devices, harm: str) -> None:
    holder, at_ms = live.holder(), now_ms()
    counts = {name: len(each.history("role")) for name, each in live.directors.items()}
    ports = [f"{name}-beat" for name in live.directors]
    namespace = live.switch.namespace
    for port in ports:
        run("tc", "-n", namespace, "qdisc", "add", "dev", port, "root", "netem", *harm.split())
    try:
        pass_time(LONG_S)
        told = [run("tc", "-n", namespace, "-s", "qdisc", "show", "dev", port) for port in ports]
    finally:
        for port in ports:
            run("tc", "-n", namespace, "qdisc", "delete", "dev", port, "root")
    assert not all("dropped 0," in each for each in told), told
    for seen in live.seen(KINDS, at_ms).values():
        assert seen.holders == (holder.name,), live.logs()
    for name, each in live.directors.items():
        moved = [
            e
            for e in each.history("role")[counts[name] :]
            if e["after"] not in {"suspect", "standby"}
        ]
        assert moved == [], live.logs()
