"""A real server on a bond whose MAC is that of the active slave: who answers after a change of it,
who learns it, and what `drctl realserver check` and `drctl verify` say of what can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from guest_fault_case import OWN, VIP, Place, bonded
from live_case import FULL

KERNELS = ("uml", "qemu")
METHODS = [pytest.param("sysctl"), pytest.param("arptables", marks=FULL)]
UNANNOUNCED = ("fail_over_mac", "active", "num_grat_arp", "0")
NOT_TOLD = "MAC of bond0: it changes with the active slave, and num_grat_arp is 0: "
REMEMBERED = (
    "which its neighbour table remembered: the MAC has changed and was not announced, as by a bond "
    "that failed over"
)


def healthy(place: Place, method: str = "sysctl") -> None:
    place.apply(method)
    clean(place, method)


def clean(place: Place, method: str = "sysctl") -> None:
    assert place.check(method) == []
    said = place.verify("lb1")
    assert said.is_clean, said


def for_cards(*cards: str) -> Callable[[Place], None]:
    """Settings for these cards in place of those for all."""

    def do(place: Place) -> None:
        place.sysctl(all_arp_ignore=0, all_arp_announce=0)
        for card in cards:
            place.sysctl(**{f"{card}_arp_ignore": 1, f"{card}_arp_announce": 2})

    return do


def rules_for(card: str) -> Callable[[Place], None]:
    """ARP rules that name a card."""

    def do(place: Place) -> None:
        run = place.web.run
        run("arptables", "-F")
        run("arptables", "-A", "INPUT", "-i", card, "-d", VIP, "-j", "DROP")
        words = ("-s", VIP, "-j", "mangle", "--mangle-ip-s", OWN)
        run("arptables", "-A", "OUTPUT", "-o", card, *words)

    return do


@pytest.mark.parametrize("method", METHODS)
def test_slave_changes_the_new_mac_is_told_and_nothing_is_wrong(
    tmp_path: Path, method: str
) -> None:
    with bonded(tmp_path) as place:
        healthy(place, method)
        known = place.learn("lb1")
        before, after = place.change_slave()
        assert before == known != after
        assert place.remembered("lb1") == after
        clean(place, method)


def test_slave_changes_untold_director_sends_to_the_mac_of_the_one_before(tmp_path: Path) -> None:
    with bonded(tmp_path, *UNANNOUNCED) as place:
        place.apply("sysctl")
        [told] = place.check("sysctl")
        assert told.startswith(NOT_TOLD), told
        known = place.learn("lb1")
        before, after = place.change_slave()
        assert before == known != after
        said = place.verify("lb1")
        assert (said.verdict, said.through) == ("ok", "black-hole"), said
        assert said.lost == f"this host sent to {before}, {REMEMBERED}; {after} answers for {OWN}"


@FULL
def test_slave_changes_told_by_arp_notify_nothing_is_wrong(tmp_path: Path) -> None:
    with bonded(tmp_path, *UNANNOUNCED) as place:
        place.sysctl(bond0_arp_notify=1)
        healthy(place)
        known = place.learn("lb1")
        before, after = place.change_slave()
        assert before == known != after == place.remembered("lb1")
        clean(place)


@FULL
def test_slave_changes_static_entry_of_the_director_is_wrong_only_if_the_mac_changes(
    tmp_path: Path,
) -> None:
    for options, is_wrong in ((("fail_over_mac", "none"), False), ((), True)):
        with bonded(tmp_path, *options) as place:
            healthy(place)
            mac, lb1 = place.web.mac("bond0"), place.host("lb1")
            lb1.ip("neigh", "replace", OWN, "lladdr", mac, "dev", "eth0", "nud", "permanent")
            before, after = place.change_slave()
            assert (before, before != after) == (mac, is_wrong)
            if not is_wrong:
                clean(place)
                continue
            said = place.verify("lb1")
            assert (said.verdict, said.through) == ("ok", "black-hole"), said
            wanted = f"this host sent to {before}, by a static neighbour entry; {after} answers"
            assert said.lost == f"{wanted} for {OWN}"


@pytest.mark.parametrize(
    ("method", "twin", "fault", "told"),
    [
        pytest.param(
            "sysctl",
            for_cards("bond0"),
            for_cards("one", "two"),
            "arp_ignore is 0 on bond0",
            id="settings",
        ),
        pytest.param(
            "arptables",
            rules_for("bond0"),
            rules_for("one"),
            "arp_ignore is 0 on bond0",
            id="rules",
            marks=FULL,
        ),
    ],
)
def test_what_silences_the_slaves_alone_leaks_with_each_mac_of_the_bond(
    tmp_path: Path,
    method: str,
    twin: Callable[[Place], None],
    fault: Callable[[Place], None],
    told: str,
) -> None:
    with bonded(tmp_path) as place:
        healthy(place, method)
        twin(place)
        clean(place, method)
        place.sysctl(bond0_arp_ignore=0, bond0_arp_announce=0)
        fault(place)
        lines = place.check(method)
        assert any(told in line for line in lines), lines
        macs = []
        for change in (False, True):
            if change:
                place.change_slave()
            said = place.verify("mon")
            assert said.verdict == "leak", said
            assert "no ARP rule is in force" in said.cause, said
            macs += [mac for host, mac in said.answers if mac != place.host("lb1").mac()]
            assert macs[-1] == place.web.mac("bond0"), said
        assert len(set(macs)) == 2
