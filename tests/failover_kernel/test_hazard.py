"""What makes failover impossible on a host is found before it is needed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from failover_stage import VIP, VIP6, Stage
from netns_case import run, wait_until

from drctl.adapters.addresses import Addresses
from drctl.adapters.hazard import Finding, Host, findings, promote_secondaries, subnets_at_risk
from drctl.core.value import Vip

IPV4 = Path("/proc/sys/net/ipv4/conf")


def found(vips: list[Vip], *, has_fence: bool = True) -> list[Finding]:
    addresses = Addresses()
    try:
        links = {link.interface: link for link in addresses.links()}
        return findings(vips, Host(links, addresses.observed(), has_fence))
    finally:
        addresses.close()


def set_to(name: str, value: int, interface: str = "eth0") -> None:
    (IPV4 / interface / name).write_text(str(value), "ascii")


def test_ordinary_host_has_no_findings(stage: Stage) -> None:
    assert stage.director
    assert found([VIP, VIP6]) == []


def test_interface_that_answers_nobody_is_refused(stage: Stage) -> None:
    set_to("arp_ignore", 8)
    (finding,) = found([VIP])
    assert finding.is_refused
    assert "arp_ignore is 8 on eth0" in finding.text
    assert not stage.client.has_holder("192.0.2.1"), "the kernel does what the finding says"


def test_arp_ignore_of_all_interfaces_counts(stage: Stage) -> None:
    assert stage.director
    set_to("arp_ignore", 8, "all")
    assert [finding.is_refused for finding in found([VIP])] == [True]


def test_host_route_vip_outside_all_subnets_behind_arp_ignore_two_is_refused(stage: Stage) -> None:
    set_to("arp_ignore", 2)
    lone, near = Vip("198.51.100.80", 32, "eth0"), Vip("192.0.2.80", 32, "eth0")
    assert [finding.is_refused for finding in found([lone, VIP6])] == [True]
    assert found([VIP, near]) == []
    for vip in (lone, near):
        run("ip", "address", "add", f"{vip.address}/32", "dev", "eth0")
    heard = [stage.client.has_holder(lone.address), stage.client.is_answered(near.address)]
    assert heard == [False, True], "the kernel does what the finding says"


@pytest.mark.parametrize("has_fence", [True, False])
def test_proxy_arp_is_refused_only_without_a_fence(stage: Stage, has_fence: bool) -> None:
    assert stage.director
    set_to("proxy_arp", 1)
    assert [each.is_refused for each in found([VIP], has_fence=has_fence)] == [not has_fence]


def test_missing_and_speechless_interfaces_are_refused(stage: Stage) -> None:
    assert stage.director
    assert [each.is_refused for each in found([Vip("192.0.2.80", 24, "nosuch0")])] == [True]
    run("ip", "link", "set", "eth0", "arp", "off")
    assert [each.is_refused for each in found([VIP])] == [True]


def test_interface_without_ipv6_is_refused_for_an_ipv6_vip(stage: Stage) -> None:
    assert stage.director
    Path("/proc/sys/net/ipv6/conf/eth0/disable_ipv6").write_text("1", "ascii")
    assert [each.is_refused for each in found([VIP6])] == [True]
    assert found([VIP]) == []


def test_vip_of_another_scope_than_its_subnet_s_is_refused(stage: Stage) -> None:
    assert stage.director
    linked = Vip("192.0.2.80", 24, "eth0", scope="link")
    (finding,) = found([linked])
    assert finding.is_refused
    assert "192.0.2.80/24 is to have scope link on eth0, but 192.0.2.1 has global" in finding.text
    others = [Vip("198.51.100.80", 24, "eth0", scope="link"), Vip("198.51.100.81", 24, "eth0")]
    assert [each.is_refused for each in found(others)] == [True]
    assert found([others[0], Vip("198.51.100.81", 25, "eth0")]) == []
    assert found([Vip("192.0.2.80", 32, "eth0", scope="link")]) == []
    addresses = Addresses()
    try:
        refused = [bool(addresses.add([vip], 60_000)) for vip in (linked, *others)]
        assert refused == [True, False, True], "the kernel does what the finding says"
    finally:
        addresses.close()


def test_vip_beside_its_subnet_is_reported(stage: Stage) -> None:
    assert stage.director
    run("ip", "link", "add", "other", "type", "veth", "peer", "name", "end")
    (finding,) = found([Vip("192.0.2.80", 24, "other")])
    assert not finding.is_refused
    assert "is to lie on other, but its subnet is on eth0" in finding.text


def test_own_address_dies_with_the_vip_unless_secondaries_are_promoted(stage: Stage) -> None:
    """The kernel shows what the finding is about, and that the remedy is one."""
    assert stage.director
    for interface in ("all", "eth0"):
        set_to("promote_secondaries", 0, interface)
    addresses = Addresses()
    vips = [Vip("198.51.100.80", 24, "eth0"), Vip("198.51.100.81", 24, "eth0")]
    assert subnets_at_risk(vips, addresses.observed()) == ["eth0"]
    assert subnets_at_risk(vips[:1], addresses.observed()) == []
    own = Vip("198.51.100.1", 24, "eth0")
    addresses.add([vips[0]], 1000)
    addresses.add([own], 60_000)
    wait_until(time.monotonic() + 1.7)
    assert own.address not in {each.address for each in addresses.observed()}
    promote_secondaries("eth0")
    assert subnets_at_risk(vips, addresses.observed()) == []
    addresses.add([vips[0]], 1000)
    addresses.add([own], 60_000)
    wait_until(time.monotonic() + 1.7)
    assert own.address in {each.address for each in addresses.observed()}
    addresses.close()
