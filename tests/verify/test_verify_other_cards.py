"""`drctl verify` about machines that speak for a VIP by a card that nobody knows, or as a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netns_case import Host
from verify_case import OTHER_VIP, VIP, VIP6, Setup, keep_silent
from verify_case import setup as _setup

VIRTUAL_MAC = "00:00:5e:00:01:33"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Setup]:
    with _setup(tmp_path) as made:
        yield made


def macvlan(host: Host, *addresses: str, mac: str = "") -> None:
    """A device with a MAC of its own on the host's card, with these addresses."""
    own = f" address {mac}" if mac else ""
    host.ip_batch(
        f"link add link eth0 name mv0{own} type macvlan mode bridge",
        "link set mv0 up",
        *(f"address add {one} dev mv0" for one in addresses),
    )


@pytest.mark.parametrize(
    ("mac", "shown"), [("02:00:5e:10:00:99", ""), (VIRTUAL_MAC, " (virtual router 51)")]
)
def test_vip_on_a_macvlan_of_a_real_server_is_its_leak(place: Setup, mac: str, shown: str) -> None:
    web = place.hosts["web1"]
    macvlan(web, "198.51.100.41/32", mac=mac)
    assert place.verify()["code"] == 0
    web.ip("address", "add", f"{VIP}/32", "dev", "mv0")
    found = place.verify()[VIP]
    assert found["verdict"] == "leak"
    start = "192.0.2.21 speaks for it by another card than the one of its own address"
    assert found["cause"].startswith(f"{start} ({mac}{shown}): the VIP is on a device there")
    assert {one["host"]: one["role"] for one in found["answers"]} == {
        "primary": "active",
        "192.0.2.21": "real-server",
    }


def test_ipv6_vip_on_a_macvlan_of_a_real_server_is_its_leak(place: Setup) -> None:
    macvlan(place.hosts["web1"], f"{VIP6}/128 nodad")
    found = place.verify()[VIP6]
    assert (found["verdict"], found["cause"].split(" ")[0]) == ("leak", "192.0.2.21")


def test_macvlan_that_cannot_be_tied_to_its_machine_is_said_to_be_possible(place: Setup) -> None:
    web = place.hosts["web1"]
    macvlan(web, f"{VIP}/32")
    web.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    found = place.verify()[VIP]
    assert found["verdict"] == "unknown-host"
    assert "a device with a MAC of its own (a macvlan, a container)" in found["cause"]


def test_directors_virtual_mac_is_the_active_directors(place: Setup) -> None:
    active = place.hosts["lb1"]
    active.ip("address", "del", f"{VIP}/32", "dev", "eth0")
    keep_silent(active)
    macvlan(active, f"{VIP}/32", mac=VIRTUAL_MAC)
    found = place.verify()
    [answer] = found[VIP]["answers"]
    assert (found["code"], answer["mac"], answer["role"]) == (0, VIRTUAL_MAC, "active")
    assert answer["host"] == "primary"


def test_router_that_would_send_on_to_a_real_server_is_not_taken_for_it(place: Setup) -> None:
    router = place.segment.host("other", "192.0.2.77/24")
    router.ip_batch(
        "link add eth1 type veth peer name far",
        "link set eth1 up",
        f"route add {VIP} dev eth1",
        f"neigh add proxy {VIP} dev eth0",
    )
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    found = place.verify("--listen", "1")[VIP]
    assert found["verdict"] == "unknown-host"
    assert "in somebody's place" in found["cause"]


def test_inverted_rule_of_a_server_that_is_silent_about_itself_is_named(place: Setup) -> None:
    web = place.hosts["web1"]
    keep_silent(web, ignore=0, announce=0)
    hook = "type filter hook input priority 0"
    rule = f"arp operation request arp daddr ip != {VIP} drop"
    web.run("nft", "-f", "-", stdin=f"table arp t {{\nchain c {{\n{hook}\n{rule}\n}}\n}}\n")
    found = place.verify()[VIP]
    assert found["verdict"] == "leak"
    assert found["cause"].startswith("192.0.2.21 answers ARP for the VIP, and not for its own")
    assert "the rule against incoming requests is inverted" in found["cause"]


def test_two_machines_that_leak_are_both_told(place: Setup) -> None:
    for name in ("web1", "web2"):
        keep_silent(place.hosts[name], ignore=0)
    cause = place.verify()[VIP]["cause"]
    assert cause.count("answers ARP, and does not name the VIP as its source") == 2
    assert "192.0.2.21 answers" in cause
    assert "192.0.2.22 answers" in cause


def test_two_cards_that_leak_are_one_machine(place: Setup) -> None:
    web = place.hosts["web1"]
    web.ip("address", "add", "2001:db8::21/64", "dev", "eth0", "nodad")
    keep_silent(web, ignore=0, announce=0)
    macvlan(web, "198.51.100.41/32")
    cause = place.verify()[VIP]["cause"]
    assert cause.count("answers ARP") == 1


def only_by_a_route(host: Host, address: str, network: str) -> None:
    family = "-6" if ":" in address else "-4"
    nodad = ("nodad",) if ":" in address else ()
    bits = 128 if ":" in address else 32
    length = network.partition("/")[2]
    host.ip("address", "del", f"{address}/{length}", "dev", "eth0")
    host.ip("address", "add", f"{address}/{bits}", "dev", "eth0", *nodad)
    host.ip(family, "route", "add", network, "dev", "eth0")


def test_host_whose_network_is_at_hand_by_a_route_alone_asks_as_others_do(place: Setup) -> None:
    mon = place.hosts["mon"]
    only_by_a_route(mon, "192.0.2.9", "192.0.2.0/24")
    only_by_a_route(mon, "2001:db8::9", "2001:db8::/64")
    found = place.verify("--through")
    assert {one["verdict"] for one in found["through"]} == {"black-hole"}, "nobody listens"
    assert {found[vip]["verdict"] for vip in (VIP, OTHER_VIP, VIP6)} == {"ok"}
    keep_silent(place.hosts["web1"], announce=0)
    leak = place.verify()[VIP]
    assert (leak["verdict"], "but names the VIP as its source" in leak["cause"]) == ("leak", True)


def test_server_whose_address_has_no_network_is_provoked(place: Setup) -> None:
    web = place.hosts["web1"]
    only_by_a_route(web, "192.0.2.21", "192.0.2.0/24")
    assert place.verify()["code"] == 0
    keep_silent(web, announce=0)
    leak = place.verify()[VIP]
    assert (leak["verdict"], "but names the VIP as its source" in leak["cause"]) == ("leak", True)
