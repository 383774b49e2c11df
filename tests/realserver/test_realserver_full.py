"""`drctl realserver apply` and `remove` in full: kernel and boot files of a throw-away machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_server_box import Box, Segment
from verify_case import CONFIGURATION, VIP, vrrp_instance

from tools import need, need_root

OWN = "192.0.2.21"
PATH = "/srv/keepalived.conf"
MASQUERADED = f"""\
virtual_server {VIP} 25 {{
    lb_kind NAT
    real_server {OWN} 25 {{
    }}
}}
"""
IN_FULL = pytest.mark.skipif(
    os.environ.get("DRCTL_FULL", "") in {"", "0"}, reason="slow; runs with DRCTL_FULL=1"
)
WAYS = (
    ("sysctl", "systemd"),
    ("nftables", "ifupdown"),
    ("iptables", "ifcfg"),
    *(
        pytest.param(*one, marks=IN_FULL)
        for one in (
            ("nftables", "systemd"),
            ("arptables", "networkd"),
            ("nft-redirect", "networkmanager"),
            ("sysctl", "networkmanager"),
        )
    ),
)


class Server:
    """A machine with a card on a segment, and with something of its own."""

    def __init__(self, box: Box) -> None:
        self.box = box
        box.write(PATH, CONFIGURATION)

    def ask(self, action: str, method: str, net: str, *words: str) -> tuple[int, str]:
        env = ("env", "PYTHONDONTWRITEBYTECODE=1")
        options = ("--host", OWN, "--method", method, "--net", net, *words)
        command = (*env, sys.executable, "-m", "drctl", "realserver", action, PATH, *options)
        done = self.box.run(*command, check=False)
        return done.returncode, done.stdout + done.stderr

    def state(self) -> tuple[list[str], str]:
        """Files, and what the kernel has."""
        keys = [f"net.ipv4.conf.all.{name}" for name in ("arp_ignore", "arp_announce")]
        lines = [
            line
            for command in (
                ("ip", "-4", "-o", "addr"),
                ("ip", "-4", "route", "show", "table", "all"),
                ("ip", "rule"),
                ("sysctl", *keys),
                ("arptables", "-n", "-L"),
                ("iptables-save", "-t", "nat"),
                ("nft", "list", "tables"),
            )
            for line in self.box.out(*command).splitlines()
        ]
        made_by_looking = {"table ip nat", "table arp filter"}
        kept = [one for one in lines if one.strip() and one[0] not in "#*:" and one != "COMMIT"]
        return self.box.tree(), "\n".join(one for one in kept if one not in made_by_looking)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    need_root()
    for tool, package in (("nft", "nftables"), ("arptables", "arptables")):
        need(tool, package)
    with Segment() as segment, Box(tmp_path) as box:
        segment.join(box, f"{OWN}/24")
        box.run("arptables", "-A", "INPUT", "-d", "192.0.2.79", "-j", "DROP")
        box.run("sysctl", "-qw", "net.ipv4.conf.all.arp_announce=1")
        box.write("/etc/sysctl.d/50-theirs.conf", "net.ipv4.conf.all.arp_announce = 1\n")
        yield Server(box)


@pytest.mark.parametrize(("method", "net"), WAYS)
def test_full_apply_is_right_repeatable_and_remove_leaves_nothing(
    server: Server, method: str, net: str
) -> None:
    before = server.state()
    assert server.ask("apply", method, net, "--plan")[0] == 1
    assert server.state() == before
    code, told = server.ask("apply", method, net)
    assert code == 0, told
    _, found = server.ask("check", method, net)
    wrong = [line for line in found.splitlines() if not line.startswith(("    ", OWN))]
    # nobody serves, and what is the machine's own to start may not be
    own = ("service ", "unit systemd-networkd", "unit NetworkManager", "unit networking")
    assert not [line for line in wrong if not line.startswith(own)], found
    assert server.ask("apply", method, net) == (0, f"{OWN}: nothing to do\n")
    code, told = server.ask("remove", method, net)
    assert code == 0, told
    assert server.state() == before


OLD_RED_HAT = r"""#!/bin/sh
case "$*" in *INPUT*|*OUTPUT*) echo 'arptables: No chain of that name' >&2; exit 1 ;; esac
first=$1 second=$2
case $second in IN) second=INPUT ;; OUT) second=OUTPUT ;; esac
shift 2
told=$(arptables-nft "$first" "$second" "$@") || exit
printf '%s\n' "$told" | sed 's/^Chain INPUT /Chain IN /; s/^Chain OUTPUT /Chain OUT /'
"""
"""An arptables with the chains of arptables_jf."""


def as_old_red_hat(server: Server) -> None:
    server.box.run("rm", "/usr/sbin/arptables")  # a link
    server.box.write("/usr/sbin/arptables", OLD_RED_HAT, 0o755)


@pytest.mark.parametrize(
    ("method", "is_old", "chain"), [("arptables_jf", False, "IN"), ("arptables", True, "INPUT")]
)
def test_full_apply_of_rules_for_another_arptables_changes_nothing(
    server: Server, method: str, is_old: bool, chain: str
) -> None:
    if is_old:
        as_old_red_hat(server)
    before = server.state()
    code, told = server.ask("apply", method, "ifcfg")
    assert code == 1
    assert f"names the chain {chain}, which this host's arptables does not have" in told
    assert server.state() == before


@IN_FULL
def test_full_apply_of_arptables_jf_where_its_chains_are(server: Server) -> None:
    as_old_red_hat(server)
    before = server.state()
    code, told = server.ask("apply", "arptables_jf", "ifcfg")
    assert code == 0, told
    assert f"--mangle-ip-s {OWN}" in server.box.out("arptables", "-L", "OUT", "-n", "-v")
    _, found = server.ask("check", "arptables_jf", "ifcfg")
    wrong = [line for line in found.splitlines() if not line.startswith(("    ", OWN))]
    assert not [line for line in wrong if not line.startswith("service ")], found
    assert server.ask("apply", "arptables_jf", "ifcfg") == (0, f"{OWN}: nothing to do\n")
    code, told = server.ask("remove", "arptables_jf", "ifcfg")
    assert code == 0, told
    assert server.state() == before


@pytest.mark.parametrize("is_later", [False, True], ids=["at once", "after a reboot"])
def test_full_apply_of_masquerading_gives_the_default_route_back(
    server: Server, is_later: bool
) -> None:
    gateway = "192.0.2.254"
    server.box.write(PATH, vrrp_instance(f"{VIP}/24", f"{gateway}/24") + MASQUERADED)
    server.box.run("ip", "route", "add", "default", "via", "192.0.2.1")
    before = server.state()
    code, told = server.ask("apply", "sysctl", "systemd")
    assert code == 0, told
    assert f"default via {gateway} " in server.box.out("ip", "route")
    assert server.ask("apply", "sysctl", "systemd") == (0, f"{OWN}: nothing to do\n")
    if is_later:
        # what /run had is gone; the host's own program knows what to bring back
        server.box.run("rm", "-r", "/run/drctl")
    code, told = server.ask("remove", "sysctl", "systemd")
    assert code == 0, told
    assert server.state() == before


def test_full_apply_that_fails_in_the_boot_files_takes_all_back(server: Server) -> None:
    refusing = 'case $* in *enable*) echo "no units here" >&2; exit 1;; esac\n'
    program = f"#!/bin/sh\n{refusing}exec /usr/bin/systemctl $*\n"
    server.box.write("/usr/sbin/systemctl", program, 0o755)
    before = server.state()
    code, told = server.ask("apply", "sysctl", "systemd")
    assert code == 1, told
    assert "this step failed: start at boot" in told
    assert "what this run had done is taken back" in told
    assert server.state() == before


def test_full_apply_over_an_address_of_its_own_gives_it_back(server: Server) -> None:
    server.box.run("ip", "addr", "add", f"{VIP}/32", "dev", "lo")
    before = server.state()
    assert server.ask("apply", "sysctl", "systemd")[0] == 0
    assert server.ask("remove", "sysctl", "systemd")[0] == 0
    assert server.state() == before


@pytest.mark.parametrize("number", [1, *(pytest.param(one, marks=IN_FULL) for one in (2, 5))])
def test_full_apply_killed_in_the_boot_files_is_right_after_the_next(
    server: Server, number: int
) -> None:
    before = server.state()
    command = server.box.command(
        *("env", "PYTHONDONTWRITEBYTECODE=1", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"),
        *(sys.executable, "-m", "drctl", "realserver", "apply", PATH, "--host", OWN),
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(f"add {VIP}"):
                break
        # the installer runs now, and goes on without drctl
        time.sleep(0.02 * number)
        process.kill()
    code, told = server.ask("apply", "sysctl", "systemd")
    assert code == 0, told
    assert server.ask("apply", "sysctl", "systemd")[1] == f"{OWN}: nothing to do\n"
    assert server.ask("remove", "sysctl", "systemd")[0] == 0
    assert server.state() == before
