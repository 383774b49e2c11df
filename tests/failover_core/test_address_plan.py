"""Observed against wanted addresses."""

from __future__ import annotations

from drctl.core.plan import Observed, installing, removing
from drctl.core.value import Vip

VIP = Vip("192.0.2.100", 24, "eth0")
OTHER = Vip("192.0.2.101", 32, "eth0")


def test_installing_absent_vips_are_missing() -> None:
    plan = installing([VIP, OTHER], [])
    assert (plan.missing, plan.wrong, plan.is_empty) == ((VIP, OTHER), (), False)


def test_installing_present_vips_need_nothing() -> None:
    plan = installing(
        [VIP], [Observed("192.0.2.100", 24, "eth0"), Observed("192.0.2.1", 24, "eth0")]
    )
    assert plan.is_empty
    assert plan.present == (VIP,)


def test_installing_other_prefix_or_interface_is_wrong() -> None:
    narrow, elsewhere = Observed("192.0.2.100", 32, "eth0"), Observed("192.0.2.100", 24, "eth1")
    plan = installing([VIP], [narrow, elsewhere])
    assert plan.wrong == (narrow, elsewhere)
    assert plan.missing == (VIP,)


def test_installing_right_entry_beside_a_wrong_one_stays() -> None:
    right, wrong = Observed("192.0.2.100", 24, "eth0"), Observed("192.0.2.100", 24, "lo")
    plan = installing([VIP], [wrong, right])
    assert (plan.wrong, plan.missing, plan.present) == ((wrong,), (), (VIP,))


def test_removing_takes_every_entry_of_the_address() -> None:
    entries = [Observed("192.0.2.100", 24, "eth0"), Observed("192.0.2.100", 32, "lo")]
    own = Observed("192.0.2.1", 24, "eth0")
    assert removing({"192.0.2.100"}, [*entries, own]) == tuple(entries)
