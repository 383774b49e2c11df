"""Hosts, cards and routes that the lab makes of a configuration."""

from __future__ import annotations

from ipaddress import ip_interface

import pytest
from lab_case import PAIR, VIRTUAL, scenario

from drctl.errors import UsageError
from drctl.lab.plan import NONE, LabHost, Trial
from drctl.lab.scenario import Scenario, scenario_of
from drctl.readers.keepalived import read
from drctl.syntax.parser import parse_bytes

MASQUERADED = PAIR.replace("direct", "nat") + "nat_router = 198.51.100.254 eth1:1\n"
BEHIND = VIRTUAL.replace("192.0.2.11", "198.51.100.11").replace("192.0.2.12", "198.51.100.12")


def host(found: Scenario, name: str) -> LabHost:
    return next(h for h in found.hosts if h.name == name)


def cards(one: LabHost) -> dict[str, tuple[str, ...]]:
    return {port.name: port.addresses for port in one.ports}


def test_topology_of_a_pair_has_every_host_with_its_address() -> None:
    found = scenario(PAIR + VIRTUAL)
    assert [(h.name, h.roles) for h in found.hosts] == [
        ("client", ("client",)),
        ("primary", ("director",)),
        ("backup", ("director",)),
        ("web1", ("real-server",)),
        ("web2", ("real-server",)),
    ]
    assert cards(host(found, "primary")) == {"eth0": ("192.0.2.1/24",)}
    assert cards(host(found, "web2")) == {"eth0": ("192.0.2.12/24",)}
    assert [(vip.address, vip.segment) for vip in found.vips] == [("192.0.2.80", "eth0")]


def test_topology_macs_are_all_different() -> None:
    found = scenario(PAIR + VIRTUAL)
    macs = [port.mac for h in found.hosts for port in h.ports]
    assert len(set(macs)) == len(macs)


def test_topology_client_is_outside_every_network_and_reaches_the_vip() -> None:
    client = host(scenario(PAIR + VIRTUAL), "client")
    address = ip_interface(client.ports[0].addresses[0])
    assert address not in ip_interface("192.0.2.1/24").network
    assert "192.0.2.80/32" in {route.destination for route in client.routes}


def test_topology_interface_names_are_those_of_the_configuration() -> None:
    text = (PAIR + VIRTUAL).replace("eth0:1", "bond0:7")
    found = scenario(text)
    assert list(cards(host(found, "primary"))) == ["bond0"]
    assert found.vips[0].segment == "bond0"


def test_topology_private_network_is_a_segment_of_its_own() -> None:
    private = "primary_private = 198.51.100.1\nbackup_private = 198.51.100.2\n"
    found = scenario(private + PAIR + VIRTUAL)
    assert cards(host(found, "backup"))["eth1"] == ("198.51.100.2/24",)
    assert len(host(found, "client").ports) == 1


def test_topology_masquerading_puts_real_servers_behind_the_gateway() -> None:
    found = scenario(MASQUERADED + BEHIND)
    web1 = host(found, "web1")
    assert [port.segment for port in web1.ports] == ["eth1"]
    client = host(found, "client")
    assert [port.segment for port in client.ports] == ["eth0"]
    assert [(vip.address, vip.is_asked) for vip in found.vips] == [
        ("192.0.2.80", True),
        ("198.51.100.254", False),
    ]
    address = client.ports[0].addresses[0]
    assert address not in {route.destination for route in web1.routes}


def test_topology_direct_real_servers_on_the_private_network_reach_the_client() -> None:
    private = "primary_private = 198.51.100.1\nbackup_private = 198.51.100.2\n"
    found = scenario(private + PAIR + BEHIND)
    assert [port.segment for port in host(found, "client").ports] == ["eth0", "eth1"]
    address = host(found, "client").ports[0].addresses[0]
    assert address in {route.destination for route in host(found, "web1").routes}


def test_topology_real_server_elsewhere_is_put_on_the_link_and_noted() -> None:
    found = scenario((PAIR + VIRTUAL).replace("192.0.2.12", "10.9.8.7"))
    assert any("10.9.8.7" in note for note in found.notes)
    assert "10.9.8.7/32" in {r.destination for r in host(found, "primary").routes}


def test_topology_director_that_serves_itself_is_one_host() -> None:
    found = scenario((PAIR + VIRTUAL).replace("192.0.2.12", "192.0.2.2"))
    assert host(found, "backup").roles == ("director", "real-server")
    assert [h.name for h in found.hosts].count("backup") == 1
    assert dict(found.flows[0].weights) == {"web1": 1, "backup": 1}


def test_topology_real_server_called_client_keeps_its_name() -> None:
    found = scenario((PAIR + VIRTUAL).replace("web1", "client"))
    assert host(found, "client").roles == ("real-server",)
    assert host(found, "client-2").roles == ("client",)


def test_topology_without_a_service_is_refused() -> None:
    with pytest.raises(UsageError, match="no virtual service"):
        scenario(PAIR)


def test_topology_of_too_many_hosts_is_refused() -> None:
    servers = "".join(
        f"server s{n} {{\naddress = 192.0.2.{n}\nactive = 1\nweight = 1\n}}\n"
        for n in range(100, 170)
    )
    with pytest.raises(UsageError, match="more than a lab holds"):
        scenario(PAIR + VIRTUAL.replace("  server web1 {", servers + "  server web1 {"))


def test_scenario_without_a_backup_takes_no_link_down() -> None:
    found = scenario((PAIR + VIRTUAL).replace("backup_active = 1", "backup_active = 0"))
    assert not found.has_pair
    assert any("one director only" in note for note in found.notes)


def test_scenario_none_with_masquerading_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing can be hijacked"):
        scenario(MASQUERADED + BEHIND).plan((Trial(NONE, "/out", "legacy"),), 1.0)


def test_scenario_takeover_limit_follows_the_deadtime() -> None:
    slow = PAIR.replace("keepalive = 1", "keepalive = 6").replace("deadtime = 3", "deadtime = 18")
    quick, late = scenario(PAIR + VIRTUAL), scenario(slow + VIRTUAL)
    assert late.takeover_limit_ms - quick.takeover_limit_ms >= 15_000


INSTANCE = """\
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 2
    virtual_ipaddress {
        192.0.2.80/24
    }
}
virtual_server 192.0.2.80 80 {
    lb_kind DR
    protocol TCP
    real_server 192.0.2.11 80 {
        TCP_CHECK {
        }
    }
}
"""


def test_scenario_with_a_director_that_preempts_waits_until_it_has() -> None:
    def stable_ms(text: str) -> int:
        return scenario_of(read(parse_bytes("k.conf", text.encode(), "keepalived"))).stable_ms

    assert stable_ms(INSTANCE) == 8000
    assert stable_ms(INSTANCE.replace("    priority", "    nopreempt\n    priority")) == 0
    assert scenario(PAIR + VIRTUAL).stable_ms == 0


def test_scenario_none_with_directors_as_the_only_real_servers_is_refused() -> None:
    text = (PAIR + VIRTUAL).replace("192.0.2.12", "192.0.2.2").replace("192.0.2.11", "192.0.2.1")
    with pytest.raises(UsageError, match="all real servers are directors"):
        scenario(text).plan((Trial(NONE, "/out", "legacy"),), 1.0)
