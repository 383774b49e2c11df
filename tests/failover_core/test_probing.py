"""Probes before a takeover: which ones count."""

from __future__ import annotations

import pytest

from drctl.core.burst import SAMPLE, Burst, sample
from drctl.core.value import Group, Timing, Vip

TIMING = Timing(heartbeat_ms=100)


def group(count: int) -> Group:
    vips = tuple(Vip(f"192.0.2.{number}", 24, "eth0") for number in range(count))
    return Group("web", vips, ("eth0",))


def burst(count: int = 1) -> Burst:
    return Burst(group(count), TIMING, 1000, is_quick=False)


def probe(asked: Burst, now_ms: int, *, is_vouched: bool = True) -> None:
    assert now_ms >= asked.next_ms()
    asked.probe(now_ms)
    asked.settle(is_vouched=is_vouched)


def test_burst_six_vouched_probes_are_clear() -> None:
    asked = burst()
    for number in range(6):
        assert not asked.is_clear
        probe(asked, 1000 + 5 * number)
    assert asked.is_clear
    assert asked.vouched_ms == 1025


def test_burst_probe_without_a_witness_does_not_count() -> None:
    asked = burst()
    for number in range(9):
        probe(asked, 1000 + 5 * number, is_vouched=number % 2 == 0)
    assert asked.count == 5
    assert not asked.is_clear


def test_burst_answer_begins_anew() -> None:
    asked = burst()
    for number in range(5):
        probe(asked, 1000 + 5 * number)
    asked.answered(1026)
    assert asked.count == 0
    probe(asked, 1030)
    assert asked.count == 1


def test_burst_goes_on_at_once_for_as_long_as_a_lease_lasts_and_then_slows_down() -> None:
    asked = burst()
    asked.probe(1000)
    asked.answered(1001)
    assert asked.next_ms() == 1005
    asked.probe(3600)
    asked.answered(3601)
    assert asked.next_ms() == 3701
    asked.probe(3701)
    assert asked.next_ms() == 3706


def test_sample_of_many_vips_takes_all_in_turn() -> None:
    many = group(100)
    seen: set[str] = set()
    for turn in range(20):
        ((interface, addresses),) = sample(many, turn)
        assert (interface, len(addresses)) == ("eth0", SAMPLE)
        seen.update(addresses)
    assert seen == many.addresses


def test_sample_asks_on_every_interface() -> None:
    both = Group(
        "web", (Vip("192.0.2.1", 24, "eth0"), Vip("198.51.100.1", 24, "eth1")), ("eth0", "eth1")
    )
    assert sample(both, 0) == (("eth0", ("192.0.2.1",)), ("eth1", ("198.51.100.1",)))


@pytest.mark.parametrize("confirm_ms", [10, 30, 600])
@pytest.mark.parametrize("probes", [3, 4, 6, 50])
def test_last_probe_vouches_for_longer_than_it_waits_for_its_answer(
    confirm_ms: int, probes: int
) -> None:
    timing = Timing(1000, probes, confirm_limit_ms=confirm_ms)
    assert timing.vouched_ms > timing.confirm_gap_ms
    # a burst of the other one's takes longer, however quick it is
    assert timing.vouched_ms < timing.quick_gap_ms * probes
