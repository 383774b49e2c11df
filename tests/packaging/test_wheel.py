"""The built wheel, installed in a clean environment and used from another directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from corpus import PROJECT


@dataclass(frozen=True)
class Installed:
    """A wheel and the program that it installed, with a directory far from the checkout."""

    wheel: Path
    program: Path
    elsewhere: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run([str(self.program), *words], self.elsewhere)


def run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    return subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    run([*build, str(PROJECT)], folder)
    (wheel,) = folder.glob("drctl-*.whl")
    run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    run([str(folder / "venv" / "bin" / "pip"), "install", "--quiet", str(wheel)], folder)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return Installed(wheel, folder / "venv" / "bin" / "drctl", elsewhere)


def test_wheel_carries_every_data_file(installed: Installed) -> None:
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    for kind in ("grammar", "templates", "examples"):
        files = [p for p in (PROJECT / kind).rglob("*") if p.is_file() and p.suffix != ".pyc"]
        assert files, f"{kind} is empty"
        wanted = {f"drctl/_data/{kind}/{p.relative_to(PROJECT / kind).as_posix()}" for p in files}
        assert wanted - names == set()


def test_installed_program_shows_a_configuration_from_another_directory(
    installed: Installed,
) -> None:
    source = PROJECT / "examples" / "piranha" / "lvs.cf"
    shown = json.loads(installed.run("show", str(source), "--json").stdout)
    assert shown["dialect"] == "lvs.cf"
    assert shown["pulse"]["accepts"] is True
    assert shown["model"]["services"]


def test_installed_program_converts_from_another_directory(installed: Installed) -> None:
    source = PROJECT / "examples" / "piranha" / "lvs.cf"
    installed.run("convert", str(source), "-o", "out")
    report = json.loads((installed.elsewhere / "out" / "report.json").read_text("utf-8"))
    assert report["schema"] == 1
    conf = installed.elsewhere / "out" / "primary" / "etc" / "keepalived" / "keepalived.conf"
    assert "virtual_server" in conf.read_text("utf-8")


def test_installed_program_tells_its_version(installed: Installed) -> None:
    (version,) = {installed.wheel.name.split("-")[1]}
    assert installed.run("--version").stdout.strip() == f"drctl {version}"
