"""keepalived.conf to model, block by block."""

from __future__ import annotations

import pytest

from drctl.model.check import (
    BfdCheck,
    Check,
    Connect,
    DnsCheck,
    FileCheck,
    HttpCheck,
    MiscCheck,
    PingCheck,
    SmtpCheck,
    SmtpHost,
    TcpCheck,
    UdpCheck,
    Url,
)
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, leftovers
from drctl.model.pair import Address, Hook, IpvsTimeouts, Rank, SyncDaemon
from drctl.model.service import (
    DIRECT,
    MASQUERADE,
    TUNNEL,
    Forwarding,
    GroupEntry,
    RealServer,
    SorryServer,
    VirtualService,
)
from drctl.model.vrrp import Authentication, Track, UnicastPeer, Vip, VrrpInstance
from drctl.readers.keepalived import read
from drctl.readers.keepalived_words import split_command
from drctl.readers.reading import Reading
from drctl.syntax.parser import parse_bytes


def reading(text: str) -> Reading:
    return read(parse_bytes("x", text.encode(), "keepalived"))


def model(text: str) -> Configuration:
    return reading(text).configuration


def instance(body: str) -> VrrpInstance:
    (found,) = model(f"vrrp_instance A {{\n{body}\n}}\n").instances
    return found


def service(body: str, header: str = "192.0.2.10 80") -> VirtualService:
    (found,) = model(f"virtual_server {header} {{\n{body}\n}}\n").services
    return found


def server(body: str) -> RealServer:
    (found,) = service(f"real_server 192.0.2.21 80 {{\n{body}\n}}").real_servers
    return found


def left(value: object) -> list[tuple[str, str]]:
    return [(found.text, found.reason) for found in leftovers(value)]


def test_global_defs_of_several_blocks_are_merged() -> None:
    settings = model(
        'global_defs {\n router_id "LB 1"\n notification_email {\n  a@example.net b@example.net\n'
        '  "C <c@example.net>"\n }\n notification_email_from d@example.net\n'
        " smtp_server 192.0.2.25 2525\n smtp_connect_timeout 30\n enable_script_security\n"
        " script_user nobody nogroup\n vrrp_strict\n vrrp_version 3\n lvs_flush\n}\n"
        "global_defs {\n router_id LB2\n}\n"
    ).settings
    assert settings.router_id == "LB2"
    assert settings.notification_emails == ("a@example.net", "b@example.net", "C <c@example.net>")
    assert settings.notification_email_from == "d@example.net"
    assert settings.smtp_server == "192.0.2.25 2525"
    assert settings.smtp_connect_timeout_s == 30
    assert settings.has_script_security
    assert settings.script_user == "nobody nogroup"
    assert settings.is_vrrp_strict
    assert settings.vrrp_version == 3
    assert settings.flushes_ipvs
    assert [place.line for place in settings.origins["router_id"]] == [2, 17]
    assert [place.line for place in settings.origins[SELF]] == [1, 16]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("eth1", SyncDaemon("eth1")),
        ("eth1 VI_1", SyncDaemon("eth1", "VI_1")),
        ("eth1 VI_1 7", SyncDaemon("eth1", "VI_1", 7)),
        (
            "eth1 inst VI_1 id 7 maxlen 1400 port 8848 ttl 3 group 224.0.0.81",
            SyncDaemon("eth1", "VI_1", 7, 1400, 8848, 3, "224.0.0.81"),
        ),
    ],
)
def test_lvs_sync_daemon_in_every_form(words: str, expected: SyncDaemon) -> None:
    assert model(f"global_defs {{\nlvs_sync_daemon {words}\n}}\n").settings.sync_daemon == expected


def test_lvs_timeouts_given_in_part_leave_the_others() -> None:
    settings = model("global_defs {\nlvs_timeouts tcp 7200 udp 300\n}\n").settings
    assert settings.ipvs_timeouts == IpvsTimeouts(tcp_s=7200, udp_s=300)


def test_instance_fields_and_their_places() -> None:
    found = instance(
        "state BACKUP\ninterface eth0\nvirtual_router_id 051\npriority 100\nadvert_int 0.5\n"
        "down_timer_adverts 4\nnopreempt\npreempt_delay 1.25\nversion 3\n"
        "unicast_src_ip 192.0.2.1\nmcast_src_ip 192.0.2.2\nsmtp_alert off\n"
        "garp_master_delay 5\ngarp_master_refresh 60"
    )
    assert found.state == "BACKUP"
    assert found.interface == "eth0"
    assert found.virtual_router_id == 51
    assert found.priority == 100
    assert found.advert_ms == 500
    assert found.down_timer_adverts == 4
    assert not found.is_preempting
    assert found.preempt_delay_ms == 1250
    assert found.version == 3
    assert found.unicast_source == "192.0.2.1"
    assert found.multicast_source == "192.0.2.2"
    assert found.sends_mail is False
    assert found.garp_master_delay_s == 5
    assert found.garp_master_refresh_s == 60
    assert found.leftovers == ()
    assert found.origins["advert_ms"][0].line == 6
    assert found.origins["name"][0].line == 1


def test_scalar_twice_takes_the_last_and_names_both_places() -> None:
    found = instance("priority 100\npriority 90")
    assert found.priority == 90
    assert [place.line for place in found.origins["priority"]] == [2, 3]


def test_state_master_is_not_undone_by_a_later_backup() -> None:
    assert instance("state MASTER\nstate BACKUP").state == "MASTER"


def test_addresses_with_options_are_read_in_canonical_form() -> None:
    found = instance(
        "virtual_ipaddress {\n192.0.2.10/24 brd + dev eth0 scope global label eth0:1\n"
        "2001:DB8:0:0::10/64\n192.0.2.11\n}\n"
        "virtual_ipaddress_excluded {\n192.0.2.12/32 dev eth1 no_track\n}"
    )
    assert found.vips == (
        Vip("192.0.2.10", 24, "eth0", "eth0:1", ("brd", "+", "scope", "global")),
        Vip("2001:db8::10", 64),
        Vip("192.0.2.11"),
        Vip("192.0.2.12", 32, "eth1", options=("no_track",), is_excluded=True),
    )
    assert found.vips[1].origins["prefix"][0].line == 4


def test_blocks_of_addresses_twice_are_appended() -> None:
    found = instance("virtual_ipaddress {\n192.0.2.1\n}\nvirtual_ipaddress {\n192.0.2.2\n}")
    assert [vip.address for vip in found.vips] == ["192.0.2.1", "192.0.2.2"]


def test_bad_address_is_a_leftover_in_its_block() -> None:
    found = instance("virtual_ipaddress {\n192.0.2.300\n192.0.2.1\n}")
    assert [vip.address for vip in found.vips] == ["192.0.2.1"]
    assert left(found) == [
        ("virtual_ipaddress {\n    192.0.2.300\n}", "192.0.2.300 is not an IP address"),
    ]


@pytest.mark.parametrize(
    ("line", "expected", "ignored"),
    [
        ("192.0.2.1 192.0.2.2", Vip("192.0.2.1"), "192.0.2.2"),
        ("192.0.2.1/24 eth0 dev eth1", Vip("192.0.2.1", 24, "eth1"), "eth0"),
        ("192.0.2.1/33 dev eth1", Vip("192.0.2.1", None, "eth1"), "/33"),
        ("192.0.2.1/255.255.255.0", Vip("192.0.2.1"), "/255.255.255.0"),
    ],
)
def test_what_keepalived_ignores_in_an_address_does_not_lose_it(
    line: str, expected: Vip, ignored: str
) -> None:
    found = reading(f"vrrp_instance A {{\nvirtual_ipaddress {{\n{line}\n}}\n}}\n")
    assert found.configuration.instances[0].vips == (expected,)
    assert [one.message.partition(":")[0] for one in found.diagnostics] == [ignored]


def test_peer_keeps_what_stands_before_an_unknown_word() -> None:
    found = instance("unicast_peer {\n192.0.2.2 min_ttl 9 hops 3\n}")
    assert found.unicast_peers == (UnicastPeer("192.0.2.2", ("min_ttl", "9")),)


def test_authentication_and_what_is_unknown_in_it() -> None:
    found = instance('authentication {\nauth_type PASS\nauth_pass "a b"\nauth_more 1\n}')
    assert found.authentication == Authentication("PASS", "a b")
    assert "a b" not in repr(found)
    assert left(found) == [("authentication {\n    auth_more 1\n}", "not modelled")]


def test_tracks_of_every_kind() -> None:
    found = instance(
        "track_interface {\neth0\neth1 weight -20 reverse\n}\ntrack_script {\nchk weight 5\n}\n"
        "track_file {\nf\n}\ntrack_process {\np\n}\ntrack_bfd {\nb\n}"
    )
    assert found.tracks == (
        Track("interface", "eth0"),
        Track("interface", "eth1", -20, ("reverse",)),
        Track("script", "chk", 5),
        Track("file", "f"),
        Track("process", "p"),
        Track("bfd", "b"),
    )


def test_unicast_peers_with_options_and_a_prefix_that_keepalived_drops() -> None:
    found = instance("unicast_peer {\n192.0.2.2\n192.0.2.3/24 min_ttl 254\n}")
    assert found.unicast_peers == (
        UnicastPeer("192.0.2.2"),
        UnicastPeer("192.0.2.3", ("min_ttl", "254")),
    )


def test_hooks_with_user_and_group_first_one_kept() -> None:
    found = instance(
        'notify_master "/bin/a b c" root :wheel\nnotify_master /bin/other\n'
        "notify_backup '/bin/x \"a b\"'\nnotify /bin/n\nnotify_master_rx_lower_pri /bin/l"
    )
    assert found.hooks == (
        Hook("master", "/bin/a b c", "root", "wheel"),
        Hook("backup", '/bin/x "a b"'),
        Hook("notify", "/bin/n"),
        Hook("master_rx_lower_pri", "/bin/l"),
    )
    assert left(found) == [("notify_master /bin/other", "keepalived keeps the first one")]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("/bin/a b", ["/bin/a", "b"]),
        ('"/bin/a b" c', ["/bin/a b", "c"]),
        ("'/bin/a b'", ["/bin/a b"]),
        (r'"/t \"a b\" c"', ['/t "a b" c']),
        (r"a\ b \x41\102", ["a b", "AB"]),
        ('a"b c"d', ["ab cd"]),
        ('"it\'s"', ["it's"]),
        ("", []),
        ('""', [""]),
        (r"\x4142 x", ["B", "x"]),
        # it passes over a quote that nothing but an escape stands behind
        (r'"a\"', ['a"']),
    ],
)
def test_command_is_split_as_keepalived_does(raw: str, words: list[str]) -> None:
    assert split_command(raw, (2, 2, 7)) == words


@pytest.mark.parametrize("raw", ['"a', "'a b", 'a "b'])
def test_command_with_open_quote_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match="quote without end"):
        split_command(raw, (2, 2, 7))


def test_script_block() -> None:
    (found,) = model(
        'vrrp_script chk {\nscript "killall -0 haproxy" # cheap\ninterval 0.5\ntimeout 3\n'
        "weight -20\nrise 2\nfall 3\nuser nobody nogroup\ninit_fail\n}\n"
    ).scripts
    assert (found.name, found.command) == ("chk", "killall -0 haproxy")
    assert (found.interval_ms, found.timeout_ms) == (500, 3000)
    assert (found.weight, found.rise, found.fall) == (-20, 2, 3)
    assert (found.user, found.group) == ("nobody", "nogroup")
    assert found.starts_failed
    assert left(found) == []


def test_weight_of_a_script_may_be_reversed() -> None:
    (found,) = model("vrrp_script chk {\nscript /bin/true\nweight 5 reverse\n}\n").scripts
    assert (found.weight, found.is_reversed) == (5, True)
    assert left(found) == []


def test_words_that_keepalived_ignores_are_told() -> None:
    found = reading("vrrp_script chk {\nscript killall -0 haproxy\n}\n")
    assert found.configuration.scripts[0].command == "killall"
    assert [one.name for one in found.diagnostics] == ["ignored-words"]
    assert found.diagnostics[0].message.startswith("-0 haproxy:")


def test_sync_group() -> None:
    (found,) = model(
        "vrrp_sync_group G {\ngroup {\nA\nB C\n}\nnotify_fault /bin/f\nsmtp_alert\n"
        "global_tracking\n}\n"
    ).sync_groups
    assert found.members == ("A", "B", "C")
    assert found.hooks == (Hook("fault", "/bin/f"),)
    assert found.sends_mail is True
    assert found.tracks_with_weight
    assert left(found) == []


def test_sync_daemon_of_an_instance_is_the_directors() -> None:
    found = model("vrrp_instance A {\nlvs_sync_daemon_interface eth1\n}\nglobal_defs {\n}\n")
    assert found.settings.sync_daemon == SyncDaemon("eth1", "A")
    assert found.settings.sync_daemon.origins["interface"][0].line == 2
    assert left(found) == []


def test_second_sync_daemon_is_left_over_in_its_instance() -> None:
    found = model(
        "vrrp_instance A {\nlvs_sync_daemon_interface eth1\n}\n"
        "vrrp_instance B {\nlvs_sync_daemon_interface eth2\n}\n"
    )
    assert found.settings.sync_daemon == SyncDaemon("eth1", "A")
    assert left(found.instances[1]) == [
        ("lvs_sync_daemon_interface eth2", "keepalived keeps the sync daemon set elsewhere")
    ]


def test_sync_daemon_of_global_defs_counts_wherever_it_stands() -> None:
    found = model(
        "vrrp_instance A {\nlvs_sync_daemon_interface eth1\n}\n"
        "global_defs {\nlvs_sync_daemon eth2 inst B\n}\n"
    )
    assert found.settings.sync_daemon == SyncDaemon("eth2", "B")
    assert [text for text, _ in left(found)] == ["lvs_sync_daemon_interface eth1"]


def test_source_address_loses_its_prefix_as_keepalived_reads_it() -> None:
    found = instance("unicast_src_ip 192.0.2.1/24\nmcast_src_ip 192.0.2.2/32")
    assert (found.unicast_source, found.multicast_source) == ("192.0.2.1", "192.0.2.2")
    assert left(found) == []


def test_track_with_an_unknown_option_is_not_tracked() -> None:
    found = instance("track_script {\nchk weight=0\nother weight -2 reverse\n}")
    assert found.tracks == (Track("script", "other", -2, ("reverse",)),)
    assert [reason for _, reason in left(found)] == [
        "weight=0 is no option here, keepalived does not track chk"
    ]


def test_static_addresses_with_their_options() -> None:
    found = model(
        "static_ipaddress {\n192.0.2.5/24 dev eth0 label eth0:5\n192.0.2.6 scope link\n}\n"
    )
    assert found.static_addresses == (
        Address("192.0.2.5", 24, "eth0", "eth0:5"),
        Address("192.0.2.6", options=("scope", "link")),
    )
    assert left(found) == []


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("192.0.2.10 80", ("192.0.2.10", 80, None, None)),
        ("192.0.2.10", ("192.0.2.10", None, None, None)),
        ("192.0.2.10 0", ("192.0.2.10", None, None, None)),
        ("2001:DB8::1 443", ("2001:db8::1", 443, None, None)),
        ("fwmark 21", (None, None, 21, None)),
        ("group web", (None, None, None, "web")),
    ],
)
def test_header_of_service(
    header: str, expected: tuple[str | None, int | None, int | None, str | None]
) -> None:
    found = service("", header)
    assert (found.address, found.port, found.mark, found.group) == expected


def test_service_fields() -> None:
    found = service(
        "delay_loop 6.5\nlvs_sched sh\nsh-port\nsh-fallback\nlvs_method TUN type gue port 6080\n"
        "protocol TCP\npersistence_timeout 360\npersistence_granularity 255.255.255.0\n"
        "persistence_engine sip\nops\nalpha\nomega\nquorum 2\nhysteresis 1\ninhibit_on_failure\n"
        "virtualhost www.example.net\nip_family inet\nha_suspend\nconnect_timeout 3\nretry 2\n"
        "delay_before_retry 1.5\nwarmup 10\nweight 5\nsorry_server 192.0.2.99 8080\n"
        "sorry_server_inhibit\nsorry_server_lvs_method NAT\nquorum_up /bin/up\n"
        'quorum_down "/bin/down now"\nsmtp_alert'
    )
    assert (found.scheduler, found.scheduler_flags) == ("sh", ("sh-port", "sh-fallback"))
    assert found.forwarding == Forwarding(TUNNEL, ("type", "gue", "port", "6080"))
    assert found.protocol == "tcp"
    assert (found.persistence_s, found.persistence_mask) == (360, "255.255.255.0")
    assert found.persistence_engine == "sip"
    assert found.is_one_packet
    assert found.is_alpha
    assert found.is_omega
    assert (found.quorum, found.hysteresis) == (2, 1)
    assert found.inhibits_on_failure
    assert (found.virtualhost, found.ip_family) == ("www.example.net", "inet")
    assert found.has_ha_suspend
    assert found.connect == Connect(
        timeout_ms=3000, retries=2, retry_delay_ms=1500, loop_ms=6500, warmup_ms=10_000
    )
    assert found.weight == 5
    assert found.sorry_server == SorryServer("192.0.2.99", 8080, Forwarding(MASQUERADE), True)
    assert found.hooks == (Hook("quorum_up", "/bin/up"), Hook("quorum_down", "/bin/down now"))
    assert found.sends_mail is True
    assert left(found) == []


def test_persistence_without_time_is_keepaliveds_default() -> None:
    assert service("persistence_timeout").persistence_s == 360


def test_sorry_option_before_the_sorry_server_is_left_over() -> None:
    found = service("sorry_server_inhibit\nsorry_server 192.0.2.99")
    assert found.sorry_server == SorryServer("192.0.2.99")
    assert left(found) == [("sorry_server_inhibit", "no sorry server before it")]


def test_real_server_fields() -> None:
    found = server(
        "weight 0\nlvs_method DR\nuthreshold 100\nlthreshold 50\ninhibit_on_failure\n"
        "virtualhost a.example.net\ndelay_before_retry 2\nretry 3\ndelay_loop 4\nalpha off\n"
        "notify_up /bin/up\nnotify_down /bin/down root\nwarmup 5\nconnect_timeout 6\nsnmp_name x"
    )
    assert found.weight == 0
    assert found.forwarding == Forwarding(DIRECT)
    assert (found.upper_threshold, found.lower_threshold) == (100, 50)
    assert found.inhibits_on_failure is True
    assert found.virtualhost == "a.example.net"
    assert (found.delay_before_retry_ms, found.retries, found.loop_ms) == (2000, 3, 4000)
    assert (found.warmup_ms, found.timeout_ms) == (5000, 6000)
    assert found.is_alpha is False
    assert found.hooks == (Hook("up", "/bin/up"), Hook("down", "/bin/down", "root"))
    assert found.snmp_name == "x"
    assert left(found) == []
    assert found.origins["address"][0].line == 2


CONNECT = "connect_ip 192.0.2.5\nconnect_port 81\nbindto 192.0.2.6\nbind_port 82\nbind_if eth1\n"
CHECKS: dict[str, tuple[str, Check]] = {
    "TCP_CHECK": (
        CONNECT + "fwmark 3\nconnect_timeout 3\nretry 0\ndelay_before_retry 1\ndelay_loop 2\n"
        "warmup 3\nalpha",
        TcpCheck(
            Connect(
                *("192.0.2.5", 81, "192.0.2.6", 82, "eth1", 3),
                *(3000, 0, 1000, 2000, 3000, True),
            )
        ),
    ),
    "HTTP_GET": (
        (
            "url {\npath /a\ndigest 0123\nstatus_code 200 301-302\nvirtualhost b\nregex x.y\n}\n"
            "url {\npath /c\n}\nhttp_protocol 1.1\nvirtualhost d\nnb_get_retry 2"
        ),
        HttpCheck(
            Connect(retries=2),
            http_protocol="1.1",
            virtualhost="d",
            urls=(Url("/a", "0123", ((200, 200), (301, 302)), "b", "x.y"), Url("/c")),
        ),
    ),
    "SSL_GET": ("url {\npath /\n}", HttpCheck(uses_tls=True, urls=(Url("/"),))),
    "SMTP_CHECK": (
        "helo_name me\nhost {\nconnect_ip 192.0.2.7\n}\nhost {\nconnect_port 26\n}\nretry 2",
        SmtpCheck(
            Connect(retries=2),
            "me",
            (SmtpHost(Connect("192.0.2.7")), SmtpHost(Connect(port=26))),
        ),
    ),
    "DNS_CHECK": (
        "type MX\nname example.net\nconnect_timeout 0.25",
        DnsCheck(Connect(timeout_ms=250), "MX", "example.net"),
    ),
    "UDP_CHECK": (
        "payload 01 02\nrequire_reply\n",
        UdpCheck(payload="0102", requires_reply=""),
    ),
    "PING_CHECK": ("retry 1", PingCheck(Connect(retries=1))),
    "MISC_CHECK": (
        "misc_path \"/bin/check -a 'b c'\"\nmisc_timeout 5\nmisc_dynamic\nuser me us\nretry 2",
        MiscCheck("/bin/check -a 'b c'", 5000, True, "me", "us", Connect(retries=2)),
    ),
    "BFD_CHECK": ("name b1", BfdCheck("b1")),
    "FILE_CHECK": ("track_file f1\nweight -3", FileCheck("f1", -3)),
}


@pytest.mark.parametrize(("keyword", "body", "expected"), [(k, *v) for k, v in CHECKS.items()])
def test_check_of_every_kind(keyword: str, body: str, expected: Check) -> None:
    found = server(f"{keyword} {{\n{body}\n}}")
    assert found.checks == (expected,)
    assert left(found) == []


def test_unknown_word_in_a_check_is_left_over_there() -> None:
    found = server("HTTP_GET {\nenable_x\nurl {\npath /\nregex_x\n}\n}").checks[0]
    assert isinstance(found, HttpCheck)
    assert left(found) == [("regex_x", "not modelled"), ("enable_x", "not modelled")]
    assert [one.text for one in found.urls[0].leftovers] == ["regex_x"]


def test_rare_words_of_checks() -> None:
    http, udp, bfd, file = server(
        "SSL_GET {\nenable_sni\nfast_recovery off\nurl {\npath /\nregex ok\nregex_no_match\n"
        "regex_options caseless utf\nregex_min_offset 5\nregex_max_offset 1k\n"
        "regex_stack 1 2\n}\n}\n"
        "UDP_CHECK {\nmin_reply_length 1\nmax_reply_length 9\nlog_all_failures\n}\n"
        "BFD_CHECK {\nname b\nalpha\n}\nFILE_CHECK {\ntrack_file f\nweight -3 noreverse\n}"
    ).checks
    assert isinstance(http, HttpCheck)
    assert (http.has_sni, http.has_fast_recovery) == (True, False)
    assert http.urls[0] == Url(
        "/",
        regex="ok",
        is_regex_inverted=True,
        regex_options=("caseless", "utf"),
        regex_from_bytes=5,
        # what is no number is 0 for keepalived
        regex_to_bytes=0,
        regex_stack_bytes=(1, 2),
    )
    assert udp == UdpCheck(Connect(logs_failures=True), min_reply_bytes=1, max_reply_bytes=9)
    assert bfd == BfdCheck("b", is_alpha=True)
    assert file == FileCheck("f", -3, is_reversed=False)
    assert left((http, udp, bfd, file)) == []


def test_service_group_entries() -> None:
    (found,) = model(
        "virtual_server_group g {\n192.0.2.1 80\n192.0.2.10-12 443\n192.0.2.20\nfwmark 5\n"
        "2001:db8::a-c 80\n192.0.2.0/24 80\nfwmark 6 inet6\n}\n"
    ).service_groups
    assert found.entries == (
        GroupEntry("192.0.2.1", None, 80),
        GroupEntry("192.0.2.10", "192.0.2.12", 443),
        GroupEntry("192.0.2.20"),
        GroupEntry(mark=5),
        GroupEntry("2001:db8::a", "2001:db8::c", 80),
        GroupEntry("192.0.2.0", "192.0.2.255", 80),
        GroupEntry(mark=6, ip_family="inet6"),
    )
    assert left(found) == []


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("192.0.2.9-3", "the range does not go up from 192.0.2.9 to 192.0.2.3"),
        ("192.0.2.9-9", "the range does not go up from 192.0.2.9 to 192.0.2.9"),
        ("192.0.2.9-2001:db8::1", "192.0.2.9 and 2001:db8::1 are of two families"),
        ("192.0.2.9/24", "192.0.2.9/24: the address has bits outside the mask"),
        ("192.0.2.0/0", "0 is outside 1..32"),
        ("fwmark 7 inet4", "inet4 is none of inet, inet6"),
    ],
)
def test_group_entry_that_keepalived_skips_is_left_over(entry: str, reason: str) -> None:
    (found,) = model(f"virtual_server_group g {{\n{entry}\n}}\n").service_groups
    assert found.entries == ()
    assert left(found) == [(entry, reason)]


@pytest.mark.parametrize(
    ("header", "said", "expected"),
    [
        ("192.0.2.10 80", "255.255.255.0", "255.255.255.0"),
        ("192.0.2.10 80", "255.255.255", "255.255.0.255"),
        ("192.0.2.10 80", "64", "0.0.0.64"),
        ("2001:db8::1 80", "64", "64"),
        ("fwmark 7", "64", "64"),
    ],
)
def test_persistence_mask_depends_on_the_family(header: str, said: str, expected: str) -> None:
    assert service(f"persistence_granularity {said}", header).persistence_mask == expected


def test_persistence_mask_longer_than_an_address_is_left_over() -> None:
    found = service("persistence_granularity 129", "2001:db8::1 80")
    assert found.persistence_mask is None
    assert left(found) == [("persistence_granularity 129", "129 is outside 1..128")]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("payload ff 1 2", "ff0102"),
        ('payload "ff01 a"', "ff010a"),
        ("require_reply fX X", "fX0X"),
    ],
)
def test_bytes_of_a_udp_check_are_two_digits_each(statement: str, expected: str) -> None:
    (found,) = server(f"UDP_CHECK {{\n{statement}\n}}").checks
    assert isinstance(found, UdpCheck)
    assert expected in {found.payload, found.requires_reply}


@pytest.mark.parametrize(
    ("said", "expected"),
    [("x.y", "x.y"), ("'is up'", "is up"), ('"a \\\\. b"', "a \\. b"), ("a\\.b", "a.b")],
)
def test_pattern_of_a_page_is_split_as_a_command(said: str, expected: str) -> None:
    (found,) = server(f"HTTP_GET {{\nurl {{\nregex {said}\n}}\n}}").checks
    assert isinstance(found, HttpCheck)
    assert found.urls[0].regex == expected


def test_loop_of_a_day_is_read() -> None:
    assert service("delay_loop 86400").connect.loop_ms == 86_400_000


BAD = {
    "priority 300": "300 is outside 1..255",
    "priority": "the number is missing",
    "priority 0x10": "0x10 is not a whole number",
    "advert_int 1s": "1s is not a number of seconds",
    "advert_int 0.0005": "0.0005 s is finer than a millisecond",
    "state SLAVE": "SLAVE is none of MASTER, BACKUP",
    "mcast_src_ip lb1": "lb1 is not an IP address",
    "mcast_src_ip 010.0.0.1": "010.0.0.1 is not an IP address",
    "virtual_ipaddress": "its block is missing",
    'interface "eth0': "quote without end",
    "smtp_alert maybe": "maybe is none of on, true, yes, off, false, no",
    "priority {\n}": "keepalived has no block here",
    "@low priority 50": "depends on the configuration id (@low)",
    "$X=5": "definition",
    "include other.conf": "the included file is not read",
    "priority ${PRIO}": "uses the definition $PRIO, which is not expanded",
    "~SEQ(i,5) priority $i": "uses the definition ~SEQ, which is not expanded",
    "use_vrrp": "not modelled",
}


@pytest.mark.parametrize(("text", "reason"), BAD.items(), ids=BAD)
def test_what_cannot_be_read_is_left_over_with_a_reason(text: str, reason: str) -> None:
    found = instance(f"{text}\ninterface eth9")
    assert left(found) == [(text, reason)]
    assert found.interface == "eth9"


def test_definition_used_by_its_bare_name_is_not_read_as_a_value() -> None:
    found = model("$IF=eth0\nvrrp_instance A {\ninterface $IF\n}\nvrrp_script $X {\n}\n")
    assert found.instances[0].interface is None
    # nobody defines X, so keepalived takes it as it stands
    assert [one.name for one in found.scripts] == ["$X"]


def test_condition_before_a_block_leaves_the_whole_block_over() -> None:
    found = model("@lb1 vrrp_instance A {\n  state MASTER\n}\nvrrp_instance B {\n}\n")
    assert [one.name for one in found.instances] == ["B"]
    assert left(found)[0][0] == "@lb1 vrrp_instance A {\n  state MASTER\n}"


def test_leftover_block_keeps_comments_and_loses_outer_indentation() -> None:
    found = instance("    unknown_block {\n        # one\n\t192.0.2.0/24 via 192.0.2.1\n    }")
    assert left(found)[0][0] == ("unknown_block {\n    # one\n\t192.0.2.0/24 via 192.0.2.1\n}")


def test_leftover_block_that_is_never_closed_is_closed_in_its_text() -> None:
    found = model("unknown_block b {\n neighbor_ip {\n a")
    assert left(found)[0][0] == "unknown_block b {\n neighbor_ip {\n a\n}\n}"


def test_missing_closing_brace_does_not_lose_the_next_instance() -> None:
    found = reading("vrrp_instance A {\n priority 1\nvrrp_instance B {\n priority 2\n}\n")
    assert [(one.name, one.priority) for one in found.configuration.instances] == [
        ("A", 1),
        ("B", 2),
    ]
    names = {one.name for one in found.diagnostics}
    assert {"missing-closing-brace", "unclosed-block"} <= names


def test_second_instance_of_a_name_is_skipped_as_in_keepalived() -> None:
    found = model("vrrp_instance A {\npriority 1\n}\nvrrp_instance A {\npriority 2\n}\n")
    assert [one.priority for one in found.instances] == [1]
    assert left(found)[0][1] == "a second vrrp_instance A, which keepalived skips"


def test_one_line_blocks_are_read_as_keepalived_reads_them() -> None:
    found = reading("vrrp_instance A { interface eth0 virtual_router_id 51 }\n")
    assert found.configuration.instances[0].interface == "eth0"
    assert found.configuration.instances[0].virtual_router_id is None
    assert [one.name for one in found.diagnostics] == ["ignored-words"]


@pytest.mark.parametrize(
    ("text", "rank"),
    [
        ("vrrp_instance A {\nstate MASTER\n}\n", Rank.PRIMARY),
        ("vrrp_instance A {\nstate BACKUP\n}\nvrrp_instance B {\n}\n", Rank.BACKUP),
        ("vrrp_instance A {\nstate BACKUP\nnopreempt\n}\n", None),
        ("vrrp_instance A {\nstate MASTER\n}\nvrrp_instance B {\nstate BACKUP\n}\n", None),
        ("global_defs {\n}\n", None),
    ],
)
def test_rank_is_told_when_the_states_do(text: str, rank: Rank | None) -> None:
    assert model(text).rank is rank


def test_template_is_read_where_it_has_no_tags() -> None:
    document = parse_bytes(
        "x", b"vrrp_instance {{ name }} {\n state {{ state }}\n priority 7\n}\n", "keepalived"
    )
    assert document.is_template
    (found,) = read(document).configuration.instances
    assert (found.name, found.priority, found.state) == ("{{ name }}", 7, None)
    assert left(found) == [("state {{ state }}", "holds a template tag")]


def test_pattern_is_split_by_the_same_rules_in_all_versions() -> None:
    text = "virtual_server 192.0.2.1 80 {\nreal_server 192.0.2.2 80 {\nHTTP_GET {\nurl {\n"
    text += 'path /\nregex "a\\\\.b \\"c\\""\n}\n}\n}\n}\n'
    for version in ((2, 2, 7), (2, 3, 2)):
        reading = read(parse_bytes("x", text.encode(), "keepalived"), version)
        (check,) = reading.configuration.services[0].real_servers[0].checks
        assert isinstance(check, HttpCheck)
        assert check.urls[0].regex == 'a\\.b "c"'
