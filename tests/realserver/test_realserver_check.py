"""`drctl realserver check` on real kernels: healthy hosts raise nothing, each fault is named."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from netns_case import Host, segment
from verify_case import CONFIGURATION, OTHER_VIP, VIP, VIP6, keep_silent, listening

from drctl.adapters.boot_units import enable_below
from drctl.adapters.listening import listeners, shown
from drctl.cli._setup import read_setup
from drctl.realserver.compare import compare
from drctl.realserver.read import read_boot, read_kernel
from drctl.realserver.value import Difference, Wanted
from drctl.realserver.wanted import wanted_of
from drctl.render.options import RenderOptions
from tools import need

OWN = "192.0.2.21"
HELD = ("sysctl", "arptables", "nftables")
REDIRECTED = ("nft-redirect", "iptables")


class Server:
    """A real server, set up right by a method."""

    def __init__(self, host: Host, wanted: Wanted) -> None:
        self.host = host
        self.wanted = wanted

    def differences(self) -> tuple[Difference, ...]:
        with self.host.inside():
            kernel = read_kernel(self.wanted)
        return compare(self.wanted, kernel, None)

    def nft(self, text: str) -> None:
        self.host.run("nft", "-f", "-", stdin=text)

    def arptables(self, *words: str) -> None:
        self.host.run("arptables-legacy", *words)


def wanted_by(folder: Path, method: str) -> Wanted:
    path = folder / "keepalived.conf"
    path.write_text(CONFIGURATION)
    setup = read_setup(str(path), "auto")
    return wanted_of(setup.hosts, OWN, RenderOptions(setup.source, method))


def set_up(server: Server) -> None:
    """By hand what the generated programs do."""
    host, method = server.host, server.wanted.plan.method
    if method == "sysctl":
        keep_silent(host)
    elif method == "arptables":
        need("arptables-legacy", "arptables")
        for vip in (VIP, OTHER_VIP):
            server.arptables("-A", "INPUT", "-d", vip, "-j", "DROP")
            mangle = ("-j", "mangle", "--mangle-ip-s", OWN)
            server.arptables("-A", "OUTPUT", "-s", vip, *mangle)
    else:
        need("nft", "nftables")
        for file in server.wanted.files:
            if file.path.endswith(".nft"):
                server.nft(file.text)
            elif file.path.endswith("tables.rules"):
                tool = "ip6tables-restore" if "ip6" in file.path else "iptables-restore"
                host.run(need(tool, "iptables"), "--noflush", stdin=file.text)
    if method in HELD:
        for vip in (f"{VIP}/32", f"{OTHER_VIP}/32"):
            host.ip("address", "add", vip, "dev", "lo")


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with segment() as made, ExitStack() as stack:
        found = Server(made.host("web1", f"{OWN}/24"), wanted_by(tmp_path, request.param))
        set_up(found)
        stack.enter_context(listening(found.host))
        yield found


@pytest.mark.parametrize("server", [*HELD, *REDIRECTED], indirect=True)
def test_check_healthy_host_raises_nothing(server: Server) -> None:
    assert server.differences() == ()


def _gone(server: Server) -> None:
    server.host.ip("address", "del", f"{VIP}/32", "dev", "lo")


def _wide(server: Server) -> None:
    _gone(server)
    server.host.ip("address", "add", f"{VIP}/24", "dev", "lo")


def _on_card(server: Server) -> None:
    _gone(server)
    server.host.ip("address", "add", f"{VIP}/32", "dev", "eth0")


def _answers(server: Server) -> None:
    keep_silent(server.host, ignore=0)


def _announces(server: Server) -> None:
    keep_silent(server.host, announce=0)


def _other_card_alone(server: Server) -> None:
    keep_silent(server.host, 0, 2)
    server.host.ip("link", "add", "eth9", "type", "veth", "peer", "name", "eth8")
    server.host.ip_batch("link set eth9 up", "link set eth8 up")
    keep_silent(server.host, 1, 2, "eth9")


def _flush_nft(server: Server) -> None:
    server.host.run("nft", "flush", "ruleset")


def _nft(incoming: str, outgoing: str) -> Callable[[Server], None]:
    def change(server: Server) -> None:
        _flush_nft(server)
        server.nft(
            "table arp t {\nchain i {\ntype filter hook input priority 0\n" + incoming + "\n}\n"
            "chain o {\ntype filter hook output priority 0\n" + outgoing + "\n}\n}\n"
        )

    return change


BOTH = f"{{ {VIP}, {OTHER_VIP} }}"
RIGHT_OUT = f"arp saddr ip {BOTH} arp saddr ip set {OWN}"
RIGHT_IN = f"arp daddr ip {BOTH} drop"


def _held(server: Server) -> None:
    server.host.ip("address", "add", f"{VIP}/32", "dev", "lo")


def _no_jump(server: Server) -> None:
    server.host.run("iptables", "-t", "nat", "-F", "PREROUTING")


def _arptables(*rules: str) -> Callable[[Server], None]:
    def change(server: Server) -> None:
        server.arptables("-F")
        for rule in rules:
            server.arptables("-A", *rule.split())

    return change


def _out(vip: str) -> str:
    return f"OUTPUT -s {vip} -j mangle --mangle-ip-s {OWN}"


IN = (f"INPUT -d {VIP} -j DROP", f"INPUT -d {OTHER_VIP} -j DROP")
OUT = (_out(VIP), _out(OTHER_VIP))

FAULTS: list[tuple[str, Callable[[Server], None], str, str, str]] = [
    ("sysctl", _gone, f"address {VIP}", "not there", "packets for it are not taken"),
    ("sysctl", _wide, f"address {VIP}", f"{VIP}/24 on lo", "takes all of 192.0.2.0/24 for itself"),
    ("sysctl", _on_card, f"address {VIP}", f"{VIP}/32 on eth0", "eth0 answers for it whatever"),
    ("sysctl", _answers, "arp_ignore on eth0", "0 (all 0, eth0 0)", "past the director"),
    ("sysctl", _announces, "arp_announce on eth0", "0 (all 0, eth0 0)", "past the director"),
    ("sysctl", _other_card_alone, "arp_ignore on eth0", "0 (all 0, eth0 0)", "spoken for on eth0"),
    ("nftables", _flush_nft, f"silence about {VIP}", "no nftables rule", "answers ARP for it"),
    ("nftables", _nft(RIGHT_IN, ""), f"silence about {VIP}", "no nftables rule", "learns its MAC"),
    (
        "nftables",
        _nft(f"arp saddr ip {BOTH} drop", RIGHT_OUT),
        f"silence about {VIP}",
        "matches the source, a request for the VIP has it as its target",
        "answers ARP for it",
    ),
    (
        "nftables",
        _nft("", f"{RIGHT_IN}\n{RIGHT_OUT}"),
        f"silence about {OTHER_VIP}",
        "in the chain of outgoing ARP",
        "answers ARP for it",
    ),
    (
        "nftables",
        _nft(f"iifname eth7 {RIGHT_IN}", RIGHT_OUT),
        f"silence about {VIP}",
        "for eth7 alone",
        "answers ARP for it",
    ),
    (
        "nftables",
        _nft(f"accept\n{RIGHT_IN}", RIGHT_OUT),
        f"silence about {VIP}",
        "arp_ignore is 0 on eth0",
        "answers ARP for it",
    ),
    ("arptables", _arptables(), f"silence about {VIP}", "no arptables rule", "answers ARP for it"),
    (
        "arptables",
        _arptables(IN[0], *OUT),
        f"silence about {OTHER_VIP}",
        "no arptables rule",
        "ARP",
    ),
    (
        "arptables",
        _arptables(f"INPUT -s {VIP} -j DROP", IN[1], *OUT),
        f"silence about {VIP}",
        "matches the source",
        "answers ARP for it",
    ),
    (
        "arptables",
        _arptables(*(rule.replace("INPUT", "OUTPUT") for rule in IN), *OUT),
        f"silence about {VIP}",
        "in the chain of outgoing ARP",
        "answers ARP for it",
    ),
    (
        "arptables",
        _arptables(*IN, f"OUTPUT -d {VIP} -j mangle --mangle-ip-s {OWN}", OUT[1]),
        f"silence about {VIP}",
        "matches the target, an announced VIP is the source",
        "learns its MAC",
    ),
    (
        "nft-redirect",
        _flush_nft,
        f"redirection of {VIP} tcp/80",
        "none",
        "packets for it are not taken",
    ),
    (
        "nft-redirect",
        _held,
        f"address {VIP}",
        f"{VIP}/32 on lo",
        "this host answers ARP for it",
    ),
    (
        "iptables",
        _no_jump,
        f"redirection of {VIP} tcp/80",
        "none",
        "packets for it are not taken",
    ),
]


@pytest.mark.parametrize(
    ("server", "breaks", "what", "actual", "effect"), FAULTS, indirect=["server"]
)
def test_check_fault_is_named_with_what_a_client_sees(
    server: Server, breaks: Callable[[Server], None], what: str, actual: str, effect: str
) -> None:
    breaks(server)
    found = [one for one in server.differences() if one.what == what]
    assert any(actual in one.actual and effect in one.effect for one in found), found


ALL_BUT_OWN = f"policy drop\narp daddr ip {OWN} accept\narp operation reply accept"


@pytest.mark.parametrize("change", [_nft(RIGHT_IN, RIGHT_OUT), _nft(ALL_BUT_OWN, RIGHT_OUT)])
@pytest.mark.parametrize("server", ["nftables"], indirect=True)
def test_check_rules_of_another_shape_that_do_the_same_raise_nothing(
    server: Server, change: Callable[[Server], None]
) -> None:
    change(server)
    assert server.differences() == ()


@pytest.mark.parametrize("server", ["sysctl"], indirect=True)
def test_check_service_that_nobody_serves_is_told(server: Server) -> None:
    with segment() as made:
        host = made.host("web2", f"{OWN}/24")
        lonely = Server(host, server.wanted)
        set_up(lonely)
        with listening(host, OWN):
            [first, second] = lonely.differences()
    assert first.what == f"service {VIP} tcp/80"
    assert first.actual == f"on {OWN} only"
    assert second.what == f"service {OTHER_VIP} tcp/80"


def test_check_boot_files_that_are_missing_differ_or_are_overruled(tmp_path: Path) -> None:
    wanted = wanted_by(tmp_path, "sysctl")
    root = tmp_path / "root"
    for file in wanted.files:
        path = root / file.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)
        path.chmod(file.mode)
    for unit in ("drctl-arp.service", "drctl-vip.service"):
        assert enable_below(root, unit)
    assert compare(wanted, None, read_boot(wanted, root)) == ()
    (root / "usr/libexec/drctl/drctl-vip").unlink()
    (root / "usr/libexec/drctl/drctl-arp").write_text("#!/bin/sh\n")
    (root / "etc/sysctl.d/zz-late.conf").write_text("net/ipv4/conf/all/arp_ignore = 0\n")
    found = {one.what: one for one in compare(wanted, None, read_boot(wanted, root))}
    assert found["file /usr/libexec/drctl/drctl-vip"].actual == "not there"
    assert found["file /usr/libexec/drctl/drctl-arp"].actual == "another content"
    overruled = found["net.ipv4.conf.all.arp_ignore at boot"]
    assert overruled.actual == "0, set last by /etc/sysctl.d/zz-late.conf"
    assert len(found) == 3


@pytest.mark.parametrize("server", ["sysctl"], indirect=True)
def test_check_command_prints_differences_and_its_exit_code(server: Server, tmp_path: Path) -> None:
    def check(*words: str) -> subprocess.CompletedProcess[str]:
        path = str(tmp_path / "keepalived.conf")
        command = [sys.executable, "-m", "drctl", "realserver", "check", path, *words]
        return subprocess.run(
            server.host.command(*command), capture_output=True, text=True, check=False
        )

    good = check("--host", OWN, "--runtime")
    assert (good.returncode, good.stdout) == (0, f"{OWN}: as it is to be\n")
    _gone(server)
    bad = check("--host", OWN, "--runtime", "--json")
    told = json.loads(bad.stdout)
    assert bad.returncode == 1
    assert (told["schema"], told["host"], told["method"]) == (1, OWN, "sysctl")
    assert [one["what"] for one in told["differences"]] == [f"address {VIP}"]
    nobody = check("--host", "web9", "--runtime")
    assert nobody.returncode == 2
    assert "192.0.2.21, 192.0.2.22" in nobody.stderr


def test_check_leaves_ipv6_vips_without_service_alone(tmp_path: Path) -> None:
    wanted = wanted_by(tmp_path, "sysctl")
    assert VIP6 not in {line.vip for line in wanted.plan.addresses}


@pytest.mark.parametrize("server", ["sysctl"], indirect=True)
def test_sockets_of_proc_are_those_that_the_kernel_tells_of(server: Server) -> None:
    with server.host.inside():
        told, in_proc = listeners(), [*shown("tcp"), *shown("udp")]
    assert told
    assert {(one.protocol, one.address, one.port) for one in told} == {
        (one.protocol, one.address, one.port) for one in in_proc
    }
