"""A run's own folder: locked, gone afterwards, and what a killed run left gone with the next."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drctl.adapters.work_folder import work_folder
from drctl.errors import FileRefused

PREFIX = "drctl-test-"
KILLED = f"""\
import os, signal
from drctl.adapters.work_folder import work_folder
with work_folder("{PREFIX}") as folder:
    (folder / "inner").mkdir()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_work_folder_is_gone_afterwards_whatever_happens(tmp_path: Path) -> None:
    def use() -> None:
        with work_folder(PREFIX, tmp_path) as folder:
            (folder / "file").write_text("x")
            assert (folder.parent, folder.stat().st_mode & 0o777) == (tmp_path, 0o700)
            raise ValueError("theirs")

    with pytest.raises(ValueError, match="theirs"):
        use()
    assert list(tmp_path.iterdir()) == []


def test_work_folder_of_a_killed_run_goes_with_the_next_and_one_in_use_stays(
    tmp_path: Path,
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED], env={"TMPDIR": str(tmp_path)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    [left] = tmp_path.iterdir()
    (tmp_path / f"{PREFIX}file").write_text("no folder")
    (tmp_path / "other").mkdir()
    with work_folder(PREFIX, tmp_path) as first:
        assert not left.exists()
        with work_folder(PREFIX, tmp_path) as second:
            assert first.is_dir()
            assert second != first
    assert {one.name for one in tmp_path.iterdir()} == {f"{PREFIX}file", "other"}


def test_work_folder_that_cannot_be_locked_at_all_is_told_and_not_left(tmp_path: Path) -> None:
    with (
        _no_more_descriptors(),
        pytest.raises(FileRefused, match=f"lock {tmp_path}/{PREFIX}.*open files"),
        work_folder(PREFIX, tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_work_folder_without_a_place_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(FileRefused, match=f"make a folder in {tmp_path}/nowhere"),
        work_folder(PREFIX, tmp_path / "nowhere"),
    ):
        pass


@contextmanager
def _no_more_descriptors() -> Iterator[None]:
    """This process can open nothing meanwhile."""
    free = os.dup(0)
    os.close(free)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
