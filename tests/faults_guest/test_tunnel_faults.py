"""A real server at the end of an IPIP tunnel, to which IPVS sends: what takes packets out of the
tunnel away again, and what `drctl realserver check` and `drctl verify --through` say of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from guest_fault_case import VIP, Place, tunnelled
from live_case import FULL

KERNELS = ("uml", "qemu")
STRICT = (
    "rp_filter on tunl0: 1 (strict): packets out of the tunnel come from where they would not be "
    "answered to, and are dropped: connections that the director sends to this server hang"
)
DOWN = "device tunl0: down: what the director sends through the tunnel is dropped: "
FILTERED = (
    f"firewall for the tunnel of {VIP}: nft inet site input: meta l4proto ipencap drop: what the "
    "director sends through the tunnel is dropped: "
)
LOST = (
    "port 80 is open on its own address, but what comes by the tunnel is lost: no tunnel device or "
    "it is down, no VIP, or rp_filter of the tunnel device is 1, or a firewall drops protocol 4"
)


@pytest.fixture(scope="module")
def place(kernel: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Set up by `drctl realserver apply`, once for all tests."""
    assert kernel
    with tunnelled(tmp_path_factory.mktemp("tunnel")) as made:
        made.apply("sysctl")
        yield made


def healthy(place: Place) -> None:
    assert place.check("sysctl") == []
    said = place.verify()
    assert said.is_clean, said
    assert place.is_served("mon")


def wrong(place: Place, told: str) -> None:
    lines = place.check("sysctl")
    assert any(told in line for line in lines), lines
    said = place.verify()
    assert (said.verdict, said.through, said.lost) == ("ok", "black-hole", LOST)
    assert not place.is_served("mon", within_s=2)


@pytest.mark.parametrize(
    ("everywhere", "own"),
    [(0, 2), pytest.param(0, 0, marks=FULL), pytest.param(1, 2, marks=FULL), (2, 1)],
)
def test_rp_filter_is_not_strict_nothing_is_wrong(place: Place, everywhere: int, own: int) -> None:
    place.sysctl(all_rp_filter=everywhere, tunl0_rp_filter=own)
    healthy(place)


@pytest.mark.parametrize(("everywhere", "own"), [(0, 1), pytest.param(1, 0, marks=FULL)])
def test_rp_filter_is_strict_tunnelled_packets_are_lost(
    place: Place, everywhere: int, own: int
) -> None:
    place.sysctl(all_rp_filter=everywhere, tunl0_rp_filter=own)
    wrong(place, STRICT)


def test_tunnel_device_is_down_tunnelled_packets_are_lost(place: Place) -> None:
    place.sysctl(all_rp_filter=0, tunl0_rp_filter=2)
    healthy(place)
    place.web.ip("link", "set", "tunl0", "down")
    try:
        wrong(place, DOWN)
    finally:
        place.web.ip("link", "set", "tunl0", "up")
    healthy(place)


def test_firewall_drops_what_the_tunnel_brings_and_another_protocol_is_left_alone(
    place: Place,
) -> None:
    place.sysctl(all_rp_filter=0, tunl0_rp_filter=2)
    chain = ("inet", "site", "input")
    rules = "table inet site { chain input { type filter hook input priority 0; }; }\n"
    place.web.run("nft", "-f", "-", stdin=rules + "add rule inet site input meta l4proto 41 drop\n")
    try:
        healthy(place)
        place.web.run("nft", "flush", "chain", *chain)
        place.web.run("nft", "add", "rule", *chain, "meta", "l4proto", "4", "drop")
        wrong(place, FILTERED)
    finally:
        place.web.run("nft", "delete", "table", "inet", "site")
    healthy(place)


@FULL
def test_vip_is_missing_behind_the_tunnel_tunnelled_packets_are_lost(place: Place) -> None:
    place.sysctl(all_rp_filter=0, tunl0_rp_filter=2)
    healthy(place)
    place.web.ip("address", "delete", f"{VIP}/32", "dev", "tunl0")
    try:
        wrong(place, f"address {VIP}: not there: ")
    finally:
        place.web.ip("address", "add", f"{VIP}/32", "dev", "tunl0")
    healthy(place)
