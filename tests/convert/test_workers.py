"""Work shared out over processes: all of it is done once, and what fails is told."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from drctl.adapters.output import STAGING, OutputFile, write_tree
from drctl.adapters.workers import MOST_PIECES, ask_beside, processors, share_out
from drctl.errors import FileRefused, UnsafeValue


def nothing() -> None:
    """Nothing to do meanwhile."""


def test_every_piece_is_done_once(tmp_path: Path) -> None:
    def work(number: int) -> None:
        (tmp_path / str(number)).touch(exist_ok=False)

    share_out(MOST_PIECES, work, nothing)
    assert {int(file.name) for file in tmp_path.iterdir()} == set(range(MOST_PIECES))


def test_pieces_are_done_while_this_process_does_something_else(tmp_path: Path) -> None:
    if processors() == 1:
        pytest.skip("one processor: nothing is done at once")
    deadline = time.monotonic() + 20

    def wait() -> None:
        while not (tmp_path / "0").exists() and time.monotonic() < deadline:
            os.sched_yield()

    share_out(2, lambda number: (tmp_path / str(number)).touch(), wait)
    assert time.monotonic() < deadline, "no helper began before this process was done"


def test_refusal_in_any_process_is_raised_here(tmp_path: Path) -> None:
    def work(number: int) -> None:
        (tmp_path / f"missing{number}" / "file").touch()

    with pytest.raises(FileNotFoundError) as refused:
        share_out(MOST_PIECES, work, nothing)
    assert refused.value.errno == errno.ENOENT
    assert "missing" in str(refused.value.filename)


def test_helper_that_is_killed_is_told(tmp_path: Path) -> None:
    if processors() == 1:
        pytest.skip("one processor: there are no helpers")
    own = os.getpid()

    def work(_number: int) -> None:
        if os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)

    def wait_for_death() -> None:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)

    with pytest.raises(OSError, match="ended with -9"):
        share_out(MOST_PIECES, work, wait_for_death)
    assert not list(tmp_path.iterdir())


def test_failure_meanwhile_ends_all(tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("meanwhile")

    with pytest.raises(ValueError, match="meanwhile"):
        share_out(MOST_PIECES, lambda number: (tmp_path / str(number)).touch(), fail)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def many(number: int = 3000) -> list[OutputFile]:
    """Files of as many hosts."""
    return [OutputFile(f"host{n}/etc/a.conf", f"{n % 7}\n", 0o640) for n in range(number)]


def test_many_files_are_written_as_few_are(tmp_path: Path) -> None:
    calls: list[int] = []

    def make_more() -> list[OutputFile]:
        calls.append(1)
        return [OutputFile("report.md", "made late\n"), OutputFile("lb1/etc/a.conf", "late\n")]

    done = write_tree(tmp_path, many(), make_more)
    assert (done.written, done.unchanged, done.removed) == (3002, 0, 0)
    for file in many():
        path = tmp_path / file.path
        assert path.read_text() == file.text
        assert path.stat().st_mode & 0o7777 == 0o640
    assert (tmp_path / "report.md").read_text() == "made late\n"
    assert (tmp_path / "lb1/etc/a.conf").read_text() == "late\n"
    assert calls == [1]
    again = write_tree(tmp_path, many(), make_more)
    assert (again.written, again.unchanged, again.removed) == (0, 3002, 0)
    assert calls == [1, 1]


def test_few_files_and_late_ones_are_written_together(tmp_path: Path) -> None:
    done = write_tree(tmp_path, many(3), lambda: [OutputFile("report.md", "late\n")])
    assert (done.written, done.unchanged, done.removed) == (4, 0, 0)
    assert (tmp_path / "report.md").read_text() == "late\n"


@pytest.mark.parametrize("number", [3, 3000])
def test_late_files_that_are_refused_leave_nothing(tmp_path: Path, number: int) -> None:
    def refuse() -> list[OutputFile]:
        raise UnsafeValue("no such thing")

    with pytest.raises(UnsafeValue):
        write_tree(tmp_path / "out", many(number), refuse)
    assert not list(tmp_path.iterdir())


def test_run_that_was_killed_while_many_were_written_is_made_good(tmp_path: Path) -> None:
    def die() -> list[OutputFile]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []

    child = os.fork()
    if child == 0:
        write_tree(tmp_path, many(), die)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    assert (tmp_path / STAGING).exists()
    assert written_when_free(tmp_path) == 3000
    assert not (tmp_path / STAGING).exists()
    assert (tmp_path / many()[0].path).read_text() == many()[0].text


def written_when_free(base: Path) -> int:
    """Files that a run writes as soon as the helpers of a killed one, who still hold the lock, have
    ended."""
    end = time.monotonic() + 30
    while True:
        try:
            return write_tree(base, many()).written
        except FileRefused:
            if time.monotonic() > end:
                raise


def test_file_that_cannot_be_written_among_many_leaves_nothing(tmp_path: Path) -> None:
    files = [*many(), OutputFile(f"{'n' * 300}/etc/a.conf", "")]
    with pytest.raises(FileRefused, match="File name too long"):
        write_tree(tmp_path, files)
    assert not (tmp_path / STAGING).exists()
    assert not list(tmp_path.iterdir())


def test_answer_beside_is_the_answer() -> None:
    assert ask_beside(lambda: (os.getpid(), "x" * 1_000_000))()[1] == "x" * 1_000_000
    if processors() > 1:
        assert ask_beside(os.getpid)() != os.getpid()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_answer_beside_that_was_not_given_is_found_out_here() -> None:
    here = os.getpid()

    def answer() -> int:
        if os.getpid() != here:
            os._exit(3)
        return here

    assert ask_beside(answer)() == here
