"""Routes, rules and track groups of a keepalived.conf, word by word."""

from __future__ import annotations

import pytest

from drctl.model.configuration import Configuration
from drctl.model.origin import leftovers
from drctl.model.routing import Hop, Route, Rule, TrackGroup
from drctl.readers.keepalived import read
from drctl.readers.reading import Reading
from drctl.syntax.parser import parse_bytes


def reading(text: str) -> Reading:
    return read(parse_bytes("x", text.encode(), "keepalived"))


def in_instance(block: str, line: str) -> Reading:
    return reading(f"vrrp_instance A {{\n{block} {{\n{line}\n}}\n}}\n")


ROUTES = {
    "192.0.2.0/24 dev eth0": Route("192.0.2.0/24", device="eth0"),
    "to 192.0.2.0/24 oif eth0": Route("192.0.2.0/24", device="eth0"),
    "192.0.2.7/32 via 192.0.2.1 no_track": Route("192.0.2.7", via="192.0.2.1", is_tracked=False),
    "192.0.2.7 via inet 192.0.2.1": Route("192.0.2.7", via="192.0.2.1"),
    "default gw 192.0.2.1 dev eth0": Route("default", via="192.0.2.1", device="eth0"),
    "any via 2001:DB8:0::1 dev eth0": Route(
        "default", family="inet6", via="2001:db8::1", device="eth0"
    ),
    "default6 dev eth0": Route("default", family="inet6", device="eth0"),
    "default inet6 inet6 dev eth0": Route("default", family="inet6", device="eth0"),
    "src 192.0.2.9 192.0.2.0/25 dev eth0": Route("192.0.2.0/25", source="192.0.2.9", device="eth0"),
    "blackhole 198.51.100.0/24": Route("198.51.100.0/24", kind="blackhole"),
    "192.0.2.0/24 dev eth0 table 0x10 priority 007 scope 253": Route(
        "192.0.2.0/24", device="eth0", table="16", metric=7, scope="253"
    ),
    "192.0.2.0/24 dev eth0 table main scope link": Route(
        "192.0.2.0/24", device="eth0", table="main", scope="link"
    ),
    "192.0.2.0/24 dev eth0 dsfield 0x10 mtu lock 01400 onlink rtt 10ms realms 1/2": Route(
        "192.0.2.0/24",
        device="eth0",
        options=(
            ("tos", "16"),
            ("mtu", "lock 1400"),
            ("onlink", ""),
            ("rtt", "10ms"),
            ("realms", "1/2"),
        ),
    ),
    "2001:db8:1::/48 from 2001:db8::/32 dev eth0 pref high": Route(
        "2001:db8:1::/48",
        family="inet6",
        device="eth0",
        options=(("from", "2001:db8::/32"), ("pref", "high")),
    ),
    "192.0.2.0/24 dev eth0 encap ip id 5 dst 198.51.100.9": Route(
        "192.0.2.0/24", device="eth0", options=(("encap", "ip id 5 dst 198.51.100.9"),)
    ),
    "192.0.2.0/24 no_track nexthop via 192.0.2.2 dev eth0 weight 2 nexthop dev eth1 onlink": Route(
        "192.0.2.0/24",
        is_tracked=False,
        hops=(
            Hop("192.0.2.2", "eth0", 2),
            Hop(device="eth1", options=(("onlink", ""),)),
        ),
    ),
    "192.0.2.0/24 via 192.0.2.2 or 192.0.2.3 no_track": Route(
        "192.0.2.0/24", is_tracked=False, hops=(Hop("192.0.2.2"), Hop("192.0.2.3"))
    ),
}
RULES = {
    "from 192.0.2.0/24 lookup 0x64 order 100": Rule(
        "table", source="192.0.2.0/24", table="100", priority=100
    ),
    "not to 192.0.2.1/32 table main preference 0x64": Rule(
        "table", is_inverted=True, destination="192.0.2.1", table="main", priority=100
    ),
    "from any dev eth0 oif eth1 type 7 priority 1": Rule(
        "unreachable", source="all", in_device="eth0", out_device="eth1", priority=1
    ),
    "fwmark 0x10/0xff prohibit priority 1": Rule("prohibit", mark=16, mark_mask=255, priority=1),
    "fwmark 3 goto 200 priority 100": Rule("goto", mark=3, target=200, priority=100),
    "iif vrf0 l3mdev priority 1": Rule("l3mdev", in_device="vrf0", priority=1),
    "from 2001:DB8::/32 nop priority 1": Rule(
        "nop", family="inet6", source="2001:db8::/32", priority=1
    ),
    "inet6 inet6 table 5 priority 1": Rule("table", family="inet6", table="5", priority=1),
    "ipproto tcp sport 80-90 sup_pl 0 no_track table 5 priority 1": Rule(
        "table",
        table="5",
        priority=1,
        is_tracked=False,
        options=(("ipproto", "tcp"), ("sport", "80-90"), ("suppress_prefixlength", "0")),
    ),
}


@pytest.mark.parametrize(("line", "expected"), ROUTES.items(), ids=ROUTES)
def test_route_is_read_with_all_its_words(line: str, expected: Route) -> None:
    found = in_instance("virtual_routes", line)
    assert found.configuration.instances[0].routes == (expected,)
    assert list(leftovers(found.configuration)) == []


@pytest.mark.parametrize(("line", "expected"), RULES.items(), ids=RULES)
def test_rule_is_read_with_all_its_words(line: str, expected: Rule) -> None:
    found = in_instance("virtual_rules", line)
    assert found.configuration.instances[0].rules == (expected,)
    assert list(leftovers(found.configuration)) == []


@pytest.mark.parametrize(
    ("block", "line", "reason"),
    [
        ("virtual_routes", "dev eth0", "a destination is needed"),
        ("virtual_routes", "192.0.2.0/24 via 2001:db8::1", "two families on one line"),
        ("virtual_routes", "192.0.2.0/24 via", "via without a value"),
        ("virtual_routes", "192.0.2.0/24 dev eth0 track_group T", "to track_group is no address"),
        ("virtual_rules", "from 192.0.2.1 priority 1", "a table or another action is needed"),
        ("virtual_rules", "from all goto 5 priority 9", "goto leads to a later priority only"),
    ],
)
def test_line_that_keepalived_drops_is_left_over_in_its_block(
    block: str, line: str, reason: str
) -> None:
    found = in_instance(block, line)
    (left,) = leftovers(found.configuration)
    assert left.text == f"{block} {{\n    {line}\n}}"
    assert left.reason == reason
    assert [(one.code, one.place.line) for one in found.diagnostics] == [("DR031", 3)]


@pytest.mark.parametrize(
    ("block", "line", "ignored"),
    [
        ("virtual_routes", "192.0.2.0/33 dev eth0", "/33"),
        ("virtual_routes", "192.0.2.0/24 dev eth0 features other", "features other"),
        ("virtual_routes", "inet word 192.0.2.0/24 dev eth0", "word"),
        ("virtual_rules", "table 5 priority 1 sport 80", "sport 80"),
    ],
)
def test_word_without_effect_is_told_and_the_line_counts(
    block: str, line: str, ignored: str
) -> None:
    found = in_instance(block, line)
    (one,) = found.diagnostics
    assert (one.code, one.message.partition(": ")[0]) == ("DR032", ignored)
    instance = found.configuration.instances[0]
    assert len(instance.routes) + len(instance.rules) == 1


STATIC = """\
track_group watched {
    group {
        A
        B C
    }
}
static_routes {
    192.0.2.0/24 dev eth0 track_group watched
    198.51.100.0/24 via 192.0.2.1 track_group watched
}
static_rules {
    from 192.0.2.0/24 iif eth0 table 5 priority 1 track_group watched
}
"""


def static() -> Configuration:
    return reading(STATIC).configuration


def test_static_routes_and_rules_name_their_track_group() -> None:
    found = static()
    assert found.track_groups == (TrackGroup("watched", ("A", "B", "C")),)
    # without a device nothing can be watched
    assert [one.track_group for one in found.static_routes] == ["watched", None]
    assert [one.track_group for one in found.static_rules] == ["watched"]
    assert list(leftovers(found)) == []


def test_every_word_of_a_route_comes_from_its_line() -> None:
    found = static()
    (first, second), (rule,) = found.static_routes, found.static_rules
    assert {place.line for places in first.origins.values() for place in places} == {8}
    assert set(first.origins) == {"", "destination", "family", "device", "track_group"}
    assert {place.line for places in second.origins.values() for place in places} == {9}
    assert {place.line for places in rule.origins.values() for place in places} == {12}
    assert [place.line for place in found.origins["static_routes"]] == [7, 8, 9]
    assert [place.line for place in found.track_groups[0].origins["members"]] == [2, 3, 4]


def test_second_track_group_of_a_name_is_skipped() -> None:
    found = reading("track_group T {\n}\ntrack_group T {\n}\n")
    assert len(found.configuration.track_groups) == 1
    assert [one.code for one in found.diagnostics] == ["DR031"]
