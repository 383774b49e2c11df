"""One lvs.cf, a whole setup in User-mode Linux: without rules, and with what drctl generates."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab_case import PAIR, VIRTUAL
from lab_run import (
    changed_by_a_lab,
    command,
    failures,
    machine_files,
    need_uml,
    processes_that_name,
    run_lab,
)

pytestmark = pytest.mark.lab

METHODS = ("none", "sysctl", "arptables", "iptables")
_LIMIT_S = 120


@dataclass(frozen=True)
class Ran:
    """A lab that has run: its exit code and JSON, the machine's files before, its kept files."""

    code: int
    result: dict[str, Any]
    before: dict[str, str]
    kept: Path

    def trial(self, method: str) -> dict[str, Any]:
        found: dict[str, Any] = next(t for t in self.result["trials"] if t["method"] == method)
        return found


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    need_uml()
    folder = tmp_path_factory.mktemp("lab")
    source = folder / "lvs.cf"
    source.write_text(PAIR + VIRTUAL)
    before = machine_files()
    wanted = [word for method in METHODS for word in ("--method", method)]
    code, result = run_lab(str(source), *wanted, "--keep", str(folder / "kept"))
    return Ran(code, result, before, folder / "kept")


def test_lab_without_rules_is_hijacked(ran: Ran) -> None:
    trial = ran.trial("none")
    assert failures(trial) == []
    (measured,) = trial["measurements"]
    answering = {who["host"] for hosts in measured["arp"][0]["rounds"] for who in hosts}
    assert answering & {"web1", "web2"}
    assert measured["flows"][0]["bypassed"] > 0


@pytest.mark.parametrize("method", METHODS[1:])
def test_lab_with_generated_files_holds_every_assertion(ran: Ran, method: str) -> None:
    trial = ran.trial(method)
    assert failures(trial) == []
    before, after = trial["measurements"]
    for measured in (before, after):
        rounds = measured["arp"][0]["rounds"]
        assert len(rounds) >= 3
        assert {who["host"] for hosts in rounds for who in hosts} == {measured["active"]}
        (flow,) = measured["flows"]
        assert flow["served"] == {"web1": 4, "web2": 4}
        assert flow["replies_from"] == ["web1", "web2"]
        assert measured["counters"]["TCP 192.0.2.80:80"]["out_packets"] == 0
    assert {before["active"], after["active"]} == {"primary", "backup"}
    assert trial["failover"]["survivor"] == after["active"]


def test_lab_exit_code_is_0_when_all_holds(ran: Ran) -> None:
    assert (ran.code, ran.result["holds"], ran.result["schema"]) == (0, True, 1)


def test_lab_leaves_the_machines_files_alone(ran: Ran) -> None:
    assert len(ran.before) > 100
    assert changed_by_a_lab(ran.before, ran.kept) == []


@pytest.mark.parametrize("host", ["web1", "primary"])
def test_installer_outside_of_a_lab_is_told_from_what_others_change(
    ran: Ran, host: str, tmp_path: Path
) -> None:
    (tmp_path / "etc").mkdir()
    before = machine_files(tmp_path)
    (tmp_path / "etc" / "passwd").write_text("of somebody who installs a package\n")
    assert changed_by_a_lab(before, ran.kept, tmp_path) == []
    script = ran.kept / "sysctl" / host / "install.sh"
    subprocess.run(["sh", str(script), "--destdir", str(tmp_path)], check=True, capture_output=True)
    found = changed_by_a_lab(before, ran.kept, tmp_path)
    assert "/var/lib/drctl/manifest" in found
    wanted = "sysctl.d/99-zz-drctl-arp.conf" if host == "web1" else "keepalived/keepalived.conf"
    assert f"/etc/{wanted}" in found


def test_lab_keeps_generated_files_and_logs(ran: Ran) -> None:
    assert (ran.kept / "sysctl" / "web1" / "install.sh").is_file()
    log = (ran.kept / "arptables-primary-keepalived.log").read_text()
    assert "Entering MASTER STATE" in log or "Entering BACKUP STATE" in log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_lab_interrupted_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    need_uml()
    source = tmp_path / "lvs.cf"
    source.write_text(PAIR + VIRTUAL)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        # a shell's background job ignores SIGINT, and so would what it starts
        ["env", "--default-signal=INT", f"TMPDIR={temporary}", *command(str(source))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    end = time.monotonic() + _LIMIT_S
    while not processes_that_name(f"uml_dir={temporary}") and time.monotonic() < end:
        assert process.poll() is None, "the lab ended before it could be interrupted"
        time.sleep(0.1)
    process.send_signal(number)
    process.communicate(timeout=_LIMIT_S)
    assert process.returncode == 128 + number
    assert processes_that_name(str(temporary)) == []
    assert list(temporary.iterdir()) == []
