"""`drctl convert` on the command line: what it writes, prints and returns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from convert_case import GLOBAL, SERVICE, changed

from drctl.cli.main import main


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "lvs.cf"
    file.write_text(GLOBAL + SERVICE)
    return file


def test_convert_writes_pair_servers_and_reports(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["convert", str(source), "-o", str(out)]) == 0
    for path in (
        "primary/etc/keepalived/keepalived.conf",
        "backup/etc/keepalived/keepalived.conf",
        *(
            f"{h}/{f}"
            for h in ("primary", "backup", "web1", "web2")
            for f in ("install.sh", "uninstall.sh")
        ),
        "report.md",
        "report.json",
    ):
        assert (out / path).is_file(), path
    printed = capsys.readouterr()
    assert "web1/" in printed.out
    assert "statements: " in printed.out
    assert "warning: approximated" in printed.err
    conf = (out / "primary/etc/keepalived/keepalived.conf").read_text()
    assert "from lvs.cf" in conf
    assert str(tmp_path) not in conf


def test_report_json_has_the_documented_schema(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    main(["convert", str(source), "-o", str(out)])
    report = json.loads((out / "report.json").read_text())
    assert report["schema"] == 1
    assert report["source"] == str(source)
    assert {e["verdict"] for e in report["entries"]} <= {
        "exact",
        "approximated",
        "repaired",
        "dropped",
    }
    for found in report["entries"]:
        assert set(found) == {"path", "line", "statement", "verdict", "became", "why", "todo"}
        for target in found["became"]:
            file = out / target["host"] / target["path"].lstrip("/")
            assert 1 <= target["line"] <= len(file.read_text().split("\n"))
    for chosen in report["choices"]:
        assert set(chosen) == {"what", "value", "why", "option"}


def test_dry_run_prints_the_report_and_writes_nothing(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(source), "-o", str(tmp_path / "out"), "--dry-run"]) == 0
    assert main(["convert", str(source), "--dry-run"]) == 0
    assert not (tmp_path / "out").exists()
    printed = capsys.readouterr().out
    assert "## Every statement" in printed
    assert "etc/keepalived/keepalived.conf" in printed


def test_json_prints_what_the_file_holds(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["convert", str(source), "-o", str(out), "--json"]) == 0
    assert capsys.readouterr().out == (out / "report.json").read_text()


@pytest.mark.parametrize(
    ("on_loss", "code", "is_told"), [("ignore", 0, False), ("warn", 0, True), ("error", 1, True)]
)
def test_losses_reach_the_exit_code_when_asked_to(
    source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    on_loss: str,
    code: int,
    is_told: bool,
) -> None:
    arguments = ["convert", str(source), "-o", str(tmp_path / "out"), "--on-loss", on_loss]
    assert main(arguments) == code
    printed = capsys.readouterr()
    assert ("approximated" in printed.err) is is_told
    assert (tmp_path / "out").exists() is (code == 0)
    assert ("nothing is written" in printed.err) is (code == 1)
    assert ("report.md" in printed.out) is (code == 0)


def test_refused_conversion_leaves_an_earlier_one_as_it_is(source: Path, tmp_path: Path) -> None:
    arguments = ["convert", str(source), "-o", str(tmp_path / "out")]
    assert main(arguments) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    source.write_text(changed("weight = 1", "weight = 7"))
    assert main([*arguments, "--on-loss", "error"]) == 1
    after = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert before == after


def test_refused_conversion_gives_programs_its_report(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["convert", str(source), "-o", str(tmp_path / "out"), "--on-loss", "error"]
    assert main([*arguments, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["summary"]["approximated"] > 0
    assert main([*arguments, "--dry-run"]) == 1
    printed = capsys.readouterr()
    assert "## Every statement" in printed.out
    assert "nothing is written" not in printed.err


def test_exact_conversion_has_no_loss(source: Path, tmp_path: Path) -> None:
    arguments = ["convert", str(source), "-o", str(tmp_path / "out")]
    assert main([*arguments, "--checks", "exact", "--on-loss", "error"]) == 0


def test_drift_is_told_and_is_a_loss(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = tmp_path / "peer.cf"
    peer.write_text(changed("weight = 1", "weight = 3"))
    arguments = ["convert", str(source), "-o", str(tmp_path / "out"), "--peer-file", str(peer)]
    assert main([*arguments, "--checks", "exact", "--on-loss", "error"]) == 1
    assert not (tmp_path / "out").exists()
    assert main([*arguments, "--checks", "exact"]) == 0
    error = capsys.readouterr().err
    assert "drift: virtual service web, server 192.0.2.21: weight" in error
    assert f"{peer}:21" in error
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["drift"][0]["place_there"] == {"path": str(peer), "line": 21}


def test_edited_output_is_kept(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["convert", str(source), "-o", str(out)]
    main(arguments)
    assert main(arguments) == 0
    conf = out / "primary/etc/keepalived/keepalived.conf"
    conf.write_text("mine\n")
    assert main(arguments) == 2
    assert conf.read_text() == "mine\n"
    assert main([*arguments, "--force"]) == 0
    assert conf.read_text() != "mine\n"


def test_password_is_read_from_a_file_and_never_printed(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "pass"
    secret.write_text("hunter22\nmore\n")
    out = tmp_path / "out"
    arguments = ["convert", str(source), "-o", str(out), "--auth-pass-file", str(secret)]
    assert main(arguments) == 0
    conf = out / "primary/etc/keepalived/keepalived.conf"
    assert "hunter22" in conf.read_text()
    assert conf.stat().st_mode & 0o077 == 0
    printed = capsys.readouterr()
    reports = (out / "report.md").read_text() + (out / "report.json").read_text()
    assert "hunter22" not in printed.out + printed.err + reports


@pytest.mark.parametrize("password", ["", "ninechars", "a b", 'a"b', "a#b", "ä"])
def test_password_that_keepalived_cannot_hold_is_refused(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], password: str
) -> None:
    secret = tmp_path / "pass"
    secret.write_text(password)
    arguments = ["convert", str(source), "--dry-run", "--auth-pass-file", str(secret)]
    assert main(arguments) == 2
    if password:
        assert password not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-o", "/dev/null"],
        ["--dry-run", "--primary", "a/b"],
        ["--dry-run", "--primary", "x", "--backup", "X"],
        ["--dry-run", "--interface", "a b"],
        ["--dry-run", "--vrrp-network", "private"],
        ["--dry-run", "--peer-file", "/nonexistent"],
        ["--dry-run", "--auth-pass-file", "/nonexistent"],
    ],
)
def test_wrong_usage_is_exit_code_2(
    source: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(["convert", str(source), *arguments]) == 2
    assert capsys.readouterr().err.startswith("drctl: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--priorities", "1"],
        ["--priorities", "100,150"],
        ["--virtual-router-id", "256"],
        ["--arp", "magic"],
    ],
)
def test_impossible_value_is_exit_code_2(source: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["convert", str(source), "--dry-run", *arguments])
    assert stopped.value.code == 2


def test_files_of_two_kinds_are_no_pair(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "keepalived.conf"
    other.write_text("vrrp_instance a {\n    interface eth0\n}\n")
    assert main(["convert", str(source), "--dry-run", "--peer-file", str(other)]) == 2


def test_standard_input_is_converted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "drctl", "convert", "-", "-o", str(tmp_path / "out")]
    done = subprocess.run(
        command, check=False, input=GLOBAL + SERVICE, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    conf = (tmp_path / "out/primary/etc/keepalived/keepalived.conf").read_text()
    assert "from standard input" in conf


def test_keepalived_conf_gives_the_pair_and_its_real_servers(tmp_path: Path) -> None:
    first = tmp_path / "lvs.cf"
    first.write_text(GLOBAL + SERVICE)
    main(["convert", str(first), "-o", str(tmp_path / "out")])
    conf = tmp_path / "out/primary/etc/keepalived/keepalived.conf"
    again = tmp_path / "again"
    assert main(["convert", str(conf), "-o", str(again)]) == 0
    backup = "backup/etc/keepalived/keepalived.conf"
    assert _body(again / backup) == _body(tmp_path / "out" / backup)
    assert (again / "192.0.2.21/install.sh").is_file()


def _body(path: Path) -> list[str]:
    """Lines of a file but for the comments, which name the source and the blocks of lvs.cf."""
    lines = path.read_text().splitlines()
    return [line for line in lines if line.strip() and not line.strip().startswith("#")]


def test_help_names_what_is_written_and_the_exit_codes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["convert", "--help"])
    text = capsys.readouterr().out
    for part in ("what is written", "exit codes", "examples", "--on-loss", "report.json"):
        assert part in text


def test_path_that_is_no_utf8_is_converted_all_the_same(source: Path, tmp_path: Path) -> None:
    odd = tmp_path / "pi\udcf1a.cf"
    odd.write_bytes(source.read_bytes())
    out = tmp_path / "out"
    assert main(["convert", str(odd), "-o", str(out)]) == 0
    assert json.loads((out / "report.json").read_text())["source"].endswith("pi\ufffda.cf")
