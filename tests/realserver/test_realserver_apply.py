"""`drctl realserver apply` and `remove` on real kernels: right, repeatable, and nothing foreign."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from netns_case import Host
from realserver_case import OWN
from realserver_case import Server as OwnThings
from verify_case import CONFIGURATION, OTHER_VIP, VIP, listening

IN_FULL = pytest.mark.skipif(
    os.environ.get("DRCTL_FULL", "") in {"", "0"}, reason="slow; runs with DRCTL_FULL=1"
)
METHODS = ("sysctl", "arptables", "nftables", "nft-redirect", "iptables")


class Server(OwnThings):
    """The host, asked by the command line."""

    def __init__(self, host: Host, folder: Path) -> None:
        super().__init__(host)
        self.path = folder / "keepalived.conf"
        self.path.write_text(CONFIGURATION)

    def words(self, action: str, method: str, *words: str) -> list[str]:
        options = ("--host", OWN, "--method", method, "--runtime", *words)
        command = (sys.executable, "-m", "drctl", "realserver", action, str(self.path), *options)
        return self.host.command(*command)

    def ask(self, action: str, method: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(action, method, *words), capture_output=True, text=True, check=False
        )


@pytest.fixture
def server(server_on: OwnThings, tmp_path: Path) -> Iterator[Server]:
    found = Server(server_on.host, tmp_path)
    yield found
    found.ask("remove", "sysctl")


@pytest.mark.parametrize("method", METHODS)
def test_apply_and_remove_are_right_repeatable_and_leave_nothing(
    server: Server, method: str
) -> None:
    before = server.state()
    planned = server.ask("apply", method, "--plan")
    assert planned.returncode == 1
    assert server.state() == before
    done = server.ask("apply", method)
    assert done.returncode == 0, done.stderr
    assert done.stdout == planned.stdout + f"{OWN}: done\n"
    with listening(server.host):
        assert server.ask("check", method).stdout == f"{OWN}: as it is to be\n"
    applied = server.state()
    again = server.ask("apply", method)
    assert (again.returncode, again.stdout) == (0, f"{OWN}: nothing to do\n")
    assert server.ask("apply", method, "--plan").returncode == 0
    assert server.state() == applied
    removed = server.ask("remove", method)
    assert removed.returncode == 0, removed.stderr
    assert server.state() == before


def test_apply_of_one_method_after_another_leaves_nothing_of_the_first(server: Server) -> None:
    before = server.state()
    for method in (*METHODS, "sysctl"):
        done = server.ask("apply", method)
        assert done.returncode == 0, done.stderr
        with listening(server.host):
            assert server.ask("check", method).returncode == 0, method
    server.ask("remove", "sysctl")
    assert server.state() == before


def test_apply_adds_no_address_before_its_rules(server: Server) -> None:
    for method in ("sysctl", "arptables", "nftables"):
        lines = server.ask("apply", method, "--plan").stdout.splitlines()
        kinds = [line.startswith("add ") for line in lines]
        assert kinds == sorted(kinds), method


def test_apply_that_fails_takes_its_steps_back(server: Server) -> None:
    server.host.ip("address", "add", f"{OTHER_VIP}/24", "dev", "eth0")
    before = server.state()
    done = server.ask("apply", "nftables")
    assert done.returncode == 1
    assert f"{OTHER_VIP}/24 is on eth0; take it away there first" in done.stderr
    assert "what this run had done is taken back" in done.stderr
    assert server.state() == before


def test_apply_leaves_what_was_there_already_when_it_is_removed(server: Server) -> None:
    server.host.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1")
    server.host.ip("address", "add", f"{VIP}/32", "dev", "lo")
    before = server.state()
    assert server.ask("apply", "sysctl").returncode == 0
    assert server.ask("remove", "sysctl").returncode == 0
    assert server.state() == before


@pytest.mark.parametrize(
    "method", ["sysctl", *(pytest.param(one, marks=IN_FULL) for one in ("arptables", "nftables"))]
)
def test_apply_killed_at_every_step_is_right_after_the_next_run(
    server: Server, method: str
) -> None:
    before = server.state()
    steps = len(server.ask("apply", method, "--plan").stdout.splitlines())
    for number in range(1, steps + 1):
        for delay_s in (0.0, 0.004)[: 1 + number % 2]:
            _kill_after(server.words("apply", method), number, delay_s)
            done = server.ask("apply", method)
            assert done.returncode == 0, (number, delay_s, done.stderr)
            with listening(server.host):
                assert server.ask("check", method).returncode == 0, (number, delay_s)
            assert server.ask("remove", method).returncode == 0
            assert server.state() == before, (number, delay_s)


def _kill_after(command: list[str], lines: int, delay_s: float) -> None:
    """SIGKILL when it has told that many steps, so in the midst of the last of them."""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)


def test_apply_of_boot_files_below_a_folder_leaves_the_kernel_alone(
    server: Server, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    before = server.state()

    def ask(action: str, *words: str) -> subprocess.CompletedProcess[str]:
        options = ("--host", OWN, "--root", str(root), *words)
        command = (sys.executable, "-m", "drctl", "realserver", action, str(server.path), *options)
        return subprocess.run(
            server.host.command(*command), capture_output=True, text=True, check=False
        )

    assert ask("apply", "--plan").returncode == 1
    assert not list(root.iterdir())
    assert ask("apply").returncode == 0
    assert (root / "usr/libexec/drctl/drctl-vip").is_file()
    assert ask("check").stdout == f"{OWN}: as it is to be\n"
    assert ask("apply", "--plan").returncode == 0
    (root / "usr/libexec/drctl/drctl-vip").unlink()
    assert ask("check").returncode == 1
    assert ask("apply").returncode == 0
    assert ask("remove").returncode == 0
    assert not [path for path in root.rglob("*") if path.is_file()]
    assert server.state() == before


ELSEWHERE = CONFIGURATION.replace(OWN, "192.0.2.29")
"""It was taken out of the directors' configuration."""


@pytest.mark.parametrize("method", ["arptables", "nft-redirect"])
def test_remove_of_a_host_that_the_configuration_has_no_more_takes_everything_back(
    server: Server, method: str
) -> None:
    before = server.state()
    server.path.write_text(ELSEWHERE)
    unknown = server.ask("remove", method)
    assert unknown.returncode == 2, "nothing was done here: the name may be wrong"
    assert f"--host {OWN} is no host of this setup" in unknown.stderr
    server.path.write_text(CONFIGURATION)
    assert server.ask("apply", method).returncode == 0
    applied = server.state()
    server.path.write_text(ELSEWHERE)
    assert server.ask("apply", method).returncode == 2
    assert server.ask("check", method).returncode == 2
    planned = server.ask("remove", method, "--plan")
    assert planned.returncode == 1
    assert planned.stdout.startswith("undo: ")
    assert server.state() == applied
    removed = server.ask("remove", method)
    assert removed.returncode == 0, removed.stderr
    assert "what drctl did here is taken back" in removed.stderr
    assert server.state() == before


@pytest.mark.parametrize("net", ["systemd", "ifupdown"])
def test_remove_below_a_folder_of_a_host_that_the_configuration_has_no_more(
    tmp_path: Path, net: str
) -> None:
    path, root = tmp_path / "keepalived.conf", tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/theirs").write_text("mine\n")

    def ask(action: str) -> subprocess.CompletedProcess[str]:
        options = ("--host", OWN, "--net", net, "--root", str(root))
        command = (sys.executable, "-m", "drctl", "realserver", action, str(path), *options)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    path.write_text(CONFIGURATION)
    assert ask("apply").returncode == 0
    path.write_text(ELSEWHERE)
    manifest = root / "var/lib/drctl/manifest"
    was = manifest.read_text()
    manifest.write_text(was + "f /etc/keepalived/keepalived.conf\n")
    refused = ask("remove")
    assert refused.returncode == 2
    assert "/etc/keepalived/keepalived.conf, a director's file" in refused.stderr
    manifest.write_text(was)
    removed = ask("remove")
    assert removed.returncode == 0, removed.stderr
    left = [one for one in root.rglob("*") if one.is_symlink() or one.is_file()]
    assert left == [root / "etc/theirs"]
    assert ask("remove").returncode == 2
