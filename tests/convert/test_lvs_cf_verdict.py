"""What the report says of each statement of an lvs.cf that has a trap in it."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from convert_case import (
    GLOBAL,
    SERVICE,
    changed,
    converted,
    director_file,
    entry,
    file_of,
    hosts,
    without,
)

from drctl.convert.conversion import Conversion
from drctl.convert.ledger import Verdict
from drctl.report.conversion import to_markdown

EXACT, APPROXIMATED = Verdict.EXACT, Verdict.APPROXIMATED
REPAIRED, DROPPED = Verdict.REPAIRED, Verdict.DROPPED


class Case(NamedTuple):
    """A text, a statement in it, its verdict, a part of the reason, and lines that the primary's
    keepalived.conf must have, or must not have when they begin with `!`."""

    text: str
    statement: str
    verdict: Verdict
    why: str = ""
    lines: tuple[str, ...] = ()


def _global(line: str) -> str:
    return line + "\n" + GLOBAL + SERVICE


def _virtual(line: str, text: str = GLOBAL + SERVICE) -> str:
    return changed("    server web1 {\n", f"    {line}\n    server web1 {{\n", text)


MARKED = _virtual("fwmark = 21")
MARK_PAIR = MARKED + changed("virtual web", "virtual tls", MARKED.split("\n", 6)[6]).replace(
    "port = 80", "port = 443"
)
NAT = changed("network = direct", "network = nat")
FOS = (
    GLOBAL
    + """\
service = fos
failover mail {
    active = 1
    address = 192.0.2.30 eth0:3
    vip_nmask = 255.255.255.0
    port = 25
    expect = "220"
    timeout = 10
    reentry = 30
    start_cmd = "/etc/init.d/mail start"
    stop_cmd = "/etc/init.d/mail stop"
}
"""
)
PRIVATE = "primary_private = 198.51.100.2\nbackup_private = 198.51.100.3\n"

CASES = {
    # without any effect in the original
    "serial": Case(_global("serial_no = 3"), "serial_no", DROPPED, "no daemon reads it"),
    "heartbeat": Case(
        _global("heartbeat = 0"), "heartbeat =", DROPPED, "reads this switch nowhere"
    ),
    "heartbeat port": Case(
        _global("heartbeat_port = 539"), "heartbeat_port", DROPPED, "protocol 112"
    ),
    "debug": Case(_global("debug_level = NONE"), "debug_level", DROPPED, "ignores it"),
    "hard shutdown": Case(_global("hard_shutdown = 1"), "hard_shutdown", DROPPED, "not fatal"),
    "shared": Case(_global("primary_shared = /dev/sda"), "primary_shared", DROPPED, "fencing"),
    "monitor": Case(_virtual("client_monitor = /bin/x"), "client_monitor", DROPPED, "monitor"),
    # heartbeat
    "keepalive": Case(GLOBAL + SERVICE, "keepalive", EXACT, "", ("advert_int 6",)),
    "deadtime": Case(
        GLOBAL + SERVICE, "deadtime", EXACT, "3 missed adverts", ("down_timer_adverts 3",)
    ),
    "odd deadtime": Case(
        changed("deadtime = 18", "deadtime = 20"),
        "deadtime",
        APPROXIMATED,
        "no multiple",
        ("advert_int 6", "down_timer_adverts 3"),
    ),
    "deadtime below keepalive": Case(
        changed("keepalive = 6", "keepalive = 30"),
        "deadtime",
        REPAIRED,
        "less than two heartbeats",
        ("advert_int 6", "down_timer_adverts 3"),
    ),
    "backup inactive": Case(
        changed("backup_active = 1", "backup_active = 0"),
        "backup =",
        DROPPED,
        "exited on the backup",
        ("!unicast_peer {",),
    ),
    "private heartbeat": Case(
        PRIVATE + GLOBAL + SERVICE,
        "primary_private",
        DROPPED,
        "both were silent",
        ("unicast_src_ip 192.0.2.2",),
    ),
    "one private address": Case(
        _global("primary_private = 198.51.100.2"), "primary_private", DROPPED, "only one"
    ),
    "primary": Case(GLOBAL + SERVICE, "primary", EXACT, "", ("unicast_src_ip 192.0.2.2",)),
    # links
    "links off": Case(
        _global("monitor_links = 0"),
        "monitor_links",
        APPROXIMATED,
        "did not look at links",
        ("!track_interface {",),
    ),
    "links, own device only": Case(
        _global("monitor_links = 1"),
        "monitor_links",
        EXACT,
        "own device",
        ("!track_interface {",),
    ),
    "links, private device known": Case(
        PRIVATE + _global("monitor_links = 1\nsyncd_iface = eth1"),
        "monitor_links",
        EXACT,
        "",
        ("track_interface {\n        eth1\n    }",),
    ),
    "links, private device unknown": Case(
        PRIVATE + _global("monitor_links = 1"),
        "monitor_links",
        APPROXIMATED,
        "not in lvs.cf",
        ("!track_interface {",),
    ),
    # addresses
    "mask": Case(GLOBAL + SERVICE, "vip_nmask", EXACT, "", ("192.0.2.10/24 label eth0:1",)),
    "no mask": Case(
        without("vip_nmask"),
        "address = 192.0.2.10",
        APPROXIMATED,
        "address class",
        ("192.0.2.10/32 label eth0:1",),
    ),
    "unused mask": Case(
        changed("255.255.255.0", "0.0.0.0"), "vip_nmask", APPROXIMATED, "no network's"
    ),
    "mask as a length": Case(
        changed("255.255.255.0", "24"), "vip_nmask", REPAIRED, "0.0.0.24", ("192.0.2.10/24",)
    ),
    "bare device": Case(
        changed("eth0:1", "eth0"), "address = 192.0.2.10", REPAIRED, "no alias", ("!label",)
    ),
    "nat_router with direct": Case(
        _global("nat_router = 198.51.100.1 eth1:1"), "nat_router", DROPPED, "only with network"
    ),
    "nat_router": Case(
        "nat_router = 198.51.100.1 eth1:1\nnat_nmask = 255.255.255.0\n" + NAT,
        "nat_router",
        EXACT,
        "",
        ("vrrp_sync_group", "interface eth1", "198.51.100.1/24 label eth1:1", "lb_kind NAT"),
    ),
    "nat_router on a bare device": Case(
        "nat_router = 198.51.100.1 eth1\nnat_nmask = 255.255.255.0\n" + NAT,
        "nat_router",
        REPAIRED,
        "no alias",
    ),
    "nat_router is a VIP": Case(
        "nat_router = 192.0.2.10 eth0:1\nnat_nmask = 255.255.255.0\n" + NAT,
        "nat_router",
        EXACT,
        "is a VIP too",
    ),
    "nat_router without a mask": Case(
        "nat_router = 198.51.100.1 eth1:1\n" + NAT, "nat_router", APPROXIMATED, "address class"
    ),
    # the service
    "tunnel": Case(
        changed("network = direct", "network = tunnel"), "network", EXACT, "", ("lb_kind TUN",)
    ),
    "persistent": Case(
        _virtual("persistent = 300"), "persistent", EXACT, "", ("persistence_timeout 300",)
    ),
    "persistent 0": Case(
        _virtual("persistent = 0"), "persistent", EXACT, "without", ("!persistence_timeout",)
    ),
    "pmask alone": Case(
        _virtual("pmask = 255.255.255.0"),
        "pmask",
        DROPPED,
        "without persistent",
        ("!persistence_granularity",),
    ),
    "pmask": Case(
        _virtual("persistent = 300\n    pmask = 255.255.255.0"),
        "pmask",
        EXACT,
        "",
        ("persistence_granularity 255.255.255.0",),
    ),
    "pmask of one host": Case(
        _virtual("persistent = 300\n    pmask = 255.255.255.255"),
        "pmask",
        EXACT,
        "alone",
        ("!persistence_granularity",),
    ),
    "quiesce": Case(
        _virtual("quiesce_server = 1"), "quiesce_server", EXACT, "", ("inhibit_on_failure",)
    ),
    "quiesce off": Case(
        _virtual("quiesce_server = 0"), "quiesce_server", EXACT, "", ("!inhibit_on_failure",)
    ),
    "sorry server": Case(
        _virtual("sorry_server = 192.0.2.99"),
        "sorry_server",
        REPAIRED,
        "never gave it to the kernel",
        ("sorry_server 192.0.2.99 80",),
    ),
    "fwmark": Case(
        MARKED,
        "fwmark",
        EXACT,
        "",
        ("virtual_server fwmark 21", "connect_port 80", "real_server 192.0.2.21 {"),
    ),
    "inactive virtual": Case(
        changed("active = 1\n    address", "active = 0\n    address"),
        "scheduler",
        DROPPED,
        "skipped the block",
        ("!virtual_server",),
    ),
    "no servers": Case(
        GLOBAL + SERVICE.replace("        active = 1\n", "        active = 0\n"),
        "scheduler",
        DROPPED,
        "no active real server",
        ("!virtual_server",),
    ),
    # real servers
    "weight 0": Case(
        changed("weight = 1", "weight = 0"), "weight", REPAIRED, "became 1", ("!weight 0",)
    ),
    "weight 5": Case(
        changed("weight = 1", "weight = 5"), "weight", APPROXIMATED, "slowly", ("weight 5",)
    ),
    "other port": Case(
        changed("        weight = 1", "        port = 8080\n        weight = 1"),
        "port = 8080",
        REPAIRED,
        "never work",
        ("!8080",),
    ),
    "other port, masquerading": Case(
        changed("        weight = 1", "        port = 8080\n        weight = 1", NAT),
        "port = 8080",
        EXACT,
        "",
        ("real_server 192.0.2.21 8080",),
    ),
    "inactive server": Case(
        changed("active = 1\n        weight", "active = 0\n        weight"),
        "address = 192.0.2.21",
        DROPPED,
        "skipped the server",
        ("!192.0.2.21",),
    ),
    "host name": Case(
        changed("address = 192.0.2.21", "address = web1.example.com"),
        "address = web1.example.com",
        DROPPED,
        "must be an address",
    ),
    "same server twice": Case(
        changed("address = 192.0.2.22", "address = 192.0.2.21"),
        "server web2",
        DROPPED,
        "in this virtual already",
    ),
    # sync daemon and timeouts
    "sync daemon": Case(
        _global("syncdaemon = 1\nsyncd_iface = eth1\nsyncd_id = 7"),
        "syncd_id",
        EXACT,
        "",
        ("lvs_sync_daemon eth1 inst piranha id 7",),
    ),
    "sync daemon, no device": Case(
        _global("syncdaemon = 1"), "syncdaemon", EXACT, "pulse used eth0", ("lvs_sync_daemon eth0",)
    ),
    "sync daemon off": Case(_global("syncd_iface = eth1"), "syncd_iface", DROPPED, "is off"),
    "timeout": Case(_global("tcp_timeout = 900"), "tcp_timeout", EXACT, "", ("tcp 900",)),
    "timeout 0": Case(_global("udp_timeout = 0"), "udp_timeout", EXACT, "0 leaves", ("!udp",)),
    # commands
    "active_cmd": Case(
        _global("active_cmd = /etc/ha/up.sh"),
        "active_cmd",
        APPROXIMATED,
        "again whenever",
        ('notify_master "/etc/ha/up.sh"',),
    ),
    "inactive_cmd": Case(
        _global("inactive_cmd = /etc/ha/down.sh"),
        "inactive_cmd",
        APPROXIMATED,
        "",
        ("notify_backup", "notify_fault", "notify_stop"),
    ),
    # fos
    "fos": Case(
        FOS,
        "failover mail",
        APPROXIMATED,
        "from the standby",
        ("vrrp_script mail", "track_script", "notify_master", "192.0.2.30/24"),
    ),
    "fos ignores virtuals": Case(FOS + SERVICE, "scheduler", DROPPED, "ignored virtual"),
    "lvs ignores failovers": Case(
        GLOBAL + SERVICE + FOS.split("service = fos\n")[1],
        "start_cmd",
        DROPPED,
        "ignored failover",
        ("!notify_master",),
    ),
    # as written
    "repeated": Case(_global("keepalive = 2"), "keepalive = 2", DROPPED, "last one counts"),
    "octal": Case(changed("port = 80", "port = 0120"), "port", EXACT, "0120 is 80"),
    "trailing comment": Case(
        changed("keepalive = 6", "keepalive = 6 # seconds"),
        "keepalive",
        REPAIRED,
        "pulse rejects this line",
        ("advert_int 6",),
    ),
    "unknown word": Case(_global("frobnicate = 1"), "frobnicate", DROPPED, "unknown word"),
}


@pytest.mark.parametrize("name", CASES)
def test_statement_with_a_trap_gets_its_verdict(name: str) -> None:
    case = CASES[name]
    conversion = converted(case.text)
    found = entry(conversion, case.statement)
    assert (found.verdict, case.why in found.why) == (case.verdict, True), found
    config = director_file(conversion)
    for line in case.lines:
        if line.startswith("!"):
            assert line[1:] not in config
        else:
            assert line in config


def test_statement_that_is_carried_over_otherwise_becomes_something() -> None:
    for name, case in CASES.items():
        for found in converted(case.text).report.entries:
            assert found.became or found.verdict in {EXACT, DROPPED}, (name, found)


def test_exact_statement_becomes_something_or_says_why_not() -> None:
    for case in CASES.values():
        for found in converted(case.text).report.entries:
            if found.verdict is EXACT:
                assert found.became or found.why, found


def test_same_mark_in_two_blocks_becomes_one_service_with_both_ports() -> None:
    conversion = converted(MARK_PAIR)
    config = director_file(conversion)
    assert config.count("virtual_server fwmark 21") == 1
    assert "443" not in config
    assert entry(conversion, "port = 443").verdict is REPAIRED
    assert "none of its monitors ran" in entry(conversion, "scheduler", 1).why
    assert entry(conversion, "scheduler", 1).verdict is DROPPED


def test_same_mark_in_two_blocks_with_every_check_asked_for_runs_both() -> None:
    config = director_file(converted(MARK_PAIR, checks_every_mark_block=True))
    assert config.count("connect_port 443") == 2
    assert config.count("connect_port 80") == 2


def test_same_vip_and_port_twice_drops_the_second_block() -> None:
    second = SERVICE.replace("virtual web", "virtual copy").replace("rr", "wlc")
    conversion = converted(GLOBAL + SERVICE + second)
    assert director_file(conversion).count("virtual_server ") == 1
    found = entry(conversion, "scheduler = wlc")
    assert (found.verdict, "served by virtual web already" in found.why) == (DROPPED, True)


def test_same_vip_and_port_with_two_marks_gives_two_services() -> None:
    other = SERVICE.replace("virtual web", "virtual copy")
    text = MARKED + changed("    server web1", "    fwmark = 22\n    server web1", other)
    conversion = converted(text)
    assert "virtual_server fwmark 22" in director_file(conversion)
    found = entry(conversion, "fwmark = 22")
    assert (found.verdict, "without any" in found.why) == (REPAIRED, True)


def test_port_below_the_servers_is_the_virtuals() -> None:
    lines = without("port = 80").rstrip().removesuffix("}")
    conversion = converted(lines + "    port = 8080\n}\n")
    assert "real_server 192.0.2.21 8080" in director_file(conversion)
    found = entry(conversion, "server web1")
    assert (found.verdict, "stands below this server" in found.why) == (REPAIRED, True)


def test_two_vips_on_one_alias_are_both_kept() -> None:
    other = SERVICE.replace("virtual web", "virtual two").replace("192.0.2.10", "192.0.2.11")
    conversion = converted(GLOBAL + SERVICE + other)
    config = director_file(conversion)
    assert "192.0.2.10/24 label eth0:1" in config
    assert "192.0.2.11/24 label eth0:1" in config
    for vip in ("192.0.2.10", "192.0.2.11"):
        assert entry(conversion, f"address = {vip}").verdict is REPAIRED


def test_two_fos_services_run_their_commands_one_after_the_other() -> None:
    second = FOS.split("service = fos\n")[1].replace("mail", "news").replace("2.30", "2.31")
    config = director_file(converted(FOS + second))
    assert "/bin/sh -c '/etc/init.d/mail start; /etc/init.d/news start'" in config
    assert config.count("notify_master") == 1
    assert config.count("vrrp_script") == 2


def test_port_below_the_servers_of_masquerading_is_not_theirs() -> None:
    lines = changed("network = direct", "network = nat", without("port = 80")).rstrip()
    conversion = converted(lines.removesuffix("}") + "    port = 8080\n}\n")
    config = director_file(conversion)
    assert "virtual_server 192.0.2.10 8080 {" in config
    assert "real_server 192.0.2.21 80 {" in config
    found = entry(conversion, "server web1")
    assert (found.verdict, "stands below this server" in found.why) == (EXACT, True)


def test_port_of_a_masqueraded_server_of_a_mark_is_no_port_mapping() -> None:
    text = changed("network = direct", "network = nat", MARKED)
    text = changed("address = 192.0.2.21\n", "address = 192.0.2.21\n        port = 8080\n", text)
    conversion = converted(text)
    assert "connect_port 8080" in director_file(conversion)
    found = entry(conversion, "port = 8080")
    assert (found.verdict, found.is_loss) == (APPROXIMATED, True)


def test_active_of_a_further_block_of_a_mark_is_what_makes_its_rule() -> None:
    assert entry(converted(MARK_PAIR), "active", 3).verdict is REPAIRED


@pytest.mark.parametrize("statement", ["address = 192.0.2.2 eth0:1", "nat_router = 192.0.2.2 eth1"])
def test_address_that_moves_and_is_a_directors_own_is_told(statement: str) -> None:
    text = changed("address = 192.0.2.10 eth0:1", "address = 192.0.2.2 eth0:1", NAT)
    if statement.startswith("nat_router"):
        text = statement + "\nnat_nmask = 255.255.255.0\n" + NAT
    found = entry(converted(text), statement)
    assert "primary director's own address" in found.why
    assert found.is_loss


def test_active_of_a_block_that_leaves_only_its_vip_is_not_dropped() -> None:
    text = GLOBAL + SERVICE.replace("        active = 1", "        active = 0")
    conversion = converted(text)
    assert "192.0.2.10/24 label eth0:1" in director_file(conversion)
    found = entry(conversion, "active = 1")
    assert (found.verdict, bool(found.became)) == (APPROXIMATED, True)


def _became(conversion: Conversion, statement: str, number: int = 0) -> list[tuple[str, str]]:
    """Host and text of the lines of keepalived.conf that a statement became."""
    return [
        (target.host, director_file(conversion, target.host).split("\n")[target.line - 1].strip())
        for target in entry(conversion, statement, number).became
        if target.path == "/etc/keepalived/keepalived.conf"
    ]


def test_backup_and_its_switch_become_the_second_director() -> None:
    conversion = converted()
    for statement in ("backup =", "backup_active"):
        assert ("backup", "vrrp_instance piranha {") in _became(conversion, statement)


def test_backup_that_is_a_host_name_is_still_a_second_director() -> None:
    conversion = converted(changed("backup = 192.0.2.3", "backup = lb2.example.com"))
    found = entry(conversion, "backup =")
    assert (found.verdict, "unicast VRRP needs an address" in found.why) == (APPROXIMATED, True)
    assert _became(conversion, "backup =") == [("backup", "vrrp_instance piranha {")]


def test_backup_in_a_template_is_still_a_second_director() -> None:
    conversion = converted(changed("backup = 192.0.2.3", "backup = {{ other }}"))
    assert hosts(conversion)[:2] == ["primary", "backup"]
    found = entry(conversion, "backup =")
    assert (found.verdict, found.is_loss) == (APPROXIMATED, True)
    assert "fill in the template" in found.todo


def test_pair_without_a_vip_is_two_directors_by_name() -> None:
    assert ("backup", "router_id backup") in _became(converted(GLOBAL), "backup_active")


def test_reentry_of_a_check_of_keepalived_is_one_interval() -> None:
    conversion = converted(changed("reentry = 6", "reentry = 60"))
    assert entry(conversion, "reentry").verdict is APPROXIMATED
    assert set(_became(conversion, "reentry")) == {
        ("primary", "delay_loop 6"),
        ("backup", "delay_loop 6"),
    }


def test_reentry_that_is_kept_is_not_the_interval() -> None:
    conversion = converted(changed("reentry = 6", "reentry = 60"), checks="exact")
    assert all("misc_path" in line or "CHECK" in line for _, line in _became(conversion, "reentry"))


def test_repaired_statement_that_is_approximated_too_is_told_as_both() -> None:
    conversion = converted(changed("weight = 1", "weight = 40 # strong"))
    found = entry(conversion, "weight = 40")
    assert (found.verdict, found.others, found.is_loss) == (REPAIRED, (APPROXIMATED,), True)
    assert "repaired: pulse rejects this line" in found.why
    assert "approximated: nanny raised" in found.why
    assert "| repaired, approximated |" in to_markdown(conversion.report)


def test_rejected_line_that_nothing_is_made_of_is_not_read_as_meant() -> None:
    found = entry(converted(_global("frobnicate=1")), "frobnicate")
    assert found.verdict is DROPPED
    assert "pulse rejects this line" in found.why
    assert "as it is meant" not in found.why


def test_block_of_a_mark_that_was_there_already_becomes_a_rule() -> None:
    conversion = converted(MARK_PAIR)
    for statement in ("virtual tls", "address = 192.0.2.10", "vip_nmask"):
        found = entry(conversion, statement, int(not statement.startswith("virtual")))
        assert found.verdict is REPAIRED
    rules = file_of(conversion, "primary", "/etc/drctl/marks.nft").split("\n")
    lines = [t.line for t in entry(conversion, "virtual tls").became if t.path.endswith(".nft")]
    assert ["dport 443" in rules[line - 1] for line in lines] == [True, True]


def test_same_port_of_a_mark_twice_is_one_rule_of_both_blocks() -> None:
    conversion = converted(MARK_PAIR.replace("port = 443", "port = 80"))
    rules = file_of(conversion, "primary", "/etc/drctl/marks.nft")
    assert rules.count("dport 80 ") == 1
    for number in (0, 1):
        became = entry(conversion, "port = 80", number).became
        assert any(target.path == "/etc/drctl/marks.nft" for target in became)


def test_masqueraded_servers_have_no_choice_about_arp() -> None:
    whats = {choice.what for choice in converted(NAT).report.choices}
    assert "ARP on the real servers" not in whats
    assert "what sets the route of a real server" in whats


def test_port_of_the_heartbeat_is_no_task_without_a_pair() -> None:
    port = "heartbeat_port = 539\n"
    assert "112" in entry(converted(port + GLOBAL + SERVICE), "heartbeat_port").todo
    alone = converted(changed("backup_active = 1", "backup_active = 0", port + GLOBAL + SERVICE))
    assert entry(alone, "heartbeat_port").todo == ""


def test_mask_of_a_gateway_that_is_a_vip_counts_only_when_it_is_the_same() -> None:
    text = "nat_router = 192.0.2.10 eth0:1\nnat_nmask = 255.255.0.0\n" + NAT
    found = entry(converted(text), "nat_nmask")
    assert (found.verdict, "mask /24 counts" in found.why) == (APPROXIMATED, True)


def test_service_word_becomes_what_it_switches_on() -> None:
    assert ("primary", "lvs_flush") in _became(
        converted("service = lvs\n" + GLOBAL + SERVICE), "service"
    )
    assert ("primary", "vrrp_script mail {") in _became(converted(FOS), "service")


@pytest.mark.parametrize("arp", ["sysctl", "iptables"])
def test_mark_is_a_task_for_the_ports_that_the_file_does_not_name(arp: str) -> None:
    web = entry(converted(MARKED, arp=arp), "fwmark")
    assert "iptables -t mangle -S PREROUTING" in web.todo
    ftp = entry(converted(MARKED.replace("port = 80", "port = 21"), arp=arp), "fwmark")
    assert "passive port range" in ftp.todo
    for found in (web, ftp):
        assert ("redirections of the real servers" in found.todo) is (arp == "iptables")


def test_mark_of_masquerading_is_no_task_on_the_real_servers() -> None:
    text = changed("network = direct", "network = nat", MARKED)
    assert "redirections" not in entry(converted(text, arp="iptables"), "fwmark").todo


def test_dropped_statement_has_no_reason_of_another_verdict() -> None:
    twice = changed("address = 192.0.2.22", "address = 192.0.2.21\n        port = 81")
    found = entry(converted(twice), "port = 81")
    assert (found.verdict, found.others) == (DROPPED, ())
    assert "changes no ports" not in found.why


def test_semicolon_of_another_language_ends_a_statement() -> None:
    text = changed("keepalive = 6", "keepalive = 6;")
    text = changed("backup_active = 1", "backup_active = 1 ; yes", text)
    text = changed("address = 192.0.2.10 eth0:1", "address = 192.0.2.10 eth0:1;", text)
    conversion = converted(text)
    assert hosts(conversion)[:2] == ["primary", "backup"]
    assert "advert_int 6" in director_file(conversion)
    assert "192.0.2.10/24 label eth0:1\n" in director_file(conversion)
    assert entry(conversion, "keepalive").verdict is REPAIRED


def test_semicolon_of_a_command_is_its_own() -> None:
    text = _global("active_cmd = \"/bin/sh -c '/etc/ha/a; /etc/ha/b'\"")
    assert "/etc/ha/a; /etc/ha/b" in director_file(converted(text))


@pytest.mark.parametrize(("word", "kind"), [("DR", "DR"), ("Tunneling", "TUN"), ("NAT", "NAT")])
def test_forwarding_method_in_the_words_of_others_is_meant(word: str, kind: str) -> None:
    conversion = converted(changed("network = direct", f"network = {word}"))
    assert f"lb_kind {kind}" in director_file(conversion)
    assert entry(conversion, "network").verdict is REPAIRED


def test_forwarding_method_that_cannot_be_read_is_not_called_missing() -> None:
    conversion = converted(changed("network = direct", "network = fullnat"))
    (why,) = (c.why for c in conversion.report.choices if c.what == "forwarding method")
    assert "cannot be read" in why


def test_address_of_ipv6_is_told_as_such() -> None:
    found = entry(converted(changed("192.0.2.22", "2001:db8::22")), "address = 2001:db8::22")
    assert "an IPv6 address, which Piranha does not know" in found.why


def test_sync_id_beyond_a_byte_is_told_as_the_kernel_takes_it() -> None:
    conversion = converted(_global("syncdaemon = 1\nsyncd_id = 300"))
    assert "id 44" in director_file(conversion)
    assert "300 is 44" in entry(conversion, "syncd_id").why


def test_link_watch_is_no_loss_without_a_backup() -> None:
    text = changed("backup_active = 1", "backup_active = 0", _global("monitor_links = 1"))
    found = entry(converted(text), "monitor_links")
    assert (found.verdict, found.is_loss) == (DROPPED, False)


def test_link_watch_that_the_file_does_not_ask_for_is_a_choice() -> None:
    whats = {choice.what for choice in converted().report.choices}
    assert "link of the instance's device" in whats


def test_deadtime_that_cannot_be_kept_is_not_said_to_be() -> None:
    found = entry(converted(changed("deadtime = 18", "deadtime = 0")), "deadtime")
    assert (found.verdict, "keep the deadtime" in found.why) == (REPAIRED, False)


def test_mark_without_an_address_accounts_for_its_mask() -> None:
    found = entry(converted(without("address", MARKED)), "vip_nmask")
    assert (found.verdict, "no address" in found.why) == (DROPPED, True)


def test_fos_block_without_an_address_is_dropped_and_its_commands_are_told() -> None:
    conversion = converted(without("address", FOS))
    for statement in ("failover", "active", "vip_nmask", "port", "start_cmd", "stop_cmd"):
        found = entry(conversion, statement)
        assert (found.verdict, found.is_loss) == (DROPPED, True), found
        assert "has a place for it" not in found.why
    other = FOS.split("service = fos\n")[1].replace("failover mail", "failover news")
    both = converted(without("address", FOS) + other)
    assert entry(both, "start_cmd").verdict is APPROXIMATED
    assert entry(both, "failover mail").verdict is DROPPED
