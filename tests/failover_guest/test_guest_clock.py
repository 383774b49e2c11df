"""The time of day jumps; in a guest, for the machine's own clock is left alone."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from device_case import KINDS, Daemon, Devices, now_ms, pass_time
from guest_case import kernel_here
from live_case import FULL

KERNELS = ("uml", "qemu")
HOUR_S = 3600
JUMPS = pytest.mark.parametrize(
    "by_s", [pytest.param(HOUR_S, id="forward"), pytest.param(-HOUR_S, id="back")]
)


def _jump(by_s: float) -> None:
    assert kernel_here(), "this machine's clock is not ours to change"
    time.clock_settime(time.CLOCK_REALTIME, time.time() + by_s)


@contextmanager
def _jumped(by_s: float) -> Iterator[None]:
    """Another time of day, and the right one again."""
    _jump(by_s)
    try:
        yield
    finally:
        _jump(-by_s)


def _epochs(live: Devices) -> dict[str, dict[str, int]]:
    return {
        name: {group: one["epoch"] for group, one in each.groups().items()}
        for name, each in live.directors.items()
    }


def _active(director: Daemon, after: int) -> set[str]:
    """Groups that became active, as its history tells after so many changes."""
    told = director.history("role")[after:]
    return {each["group"] for each in told if each["after"] == "active"}


@JUMPS
def test_clock_jumps_while_held_nothing_moves_and_no_lease_lapses(
    live: Devices, by_s: float
) -> None:
    holder, epochs, at_ms = live.holder(), _epochs(live), now_ms()
    counts = {name: len(each.history("role")) for name, each in live.directors.items()}
    age_ms = {g: time.time() * 1000 - one["since_ms"] for g, one in holder.groups().items()}
    with _jumped(by_s):
        # every lease has to be renewed by then
        pass_time(live.pace.lease_ms / 1000 + 2)
        passed_ms = now_ms() - at_ms
        for group, one in holder.groups().items():
            age_now_ms = time.time() * 1000 - one["since_ms"]
            assert abs(age_now_ms - age_ms[group] - passed_ms) < 3000, (group, age_now_ms)
    for seen in live.seen(KINDS, at_ms, 2).values():
        assert seen.holders == (holder.name,), live.logs()
    assert _epochs(live) == epochs
    for name, each in live.directors.items():
        assert each.history("role")[counts[name] :] == [], name


@JUMPS
def test_clock_jumps_during_a_failover_history_keeps_its_order(live: Devices, by_s: float) -> None:
    first, at_ms = live.holder(), now_ms()
    second = live.other(first)
    before, count = second.groups(), len(second.history("role"))
    first.signal(signal.SIGKILL)
    with _jumped(by_s):
        live.await_holder(second, KINDS)
        live.wait(
            lambda: {g["role"] for g in second.groups().values()} == {"active"}, "it is not active"
        )
        after = second.groups()
        live.wait(lambda: _active(second, count) == set(after), "it is not written down")
        told = second.history("role")[count:]
        first.end()
        first.start()
        live.quiet()
    for seen in live.seen(KINDS, at_ms, 1).values():
        assert seen.holders == (first.name, second.name), live.logs()
    for kind in KINDS:
        steps = [each for each in told if each["group"] == kind.name]
        assert [each["after"] for each in steps][-2:] == ["taking", "active"], steps
        roles = [each["before"] for each in steps[1:]]
        assert roles == [each["after"] for each in steps[:-1]], steps
        assert steps[-1]["epoch"] == after[kind.name]["epoch"] > before[kind.name]["epoch"]


@FULL
@JUMPS
def test_clock_jumps_while_a_director_starts_it_becomes_standby(live: Devices, by_s: float) -> None:
    first, at_ms = live.holder(), now_ms()
    second = live.other(first)
    second.signal(signal.SIGTERM)
    live.wait(lambda: not second.is_running(), "it does not end")
    second.end()
    epochs = _epochs(live)[first.name]
    second.start()
    with _jumped(by_s):
        pass_time(1)
        _jump(-by_s)
        pass_time(1)
        _jump(by_s)
        live.quiet()
    for seen in live.seen(KINDS, at_ms, 2).values():
        assert seen.holders == (first.name,), live.logs()
    assert _epochs(live)[first.name] == epochs
