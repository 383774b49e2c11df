"""The history and the process that writes it: nothing blocks, little is lost, and it says so."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drctl.daemon.history import YOUNGEST_ROWS, History, HistoryRefused, read
from drctl.daemon.line_channel import MOST_LINES
from drctl.daemon.recorder_client import Recorder
from tools import need, need_root

TRANSITION = {
    "kind": "transition",
    "group": "web",
    "before": "standby",
    "after": "active",
    "epoch": 7,
    "reason": "lb2 is silent",
    "witness": ["192.0.2.10"],
}

FULL_DISK = """
import os, select, subprocess, sys, time
from pathlib import Path
from drctl.daemon.history import read
from drctl.daemon.recorder_client import Recorder
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", folder], check=True)

def fill():
    with open(folder / "filler", "wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 4096):
                pass
        except OSError:
            pass

def wait(recorder, done):
    poll = select.poll()
    poll.register(recorder.fileno(), select.POLLIN)
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end, recorder.trouble
        poll.poll(50)
        recorder.receive(0)

def written(count):
    try:
        return len(read(folder / "history", limit=100_000)) >= count
    except Exception:
        return False

recorder = Recorder.spawn(folder / "history", 0)
recorder.put({"kind": "first"})
wait(recorder, lambda: written(1))
fill()
sent = 12_000
for number in range(sent):
    recorder.put({"kind": "full", "number": number})
    recorder.tick(0)
wait(recorder, lambda: recorder.trouble)
print(recorder.trouble)
while not recorder._child._lines.flush():
    time.sleep(0)
(folder / "filler").unlink()
subprocess.run(["mount", "-o", "remount,size=16m", folder], check=True)
wait(recorder, lambda: not recorder.trouble)
assert recorder.end()
found = read(folder / "history", limit=100_000)
lost = sum(event["evidence"]["count"] for event in found if event["kind"] == "lost")
full = [event["evidence"]["number"] for event in found if event["kind"] == "full"]
assert found[0]["kind"] == "first"
assert full == sorted(full) and full[-1] == sent - 1
print(len(full) + lost, lost > 0)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite3"


@pytest.fixture
def recorder(path: Path) -> Iterator[Recorder]:
    made = Recorder.spawn(path, 0)
    yield made
    made.end(0)


def wait(recorder: Recorder, done: Callable[[], object], now_ms: int = 0) -> None:
    """Run the recorder's part of a loop until something is so."""
    poll = select.poll()
    poll.register(recorder.fileno(), select.POLLIN)
    end_s = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end_s, recorder.trouble
        poll.poll(20)
        recorder.receive(now_ms)
        recorder.tick(now_ms)


def pid_of(recorder: Recorder) -> int | None:
    return recorder.pid


def kinds(path: Path) -> list[str]:
    try:
        return [event["kind"] for event in read(path, limit=100_000)]
    except HistoryRefused:
        return []


def test_event_is_read_as_it_was_put(recorder: Recorder, path: Path) -> None:
    recorder.put(TRANSITION | {"at_ms": 1_700_000_000_000})
    assert recorder.end()
    (found,) = read(path)
    assert found == {
        "id": 1,
        "at_ms": 1_700_000_000_000,
        **{name: TRANSITION[name] for name in ("kind", "group", "before", "after")},
        "epoch": 7,
        "reason": "lb2 is silent",
        "evidence": {"witness": ["192.0.2.10"]},
    }


def test_event_without_a_time_gets_the_time_of_day(recorder: Recorder, path: Path) -> None:
    before_ms = time.time_ns() // 1_000_000
    recorder.put(TRANSITION)
    assert recorder.end()
    assert before_ms <= read(path)[0]["at_ms"] <= time.time_ns() // 1_000_000


def test_events_are_there_while_the_recorder_runs(recorder: Recorder, path: Path) -> None:
    recorder.put(TRANSITION)
    wait(recorder, lambda: kinds(path) == ["transition"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_second_run_continues_the_history(path: Path) -> None:
    for number in range(3):
        recorder = Recorder.spawn(path, 0)
        recorder.put({"kind": f"run {number}"})
        assert recorder.end()
    assert kinds(path) == ["run 0", "run 1", "run 2"]


def test_strange_values_are_kept_as_far_as_they_can_be(recorder: Recorder, path: Path) -> None:
    recorder.put({"kind": "a", "reason": "\udc80", "epoch": 1 << 70, "at_ms": "x", "x": "\ud800"})
    recorder.put({"kind": "b", "reason": "x" * 100_000, "y": None})
    assert recorder.end()
    first, second = read(path)
    assert (first["kind"], first["reason"], first["epoch"]) == ("a", "?", 0)
    assert first["evidence"] == {"x": "\ud800"}
    assert len(second["reason"]) == 4096


def test_killed_recorder_is_started_again_and_goes_on(recorder: Recorder, path: Path) -> None:
    recorder.put({"kind": "before"})
    wait(recorder, lambda: kinds(path) == ["before"])
    pid = recorder.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait(recorder, lambda: recorder.pid is None)
    assert "is started again" in recorder.trouble
    recorder.put({"kind": "between"})
    recorder.tick(50)
    assert pid_of(recorder) is None, "it waits before it tries again"
    recorder.tick(100)
    assert pid_of(recorder) not in {None, pid}
    assert recorder.trouble == ""
    recorder.put({"kind": "after"})
    wait(recorder, lambda: kinds(path) == ["before", "lost", "between", "after"], 100)


def test_events_that_a_killed_recorder_was_not_given_go_to_the_next(
    recorder: Recorder, path: Path
) -> None:
    recorder.put({"kind": "first"})
    wait(recorder, lambda: kinds(path) == ["first"])
    pid = recorder.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    for number in range(MOST_LINES // 2):
        recorder.put({"kind": "many", "number": number})
    os.kill(pid, signal.SIGKILL)
    wait(recorder, lambda: recorder.pid != pid)
    wait(recorder, lambda: pid_of(recorder) is not None, 100)
    recorder.put({"kind": "last"})
    assert recorder.end(20_000)
    found = read(path, limit=100_000)
    numbers = [event["evidence"]["number"] for event in found if event["kind"] == "many"]
    assert numbers == list(range(numbers[0], MOST_LINES // 2))
    assert found[-1]["kind"] == "last"


def test_what_could_not_be_written_is_tried_again_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "later" / "history"
    recorder = Recorder.spawn(path, 0)
    recorder.put({"kind": "a"})
    wait(recorder, lambda: recorder.trouble)
    path.parent.mkdir()
    assert recorder.end()
    assert kinds(path) == ["a"]


def test_recorder_that_cannot_write_to_the_end_says_so(tmp_path: Path) -> None:
    recorder = Recorder.spawn(tmp_path / "none" / "history", 0)
    recorder.put({"kind": "a"})
    assert not recorder.end()


def test_recorder_ends_when_the_controller_is_killed_and_writes_first(path: Path) -> None:
    code = (
        "import os, signal, sys; from drctl.daemon.recorder_client import Recorder\n"
        "recorder = Recorder.spawn(sys.argv[1], 0)\n"
        "for number in range(100): recorder.put({'kind': str(number)})\n"
        "print(recorder.pid, flush=True); sys.stdin.read(1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pidfd = os.pidfd_open(int(parent.stdout.readline()))
        parent.communicate("x")
    assert parent.returncode == -signal.SIGKILL
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(10_000), "the recorder outlived the controller"
    os.close(pidfd)
    assert kinds(path) == [str(number) for number in range(100)]


def test_recorder_outlives_the_signals_of_a_service_that_stops(
    recorder: Recorder, path: Path
) -> None:
    recorder.put({"kind": "before"})
    wait(recorder, lambda: kinds(path) == ["before"])
    assert recorder.pid is not None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(recorder.pid, number)
    recorder.put({"kind": "after"})
    assert recorder.end()
    assert kinds(path) == ["before", "after"]


def test_stopped_recorder_does_not_block_and_what_is_lost_is_counted(
    recorder: Recorder, path: Path
) -> None:
    recorder.put({"kind": "first"})
    wait(recorder, lambda: kinds(path) == ["first"])
    assert recorder.pid is not None
    os.kill(recorder.pid, signal.SIGSTOP)
    slowest_s = 0.0
    count = MOST_LINES + 10_000
    try:
        for number in range(count):
            before_s = time.perf_counter()
            recorder.put({"kind": "many", "number": number})
            slowest_s = max(slowest_s, time.perf_counter() - before_s)
        dropped = recorder.dropped
    finally:
        os.kill(recorder.pid, signal.SIGCONT)
    assert dropped > 0
    assert slowest_s < 1
    wait(recorder, lambda: len(kinds(path)) > MOST_LINES // 2)
    recorder.put({"kind": "last"})
    assert recorder.end(20_000)
    found = read(path, limit=100_000)
    lost = sum(event["evidence"]["count"] for event in found if event["kind"] == "lost")
    assert lost == dropped
    assert [event["kind"] for event in found].count("many") == count - dropped
    assert found[-1]["kind"] == "last"


def test_full_disk_delays_events_and_says_what_is_lost(tmp_path: Path) -> None:
    need_root()
    unshare = need("unshare", "util-linux")
    command = [unshare, "--mount", sys.executable, "-c", FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    trouble, counted = done.stdout.splitlines()
    assert "cannot write" in trouble
    assert "full" in trouble
    assert counted == "12000 True"


def test_damaged_history_is_kept_aside_and_a_new_one_begun(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)
    recorder = Recorder.spawn(path, 0)
    recorder.put({"kind": "a"})
    wait(recorder, lambda: kinds(path) == ["a"])
    wait(recorder, lambda: "kept as history.sqlite3.damaged" in recorder.trouble)
    assert recorder.end()
    assert (path.parent / "history.sqlite3.damaged").read_bytes().startswith(b"this is no")


def test_history_of_another_schema_is_kept_aside(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(HistoryRefused, match="has schema 99; this drctl reads 1"):
        read(path)
    history = History(path)
    history.write([{"kind": "a"}])
    assert kinds(path) == ["a"]
    assert (path.parent / "history.sqlite3.schema-99").exists()


def test_old_and_superfluous_rows_are_pruned(path: Path) -> None:
    history = History(path)
    day_ms = 86_400_000
    count = YOUNGEST_ROWS + 10
    history.write([{"kind": str(day), "at_ms": day * day_ms} for day in range(1, count + 1)])
    history.prune(count * day_ms, kept_days=count - 4)
    assert kinds(path)[0] == "4"
    history.prune(1 << 60)
    assert kinds(path) == [str(day) for day in range(11, count + 1)]
    history.prune(0, kept_rows=2)
    assert kinds(path) == [str(count - 1), str(count)]
    history.write([{"kind": "next"}])
    assert read(path)[-1]["id"] == count + 1


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["1", "2", "3", "4"]),
        ({"limit": 2}, ["3", "4"]),
        ({"group": "web"}, ["1", "3", "4"]),
        ({"since_ms": 30}, ["3", "4"]),
        ({"after_id": 3}, ["4"]),
        ({"kinds": ["2", "4"]}, ["2", "4"]),
    ],
)
def test_reading_chooses_what_was_asked_for(
    path: Path, asked: dict[str, Any], expected: list[str]
) -> None:
    groups = ("web", "mail", "web", "")
    History(path).write(
        [
            {"kind": str(number), "group": group, "at_ms": 10 * number}
            for number, group in enumerate(groups, 1)
        ]
    )
    assert [event["kind"] for event in read(path, **asked)] == expected


@pytest.mark.parametrize("group", ["wbe", "'; DROP TABLE event; --"])
def test_reading_of_a_group_that_is_not_there_names_those_that_are(path: Path, group: str) -> None:
    History(path).write([{"kind": "role", "group": one} for one in ("web", "mail", "")])
    with pytest.raises(HistoryRefused, match=f"has no group {group}; it has mail, web"):
        read(path, group=group)
    assert len(read(path)) == 3


def test_reading_without_a_history_says_so(path: Path) -> None:
    with pytest.raises(HistoryRefused, match="there is no history"):
        read(path)
    assert not path.exists()


def test_reading_without_permission_says_so(tmp_path: Path) -> None:
    need_root()
    closed = tmp_path / "state"
    closed.mkdir(mode=0o700)
    os.seteuid(65534)
    try:
        with pytest.raises(HistoryRefused, match="no permission for"):
            read(closed / "history.sqlite3")
    finally:
        os.seteuid(0)
