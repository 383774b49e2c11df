"""`drctl verify` on hosts whose own part in it is easily misjudged, and about real servers that are
not easily provoked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from netns_case import wait_until
from verify_case import OTHER_VIP, VIP, VIP6, Setup, keep_silent, setup


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Setup]:
    with setup(tmp_path) as made:
        yield made


def test_verify_from_an_address_of_dhcp_knows_everybody_and_provokes(place: Setup) -> None:
    ends = ("valid_lft", "3600", "preferred_lft", "3600")
    place.hosts["mon"].ip("address", "change", "192.0.2.9/24", "dev", "eth0", *ends)
    found = place.verify()
    [answer] = found[VIP]["answers"]
    assert (found["code"], answer["host"], answer["role"]) == (0, "primary", "active")
    keep_silent(place.hosts["web1"], announce=0)
    leak = place.verify()[VIP]
    assert (leak["verdict"], "but names the VIP as its source" in leak["cause"]) == ("leak", True)


@pytest.mark.parametrize("how", ["icmp_echo_ignore_all", "firewall"])
def test_verify_real_server_that_answers_no_ping_is_provoked(place: Setup, how: str) -> None:
    web = place.hosts["web1"]
    if how == "firewall":
        hook = "type filter hook input priority 0"
        rule = "ip protocol icmp drop"
        web.run("nft", "-f", "-", stdin=f"table ip t {{\nchain c {{\n{hook}\n{rule}\n}}\n}}\n")
    else:
        web.run("sysctl", "-qw", f"net.ipv4.{how}=1")
    assert place.verify()["code"] == 0
    keep_silent(web, announce=0)
    leak = place.verify()[VIP]
    assert (leak["verdict"], "but names the VIP as its source" in leak["cause"]) == ("leak", True)
    assert web.run("ss", "-Htan", "state", "syn-recv") == ""


def test_verify_on_the_real_server_that_leaks_names_it_as_one(place: Setup) -> None:
    clean = place.command(at="web1")
    assert clean.returncode == 0
    assert "a real server, and does not hear itself" in clean.stdout
    place.hosts["web1"].ip("address", "add", f"{VIP}/32", "dev", "eth0")
    found = place.verify(at="web1")
    assert found[VIP]["verdict"] == "leak"
    assert "192.0.2.21 (this host) has the VIP on its card" in found[VIP]["cause"]
    roles = {one["host"]: one["role"] for one in found[VIP]["answers"]}
    assert roles == {"primary": "active", "192.0.2.21": "real-server"}
    assert found[OTHER_VIP]["verdict"] == "ok"


def test_verify_on_a_stranger_that_has_the_vip_names_this_host(place: Setup) -> None:
    place.hosts["mon"].ip("address", "add", f"{VIP}/32", "dev", "eth0")
    here, there = place.verify()[VIP], place.verify(at="lb1")[VIP]
    assert (here["verdict"], there["verdict"]) == ("unknown-host", "unknown-host")
    assert here["cause"] == "this host has it, and is no host of the configuration"
    assert "answers for it, and is no host of the configuration: " in there["cause"]
    place.hosts["lb1"].ip("address", "del", f"{VIP}/32", "dev", "eth0")
    assert place.verify()[VIP]["verdict"] == "unknown-host"


def test_verify_on_a_director_whose_ipv6_vip_is_a_duplicate_is_unanswered(place: Setup) -> None:
    active, other = place.hosts["lb1"], place.hosts["mon"]
    active.ip("address", "del", f"{VIP6}/128", "dev", "eth0")
    other.ip("address", "add", f"{VIP6}/128", "dev", "eth0", "nodad")
    active.ip("address", "add", f"{VIP6}/128", "dev", "eth0")
    end = time.monotonic() + 20
    while "dadfailed" not in active.ip("-6", "address", "show", "dev", "eth0", "to", VIP6):
        assert time.monotonic() < end, "the kernel has not found the duplicate"
        wait_until(time.monotonic() + 0.05)
    other.ip("address", "del", f"{VIP6}/128", "dev", "eth0")
    for at in ("lb1", "mon"):
        found = place.verify(at=at)[VIP6]
        assert (found["verdict"], "dadfailed" in found["cause"]) == ("unanswered", True)


@pytest.mark.parametrize("words", [("--count", "many"), ("--no-such-option",)])
def test_verify_as_monitoring_plugin_used_wrongly_is_unknown(
    place: Setup, words: tuple[str, ...]
) -> None:
    done = place.command("--nagios", *words)
    assert done.returncode == 3
    assert done.stdout.startswith("DRCTL UNKNOWN - ")
    assert place.command(*words).returncode == 2
