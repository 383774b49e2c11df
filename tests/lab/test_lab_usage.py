"""Wrong usage and missing things: exit code 2, with the way out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lab_case import PAIR, VIRTUAL
from lab_run import command, need_uml

from drctl.cli.main import main
from drctl.errors import ToolMissing
from drctl.lab.method import METHODS, QEMU, UML, kernel_for
from drctl.lab.qemu import newest_kernel


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "lvs.cf"
    path.write_text(PAIR + VIRTUAL)
    return str(path)


def test_lab_nftables_in_uml_is_refused(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "run", source, "--method", "nftables", "--kernel", "uml"]) == 2
    assert "--kernel qemu" in capsys.readouterr().err


def test_lab_of_a_missing_file_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "run", "/nowhere/lvs.cf"]) == 2
    assert "/nowhere/lvs.cf" in capsys.readouterr().err


def test_lab_keep_folder_with_something_in_it_is_refused(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lab", "run", source, "--keep", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err


def test_lab_unknown_method_is_refused(source: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["lab", "run", source, "--method", "magic"])


def test_newest_kernel_in_an_empty_folder_names_the_package(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="linux-image-amd64"):
        newest_kernel(tmp_path)


def test_kernel_for_methods_is_the_quickest_that_can_do_all() -> None:
    assert kernel_for((METHODS["none"], METHODS["arptables"])) == UML
    assert kernel_for((METHODS["sysctl"], METHODS["nftables"])) == QEMU


def test_lab_with_temporary_files_where_the_guest_cannot_see_them_is_refused(source: str) -> None:
    need_uml()
    done = subprocess.run(
        ["env", "TMPDIR=/dev/shm", *command(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "set TMPDIR" in done.stderr
