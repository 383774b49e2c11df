"""`drctl lab run SCENARIO --kernel`: the setup that stays, in a guest kernel that has IPVS."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lab_case import PAIR, VIRTUAL
from lab_run import need_uml

from drctl.cli.main import main
from tools import need


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
        (("kill", "--method", "sysctl"), "for a scenario in a guest (--kernel)"),
        (("kill", "--config", "lvs.cf"), "for a scenario in a guest (--kernel)"),
        (("kill", "--kernel", "uml", "--config", "/nowhere/lvs.cf"), "/nowhere/lvs.cf is no file"),
        (("kill", "--kernel", "uml", "--config", "/proc/version"), "/proc, which a guest has"),
        (("kill", "--kernel", "uml", "--method", "none"), "one --method; there are sysctl"),
        (("kill", "--kernel", "uml", "--keep", "kept"), "--keep is for a trial of a file"),
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
