"""Every file of a director, judged by the program that reads it."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus import piranha_files
from director_case import (
    VIP,
    checked,
    configuration,
    everything,
    files,
    marked,
    rendering,
    service,
)
from keepalived_case import lowered
from real_server_box import Box

from drctl.model.pair import Settings
from drctl.model.service import VirtualService
from drctl.render.checkarg import CHECK_PATH
from drctl.render.install import with_installers
from drctl.render.rendered import RenderedFile, Rendering
from tools import need, need_root

PROGRAM = "/usr/libexec/drctl/drctl-marks"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    need_root()
    with Box(tmp_path) as machine:
        yield machine


def installed(box: Box, rendered: Rendering) -> None:
    """The files in their places."""
    for file in rendered.files:
        box.write(file.path, file.text, file.mode)


def judge(box: Box, rendered: Rendering) -> None:
    """Each file by its own consumer."""
    for file in rendered.files:
        box.write(file.path, file.text, file.mode)
        if file.path.endswith(".nft"):
            box.run("nft", "-c", "-f", file.path)
        elif file.path.endswith("6.rules"):
            box.run("ip6tables-restore", "--test", "--noflush", file.path)
        elif file.path.endswith(".rules"):
            box.run("iptables-restore", "--test", "--noflush", file.path)
        elif file.path.startswith("/etc/sysctl.d/"):
            box.run("sysctl", "-q", "-p", file.path)
        elif file.path.endswith(".xml"):
            assert ET.fromstring(file.text).tag == "service"
        elif file.text.startswith("#!/bin/sh"):
            box.run("dash", "-n", file.path)
    for step in rendered.steps:
        for code in (step.activate, step.deactivate):
            subprocess.run(["dash", "-n"], input=code, text=True, check=True)


@pytest.mark.parametrize("marks", ["nftables", "iptables"])
def test_every_file_is_taken_by_its_consumer(box: Box, marks: str) -> None:
    for tool, package in (("nft", "nftables"), ("iptables-restore", "iptables")):
        need(tool, package)
    judge(box, rendering(everything(), marks=marks, net="ifcfg"))


def test_every_file_of_the_corpus_is_taken_by_its_consumer(box: Box) -> None:
    need("nft", "nftables")
    need("iptables-restore", "iptables")
    paths = piranha_files()
    if not paths:
        pytest.skip("the corpus is not here")
    judged = 0
    for path in paths:
        for view in lowered(path):
            for marks in ("nftables", "iptables"):
                rendered = rendering(view, marks=marks)
                judge(box, rendered)
                judged += len(rendered.files)
    assert judged > 100


def test_shell_is_clean() -> None:
    shellcheck = need("shellcheck", "shellcheck")
    for marks in ("nftables", "iptables"):
        rendered = rendering(everything(), marks=marks, net="ifcfg")
        texts = [f.text for f in rendered.files if f.text.startswith("#!/bin/sh")]
        steps = [code for step in rendered.steps for code in (step.activate, step.deactivate)]
        texts += ["#!/bin/sh\n" + code for code in steps]
        for text in texts:
            done = subprocess.run(
                [shellcheck, "-"], input=text, text=True, capture_output=True, check=False
            )
            assert done.returncode == 0, done.stdout


def test_units_are_taken_by_systemd(box: Box) -> None:
    need("systemd-analyze", "systemd")
    need("keepalived", "keepalived")
    installed(box, rendering(everything()))
    folder = "/etc/systemd/system"
    for unit in (f"{folder}/drctl-marks.service", "/lib/systemd/system/keepalived.service"):
        done = box.run("systemd-analyze", "verify", "--man=no", unit)
        assert done.stderr == "", done.stderr


def test_drop_in_is_read_with_keepalived_and_orders_it_after_the_marks(box: Box) -> None:
    need("systemd-analyze", "systemd")
    need("keepalived", "keepalived")
    path = "/etc/systemd/system/keepalived.service.d/drctl.conf"
    text = files(everything())[path].text
    assert "After=drctl-marks.service" in text
    box.write(path, text + "Nonsense=1\n")
    unit = "/lib/systemd/system/keepalived.service"
    done = box.run("systemd-analyze", "verify", "--man=no", unit, check=False)
    assert f"{path}:" in done.stderr
    marks = files(everything())["/etc/systemd/system/drctl-marks.service"].text
    assert re.search(r"^Before=.*\bkeepalived\.service\b", marks, re.MULTILINE)


def count_marked(box: Box, protocol: str, port: int) -> int:
    """Packets with a mark that come in when one is sent to the VIP's port."""
    box.run(
        "nft",
        "add table inet probe; delete table inet probe; add table inet probe;"
        " add chain inet probe i { type filter hook input priority 0; };"
        " add rule inet probe i meta mark 80 counter",
    )
    send = (
        "import socket, sys\n"
        "kind = socket.SOCK_DGRAM if sys.argv[1] == 'udp' else socket.SOCK_STREAM\n"
        "s = socket.socket(socket.AF_INET, kind)\n"
        "s.connect_ex(('192.0.2.10', int(sys.argv[2])))\n"
        "if kind == socket.SOCK_DGRAM: s.send(b'x')\n"
    )
    box.run("/usr/bin/python3", "-", protocol, str(port), stdin=send)
    found = re.search(r"packets (\d+)", box.out("nft", "list", "table", "inet", "probe"))
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("marks", ["nftables", "iptables"])
def test_program_marks_what_the_rules_say_and_takes_it_back(box: Box, marks: str) -> None:
    need("nft", "nftables")
    need("iptables", "iptables")
    view = configuration(marked(80, (VIP, "tcp", 80), (VIP, "udp", None)))
    installed(box, rendering(view, marks=marks))
    box.run("ip", "addr", "add", f"{VIP}/32", "dev", "lo")
    assert count_marked(box, "tcp", 80) == 0
    box.run(PROGRAM, "start")
    assert count_marked(box, "tcp", 80) == 1
    assert count_marked(box, "tcp", 81) == 0
    assert count_marked(box, "udp", 5353) == 1
    box.run(PROGRAM, "stop")
    assert count_marked(box, "tcp", 80) == 0


@pytest.mark.parametrize("marks", ["nftables", "iptables"])
def test_program_can_be_repeated_and_leaves_others_alone(box: Box, marks: str) -> None:
    need("nft", "nftables")
    need("iptables", "iptables")
    installed(box, rendering(everything(), marks=marks))
    box.run("nft", "add table inet mine; add chain inet mine c")
    for tool in ("iptables", "ip6tables"):
        box.run(
            tool, "-t", "mangle", "-A", "PREROUTING", "-p", "tcp", "-j", "MARK", "--set-mark", "5"
        )

    def state() -> str:
        saved = [box.out(f"{tool}-save", "-t", "mangle") for tool in ("iptables", "ip6tables")]
        text = box.out("nft", "list", "table", "inet", "mine") + "".join(saved)
        return re.sub(r"#.*|\[\d+:\d+\]", "", text)

    before = state()
    box.run(PROGRAM, "start")
    once = box.out("nft", "list", "ruleset") + state()
    box.run(PROGRAM, "start")
    assert box.out("nft", "list", "ruleset") + state() == once
    box.run(PROGRAM, "stop")
    box.run(PROGRAM, "stop")
    assert state() == before
    assert "drctl" not in box.out("nft", "list", "ruleset").lower()


def test_firewall_chain_fits_into_a_rule_set_that_drops(box: Box) -> None:
    need("nft", "nftables")
    installed(box, rendering(everything()))
    own = """flush ruleset
include "/etc/drctl/firewall.nft"
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        jump drctl_director
    }
}
"""
    box.write("/etc/nftables.conf", own)
    box.run("nft", "-f", "/etc/nftables.conf")
    box.run("nft", "-f", "/etc/nftables.conf")
    listed = box.out("nft", "list", "ruleset")
    assert listed.count("ip saddr 192.0.2.2") == 1
    assert "jump drctl_director" in listed


def test_sysctl_file_switches_forwarding_on(box: Box) -> None:
    installed(box, rendering(everything()))
    box.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
    box.run("sysctl", "-q", "-p", "/etc/sysctl.d/99-zz-drctl-director.conf")
    assert box.out("sysctl", "-n", "net.ipv4.ip_forward") == "1\n"


@pytest.fixture
def director(box: Box) -> Box:
    """A box with the cards that the director's configuration names."""
    need("keepalived", "keepalived")
    need("nft", "nftables")
    for card in ("eth0", "eth1.5"):
        box.run("ip", "link", "add", "name", card, "type", "bridge")
        box.run("ip", "link", "set", card, "up")
    box.run("ip", "addr", "add", "192.0.2.1/24", "dev", "eth0")
    return box


def plain() -> Rendering:
    """A director with marks and a check program that keepalived takes without a word."""
    view = configuration(
        checked(),
        marked(80, (VIP, "tcp", 80), method="masquerading"),
        settings=Settings(has_script_security=True, script_user="root", router_id="lb1"),
    )
    return with_installers(rendering(view), "lvs.cf")


def test_installer_sets_a_director_up_and_takes_it_back(director: Box) -> None:
    rendered = plain()
    director.run("systemctl", "disable", "keepalived.service")
    director.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
    before = director.tree()
    director.deliver(rendered)
    first = director.run("sh", "/srv/host/install.sh")
    assert "start keepalived with: service keepalived start" in first.stdout
    assert "/etc/drctl/firewall.nft has the rules" in first.stdout
    assert "drctl_marks" in director.out("nft", "list", "ruleset")
    assert director.out("sysctl", "-n", "net.ipv4.ip_forward") == "1\n"
    for unit in ("keepalived.service", "drctl-marks.service"):
        assert director.out("systemctl", "is-enabled", unit).strip() == "enabled"
    assert director.run(CHECK_PATH, "--help").returncode == 0
    after = director.tree()
    director.run("sh", "/srv/host/install.sh")
    assert director.tree() == after
    director.run("sh", "/srv/host/uninstall.sh")
    assert "drctl" not in director.out("nft", "list", "ruleset")
    assert director.out("sysctl", "-n", "net.ipv4.ip_forward") == "0\n"
    assert director.tree() == before


def delivered(box: Box, name: str, *services: VirtualService, **options: str) -> str:
    """A director's folder with these services in the box; its path."""
    settings = Settings(has_script_security=True, script_user="root", router_id="lb1")
    rendered = rendering(configuration(*services, settings=settings), **options)
    folder = f"/srv/{name}"
    box.deliver(with_installers(rendered, "lvs.cf"), folder)
    return folder


def mark_rules(box: Box) -> tuple[bool, bool]:
    """Whether nftables and iptables have rules of ours that give marks."""
    return (
        "table inet drctl_marks" in box.out("nft", "list", "ruleset"),
        "DRCTL_MARKS" in box.out("iptables", "-t", "mangle", "-S"),
    )


def test_install_with_other_mark_rules_takes_the_earlier_ones_back(director: Box) -> None:
    web = marked(80, (VIP, "tcp", 80))
    nft = delivered(director, "nft", web, marks="nftables")
    iptables = delivered(director, "iptables", web, marks="iptables")
    none = delivered(director, "none", checked())
    for folder, expected in (
        (nft, (True, False)),
        (iptables, (False, True)),
        (nft, (True, False)),
        (none, (False, False)),
        (iptables, (False, True)),
    ):
        director.run("sh", f"{folder}/install.sh")
        assert mark_rules(director) == expected, folder
    enabled = director.run("systemctl", "is-enabled", "drctl-marks.service", check=False)
    assert enabled.stdout.strip() == "enabled"
    director.run("sh", f"{none}/install.sh")
    assert "drctl-marks" not in "\n".join(director.tree())
    director.run("sh", f"{none}/uninstall.sh")


def test_install_with_more_of_the_same_mark_rules_does_not_stop_them(director: Box) -> None:
    one = delivered(director, "one", marked(80, (VIP, "tcp", 80)))
    two = delivered(director, "two", marked(80, (VIP, "tcp", 80), (VIP, "tcp", 443)))
    director.run("sh", f"{one}/install.sh")
    assert "drctl-marks stop" not in director.out("sh", f"{two}/install.sh")
    assert "dport 443" in director.out("nft", "list", "ruleset")


def test_install_without_masquerading_gives_forwarding_back(director: Box) -> None:
    director.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
    before = director.tree()
    nat = delivered(director, "nat", service("masquerading"))
    direct = delivered(director, "direct", checked())
    director.run("sh", f"{nat}/install.sh")
    assert director.out("sysctl", "-n", "net.ipv4.ip_forward") == "1\n"
    director.run("sh", f"{direct}/install.sh")
    assert director.out("sysctl", "-n", "net.ipv4.ip_forward") == "0\n"
    director.run("sh", f"{direct}/uninstall.sh")
    assert director.tree() == before


def test_directors_configuration_is_not_taken_from_a_running_keepalived(director: Box) -> None:
    first = delivered(director, "director", checked())
    director.run("sh", f"{first}/install.sh")
    server = Rendering("rs1", (RenderedFile("/etc/drctl/x", "x\n"),))
    director.deliver(with_installers(server, "lvs.cf"), "/srv/server")
    before = director.tree()
    director.run("cp", "/bin/sleep", "/run/keepalived")
    script = "/run/keepalived 60 & echo $! >/run/keepalived.pid; sh /srv/server/install.sh; s=$?"
    done = director.run("sh", "-c", f"{script}; kill $!; wait $!; exit $s", check=False)
    assert done.returncode != 0
    assert "is a director so far" in done.stderr
    assert director.tree() == before
    director.run("sh", "/srv/server/install.sh")
    assert "keepalived.conf" not in director.out("cat", "/var/lib/drctl/manifest")


def test_keepalived_is_not_enabled_when_it_refuses_its_configuration(director: Box) -> None:
    director.run("systemctl", "disable", "keepalived.service")
    rendered = plain()
    director.deliver(rendered)
    director.run("ip", "link", "del", "eth0")
    done = director.run("sh", "/srv/host/install.sh", check=False)
    assert done.returncode != 0
    assert "It was neither started nor reloaded" in done.stderr
    state = director.run("systemctl", "is-enabled", "keepalived.service", check=False)
    assert state.stdout.strip() == "disabled"


def test_keepalived_is_not_started_beside_pulse(director: Box) -> None:
    director.deliver(plain())
    script = (
        "cp /bin/sleep /srv/pulse; /srv/pulse 60 & sh /srv/host/install.sh; s=$?; kill $!; exit $s"
    )
    done = director.run("sh", "-c", script, check=False)
    assert done.returncode != 0
    assert "pulse runs on this director" in done.stderr
