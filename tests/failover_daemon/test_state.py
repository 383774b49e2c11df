"""The state directory: epochs never go back, a pause outlives a restart, memory is never fatal."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from drctl.daemon.state import (
    EPOCHS,
    MEMORY,
    PAUSED,
    SKIPPED_WHEN_DAMAGED,
    SLOT_BYTES,
    Memory,
    State,
    StateDamaged,
)
from drctl.errors import FileRefused
from tools import need, need_root

MEMORY_OF_A_RUN = Memory((("eth0", "192.0.2.10"),), (("lb2", "02:00:00:00:00:02"),))

FULL_DISK = """
import os, subprocess, sys
from pathlib import Path
from drctl.daemon.state import Memory, State
from drctl.errors import FileRefused
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", folder], check=True)
state = State.open(folder)
state.set_paused({"web"})
with open(folder / "filler", "wb", buffering=0) as filler:
    try:
        while filler.write(b"x" * 4096):
            pass
    except OSError:
        pass
state.reserve(1000)
state.reserve(2000)
assert "No space left" in state.remember(Memory((("eth0", "192.0.2.1"),)))
try:
    state.set_paused({"web", "mail"})
except FileRefused as refused:
    print(refused)
assert state.paused == {"web"}, state.paused
again = State.open(folder)
print(again.epoch, sorted(again.paused))
again.set_paused(())
print(sorted(State.open(folder).paused))
"""


def test_directory_that_does_not_exist_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "lib" / "drctl"
    State.open(folder).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / EPOCHS).stat().st_mode) == 0o600


def test_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(FileRefused, match="not a directory"):
        State.open(tmp_path / "state")


def test_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(FileRefused, match=r"mode 0777\); chmod 0700"):
        State.open(folder)


def test_epoch_of_a_new_directory_is_zero(tmp_path: Path) -> None:
    assert State.open(tmp_path).epoch == 0


def test_reserved_epochs_are_there_after_a_restart(tmp_path: Path) -> None:
    state = State.open(tmp_path)
    for below in (1000, 2000, 3000):
        state.reserve(below)
        assert State.open(tmp_path).epoch == below


def test_lower_reservation_changes_nothing(tmp_path: Path) -> None:
    state = State.open(tmp_path)
    state.reserve(2000)
    state.reserve(1000)
    assert (state.epoch, State.open(tmp_path).epoch) == (2000, 2000)


@pytest.mark.parametrize("cut", [0, 1, 8, 15, 19])
def test_write_that_was_cut_short_loses_nothing_older(tmp_path: Path, cut: int) -> None:
    state = State.open(tmp_path)
    state.reserve(1000)
    state.reserve(2000)
    before = (tmp_path / EPOCHS).read_bytes()
    state.reserve(3000)
    after = (tmp_path / EPOCHS).read_bytes()
    at = next(at for at in (0, SLOT_BYTES) if before[at : at + 20] != after[at : at + 20])
    torn = bytearray(before)
    torn[at : at + cut] = after[at : at + cut]
    torn[at + cut] ^= 0x55
    (tmp_path / EPOCHS).write_bytes(torn)
    found = State.open(tmp_path)
    assert found.epoch == 2000 + SKIPPED_WHEN_DAMAGED
    assert len(found.notes) == 1
    found.reserve(found.epoch + 1000)
    again = State.open(tmp_path)
    assert again.epoch == 2000 + SKIPPED_WHEN_DAMAGED + 1000
    assert again.notes == []


def test_restart_does_not_write_over_the_higher_value(tmp_path: Path) -> None:
    State.open(tmp_path).reserve(1000)
    for below in (2000, 3000, 4000):
        before = (tmp_path / EPOCHS).read_bytes()
        State.open(tmp_path).reserve(below)
        after = bytearray((tmp_path / EPOCHS).read_bytes())
        at = next(at for at in (0, SLOT_BYTES) if before[at : at + 20] != after[at : at + 20])
        whole = bytes(after)
        after[at] ^= 0x55
        (tmp_path / EPOCHS).write_bytes(after)
        assert State.open(tmp_path).epoch == below - 1000 + SKIPPED_WHEN_DAMAGED
        (tmp_path / EPOCHS).write_bytes(whole)


@pytest.mark.parametrize("content", [b"", b"\0" * 2 * SLOT_BYTES, b"drctlEP1" * 1024])
def test_file_without_a_whole_value_is_an_error_with_the_way_out(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / EPOCHS).write_bytes(content)
    with pytest.raises(StateDamaged, match=r"epochs is damaged: .* delete it"):
        State.open(tmp_path)


def test_writing_in_place_keeps_file_and_size(tmp_path: Path) -> None:
    state = State.open(tmp_path)
    before = (tmp_path / EPOCHS).stat()
    state.reserve(1000)
    after = (tmp_path / EPOCHS).stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)


def test_epochs_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    state = State.open(tmp_path)
    state.close()
    with pytest.raises(FileRefused, match=r"cannot write .*epochs"):
        state.reserve(1000)
    assert state.epoch == 0


def test_pause_outlives_a_restart(tmp_path: Path) -> None:
    State.open(tmp_path).set_paused({"web", "mail"})
    assert State.open(tmp_path).paused == {"web", "mail"}
    State.open(tmp_path).set_paused(())
    assert State.open(tmp_path).paused == frozenset()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 1, "groups": [1]}'])
def test_damaged_list_of_pauses_is_an_error_with_the_way_out(tmp_path: Path, content: str) -> None:
    (tmp_path / PAUSED).write_text(content)
    with pytest.raises(StateDamaged, match=r"paused.json is damaged: .*delete it"):
        State.open(tmp_path)


def test_pause_that_cannot_be_written_is_refused_and_not_believed(tmp_path: Path) -> None:
    state = State.open(tmp_path)
    (tmp_path / (PAUSED + ".new")).mkdir()
    with pytest.raises(FileRefused, match="paused"):
        state.set_paused({"web"})
    assert state.paused == frozenset()


def test_memory_is_what_was_remembered(tmp_path: Path) -> None:
    assert State.open(tmp_path).memory() == Memory()
    assert State.open(tmp_path).remember(MEMORY_OF_A_RUN) == ""
    assert State.open(tmp_path).memory() == MEMORY_OF_A_RUN


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        b'{"schema": 2}',
        b'{"schema":1,"stations":[["a"]],"peer_macs":[]}',
        b'{"schema":1,"stations":[],"peer_macs":[[1,2]]}',
    ],
)
def test_damaged_memory_is_left_out_and_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MEMORY).write_bytes(content)
    state = State.open(tmp_path)
    assert state.memory() == Memory()
    assert len(state.notes) == 1
    assert "memory.json" in state.notes[0]


def test_memory_that_cannot_be_written_is_told_and_no_error(tmp_path: Path) -> None:
    state = State.open(tmp_path)
    (tmp_path / (MEMORY + ".new")).mkdir()
    assert "cannot write" in state.remember(MEMORY_OF_A_RUN)
    (tmp_path / (MEMORY + ".new")).rmdir()
    assert state.remember(MEMORY_OF_A_RUN) == ""


def test_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / EPOCHS).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileRefused, match="epochs"):
        State.open(tmp_path)


def test_full_disk_takes_epochs_and_ends_pauses(tmp_path: Path) -> None:
    need_root()
    unshare = need("unshare", "util-linux")
    command = [unshare, "--mount", sys.executable, "-c", FULL_DISK, str(tmp_path)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=dict(os.environ, LC_ALL="C")
    )
    assert done.returncode == 0, done.stderr
    refused, kept, ended = done.stdout.splitlines()
    assert "No space left on device" in refused
    assert kept == "2000 ['web']"
    assert ended == "[]"
