"""Packet filters that plainly keep a service's packets away, and those that do not."""

from __future__ import annotations

import pytest
from netns_case import segment

from drctl.adapters.filter_rules import Packet, parse_iptables, read_filter_chains
from tools import need

VIP = "192.0.2.100"
PACKET = Packet(VIP, "tcp", 80, ("eth0",))
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
