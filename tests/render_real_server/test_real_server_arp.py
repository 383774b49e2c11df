"""What generated files do on the wire: who answers for the VIP, who asks as whom, who serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from real_server_box import FOLDER, Box, Segment
from real_server_cases import HOSTS, RIP, RIP6, VIP, VIP6, rendering

from tools import need, need_root

HOLDING = ("sysctl", "arptables", "arptables-legacy", "nftables")
ALL = (*HOLDING, "iptables", "iptables-legacy", "nft-redirect")

SERVER = """
import socket
s = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    c, _ = s.accept()
    c.sendall(b"served")
    c.close()
"""
FETCH = """
import socket, sys
try:
    print(socket.create_connection((sys.argv[1], 80), 1).recv(10).decode())
except OSError:
    print("nothing")
"""
ASK = """
import socket, sys
own, other = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in own else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((own, 0))
s.sendto(b"x", (other, 9))
"""


@pytest.fixture
def segment() -> Iterator[Segment]:
    need_root()
    need("ip", "iproute2")
    with Segment() as made:
        yield made


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    need_root()
    with Box(tmp_path) as made:
        yield made


def install(box: Box, method: str, case: str = "both-families", net: str = "systemd") -> None:
    """Run the generated installer; `-legacy` has the older tool as the system's own."""
    arp = method.removesuffix("-legacy")
    if method.endswith("-legacy"):
        need(method, arp)
        for tool in {arp, arp.replace("iptables", "ip6tables")}:
            box.run("ln", "-sf", f"{tool}-legacy", f"/usr/sbin/{tool}")
            box.run("ln", "-sf", f"{tool}-legacy-restore", f"/usr/sbin/{tool}-restore")
    box.deliver(rendering(case, arp, net))
    box.run("sh", f"{FOLDER}/install.sh")


def fetch(segment: Segment, box: Box, address: str, mac: str) -> str:
    """What a client gets from the VIP when the director sends its packets to this machine."""
    segment.client("ip", "neigh", "replace", address, "lladdr", mac, "dev", "c0")
    with box.start("python3", "-c", SERVER) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        got = segment.client("python3", "-c", FETCH, address).stdout.strip()
        server.terminate()
    return got


def asked_as(segment: Segment, box: Box, vip: str, other: str) -> set[str]:
    """Sender addresses of the questions for `other` when the machine sends to it from the VIP."""
    watcher = segment.watch("askers", other)
    box.run("python3", "-c", ASK, vip, other)
    return set(watcher.communicate()[0].split())


def test_without_rules_a_vip_on_lo_is_answered_and_announced(segment: Segment, box: Box) -> None:
    mac = segment.join(box, f"{RIP}/24", f"{RIP6}/64")
    box.run("ip", "addr", "add", f"{VIP}/32", "dev", "lo")
    assert segment.who_has(VIP) == [mac]
    assert asked_as(segment, box, VIP, "192.0.2.77") == {VIP}


@pytest.mark.parametrize("method", HOLDING)
def test_installed_server_is_silent_about_the_vip_and_serves_it(
    segment: Segment, box: Box, method: str
) -> None:
    mac = segment.join(box, f"{RIP}/24", f"{RIP6}/64")
    install(box, method)
    assert segment.who_has(RIP) == [mac]
    assert segment.who_has(VIP) == []
    assert asked_as(segment, box, VIP, "192.0.2.77") == {RIP}
    assert fetch(segment, box, VIP, mac) == "served"


@pytest.mark.parametrize("method", ALL)
def test_uninstalled_server_no_longer_serves_the_vip(
    segment: Segment, box: Box, method: str
) -> None:
    mac = segment.join(box, f"{RIP}/24", f"{RIP6}/64")
    install(box, method)
    box.run("sh", f"{FOLDER}/uninstall.sh")
    assert segment.who_has(VIP) == []
    assert fetch(segment, box, VIP, mac) == "nothing"


@pytest.mark.parametrize("method", ["iptables", "iptables-legacy", "nft-redirect"])
def test_redirecting_server_has_no_vip_and_serves_it(
    segment: Segment, box: Box, method: str
) -> None:
    mac = segment.join(box, f"{RIP}/24", f"{RIP6}/64")
    install(box, method)
    assert VIP not in box.out("ip", "addr")
    assert segment.who_has(VIP) == []
    assert fetch(segment, box, VIP, mac) == "served"


@pytest.mark.parametrize("method", ["sysctl", "iptables", "nft-redirect"])
def test_ipv6_vip_is_silent_without_rules_of_its_own_and_served(
    segment: Segment, box: Box, method: str
) -> None:
    mac = segment.join(box, f"{RIP}/24", f"{RIP6}/64")
    install(box, method)
    assert segment.who_has(RIP6) == [mac]
    assert segment.who_has(VIP6) == []
    if method == "sysctl":
        assert VIP6 not in asked_as(segment, box, VIP6, "2001:db8::77")
    assert fetch(segment, box, VIP6, mac) == "served"


def test_ipv6_vip_on_lo_is_silent_even_on_a_router_with_proxy_ndp(
    segment: Segment, box: Box
) -> None:
    mac = segment.join(box, f"{RIP}/24", f"{RIP6}/64")
    install(box, "sysctl")
    box.run("sysctl", "-w", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.eth0.proxy_ndp=1")
    assert segment.who_has(RIP6) == [mac]
    assert segment.who_has(VIP6) == []


def test_ipv6_vip_on_the_card_would_be_answered(segment: Segment, box: Box) -> None:
    mac = segment.join(box, f"{RIP}/24", f"{RIP6}/64", f"{VIP6}/128")
    assert segment.who_has(VIP6) == [mac]


@pytest.mark.parametrize("method", ALL)
def test_vip_on_a_card_makes_the_installer_stop_and_say_why(
    segment: Segment, box: Box, method: str
) -> None:
    segment.join(box, f"{RIP}/24", f"{VIP}/24")
    arp = method.removesuffix("-legacy")
    box.deliver(rendering("direct", arp))
    done = box.run("sh", f"{FOLDER}/install.sh", check=False)
    assert done.returncode == 1
    assert VIP in done.stderr
    assert "take it away there" in done.stderr
    assert f"To go back:    sh {FOLDER}/uninstall.sh" in done.stderr


def test_sysctl_vip_does_not_come_up_without_the_settings(box: Box) -> None:
    box.deliver(rendering("direct"))
    box.run("sh", f"{FOLDER}/install.sh", "--no-activate")
    done = box.run("/usr/libexec/drctl/drctl-vip", "start", check=False)
    assert done.returncode == 1
    assert "drctl-arp start" in done.stderr
    assert VIP not in box.out("ip", "addr")


@pytest.mark.parametrize("marks", ["nftables", "iptables"])
def test_director_on_standby_serves_silently_and_answers_when_active(
    segment: Segment, box: Box, marks: str
) -> None:
    mac = segment.join(box, f"{RIP}/24", f"{RIP6}/64")
    box.deliver(rendering("director", marks=marks))
    box.run("sh", f"{FOLDER}/install.sh")
    for vip in (VIP, VIP6):
        assert segment.who_has(vip) == []
        assert fetch(segment, box, vip, mac) == "served"
    box.run("ip", "addr", "add", f"{VIP}/32", "dev", "eth0")
    assert segment.who_has(VIP) == [mac]
    seen = box.out("sh", "-c", "nft list ruleset | grep -c daddr")
    assert int(seen) == 4
    assert fetch(segment, box, VIP, mac) == "served"


def test_arptables_rules_are_never_missing_while_they_are_made_again(
    segment: Segment, box: Box
) -> None:
    """A client that asks all the time never hears the server, whatever is loaded meanwhile."""
    mac = segment.join(box, f"{RIP}/24")
    install(box, "arptables", "direct")
    watcher = segment.watch("flood", VIP)
    for _ in range(5):
        box.run("/usr/libexec/drctl/drctl-arp", "start")
    assert watcher.communicate()[0].split() == []
    assert segment.who_has(RIP) == [mac]


def test_masqueraded_server_answers_through_the_gateway_and_gets_its_own_back(
    segment: Segment, box: Box
) -> None:
    segment.join(box, f"{RIP}/24")
    box.run("ip", "route", "add", "default", "via", "192.0.2.1", "metric", "0")
    before = box.out("ip", "route")
    box.deliver(rendering("masquerade"))
    for _ in range(2):
        box.run("sh", f"{FOLDER}/install.sh")
        assert box.out("ip", "route", "show", "default").strip() == (
            "default via 192.0.2.254 dev eth0"
        )
    box.run("sh", f"{FOLDER}/uninstall.sh")
    assert box.out("ip", "route") == before


def test_mixed_server_sends_only_its_own_address_through_the_director(
    segment: Segment, box: Box
) -> None:
    segment.join(box, f"{RIP}/24")
    box.run("ip", "route", "add", "default", "via", "192.0.2.1")
    before = box.out("ip", "rule"), box.out("ip", "route", "show", "table", "all")
    box.deliver(rendering("mixed", "nft-redirect"))
    box.write("/usr/sbin/modprobe", "#!/bin/sh\n", 0o755)
    for _ in range(2):
        box.run("sh", f"{FOLDER}/install.sh", "--no-activate")
        box.run("/usr/libexec/drctl/drctl-route", "start")
    ways = {
        source: box.out("ip", "route", "get", "203.0.113.9", "from", source) for source in (RIP,)
    }
    assert "via 192.0.2.254" in ways[RIP]
    assert "via 192.0.2.1 " in box.out("ip", "route", "get", "203.0.113.9")
    near = box.out("ip", "route", "get", "192.0.2.99", "from", RIP)
    assert "via" not in near
    box.run("/usr/libexec/drctl/drctl-route", "stop")
    assert (box.out("ip", "rule"), box.out("ip", "route", "show", "table", "all")) == before


@pytest.mark.parametrize("case", sorted(HOSTS))
def test_installed_case_leaves_the_servers_own_address_alone(
    segment: Segment, box: Box, case: str
) -> None:
    if case in {"tunnel", "mixed"}:
        pytest.skip("this kernel may lack the tunnel modules; the lab's guests have them")
    mac = segment.join(box, f"{RIP}/24", f"{RIP6}/64")
    install(box, "nftables", case)
    assert segment.who_has(RIP) == [mac]
