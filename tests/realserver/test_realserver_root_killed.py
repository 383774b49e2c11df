"""Boot files that were being put below a folder when everything was killed: the next run makes them
right."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from realserver_case import OWN
from verify_case import CONFIGURATION

IS_FULL = os.environ.get("DRCTL_FULL", "") not in {"", "0"}
PARTS = tuple(one / 30 for one in range(30)) if IS_FULL else (0.3, 0.8)
"""Of the files, when it is killed."""


class Installed:
    """A folder that boot files are put below."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        (self.root / "etc").mkdir(parents=True)
        (self.root / "etc/theirs").write_text("mine\n")
        path = folder / "keepalived.conf"
        path.write_text(CONFIGURATION)
        options = (str(path), "--host", OWN, "--method", "nftables", "--root", str(self.root))
        self._words = (*options, "--net", "systemd")
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self._env = {**os.environ, "TMPDIR": str(self.scratch)}

    def command(self, action: str, *more: str) -> list[str]:
        return [sys.executable, "-m", "drctl", "realserver", action, *self._words, *more]

    def ask(self, action: str, *more: str) -> tuple[int, str]:
        done = subprocess.run(
            self.command(action, *more),
            capture_output=True,
            text=True,
            check=False,
            env=self._env,
        )
        return done.returncode, done.stdout + done.stderr

    def count(self) -> int:
        """Of files and links, while they are being put there: some may be gone already."""
        return sum(path.is_symlink() or path.is_file() for path in self.root.rglob("*"))

    def files(self) -> dict[str, str]:
        """All of them, with what is in them or where they lead. The list of what is there names
        folders too, of which a killed run may have made some before it could write them down."""
        return {
            str(path.relative_to(self.root)): str(path.readlink())
            if path.is_symlink()
            else path.read_text()
            for path in self.root.rglob("*")
            if (path.is_symlink() or path.is_file()) and path.name != "manifest"
        }

    def kill_with(self, count: int, *, is_all: bool) -> None:
        """SIGKILL as soon as there are so many files; to its installer too when `is_all`."""
        with subprocess.Popen(
            self.command("apply"),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            env=self._env,
        ) as run:
            while self.count() < count and run.poll() is None:
                time.sleep(0.001)
            if run.poll() is None:
                (os.killpg if is_all else os.kill)(run.pid, signal.SIGKILL)


@pytest.mark.parametrize("is_all", [True, False], ids=["with its installer", "alone"])
def test_files_are_right_after_the_run_that_follows_a_killed_one(
    tmp_path: Path, *, is_all: bool
) -> None:
    right = Installed(tmp_path / "right")
    assert right.ask("apply")[0] == 0
    wanted = right.files()
    assert len(wanted) > 5
    for number, part in enumerate(PARTS):
        killed = Installed(tmp_path / f"killed{number}")
        killed.kill_with(2 + int(part * len(wanted)), is_all=is_all)
        code, told = killed.ask("apply")
        assert code == 0, told
        assert list(killed.scratch.iterdir()) == []
        assert killed.files() == wanted, part
        assert killed.ask("check") == (0, f"{OWN}: as it is to be\n")
        assert killed.ask("remove")[0] == 0
        assert killed.files() == {"etc/theirs": "mine\n"}


def test_folder_of_a_killed_run_goes_with_the_next_one_and_not_before_its_installer_ends(
    tmp_path: Path,
) -> None:
    killed = Installed(tmp_path / "killed")
    killed.kill_with(2, is_all=True)
    [left] = killed.scratch.iterdir()
    (killed.scratch / "drctl-host-theirs").write_text("no folder of ours\n")
    user = os.open(left, os.O_RDONLY)
    try:
        fcntl.flock(user, fcntl.LOCK_EX)  # as an installer does that goes on
        assert killed.ask("apply")[0] == 0
        assert left.is_dir()
    finally:
        os.close(user)
    assert killed.ask("apply", "--plan")[0] == 0
    assert left.is_dir(), "a plan changes nothing"
    assert killed.ask("remove")[0] == 0
    assert [one.name for one in killed.scratch.iterdir()] == ["drctl-host-theirs"]
