"""Every code beyond the tables: a sample that has it, at the line where it belongs, and that
keepalived 2.2.7 complains of; without the line, nothing is found."""

# ruff: noqa: E501 - a sample is one line
from __future__ import annotations

import pytest
from corpus import PROJECT
from lint_case import found, instance, service

from drctl.lint.catalog import kinds

SCRIPT = 'vrrp_script S {\nscript "/usr/bin/true"\n@\n}\n'
SECOND = """\
vrrp_instance V2 {
interface eth1
virtual_router_id 52
virtual_ipaddress {
198.51.100.100
}
@
}
"""


def second(inside: str) -> str:
    return SECOND.replace("@", inside)


FIRING: dict[str, tuple[str, int]] = {
    "DR301": (instance("unicast_src_ip 2001:db8::1\ncheck_unicast_src\nunicast_peer {\n192.0.2.2\n}"), 10),
    "DR302": (instance("version 3\nversion 2"), 11),
    "DR303": (instance("state MASTER\npriority 255\nstate BACKUP"), 12),
    "DR304": (instance("interface lo"), 10),
    "DR305": (instance("vrf blue"), 10),
    "DR306": (instance("use_vmac vr.1", after=second("use_vmac vr.1")), 18),
    "DR307": (instance("use_vmac\nunicast_peer {\n192.0.2.2\n}"), 14),
    "DR308": (instance("unicast_ttl 5"), 11),
    "DR309": ("bfd_instance B {\nneighbor_ip 192.0.2.1\nsource_ip 2001:db8::1\n}\n", 4),
    "DR310": ("bfd_instance B {\nneighbor_ip 192.0.2.1\nttl 10\nmax_hops 20\n}\n", 5),
    "DR311": (instance("track_script {\nabsent\n}"), 11),
    "DR312": (instance("track_interface {\neth1\neth1\n}"), 12),
    "DR313": (instance("lvs_sync_daemon_interface eth1", after=second("lvs_sync_daemon_interface eth1")), 18),
    "DR314": ("vrrp_instance V {\nuse_vmac\nvirtual_router_id 5\nunicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}\nvirtual_ipaddress {\n192.0.2.100\n}\n}\n", 11),
    "DR320": ("vrrp_instance V {\ninterface eth0\nvirtual_ipaddress {\n192.0.2.1\n}\n}\n", 1),
    "DR321": ("vrrp_instance V {\nvirtual_router_id 5\nvirtual_ipaddress {\n192.0.2.1\n}\n}\n", 1),
    "DR322": ("vrrp_instance V {\ninterface eth0\nvirtual_router_id 5\nversion 3\n}\n", 1),
    "DR323": ("vrrp_instance V {\ninterface eth0\nvirtual_router_id 5\n}\n", 1),
    "DR324": (instance("virtual_ipaddress {\n" + "".join(f"192.0.2.{n}\n" for n in range(1, 255)) + "198.51.100.1\n}"), 10),
    "DR326": (instance("version 3\nauthentication {\nauth_type PASS\nauth_pass 12345678\n}"), 12),
    "DR327": (instance("state MASTER\npriority 100\nauthentication {\nauth_type AH\nauth_pass 12345678\n}"), 10),
    "DR328": (instance("state MASTER\npriority 100\nnopreempt"), 12),
    "DR329": (instance("state MASTER\npriority 100\npreempt_delay 5"), 12),
    "DR330": (instance("advert_int 1.5"), 10),
    "DR331": (instance("strict_mode\nstate MASTER\npriority 100"), 11),
    "DR332": (instance("unicast_src_ip 192.0.2.1"), 10),
    "DR333": (instance("mcast_dst_ip 224.0.0.50\nunicast_peer {\n192.0.2.2\n}"), 10),
    "DR334": ("vrrp_instance V {\nvrf blue\nvirtual_router_id 5\nvirtual_ipaddress {\n192.0.2.1\n}\n}\n", 2),
    "DR335": (instance("use_vmac\npromote_secondaries"), 11),
    "DR336": (instance("vmac_xmit_base"), 10),
    "DR337": (instance("use_ipvlan"), 10),
    "DR338": (instance("use_vmac\nvirtual_ipaddress_excluded {\n192.0.2.101 use_vmac\n}"), 12),
    "DR339": (
        instance("unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}\nuse_vmac\nvmac_xmit_base",
                 after=second("interface eth0\nvirtual_router_id 51\nunicast_src_ip 192.0.2.3\nunicast_peer {\n192.0.2.4\n}\nuse_vmac\nvmac_xmit_base")), 29),
    "DR340": (instance("track_interface {\neth0\n}"), 11),
    "DR341": (instance("priority 255\ntrack_interface {\neth1 weight 5\n}"), 12),
    "DR342": (instance("accept", after=second("interface eth0\nvirtual_router_id 51")), 19),
    "DR343": (instance("accept", after="vrrp_sync_group G {\nsmtp_alert\n}\n"), 12),
    "DR344": (instance("accept", after="vrrp_sync_group G {\ngroup {\nV1\n}\n}\n"), 12),
    "DR345": (instance("accept", after="vrrp_sync_group G {\ngroup {\nV1\nV9\n}\n}\n"), 15),
    "DR346": (
        instance("accept", after=second("accept")
                 + "vrrp_sync_group G {\ngroup {\nV1\nV2\n}\n}\nvrrp_sync_group H {\ngroup {\nV1\n}\n}\n"), 28),
    "DR347": (
        instance("state MASTER\npriority 255", after=second("state BACKUP")
                 + "vrrp_sync_group G {\ngroup {\nV1\nV2\n}\n}\n"), 24),
    "DR349": (instance("use_vmac vr.1\nvirtual_ipaddress_excluded {\n192.0.2.9 dev vr.1\n}"), 12),
    "DR350": (service(real="weight 1\n}\nreal_server 2001:db8::1 80 {"), 9),
    "DR351": (service("sh-port"), 8),
    "DR352": ("virtual_server 192.0.2.1 80 {\nprotocol TCP\nlb_algo rr\nlb_kind DR\n}\n", 1),
    "DR353": (service().replace("lb_algo rr\n", ""), 1),
    "DR354": (service().replace("192.0.2.100 80", "fwmark 5").replace("11 80", "11"), 2),
    "DR355": (service("ha_suspend").replace("192.0.2.100 80", "fwmark 5").replace("11 80", "11").replace("protocol TCP\n", ""), 7),
    "DR356": (service("ops"), 8),
    "DR357": (service().replace("100 80", "100").replace("11 80", "11"), 1),
    "DR358": (service(real="weight 1\n}\nreal_server 192.0.2.11 80 {"), 8),
    "DR359": (service().replace("11 80", "11 8080"), 5),
    "DR360": (service("quorum 5"), 8),
    "DR361": (service("hysteresis 1"), 8),
    "DR362": (service("sorry_server 192.0.2.11 80\nsorry_server_inhibit"), 8),
    "DR363": ("virtual_server_group G {\n}\n", 2),
    "DR364": ("virtual_server_group G {\n192.0.2.1 80\n2001:db8::1 80\nfwmark 5\n}\n", 5),
    "DR365": (service().replace("192.0.2.100 80", "group G"), 1),
    "DR366": (service(real="TCP_CHECK {\nconnect_ip fe80::1\n}"), 8),
    "DR367": (service(real="TCP_CHECK {\nconnect_ip 192.0.2.1\nbindto 2001:db8::1\n}"), 8),
    "DR368": (service(real="UDP_CHECK {\nmin_reply_length 9\nmax_reply_length 5\n}"), 9),
    "DR369": (service(real="BFD_CHECK {\nname absent\n}"), 7),
    "DR370": (instance("notify /usr/bin/true").replace("enable_script_security\n", ""), 9),
    "DR371": (SCRIPT.replace("/usr/bin/true", "[[ -f /x ]]").replace("@", "weight 5"), 2),
    "DR372": ("garp_group {\ninterface eth0\n}\n", 3),
    "DR373": ("garp_group {\ngarp_interval 1\ninterface eth0\ninterface eth0\n}\n", 4),
    "DR374": ("global_defs {\nsmtp_server mail.example.org\n}\n", 2),
    "DR375": ("global_defs {\nenable_script_security\nstartup_script /usr/bin/true arg\n}\n", 3),
    "DR376": (SCRIPT.replace("@", "user a/b"), 3),
    "DR377": (service(real="HTTP_GET {\nurl {\nstatus_code 200\n}\n}"), 10),
    "DR378": ("global_defs {\nvrrp_iptables\nnftables\n}\n", 3),
    "DR379": (instance("track_interface {\neth0:1\n}"), 11),
    "DR380": ("vrrp_script S {\nscript /usr/bin/true more\n}\n", 2),
    "DR381": ("global_defs {\nvrrp_cpu_affinity 99999\n}\n", 2),
    "DR385": ("global_defs {\nvrrp_rx_bufs_policy MTU\nvrrp_rx_bufs_policy ADVERT\n}\n", 3),
    "DR384": ("bfd_instance B {\nneighbor_ip 192.0.2.9\n}\n" + service(real="BFD_CHECK {\nname B\n}\nBFD_CHECK {\nname B\n}"), 13),
    "DR383": ("vrrp_track_process P {\nprocess p\nquorum 3\nquorum_max 2\n}\n", 4),
    "DR382": (service(real="UDP_CHECK {\npayload 00 ff\n}"), 7),
    "DR348": (
        instance("accept", after=second("accept")
                 + "vrrp_sync_group G {\ngroup {\nV1\nV2\n}\ntrack_interface {\neth0\n}\n}\n"), 26),
}  # fmt: skip

NOT_FIRING = (
    service(real="SMTP_CHECK {\nbindto 192.0.2.2\n}").replace("192.0.2.11", "2001:db8::11").replace("192.0.2.100", "2001:db8::100"),
    service(real="TCP_CHECK {\nconnect_ip 192.0.2.12\nbindto 192.0.2.2\n}").replace("192.0.2.11", "2001:db8::11").replace("192.0.2.100", "2001:db8::100"),
    "bfd_instance B {\nneighbor_ip 192.0.2.9\nttl 255\nmax_hops -1\n}\n",
    instance("state MASTER\npriority 100\nadvert_int 2\npreempt_delay 0\naccept"),
    instance("version 3\nadvert_int 0.25\nunicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}\nunicast_ttl 5"),
    instance("nopreempt\nstate BACKUP\npriority 254\nuse_vmac\nvmac_xmit_base"),
    instance("track_script {\nS weight 5\n}", before=SCRIPT.replace("@", "weight -5\nuser root")),
    instance("use_ipvlan 192.0.2.3/24"),
    instance("use_ipvlan ipv.51 192.0.2.3 bridge\ntrack_interface {\neth1 weight 10\n}"),
    instance("accept", after=second("strict_mode off") + "vrrp_sync_group G {\ngroup {\nV1\nV2\n}\n}\n"),
    service("sorry_server 192.0.2.40 80\nquorum 1\nhysteresis 0", "weight 2\nTCP_CHECK {\nconnect_port 80\n}"),
    service().replace("192.0.2.100 80", "fwmark 5").replace("11 80", "11").replace("protocol TCP\n", ""),
    "virtual_server_group G {\n192.0.2.1 80\nfwmark 5\n}\n" + service().replace("192.0.2.100 80", "group G").replace("11 80", "11"),
    "garp_group {\ngarp_interval 1\ninterfaces {\neth0\neth1\n}\n}\n",
    "bfd_instance B {\nneighbor_ip 192.0.2.1\nsource_ip 192.0.2.2\nmax_hops 5\n}\n" + instance("track_bfd {\nB\n}"),
)  # fmt: skip


@pytest.mark.parametrize("code", sorted(FIRING))
def test_a_faulty_configuration_has_the_finding_at_its_line(code: str) -> None:
    text, line = FIRING[code]
    assert f"{line} {code}" in found(text)


@pytest.mark.parametrize("text", NOT_FIRING)
def test_a_sound_configuration_has_no_finding(text: str) -> None:
    assert found(text) == []


def test_every_rule_has_a_sample() -> None:
    rules = {code for code in kinds() if code >= "DR300"}
    assert rules - FIRING.keys() == set()


def test_every_code_is_documented() -> None:
    text = (PROJECT / "docs" / "lint.md").read_text("utf-8")
    missing = [
        code
        for code, one in kinds().items()
        if f"| {code} | {one.name} | {one.severity} |" not in text
    ]
    assert missing == []
