"""Packet filters that plainly keep a service's packets away, and those that do not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from netns_case import Host, segment
from verify_case import CONFIGURATION

from drctl.adapters.addresses import Present
from drctl.adapters.arp_rules import read_arp_chains
from drctl.adapters.filter_chain import (
    ADVERTISEMENT,
    ESTABLISHED,
    SOLICITATION,
    UNTRACKED,
    FilterChain,
    Packet,
)
from drctl.adapters.filter_rules import parse_iptables, read_filter_chains
from drctl.cli._realserver_source import read_wanted
from drctl.realserver.arp import unheard, voiceless
from drctl.realserver.compare import compare
from drctl.realserver.value import Kernel, Wanted
from tools import need

VIP = "192.0.2.100"
PACKET = Packet(VIP, "tcp", 80, ("eth0",))
OPEN_TO_SOME = "-s 198.51.100.7/32 -j RETURN"
PLAIN = (
    "-d 192.0.2.100/32 -j DROP",
    "-i eth0 -p tcp -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable",
    "-d 192.0.2.0/24 -p tcp -m multiport --dports 80,443 -j DROP",
    "-p tcp -m tcp --dport 1:1023 -m state --state NEW -j DROP",
    '-p tcp -m comment --comment "no -j ACCEPT" -j DROP',
)
OPEN = (
    "-d 192.0.2.101/32 -j DROP",
    "-i eth1 -j DROP",
    "-s 198.51.100.0/24 -j DROP",
    "-p udp -m udp --dport 80 -j DROP",
    "-p tcp -m tcp --dport 81: -j DROP",
    "! -d 192.0.2.101/32 -j DROP",
    "-m state --state INVALID -j DROP",
    "-p tcp -m limit --limit 3/sec -j DROP",
    "-p tcp -j LOG --log-prefix DROP",
)


def judged(*rules: str, policy: str = "ACCEPT") -> list[tuple[str, str] | None]:
    text = "\n".join([f":INPUT {policy} [0:0]", *(f"-A INPUT {rule}" for rule in rules)])
    return [one.blocks(PACKET) for one in parse_iptables(text, "iptables", 4)]


@pytest.mark.parametrize("rule", PLAIN)
def test_rule_that_keeps_every_client_away_is_told(rule: str) -> None:
    [found] = judged(rule)
    assert found is not None
    assert found[1] == f"iptables INPUT: {rule}"
    assert judged("-p tcp -m tcp --dport 80 -j ACCEPT", rule) == [None]
    assert judged("-s 198.51.100.7/32 -j ACCEPT", rule) == [None], "some may get in"
    assert judged("-j theirs", rule) == [None], "another chain may accept it"
    assert judged("-m state --state RELATED,ESTABLISHED -j ACCEPT", rule) == [found]


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (("-p tcp -m tcp --dport 80 -j DROP",), "iptables INPUT: theirs -p tcp -m tcp --dport 80"),
        (("-p tcp -m tcp --dport 81 -j DROP",), ""),
        (("-p tcp -j RETURN", "-j DROP"), ""),
        (("-s 198.51.100.7/32 -j RETURN", "-j DROP"), ""),
        (("-p tcp -j ACCEPT",), ""),
    ],
)
def test_chain_that_is_led_to_is_followed(theirs: tuple[str, ...], expected: str) -> None:
    rules = [f"-A theirs {rule}" for rule in theirs]
    for lead in ("-j theirs", "-g theirs"):
        text = "\n".join([":INPUT ACCEPT [0:0]", ":theirs - [0:0]", f"-A INPUT {lead}", *rules])
        [found] = [one.blocks(PACKET) for one in parse_iptables(text, "iptables", 4)]
        assert (found[1] if found else "").startswith(expected)
        assert (found is not None) is bool(expected)
    after = "\n".join([text.replace("-g theirs", "-j theirs"), "-A INPUT -j REJECT"])
    [found] = [one.blocks(PACKET) for one in parse_iptables(after, "iptables", 4)]
    assert (found is not None) is (theirs[0] not in {"-p tcp -j ACCEPT", OPEN_TO_SOME})


def test_chain_of_nftables_that_is_led_to_is_followed() -> None:
    need("nft", "nftables")
    with segment() as made:
        host = made.host("web1", "192.0.2.21/24")
        for deed, expected in (("drop", True), ("return", False), ("accept", False)):
            more = f"chain ours {{\ntcp dport 80 {deed}\n}}\nchain c {{\n"
            hook = "type filter hook input priority 0\nip daddr 192.0.2.100 jump ours\n"
            text = f"table inet t\ndelete table inet t\ntable inet t {{\n{more}{hook}}}\n}}\n"
            host.run("nft", "-f", "-", stdin=text)
            with host.inside():
                [found] = read_filter_chains()
            assert (found.blocks(PACKET) is not None) is expected


@pytest.mark.parametrize("rule", OPEN)
def test_rule_that_may_let_a_client_in_is_left_alone(rule: str) -> None:
    assert judged(rule) == [None]
    assert judged(rule, policy="DROP") == [("drop", "iptables INPUT: policy drop")]


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
def test_rules_of_both_iptables_are_read(tool: str) -> None:
    need("iptables", "iptables")
    with segment() as made:
        host = made.host("web1", "192.0.2.21/24")
        host.run(tool, "-A", "INPUT", "-p", "tcp", "--dport", "81", "-j", "DROP")
        with host.inside():
            assert {one.blocks(PACKET) for one in read_filter_chains()} == {None}
        host.run(tool, "-A", "INPUT", "-p", "tcp", "--dport", "80", "-j", "DROP")
        with host.inside():
            found = {one.blocks(PACKET) for one in read_filter_chains()} - {None}
    assert found == {("drop", f"{tool} INPUT: -p tcp -m tcp --dport 80 -j DROP")}


ASKED = Packet("ff02::1:ff00:21", "ipv6-icmp", SOLICITATION, ("eth0",), state=UNTRACKED)
ANSWER = Packet(VIP, "tcp", 80, ("eth0",), is_answer=True, state=ESTABLISHED)


def base(rules: str, hook: str = "input priority 0", table: str = "inet t", more: str = "") -> str:
    text = f"chain c {{\ntype filter hook {hook}; {rules}\n}}"
    return f"table {table}\ndelete table {table}\ntable {table} {{\n{more}\n{text}\n}}\n"


BLOCKED = (
    (PACKET, base("policy drop; tcp dport 22 accept", table="ip filter")),
    (PACKET, base("ip daddr 192.0.2.100 drop", "prerouting priority -300", "ip t")),
    (PACKET, base("ip daddr 192.0.2.100 drop", "ingress device eth0 priority 0", "netdev t")),
    (PACKET, base("ether type ip drop", "ingress device eth0 priority 0", "netdev t")),
    (PACKET, base("ip daddr 192.0.2.100 drop", "ingress device eth0 priority 0")),
    (
        PACKET,
        base("ip daddr @b drop", more="set b { type ipv4_addr; elements = { 192.0.2.100 }\n}"),
    ),
    (PACKET, base("policy drop; tcp sport 22 accept")),
    (ANSWER, base("policy drop; ct state new accept; tcp dport 53 accept", "output priority 0")),
    (ANSWER, base("ip saddr 192.0.2.100 drop", "output priority 0")),
    (ANSWER, base("tcp sport 80 drop", "postrouting priority 0")),
    (ANSWER, base("oifname eth0 drop", "egress device eth0 priority 0", "netdev t")),
    (ASKED, base("icmpv6 type nd-neighbor-solicit drop")),
    (ASKED, base("meta l4proto ipv6-icmp drop", table="ip6 t")),
    (ASKED, base("policy drop; ct state established,related accept; tcp dport 80 accept")),
    (ASKED, base("policy drop; icmpv6 type { echo-request, nd-neighbor-advert } accept")),
)
LET_PASS = (
    (PACKET, base("policy drop; tcp dport 80 accept", table="ip filter")),
    (PACKET, base("ip daddr 192.0.2.100 drop", "ingress device lo priority 0", "netdev t")),
    (PACKET, base("ether type arp drop", "ingress device eth0 priority 0", "netdev t")),
    (PACKET, base("ip saddr 192.0.2.100 drop", "prerouting priority -300", "ip t")),
    (PACKET, base("tcp sport 80 drop")),
    (
        PACKET,
        base("ip daddr @b drop", more="set b { type ipv4_addr; elements = { 192.0.2.101 }\n}"),
    ),
    (ANSWER, base("policy drop; ct state established accept", "output priority 0")),
    (ANSWER, base("policy drop; tcp sport { 80, 443 } accept", "output priority 0")),
    (ANSWER, base("policy drop; ip daddr 198.51.100.0/24 accept", "output priority 0")),
    (ANSWER, base("ip daddr 192.0.2.100 drop", "output priority 0")),
    (ANSWER, base("tcp dport 80 drop", "output priority 0")),
    (ANSWER, base("policy drop; tcp dport 22 accept")),
    (ASKED, base("policy drop; meta l4proto ipv6-icmp accept")),
    (ASKED, base("policy drop; ip6 nexthdr icmpv6 accept")),
    (ASKED, base("policy drop; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept")),
    (ASKED, base("policy drop; ct state untracked accept")),
    (ASKED, base("icmpv6 type echo-request drop")),
    (ASKED, base("ct state invalid drop")),
)


@pytest.fixture(scope="module")
def machine() -> Iterator[Host]:
    need("nft", "nftables")
    need("iptables", "iptables")
    with segment() as made:
        yield made.host("web1", "192.0.2.21/24")


@pytest.mark.parametrize(
    ("packet", "text", "expected"),
    [*((*one, True) for one in BLOCKED), *((*one, False) for one in LET_PASS)],
)
def test_rules_of_every_hook_are_read(
    machine: Host, packet: Packet, text: str, *, expected: bool
) -> None:
    machine.run("nft", "flush", "ruleset")
    machine.run("nft", "-f", "-", stdin=text)
    with machine.inside():
        found = [one.blocks(packet) for one in read_filter_chains()]
    assert any(found) is expected, found


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
@pytest.mark.parametrize(
    ("packet", "rule", "expected"),
    [
        (PACKET, f"-t raw -A PREROUTING -d {VIP} -j DROP", True),
        (PACKET, f"-t mangle -A INPUT -d {VIP} -j DROP", True),
        (PACKET, f"-t mangle -A PREROUTING -s {VIP} -j DROP", False),
        (ANSWER, f"-A OUTPUT -s {VIP} -j DROP", True),
        (ANSWER, "-A OUTPUT -p tcp --sport 80 -j REJECT", True),
        (ANSWER, f"-t mangle -A POSTROUTING -o eth0 -s {VIP} -j DROP", True),
        (ANSWER, f"-A OUTPUT -d {VIP} -j DROP", False),
        (ANSWER, "-A OUTPUT -m state --state NEW -j DROP", False),
    ],
)
def test_all_tables_of_iptables_are_read(
    tool: str, packet: Packet, rule: str, *, expected: bool
) -> None:
    need("iptables", "iptables")
    with segment() as made:
        host = made.host("web1", "192.0.2.21/24")
        host.run(tool, *rule.split())
        with host.inside():
            found = [one.blocks(packet) for one in read_filter_chains()]
    assert any(found) is expected, found


def test_rule_of_ip6tables_against_neighbour_discovery_is_told(machine: Host) -> None:
    machine.run("nft", "flush", "ruleset")
    for kind, expected in (("echo-request", False), ("neighbour-solicitation", True)):
        machine.run("ip6tables-nft", *f"-A INPUT -p icmpv6 --icmpv6-type {kind} -j DROP".split())
        with machine.inside():
            found = [one.blocks(ASKED) for one in read_filter_chains()]
        assert any(found) is expected, found


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("-d 192.0.2.100/32 -j CT --notrack", True),
        ("-p tcp -m tcp --dport 80 -j NOTRACK", True),
        ("-d 192.0.2.101/32 -j CT --notrack", False),
        ("-s 198.51.100.7/32 -j CT --notrack", False),
    ],
)
def test_packets_that_are_not_tracked_are_known(rule: str, *, expected: bool) -> None:
    text = f"*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING {rule}\n"
    [chain] = parse_iptables(text, "iptables", 4)
    assert bool(chain.untracks(PACKET)) is expected
    assert chain.blocks(PACKET) is None


FIREWALLD = """\
table inet firewalld {
 chain mangle_PREROUTING { type filter hook prerouting priority mangle + 10; policy accept;
  jump mangle_PREROUTING_ZONES
 }
 chain mangle_PREROUTING_ZONES { iifname "eth0" goto mangle_PRE_public
 goto mangle_PRE_public
 }
 chain mangle_PRE_public { return
 }
 chain filter_PREROUTING { type filter hook prerouting priority filter + 10; policy accept;
  icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
  meta nfproto ipv6 fib saddr . iif oif missing drop
 }
 chain filter_INPUT { type filter hook input priority filter + 10; policy accept;
  ct state { established, related } accept
  ct status dnat accept
  iifname "lo" accept
  ct state invalid drop
  jump filter_INPUT_ZONES
  reject with icmpx admin-prohibited
 }
 chain filter_INPUT_ZONES { iifname "eth0" goto filter_IN_public
  goto filter_IN_public
 }
 chain filter_IN_public { jump filter_IN_public_log
  jump filter_IN_public_deny
  jump filter_IN_public_allow
  meta l4proto { icmp, ipv6-icmp } accept
 }
 chain filter_IN_public_log {
 }
 chain filter_IN_public_deny {
 }
 chain filter_IN_public_allow { tcp dport 22 accept
  tcp dport 80 accept
  ip6 daddr fe80::/64 udp dport 546 accept
 }
 chain filter_OUTPUT { type filter hook output priority filter + 10; policy accept;
  ct state { established, related } accept
  oifname "lo" accept
  ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002::/24 } reject with icmpv6 addr-unreachable
 }
}
"""
"""As firewalld makes it, shortened."""
CUSTOM = """\
table inet filter {
 set blocked { type ipv4_addr; flags interval; elements = { 198.51.100.0/24, 203.0.113.7 }
 }
 chain input { type filter hook input priority filter; policy drop;
  ct state vmap { established : accept, related : accept, invalid : drop }
  iifname lo accept
  ip saddr @blocked drop
  icmp type echo-request limit rate 5/second accept
  icmpv6 type { nd-neighbor-solicit, nd-router-advert, nd-neighbor-advert, echo-request } accept
  tcp dport { 22, 80, 443 } ct state new accept
  counter drop
 }
 chain forward { type filter hook forward priority filter; policy drop;
 }
 chain output { type filter hook output priority filter; policy accept;
  tcp dport 25 reject
  ip daddr @blocked drop
 }
}
table netdev early {
 chain in { type filter hook ingress device eth0 priority -500; policy accept;
  ip saddr 198.51.100.0/24 drop
  ip frag-off & 0x1fff != 0 drop
  tcp flags & (fin|psh|urg) == fin|psh|urg drop
  ether type { ip, ip6, arp } accept
  drop
 }
}
table ip raw { chain prerouting { type filter hook prerouting priority raw; policy accept;
  ip daddr 224.0.0.0/4 drop
  iifname != "eth0" ip daddr 192.0.2.100 drop
 }
}
"""
UFW, UFW6 = (
    """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-before-input - [0:0]
:ufw-not-local - [0:0]
:ufw-user-input - [0:0]
:ufw-after-input - [0:0]
:ufw-reject-input - [0:0]
-A INPUT -j ufw-before-input
-A INPUT -j ufw-after-input
-A INPUT -j ufw-reject-input
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p icmp --icmp-type echo-request -j ACCEPT
-A ufw-before-input -j ufw-not-local
-A ufw-before-input -j ufw-user-input
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN
-A ufw-not-local -j DROP
-A ufw-user-input -p tcp --dport 80 -j ACCEPT
-A ufw-after-input -p udp --dport 137 -j DROP
COMMIT
""",
    """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw6-before-input - [0:0]
-A INPUT -j ufw6-before-input
-A ufw6-before-input -i lo -j ACCEPT
-A ufw6-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw6-before-input -p icmpv6 --icmpv6-type neighbor-solicitation -m hl --hl-eq 255 -j ACCEPT
-A ufw6-before-input -p icmpv6 --icmpv6-type neighbor-advertisement -m hl --hl-eq 255 -j ACCEPT
-A ufw6-before-input -p tcp --dport 80 -j ACCEPT
COMMIT
""",
)
"""As ufw makes it, shortened."""


@pytest.mark.parametrize("rules", [(FIREWALLD,), (CUSTOM,), (UFW, UFW6)])
def test_ordinary_firewalls_that_let_the_service_in_raise_nothing(
    machine: Host, rules: tuple[str, ...]
) -> None:
    machine.run("nft", "flush", "ruleset")
    for tool, text in zip(("iptables-nft-restore", "ip6tables-nft-restore"), rules, strict=False):
        words = ("nft", "-f", "-") if len(rules) == 1 else (tool,)
        machine.run(*words, stdin=text)
    told = Packet("2001:db8::21", "ipv6-icmp", ADVERTISEMENT, ("eth0",), state=UNTRACKED)
    own = Packet("192.0.2.21", "tcp", 80, ("eth0",))
    packets = (PACKET, own, ANSWER, ASKED, told, replace(told, is_answer=True))
    with machine.inside():
        found = [chain.blocks(one) for chain in read_filter_chains() for one in packets]
        rules_of_arp = read_arp_chains()
    assert found
    assert not any(found)
    kernel = Kernel((), (), {}, {}, {}, rules_of_arp, (), ())
    assert unheard(kernel, "192.0.2.21", "eth0") == ""
    assert voiceless(kernel, "192.0.2.21", "eth0") == ""


RULES_OF_4 = ("-p 4 -j DROP", "-p ipencap -j DROP", "-d 192.0.2.21/32 -p 4 -j DROP")
RULES_OF_OTHERS = ("-p 41 -j DROP", "-p ipip -j DROP", "-p tcp -m tcp --dport 80 -j DROP")


@pytest.mark.parametrize(
    ("rules", "policy", "is_told"),
    [
        *(((rule,), "ACCEPT", True) for rule in RULES_OF_4),
        *(((rule,), "ACCEPT", False) for rule in RULES_OF_OTHERS),
        ((), "DROP", True),
        (("-p tcp -m tcp --dport 80 -j ACCEPT",), "DROP", True),
        (("-p ipencap -j ACCEPT",), "DROP", False),
        (("-p 4 -s 192.0.2.2/32 -j ACCEPT",), "DROP", False),
    ],
)
def test_rule_that_keeps_tunnelled_packets_away_is_told(
    tmp_path: Path, rules: tuple[str, ...], policy: str, is_told: bool
) -> None:
    text = "\n".join([f":INPUT {policy} [0:0]", *(f"-A INPUT {rule}" for rule in rules)])
    chains = tuple(parse_iptables(text, "iptables", 4))
    found = [
        one
        for one in compare(_tunnelled(tmp_path), _kernel(chains), None)
        if one.what == f"firewall for the tunnel of {VIP}"
    ]
    assert bool(found) == is_told, found
    assert all("packets of protocol ipencap for 192.0.2.21" in one.wanted for one in found)
    assert all(one.actual.startswith("iptables INPUT: ") for one in found)


def _tunnelled(folder: Path) -> Wanted:
    path = folder / "keepalived.conf"
    path.write_text(CONFIGURATION.replace("lb_kind DR", "lb_kind TUN"))
    words = {"path": str(path), "host": "192.0.2.21", "method": None, "net": None}
    return read_wanted(argparse.Namespace(**words, dialect="auto"))[0]


def _kernel(chains: tuple[FilterChain, ...]) -> Kernel:
    own = Present("192.0.2.21", 24, "eth0", "", 0, -1)
    return Kernel((own,), (), {}, {}, {}, (), (), (), filter_chains=chains)


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy", "nft"])
def test_protocols_of_tunnels_are_read_as_the_tools_name_them(tool: str) -> None:
    need("iptables", "iptables")
    with segment() as made:
        host = made.host("web1", "192.0.2.21/24")
        for protocol, number in (("ipencap", 4), ("ipv6", 41)):
            packet = Packet("192.0.2.21", protocol, 0, ("eth0",))
            if tool == "nft":
                chain = "table inet site { chain input { type filter hook input priority 0; }; }\n"
                rule = f"add rule inet site input meta l4proto {number} drop\n"
                host.run("nft", "-f", "-", stdin=chain + rule)
            else:
                host.run(tool, "-A", "INPUT", "-p", str(number), "-j", "DROP")
            with host.inside():
                chains = read_filter_chains()
            assert any(one.blocks(packet) for one in chains), chains
            assert not any(one.blocks(replace(packet, protocol="gre")) for one in chains)
            assert not any(one.blocks(PACKET) for one in chains)
