"""`drctl show` as a program: exit codes, errors, standard input, start-up time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

GOOD = "vrrp_instance A {\n    interface eth0\n    virtual_router_id 51\n}\n"
SLOWEST_S = 0.150


def show(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "drctl", "show", *words],
        input=given,
        capture_output=True,
        check=False,
    )


def test_good_file_ends_with_0_and_says_nothing_on_standard_error(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text(GOOD)
    done = show(str(file))
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"virtual router id  51" in done.stdout


def test_standard_input_is_called_dash() -> None:
    done = show("--json", "-", given=GOOD.encode())
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["path"] == "-"
    assert found["model"]["instances"][0]["origins"]["interface"][0]["line"] == 2


def test_unreadable_value_ends_with_1() -> None:
    done = show("-", given=GOOD.replace("51", "510").encode())
    assert done.returncode == 1
    assert b"-:3:5: error: virtual_router_id: 510 is outside 1..255 [DR031" in done.stderr


def test_line_that_only_pulse_rejects_ends_with_0() -> None:
    done = show("--format", "json", "-", given=b"primary = 192.0.2.1 # a\n")
    assert done.returncode == 0
    assert json.loads(done.stdout)["pulse"] == {
        "accepts": False,
        "line": 1,
        "message": "unexpected arguments",
    }


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (b"", {"accepts": False, "line": 0, "message": "Empty configuration"}),
        (b"# nothing\n", {"accepts": True, "line": None, "message": None}),
        (b"foo\n", {"accepts": False, "line": 1, "message": "unknown command"}),
        (b"global_defs {\n}\n", None),
    ],
)
def test_verdict_of_pulse_is_given_unless_the_text_is_keepaliveds(
    given: bytes, verdict: dict[str, object] | None
) -> None:
    assert json.loads(show("--json", "-", given=given).stdout)["pulse"] == verdict


STEERED = "$P=150\n@lb2 $P=100\ninclude a.conf\n" + GOOD.replace("51\n", "51\n priority $P\n")


def test_configuration_id_decides_and_included_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text(STEERED)
    (tmp_path / "a.conf").write_text("global_defs {\n    router_id ${_INSTANCE}\n}\n")
    for config_id, priority in (("lb1", 150), ("lb2", 100)):
        done = show("--json", "--config-id", config_id, str(file))
        assert (done.returncode, done.stderr) == (0, b"")
        found = json.loads(done.stdout)
        assert found["model"]["instances"][0]["priority"] == priority
        assert found["model"]["settings"]["router_id"] == config_id
        assert found["files"] == [str(file), str(tmp_path / "a.conf")]


def test_text_can_be_shown_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text(STEERED)
    done = show("--json", "--as-written", str(file))
    found = json.loads(done.stdout)
    assert found["model"]["instances"][0]["priority"] is None
    assert [left["text"] for left in found["leftovers"]] == [
        "$P=150",
        "@lb2 $P=100",
        "include a.conf",
        "priority $P",
    ]
    assert (found["config_id"], found["files"], found["includes"]) == (None, [str(file)], [])


def test_include_that_cannot_be_read_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text(STEERED)
    done = show(str(file))
    assert done.returncode == 1
    said = f"{file}:3:9: warning: a.conf does not exist [DR110 missing-include]"
    assert said in done.stderr.decode()
    assert b"include a.conf" in done.stdout


def test_include_that_keepalived_insists_on_ends_with_1(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text(STEERED.replace("include ", "includem "))
    done = show(str(file))
    assert done.returncode == 1
    assert b"keepalived does not start" in done.stderr


def test_expansion_is_imported_only_for_what_may_need_it(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    program = (
        "import sys; from drctl.cli.main import main\n"
        "main(['show', sys.argv[1]])\n"
        "print([name for name in sys.modules if 'expand' in name], file=sys.stderr)"
    )
    for text, is_needed in ((GOOD, False), (STEERED, True)):
        file.write_text(f"# mail to a@example.org\n{text}")
        done = subprocess.run(
            [sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=False
        )
        assert ("drctl.syntax.expand_reader" in done.stderr.splitlines()[-1]) is is_needed


def test_dialect_can_be_forced() -> None:
    done = show("--json", "--dialect", "lvs.cf", "-", given=GOOD.encode())
    found = json.loads(done.stdout)
    assert found["dialect"] == "lvs.cf"
    assert found["pulse"]["message"] == "unknown command"


def test_file_that_cannot_be_read_ends_with_2_and_the_reason(tmp_path: Path) -> None:
    missing = show(str(tmp_path / "none"))
    assert missing.returncode == 2
    assert missing.stdout == b""
    assert missing.stderr.decode() == (
        f"drctl: cannot read {tmp_path}/none: No such file or directory\n"
    )
    folder = show(str(tmp_path))
    assert folder.returncode == 2
    assert folder.stderr.decode() == f"drctl: cannot read {tmp_path}: it is a directory\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_file_without_permission_ends_with_2(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text(GOOD)
    file.chmod(0)
    assert show(str(file)).returncode == 2


def test_wrong_option_ends_with_2() -> None:
    assert show("--format", "yaml", "-").returncode == 2


def test_binary_file_is_shown_with_findings() -> None:
    done = show("--json", "-", given=bytes(range(256)) * 20)
    names = {found["name"] for found in json.loads(done.stdout)["diagnostics"]}
    assert {"not-utf8", "control-character"} <= names
    assert b"Traceback" not in done.stderr


def test_text_is_written_whatever_the_terminal_can_show() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "drctl", "show", "-"],
        input='global_defs {\n router_id "caf\u00e9"\n}\n'.encode(),
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert done.returncode == 0, done.stderr


def hundred_lines() -> str:
    servers = "".join(
        f"     server s{n} {{\n         address = 192.0.2.{n}\n         active = 1\n"
        f"         weight = {n}\n     }}\n"
        for n in range(1, 18)
    )
    head = "primary = 192.0.2.100\nbackup = 192.0.2.101\nnetwork = direct\nvirtual web {\n"
    return f"{head}     active = 1\n     address = 192.0.2.200 eth0:1\n{servers}}}\n"


def test_file_of_a_hundred_lines_is_shown_within_150_ms(tmp_path: Path) -> None:
    file = tmp_path / "lvs.cf"
    file.write_text(hundred_lines())
    assert 90 <= hundred_lines().count("\n") <= 110
    if os.getloadavg()[0] > (os.cpu_count() or 1):
        pytest.skip("the machine is busy: nothing can be said of start-up time")
    used = []
    for _ in range(9):
        started = time.perf_counter()
        assert show(str(file)).returncode == 0
        used.append(time.perf_counter() - started)
    assert min(used) < SLOWEST_S


@pytest.mark.parametrize(
    ("version", "command"),
    [("2.2.7", '/t "a b" B'), ("2.3.1", '/t "a b" B'), ("2.3.2", '/t \\"a b\\" \\10142')],
)
def test_escapes_of_a_command_are_those_of_the_target_version(version: str, command: str) -> None:
    given = b'vrrp_script x {\n    script "/t \\"a b\\" \\x4142"\n}\n'
    for more in ([], ["--as-written"]):
        done = show("--json", "--target-version", version, *more, "-", given=given)
        assert json.loads(done.stdout)["model"]["scripts"][0]["command"] == command


def test_target_version_that_is_none_ends_with_2() -> None:
    done = show("--target-version", "new", "-", given=GOOD.encode())
    assert done.returncode == 2
    assert b"--target-version new is no version like 2.2.7" in done.stderr
