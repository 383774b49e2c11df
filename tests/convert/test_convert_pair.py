"""What two directors get: addresses, choices, options."""

from __future__ import annotations

import pytest
from convert_case import GLOBAL, SERVICE, changed, choice, converted, director_file, entry, hosts

from drctl.convert.ledger import Verdict
from drctl.errors import UsageError

PRIVATE = "primary_private = 198.51.100.2\nbackup_private = 198.51.100.3\n"


def test_directors_differ_in_what_must_differ_only() -> None:
    conversion = converted()
    primary = director_file(conversion).splitlines()
    backup = director_file(conversion, "backup").splitlines()
    assert len(primary) == len(backup)
    differing = [pair for pair in zip(primary, backup, strict=True) if pair[0] != pair[1]]
    assert [one.strip() for one, _ in differing[1:]] == [
        "router_id primary",
        "priority 150",
        "unicast_src_ip 192.0.2.2",
        "192.0.2.3",
    ]
    assert [other.strip() for _, other in differing[1:]] == [
        "router_id backup",
        "priority 100",
        "unicast_src_ip 192.0.2.3",
        "192.0.2.2",
    ]


def test_returning_director_waits() -> None:
    config = director_file(converted())
    assert "state BACKUP" in config
    assert "nopreempt" in config


def test_virtual_router_id_is_the_vips_last_number_unless_asked_for() -> None:
    assert choice(converted(), "virtual_router_id") == "10"
    assert "virtual_router_id 77" in director_file(converted(virtual_router_id=77))


def test_last_virtual_router_id_has_a_successor_within_range() -> None:
    text = "nat_router = 198.51.100.1 eth1:1\n" + changed("direct", "nat")
    config = director_file(converted(text, virtual_router_id=255))
    assert "virtual_router_id 255" in config
    assert "virtual_router_id 1\n" in config


def test_priorities_asked_for_are_written() -> None:
    conversion = converted(priorities=(200, 50))
    assert "priority 200" in director_file(conversion)
    assert "priority 50" in director_file(conversion, "backup")


def test_private_network_asked_for_carries_vrrp() -> None:
    conversion = converted(
        PRIVATE + "syncd_iface = eth1\nmonitor_links = 1\n" + GLOBAL + SERVICE,
        vrrp_network="private",
    )
    config = director_file(conversion)
    assert "interface eth1" in config
    assert "unicast_src_ip 198.51.100.2" in config
    assert "track_interface {\n        eth0\n    }" in config
    assert "192.0.2.10/24 dev eth0 label eth0:1" in config
    assert entry(conversion, "primary =").verdict is Verdict.DROPPED


def test_private_network_without_a_device_is_refused() -> None:
    with pytest.raises(UsageError, match="--private-interface"):
        converted(PRIVATE + GLOBAL + SERVICE, vrrp_network="private")


def test_interface_asked_for_is_never_tracked() -> None:
    text = PRIVATE + "monitor_links = 1\nsyncd_iface = eth0\n" + GLOBAL + SERVICE
    assert "track_interface" not in director_file(converted(text))


def test_no_backup_gives_one_director_without_peer() -> None:
    conversion = converted(changed("backup = 192.0.2.3\n", ""))
    assert hosts(conversion) == ["primary", "web1", "web2"]
    assert "unicast" not in director_file(conversion)
    assert entry(conversion, "backup_active").verdict is Verdict.DROPPED


def test_inactive_backup_asked_for_gives_a_pair() -> None:
    conversion = converted(changed("backup_active = 1\n", ""), is_backup_forced=True)
    assert hosts(conversion)[:2] == ["primary", "backup"]
    assert "unicast_peer" in director_file(conversion)


def test_host_names_of_directors_make_vrrp_multicast() -> None:
    conversion = converted(changed("primary = 192.0.2.2", "primary = lb1.example.com"))
    assert "unicast" not in director_file(conversion)
    assert "multicast" in choice(conversion, "VRRP addressing on eth0")
    assert entry(conversion, "primary").verdict is Verdict.DROPPED


def test_password_is_in_the_directors_files_and_nowhere_else() -> None:
    conversion = converted(password="s3cr3t!x")
    assert "auth_pass s3cr3t" in director_file(conversion) or '"s3cr3t!x"' in director_file(
        conversion
    )
    assert "s3cr3t" not in repr(conversion.report)


def test_nat_router_on_another_device_moves_with_the_vips() -> None:
    text = "nat_router = 198.51.100.1 eth1:1\nnat_nmask = 255.255.255.0\n" + changed(
        "direct", "nat", PRIVATE + GLOBAL + SERVICE
    )
    config = director_file(converted(text))
    assert "vrrp_sync_group piranha {" in config
    assert "unicast_src_ip 198.51.100.2" in config
    assert config.count("nopreempt") == 2


def test_nat_router_alone_has_one_instance() -> None:
    text = "network = nat\nnat_router = 198.51.100.1 eth1:1\n" + GLOBAL.replace(
        "network = direct\n", ""
    )
    config = director_file(converted(text))
    assert config.count("vrrp_instance") == 1
    assert "interface eth1" in config


def test_many_vips_keep_within_a_packet() -> None:
    blocks = "".join(
        SERVICE.replace("virtual web", f"virtual v{n}").replace(
            "192.0.2.10 eth0:1", f"203.0.113.{n} eth0:{n}"
        )
        for n in range(1, 255)
    )
    more = "".join(
        SERVICE.replace("virtual web", f"virtual w{n}").replace(
            "192.0.2.10 eth0:1", f"198.51.100.{n} eth0:3{n}"
        )
        for n in range(1, 4)
    )
    config = director_file(converted(GLOBAL + blocks + more))
    assert "virtual_ipaddress_excluded {\n        198.51.100.2/24" in config
