"""`drctl verify` at a switch with real kernels: each case breaks one thing, and that is named."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from netns_case import Host
from verify_case import OTHER_VIP, SERVERS, VIP, VIP6, Setup, keep_silent, listening, setup

from tools import need


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Setup]:
    with setup(tmp_path) as made:
        yield made


@pytest.mark.parametrize(("at", "where"), [("mon", "reply"), ("lb1", "local"), ("lb2", "reply")])
def test_verify_healthy_setup_is_good_from_everywhere(place: Setup, at: str, where: str) -> None:
    found = place.verify(at=at)
    assert found["code"] == 0
    for vip in (VIP, OTHER_VIP, VIP6):
        assert found[vip]["verdict"] == "ok"
        [answer] = found[vip]["answers"]
        assert (answer["host"], answer["role"], answer["ways"]) == ("primary", "active", [where])


def _ignores_nothing(web: Host) -> None:
    keep_silent(web, ignore=0)


def _announces_all(web: Host) -> None:
    keep_silent(web, announce=0)


def _no_rules(web: Host) -> None:
    keep_silent(web, 0, 0)


def _vip_on_its_card(web: Host) -> None:
    web.ip("address", "add", f"{VIP6}/128", "dev", "eth0", "nodad")


LEAKS: list[tuple[Callable[[Host], None], str, str, str]] = [
    (_ignores_nothing, VIP, "answers ARP, and does not name the VIP as its source", "reply"),
    (_ignores_nothing, OTHER_VIP, "on that card, or the rule against", "reply"),
    (_announces_all, VIP, "arp_announce is not 2, or the rule that replaces", "announcement"),
    (_announces_all, OTHER_VIP, "does not answer, but names the VIP", "announcement"),
    (_no_rules, VIP, "no ARP rule is in force", "reply"),
    (_no_rules, OTHER_VIP, "no ARP rule is in force", "reply"),
    (_vip_on_its_card, VIP6, "the VIP is on its Ethernet card instead of lo", "reply"),
]


@pytest.mark.parametrize(("breaks", "vip", "cause", "how"), LEAKS)
def test_verify_leaking_real_server_is_named_with_its_cause(
    place: Setup, breaks: Callable[[Host], None], vip: str, cause: str, how: str
) -> None:
    breaks(place.hosts["web1"])
    found = place.verify()
    assert found["code"] == 1
    assert found[vip]["verdict"] == "leak"
    assert f"{SERVERS['web1']} " in found[vip]["cause"]
    assert cause in found[vip]["cause"]
    [leak] = [one for one in found[vip]["answers"] if one["role"] == "real-server"]
    assert (leak["mac"], leak["how"]) == (place.hosts["web1"].mac(), how)
    roles = sorted(one["role"] for one in found[vip]["answers"])
    assert roles == ["active", "real-server"]


def test_verify_rule_that_leaves_out_one_vip_is_told(place: Setup) -> None:
    need("nft", "nftables")
    web = place.hosts["web1"]
    keep_silent(web, 0, 2)
    chain = f"type filter hook input priority 0\narp daddr ip {OTHER_VIP} drop\n"
    web.run("nft", "-f", "-", stdin=f"table arp t {{\nchain in {{\n{chain}}}\n}}\n")
    found = place.verify()
    assert found[OTHER_VIP]["verdict"] == "ok"
    assert found[VIP]["verdict"] == "leak"
    assert "covers the others, and not this one" in found[VIP]["cause"]


def test_verify_second_card_that_leaks_is_told(place: Setup) -> None:
    web = place.hosts["web1"]
    switch = place.segment.switch
    switch.ip_batch(
        f"link add web1-2 type veth peer name eth1 netns {web.namespace}",
        "link set web1-2 master br0 up",
    )
    web.ip("link", "set", "eth1", "up")
    keep_silent(web, 0, 2)
    keep_silent(web, 1, 2, "eth0")
    found = place.verify()
    assert found[VIP]["verdict"] == "leak"
    assert f"by one of its cards on this segment alone ({web.mac('eth1')})" in found[VIP]["cause"]


def test_verify_vip_of_both_directors_is_told(place: Setup) -> None:
    place.hosts["lb2"].ip("address", "add", f"{VIP}/32", "dev", "eth0")
    for at in ("mon", "lb1", "lb2"):
        found = place.verify(at=at)
        assert found[VIP]["verdict"] == "two-directors", at
        assert "both hold it" in found[VIP]["cause"]
        hosts = {one["host"]: one["role"] for one in found[VIP]["answers"]}
        assert hosts == {"primary": "active", "backup": "standby"}
        assert found[OTHER_VIP]["verdict"] == "ok"


def test_verify_vip_of_nobody_is_told(place: Setup) -> None:
    place.hosts["lb1"].ip("address", "del", f"{VIP}/32", "dev", "eth0")
    for at in ("mon", "lb1"):
        found = place.verify(at=at)
        assert (found[VIP]["verdict"], found[VIP]["answers"]) == ("unanswered", [])
        assert found[OTHER_VIP]["verdict"] == "ok"


def test_verify_unknown_host_is_told_with_what_it_is_known_by(place: Setup) -> None:
    other = place.segment.host("other", "192.0.2.77/24", f"{VIP}/32")
    found = place.verify()
    assert found[VIP]["verdict"] == "unknown-host"
    assert other.mac() in found[VIP]["cause"]
    assert "is no host of the configuration" in found[VIP]["cause"]


def test_verify_standby_that_took_over_is_the_active_one(place: Setup) -> None:
    for vip in (VIP, OTHER_VIP):
        place.hosts["lb1"].ip("address", "del", f"{vip}/32", "dev", "eth0")
        place.hosts["lb2"].ip("address", "add", f"{vip}/32", "dev", "eth0")
    found = place.verify()
    for vip in (VIP, OTHER_VIP):
        [answer] = found[vip]["answers"]
        assert (found[vip]["verdict"], answer["host"]) == ("ok", "backup")


def _tried(found: dict[str, object]) -> dict[tuple[str, str], tuple[str, str]]:
    through = found["through"]
    assert isinstance(through, list)
    return {(o["vip"], o["real_server"]): (o["verdict"], o["cause"]) for o in through}


@pytest.mark.parametrize("at", ["mon", "lb1"])
def test_verify_through_tells_which_real_server_swallows_packets(place: Setup, at: str) -> None:
    web1, web2 = place.hosts["web1"], place.hosts["web2"]
    with ExitStack() as stack:
        stack.enter_context(listening(web1))
        stack.enter_context(listening(web2, SERVERS["web2"]))
        web1.ip("address", "del", f"{OTHER_VIP}/32", "dev", "lo")
        tried = _tried(place.verify("--through", at=at))
    assert tried[VIP, SERVERS["web1"]] == ("ok", "")
    verdict, cause = tried[OTHER_VIP, SERVERS["web1"]]
    assert verdict == "black-hole"
    assert "the VIP is not on lo" in cause
    verdict, cause = tried[VIP, SERVERS["web2"]]
    assert verdict == "black-hole"
    assert "open on its own address alone" in cause


def test_verify_through_real_server_without_service_or_link_is_told(place: Setup) -> None:
    place.segment.switch.ip("link", "set", "web2", "down")
    tried = _tried(place.verify("--through"))
    assert "nothing listens on port 80" in tried[VIP, SERVERS["web1"]][1]
    assert "does not answer ARP" in tried[VIP, SERVERS["web2"]][1]


def test_verify_through_leaves_nothing_behind(place: Setup) -> None:
    web = place.hosts["web1"]
    with listening(web):
        place.verify("--through")
        half_open = web.run("ss", "-Htan", "state", "syn-recv")
    assert half_open == ""


def test_verify_nobody_learns_a_wrong_address_from_it(place: Setup) -> None:
    bystander = place.segment.host("by", "192.0.2.50/24")
    known = {VIP: "lb1", "192.0.2.2": "lb2", "192.0.2.9": "mon"}
    for address, name in known.items():
        mac = place.hosts[name].mac()
        bystander.ip("neigh", "add", address, "lladdr", mac, "dev", "eth0", "nud", "stale")
    place.verify("--through")
    kept = json.loads(bystander.ip("-json", "-4", "neigh", "show", "dev", "eth0"))
    assert {one["dst"]: one["lladdr"] for one in kept} == {
        address: place.hosts[name].mac() for address, name in known.items()
    }
    for name in ("lb1", "lb2", "web1"):
        told = json.loads(place.hosts[name].ip("-json", "neigh", "show", "dev", "eth0"))
        learned = {one["dst"]: one.get("lladdr") for one in told if one.get("lladdr")}
        right = {VIP: "lb1", "192.0.2.1": "lb1", "192.0.2.9": "mon", "2001:db8::9": "mon"}
        for address, mac in learned.items():
            if address in right:
                assert mac == place.hosts[right[address]].mac(), (name, address)
            else:
                assert address.startswith("fe80:"), (name, address, mac)


def test_verify_as_monitoring_plugin_has_its_exit_codes(place: Setup) -> None:
    def plugin(*words: str) -> tuple[int, str]:
        done = place.command("--nagios", *words)
        return done.returncode, done.stdout

    code, line = plugin()
    assert (code, line[:10]) == (0, "DRCTL OK -")
    assert " | ok=3 " in line
    code, line = plugin("--through")
    assert (code, line[:15]) == (1, "DRCTL WARNING -")
    place.hosts["lb1"].ip("address", "del", f"{VIP}/32", "dev", "eth0")
    code, line = plugin()
    assert (code, line[:16]) == (2, "DRCTL CRITICAL -")
    assert "unanswered=1" in line
    code, line = plugin("-i", "eth7")
    assert (code, line[:15]) == (3, "DRCTL UNKNOWN -")
    assert "eth7" in line


def test_verify_without_the_right_to_ask_says_so(place: Setup) -> None:
    need("setpriv", "util-linux")
    path = str(place.folder / "keepalived.conf")
    words = (
        "setpriv",
        "--bounding-set",
        "-net_raw",
        "--inh-caps",
        "-all",
        "--ambient-caps",
        "-all",
    )
    command = place.hosts["mon"].command(*words, sys.executable, "-m", "drctl", "verify", path)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "CAP_NET_RAW" in done.stderr


def test_verify_prometheus_has_a_line_for_each_verdict(place: Setup) -> None:
    text = place.command("--format", "prometheus").stdout
    assert f'drctl_verify_vip{{vip="{VIP}",verdict="ok"}} 1' in text
    assert f'drctl_verify_vip{{vip="{VIP}",verdict="leak"}} 0' in text
