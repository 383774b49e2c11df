"""`drctl lab up`, `shell` and `down`: what is made of a configuration, and that nothing stays."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from corpus import corpus_dir
from lab_setup_case import DUAL, FULL, Lab, lab, verdicts

CONFIGURATIONS = (
    "piranha/002.cf",
    "piranha/017.cf",
    "keepalived/budong__systemadministrator__lvs-keepalived_b.conf",
    "keepalived/azizbaghirov__haproxy__keepalived-master.conf",
    "keepalived/28youth__docker-mysql-cluster__local-keepalived.conf",
)
"""By these names in the corpus."""


def test_up_of_the_example_has_every_host_and_one_director(example: Lab) -> None:
    told = example.told("up")
    assert [(host["name"], host["roles"]) for host in told["hosts"]] == [
        ("client", ["client"]),
        ("primary", ["director"]),
        ("backup", ["director"]),
        ("web1", ["real-server"]),
        ("web2", ["real-server"]),
        ("bystander", ["bystander"]),
    ]
    assert verdicts(told["verify"]) == {"192.0.2.10": "ok", "192.0.2.11": "ok"}
    passed = [(one["real_server"], one["verdict"]) for one in told["verify"]["through"]]
    assert passed == [("web1", "ok")] * 3 + [("web2", "ok")] * 3
    assert told["groups"] == [{"name": "piranha", "active": ["primary"]}]


def test_up_twice_leaves_what_runs_alone(example: Lab) -> None:
    def running() -> str:
        return example.shell("primary", "pgrep", "-f", "-a", f"{example.name}/.*drctl.toml")

    before = running()
    assert "drctl run" in before
    example.told("up")
    assert running() == before


def test_up_says_how_to_get_in_and_what_the_kernel_cannot_do(example: Lab) -> None:
    done = example.run("up")
    assert done.returncode == 0, done.stderr
    assert f"drctl lab shell --name {example.name} primary" in done.stdout
    assert f"drctl lab down --name {example.name}" in done.stdout
    assert "IPVS" in done.stdout
    assert "guest kernel" in done.stdout


def test_shell_gives_the_exit_code_of_its_command(example: Lab) -> None:
    assert example.run("shell", "web1", "sh", "-c", "exit 7").returncode == 7
    assert example.run("shell", "web9", "true").returncode == 2


def test_shell_of_a_real_server_check_finds_it_as_it_is_to_be(example: Lab) -> None:
    path = example.told("up")["config"]
    words = ("realserver", "check", path, "--host", "web1", "--runtime")
    done = example.run("shell", "web1", sys.executable, "-m", "drctl", *words)
    assert (done.returncode, done.stdout) == (0, "web1: as it is to be\n"), done.stderr


def test_inside_a_shell_no_lab_is_made_or_taken_down(example: Lab) -> None:
    for action in ("up", "down"):
        words = (sys.executable, "-m", "drctl", "lab", action, "--name", example.name)
        done = example.run("shell", "web1", *words)
        assert (done.returncode, "leave it first" in done.stderr) == (2, True), done.stderr


def test_up_of_another_configuration_is_refused(example: Lab, tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(DUAL)
    done = example.run("up", str(path))
    assert done.returncode == 2
    assert "drctl lab down" in done.stderr
    done = example.run("up", "--method", "nftables")
    assert done.returncode == 2
    assert "with --method sysctl" in done.stderr


def test_up_repairs_what_was_broken(example: Lab) -> None:
    example.shell("web1", "ip", "address", "delete", "192.0.2.10/32", "dev", "lo")
    example.shell("web2", "sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=0")
    example.shell("bystander", "ip", "address", "add", "192.0.2.11/32", "dev", "eth0")
    example.shell("client", "ip", "link", "set", "eth0", "down")
    told = example.told("up")
    assert verdicts(told["verify"]) == {"192.0.2.10": "ok", "192.0.2.11": "ok"}
    assert {one["verdict"] for one in told["verify"]["through"]} == {"ok"}


def test_up_of_what_is_no_pair_says_where_to_try_it(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text("virtual_server 192.0.2.9 80 {\n real_server 192.0.2.21 80 {\n }\n}\n")
    with lab() as made:
        done = made.run("up", str(path))
        assert done.returncode == 2
        assert "drctl lab run FILE" in done.stderr
        assert made.left([]) == []


def test_up_with_both_families_two_networks_and_nftables(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(DUAL.replace("@NOTIFIED@", str(tmp_path / "notified")))
    with lab() as made:
        told = made.told("up", str(path), "--method", "nftables")
        assert set(verdicts(told["verify"]).values()) == {"ok"}, told["verify"]
        assert set(told["vips"]) == {"192.0.2.100", "2001:db8::100", "198.51.100.1"}
        through = told["verify"]["through"]
        tried = {(one["vip"], one["real_server"]): one["verdict"] for one in through}
        assert set(tried.values()) == {"ok"}, through
        assert len(tried) == 3
        cards = {host["name"]: [c["name"] for c in host["cards"]] for host in told["hosts"]}
        assert cards["primary"] == ["ens18", "ens19"]
        assert not (tmp_path / "notified").exists(), "a program of the configuration was run"
        made.go()


def test_down_ends_shells_and_leaves_nothing() -> None:
    with lab() as made:
        made.told("up")
        pipe = subprocess.PIPE
        command = made.command("shell", "client", "sh", "-c", "echo here; exec cat")
        with subprocess.Popen(command, stdin=pipe, stdout=pipe) as shell:
            assert shell.stdout is not None
            assert shell.stdout.readline() == b"here\n"
            made.go()
            assert shell.wait(10) == -signal.SIGKILL
        assert "there is no lab" in made.run("down").stdout


@pytest.mark.parametrize(
    "name",
    [CONFIGURATIONS[0], *(pytest.param(name, marks=FULL) for name in CONFIGURATIONS[1:])],
)
def test_up_of_a_real_configuration_verifies_and_goes(name: str) -> None:
    folder = corpus_dir()
    if folder is None:
        pytest.skip("there is no corpus")
    with lab() as made:
        told = made.told("up", str(folder / name))
        assert set(verdicts(told["verify"]).values()) == {"ok"}
        made.go()
