"""install.sh and uninstall.sh on machines of their own: what they leave, and what they put back."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_server_box import FOLDER, Box
from real_server_cases import HOSTS, RIP, VIP, binding, rendering

from drctl.render.host import Host
from drctl.render.install import with_installers
from drctl.render.options import ARP_METHODS, NETS
from drctl.render.rendered import RenderedFile, Rendering, Stage, Step
from tools import need, need_root

INSTALL, UNINSTALL = f"{FOLDER}/install.sh", f"{FOLDER}/uninstall.sh"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    need_root()
    need("unshare", "util-linux")
    with Box(tmp_path) as made:
        yield made


def state(box: Box) -> str:
    """What of the network the scripts could change."""
    shown = "ip addr; ip route show table all; ip rule; sysctl net.ipv4.conf.all; nft list ruleset"
    return box.out("sh", "-c", shown)


def plain(made: Rendering, *files: RenderedFile) -> Rendering:
    """A machine with these files and nothing to do."""
    return with_installers(Rendering(made.host, files), "lvs.cf")


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("arp", ["sysctl", "nftables", "nft-redirect"])
def test_install_twice_then_uninstall_leaves_the_machine_as_it_was(
    box: Box, arp: str, net: str
) -> None:
    box.deliver(rendering("both-families", arp, net))
    before, live = box.tree(), state(box)
    box.run("sh", INSTALL)
    first, first_live = box.tree(), state(box)
    assert first != before
    assert first_live != live
    again = box.out("sh", INSTALL)
    assert "written" not in again
    assert (box.tree(), state(box)) == (first, first_live)
    box.run("sh", UNINSTALL)
    assert box.tree() == before
    assert state(box) == live
    assert "Nothing is installed" in box.out("sh", UNINSTALL)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_install_in_any_shell_puts_files_with_their_modes(box: Box, shell: str) -> None:
    need(shell.split()[0], shell.split()[0])
    made = rendering("both-families", "nftables", "networkmanager")
    box.deliver(made)
    before = box.tree()
    box.run(*shell.split(), INSTALL, "--no-activate")
    for file in made.files:
        assert box.read(file.path) == file.text
        assert box.out("stat", "-c", "%a %U", file.path).split() == [f"{file.mode:o}", "root"]
    box.run(*shell.split(), UNINSTALL, "--no-activate")
    assert box.tree() == before


@pytest.mark.parametrize(("case", "arp"), [*itertools.product(HOSTS, ("sysctl", "iptables"))])
def test_install_below_a_folder_touches_nothing_else(box: Box, case: str, arp: str) -> None:
    made = rendering(case, arp, "ifcfg")
    box.deliver(made)
    before, live = box.tree(), state(box)
    for _ in range(2):
        box.run("sh", INSTALL, "--destdir", "/srv/new root/x/")
    assert (box.tree(), state(box)) == (before, live)
    found = box.out("sh", "-c", "cd '/srv/new root/x' && find . -type f | sort").splitlines()
    wanted = sorted([*(f".{file.path}" for file in made.files), "./var/lib/drctl/manifest"])
    assert found == wanted
    box.run("sh", UNINSTALL, "--destdir=/srv/new root/x")
    assert box.out("find", "/srv/new root/x", "-mindepth", "1") == ""


def test_install_with_a_relative_folder_and_started_from_elsewhere(box: Box) -> None:
    box.deliver(rendering("direct"), '/srv/it\'s "odd" $HOME')
    box.run("sh", "-c", "cd /srv && sh './it'\\''s \"odd\" $HOME/install.sh' --destdir ./here")
    assert "arp_ignore" in box.read("/srv/here/etc/sysctl.d/99-zz-drctl-arp.conf")


def test_install_keeps_a_file_that_was_there_and_uninstall_puts_it_back(box: Box) -> None:
    need("nft", "nftables")
    box.deliver(rendering("direct", "nftables", "ifupdown"))
    box.write("/etc/drctl/arp.nft", "# mine\n", 0o640)
    box.run("ln", "-s", "/nowhere/at all", "/etc/network/interfaces.d/drctl")
    box.write("/etc/drctl/other", "not ours\n")
    before = box.tree()
    for _ in range(2):
        box.run("sh", INSTALL)
    assert "drctl_arp" in box.read("/etc/drctl/arp.nft")
    assert box.read("/var/lib/drctl/saved/etc/drctl/arp.nft") == "# mine\n"
    box.run("sh", UNINSTALL)
    assert box.tree() == before
    assert box.read("/etc/drctl/other") == "not ours\n"


def test_install_over_an_equal_foreign_file_leaves_it_to_uninstall(box: Box) -> None:
    made = rendering("direct", "nftables")
    box.deliver(made)
    box.write("/etc/drctl/arp.nft", next(f.text for f in made.files if f.path.endswith("nft")))
    before = box.tree()
    box.run("sh", INSTALL, "--no-activate")
    box.run("sh", UNINSTALL, "--no-activate")
    assert box.tree() == before


STOPS = (
    'mv -f -- "$saved.new" "$saved"',
    'record f "$2"',
    'chmod "$1" "$part"',
    'mv -f -- "$part" "$target"',
    'mkdir "$dest$1"',
    'mkdir -p "$state"',
)


@pytest.mark.parametrize("line", STOPS)
def test_install_killed_anywhere_can_be_run_again(box: Box, line: str) -> None:
    made = rendering("direct", "nftables")
    box.deliver(made)
    box.write("/etc/drctl/arp.nft", "# mine\n")
    before = box.tree()
    box.run("sh", INSTALL)
    whole = box.tree()
    box.run("sh", UNINSTALL)
    script = next(f.text for f in made.installers if f.path == "install.sh")
    counted = f'{line}; killed=$((${{killed:-0}} + 1)); [ "$killed" != "$KILL" ] || kill -9 $$'
    assert script.count(f"    {line}\n") == 1
    box.write(f"{FOLDER}/killed.sh", script.replace(f"    {line}\n", f"    {counted}\n"))
    for nth in range(1, 4):
        done = box.run("env", f"KILL={nth}", "sh", f"{FOLDER}/killed.sh", check=False)
        if done.returncode == 0:
            assert nth > 1, "the line was never reached"
            box.run("sh", UNINSTALL)
            break
        assert "Done." not in done.stdout
        box.run("sh", INSTALL)
        assert box.tree() == whole
        box.run("sh", UNINSTALL)
        assert box.tree() == before


@pytest.mark.parametrize(
    "line",
    [
        'mv -f -- "$part" "$target"',
        'rm -f -- "$target"',
        'mv -f -- "$manifest.new" "$manifest"',
        'rm -rf -- "$state/saved"',
        'done <"$manifest.files"',
    ],
)
def test_uninstall_killed_anywhere_can_be_run_again(box: Box, line: str) -> None:
    made = rendering("direct", "nftables")
    box.deliver(made)
    box.write("/etc/drctl/arp.nft", "# mine\n")
    before, live = box.tree(), state(box)
    script = next(f.text for f in made.installers if f.path == "uninstall.sh")
    assert script.count(f"{line}\n") == 1
    box.write(f"{FOLDER}/killed.sh", script.replace(f"{line}\n", f"{line}; kill -9 $$\n"))
    box.run("sh", INSTALL)
    done = box.run("sh", f"{FOLDER}/killed.sh", check=False)
    assert done.returncode != 0
    box.run("sh", UNINSTALL)
    assert box.tree() == before
    assert state(box) == live


def test_install_of_another_choice_takes_the_earlier_one_away(box: Box) -> None:
    before, live = box.tree(), state(box)
    box.deliver(rendering("direct", "nftables", "systemd"), "/srv/one")
    wider = Host("rs1", (RIP,), (binding(), binding("192.0.2.12")))
    box.deliver(rendering(wider, "sysctl", "ifupdown"), "/srv/two")
    box.run("sh", "/srv/one/install.sh")
    assert "192.0.2.11/32" in box.out("ip", "addr")
    box.run("sh", "/srv/two/install.sh")
    held = box.out("ip", "addr")
    assert "192.0.2.12/32" in held
    assert "192.0.2.11/32" not in held
    assert "drctl_arp" not in box.out("nft", "list", "ruleset")
    assert "drctl-vip.service" not in "\n".join(box.tree())
    box.run("sh", "/srv/two/uninstall.sh")
    assert box.tree() == before
    assert state(box) == live


CHOICES = (
    ("sysctl", "systemd"),
    ("nftables", "networkd"),
    ("arptables", "ifupdown"),
    ("iptables", "networkmanager"),
    ("nft-redirect", "ifcfg"),
)


def rules(box: Box) -> list[str]:
    """What holds of ours: addresses, kernel settings, and what packet filters have; not the empty
    chains that their programs leave behind."""
    shown = "ip -o addr; nft list ruleset; iptables-save; arptables-nft-save; sysctl -a -r arp_"
    lines = box.out("sh", "-c", f"({shown}) 2>/dev/null").splitlines()
    return sorted(
        line for line in lines if re.search(r"drctl|192\.0\.2\.| = ", line, re.IGNORECASE)
    )


def files_of(box: Box) -> list[str]:
    """Every file and its content; not the folders and the list that uninstall.sh needs."""
    return [line for line in box.tree() if " d " not in line and "drctl/manifest" not in line]


def test_install_over_any_other_choice_is_as_if_it_were_the_first(box: Box) -> None:
    need("iptables", "iptables")
    need("arptables", "arptables")
    before = box.tree(), rules(box)
    alone = {}
    for arp, net in CHOICES:
        folder = f"/srv/{arp}"
        box.deliver(rendering("direct", arp, net), folder)
        box.run("sh", f"{folder}/install.sh")
        alone[arp] = files_of(box), rules(box)
        box.run("sh", f"{folder}/uninstall.sh")
    path = [*CHOICES, *reversed(CHOICES), CHOICES[2], CHOICES[0], CHOICES[3], CHOICES[1]]
    for arp, _ in path:
        box.run("sh", f"/srv/{arp}/install.sh")
        now = {*files_of(box), *rules(box)}
        assert now ^ {*alone[arp][0], *alone[arp][1]} == set(), arp
    box.run("sh", f"/srv/{path[-1][0]}/uninstall.sh")
    assert (box.tree(), rules(box)) == before


def test_install_leaves_foreign_rules_in_the_same_chains(box: Box) -> None:
    need("iptables", "iptables")
    foreign = "iptables -t nat -A PREROUTING -p tcp --dport 8 -j REDIRECT --to-ports 9"
    box.run("sh", "-c", foreign)
    box.run("arptables-nft", "-A", "INPUT", "-d", "192.0.2.200", "-j", "DROP")
    before = box.out("iptables", "-t", "nat", "-S"), box.out("arptables-nft-save")
    for arp in ("iptables", "arptables"):
        box.deliver(rendering("direct", arp), f"/srv/{arp}")
        for _ in range(2):
            box.run("sh", f"/srv/{arp}/install.sh")
        rules = box.out("iptables", "-t", "nat", "-S") + box.out("arptables-nft-save")
        assert "--dport 8 " in rules
        assert "192.0.2.200" in rules
        assert rules.count(f"-d {VIP}") == (2 if arp == "iptables" else 1)
        box.run("sh", f"/srv/{arp}/uninstall.sh")
    after = box.out("iptables", "-t", "nat", "-S"), box.out("arptables-nft-save")
    without_dates = [
        [line for line in text.splitlines() if not line.startswith("#")]
        for text in (*before, *after)
    ]
    assert without_dates[:2] == without_dates[2:]


def test_install_stops_at_the_first_failing_step_and_says_how_to_go_back(box: Box) -> None:
    steps = (
        Step(Stage.SERVICE, "never reached", "touch /srv/reached"),
        Step(
            Stage.RULES, 'it\'s "odd" $(touch /srv/injected) `touch /srv/injected`', "false\ntrue"
        ),
    )
    made = Rendering("h", (RenderedFile("/etc/drctl/x", "x\n"),), steps=steps)
    box.deliver(with_installers(made, "lvs.cf"))
    done = box.run("sh", INSTALL, check=False)
    assert done.returncode == 1
    assert 'this step failed: it\'s "odd" $(touch /srv/injected)' in done.stderr
    assert f"To go back:    sh {UNINSTALL}" in done.stderr
    assert box.out("ls", "/srv").split() == ["host"]


def test_uninstall_stops_at_a_failing_step_and_removes_no_file(box: Box) -> None:
    steps = (
        Step(Stage.RULES, "rules", ":", "echo rules gone >>/srv/log"),
        Step(Stage.ADDRESS, "address", ":", "[ -e /srv/may ]"),
    )
    made = Rendering("h", (RenderedFile("/etc/drctl/x", "x\n"),), steps=steps)
    box.deliver(with_installers(made, "lvs.cf"))
    box.run("sh", INSTALL)
    done = box.run("sh", UNINSTALL, check=False)
    assert done.returncode == 1
    assert "this step failed: address" in done.stderr
    assert box.read("/etc/drctl/x") == "x\n"
    assert box.run("cat", "/srv/log", check=False).returncode != 0
    box.write("/srv/may", "")
    box.run("sh", UNINSTALL)
    assert box.read("/srv/log") == "rules gone\n"


def test_install_missing_tool_is_named_with_its_packages_before_anything_changes(
    box: Box,
) -> None:
    box.deliver(rendering("direct", "nftables"))
    before = box.tree()
    box.run("sh", "-c", "mv /usr/sbin/nft /srv/nft")
    done = box.run("sh", INSTALL, check=False)
    assert done.returncode == 1
    assert "nft is not installed (Debian package nftables, Red Hat package nftables)" in done.stderr
    box.run("sh", INSTALL, "--destdir", "/srv/below")
    box.run("sh", "-c", "mv /srv/nft /usr/sbin/nft")
    assert [line for line in box.tree() if "/nft" not in line] == [
        line for line in before if "/nft" not in line
    ]


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--help"], 0, "usage: "),
        (["-h"], 0, "usage: "),
        (["--destdir"], 2, "--destdir needs a folder"),
        (["--frobnicate"], 2, "unknown option: --frobnicate"),
        (["$(touch /srv/injected)"], 2, "unknown option: $(touch /srv/injected)"),
    ],
)
def test_scripts_options_are_explained(
    box: Box, script: str, words: list[str], code: int, said: str
) -> None:
    box.deliver(rendering("direct"))
    done = box.run("sh", f"{FOLDER}/{script}", *words, check=False)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert box.out("ls", "/srv").split() == ["host"]


def test_scripts_without_root_refuse_and_destdir_works(box: Box) -> None:
    box.deliver(rendering("direct"))
    for script in (INSTALL, UNINSTALL):
        done = box.run("setpriv", "--reuid", "nobody", "sh", script, check=False)
        assert done.returncode == 1
        assert "only root may do this" in done.stderr
    box.run("mkdir", "-m", "777", "/srv/open")
    box.run("setpriv", "--reuid", "nobody", "sh", INSTALL, "--destdir", "/srv/open")
    assert box.out("ls", "/srv/open").split() == ["etc", "usr", "var"]


def test_install_incomplete_folder_is_refused_before_anything_changes(box: Box) -> None:
    box.deliver(rendering("direct"))
    before = box.tree()
    box.run("rm", f"{FOLDER}/usr/libexec/drctl/drctl-vip")
    done = box.run("sh", INSTALL, check=False)
    assert done.returncode == 1
    assert "is missing; copy the host's whole folder" in done.stderr
    assert box.tree() == before


def test_install_network_scripts_hook_of_before_goes_on_running(box: Box) -> None:
    hook = "/sbin/ifup-pre-local"
    box.deliver(rendering("direct", "sysctl", "ifcfg"))
    box.write(hook, '#!/bin/sh\necho "old $1" >>/srv/log\n', 0o755)
    box.run("sh", INSTALL)
    box.run("sysctl", "-w", "net.ipv4.conf.all.arp_ignore=0")
    box.run(hook, "ifcfg-lo")
    assert box.read("/srv/log") == "old ifcfg-lo\n"
    assert box.out("sysctl", "-n", "net.ipv4.conf.all.arp_ignore").strip() == "1"
    box.run("sh", UNINSTALL)
    assert "old $1" in box.read(hook)


@pytest.mark.parametrize("arp", ARP_METHODS)
def test_installer_text_has_no_word_of_the_host(arp: str) -> None:
    """Equal servers get equal scripts, and a host's name never reaches a shell."""
    hostile = "a'b\"c;$(reboot)`reboot`\\"
    named = Host(hostile, (RIP,), HOSTS["direct"].bindings)
    made = rendering(named, arp)
    assert made.host == hostile
    for one, other in zip(made.installers, rendering("direct", arp).installers, strict=True):
        assert one.text == other.text
        assert not re.search("reboot", one.text)
