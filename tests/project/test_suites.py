"""`make test`: what tools/suites.py says of suites that run beside each other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from corpus import PROJECT

PROGRAM = PROJECT / "tools" / "suites.py"
GOOD = "def test_good() -> None:\n    print('said by {name}')\n"
BAD = "def test_bad() -> None:\n    print('said by {name}')\n    assert not 'bad'\n"
DEAD = "import os\n\n\ndef test_dead() -> None:\n    os._exit(0)\n"
TABLE = re.compile(r"^(\w+) +[0-9.]+ +(\d+) +(\d+) +(\d+)(  FAILED)?$", re.MULTILINE)


def said(folder: Path, suites: dict[str, str]) -> tuple[int, str]:
    """Exit code and output for a project that has these suites."""
    (folder / "tools").mkdir()
    shutil.copy(PROGRAM, folder / "tools")
    for name, text in suites.items():
        (folder / "tests" / name).mkdir(parents=True)
        test = folder / "tests" / name / f"test_{name}.py"
        test.write_text(text.format(name=name), encoding="utf-8")
    command = [sys.executable, "-B", str(folder / "tools" / PROGRAM.name), *suites]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout


@pytest.mark.parametrize("names", [("text", "lint"), ("show", "verify")], ids=["beside", "alone"])
def test_suites_one_fails_all_run_and_each_is_told_in_one_piece(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    bad, good = names
    code, text = said(tmp_path, {bad: BAD, good: GOOD})
    assert code == 1
    table = {name: rest for name, *rest in TABLE.findall(text)}
    assert table == {bad: ["0", "1", "0", "  FAILED"], good: ["1", "0", "0", ""]}
    assert text.endswith("1 passed, 1 failed, 0 skipped\n")
    parts = dict(part.split("\n", 1) for part in text.partition("\nsuite ")[0].split("\n=== ")[1:])
    assert parts.keys() == set(names)
    assert ("said by" in parts[bad], "1 failed" in parts[bad]) == (True, True)
    assert ("1 passed" in parts[good], "failed" in parts[good]) == (True, False)


@pytest.mark.parametrize("name", ["text", "show"])
def test_suites_one_dies_without_a_report_is_a_failure(tmp_path: Path, name: str) -> None:
    code, text = said(tmp_path, {name: DEAD})
    assert (code, "  FAILED\n" in text) == (1, True)


def test_suites_all_good_code_is_0(tmp_path: Path) -> None:
    code, text = said(tmp_path, {"text": GOOD, "show": GOOD})
    assert (code, text.splitlines()[-1]) == (0, "2 passed, 0 failed, 0 skipped")


def test_suites_that_run_beside_others_are_there() -> None:
    found = re.search(r"BESIDE = \(\n(.*?)\n\)", PROGRAM.read_text("utf-8"), re.DOTALL)
    assert found is not None
    names = re.findall(r'"(\w+)"', found[1])
    assert len(names) > 10
    assert [name for name in names if not (PROJECT / "tests" / name).is_dir()] == []
