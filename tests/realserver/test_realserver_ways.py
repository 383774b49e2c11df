"""`drctl realserver check` on ways in and back, and on addresses: a fault is named, and its healthy
twin raises nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netns_case import Host, segment
from realserver_case import wanted_of
from verify_case import VIP, VIP6, keep_silent, vrrp_instance

from drctl.realserver.compare import compare
from drctl.realserver.read import read_kernel
from drctl.realserver.value import Difference

OWN, OWN6, MASQUERADED = "192.0.2.21", "2001:db8::21", "192.0.2.23"
CONFIGURATION = (
    vrrp_instance(f"{VIP}/24", "192.0.2.254/24", f"{VIP6}/64")
    + """\
virtual_server 192.0.2.100 80 {
    lb_kind DR
    real_server 192.0.2.21 80 {
    }
}
virtual_server 2001:db8::100 80 {
    lb_kind DR
    real_server 2001:db8::21 80 {
    }
}
virtual_server 192.0.2.100 25 {
    lb_kind NAT
    real_server 192.0.2.23 2525 {
    }
}
"""
)
# what is done, and what is told
FAULTS = [
    (
        "a strict check, and the way back is another card",
        ["route replace default via 198.51.100.1", "sysctl eth0.rp_filter=1"],
        "rp_filter on eth0",
        "1 (all 0, eth0 1), and the way back to 203.0.113.253 is eth1",
        "come in on eth0 and are dropped",
    ),
    (
        "the local route of the VIP is gone",
        [f"route del local {VIP} dev lo table local"],
        f"route of {VIP}",
        "no route",
        "packets for it go elsewhere or nowhere",
    ),
    (
        "a rule before the local one sends the VIP on",
        [
            "route add default via 198.51.100.1 table 77",
            f"rule add pref 1 to {VIP} lookup 77",
            "rule add pref 2 lookup local",
            "rule del pref 0",
        ],
        f"route of {VIP}",
        "no route (No route to host)",
        "packets for it go elsewhere or nowhere",
    ),
    (
        "the router is a director",
        ["route replace default via 192.0.2.1"],
        f"way back from {VIP}",
        "through 192.0.2.1 on eth0 (table main)",
        "drops what comes from the VIP",
    ),
    (
        "a rule for what comes from the VIP leads to a director",
        ["route add default via 192.0.2.2 table 77", f"rule add from {VIP} lookup 77"],
        f"way back from {VIP}",
        "through 192.0.2.2 on eth0 (table 77)",
        "drops what comes from the VIP",
    ),
    (
        "a rule forbids what comes from the VIP",
        [f"rule add pref 5 from {VIP} prohibit"],
        f"way back from {VIP}",
        "no route (Permission denied)",
        "answers do not leave",
    ),
    (
        "the IPv6 VIP is on a card too",
        [f"address add {VIP6}/128 dev eth0 nodad"],
        f"address {VIP6}",
        f"{VIP6}/128 on eth0",
        "answers neighbour solicitations for it",
    ),
    (
        "the VIP is on a card too",
        [f"address add {VIP}/24 dev eth0"],
        f"address {VIP}",
        f"{VIP}/24 on eth0",
        "eth0 answers for it whatever arp_ignore says",
    ),
    (
        "the VIP has the scope host",
        [f"address del {VIP}/32 dev lo", f"address add {VIP}/32 dev lo scope host"],
        f"address {VIP}",
        f"{VIP}/32 on lo, host",
        "clients notice nothing while it is so",
    ),
    (
        "the VIP comes to an end",
        [f"address change {VIP}/32 dev lo valid_lft 900 preferred_lft 900"],
        f"address {VIP}",
        f"{VIP}/32 on lo, for ",
        "when it is over",
    ),
    (
        "the server's own address is gone",
        [f"address del {OWN}/24 dev eth0", "address add 192.0.2.29/24 dev eth0"],
        f"address {OWN}",
        "not there",
        "the director does not find this server there",
    ),
    (
        "nothing is answered",
        ["sysctl all.arp_ignore=8"],
        "arp_ignore on eth0",
        "8 (all 8, eth0 0)",
        "no director finds this server",
    ),
]


def differences(host: Host, folder: Path, name: str = OWN) -> tuple[Difference, ...]:
    wanted = wanted_of(folder, CONFIGURATION, name)
    with host.inside():
        found = compare(wanted, read_kernel(wanted), None)
    return tuple(one for one in found if not one.what.startswith("service "))


@pytest.fixture
def host() -> Iterator[Host]:
    """web1, right, with a router and a second card."""
    with segment() as made:
        web1 = made.host("web1", f"{OWN}/24", f"{MASQUERADED}/24")
        keep_silent(web1)
        web1.ip("link", "add", "eth1", "type", "veth", "peer", "name", "peer1")
        web1.ip_batch(
            "link set eth1 up",
            "link set peer1 up",
            "address add 198.51.100.21/24 dev eth1",
            "address add 2001:db8::21/64 dev eth0 nodad",
            f"address add {VIP}/32 dev lo",
            f"address add {VIP6}/128 dev lo",
            "route add default via 192.0.2.9",
        )
        web1.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0")
        yield web1


def change(host: Host, line: str) -> None:
    if line.startswith("sysctl "):
        host.run("sysctl", "-qw", f"net.ipv4.conf.{line.removeprefix('sysctl ')}")
    else:
        host.ip(*line.split())


def test_ways_of_a_healthy_host_raise_nothing(host: Host, tmp_path: Path) -> None:
    assert differences(host, tmp_path) == ()
    assert differences(host, tmp_path, OWN6) == ()
    twins = (
        "sysctl eth0.rp_filter=1",  # the way back is the same card
        "sysctl eth0.rp_filter=2",
        "route replace default via 198.51.100.1",  # another card, and a loose check
        "route del default",  # all clients are near
    )
    for line in twins:
        change(host, line)
        assert differences(host, tmp_path) == (), line


@pytest.mark.parametrize(
    ("lines", "what", "actual", "effect"), [one[1:] for one in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_ways_fault_is_named(
    host: Host, tmp_path: Path, lines: list[str], what: str, actual: str, effect: str
) -> None:
    for line in lines:
        change(host, line)
    told = differences(host, tmp_path) + differences(host, tmp_path, OWN6)
    found = [one for one in told if one.what == what]
    assert any(actual in one.actual and effect in one.effect for one in found), found


def test_ways_back_of_masquerading_must_pass_the_director(host: Host, tmp_path: Path) -> None:
    [wrong] = differences(host, tmp_path, MASQUERADED)
    assert wrong.what == f"way back from {MASQUERADED}"
    assert wrong.wanted == "through the active director, 192.0.2.254"
    assert wrong.actual == "through 192.0.2.9 on eth0 (table main)"
    assert "answers pass the director by" in wrong.effect
    host.ip("route", "replace", "default", "via", "192.0.2.254")
    assert differences(host, tmp_path, MASQUERADED) == ()
