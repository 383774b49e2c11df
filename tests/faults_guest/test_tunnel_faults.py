"""A real server at the end of an IPIP tunnel, to which IPVS sends: what takes packets out of the
tunnel away again, and what `drctl realserver check` and `drctl verify --through` say of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from guest_fault_case import VIP, Place, healthy_tunnel, tunnelled, wrong_tunnel
from live_case import FULL

KERNELS = ("uml", "qemu")
STRICT = (
    "rp_filter on tunl0: 1 (strict): packets out of the tunnel come from where they would not be "
    "answered to, and are dropped: connections that the director sends to this server hang"
)
DOWN = "device tunl0: down: what the director sends through the tunnel is dropped: "


@pytest.fixture(scope="module")
def place(kernel: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Set up by `drctl realserver apply`, once for all tests."""
    assert kernel
    with tunnelled(tmp_path_factory.mktemp("tunnel")) as made:
        made.apply("sysctl")
        yield made


@pytest.mark.parametrize(
    ("everywhere", "own"),
    [(0, 2), pytest.param(0, 0, marks=FULL), pytest.param(1, 2, marks=FULL), (2, 1)],
)
def test_rp_filter_is_not_strict_nothing_is_wrong(place: Place, everywhere: int, own: int) -> None:
    place.sysctl(all_rp_filter=everywhere, tunl0_rp_filter=own)
    healthy_tunnel(place)


@pytest.mark.parametrize(("everywhere", "own"), [(0, 1), pytest.param(1, 0, marks=FULL)])
def test_rp_filter_is_strict_tunnelled_packets_are_lost(
    place: Place, everywhere: int, own: int
) -> None:
    place.sysctl(all_rp_filter=everywhere, tunl0_rp_filter=own)
    wrong_tunnel(place, STRICT)


def test_tunnel_device_is_down_tunnelled_packets_are_lost(place: Place) -> None:
    place.sysctl(all_rp_filter=0, tunl0_rp_filter=2)
    healthy_tunnel(place)
    place.web.ip("link", "set", "tunl0", "down")
    try:
        wrong_tunnel(place, DOWN)
    finally:
        place.web.ip("link", "set", "tunl0", "up")
    healthy_tunnel(place)


@FULL
def test_vip_is_missing_behind_the_tunnel_tunnelled_packets_are_lost(place: Place) -> None:
    place.sysctl(all_rp_filter=0, tunl0_rp_filter=2)
    healthy_tunnel(place)
    place.web.ip("address", "delete", f"{VIP}/32", "dev", "tunl0")
    try:
        wrong_tunnel(place, f"address {VIP}: not there: ")
    finally:
        place.web.ip("address", "add", f"{VIP}/32", "dev", "tunl0")
    healthy_tunnel(place)
