"""Which files a director gets, what is in them, and where it came from."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
from corpus import PROJECT
from director_case import (
    PLACE,
    VIP,
    checked,
    configuration,
    everything,
    files,
    instance,
    marked,
    rendering,
    service,
)

from drctl.model.service import DIRECT, MASQUERADE, TUNNEL, GroupEntry, RealServer, ServiceGroup
from drctl.model.vrrp import TrackScript, UnicastPeer
from drctl.render.checkarg import CHECK_PATH

KEEPALIVED = "/etc/keepalived/keepalived.conf"
SYSCTL = "/etc/sysctl.d/99-zz-drctl-director.conf"
MODULES = "/etc/modules-load.d/drctl-director.conf"
MARKS = "/etc/drctl/marks.nft"
FIREWALL = "/etc/drctl/firewall.nft"
FIREWALLD = "/etc/firewalld/services/drctl-director.xml"


def rules(text: str) -> list[str]:
    """Lines that are no comments, without their indentation."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def test_plain_direct_routing_needs_keepalived_and_the_firewall_only() -> None:
    assert sorted(files(configuration(service()))) == [FIREWALL, FIREWALLD, KEEPALIVED]


def test_everything_is_there_when_it_is_needed() -> None:
    assert sorted(files(everything())) == [
        FIREWALL,
        MARKS,
        FIREWALLD,
        KEEPALIVED,
        MODULES,
        SYSCTL,
        "/etc/systemd/system/drctl-marks.service",
        "/etc/systemd/system/keepalived.service.d/drctl.conf",
        CHECK_PATH,
        "/usr/libexec/drctl/drctl-marks",
    ]
    with_iptables = files(everything(), marks="iptables")
    assert {path for path in with_iptables if path.endswith(".rules")} == {
        "/etc/drctl/firewall.rules",
        "/etc/drctl/firewall6.rules",
        "/etc/drctl/marks.rules",
        "/etc/drctl/marks6.rules",
    }
    assert not [path for path in with_iptables if path.endswith(".nft")]


@pytest.mark.parametrize("net", ["ifcfg", "ifupdown"])
def test_init_script_is_there_for_systems_that_may_have_no_systemd(net: str) -> None:
    assert files(everything(), net=net)["/etc/init.d/drctl-marks"].mode == 0o755
    assert "/etc/init.d/drctl-marks" not in files(everything())


def test_second_rendering_is_equal() -> None:
    assert rendering(everything()) == rendering(everything())


def test_check_program_is_the_one_in_templates() -> None:
    program = files(configuration(checked()))[CHECK_PATH]
    assert program.mode == 0o755
    assert program.text == (PROJECT / "templates" / "check" / "drctl-check").read_text("utf-8")
    ast.parse(program.text)


def test_check_program_is_there_for_a_track_script() -> None:
    script = TrackScript("web", f"{CHECK_PATH} tcp 192.0.2.10 80 --timeout=10", interval_ms=10_000)
    assert CHECK_PATH in files(configuration(scripts=(script,)))


@pytest.mark.parametrize("method", [DIRECT, TUNNEL])
def test_direct_routing_and_tunnelling_need_no_forwarding(method: str) -> None:
    assert SYSCTL not in files(configuration(service(method)))


def test_masquerading_needs_forwarding_of_its_own_family() -> None:
    text = files(configuration(service(MASQUERADE)))[SYSCTL].text
    assert rules(text) == ["net.ipv4.ip_forward = 1"]
    six = service(
        MASQUERADE, address="2001:db8::10", real_servers=(RealServer("2001:db8::21", 80),)
    )
    text = files(configuration(six))[SYSCTL].text
    assert rules(text) == ["net.ipv6.conf.all.forwarding = 1"]


def test_masquerading_of_a_single_server_or_by_default_needs_forwarding() -> None:
    masquerade = service(MASQUERADE).forwarding
    one = service(real_servers=(RealServer("192.0.2.21", 80, forwarding=masquerade),))
    assert SYSCTL in files(configuration(one))
    assert SYSCTL in files(configuration(replace(service(), forwarding=None)))
    assert SYSCTL not in files(configuration(service(MASQUERADE, is_active=False)))


def test_ftp_module_is_loaded_for_masqueraded_ftp_only() -> None:
    assert rules(files(configuration(service(MASQUERADE, port=21)))[MODULES].text) == ["ip_vs_ftp"]
    assert MODULES not in files(configuration(service(DIRECT, port=21)))
    assert MODULES not in files(configuration(service(MASQUERADE, port=80)))


def test_mark_rules_are_written_once_the_broad_before_the_narrow() -> None:
    view = configuration(
        marked(80, (VIP, "tcp", 443), (VIP, "tcp", 80), (VIP, "tcp", 80)),
        marked(81, (VIP, "tcp", None)),
        marked(82, ("2001:db8:0::10", "udp", 53)),
    )
    lines = [line for line in rules(files(view)[MARKS].text) if "mark set" in line]
    assert lines == [
        "ip daddr 192.0.2.10 meta l4proto tcp meta mark set 81",
        "ip daddr 192.0.2.10 tcp dport 443 meta mark set 80",
        "ip daddr 192.0.2.10 tcp dport 80 meta mark set 80",
        "ip6 daddr 2001:db8::10 udp dport 53 meta mark set 82",
    ]
    assert rendering(view).losses == ()


def test_mark_rules_in_iptables_are_the_same() -> None:
    view = configuration(marked(80, (VIP, "tcp", 443)), marked(81, (VIP, "udp", None)))
    lines = rules(files(view, marks="iptables")["/etc/drctl/marks.rules"].text)
    assert lines == [
        "*mangle",
        ":DRCTL_MARKS - [0:0]",
        "-A PREROUTING -j DRCTL_MARKS",
        "-A DRCTL_MARKS -d 192.0.2.10/32 -p tcp -m tcp --dport 443 -j MARK --set-mark 80",
        "-A DRCTL_MARKS -d 192.0.2.10/32 -p udp -j MARK --set-mark 81",
        "COMMIT",
    ]


@pytest.mark.parametrize("marks", ["nftables", "iptables"])
def test_mark_of_ftp_offers_the_passive_ports_as_a_comment(marks: str) -> None:
    found = files(configuration(marked(21, (VIP, "tcp", 21))), marks=marks)
    texts = [f.text for path, f in found.items() if path.startswith("/etc/drctl/marks")]
    (text,) = texts
    assert any(
        line.strip().startswith("#") and "10000" in line and "20000" in line
        for line in text.splitlines()
    )


def test_address_with_two_marks_keeps_the_first_and_says_so() -> None:
    view = configuration(marked(80, (VIP, "tcp", 80)), marked(81, (VIP, "tcp", 80)))
    text = files(view)[MARKS].text
    assert "mark set 80" in text
    assert "mark set 81" not in text
    (loss,) = rendering(view).losses
    assert loss.feature == "mark.taken"
    assert loss.places == (PLACE,)
    assert "192.0.2.10 tcp port 80 has mark 80 already" in loss.message


def test_mark_without_rules_is_reported_with_its_place() -> None:
    group = ServiceGroup("g", (GroupEntry(mark=9),))
    view = configuration(marked(7), service_groups=(group,))
    assert MARKS not in files(view)
    assert [(loss.feature, loss.places) for loss in rendering(view).losses] == [
        ("mark.rule", (PLACE,)),
        ("mark.rule", ()),
    ]


def test_mark_of_a_host_name_is_a_loss() -> None:
    view = configuration(marked(80, ("www.example.com", "tcp", 80)))
    assert MARKS not in files(view)
    assert [loss.feature for loss in rendering(view).losses] == ["mark.name"]


def test_firewall_lets_in_the_other_director_and_connection_sync() -> None:
    assert [line for line in rules(files(everything())[FIREWALL].text) if "accept" in line] == [
        "ip saddr 192.0.2.2 meta l4proto 112 accept",
        'iifname "eth1.5" meta l4proto 51 accept',
        'iifname "eth1.5" ip daddr 224.0.0.81 udp dport 8848 accept',
    ]


def test_firewall_of_each_director_names_the_other() -> None:
    peer = (UnicastPeer("192.0.2.1"),)
    view = configuration(service(), instances=(instance(unicast_peers=peer),))
    assert "ip saddr 192.0.2.1 " in files(view)[FIREWALL].text


def test_without_instances_there_is_no_firewall_file() -> None:
    assert sorted(files(configuration(service(), instances=()))) == [KEEPALIVED]


def test_lines_know_the_statements_they_came_from() -> None:
    found = files(everything())
    for path in (MARKS, FIREWALL, SYSCTL, MODULES):
        file = found[path]
        assert file.origins, path
        for number, places in file.origins.items():
            line = file.text.splitlines()[number - 1]
            assert PLACE in places or "8848" in line
            assert not line.strip().startswith("#"), line


def test_role_says_the_rank() -> None:
    assert rendering(everything()).role == "primary director"


def test_every_file_names_its_source_but_not_its_folder() -> None:
    for path, file in files(everything(), net="ifcfg").items():
        if path != CHECK_PATH:
            assert "from lvs.cf" in file.text, path


def test_file_of_masquerading_explains_why_both_need_it() -> None:
    assert "standby" in files(everything())[SYSCTL].text
