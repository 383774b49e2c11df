"""What a keepalived.conf tracks, and the devices that it watches: block by block."""

from __future__ import annotations

import pytest

from drctl.model.configuration import Configuration
from drctl.model.origin import leftovers
from drctl.model.tracking import (
    BfdSession,
    GarpGroup,
    InterfaceDelay,
    PolledLink,
    TrackFile,
    TrackProcess,
)
from drctl.model.vrrp import HmacAuthentication, HmacKey, Ipvlan, Vmac, VrrpInstance
from drctl.readers.keepalived import read
from drctl.readers.reading import Reading
from drctl.syntax.parser import parse_bytes


def reading(text: str) -> Reading:
    return read(parse_bytes("x", text.encode(), "keepalived"))


def model(text: str) -> Configuration:
    return reading(text).configuration


def instance(body: str) -> VrrpInstance:
    found = model(f"vrrp_instance A {{\n{body}\n}}\n")
    assert list(leftovers(found)) == []
    return found.instances[0]


FILES = {
    "file /run/a\nweight -5 reverse\ninit_file 7 overwrite": TrackFile(
        "f", "/run/a", -5, is_reversed=True, initial=7, overwrites=True
    ),
    "init_file": TrackFile("f", initial=0),
    "init_file overwrite -3": TrackFile("f", initial=-3, overwrites=True),
    "file /run/a\nweight 0": TrackFile("f", "/run/a", 0),
}
PROCESSES = {
    "process nginx": TrackProcess("p", "nginx"),
    'process python3 /opt/x "a b"\nparam_match initial\nfull_command': TrackProcess(
        "p", "python3", ("/opt/x", "a b"), "initial", is_full_command=True
    ),
    "process a\nparam_match\nquorum 2\nquorum_max 9\nweight 5 reverse": TrackProcess(
        "p", "a", (), "exact", 5, is_reversed=True, quorum=2, quorum_max=9
    ),
    "process a\ndelay 1.5": TrackProcess(
        "p", "a", fork_delay_us=1_500_000, terminate_delay_us=1_500_000
    ),
    "process a\ndelay 2\nfork_delay 0.000001": TrackProcess(
        "p", "a", fork_delay_us=1, terminate_delay_us=2_000_000
    ),
    "process a\nfork_delay 3\ndelay 2": TrackProcess(
        "p", "a", fork_delay_us=2_000_000, terminate_delay_us=2_000_000
    ),
}
SESSIONS = {
    "neighbour_ip 192.0.2.1\nsource_ip 192.0.2.2": BfdSession("b", "192.0.2.1", "192.0.2.2"),
    "neighbor_ip 2001:DB8::1\nmin_rx 1.5\nmin_tx 50\nidle_tx 1000.001\nmultiplier 3": BfdSession(
        "b",
        "2001:db8::1",
        min_receive_us=1_500,
        min_send_us=50_000,
        idle_send_us=1_000_001,
        multiplier=3,
    ),
    "passive\nhoplimit 9\nmax_hops -1\nweight 5 reverse\nvrrp\nchecker\nmultihop off": BfdSession(
        "b",
        is_passive=True,
        ttl=9,
        max_hops=-1,
        weight=5,
        is_reversed=True,
        tells_vrrp=True,
        tells_checks=True,
        is_multihop=False,
    ),
}


@pytest.mark.parametrize("keyword", ["track_file", "vrrp_track_file"])
@pytest.mark.parametrize(("body", "expected"), FILES.items(), ids=FILES)
def test_track_file(keyword: str, body: str, expected: TrackFile) -> None:
    found = model(f"{keyword} f {{\n{body}\n}}\n")
    assert found.track_files == (expected,)
    assert list(leftovers(found)) == []


@pytest.mark.parametrize(("body", "expected"), PROCESSES.items(), ids=PROCESSES)
def test_track_process(body: str, expected: TrackProcess) -> None:
    found = model(f"vrrp_track_process p {{\n{body}\n}}\n")
    assert found.track_processes == (expected,)
    assert list(leftovers(found)) == []


@pytest.mark.parametrize(("body", "expected"), SESSIONS.items(), ids=SESSIONS)
def test_bfd_session(body: str, expected: BfdSession) -> None:
    found = model(f"bfd_instance b {{\n{body}\n}}\n")
    assert found.bfd_sessions == (expected,)
    assert list(leftovers(found)) == []


def test_second_session_of_a_name_is_skipped() -> None:
    found = reading("bfd_instance b {\n}\nbfd_instance b {\n}\n")
    assert len(found.configuration.bfd_sessions) == 1
    assert [one.code for one in found.diagnostics] == ["DR031"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("track_file f {\nweight 255\n}", "255 is outside -254..254"),
        ("track_file f {\nfile /a\nfile /b\n}", "keepalived keeps the first one"),
        ("vrrp_track_process p {\ndelay 0\n}", "0 is outside 1e-06..3600"),
        ("vrrp_track_process p {\ndelay 1.0000001\n}", "1.0000001 has more than 6 decimals"),
        ("bfd_instance b {\nmin_rx 0.9\n}", "0.9 is outside 1..4.29497e+06"),
        ("bfd_instance b {\nneighbor_ip gateway\n}", "gateway is not an IP address"),
        ("garp_group {\ngarp_interval 1s\n}", "1s is not a number"),
        ("track_file {\n}", "the name is missing"),
    ],
)
def test_value_that_keepalived_refuses_is_left_over(body: str, reason: str) -> None:
    found = reading(f"{body}\n")
    assert [one.reason for one in leftovers(found.configuration)] == [reason]
    assert [one.code for one in found.diagnostics] == ["DR031"]


def test_devices_of_a_garp_group_are_listed_however_they_are_written() -> None:
    found = model(
        "garp_group {\ngarp_interval 0.001\ngna_interval 0.000001\ninterface eth0\n"
        "interfaces {\neth1 eth2\neth3\n}\n}\ngarp_group {\n}\n"
    )
    assert found.garp_groups == (
        GarpGroup(("eth0", "eth1", "eth2", "eth3"), 1_000, 1),
        GarpGroup(),
    )
    assert list(leftovers(found)) == []


def test_delays_and_polling_of_devices() -> None:
    found = model(
        "interface_up_down_delays {\neth0 1.5\neth1 0 2\n}\n"
        "linkbeat_interfaces {\neth0\neth1 ETHTOOL\n}\n"
    )
    assert found.interface_delays == (
        InterfaceDelay("eth0", 1_500_000),
        InterfaceDelay("eth1", 0, 2_000_000),
    )
    assert found.polled_links == (PolledLink("eth0"), PolledLink("eth1", "ETHTOOL"))
    assert list(leftovers(found)) == []


def test_devices_that_an_instance_makes() -> None:
    assert instance("use_vmac").vmac == Vmac()
    assert instance("use_vmac 02:00:00:00:01 vrrp.1").vmac == Vmac("vrrp.1", "02:00:00:00:01")
    assert instance("use_ipvlan private 192.0.2.3/24 ipv0").ipvlan == Ipvlan(
        "ipv0", "192.0.2.3", 24, "private"
    )
    assert instance("use_ipvlan").ipvlan == Ipvlan()


def test_hmac_keys_are_collected() -> None:
    found = instance("auth_hmac {\nkey 1 abc\nkey 2 hex:00ff\nactive_key 2\nmode permissive\n}")
    assert found.hmac == HmacAuthentication(
        (HmacKey(1, "abc"), HmacKey(2, "hex:00ff")), active_key=2, mode="permissive"
    )
    assert [place.line for place in found.hmac.origins["keys"]] == [3, 4]
    assert "abc" not in repr(found)


def test_deletion_is_told_with_a_command_or_without() -> None:
    assert instance("notify_deleted").notifies_deletion
    found = instance("notify_deleted /bin/gone root")
    assert [(one.event, one.command) for one in found.hooks] == [("deleted", "/bin/gone")]
    assert not found.notifies_deletion


def test_switches_of_an_instance() -> None:
    found = instance(
        "accept\nstrict_mode off\ndont_track_primary\ntrack_src_ip\nold_unicast_checksum never\n"
        "garp_extra_if 10 all\ntimer_expired_backup\nlower_prio_no_advert\n"
        "higher_prio_send_advert false\nmcast_dst_ip 224.0.0.19\nunicast_ttl 0\n"
        "notify_priority_changes"
    )
    assert (found.accepts, found.is_strict, found.tracks_interface) == (True, False, False)
    assert (found.tracks_source, found.old_checksum) == (True, "never")
    assert (found.garp_extra_s, found.garp_extra_on_all) == (10, True)
    assert (found.late_priority, found.is_silent_to_lower, found.answers_higher) == (
        254,
        True,
        False,
    )
    assert (found.multicast_group, found.unicast_ttl) == ("224.0.0.19", 0)
    assert found.notifies_priority is True
    assert instance("accept\nno_accept").accepts is False
