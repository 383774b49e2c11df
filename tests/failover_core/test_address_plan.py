"""Observed against wanted addresses."""

from __future__ import annotations

from drctl.core.plan import Observed, strays
from drctl.core.value import Vip

VIP = Vip("192.0.2.100", 24, "eth0")


def test_strays_are_the_same_address_with_another_prefix_or_interface() -> None:
    narrow, elsewhere = Observed(VIP.address, 32, "eth0"), Observed(VIP.address, 24, "lo")
    right, own = Observed(VIP.address, 24, "eth0"), Observed("192.0.2.1", 24, "eth0")
    assert strays([VIP], [narrow, right, own, elsewhere]) == (narrow, elsewhere)


def test_strays_of_nothing_are_none() -> None:
    assert strays([], [Observed(VIP.address, 24, "eth0")]) == ()
