"""Every file of every choice, judged by the program that will read it."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_server_box import Box
from real_server_cases import HOSTS, RIP, RIP6, VIP, VIP6, binding, rendering

from drctl.model.pair import Rank
from drctl.render.host import Host, Port
from drctl.render.options import ARP_METHODS, MARKS, NETS
from drctl.render.rendered import RenderedFile
from tools import need, need_root, refuse


def files_like(pattern: str) -> list[RenderedFile]:
    """The files of all choices whose path matches, each text once."""
    found: dict[tuple[str, str], RenderedFile] = {}
    for choice in itertools.product(HOSTS, ARP_METHODS, NETS, MARKS):
        made = rendering(*choice)
        for file in (*made.files, *made.installers):
            if re.search(pattern, file.path):
                found.setdefault((file.path, file.text), file)
    return list(found.values())


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    need_root()
    need("unshare", "util-linux")
    with Box(tmp_path_factory.mktemp("judge")) as machine:
        yield machine


def test_redirection_of_ftp_offers_the_passive_ports_as_rules_that_load(box: Box) -> None:
    need("nft", "nftables")
    need("iptables", "iptables")
    ftp = (binding(ports=(Port("tcp", 21),)), binding(VIP6, ports=(Port("tcp", 21),)))
    hosts = [Host("a", (RIP, RIP6), ftp), Host("b", (RIP, RIP6), ftp, rank=Rank.PRIMARY)]
    for host, arp in itertools.product(hosts, ("iptables", "nft-redirect")):
        marks = "iptables" if arp == "iptables" else "nftables"
        for file in rendering(host, arp, marks=marks).files:
            if not re.search(r"(redirect|standby)\.nft$|ip6?tables\.rules$", file.path):
                continue
            text, count = re.subn(r"(?m)^(\s*)#(?=ip|-A)", r"\1", file.text)
            assert count == (2 if arp == "nft-redirect" else 1), file.path
            if arp == "nft-redirect":
                box.run("nft", "-c", "-f", "-", stdin=text)
            else:
                tool = "ip6tables-nft-restore" if "ip6" in file.path else "iptables-nft-restore"
                box.run(tool, "--test", "--noflush", stdin=text)


def words(rules: str) -> list[list[str]]:
    """Rules as sorted words, whatever order a program prints them in."""
    return [sorted(line.split()) for line in rules.splitlines() if line.startswith("-A")]


def test_nftables_files_load_twice_and_leave_foreign_tables(box: Box) -> None:
    need("nft", "nftables")
    files = files_like(r"\.nft$")
    assert {Path(file.path).name for file in files} == {"arp.nft", "redirect.nft", "standby.nft"}
    box.run("nft", "add table inet foreign; add table arp foreign; add table ip foreign")
    for file in files:
        box.run("nft", "-c", "-f", "-", stdin=file.text)
        box.run("nft", "-f", "-", stdin=file.text)
        once = box.out("nft", "list", "ruleset")
        box.run("nft", "-f", "-", stdin=file.text)
        assert box.out("nft", "list", "ruleset") == once
    assert all(f"table {family} foreign" in once for family in ("inet", "arp", "ip"))


@pytest.mark.parametrize("variant", ["nft", "legacy"])
def test_iptables_files_pass_their_own_test(box: Box, variant: str) -> None:
    need("iptables", "iptables")
    files = files_like(r"tables\.rules$")
    judged = [file for file in files if "arptables" not in file.path]
    assert len(judged) >= 8
    for file in judged:
        tool = "ip6tables" if "ip6tables" in file.path else "iptables"
        restore = f"{tool}-{variant}-restore"
        done = box.run(restore, "--test", "--noflush", stdin=file.text, check=False)
        if variant == "legacy" and "ip6tables" in file.path and "can't initialize" in done.stderr:
            pytest.skip("this kernel has no IPv6 nat table for the older ip6tables")
        assert done.returncode == 0, (file.path, done.stderr)


def test_arptables_files_load_and_read_back_over_nf_tables(box: Box) -> None:
    need("arptables-nft-restore", "iptables")
    files = files_like(r"arptables\.rules$")
    assert files
    for file in files:
        box.run("arptables-nft-restore", stdin=file.text)
        assert words(box.out("arptables-nft-save")) == words(file.text)


def in_modern_words(rules: str) -> str:
    """arptables_jf's file as today's arptables reads it."""
    lines = [line for line in rules.splitlines() if line != "COMMIT"]
    text = "\n".join(re.sub(r" \[0:0\]$", "", line) for line in lines) + "\n"
    return re.sub(r"(?<=[: ])(IN|OUT)(?= )", r"\1PUT", text)


def test_arptables_files_load_and_read_back_in_the_older_arptables(box: Box) -> None:
    need("arptables-legacy-restore", "arptables")
    box.run("ln", "-sf", "arptables-legacy", "/usr/sbin/arptables")
    files = files_like(r"arptables\.rules$|sysconfig/arptables$")
    assert {Path(file.path).name for file in files} == {"arptables.rules", "arptables"}
    for file in files:
        text = in_modern_words(file.text) if file.path.startswith("/etc/sysconfig") else file.text
        box.run("arptables-legacy-restore", stdin=text)
        assert words(box.out("arptables-legacy-save")) == words(text)
    box.run("ln", "-sf", "/etc/alternatives/arptables", "/usr/sbin/arptables")


def test_arptables_jf_file_has_the_words_of_its_time() -> None:
    (file, *_) = files_like("sysconfig/arptables$")
    lines = file.text.splitlines()
    assert f"-A IN -d {VIP} -j DROP" in lines
    assert f"-A OUT -s {VIP} -j mangle --mangle-ip-s {RIP}" in lines
    assert lines[-1] == "COMMIT"


def test_systemd_units_verify(box: Box) -> None:
    need("systemd-analyze", "systemd")
    judged = set()
    for choice in itertools.product(HOSTS, ARP_METHODS, ("systemd", "networkd", "networkmanager")):
        made = rendering(*choice)
        units = [file for file in made.files if file.path.endswith(".service")]
        key = tuple(unit.text for unit in units)
        if not units or key in judged:
            continue
        judged.add(key)
        box.write_all(made.files)
        done = box.run("systemd-analyze", "verify", *(unit.path for unit in units), check=False)
        assert "drctl" not in done.stderr, (choice, done.stderr)
        box.run("rm", "-f", *(file.path for file in made.files))
    assert len(judged) >= 10


@pytest.mark.parametrize("method", ARP_METHODS)
def test_systemd_units_make_no_ordering_cycle_at_boot(box: Box, method: str) -> None:
    need("systemd-analyze", "systemd")
    made = rendering("mixed", method if method != "arptables_jf" else "arptables", "systemd")
    units = [file.path for file in made.files if file.path.endswith(".service")]
    names = [Path(path).name for path in units]
    box.write_all(made.files)
    box.run("env", "SYSTEMD_OFFLINE=1", "systemctl", "enable", *names)
    boot = ("systemd-analyze", "verify", "--man=no", "multi-user.target")
    assert "cycle" not in box.run(*boot, check=False).stderr
    # The same judge sees a cycle when there is one.
    box.write("/etc/systemd/system/drctl-arp.service.d/x.conf", "[Unit]\nAfter=network.target\n")
    assert "cycle" in box.run(*boot, check=False).stderr
    box.run("env", "SYSTEMD_OFFLINE=1", "systemctl", "disable", *names)
    box.run("rm", "-rf", "/etc/systemd/system/drctl-arp.service.d", *(f.path for f in made.files))


def test_sysctl_files_are_taken_by_sysctl(box: Box) -> None:
    need("sysctl", "procps")
    files = files_like("sysctl")
    assert files
    for file in files:
        lines = [line for line in file.text.splitlines() if "tunl0" not in line]
        box.write("/srv/x.conf", "\n".join(lines) + "\n")
        box.run("sysctl", "-p", "/srv/x.conf")
        settings = [line for line in lines if line and not line.startswith("#")]
        for setting in settings:
            key, value = setting.split(" = ")
            assert box.out("sysctl", "-n", key).strip() == value


def test_ifupdown_files_bring_the_vips_up_and_down(box: Box) -> None:
    need("ifup", "ifupdown")
    judged = set()
    for case, arp in itertools.product(("direct", "both-families", "ipv6-only"), ARP_METHODS):
        made = rendering(case, arp, "ifupdown")
        stanzas = [file for file in made.files if "interfaces.d" in file.path]
        for file in stanzas:
            if file.text in judged:
                continue
            judged.add(file.text)
            box.write_all(made.files)
            box.write("/etc/network/interfaces", "auto lo\niface lo inet loopback\n" + file.text)
            names = box.out("ifquery", "--list").split()
            aliases = [name for name in names if name != "lo"]
            box.run("ifup", *aliases)
            vips = re.findall(r"[0-9a-f.:]+/(?:32|128)", file.text)
            held = box.out("ip", "-o", "addr", "show", "dev", "lo")
            assert vips
            assert all(f" {vip} " in held for vip in vips), held
            box.run("ifdown", *aliases)
            held = box.out("ip", "-o", "addr", "show", "dev", "lo")
            assert not any(f" {vip} " in held for vip in vips), held
            assert "127.0.0.1/8" in held
            assert "LOOPBACK,UP" in box.out("ip", "link", "show", "dev", "lo")
            box.run("rm", "-f", *(other.path for other in made.files))
    assert judged


def test_networkmanager_keyfile_is_read_back_by_networkmanager() -> None:
    nmcli = need("nmcli", "network-manager")
    files = files_like("nmconnection$")
    assert files
    for file in files:
        assert file.mode == 0o600
        done = subprocess.run(
            [nmcli, "--offline", "connection", "modify", "connection.autoconnect", "yes"],
            input=file.text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        for vip in re.findall(r"^address\d+=(.*)$", file.text, re.MULTILINE):
            assert f"={vip}" in done.stdout
        assert "type=loopback" in done.stdout


def test_ifcfg_files_are_plain_shell_assignments(box: Box) -> None:
    files = files_like("ifcfg-")
    assert files
    for file in files:
        line = 'set -eu; . /dev/stdin; echo "$DEVICE $IPADDR $NETMASK $ONBOOT"'
        device, address, mask, onboot = box.run("sh", "-c", line, stdin=file.text).stdout.split()
        assert file.path.endswith(f"/ifcfg-{device}")
        assert (mask, onboot) == ("255.255.255.255", "yes")
        assert re.fullmatch(r"[0-9.]+", address)


@pytest.mark.parametrize(
    ("shell", "package"), [("dash", "dash"), ("busybox", "busybox"), ("shellcheck", "shellcheck")]
)
def test_programs_and_installers_are_plain_shell(shell: str, package: str) -> None:
    tool = need(shell, package)
    command = {"dash": [tool, "-n"], "busybox": [tool, "sh", "-n"]}.get(
        shell, [tool, "-s", "sh", "-"]
    )
    files = [file for file in files_like("") if file.text.startswith("#!/bin/sh")]
    assert len(files) > 100
    judged = files if shell != "shellcheck" else files[::9]
    for file in judged:
        done = subprocess.run(command, input=file.text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (file.path, done.stdout, done.stderr)


def test_networkd_brings_the_vips_up_and_knows_every_word(tmp_path: Path) -> None:
    need_root()
    daemon = "/lib/systemd/systemd-networkd"
    if not Path(daemon).exists():
        refuse("systemd-networkd is not installed (Debian package systemd)")
    ready = """
        mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
        chown -R systemd-network:systemd-network /run/systemd/netif
        mount -o remount,ro /sys  # a network without udev, as in a container
        echo "[Match]\nName=none\n[Network]\nBogus=1" >/etc/systemd/network/99-control.network
        """
    with Box(tmp_path) as box:
        for file in (
            *files_like(r"drctl-tunl0\.network$"),
            *rendering("both-families", "sysctl", "networkd").files,
        ):
            box.write(file.path, file.text, file.mode)
        box.run("sh", "-c", ready)
        environment = ("env", "SYSTEMD_LOG_LEVEL=debug", "SYSTEMD_LOG_TARGET=console")
        said = []
        with subprocess.Popen(
            box.command("timeout", "20", *environment, daemon),
            stderr=subprocess.PIPE,
            text=True,
        ) as networkd:
            assert networkd.stderr is not None
            for line in networkd.stderr:
                said.append(line)
                if "lo: State changed: configuring -> configured" in line:
                    break
            networkd.terminate()
        # the machine's own files, as those for containers, are none of ours
        ours = re.compile(r"^/etc/systemd/network/.*\.network:")
        complaints = [line for line in said if ours.match(line)]
        assert len(complaints) == 1, complaints
        assert "Bogus" in complaints[0]
        held = box.out("ip", "-o", "addr", "show", "dev", "lo")
        assert f" {VIP}/32 " in held
        assert " 2001:db8::10/128 " in held
        assert " 127.0.0.1/8 " in held
