"""Rules of every shape are judged by what they do, as the kernel has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from netns_case import Host, segment

from drctl.adapters.addresses import Present
from drctl.adapters.arp_rules import read_arp_chains
from drctl.adapters.filter_chain import Packet
from drctl.adapters.filter_rules import read_filter_chains
from drctl.adapters.host_step import Step, do, goal, look
from drctl.adapters.layers import Layers
from drctl.adapters.nat_rules import deciding, read_redirections
from drctl.realserver.arp import answering, asking, mute, unheard, voiceless
from drctl.realserver.value import Kernel
from tools import need

VIP, OTHER, OWN = "192.0.2.100", "192.0.2.101", "192.0.2.21"
BOTH = f"{{ {VIP}, {OTHER} }}"
PACKET = Packet(VIP, "tcp", 80, ("eth0",))


@pytest.fixture(scope="module")
def machine() -> Iterator[Host]:
    for tool, package in (
        ("nft", "nftables"),
        ("arptables-nft", "arptables"),
        ("iptables-nft", "iptables"),
    ):
        need(tool, package)
    with segment() as made:
        host = made.host("web1", f"{OWN}/24")
        yield host


@pytest.fixture
def host(machine: Host) -> Host:
    """Without rules."""
    machine.run("nft", "flush", "ruleset")
    machine.run("arptables-nft", "-F")
    return machine


def incoming(rules: str, more: str = "", table: str = "t") -> str:
    hook = "type filter hook input priority 0"
    return f"table arp {table} {{\n{more}\nchain input {{\n{hook}\n{rules}\n}}\n}}\n"


def vips(*addresses: str) -> str:
    return f"set vips {{\ntype ipv4_addr\nelements = {{ {', '.join(addresses)} }}\n}}"


SILENT_NFT = (
    incoming("arp daddr ip @vips drop", vips(VIP, OTHER)),
    incoming("arp daddr ip 192.0.2.100-192.0.2.103 drop"),
    incoming("arp daddr ip 192.0.2.96/28 drop"),
    incoming(f"arp daddr ip {BOTH} jump quiet", "chain quiet {\ndrop\n}"),
    incoming("goto quiet", f"chain quiet {{\narp daddr ip {OWN} accept\ndrop\n}}"),
    incoming("jump some", f"chain some {{\narp daddr ip {OWN} return\ndrop\n}}"),
    incoming(f"arp daddr ip vmap {{ {VIP} : drop, {OTHER} : drop }}"),
    incoming(f"arp operation request arp daddr ip != {OWN} drop"),
    incoming(f'iifname {{ "eth0", "eth7" }} arp daddr ip {BOTH} drop'),
    incoming(f'iifname "eth*" arp daddr ip {BOTH} drop'),
    incoming(f'iifname != "lo" arp daddr ip {BOTH} drop'),
    incoming(f"arp daddr ip {BOTH} drop", table="filter"),
)
LOUD_NFT = (
    incoming("arp daddr ip @vips drop", vips("192.0.2.110")),
    incoming("arp daddr ip 192.0.2.105-192.0.2.110 drop"),
    incoming(f"arp daddr ip {BOTH} jump quiet", f"chain quiet {{\narp daddr ip {OWN} drop\n}}"),
    incoming("jump some\ndrop", f"chain some {{\narp daddr ip {VIP} accept\n}}"),
    incoming("goto some\ndrop", f"chain some {{\narp daddr ip {OWN} drop\n}}"),
    incoming(f"arp daddr ip vmap {{ {VIP} : accept, {OTHER} : drop }}"),
    incoming(f"arp daddr ip != {VIP} drop"),
    incoming(f'iifname {{ "eth1", "eth7" }} arp daddr ip {BOTH} drop'),
    incoming(f'iifname "br*" arp daddr ip {BOTH} drop'),
    incoming(f"arp daddr ip {BOTH} drop", "flags dormant"),
    incoming(f"arp daddr ip {BOTH} limit rate 9/second drop"),
    incoming(f"arp daddr ip {BOTH} counter"),
)


def is_silent(host: Host) -> bool:
    """As the rules of the kernel are read; this host's own address is answered for all the same."""
    kernel = with_rules(host)
    assert unheard(kernel, OWN, "eth0") == ""
    return answering(kernel, VIP, "eth0").is_safe


def with_rules(host: Host, announce: int = 0) -> Kernel:
    """A kernel that has the VIP on lo, with the rules that there are."""
    settings = {"all": 0, "eth0": 0}
    there = (Present(VIP, 32, "lo", "", 0, -1), Present(OWN, 24, "eth0", "", 0, -1))
    with host.inside():
        rules = read_arp_chains()
    return Kernel(there, (), settings, {**settings, "all": announce}, settings, rules, (), ())


@pytest.mark.parametrize("text", SILENT_NFT)
def test_nftables_that_drop_requests_are_silence(host: Host, text: str) -> None:
    assert not is_silent(host)
    host.run("nft", "-f", "-", stdin=text)
    assert is_silent(host)


@pytest.mark.parametrize("text", LOUD_NFT)
def test_nftables_that_drop_something_else_are_no_silence(host: Host, text: str) -> None:
    host.run("nft", "-f", "-", stdin=text)
    assert not answering(with_rules(host), VIP, "eth0").is_safe


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (("-N VIPS", "-A INPUT -j VIPS", f"-A VIPS -d {VIP} -j DROP"), True),
        ((f"-A INPUT -i eth+ -d {VIP} -j DROP",), True),
        ((f"-A INPUT ! -i lo -d {VIP} -j DROP",), True),
        ((f"-A INPUT ! -d {OWN} --opcode 1 -j DROP",), True),
        (("-N VIPS", "-A INPUT -j VIPS", f"-A VIPS -d {OTHER} -j DROP"), False),
        (("-N VIPS", "-A INPUT -j VIPS", "-A VIPS -j RETURN", f"-A VIPS -d {VIP} -j DROP"), False),
        ((f"-A INPUT -i br+ -d {VIP} -j DROP",), False),
        ((f"-A INPUT ! -i eth0 -d {VIP} -j DROP",), False),
        ((f"-A INPUT ! -d {VIP} --opcode 1 -j DROP",), False),
        ((f"-A INPUT --opcode 2 -d {VIP} -j DROP",), False),
    ],
)
def test_arptables_are_followed(host: Host, rules: tuple[str, ...], *, expected: bool) -> None:
    for rule in rules:
        host.run("arptables-nft", *rule.split())
    assert answering(with_rules(host), VIP, "eth0").is_safe is expected


def test_arp_announce_counts_as_the_kernel_takes_it(host: Host) -> None:
    told = {one: asking(with_rules(host, one), VIP, "eth0").is_safe for one in range(4)}
    assert told == {0: False, 1: False, 2: True, 3: False}, "what is above 2 is as 0"
    there = (Present(VIP, 32, "lo", "", 0, -1), Present(OWN, 32, "eth0", "", 0, -1))
    assert asking(replace(with_rules(host, 1), present=there), VIP, "eth0").is_safe


def test_outgoing_requests_that_are_dropped_leave_nobody_to_answer_to(host: Host) -> None:
    hook = "type filter hook output priority 0"
    for deed, expected in ((f"arp saddr ip set {OWN}", False), ("drop", True)):
        rule = f"arp saddr ip {VIP} {deed}"
        host.run("nft", "flush", "ruleset")
        host.run("nft", "-f", "-", stdin=f"table arp t {{\nchain o {{\n{hook}\n{rule}\n}}\n}}\n")
        kernel = with_rules(host)
        assert asking(kernel, VIP, "eth0").is_safe
        assert bool(mute(kernel, VIP, "eth0")) is expected
    assert mute(with_rules(host, 2), VIP, "eth0") == "", "another source is chosen before"


def at_device(rules: str, hook: str = "ingress", card: str = "eth0") -> str:
    place = f"type filter hook {hook} device {card} priority 0"
    return f"table netdev t {{\nchain c {{\n{place}\n{rules}\n}}\n}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (at_device(f"arp daddr ip {OWN} drop"), (True, True)),
        (at_device("ether type arp drop"), (True, True)),
        (at_device("meta protocol arp arp operation request drop"), (True, False)),
        (at_device("policy drop; ip daddr 192.0.2.21 accept"), (True, True)),
        (at_device("arp operation != request drop"), (False, True)),
        (at_device(f"arp operation reply arp saddr ip {OWN} drop", "egress"), (True, False)),
        (at_device("arp operation request drop", "egress"), (False, True)),
        (at_device(f"ip daddr {OWN} drop"), (False, False)),
        (at_device("ether type ip drop"), (False, False)),
        (at_device("policy drop; ether type arp accept"), (False, False)),
        (at_device("ether type arp drop", card="lo"), (False, False)),
    ],
)
def test_rules_at_a_device_are_followed(host: Host, text: str, expected: tuple[bool, bool]) -> None:
    host.run("nft", "-f", "-", stdin=text)
    kernel = with_rules(host)
    found = unheard(kernel, OWN, "eth0"), voiceless(kernel, OWN, "eth0")
    assert tuple(map(bool, found)) == expected


@pytest.mark.parametrize(
    ("hook", "rules", "expected"),
    [
        ("input", f"arp daddr ip {OWN} drop", (True, True)),
        ("prerouting", "ether type arp drop", (True, True)),
        ("output", f"arp operation reply arp saddr ip {OWN} drop", (True, False)),
        ("input", f'iifname "port" arp daddr ip {OWN} drop', (False, False)),
        ("input", f"ip daddr {OWN} drop", (False, False)),
        ("forward", "ether type arp drop", (False, False)),
    ],
)
def test_rules_of_a_bridge_are_followed(
    host: Host, hook: str, rules: str, expected: tuple[bool, bool]
) -> None:
    place = f"type filter hook {hook} priority 0"
    host.run("nft", "-f", "-", stdin=f"table bridge t {{\nchain c {{\n{place}\n{rules}\n}}\n}}\n")
    kernel = with_rules(host)
    assert unheard(kernel, OWN, "eth0") == "", "it is no bridge"
    kernel = replace(kernel, layers=Layers(bridges=frozenset({"eth0"})))
    found = unheard(kernel, OWN, "eth0"), voiceless(kernel, OWN, "eth0")
    assert tuple(map(bool, found)) == expected


def test_requests_that_a_device_drops_are_silence(host: Host) -> None:
    host.run("nft", "-f", "-", stdin=at_device(f"arp daddr ip {BOTH} drop"))
    assert is_silent(host)
    assert not answering(with_rules(host), VIP, "eth1").is_safe, "it is another card's"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (("-P OUTPUT DROP",), (True, True)),
        (("-P INPUT DROP", f"-A INPUT -d {OWN} -j ACCEPT"), (False, False)),
        (("-A INPUT --opcode 2 -j DROP",), (False, True)),
        (("-A INPUT ! --opcode 1 -j DROP",), (False, True)),
        (("-A OUTPUT --opcode 2 -j DROP",), (True, False)),
        (("-A INPUT -s 192.0.2.1 -j DROP",), (True, False)),
        ((f"-A OUTPUT -j mangle --mangle-ip-s {OTHER}",), (True, False)),
        ((f"-A OUTPUT -s {VIP} -j mangle --mangle-ip-s {OWN}",), (False, False)),
    ],
)
def test_what_a_host_says_of_itself_is_followed(
    host: Host, rules: tuple[str, ...], expected: tuple[bool, bool]
) -> None:
    try:
        for rule in rules:
            host.run("arptables-nft", *rule.split())
        kernel = with_rules(host)
    finally:
        for chain in ("INPUT", "OUTPUT"):
            host.run("arptables-nft", "-P", chain, "ACCEPT")
    found = unheard(kernel, OWN, "eth0", ["192.0.2.1"]), voiceless(kernel, OWN, "eth0")
    assert tuple(map(bool, found)) == expected


def test_vip_without_an_address_is_answered_for_by_its_route(host: Host) -> None:
    kernel = replace(with_rules(host), present=(Present(OWN, 24, "eth0", "", 0, -1),))
    assert answering(kernel, VIP, "eth0").is_safe
    routed = replace(kernel, routed=frozenset({VIP}))
    told = {
        one: answering(replace(routed, arp_ignore={"all": one}), VIP, "eth0").is_safe
        for one in (0, 1, 2, 3, 4, 8)
    }
    assert told == {0: False, 1: True, 2: True, 3: True, 4: False, 8: True}
    assert not asking(routed, VIP, "eth0").is_safe
    assert asking(replace(routed, arp_announce={"all": 2}), VIP, "eth0").is_safe


def nat(rules: str, more: str = "") -> str:
    hook = "type nat hook prerouting priority dstnat"
    return f"table ip t {{\n{more}\nchain c {{\n{hook}\n{rules}\n}}\n}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (nat(f"ip daddr {BOTH} tcp dport {{ 80, 443 }} redirect"), True),
        (nat("ip daddr 192.0.2.96/28 tcp dport 80-90 redirect"), True),
        (nat("jump d", f"chain d {{\nip daddr {VIP} tcp dport 80 redirect\n}}"), True),
        (nat("tcp dport 80 redirect"), True),
        (nat(f"iifname eth0 ip daddr {VIP} tcp dport 80 redirect"), True),
        (nat("ip daddr @vips tcp dport 80 redirect", vips(VIP, OTHER)), True),
        (nat("ip daddr @vips tcp dport 80 redirect", vips("192.0.2.110")), False),
        (nat(f"ip daddr {OTHER} accept\nip daddr {VIP} redirect"), True),
        (nat(f"ip daddr {BOTH} tcp dport {{ 8080, 443 }} redirect"), False),
        (nat(f"ip daddr {VIP} tcp dport 8000-8100 redirect"), False),
        (nat("", f"chain d {{\nip daddr {VIP} tcp dport 80 redirect\n}}"), False),
        (nat(f"iifname eth7 ip daddr {VIP} tcp dport 80 redirect"), False),
        (nat(f"ip daddr {VIP} accept\nip daddr {VIP} redirect"), False),
        (nat(f"ip daddr {VIP} redirect", "flags dormant"), False),
    ],
)
def test_redirections_of_nftables_are_followed(host: Host, text: str, *, expected: bool) -> None:
    host.run("nft", "-f", "-", stdin=text)
    with host.inside():
        assert bool(deciding(read_redirections(), PACKET)) is expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((f"-d {VIP} -p tcp -m multiport --dports 80,443 -j REDIRECT",), True),
        (("-d 192.0.2.100/31 -p tcp --dport 80 -j REDIRECT",), True),
        ((f"-d {VIP} -p tcp --dport 1:1023 -j REDIRECT",), True),
        (("-p tcp --dport 81 -j RETURN", f"-d {VIP} -j REDIRECT"), True),
        ((f"-d {VIP} -p tcp -m multiport --dports 8080,443 -j REDIRECT",), False),
        ((f"-d {VIP} -p tcp --dport 8000:8100 -j REDIRECT",), False),
        ((f"-i eth7 -d {VIP} -p tcp --dport 80 -j REDIRECT",), False),
        ((f"! -d {VIP} -p tcp --dport 80 -j REDIRECT",), False),
        ((f"-d {VIP} -j ACCEPT", f"-d {VIP} -j REDIRECT"), False),
        (("-p tcp --dport 80 -j RETURN", f"-d {VIP} -j REDIRECT"), False),
    ],
)
def test_redirections_of_iptables_are_followed(
    host: Host, rules: tuple[str, ...], *, expected: bool
) -> None:
    for rule in rules:
        host.run("iptables-nft", "-t", "nat", "-A", "PREROUTING", *rule.split())
    with host.inside():
        found = [
            one for one in deciding(read_redirections(), PACKET) if not one.path.startswith("nft ")
        ]
        assert bool(found) is expected


def test_table_that_is_dormant_filters_nothing_and_is_not_what_is_wanted(host: Host) -> None:
    text = incoming(f"arp daddr ip {VIP} drop", table="drctl_arp")
    step = Step("nft", "arp drctl_arp", f"table arp drctl_arp\ndelete table arp drctl_arp\n{text}")
    chain = "chain c {\ntype filter hook input priority 0\npolicy drop\n}"
    host.run("nft", "-f", "-", stdin=f"table inet site {{\n{chain}\n}}\n")
    with host.inside():
        do(step)
        assert look(step) == goal(step)
        [found] = read_filter_chains()
        assert found.blocks(PACKET) is not None
        host.run("nft", "add table arp drctl_arp { flags dormant; }")
        host.run("nft", "add table inet site { flags dormant; }")
        assert look(step) != goal(step)
        assert read_filter_chains() == ()
        do(step)
        assert look(step) == goal(step)
