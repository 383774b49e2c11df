"""Which machines there are, and what each is to do."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from drctl.model.configuration import Configuration
from drctl.model.pair import Rank
from drctl.model.service import (
    DIRECT,
    MASQUERADE,
    TUNNEL,
    Forwarding,
    GroupEntry,
    MarkRule,
    RealServer,
    ServiceGroup,
    SorryServer,
    VirtualService,
)
from drctl.model.vrrp import UnicastPeer, Vip, VrrpInstance
from drctl.render.host import Host, Names, Port, hosts_of


def service(address: str | None = "192.0.2.10", *servers: str, **names: object) -> VirtualService:
    values: dict[str, object] = {
        "address": address,
        "port": 80,
        "protocol": "tcp",
        "forwarding": Forwarding(DIRECT),
        "real_servers": tuple(RealServer(server, 80) for server in servers),
    }
    return VirtualService(**{**values, **names})  # type: ignore[arg-type]


def instance(*vips: Vip, **names: object) -> VrrpInstance:
    return VrrpInstance("one", vips=vips, **names)  # type: ignore[arg-type]


def view(
    services: Sequence[VirtualService] = (),
    instances: Sequence[VrrpInstance] = (),
    groups: Sequence[ServiceGroup] = (),
) -> Configuration:
    return Configuration(
        services=tuple(services), instances=tuple(instances), service_groups=tuple(groups)
    )


def machines(primary: Configuration, backup: Configuration | None = None) -> dict[str, Host]:
    return {host.name: host for host in hosts_of(primary, backup, Names())}


def test_hosts_server_of_two_services_is_one_machine() -> None:
    found = machines(
        view([service("192.0.2.10", "192.0.2.21"), service("192.0.2.11", "192.0.2.21")])
    )
    assert list(found) == ["primary", "192.0.2.21"]
    assert [b.vip for b in found["192.0.2.21"].bindings] == ["192.0.2.10", "192.0.2.11"]


def test_hosts_two_ports_of_a_vip_are_one_binding() -> None:
    both = [service("192.0.2.10", "192.0.2.21", port=port) for port in (443, 80)]
    (binding,) = machines(view(both))["192.0.2.21"].bindings
    assert binding.ports == (Port("tcp", 80), Port("tcp", 443))


def test_hosts_same_views_add_nothing() -> None:
    one = view([service("192.0.2.10", "192.0.2.21")])
    assert machines(one, one)["192.0.2.21"] == machines(one)["192.0.2.21"]


def test_hosts_server_of_the_backup_view_only_is_a_machine_too() -> None:
    backup = view([service("192.0.2.10", "192.0.2.22")])
    found = machines(view([service("192.0.2.10", "192.0.2.21")]), backup)
    assert list(found) == ["primary", "backup", "192.0.2.21", "192.0.2.22"]


def test_hosts_names_decide_folders_and_join_addresses() -> None:
    names = Names("lb1", "lb2", {"192.0.2.21": "web", "192.0.2.22": "web"})
    found = hosts_of(view([service("192.0.2.10", "192.0.2.22", "192.0.2.21")]), None, names)
    assert [host.name for host in found] == ["lb1", "web"]
    assert found[1].addresses == ("192.0.2.21", "192.0.2.22")


def test_hosts_ipv6_spellings_are_one_machine() -> None:
    found = machines(
        view(
            [
                service("2001:db8::10", "2001:db8::21"),
                service("2001:db8:0::11", "2001:0db8::0021"),
            ]
        )
    )
    assert list(found) == ["primary", "2001-db8--21"]


def test_hosts_sorry_server_is_a_machine() -> None:
    sorry = SorryServer("192.0.2.29", 80)
    found = machines(view([service("192.0.2.10", "192.0.2.21", sorry_server=sorry)]))
    assert found["192.0.2.29"].bindings[0].method == DIRECT


def test_hosts_server_forwarding_wins_over_the_service_and_default_is_masquerading() -> None:
    own = RealServer("192.0.2.21", 80, forwarding=Forwarding(DIRECT))
    other = RealServer("192.0.2.22", 80)
    found = machines(view([service(real_servers=(own, other), forwarding=None)]))
    assert found["192.0.2.21"].bindings[0].method == DIRECT
    assert found["192.0.2.22"].bindings[0].method == MASQUERADE


def test_hosts_mark_rules_give_vips_and_ports() -> None:
    rules = (MarkRule("192.0.2.10", "tcp", 80), MarkRule("192.0.2.10", "tcp", 443))
    found = machines(view([service(None, "192.0.2.21", mark=7, mark_rules=rules)]))
    (binding,) = found["192.0.2.21"].bindings
    assert (binding.vip, binding.mark) == ("192.0.2.10", 7)
    assert binding.ports == (Port("tcp", 80), Port("tcp", 443))


def test_hosts_bare_mark_takes_vips_of_the_family_on_all_ports_and_says_so() -> None:
    vips = instance(Vip("192.0.2.10"), Vip("2001:db8::10", is_excluded=True))
    marked = service(None, "192.0.2.21", mark=7)
    found = machines(view([marked], [vips]))
    (binding,) = found["192.0.2.21"].bindings
    assert (binding.vip, binding.ports) == ("192.0.2.10", (Port(),))
    assert [loss.feature for loss in found["primary"].losses] == ["service.mark"]


@pytest.mark.parametrize("last", ["192.0.2.12", "12"])
def test_hosts_group_range_is_written_out(last: str) -> None:
    group = ServiceGroup("g", (GroupEntry("192.0.2.10", last, 80), GroupEntry(mark=3)))
    found = machines(view([service(None, "192.0.2.21", group="g")], groups=[group]))
    vips = [b.vip for b in found["192.0.2.21"].bindings]
    assert vips == ["192.0.2.10", "192.0.2.11", "192.0.2.12"]


def test_hosts_huge_range_is_a_loss() -> None:
    group = ServiceGroup("g", (GroupEntry("10.0.0.0", "10.255.255.255", 80),))
    found = machines(view([service(None, "192.0.2.21", group="g")], groups=[group]))
    assert list(found) == ["primary"]
    assert [loss.feature for loss in found["primary"].losses] == ["service.range"]


def test_hosts_group_that_is_not_defined_is_a_loss() -> None:
    found = machines(view([service(None, "192.0.2.21", group="g")]))
    assert [loss.feature for loss in found["primary"].losses] == ["service.group"]


def test_hosts_switched_off_service_and_server_give_nothing() -> None:
    off = RealServer("192.0.2.22", is_active=False)
    found = machines(
        view([service("192.0.2.10", "192.0.2.21", is_active=False), service(real_servers=(off,))])
    )
    assert list(found) == ["primary"]


def test_hosts_loopback_and_own_vip_are_no_machines() -> None:
    one = view([service("192.0.2.10", "127.0.0.1", "192.0.2.10")], [instance(Vip("192.0.2.10"))])
    found = machines(one)
    assert list(found) == ["primary"]
    assert [loss.feature for loss in found["primary"].losses] == ["real-server.vip"]


def test_hosts_host_name_is_a_machine_without_an_address() -> None:
    found = machines(view([service("192.0.2.10", "web.example")]))
    assert found["web.example"].addresses == ()
    assert [loss.feature for loss in found["web.example"].losses] == ["real-server.name"]


def test_hosts_director_that_is_a_real_server_is_one_machine() -> None:
    ends = ("192.0.2.1", "192.0.2.2")
    primary, backup = (
        view(
            [service("192.0.2.10", *ends)],
            [instance(unicast_source=own, unicast_peers=(UnicastPeer(peer),))],
        )
        for own, peer in (ends, reversed(ends))
    )
    found = machines(primary, backup)
    assert list(found) == ["primary", "backup"]
    assert found["primary"].rank is Rank.PRIMARY
    assert [b.real_address for b in found["backup"].bindings] == ["192.0.2.2"]


@pytest.mark.parametrize(
    ("vip", "features"),
    [
        (Vip("2001:db8::10", 64), ["vip.tunnel-source"]),
        (Vip("2001:db8::10", 64, options=("preferred_lft", "0")), []),
        (Vip("2001:db8::10", 128), []),
        (Vip("2001:db8::10"), []),
    ],
)
def test_hosts_ipv6_vip_that_a_tunnel_may_come_from_is_a_loss(
    vip: Vip, features: list[str]
) -> None:
    tunnelled = service("2001:db8::10", "2001:db8::21", forwarding=Forwarding(TUNNEL))
    found = machines(view([tunnelled, tunnelled], [instance(vip)]))
    assert [loss.feature for loss in found["primary"].losses] == features


def masqueraded(*vips: Vip) -> Host:
    nat = service("198.51.100.10", "192.0.2.21", forwarding=Forwarding(MASQUERADE))
    return machines(view([nat], [instance(Vip("198.51.100.10", 24), *vips)]))["192.0.2.21"]


def test_hosts_gateway_is_the_vip_in_the_servers_network() -> None:
    (gateway,) = masqueraded(Vip("203.0.113.1", 24), Vip("192.0.2.254", 24)).gateways
    assert gateway.address == "192.0.2.254"


def test_hosts_gateway_without_a_mask_is_taken_when_it_is_the_only_near_one() -> None:
    (gateway,) = masqueraded(Vip("192.0.2.254", 32)).gateways
    assert gateway.address == "192.0.2.254"


@pytest.mark.parametrize(
    "vips", [(), (Vip("203.0.113.1", 24),), (Vip("192.0.2.254"), Vip("192.0.2.253"))]
)
def test_hosts_without_a_clear_gateway_lose_it(vips: tuple[Vip, ...]) -> None:
    host = masqueraded(*vips)
    assert host.gateways == ()
    assert [loss.feature for loss in host.losses] == ["gateway"]
