"""Reading keepalived's dumps: snippets of the format, in words of our own."""

from __future__ import annotations

from typing import Any

import pytest
from agreement.meaning import ANY, Difference, differences, fields_compared
from agreement.meaning_dump import address, read_vrrp, wanted_states
from agreement.meaning_dump_service import read_check
from agreement.meaning_record import command, record

INSTANCE = """\
------< VRRP Topology >------
 VRRP Instance = one two
   VRRP Version = 3
   Flags:
     Using unicast
   Wantstate = FAULT
   Interface = vrrp.7, vmac on eth0, xmit base i/f
   Using src_ip = 192.0.2.1 (from configuration)
   Gratuitous ARP delay = 5
   Virtual Router ID = 7
   Priority = 120
   Advert interval = 400 milli-sec
   Preempt = disabled
   Preempt delay = 1.5 secs
   Authentication type = SIMPLE_PASSWORD
   Password = a = b
   Virtual IP (2):
     192.0.2.10/24 brd 192.0.2.255 dev vrrp.7@eth0 scope global label eth0:1 set
     2001:db8::1 dev eth1 scope global deprecated
   Unicast Peer :
     192.0.2.3 min_ttl 0 max_ttl 255
     192.0.2.2 min_ttl 9 max_ttl 10
   Tracked interfaces :
     eth1 weight -5 reverse
   Tracked processes :
     proxy, weight 3
   Using smtp notification = yes
   Master state transition script = '/bin/echo' 'a b', uid:gid 0:7
------< VRRP Sync groups >------
 VRRP Sync Group = a, b, INIT
   VRRP member instances :
     one two
   Using smtp notification = no
"""
SERVICES = """\
------< LVS Topology >------
 System is compiled with LVS v1.2.1
 ------< Virtual server group >------
 Virtual Server Group = web, IPv4 = yes, IPv6 = no
   VIP Range = 192.0.2.5-192.0.2.9, VPORT = 80
     Alive: 0 tcp, 0 udp, 0 sctp
   FWMARK = 7 IPv4
 ------< Virtual server >------
 VS VIP = 192.0.2.10, VPORT = 80
   connection timeout = 5.000000
   delay_loop = 3.500000
   lvs_sched = sh
   Hashed = disabled
   sh-port = enabled
   protocol = TCP
   alpha is ON
   Inhibit on failure is OFF
   quorum = 3, hysteresis = 1
   default forwarding method = DR
   sorry server = [192.0.2.99]:tcp:81
     forwarding method = NAT
     Inhibit on failure is ON
   ------< Real server >------
   RIP = 192.0.2.21, RPORT = 80, WEIGHT = 4 EFF WEIGHT = 4
   forwarding method = TUN, type = IPIP
   connection limit range = 3 -> 9
   initial weight = 4
   Tracked Files
     load, weight 2 reverse
------< Health checkers >------
 [192.0.2.10]:tcp:80 -> [192.0.2.21]:tcp:80
   Alpha = no
   Delay loop = 9000000 us
   Retries = 0
   Connection
     Dest = [192.0.2.21]:8080
     Timeout = 1.500000
   Keepalive method = SSL_GET, http protocol 1.0C
   Checked url = /a = b
     digest = 00ff
     HTTP Status Code(s)
       200-204
       301
     Regex = "^x"
   Checked url = /c
     HTTP Status Code(s)
       200-299
 [192.0.2.10]:tcp:80 -> [192.0.2.21]:tcp:80
   Keepalive method = FILE_CHECK
     Tracked file = load
"""


def test_instance_is_read_field_by_field() -> None:
    found = read_vrrp(INSTANCE, {"one two": "MASTER"})["instance one two"]
    assert (found["state"], found["interface"], found["source"]) == ("MASTER", "eth0", "192.0.2.1")
    assert (found["advert_ms"], found["preempt_delay_ms"]) == (400, 1500)
    assert (found["is_preempting"], found["sends_mail"]) == (False, True)
    assert (found["authentication"], found["password"]) == ("PASS", "a = b")
    assert found["unicast_peers"] == (("192.0.2.2", 9, 10), ("192.0.2.3", 0, 255))
    assert found["tracks"] == (
        ("interface", "eth1", -5, True),
        ("process", "proxy", 3, False),
    )
    assert found["hook master"] == (("/bin/echo", "a b"), "0", "7")
    first, second = map(dict, found["vips"])
    assert first == {
        "address": "192.0.2.10",
        "prefix": "24",
        "brd": "192.0.2.255",
        "dev": "eth0",
        "scope": "global",
        "label": "eth0:1",
    }
    assert second["prefix"] == "128"
    assert second["deprecated"] == "yes"


def test_sync_group_with_a_comma_in_its_name() -> None:
    assert read_vrrp(INSTANCE, {})["sync group a, b"]["members"] == ("one two",)


def test_service_with_its_server_and_checks() -> None:
    found = read_check(SERVICES)
    assert list(found) == [
        "group web",
        "service 192.0.2.10 port 80 tcp",
        "service 192.0.2.10 port 80 tcp > 192.0.2.21 port 80",
        "service 192.0.2.10 port 80 tcp > 192.0.2.21 port 80 > check 1",
        "service 192.0.2.10 port 80 tcp > 192.0.2.21 port 80 > file check load",
    ]
    assert found["group web"]["entries"] == ("192.0.2.5-192.0.2.9 port 80", "mark 7 IPv4")
    service, server, check, _ = list(found.values())[1:]
    assert (service["scheduler"], service["flags"]) == ("sh", ("sh-port",))
    assert (service["forwarding"], service["sorry forwarding"]) == (
        "direct routing",
        "masquerading",
    )
    assert service["sorry server"] == "192.0.2.99 port 81"
    assert (service["inhibits_on_failure"], service["sorry inhibits"]) == (False, True)
    assert (service["is_alpha"], service["quorum"], service["hysteresis"]) == (True, 3, 1)
    assert (server["weight"], server["forwarding"]) == (4, "tunnelling")
    assert (server["lower_threshold"], server["upper_threshold"]) == (3, 9)
    assert server["file weights"] == (("load", "2 reverse"),)
    assert (check["type"], check["uses_tls"], check["http_protocol"]) == ("http", True, "1.0C")
    assert (check["loop_ms"], check["timeout_ms"], check["to"]) == (
        9000,
        1500,
        "192.0.2.21 port 8080",
    )
    assert check["urls"][0]["path"] == "/a = b"
    assert check["urls"][0]["status"] == [(200, 204), (301, 301)]
    assert check["urls"][1]["regex"] is None


def test_second_block_of_a_name_is_kept() -> None:
    twice = read_check(SERVICES.split("------< Health")[0] + SERVICES.split("v1.2.1\n")[1])
    assert "service 192.0.2.10 port 80 tcp #2" in twice


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'/bin/a'", ("/bin/a",)),
        ("'/bin/a' 'b c' ''", ("/bin/a", "b c", "")),
        ("</dev/tcp/192.0.2.1/80", ("</dev/tcp/192.0.2.1/80",)),
    ],
)
def test_command_is_split_at_its_quotes(text: str, expected: tuple[str, ...]) -> None:
    assert command(text) == expected


def test_wanted_state_is_the_first_that_was_logged() -> None:
    log = " VRRP Instance = A\n   Wantstate = MASTER\n VRRP Instance = A\n   Wantstate = FAULT\n"
    assert wanted_states(log) == {"A": "MASTER"}


def test_heading_ends_with_the_first_line_of_its_own_depth() -> None:
    found = record(["   List (1):", "     a = b", "   Key = c"])
    assert found.lists == {"List": ["a = b"]}
    assert found.values == {"Key": "c"}


def test_address_without_prefix_is_one_host() -> None:
    assert dict(address("192.0.2.1 dev eth0 scope link"))["prefix"] == "32"


MINE: dict[str, dict[str, Any]] = {"service a": {"x": 1, "y": ANY}, "service b": {"x": 2}}


def test_field_that_differs_is_named() -> None:
    theirs = {"service a": {"x": 3, "y": 5}, "service b": {"x": 2}}
    assert differences(MINE, theirs) == [Difference("service a", "x", 1, 3)]
    assert fields_compared(MINE, theirs) == 2


def test_field_of_one_side_alone_differs_from_none() -> None:
    theirs = {"service a": {"x": 1}, "service b": {"x": 2, "z": 4}}
    assert [str(one) for one in differences(MINE, theirs)] == [
        "service b: z: drctl None, keepalived 4"
    ]


def test_missing_block_is_told_once_without_what_is_below_it() -> None:
    theirs = {"service a": {"x": 1}}
    mine = {**MINE, "service b > server": {}, "service b > server > check 1": {}}
    assert [str(one) for one in differences(mine, theirs)] == ["service b: only drctl has it"]
