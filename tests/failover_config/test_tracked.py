"""Which weights count: keepalived's rules for sync groups, owners and an instance's own card."""

from __future__ import annotations

from pathlib import Path

import pytest

from drctl.core.value import Group, Member, Track
from drctl.daemon.config import DaemonConfig, LinkConfig, PeerConfig
from drctl.daemon.config_reading import read_failover
from drctl.daemon.host import Host, HostInterface

HOST = Host((HostInterface("eth0", "02:00:00:00:00:01", ("192.0.2.2/24",)),))
PEER = PeerConfig("lb2", "/k", (LinkConfig("198.51.100.1", "198.51.100.2"),))
DEFINED = """\
vrrp_script s {
    script "/bin/true"
    interval 2
    timeout 3
}
vrrp_script heavy {
    script "/bin/true"
    weight -20 reverse
}
track_file f {
    file /run/f
}
track_file doubled {
    file /run/doubled
    weight 2
}
vrrp_track_process p {
    process nginx
    weight 7
}
"""
ALL = {
    "interface": ["eth1 weight 5"],
    "script": ["s", "heavy"],
    "file": ["f", "doubled"],
    "process": ["p"],
}
FILE = Track("file:f", 1, is_value=True, wait_ms=5000)
SCRIPT = Track("script:s", wait_ms=5000)
PROCESS = Track("process:p", 7, wait_ms=5000)


def tracks(given: dict[str, list[str]]) -> str:
    return "".join(
        f"track_{kind} {{\n{''.join(f'    {one}' + chr(10) for one in names)}}}\n"
        for kind, names in given.items()
    )


def instance(name: str, priority: int, given: dict[str, list[str]], number: int = 1) -> str:
    return (
        f"vrrp_instance {name} {{\n    interface eth0\n    virtual_router_id {number}\n"
        f"    priority {priority}\n{tracks(given)}"
        f"    virtual_ipaddress {{\n        192.0.2.{100 + number}\n    }}\n}}\n"
    )


def group(tmp_path: Path, text: str) -> Group:
    path = tmp_path / "keepalived.conf"
    path.write_text(DEFINED + text)
    config = DaemonConfig("drctl.toml", "lb1", str(path), "/s", (PEER,))
    (found,) = read_failover(config, HOST).settings.groups
    return found


def sync(body: str = "", *members: str) -> str:
    return f"vrrp_sync_group g {{\n    group {{\n{chr(10).join(members)}\n}}\n{body}}}\n"


def test_instance_of_its_own_has_all_weights(tmp_path: Path) -> None:
    assert set(group(tmp_path, instance("a", 100, ALL)).tracks) == {
        Track("interface:eth1", 5),
        SCRIPT,
        Track("script:heavy", -20, is_reversed=True),
        FILE,
        Track("file:doubled", 2, is_value=True, wait_ms=5000),
        PROCESS,
    }


def test_options_of_the_use_come_before_those_of_the_definition(tmp_path: Path) -> None:
    given = {
        "script": ["heavy weight 3 noreverse", "s weight 4 reverse", "s weight 9"],
        "file": ["doubled weight 0 reverse"],
    }
    assert group(tmp_path, instance("a", 100, given)).tracks == (
        Track("script:heavy", 3),
        Track("script:s", 4, is_reversed=True),
        Track("file:doubled", 0, is_value=True, is_reversed=True, wait_ms=5000),
    )


def test_own_interface_has_no_weight(tmp_path: Path) -> None:
    given = {"interface": ["eth0 weight 10", "eth1 weight 10"]}
    found = group(tmp_path, instance("a", 100, given))
    assert found.tracks == (Track("interface:eth1", 10),)


def test_member_of_a_sync_group_has_no_weights(tmp_path: Path) -> None:
    """Weighted scripts and files do not count, an interface counts without its weight; keepalived
    2.2.7 leaves the weights of processes."""
    found = group(tmp_path, instance("a", 100, ALL) + sync("", "a"))
    assert set(found.tracks) == {
        Track("interface:eth1"),
        SCRIPT,
        Track("file:f", 0, is_value=True, wait_ms=5000),
        PROCESS,
    }


def test_sync_group_with_weights_has_those_of_its_members(tmp_path: Path) -> None:
    text = instance("a", 100, {"script": ["heavy"]}) + instance("b", 120, {"file": ["f"]}, 2)
    found = group(tmp_path, text + sync("sync_group_tracking_weight\n", "a", "b"))
    heavy = Track("script:heavy", -20, is_reversed=True)
    assert (found.priority, found.tracks) == (100, (heavy, FILE))
    assert found.members == (Member(100, (heavy,)), Member(120, (FILE,)))


def test_tracks_of_the_sync_group_count_for_every_member(tmp_path: Path) -> None:
    text = instance("a", 100, {"script": ["s"]}) + instance("b", 120, {}, 2)
    body = tracks({"script": ["s weight 11"], "interface": ["eth1 weight 12"]})
    found = group(tmp_path, text + sync(body, "a", "b"))
    eth1 = Track("interface:eth1", 12)
    # the member's own track without a weight stays as it is
    assert found.members == (
        Member(100, (SCRIPT, eth1)),
        Member(120, (Track("script:s", 11), eth1)),
    )


def test_weight_of_the_sync_group_takes_the_place_of_the_member_s(tmp_path: Path) -> None:
    text = instance("a", 100, {"script": ["s weight 1"], "process": ["p weight 1 reverse"]})
    body = "sync_group_tracking_weight\n" + tracks(
        {"script": ["s weight 2 reverse"], "process": ["p weight 2"]}
    )
    found = group(tmp_path, text + sync(body, "a"))
    assert found.tracks == (
        Track("script:s", 2, is_reversed=True),
        # of a process keepalived takes the weight alone
        Track("process:p", 2, is_reversed=True, wait_ms=5000),
    )


def test_owner_has_no_weights(tmp_path: Path) -> None:
    found = group(tmp_path, instance("a", 255, ALL))
    assert set(found.tracks) == {
        SCRIPT,
        Track("file:f", 0, is_value=True, wait_ms=5000),
        PROCESS,
    }


def test_sync_group_with_an_owner_has_no_weights(tmp_path: Path) -> None:
    body = tracks({"script": ["s weight 2"], "file": ["doubled"]})
    found = group(tmp_path, instance("a", 255, {}) + sync(body, "a"))
    assert {track.name: track.weight for track in found.tracks} == {
        "script:s": 0,
        "file:doubled": 0,
    }


@pytest.mark.parametrize(
    ("weight", "timeout", "wait_ms"),
    [("", "timeout 3", 5000), ("", "", 4000), ("weight 5", "timeout 3", 0)],
)
def test_first_run_of_a_script_without_weight_is_waited_for(
    tmp_path: Path, weight: str, timeout: str, wait_ms: int
) -> None:
    text = f'vrrp_script w {{\n script "/bin/true"\n interval 2\n {timeout}\n {weight}\n}}\n'
    (track,) = group(tmp_path, text + instance("a", 100, {"script": ["w"]})).tracks
    assert track.wait_ms == wait_ms
