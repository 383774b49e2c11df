"""keepalived.conf and lvs.cf become settings of the failover core."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from corpus import keepalived_files, piranha_files

from drctl.core.value import Announcing, Timing, Track, Vip
from drctl.daemon.config import DaemonConfig, LinkConfig, PeerConfig
from drctl.daemon.config_reading import read_failover
from drctl.daemon.failover_group import MOST_REPEATS
from drctl.daemon.failover_settings import Failover, digest_of
from drctl.daemon.hook_reading import hook_settings
from drctl.daemon.host import Host, HostInterface
from drctl.daemon.problem import ConfigRefused

HOST = Host(
    (
        HostInterface(
            "eth0", "02:00:00:00:00:01", ("192.0.2.2/24", "2001:db8::2/64"), ("192.0.2.1",)
        ),
        HostInterface("eth1", "02:00:00:00:00:02", ("198.51.100.1/24",)),
    )
)
LINK = LinkConfig("198.51.100.1", "198.51.100.2")

BASIC = """\
vrrp_instance web {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 1
    virtual_ipaddress {
        192.0.2.10/24 dev eth0 label eth0:web
        192.0.2.11
    }
}
"""


def _built(tmp_path: Path, text: str, *links: LinkConfig, accepts: bool = False) -> Failover:
    path = tmp_path / "keepalived.conf"
    path.write_text(text)
    peer = PeerConfig("lb2", "/etc/drctl/lb2.public", links or (LINK,))
    config = DaemonConfig("drctl.toml", "lb1", str(path), "/etc/drctl/lb1.secret", (peer,))
    return read_failover(config, HOST, accepts_unsupported=accepts)


def _refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigRefused) as refused:
        _built(tmp_path, text)
    return str(refused.value)


def _with(*lines: str) -> str:
    """The basic instance with further statements in it."""
    return BASIC.replace(
        "    advert_int 1\n", "    advert_int 1\n" + "".join(f"    {x}\n" for x in lines)
    )


def test_an_instance_is_a_group_with_its_vips(tmp_path: Path) -> None:
    built = _built(tmp_path, BASIC)
    (group,) = built.settings.groups
    assert (group.name, group.priority, group.interfaces) == ("web", 150, ("eth0",))
    assert group.is_preempting
    assert group.vips == (
        Vip("192.0.2.10", 24, "eth0", "eth0:web"),
        Vip("192.0.2.11", 32, "eth0"),
    )


def test_what_vrrp_has_on_the_wire_is_listed_as_replaced(tmp_path: Path) -> None:
    told = [(one.line, str(one).split(": ")[1]) for one in _built(tmp_path, BASIC).replaced]
    assert told == [(4, "virtual_router_id 51"), (6, "advert_int 1")]


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    text = _with("authentication { auth_type PASS", "auth_pass geheim7", "}")
    built = _built(tmp_path, text)
    assert built.replaced
    assert not any("geheim7" in str(one) for one in built.replaced)


def test_a_sync_group_is_one_group_with_the_lowest_priority(tmp_path: Path) -> None:
    other = BASIC.replace("web", "inside").replace("eth0", "eth1").replace("150", "90")
    other = other.replace("192.0.2.1", "198.51.100.3")
    sync = "vrrp_sync_group pair {\n group {\n web\n inside\n }\n}\n"
    (group,) = _built(tmp_path, BASIC + other + sync).settings.groups
    assert (group.name, group.priority, group.interfaces) == ("pair", 90, ("eth0", "eth1"))
    assert len(group.vips) == 4


def test_instances_without_a_sync_group_are_groups_of_their_own(tmp_path: Path) -> None:
    other = BASIC.replace("web", "mail").replace("192.0.2.1", "192.0.2.2")
    groups = _built(tmp_path, BASIC + other).settings.groups
    assert [group.name for group in groups] == ["web", "mail"]


def test_excluded_addresses_and_options_count(tmp_path: Path) -> None:
    text = _with(
        "virtual_ipaddress_excluded {",
        "2001:db8::10/64",
        "192.0.2.12/24 brd 192.0.2.255 scope link dev eth1",
        "}",
    )
    vips = _built(tmp_path, text).settings.groups[0].vips
    assert Vip("2001:db8::10", 64, "eth0") in vips
    assert Vip("192.0.2.12", 24, "eth1", "", "link", "192.0.2.255") in vips


@pytest.mark.parametrize(
    ("state", "lines", "expected"),
    [
        ("BACKUP", (), (True, 0)),
        ("BACKUP", ("nopreempt",), (False, 0)),
        ("BACKUP", ("preempt_delay 30",), (True, 30_000)),
        ("MASTER", ("nopreempt", "preempt_delay 30"), (True, 0)),
    ],
)
def test_preemption_is_that_of_keepalived(
    state: str, lines: tuple[str, ...], expected: tuple[bool, int], tmp_path: Path
) -> None:
    text = _with(*lines).replace("state MASTER", f"state {state}")
    (group,) = _built(tmp_path, text).settings.groups
    assert (group.is_preempting, group.preempt_delay_ms) == expected


def test_tracks_have_the_weights_of_use_or_of_definition(tmp_path: Path) -> None:
    text = (
        'vrrp_script chk {\n script "/bin/true"\n weight -20\n}\n'
        'vrrp_script own {\n script "/bin/true"\n weight -20\n}\n'
        "track_file level {\n file /run/level\n weight 2\n}\n"
        "vrrp_track_process haproxy {\n process haproxy\n}\n"
    ) + _with(
        "track_script {", "chk", "own weight 5", "}",
        "track_interface {", "eth1", "}",
        "track_file {", "level", "}",
        "track_process {", "haproxy", "}",
    )  # fmt: skip
    built = _built(tmp_path, text)
    assert set(built.settings.groups[0].tracks) == {
        Track("script:chk", -20),
        Track("script:own", 5),
        Track("interface:eth1", 0),
        Track("file:level", 2, is_value=True, wait_ms=5000),
        Track("process:haproxy", 0, wait_ms=5000),
    }
    assert {one.name for one in built.watches} == {
        track.name for track in built.settings.groups[0].tracks
    }


def test_a_script_that_is_not_defined_is_refused(tmp_path: Path) -> None:
    assert "track_script nothing: it is not defined" in _refused(
        tmp_path, _with("track_script {", "nothing", "}")
    )


def test_hooks_and_mail_come_along(tmp_path: Path) -> None:
    text = "global_defs {\n notification_email { ops@example.net\n }\n}\n" + _with(
        'notify_master "/usr/local/bin/up web"', "smtp_alert"
    )
    built = _built(tmp_path, text)
    (part,) = built.parts
    assert [(one.kind, one.owner, one.hook.event) for one in part.hooks] == [
        ("INSTANCE", "web", "master")
    ]
    assert part.mails == ("web",)
    assert built.mail is not None
    assert built.mail.recipients == ("ops@example.net",)
    for more, named in (("", "lb1"), (" router_id edge-7\n", "edge-7")):
        text = text.replace("global_defs {\n", f"global_defs {{\n{more}")
        mail = hook_settings(_built(tmp_path, text), "keepalived.conf").mail
        assert mail is not None
        assert mail.router_id == named


def test_a_fifo_is_told_of_every_instance_and_sync_group(tmp_path: Path) -> None:
    other = BASIC.replace("web", "mail").replace("192.0.2.1", "192.0.2.2")
    sync = "vrrp_sync_group pair {\n group {\n web\n mail\n }\n}\n"
    fifos = "global_defs {\n vrrp_notify_fifo /run/drctl/changes\n}\n"
    built = _built(tmp_path, fifos + BASIC + other + sync)
    told = hook_settings(built, "keepalived.conf").notifies
    assert {(one.kind, one.name, one.fifos) for one in told} == {
        ("INSTANCE", "web", ("/run/drctl/changes",)),
        ("INSTANCE", "mail", ("/run/drctl/changes",)),
        ("GROUP", "pair", ("/run/drctl/changes",)),
    }


def test_announcements_are_as_configured(tmp_path: Path) -> None:
    text = _with(
        "garp_master_repeat 3",
        "garp_master_delay 2",
        "garp_master_refresh 60",
        "garp_master_refresh_repeat 2",
    )
    (group,) = _built(tmp_path, text).settings.groups
    assert group.announcing == Announcing(3, 2000, 60_000, 2)
    assert _built(tmp_path, BASIC).settings.groups[0].announcing == Announcing(5, 5000, 0, 1)


@pytest.mark.parametrize(("given", "count"), [(0, 1), (7, 7), (4_000_000_000, MOST_REPEATS)])
def test_takeover_is_announced_at_least_once_and_not_without_end(
    given: int, count: int, tmp_path: Path
) -> None:
    text = _with(f"garp_master_repeat {given}", f"garp_master_refresh_repeat {given}")
    (group,) = _built(tmp_path, text).settings.groups
    assert (group.announcing.count, group.announcing.refresh_count) == (count, count)


def test_each_group_is_announced_as_its_own_instance_says(tmp_path: Path) -> None:
    other = BASIC.replace("web", "mail").replace("192.0.2.1", "192.0.2.2")
    other = other.replace("virtual_router_id 51", "virtual_router_id 52")
    shared = "global_defs {\n vrrp_garp_master_delay 0\n vrrp_garp_master_refresh 30\n}\n"
    built = _built(tmp_path, shared + _with("garp_master_repeat 1", "garp_master_delay 9") + other)
    assert {group.name: group.announcing for group in built.settings.groups} == {
        "web": Announcing(1, 9000, 30_000, 1),
        "mail": Announcing(5, 0, 30_000, 1),
    }


@pytest.mark.parametrize(
    "lines",
    [
        ("use_vmac",),
        ("dont_track_primary",),
        ("no_accept",),
        ("track_src_ip",),
        ("linkbeat_use_polling",),
        ("virtual_routes {", "203.0.113.0/24 via 192.0.2.1", "}"),
        ("virtual_rules {", "from 192.0.2.0/24 lookup 100", "}"),
        ("no_such_keyword 1",),
    ],
)
def test_what_the_daemon_cannot_do_is_refused_with_its_line(
    lines: tuple[str, ...], tmp_path: Path
) -> None:
    text = _with(*lines)
    line = next(
        n
        for n, each in enumerate(text.split("\n"), 1)
        if lines[-1 if len(lines) == 1 else 1] in each
    )
    message = _refused(tmp_path, text)
    assert any(f"keepalived.conf:{at}: " in message for at in (line, line - 1)), message
    assert "--accept-unsupported" in message
    built = _built(tmp_path, text, accepts=True)
    assert len(built.unsupported) == 1


def test_all_unsupported_statements_are_told_at_once(tmp_path: Path) -> None:
    message = _refused(tmp_path, _with("use_vmac", "dont_track_primary", "no_accept"))
    assert message.count("keepalived.conf:") == 3


def test_strict_mode_is_refused_unless_packets_are_accepted(tmp_path: Path) -> None:
    strict = "global_defs {\n vrrp_strict\n}\n"
    assert "vrrp_strict" in _refused(tmp_path, strict + BASIC)
    assert _built(tmp_path, strict + _with("accept")).unsupported == ()


def test_a_file_without_vips_is_refused(tmp_path: Path) -> None:
    assert "nothing to fail over" in _refused(tmp_path, "global_defs {\n router_id lb1\n}\n")


def test_an_address_of_two_groups_is_refused(tmp_path: Path) -> None:
    message = _refused(tmp_path, BASIC + BASIC.replace("web", "mail"))
    assert "192.0.2.10 is in group web and in group mail" in message


def test_an_address_of_one_group_twice_is_told_and_held_once(tmp_path: Path) -> None:
    text = BASIC.replace("    192.0.2.11\n", "    192.0.2.10/24 dev eth1\n        192.0.2.10/24\n")
    assert "keepalived.conf:9: 192.0.2.10/24 on eth1: " in _refused(tmp_path, text)
    built = _built(tmp_path, text, accepts=True)
    assert built.settings.groups[0].vips == (Vip("192.0.2.10", 24, "eth0", "eth0:web"),)
    assert [one.line for one in built.unsupported] == [9]


@pytest.mark.parametrize(
    ("vip", "reason"),
    [
        ("198.51.100.1", "198.51.100.1 is a VIP, and this director's own address of a link too"),
        ("198.51.100.2", "198.51.100.2 is a VIP, and lb2's own address of a link too"),
        ("224.0.0.18", "224.0.0.18 can be no VIP, it is a multicast address"),
        ("127.0.0.1", "127.0.0.1 can be no VIP, it is a loopback address"),
        ("::", ":: can be no VIP, it is no address of a host"),
    ],
)
def test_an_address_that_cannot_move_is_refused(vip: str, reason: str, tmp_path: Path) -> None:
    message = _refused(tmp_path, BASIC.replace("192.0.2.11\n", f"{vip}\n"))
    assert f"keepalived.conf:9: {reason}" in message


def test_what_is_on_by_default_is_no_statement(tmp_path: Path) -> None:
    text = "global_defs {\n vrrp_garp_master_repeat 3\n}\n"
    assert all(one.line for one in _built(tmp_path, text + BASIC).replaced)
    lines = [
        one.line
        for one in _built(tmp_path, text.replace("}", " disable_local_igmp\n}") + BASIC).replaced
    ]
    assert 3 in lines


@pytest.mark.parametrize("method", ["DR", "NAT"])
def test_witnesses_are_real_servers_on_the_network_and_the_gateway(
    method: str, tmp_path: Path
) -> None:
    services = """\
virtual_server 192.0.2.10 80 {
    lb_kind DR
    protocol TCP
    real_server 192.0.2.21 80 {
    }
    real_server 203.0.113.9 80 {
    }
}
"""
    services = services.replace("DR", method)
    (card,) = _built(tmp_path, BASIC + services).settings.interfaces
    assert card.macs == ("02:00:00:00:00:01",)
    assert card.witnesses == ("192.0.2.21", "192.0.2.1")


def test_links_know_their_interfaces_and_peers(tmp_path: Path) -> None:
    built = _built(tmp_path, BASIC, LINK, LinkConfig("192.0.2.2", "192.0.2.3", 7000))
    (peer,) = built.settings.peers
    assert [link.interface for link in peer.links] == ["eth1", "eth0"]
    assert peer.addresses == (("eth1", "198.51.100.2"), ("eth0", "192.0.2.3"))
    assert [link.port for link in built.links] == [5390, 7000]


def test_the_digest_is_of_vips_and_timing_and_not_of_priorities(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        return _built(tmp_path, text).settings.digest

    assert digest(BASIC) == digest(BASIC.replace("priority 150", "priority 100"))
    assert digest(BASIC) != digest(BASIC.replace("192.0.2.11", "192.0.2.12"))
    assert digest(BASIC) != digest(_with("garp_master_repeat 3"))


LVS_CF = """\
primary = 192.0.2.2
primary_private = 198.51.100.1
backup = 192.0.2.3
backup_private = 198.51.100.2
backup_active = 1
heartbeat_port = 1539
service = lvs
network = direct
virtual web {
    active = 1
    address = 192.0.2.10 eth0:1
    vip_nmask = 255.255.255.0
    port = 80
    server web1 {
        address = 192.0.2.21
        active = 1
    }
}
"""


def _from_pulse(tmp_path: Path, text: str, *, own: int = 0) -> Failover:
    path = tmp_path / "lvs.cf"
    path.write_text(text)
    config = DaemonConfig(
        "drctl.toml", "lb1", str(path), "/etc/drctl/lb1.secret", (PeerConfig("lb2", "/k"),)
    )
    cards = (
        (HostInterface("eth0", "02:00:00:00:00:09", ("192.0.2.3/24",)),) if own else HOST.interfaces
    )
    return read_failover(config, Host(cards))


def test_an_lvs_cf_is_one_group_that_does_not_preempt(tmp_path: Path) -> None:
    built = _from_pulse(tmp_path, LVS_CF)
    (group,) = built.settings.groups
    assert group.name == "lvs"
    assert not group.is_preempting
    assert group.vips == (Vip("192.0.2.10", 24, "eth0", "eth0:1"),)
    assert built.settings.interfaces[0].witnesses == ("192.0.2.21", "192.0.2.1")


def test_pulses_own_timing_is_listed_as_replaced(tmp_path: Path) -> None:
    built = _from_pulse(tmp_path, LVS_CF.replace("service = lvs", "keepalive = 6\ndeadtime = 18"))
    told = [str(one).split(": ")[1] for one in built.replaced]
    assert told == ["backup_active = 1", "keepalive = 6", "deadtime = 18"]


def test_a_nat_router_moves_with_the_vips(tmp_path: Path) -> None:
    router = "network = nat\nnat_router = 198.51.100.254 eth1:1\nnat_nmask = 255.255.255.0"
    (group,) = _from_pulse(tmp_path, LVS_CF.replace("network = direct", router)).settings.groups
    assert Vip("198.51.100.254", 24, "eth1", "eth1:1") in group.vips
    assert group.interfaces == ("eth0", "eth1")


def test_a_sync_daemon_of_an_lvs_cf_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused, match=r"lvs\.cf:7: .*connections are not synchronised"):
        _from_pulse(tmp_path, LVS_CF.replace("service = lvs", "syncdaemon = 1"))


def test_links_of_an_lvs_cf_are_both_networks_with_its_port(tmp_path: Path) -> None:
    found = [(one.local, one.remote, one.port) for one in _from_pulse(tmp_path, LVS_CF).links]
    assert found == [
        ("192.0.2.2", "192.0.2.3", 1539),
        ("198.51.100.1", "198.51.100.2", 1539),
    ]


def test_the_rank_in_an_lvs_cf_is_that_of_the_hosts_address(tmp_path: Path) -> None:
    primary = _from_pulse(tmp_path, LVS_CF).settings.groups[0].priority
    backup = _from_pulse(tmp_path, LVS_CF, own=1).settings.groups[0].priority
    assert primary > backup


def test_a_host_that_is_no_director_of_an_lvs_cf_is_refused(tmp_path: Path) -> None:
    text = LVS_CF.replace("192.0.2.2", "192.0.2.7").replace("198.51.100.1", "198.51.100.7")
    with pytest.raises(ConfigRefused, match="none of the directors' addresses"):
        _from_pulse(tmp_path, text)


def _host_for(path: Path) -> Host:
    """A host that has the primary's address."""
    for line in path.read_bytes().decode("latin-1").splitlines():
        words = line.replace("=", " ").split()
        if len(words) == 2 and words[0] == "primary" and words[1].count(".") == 3:
            return Host((HostInterface("eth0", "", (f"{words[1]}/24",)),))
    return HOST


def test_every_configuration_gives_settings_or_reasons() -> None:
    files = [*keepalived_files(), *piranha_files()]
    if not files:
        pytest.skip("no corpus")
    reasons: list[str] = []
    taken = 0
    for path in files:
        peer = PeerConfig("lb2", "/k", (LINK,))
        config = DaemonConfig("drctl.toml", "lb1", str(path), "/s", (peer,))
        host = _host_for(path)
        try:
            built = read_failover(config, host, accepts_unsupported=True)
        except ConfigRefused as refused:
            reasons += [problem.message for problem in refused.problems] or [""]
        else:
            taken += 1
            assert all(group.vips and group.interfaces for group in built.settings.groups)
            assert all(problem.line for problem in built.unsupported), built.unsupported
    assert taken > len(files) // 2
    assert all(reasons)


def test_longer_confirmation_spreads_the_probes_and_both_directors_need_it() -> None:
    longer = Timing(heartbeat_ms=1000, confirm_limit_ms=600)
    assert longer.confirm_gap_ms == 100
    assert replace(longer, confirm_limit_ms=5000).confirm_ms == 1000
    assert digest_of((), longer) != digest_of((), Timing(heartbeat_ms=1000))
    # as a director says it that does not know the setting yet
    assert digest_of((), Timing()) == "85493bbe03db1ee2"


@pytest.mark.parametrize(
    ("line", "broadcast"),
    [
        ("192.0.2.11/24 brd + dev eth0", "192.0.2.255"),
        ("192.0.2.11/24 broadcast -", "192.0.2.0"),
        ("192.0.2.11/31 brd +", ""),
        ("192.0.2.11 brd +", ""),
        ("192.0.2.11/24 brd 192.0.2.127", "192.0.2.127"),
    ],
)
def test_broadcast_address_is_what_keepalived_makes_of_it(
    line: str, broadcast: str, tmp_path: Path
) -> None:
    built = _built(tmp_path, BASIC.replace("192.0.2.11\n", f"{line}\n"))
    assert built.settings.groups[0].vips[1].broadcast == broadcast


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("192.0.2.11/24 brd 192.0.2", "192.0.2.11/24 has the broadcast address 192.0.2, which is"),
        ("192.0.2.11/24 scope galaxy", "192.0.2.11 has the unknown scope galaxy: global, site,"),
        ("192.0.2.11/24 scope 256", "192.0.2.11 has the unknown scope 256: "),
        ("192.0.2.11/24 label eth0:a-long-label", "the label eth0:a-long-label of 192.0.2.11 is"),
        ("2001:db8::11/64 brd +", "2001:db8::11 can have no broadcast address"),
    ],
)
def test_what_the_kernel_would_not_take_of_an_address_is_refused_before_it_is_needed(
    line: str, reason: str, tmp_path: Path
) -> None:
    message = _refused(tmp_path, BASIC.replace("192.0.2.11\n", f"{line}\n"))
    assert f"keepalived.conf:9: {reason}" in message


def test_scopes_are_names_and_numbers_and_ipv6_has_none(tmp_path: Path) -> None:
    lines = (
        "192.0.2.11/24 scope 0xc8\n 192.0.2.12/24 scope link\n 2001:db8::1/64 scope link label a"
    )
    (group,) = _built(tmp_path, BASIC.replace("192.0.2.11\n", f"{lines}\n")).settings.groups
    assert [vip.scope for vip in group.vips] == ["", "200", "link", ""]
    assert group.vips[-1] == Vip("2001:db8::1", 64, "eth0")


def test_options_of_addresses_that_are_done_otherwise_are_listed_as_replaced(
    tmp_path: Path,
) -> None:
    line = "2001:db8::11/64 -nodad no_track preferred_lft 0"
    built = _built(tmp_path, BASIC.replace("192.0.2.11\n", f"{line}\n"))
    told = [str(one) for one in built.replaced if one.line == 9]
    assert [each.rpartition(": ")[2] for each in told] == [
        "an address that somebody removes is always put back",
        "the lease says how long an address lives",
        "the segment is asked for it before it is taken",
    ]


def test_groups_that_do_not_fit_into_a_heartbeat_are_refused(tmp_path: Path) -> None:
    def groups(count: int, name: str) -> str:
        return "".join(
            BASIC.replace("web", f"{name}{n}", 1)
            .replace("eth0:web", "eth0:1")
            .replace("192.0.2.10/", f"198.18.0.{n}/")
            .replace("192.0.2.11", f"198.18.1.{n}")
            for n in range(1, count + 1)
        )

    assert len(_built(tmp_path, groups(250, "web")).settings.groups) == 250
    message = _refused(tmp_path, groups(250, "w" * 60))
    assert "250 groups with names as long as these do not fit into a heartbeat" in message
