"""VIPs in the kernel: what is added, renewed, deleted and noticed."""

from __future__ import annotations

import errno
import json
import resource
import socket
import time
from collections.abc import Iterator

import pytest
from failover_stage import VIP, VIP6, Stage
from netns_case import is_readable, run, wait_until

from drctl.adapters.address_message import DELADDR
from drctl.adapters.addresses import (
    Addresses,
    AddressEvent,
    AddressGone,
    LinkChanged,
    LinkGone,
    Present,
)
from drctl.adapters.netlink import NETLINK_ROUTE, Netlink
from drctl.core.value import Vip
from drctl.errors import KernelRefused

LONG_MS = 60_000


@pytest.fixture
def addresses(stage: Stage) -> Iterator[Addresses]:
    made = Addresses()
    settle(made)
    assert stage.director
    yield made
    made.close()


def settle(watched: Addresses) -> None:
    """Let the news of the stage's own building go by."""
    while is_readable(watched, 150):
        watched.events()


def news(watched: Addresses) -> list[AddressEvent]:
    """The next that happens."""
    assert is_readable(watched, 1000), "nothing happened"
    return watched.events()


def shown(address: str) -> dict[str, object]:
    """How `ip` shows an address."""
    for link in json.loads(run("ip", "-json", "address", "show", "eth0")):
        for each in link.get("addr_info", []):
            if each["local"] == address:
                return dict(each)
    return {}


def on_eth0(addresses: Addresses) -> set[tuple[str, int]]:
    return {(each.address, each.prefix) for each in addresses.observed(["eth0"])}


def test_ipv4_vip_is_installed_as_it_is_configured(addresses: Addresses) -> None:
    vip = Vip("192.0.2.80", 28, "eth0", label="eth0:1", scope="link", broadcast="192.0.2.95")
    assert addresses.add([vip], 2000) == []
    have = shown("192.0.2.80")
    assert (have["prefixlen"], have["label"], have["scope"]) == (28, "eth0:1", "link")
    assert have["broadcast"] == "192.0.2.95"
    assert have["valid_life_time"] in (1, 2)


def test_ipv6_vip_is_usable_at_once_and_no_source(addresses: Addresses) -> None:
    assert addresses.add([VIP6], LONG_MS) == []
    have = shown(VIP6.address)
    assert have["nodad"] is True
    assert have["deprecated"] is True
    assert "tentative" not in have
    assert have["preferred_life_time"] == 0


@pytest.mark.parametrize("vip", [VIP, VIP6], ids=["ipv4", "ipv6"])
def test_vip_is_gone_when_its_lease_ends_and_is_not_renewed_after(
    addresses: Addresses, vip: Vip
) -> None:
    addresses.add([vip], 1000)
    end = time.monotonic() + 3
    while vip.address in {each.address for each in addresses.observed()}:
        assert time.monotonic() < end, "it does not end"
        wait_until(time.monotonic() + 0.05)
    (refused,) = addresses.renew([vip], LONG_MS)
    assert isinstance(refused, KernelRefused)
    assert refused.errno == errno.ENOENT
    assert vip.address not in {each.address for each in addresses.observed()}
    assert addresses.events() == [AddressGone(vip.address, "eth0")]


@pytest.mark.parametrize("vip", [VIP, VIP6], ids=["ipv4", "ipv6"])
def test_renewed_vip_outlives_its_first_lease(addresses: Addresses, vip: Vip) -> None:
    addresses.add([vip], 1000)
    assert addresses.renew([vip], LONG_MS) == []
    wait_until(time.monotonic() + 1.6)
    assert (vip.address, vip.prefix) in on_eth0(addresses)
    assert addresses.events() == []


def test_vip_without_end_gets_a_lease_when_it_is_adopted(addresses: Addresses) -> None:
    run("ip", "address", "add", "192.0.2.80/24", "dev", "eth0")
    assert Present("192.0.2.80", 24, "eth0", "eth0", 0, -1) in addresses.observed(["eth0"])
    addresses.add([VIP], 5000)
    (have,) = [each for each in addresses.observed(["eth0"]) if each.address == VIP.address]
    assert 3000 <= have.valid_ms <= 5000


def test_stray_of_another_prefix_is_removed_and_the_vip_stays(addresses: Addresses) -> None:
    run("ip", "address", "add", "192.0.2.80/32", "dev", "eth0")
    run("ip", "address", "add", "192.0.2.80/32", "dev", "lo")
    addresses.add([VIP], LONG_MS)
    assert addresses.delete_strays([VIP]) == []
    mine = [each for each in addresses.observed() if each.address == VIP.address]
    assert [(each.prefix, each.interface) for each in mine] == [(24, "eth0")]


def test_address_is_deleted_whatever_its_prefix_and_interface(addresses: Addresses) -> None:
    run("ip", "address", "add", "192.0.2.80/32", "dev", "eth0")
    run("ip", "address", "add", "192.0.2.80/29", "dev", "eth0")
    run("ip", "address", "add", "192.0.2.80/32", "dev", "lo")
    run("ip", "address", "add", "2001:db8::80/128", "dev", "lo")
    assert addresses.delete([VIP.address, VIP6.address, "192.0.2.99"]) == []
    assert {VIP.address, VIP6.address} & {each.address for each in addresses.observed()} == set()
    assert ("192.0.2.1", 24) in on_eth0(addresses)


def test_refused_vips_come_back_and_the_others_are_installed(addresses: Addresses) -> None:
    vips = [
        Vip("192.0.2.80", 24, "nosuch0"),
        Vip("192.0.2.81", 24, "eth0", label="much-too-long-label"),
        Vip("192.0.2.82", 24, "eth0", scope="galaxy"),
        Vip("192.0.2.83", 24, "eth0"),
        Vip("192.0.2.84", 33, "eth0"),
    ]
    refused = addresses.add(vips, LONG_MS)
    assert sorted(each.errno for each in refused if isinstance(each, KernelRefused)) == sorted(
        [errno.ENODEV, errno.ENAMETOOLONG, errno.EINVAL, errno.EINVAL]
    )
    assert len(refused) == 4
    assert on_eth0(addresses) & {(f"192.0.2.{n}", 24) for n in range(80, 85)} == {
        ("192.0.2.83", 24)
    }


def test_vip_that_somebody_removes_is_noticed_and_own_removal_is_not(addresses: Addresses) -> None:
    addresses.add([VIP, VIP6], LONG_MS)
    run("ip", "address", "delete", "192.0.2.80/24", "dev", "eth0")
    assert news(addresses) == [AddressGone("192.0.2.80", "eth0")]
    run("ip", "address", "delete", "2001:db8::80/64", "dev", "eth0")
    assert news(addresses) == [AddressGone("2001:db8::80", "eth0")]
    addresses.add([VIP, VIP6], LONG_MS)
    addresses.delete([VIP.address, VIP6.address])
    run("ip", "address", "add", "192.0.2.77/24", "dev", "eth0")
    run("ip", "address", "delete", "192.0.2.77/24", "dev", "eth0")
    settle(addresses)
    assert addresses.events() == []


def test_news_that_was_lost_is_found_by_comparison(addresses: Addresses, stage: Stage) -> None:
    """More happens than there is room for: a VIP, a link and a carrier go meanwhile."""
    run("ip", "link", "add", "spare", "type", "veth", "peer", "name", "end")
    settle(addresses)
    far = Vip("198.51.100.80", 24, "spare")
    addresses.add([VIP, VIP6, far], LONG_MS)
    watch = addresses._watch._socket  # noqa: SLF001
    watch.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stage.director.ip_batch(*(f"link set eth0 mtu {1400 + n}" for n in range(50)))
    stage.director.ip_batch(
        f"address delete {VIP.address}/{VIP.prefix} dev eth0", "link delete spare"
    )
    seen = addresses.events()
    assert AddressGone(VIP.address, "eth0") in seen
    assert AddressGone(far.address, "spare") in seen
    assert LinkGone("spare") in seen
    assert AddressGone(VIP6.address, "eth0") not in seen
    assert [each.address for each in addresses.observed() if each.address == VIP6.address]


def test_lost_carrier_is_noticed_and_its_return(addresses: Addresses, stage: Stage) -> None:
    stage.segment.switch.ip("link", "set", "director", "down")
    (lost,) = news(addresses)
    assert isinstance(lost, LinkChanged)
    assert (lost.link.interface, lost.link.is_up) == ("eth0", False)
    stage.segment.switch.ip("link", "set", "director", "up")
    (back,) = news(addresses)
    assert isinstance(back, LinkChanged)
    assert back.link.is_up


def test_changed_mac_is_noticed(addresses: Addresses) -> None:
    run("ip", "link", "set", "eth0", "address", "02:00:00:00:00:09")
    (changed,) = news(addresses)
    assert isinstance(changed, LinkChanged)
    assert changed.link.mac == "02:00:00:00:00:09"


def test_removed_link_takes_its_vips_and_comes_back(addresses: Addresses) -> None:
    run("ip", "link", "add", "spare", "type", "veth", "peer", "name", "end")
    settle(addresses)
    vip = Vip("198.51.100.80", 24, "spare")
    addresses.add([vip], LONG_MS)
    run("ip", "link", "delete", "spare")
    seen = news(addresses)
    assert LinkGone("spare") in seen
    assert AddressGone("198.51.100.80", "spare") in seen
    run("ip", "link", "add", "spare", "type", "veth", "peer", "name", "end")
    assert any(
        isinstance(each, LinkChanged) and each.link.interface == "spare" for each in news(addresses)
    )
    assert addresses.add([vip], LONG_MS) == []


def test_renamed_link_is_gone_and_another_is_there(addresses: Addresses) -> None:
    run("ip", "link", "add", "spare", "type", "veth", "peer", "name", "end")
    settle(addresses)
    run("ip", "link", "set", "spare", "name", "other")
    assert LinkGone("spare") in news(addresses)


def test_thousand_vips_are_installed_and_removed_as_fast_as_by_ip(
    addresses: Addresses, stage: Stage
) -> None:
    many = [Vip(f"198.51.{n // 250}.{n % 250}", 32, "eth0") for n in range(1000)]

    def ip_s(deed: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        stage.director.ip_batch(*(f"address {deed} {vip.address}/32 dev eth0" for vip in many))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    by_ip_s = ip_s("add") + ip_s("delete")
    before = time.process_time()
    assert addresses.add(many, LONG_MS) == []
    ours_s = time.process_time() - before
    assert {vip.address for vip in many} <= {address for address, _ in on_eth0(addresses)}
    before = time.process_time()
    assert addresses.delete([vip.address for vip in many]) == []
    ours_s += time.process_time() - before
    assert not {vip.address for vip in many} & {each.address for each in addresses.observed()}
    assert ours_s < 2 * by_ip_s, f"{ours_s:.3f} s of processor time, {by_ip_s:.3f} s by ip"


def test_addresses_of_one_subnet_go_without_promoting_each_other(
    stage: Stage, addresses: Addresses
) -> None:
    stage.director.run("sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=1")
    vips = [Vip(f"198.51.100.{number}", 24, "eth0") for number in range(10, 20)]
    addresses.add(vips, 2000)
    watch = Netlink(NETLINK_ROUTE, groups=(5,))
    try:
        addresses.delete([vip.address for vip in vips])
        kinds = [received.kind for received in watch.read()]
    finally:
        watch.close()
    assert kinds == [DELADDR] * len(vips)


def test_link_that_stands_in_goes_by_the_other_name(addresses: Addresses) -> None:
    run("ip", "link", "add", "spare", "type", "veth", "peer", "name", "end")
    settle(addresses)
    addresses.stand_in("spare", "lost0")
    seen = addresses.events()
    assert seen[0] == LinkGone("spare")
    assert isinstance(seen[1], LinkChanged)
    assert (seen[1].link.interface, seen[1].link.device) == ("lost0", "spare")
    vip = Vip("198.51.100.80", 24, "lost0")
    assert addresses.add([vip], LONG_MS) == []
    assert "198.51.100.80" in run("ip", "address", "show", "spare")
    assert [one.address for one in addresses.observed(["lost0"])] == ["198.51.100.80"]
    assert addresses.delete_strays([vip]) == []
    assert addresses.renew([vip], LONG_MS) == []
    # one with the real name waits until the other is gone
    run("ip", "link", "add", "lost0", "type", "veth", "peer", "name", "end0")
    settle(addresses)
    assert addresses.renew([vip], LONG_MS) == []
    run("ip", "link", "delete", "spare")
    seen = news(addresses)
    assert AddressGone(vip.address, "lost0") in seen
    came = [each.link for each in seen if isinstance(each, LinkChanged)]
    assert [(link.interface, link.device) for link in came] == [("lost0", "lost0")]
    assert addresses.add([vip], LONG_MS) == []
    assert "198.51.100.80" in run("ip", "address", "show", "lost0")
    run("ip", "link", "delete", "lost0")


def test_link_that_stood_in_has_its_own_name_again(addresses: Addresses) -> None:
    run("ip", "link", "add", "spare", "type", "veth", "peer", "name", "end")
    settle(addresses)
    addresses.stand_in("spare", "lost0")
    addresses.events()
    addresses.stand_down(["lost0"])
    assert addresses.events() == []
    addresses.stand_down([])
    assert LinkGone("lost0") in addresses.events()
    assert [link.device for link in addresses.links() if link.interface == "spare"] == ["spare"]
    addresses.stand_in("spare", "lost0")
    addresses.events()
    # the name that it goes by becomes its real one: nothing is different
    run("ip", "link", "set", "spare", "name", "lost0")
    assert not any(isinstance(each, LinkGone) for each in news(addresses))
    run("ip", "link", "delete", "lost0")
