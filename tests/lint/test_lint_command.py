"""`drctl lint` as it is called: formats, exit codes, what is left out, both dialects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lint_case import instance

BAD = "priority 300"
GOOD_TEXT = instance("accept")
BAD_TEXT = instance(BAD)


def run(
    *words: str, text: str = "", folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The command with `text` on standard input."""
    return subprocess.run(
        [sys.executable, "-m", "drctl", "lint", *words],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def test_a_sound_file_has_exit_code_0(tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": GOOD_TEXT})
    done = run("k.conf", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "1 file: nothing found\n")


def test_the_full_format_shows_the_line_a_caret_and_the_way_out(tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": instance("nopreempt off")})
    done = run("k.conf", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == (
        "k.conf:10:11: warning: off is ignored: nopreempt is switched on whatever follows"
        " [DR218 ignored-word]\n  nopreempt off\n            ^^^\n  help: remove the line\n\n"
    )
    assert done.stderr == "1 file: 1 warning\n"


def test_the_concise_format_has_one_line_a_finding(tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": BAD_TEXT})
    done = run("--format", "concise", "k.conf", folder=tmp_path)
    assert done.stdout == "k.conf:10:10: error: 300 is outside 1..255 [DR211 bad-value]\n"


def test_the_json_format_is_that_of_its_schema(tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": BAD_TEXT})
    whole = json.loads(run("--json", "k.conf", folder=tmp_path).stdout)
    assert whole["schema"] == 1
    assert whole["files"] == 1
    assert whole["diagnostics"] == [
        {
            "path": "k.conf",
            "line": 10,
            "column": 10,
            "end_line": 10,
            "end_column": 13,
            "code": "DR211",
            "name": "bad-value",
            "severity": "error",
            "message": "300 is outside 1..255",
            "hint": "",
            "fix": None,
            "related": [],
        }
    ]


def test_standard_input_is_read_for_a_dash() -> None:
    done = run("--format", "concise", "-", text=BAD_TEXT)
    assert done.stdout.startswith("<stdin>:10:10: error")


def test_a_password_is_in_no_format(tmp_path: Path) -> None:
    text = instance("authentication {\nauth_type PASS\nauth_pass secretword more\n}")
    write(tmp_path, {"k.conf": text})
    for name in ("full", "concise", "json"):
        done = run("--format", name, "k.conf", folder=tmp_path)
        assert "DR212" in done.stdout
        assert "secretword" not in done.stdout


@pytest.mark.parametrize("word", ["DR211", "dr211", "bad-value", "DR301,DR211"])
def test_an_ignored_code_is_not_told(word: str, tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": BAD_TEXT})
    done = run("--ignore", word, "k.conf", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "inside",
    [
        f"{BAD} # drctl: ignore[DR211]",
        f"{BAD} ! drctl: ignore[DR999, bad-value]",
        f"{BAD} # for now # drctl: ignore",
        f"# drctl: ignore[DR211]\n\n# why\n{BAD}",
    ],
)
def test_a_comment_silences_a_finding(inside: str) -> None:
    assert run("-", text=instance(inside)).returncode == 0


@pytest.mark.parametrize(
    "inside",
    [
        f"{BAD} # drctl: ignore[DR212]",
        f"{BAD} # drctl: ignored",
        f"accept # drctl: ignore\n{BAD}",
        f"# drctl: ignore[DR211]\naccept\n{BAD}",
    ],
)
def test_a_comment_silences_nothing_else(inside: str) -> None:
    assert run("-", text=instance(inside)).returncode == 1


def test_a_template_is_skipped_with_one_info(tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": instance("priority {{ priority }}\nnonsense")})
    done = run("--format", "concise", "k.conf", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "k.conf:10:10: info" in done.stdout
    assert run("--force", "k.conf", folder=tmp_path).returncode == 1


def test_included_files_are_judged_in_their_place(tmp_path: Path) -> None:
    files = {
        "k.conf": instance("include conf.d/*.conf"),
        "conf.d/inside.conf": f"nopreempt\n{BAD}\n",
        "conf.d/alone.txt": "nothing",
    }
    write(tmp_path, files)
    whole = json.loads(run("--json", "k.conf", "conf.d", folder=tmp_path).stdout)
    told = [(one["path"], one["line"], one["code"]) for one in whole["diagnostics"]]
    assert told == [("conf.d/inside.conf", 2, "DR211")]
    assert whole["files"] == 1


def test_includes_of_the_usual_folder_are_found_beside_the_file(tmp_path: Path) -> None:
    files = {"k.conf": "include /etc/keepalived/absent-here/*.conf\n", "absent-here/a.conf": "x\n"}
    write(tmp_path, files)
    done = run("--format", "concise", "k.conf", folder=tmp_path)
    assert "absent-here/a.conf:1:1: error: unknown keyword x" in done.stdout


def test_the_config_id_decides_conditions(tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": instance(f"@lb1 {BAD}\n@^lb1 priority 100")})
    assert run("--config-id", "lb1", "k.conf", folder=tmp_path).returncode == 1
    assert run("--config-id", "lb2", "k.conf", folder=tmp_path).returncode == 0


def test_the_target_version_decides_keywords(tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": instance("owner_ignore_adverts")})
    assert run("k.conf", folder=tmp_path).returncode == 1
    assert run("--target-version", "2.3.4", "k.conf", folder=tmp_path).returncode == 0


def test_an_lvs_cf_is_checked_by_its_own_rules(tmp_path: Path) -> None:
    write(tmp_path, {"lvs.cf": "serial_no = 1\nprimary = 192.0.2.1\nservice = lvs\nnonsense = 5\n"})
    done = run("--format", "concise", "lvs.cf", folder=tmp_path)
    assert done.returncode == 1
    assert "lvs.cf:4:1:" in done.stdout


def test_a_folder_stands_for_its_configurations(tmp_path: Path) -> None:
    names = [f"{number}.conf" for number in range(60)]
    write(tmp_path, dict.fromkeys(names, BAD_TEXT) | {"notes.txt": "nonsense"})
    done = run("--format", "concise", ".", folder=tmp_path)
    assert done.stdout.count("DR211") == 60
    assert done.stdout.splitlines() == sorted(done.stdout.splitlines())


@pytest.mark.parametrize(
    "words",
    [("absent.conf",), ("--target-version", "new", "-"), ("--ignore", "DR999", "-"), ()],
)
def test_what_cannot_be_done_has_exit_code_2(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert done.stderr


def test_what_is_wrong_with_the_text_of_an_included_file_is_told_there(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("include b.conf\n")
    text = f"\ufeffglobal_defs {{\n# {'-' * 1022}\nrouter_id a\0b\n}}\n"
    (tmp_path / "b.conf").write_text(text, "utf-8")
    done = run("--format", "concise", "a.conf", folder=tmp_path)
    told = [
        line.partition(": ")[0] + line.rpartition("[")[2][:5] for line in done.stdout.split("\n")
    ]
    assert "b.conf:1:1DR012" in told
    assert "b.conf:2:1DR016" in told
    assert any("DR014" in one for one in told)
    assert done.stdout.count("b.conf:1:1:") == 1, "the mark and the unknown keyword are one mistake"


@pytest.mark.parametrize("command", ["lint", "show"])
def test_fifo_without_a_writer_is_refused_at_once(tmp_path: Path, command: str) -> None:
    os.mkfifo(tmp_path / "k.conf")
    done = subprocess.run(
        [sys.executable, "-m", "drctl", command, "k.conf"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=20,
    )
    assert done.returncode == 2
    assert "it is a FIFO that nothing was written to" in done.stderr


def test_pipe_that_is_written_to_late_is_read() -> None:
    script = f"{sys.executable} -m drctl lint --format concise <(sleep 0.2; echo foo)"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "unknown keyword foo" in done.stdout
