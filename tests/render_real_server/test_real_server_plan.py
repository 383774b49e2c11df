"""What a real server's files say, from the machine's bindings."""

from __future__ import annotations

import itertools

import pytest
from real_server_cases import HOSTS, RIP, VIP, VIP6, binding, gateway, rendering, texts

from drctl.errors import UnsafeValue
from drctl.model.pair import Rank
from drctl.model.service import MASQUERADE, TUNNEL
from drctl.render.host import Host, Port
from drctl.render.options import ARP_METHODS, MARKS, NETS
from drctl.render.rendered import RenderedFile, Rendering, Stage
from drctl.text.place import Place

ARPTABLES = "/etc/drctl/arptables.rules"
VIP_PROGRAM = "/usr/libexec/drctl/drctl-vip"
HOLDING = [method for method in ARP_METHODS if method not in {"iptables", "nft-redirect"}]


def features(made: Rendering) -> list[str]:
    return [loss.feature for loss in made.losses]


def test_plan_services_of_one_vip_give_one_rule_each_way() -> None:
    two = (binding(ports=(Port("tcp", 80),)), binding(ports=(Port(),), mark=1))
    text = texts(rendering(Host("rs1", (RIP,), two), "arptables"))[ARPTABLES]
    rules = [line for line in text.splitlines() if line.startswith("-A")]
    assert rules == [
        f"-A INPUT -d {VIP} -j DROP",
        f"-A OUTPUT -s {VIP} -j mangle --mangle-ip-s {RIP}",
    ]


def test_plan_arptables_jf_speaks_in_and_out_and_needs_no_systemd() -> None:
    files = texts(rendering("direct", "arptables_jf", "systemd"))
    assert f"-A IN -d {VIP} -j DROP" in files["/etc/sysconfig/arptables"].splitlines()
    assert "/etc/sysconfig/network-scripts/ifcfg-lo:1" in files
    assert not [path for path in files if "systemd" in path]
    assert features(rendering("direct", "arptables_jf", "systemd")) == ["net"]


@pytest.mark.parametrize("method", ["iptables", "nft-redirect"])
def test_plan_redirecting_methods_give_the_server_no_vip(method: str) -> None:
    for net in NETS:
        files = texts(rendering("both-families", method, net))
        assert VIP_PROGRAM not in files
        assert not [path for path in files if "ifcfg" in path or "interfaces" in path]


@pytest.mark.parametrize(
    ("method", "path"),
    [("iptables", "/etc/drctl/iptables.rules"), ("nft-redirect", "/etc/drctl/redirect.nft")],
)
def test_plan_line_for_all_ports_covers_single_ones(method: str, path: str) -> None:
    two = (binding(), binding(ports=(Port(),), mark=1))
    text = texts(rendering(Host("rs1", (RIP,), two), method))[path]
    assert text.lower().count(" redirect") - text.lower().count("# ") <= text.count(VIP)
    assert text.count(VIP) == 1


def test_plan_tunnelled_vip_is_on_the_tunnel_and_checked_loosely() -> None:
    files = texts(rendering("tunnel"))
    program = files[VIP_PROGRAM]
    assert "    add 198.51.100.10/32 tunl0\n" in program
    assert f"    add {VIP6}/128 ip6tnl0\n" in program
    assert "net.ipv4.conf.tunl0.rp_filter = 2" in files["/etc/sysctl.d/99-zz-drctl-arp.conf"]
    modules = files["/etc/modules-load.d/drctl.conf"].splitlines()
    assert [word for word in modules if not word.startswith("#")] == ["ip6_tunnel", "ipip"]


def test_plan_vip_of_tunnel_and_direct_routing_is_on_lo_once() -> None:
    both = (binding(), binding(VIP, TUNNEL))
    program = texts(rendering(Host("rs1", (RIP,), both)))[VIP_PROGRAM]
    assert [line.split() for line in program.splitlines() if line.startswith("    add")] == [
        ["add", f"{VIP}/32", "lo"],
        ["add_own", f"{RIP}/32", "tunl0"],
    ]
    assert "ip link set dev tunl0 up" in program


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("arp", ["iptables", "nft-redirect"])
def test_plan_redirecting_tunnel_has_an_address_of_its_own_and_comes_up(arp: str, net: str) -> None:
    files = texts(rendering("tunnel", arp, net))
    program = files[VIP_PROGRAM]
    assert f"    add_own {RIP}/32 tunl0\n" in program
    assert "198.51.100.10" not in program
    starters = {
        "systemd": ["/etc/systemd/system/drctl-vip.service"],
        "networkd": [f"/etc/systemd/network/00-drctl-{d}.network" for d in ("tunl0", "ip6tnl0")],
        "networkmanager": ["/etc/systemd/system/drctl-vip.service"],
        "ifcfg": ["/sbin/ifup-local"],
        "ifupdown": ["/etc/network/interfaces.d/drctl"],
    }[net]
    assert set(starters) <= set(files)


@pytest.mark.parametrize(
    ("broken", "feature"),
    [
        (binding(VIP, TUNNEL, options=("type gue port 6080",)), "forwarding.tunnel-type"),
        (binding(VIP, TUNNEL, options=("type", "gre")), "forwarding.tunnel-type"),
        (binding(VIP, TUNNEL, real="2001:db8::21"), "forwarding.tunnel-family"),
    ],
)
def test_plan_tunnel_that_no_device_takes_is_a_loss(broken: object, feature: str) -> None:
    made = rendering(Host("rs1", (RIP,), (broken,)))  # type: ignore[arg-type]
    assert features(made) == [feature]
    assert made.files == ()


def test_plan_masqueraded_server_gets_the_way_back_and_no_vip() -> None:
    files = texts(rendering("masquerade"))
    assert "start_default -4 192.0.2.254" in files["/usr/libexec/drctl/drctl-route"]
    assert VIP_PROGRAM not in files


def test_plan_mixed_server_sends_only_its_own_address_through_the_director() -> None:
    route = texts(rendering("mixed"))["/usr/libexec/drctl/drctl-route"]
    assert f"from {RIP} table 5390" in route
    assert "route replace default via 192.0.2.254 table 5390" in route
    assert "start_default" not in route


@pytest.mark.parametrize("marks", MARKS)
@pytest.mark.parametrize("arp", ARP_METHODS)
def test_plan_director_holds_nothing_and_redirects_only_on_standby(arp: str, marks: str) -> None:
    files = texts(rendering("director", arp, "systemd", marks))
    assert VIP_PROGRAM not in files
    assert not [path for path in files if "sysctl" in path or "arptables" in path]
    rules = "".join(text for path, text in files.items() if path.startswith("/etc/drctl/"))
    condition = "fib daddr type != local" if marks == "nftables" else "! --dst-type LOCAL"
    lines = [line for line in rules.splitlines() if " daddr " in line or " -d " in line]
    assert len(lines) == 4
    assert all(
        condition in line and "dnat to" in line.replace("DNAT --to", "dnat to") for line in lines
    )


def test_plan_director_as_masqueraded_server_is_a_loss() -> None:
    host = Host("lb1", (RIP,), (binding(VIP, MASQUERADE),), (gateway(),), rank=Rank.BACKUP)
    made = rendering(host)
    assert (features(made), made.files) == (["director.masqueraded"], ())


@pytest.mark.parametrize("arp", ["arptables", "nftables"])
def test_plan_ipv6_vip_needs_no_rule_and_the_file_says_why(arp: str) -> None:
    files = texts(rendering("ipv6-only", arp))
    assert sorted(files) == ["/etc/systemd/system/drctl-vip.service", VIP_PROGRAM]
    assert "neighbour solicitation" in files[VIP_PROGRAM]


def test_plan_server_known_by_name_cannot_announce_itself() -> None:
    nameless = binding()
    nameless = type(nameless)(VIP, nameless.method, None, nameless.ports, origins={"": ()})
    made = rendering(Host("web.example", (), (nameless,)), "arptables")
    assert features(made) == ["arp.announce"]
    assert "-A OUTPUT" not in texts(made)[ARPTABLES]


def everything() -> list[tuple[str, str, str, str]]:
    return list(itertools.product(HOSTS, ARP_METHODS, NETS, MARKS))


def test_rendering_of_all_choices_is_the_same_every_time_and_in_order() -> None:
    for choice in everything():
        made = rendering(*choice)
        assert made == rendering(*choice)
        paths = [file.path for file in made.files]
        assert paths == sorted(set(paths)), choice
        stages = [step.stage for step in made.steps]
        assert stages == sorted(stages), choice
        for file in (*made.files, *made.installers):
            assert file.text.endswith("\n"), (choice, file.path)
            assert "\n\n\n" not in file.text, (choice, file.path)
            assert not [line for line in file.text.splitlines() if line != line.rstrip()]


def test_rendering_of_all_choices_makes_rules_before_the_address() -> None:
    for case, arp, net in itertools.product(["direct", "tunnel"], HOLDING, NETS):
        made = rendering(case, arp, net)
        first, *_ = made.steps
        assert first.stage < Stage.ADDRESS
        assert "drctl-arp start" in first.activate
        files = texts(made)
        before = {
            "systemd": "/etc/systemd/system/drctl-arp.service",
            "networkd": "/etc/systemd/system/drctl-arp.service",
            "networkmanager": "/etc/systemd/system/drctl-arp.service",
            "ifcfg": "/sbin/ifup-pre-local",
            "ifupdown": "/etc/network/interfaces.d/drctl",
        }[net if arp != "arptables_jf" else "ifcfg"]
        if arp == "arptables_jf" and case == "direct":
            assert "chkconfig --level 2345 arptables_jf on" in made.steps[-1].activate
        else:
            assert "drctl-arp start" in files[before]


def test_rendering_line_of_a_vip_carries_the_places_it_came_from() -> None:
    place = Place("lvs.cf", 7, 1, 7, 20)
    plain = binding()
    marked = type(plain)(VIP, plain.method, RIP, plain.ports, origins={"": (place,)})
    for arp in ARP_METHODS:
        made = rendering(Host("rs1", (RIP,), (marked,)), arp)
        found = {p for file in made.files for places in file.origins.values() for p in places}
        assert found == {place}, arp


@pytest.mark.parametrize(
    "path", ["relative", "/etc//x", "/etc/../x", "/etc/a b", "/etc/a\nb", "/etc/a\\b"]
)
def test_installers_path_that_is_no_plain_path_is_refused(path: str) -> None:
    from drctl.render.install import with_installers

    with pytest.raises(UnsafeValue):
        with_installers(Rendering("rs1", (RenderedFile(path, "x\n"),)), "lvs.cf")


@pytest.mark.parametrize("source", ["a\nb", "a\x00b", "a\u2028b", "a\rb"])
def test_rendering_source_name_that_breaks_a_comment_is_refused(source: str) -> None:
    from drctl.render.options import RenderOptions
    from drctl.render.real_server import render_real_server

    for arp in ARP_METHODS:
        with pytest.raises(UnsafeValue):
            render_real_server(HOSTS["direct"], RenderOptions(source, arp))
