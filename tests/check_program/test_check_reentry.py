"""drctl-check's count of good answers after a failure."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from check_server import PROGRAM, check


class Target:
    """A check whose answer is set by a file, with its own folder for the counts."""

    def __init__(self, folder: Path) -> None:
        self.good = folder / "good"
        self.good.touch()
        self.state = folder / "run" / "check"

    def ask(self, *, good: bool, options: tuple[str, ...] = ("--reentry=3",)) -> bool:
        if good:
            self.good.touch()
        else:
            self.good.unlink(missing_ok=True)
        words = "program", "192.0.2.11", "80", *options, "--", "/usr/bin/test", "-e", str(self.good)
        return check(*words, state=self.state).is_up

    def counts(self) -> list[Path]:
        return sorted(self.state.iterdir()) if self.state.exists() else []


@pytest.fixture
def target(tmp_path: Path) -> Target:
    (tmp_path / "run").mkdir()
    return Target(tmp_path)


def test_first_good_answer_is_up_and_leaves_no_file(target: Target) -> None:
    assert target.ask(good=True)
    assert target.counts() == []


def test_after_a_failure_three_good_answers_are_needed(target: Target) -> None:
    answers = [target.ask(good=good) for good in (True, False, True, True, True, True)]
    assert answers == [True, False, False, False, True, True]
    assert target.counts() == []


def test_failure_on_the_way_back_starts_the_count_again(target: Target) -> None:
    answers = [target.ask(good=good) for good in (False, True, True, False, True, True, True)]
    assert answers == [False, False, False, False, False, False, True]


def test_without_reentry_nothing_is_remembered(target: Target) -> None:
    assert not target.ask(good=False, options=())
    assert target.ask(good=True, options=())
    assert target.counts() == []


def test_services_count_apart(target: Target) -> None:
    web = ("--reentry=2", "--service=web")
    mail = ("--reentry=2", "--service=mail")
    assert not target.ask(good=False, options=web)
    assert target.ask(good=True, options=mail)
    assert not target.ask(good=True, options=web)


def test_another_parent_process_believes_the_first_good_answer(target: Target) -> None:
    assert not target.ask(good=False)
    target.good.touch()
    words = [
        str(PROGRAM), "program", "192.0.2.11", "80", "--reentry=3", f"--state-dir={target.state}",
        "--", "/usr/bin/test", "-e", str(target.good),
    ]  # fmt: skip
    by_hand = subprocess.run(["sh", "-c", shlex.join(words) + "; exit $?"], check=False)
    assert by_hand.returncode == 0
    assert not target.ask(good=True), "the run by hand changed the count"


def test_count_of_a_process_that_is_gone_is_removed(target: Target) -> None:
    assert not target.ask(good=False)
    (mine,) = target.counts()
    digest, _, start = mine.name.split(".")
    gone = mine.with_name(f"{digest}.{os.getpid()}.{int(start) - 1}")
    gone.write_text("1")
    assert not target.ask(good=False)
    assert target.counts() == [mine]


def test_count_that_nobody_asked_for_an_hour_is_forgotten(target: Target) -> None:
    assert not target.ask(good=False)
    (count,) = target.counts()
    old = count.stat().st_mtime - 3700
    os.utime(count, (old, old))
    assert target.ask(good=True)
    assert target.counts() == []


def test_counts_are_in_a_private_folder(target: Target) -> None:
    assert not target.ask(good=False)
    (count,) = target.counts()
    assert target.state.stat().st_mode & 0o777 == 0o700
    assert count.stat().st_mode & 0o777 == 0o600
    assert count.read_text() == "0 good answers since the failure of program 192.0.2.11 80\n"


@pytest.mark.parametrize("spoil", ["writable", "link", "file"])
def test_folder_that_others_control_is_not_used_and_the_answer_decides(
    target: Target, tmp_path: Path, spoil: str
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    if spoil == "writable":
        target.state.mkdir()
        target.state.chmod(0o777)
    elif spoil == "link":
        target.state.symlink_to(other)
    else:
        target.state.touch()
    words = "program", "192.0.2.11", "80", "--reentry=3", "--", "/bin/false"
    answer = check(*words, state=target.state)
    assert not answer.is_up
    assert "--reentry is not in effect" in answer.reason
    assert target.ask(good=True)
    assert list(other.iterdir()) == []


def test_link_in_the_place_of_a_count_is_not_followed(target: Target, tmp_path: Path) -> None:
    assert not target.ask(good=False)
    (count,) = target.counts()
    precious = tmp_path / "precious"
    precious.write_text("precious")
    count.unlink()
    count.symlink_to(precious)
    assert not target.ask(good=False)
    assert precious.read_text() == "precious"
    assert not count.is_symlink()
