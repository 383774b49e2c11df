"""The setup that stays, in a guest kernel that has IPVS: `drctl lab up --kernel`, and what comes
through the guest's door; `drctl lab run SCENARIO --kernel`, which leaves nothing."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from lab_case import PAIR, VIRTUAL
from lab_run import need_uml
from lab_setup_case import FULL, LIMIT_S, Lab, verdicts

from drctl.cli.main import main
from drctl.lab.door import site
from drctl.lab.setup import process
from tools import need


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab in User-mode Linux; its guest's files are in a folder of its own."""
    need_uml()
    need("bridge", "iproute2")
    need("keepalived", "keepalived")
    folder = tmp_path_factory.mktemp("guest")
    made = Lab(variables={"TMPDIR": str(folder)})
    try:
        told = made.told("up", "--kernel", "uml")
        assert told["kernel"]["kind"] == "uml"
        assert told["is_balancing"], told["notes"]
        assert {one["failure"] for one in told["requests"]} == {""}
        assert set(verdicts(told["verify"]).values()) == {"ok"}
        yield made
    finally:
        made.go()
    assert list(folder.iterdir()) == []


def test_nothing_of_a_lab_in_a_guest_is_in_this_machines_namespaces(there: Lab) -> None:
    assert there.namespaces() == []


def test_shell_in_a_guest_is_on_its_host_with_input_output_and_code(there: Lab) -> None:
    words = ("sh", "-c", "hostname -I; cat; echo apart >&2; exit 7")
    done = there.run("shell", "web1", *words, given="typed\n")
    assert (done.returncode, done.stdout) == (7, "192.0.2.21 \ntyped\n"), done.stderr
    assert done.stderr == "apart\n"
    assert "has no host web9" in there.run("shell", "web9", "true").stderr


def test_shell_in_a_guest_has_this_terminal(there: Lab) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(there.variables)
        command = there.command("shell", "web1", "sh", "-c", "stty size; cat")
        os.execv(command[0], command)
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
        seen = b""
        while b"33 101\r\n" not in seen:
            assert select.select([terminal], [], [], LIMIT_S)[0], seen
            seen += os.read(terminal, 4096)
        os.write(terminal, b"\x03")
        with suppress(OSError):  # nobody has it open any more
            while os.read(terminal, 4096):
                pass
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGINT
    finally:
        os.close(terminal)


def test_up_again_leaves_what_runs_in_a_guest_alone(there: Lab) -> None:
    def running() -> str:
        return there.shell("primary", "pgrep", "-f", "-a", f"{there.name}/.*drctl.toml")

    before = running()
    assert "drctl run" in before
    there.shell("web1", "ip", "address", "delete", "192.0.2.10/32", "dev", "lo")
    told = there.told("up")
    assert {one["verdict"] for one in told["verify"]["through"]} == {"ok"}
    assert running() == before


@pytest.mark.parametrize("kernel", ["here", "qemu"])
def test_up_with_another_kernel_is_refused(there: Lab, kernel: str) -> None:
    done = there.run("up", "--kernel", kernel)
    assert (done.returncode, "in uml: `drctl lab down" in done.stderr) == (2, True), done.stderr


@FULL
def test_scenario_is_played_in_the_guest_that_is_there(there: Lab) -> None:
    told = there.told("run", "vip-lost")
    assert (told["scenario"], told["problems"]) == ("vip-lost", [])


def test_guest_that_was_lost_is_told_and_booted_again(there: Lab) -> None:
    pids = process.processes(there.name)
    assert pids
    process.send(pids, signal.SIGKILL)
    done = there.run("shell", "web1", "true")
    assert (
        done.returncode,
        f"`drctl lab up --name {there.name}` boots it again" in done.stderr,
    ) == (2, True)
    told = there.told("up")
    assert told["is_balancing"], told["notes"]


def kill_while_booting(command: list[str], lab: str, folder: Path) -> None:
    """Begin with it, and kill it while a guest boots for the lab."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment) as maker:
        assert maker.stderr is not None
        assert maker.stderr.readline() == b"booting uml\n"
        name = lab.replace("PID", str(maker.pid))
        while len(process.processes(name)) < 2:
            time.sleep(0.02)
        maker.kill()


def test_up_that_is_killed_while_its_guest_boots_leaves_what_down_takes_away(
    tmp_path: Path,
) -> None:
    need_uml()
    made = Lab(variables={"TMPDIR": str(tmp_path)})
    kill_while_booting(made.command("up", "--kernel", "uml", "-v"), made.name, tmp_path)
    assert process.processes(made.name)
    made.go()
    assert list(tmp_path.iterdir()) == []


def test_guest_whose_keeper_was_killed_is_taken_away_with_its_files(tmp_path: Path) -> None:
    need_uml()
    made = Lab(variables={"TMPDIR": str(tmp_path)})
    kill_while_booting(made.command("up", "--kernel", "uml", "-v"), made.name, tmp_path)
    keeper = site.find(made.name)
    assert keeper is not None
    os.kill(keeper.keeper, signal.SIGKILL)
    while site.find(made.name) is not None:
        time.sleep(0.02)
    assert process.processes(made.name), "the guest went with its keeper"
    made.go()
    assert list(tmp_path.iterdir()) == []


def test_scenario_in_a_guest_that_is_killed_takes_its_guest_with_it(tmp_path: Path) -> None:
    need_uml()
    words = ("lab", "run", "kill", "--kernel", "uml", "-v")
    kill_while_booting([sys.executable, "-m", "drctl", *words], "run-PID", tmp_path)
    limit_s = time.monotonic() + LIMIT_S
    while left := list(tmp_path.iterdir()):
        assert time.monotonic() < limit_s, left
        time.sleep(0.1)


def test_scenario_in_a_guest_shows_its_verdict_and_the_client_is_served(tmp_path: Path) -> None:
    need_uml()
    need("bridge", "iproute2")
    need("keepalived", "keepalived")
    command = [sys.executable, "-m", "drctl", "lab", "run", "kill", "--kernel", "uml", "--json"]
    done = subprocess.run(
        ["env", f"TMPDIR={tmp_path}", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["kernel"]["kind"] == "uml"
    assert told["up"]["is_balancing"], told["up"]["notes"]
    assert {one["failure"] for one in told["up"]["requests"]} == {""}
    assert (told["run"]["scenario"], told["run"]["problems"]) == ("kill", [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--method", "nftables"), "real servers by nftables cannot be in uml: --kernel qemu has"),
        (("--method", "arptables_jf"), "real servers by arptables_jf cannot be in uml"),
        (("/proc/version",), "/proc, which a guest has its own of"),
    ],
)
def test_lab_in_a_guest_that_cannot_be_is_refused(
    words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"t{os.getpid()}-no"
    assert main(["lab", "up", "--kernel", "uml", "--name", name, *words]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("kill", "--method", "sysctl"), "for a scenario in a guest (--kernel)"),
        (("kill", "--config", "lvs.cf"), "for a scenario in a guest (--kernel)"),
        (("kill", "--kernel", "uml", "--config", "/nowhere/lvs.cf"), "/nowhere/lvs.cf is no file"),
        (("kill", "--kernel", "uml", "--config", "/proc/version"), "/proc, which a guest has"),
        (("kill", "--kernel", "uml", "--method", "none"), "one --method; there are sysctl"),
        (("kill", "--kernel", "uml", "--keep", "kept"), "--keep is for a trial of a file"),
        (("kill", "--kernel", "uml", "--method", "nftables"), "in uml: --kernel qemu has it"),
    ],
)
def test_scenario_in_a_guest_that_cannot_be_is_refused(
    words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lab", "run", *words]) == 2
    assert why in capsys.readouterr().err


def test_configuration_of_a_scenario_is_no_trial_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lvs.cf"
    path.write_text(PAIR + VIRTUAL)
    assert main(["lab", "run", str(path), "--config", str(path)]) == 2
    assert "--config is for a scenario" in capsys.readouterr().err
