"""Scripts and mails run beside the controller: real processes, with limits, in order."""

from __future__ import annotations

import email
import email.policy
import os
import select
import shutil
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from netns_case import wait_until

from drctl.core.role import Role
from drctl.daemon.fifo import Fifos
from drctl.daemon.hook_client import Hooks, ScriptEnded, TrackResult
from drctl.daemon.hook_value import (
    GROUP,
    INSTANCE,
    HookSettings,
    MailSettings,
    Notify,
    Program,
    TrackFile,
    TrackProcess,
    TrackScript,
    settings_of_json,
    settings_to_json,
)
from drctl.daemon.tracker import Tracker
from drctl.daemon.watched_file import WatchedFile
from tools import need_root

NOBODY = 65534


class Loop:
    """The hooks' part of a loop, and all that they said."""

    def __init__(self, settings: HookSettings) -> None:
        self.hooks = Hooks.spawn(settings, 0)
        self.said: list[TrackResult | ScriptEnded] = []

    def wait(self, done: Callable[[], object], now_ms: int = 0) -> None:
        poll = select.poll()
        poll.register(self.hooks.fileno(), select.POLLIN)
        end_s = time.monotonic() + 20
        while not done():
            assert time.monotonic() < end_s, (self.said, self.hooks.trouble)
            poll.poll(20)
            self.said += self.hooks.receive(now_ms)
            self.hooks.tick(now_ms)

    def wait_for(self, count: int) -> list[TrackResult | ScriptEnded]:
        self.wait(lambda: len(self.said) >= count)
        return self.said

    def ups(self) -> list[bool]:
        return [one.is_up for one in self.said if isinstance(one, TrackResult)]


@pytest.fixture
def run() -> Iterator[Callable[[HookSettings], Loop]]:
    loops: list[Loop] = []

    def start(settings: HookSettings) -> Loop:
        loops.append(Loop(settings))
        return loops[-1]

    yield start
    for loop in loops:
        loop.hooks.end(0)


def shell(code: str, **more: Any) -> Program:
    return Program(("/bin/sh", "-c", code, "script"), **more)


def logging_to(path: Path) -> Program:
    return shell(f'echo "$*" >> {path}')


def notify(*scripts: tuple[str, Program], **more: Any) -> HookSettings:
    return HookSettings((Notify("web", INSTANCE, "VI_1", scripts),), **more)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def test_settings_survive_json() -> None:
    import json

    settings = HookSettings(
        (Notify("web", GROUP, "G", (("master", Program(("/a", "b"), 1, 2)),), ("/fifo",), True),),
        (TrackScript("t", Program(("/c",)), 500, 200, 2, 3, starts_failed=True),),
        MailSettings("192.0.2.1", 25, "a@example.com", ("b@example.com",), "lb1"),
        1234,
        (TrackFile("f", "/f", 3, overwrites=True),),
        (TrackProcess("p", "haproxy", ("-f", "x"), "exact", True, 2, 3, 50, 60),),
    )
    assert settings_of_json(json.loads(json.dumps(settings_to_json(settings)))) == settings


def test_notify_scripts_get_keepalived_s_arguments(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    log, states = tmp_path / "log", tmp_path / "states"
    instance = Notify(
        "web",
        INSTANCE,
        "VI 1",
        (
            ("notify", logging_to(log)),
            ("master", shell(f"echo master$* >> {states}")),
            ("backup", shell(f"echo backup$* >> {states}")),
            ("fault", shell(f"echo fault$* >> {states}")),
            ("stop", shell(f"echo stop$* >> {states}")),
        ),
    )
    group = Notify("web", GROUP, "G", (("notify", logging_to(tmp_path / "group")),))
    other = Notify("mail", INSTANCE, "VI_2", (("notify", logging_to(log)),))
    loop = run(HookSettings((instance, group, other)))
    loop.hooks.changed("web", Role.STANDBY, 100)
    loop.hooks.changed("web", Role.SUSPECT, 100)
    loop.hooks.changed("web", Role.TAKING, 100)
    loop.hooks.changed("web", Role.ACTIVE, 150)
    loop.hooks.changed("web", Role.YIELDING, 150)
    loop.hooks.changed("web", Role.FAULT, 90)
    loop.hooks.changed("web", Role.HELD, 90, is_stopping=True)
    loop.wait_for(12)
    assert {one.why for one in loop.said if isinstance(one, ScriptEnded)} == {""}
    assert lines(log) == [
        "INSTANCE VI 1 BACKUP 100",
        "INSTANCE VI 1 MASTER 150",
        "INSTANCE VI 1 FAULT 90",
        "INSTANCE VI 1 STOP 90",
    ]
    assert lines(tmp_path / "group") == [
        f"GROUP G {state} 0" for state in ("BACKUP", "MASTER", "FAULT", "STOP")
    ]
    assert lines(states) == ["backup", "master", "fault", "stop"]


def test_scripts_of_one_instance_keep_the_order_of_changes(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    os.mkfifo(gate)
    slow = shell(f"echo begin >> {log}; read line < {gate}; echo end >> {log}")
    loop = run(notify(("master", slow), ("backup", logging_to(log)), ("notify", shell("exit 3"))))
    loop.hooks.changed("web", Role.ACTIVE, 100)
    loop.hooks.changed("web", Role.STANDBY, 100)
    assert loop.wait_for(2) == [
        ScriptEnded("INSTANCE VI_1 notify MASTER", 3, "it ended with status 3"),
        ScriptEnded("INSTANCE VI_1 notify BACKUP", 3, "it ended with status 3"),
    ]
    loop.wait(lambda: lines(log))
    assert lines(log) == ["begin"]
    gate.write_text("\n")
    loop.wait_for(4)
    assert lines(log) == ["begin", "end", ""]


def test_script_over_its_limit_is_killed_with_all_that_it_started(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    stubborn = shell(f"trap '' TERM; sleep 1000 & echo $! $$ > {pids}; wait; wait; sleep 1000")
    loop = run(notify(("master", stubborn), limit_ms=500))
    loop.hooks.changed("web", Role.ACTIVE, 100)
    (ended,) = loop.wait_for(1)
    assert isinstance(ended, ScriptEnded)
    assert ended.why == "it took longer than 0.5 s"
    assert ended.code == -signal.SIGKILL
    loop.wait(lambda: not any(is_running(int(pid)) for pid in pids.read_text().split()))


def test_what_a_late_script_leaves_behind_is_killed_with_it(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    polite = shell(f"(trap '' TERM; echo > {pids}.ready; sleep 1000) & echo $! > {pids}; wait")
    loop = run(notify(("master", polite), limit_ms=500))
    loop.hooks.changed("web", Role.ACTIVE, 100)
    (ended,) = loop.wait_for(1)
    assert isinstance(ended, ScriptEnded)
    assert ended.code == -signal.SIGTERM
    assert lines(tmp_path / "pids.ready")
    loop.wait(lambda: not is_running(int(lines(pids)[0])))


def test_many_scripts_run_at_once(run: Callable[[HookSettings], Loop], tmp_path: Path) -> None:
    count = 20
    barrier = tmp_path / "barrier"
    barrier.mkdir()
    meet = shell(
        f"touch {barrier}/$$; while [ $(ls {barrier} | wc -l) -lt {count} ]; do sleep 0.02; done"
    )
    notifies = tuple(Notify("web", INSTANCE, f"VI_{n}", (("master", meet),)) for n in range(count))
    loop = run(HookSettings(notifies, limit_ms=15_000))
    loop.hooks.changed("web", Role.ACTIVE, 100)
    assert {one.code for one in loop.wait_for(count) if isinstance(one, ScriptEnded)} == {0}


def test_program_that_cannot_be_run_is_told(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    loop = run(notify(("master", Program((str(tmp_path / "missing"),)))))
    loop.hooks.changed("web", Role.ACTIVE, 100)
    assert loop.wait_for(1) == [
        ScriptEnded("INSTANCE VI_1 notify_master", 127, "it cannot be run (status 127)")
    ]


def test_file_without_an_interpreter_is_run_by_the_shell(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text(f"echo $1 > {tmp_path}/log\n")
    script.chmod(0o755)
    loop = run(notify(("notify", Program((str(script),)))))
    loop.hooks.changed("web", Role.ACTIVE, 100)
    loop.wait_for(1)
    assert lines(tmp_path / "log") == ["INSTANCE"]


def test_script_runs_as_its_user_in_a_session_of_its_own(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    need_root()
    log = tmp_path / "log"
    log.touch()
    log.chmod(0o666)
    folder = tmp_path
    while folder != Path("/tmp"):
        folder.chmod(0o755)
        folder = folder.parent
    code = (
        f"exec >> {log}; id -u; id -g; id -G; cut -d' ' -f1,6 /proc/$$/stat; readlink /proc/$$/fd/0"
    )
    own = os.getgroups()
    os.setgroups([0, 1, 2])
    try:
        loop = run(notify(("master", shell(code, uid=NOBODY, gid=NOBODY))))
    finally:
        os.setgroups(own)
    loop.hooks.changed("web", Role.ACTIVE, 100)
    loop.wait_for(1)
    uid, gid, groups, session, stdin = lines(log)
    assert (uid, gid, groups, stdin) == (*[str(NOBODY)] * 3, "/dev/null")
    assert len(set(session.split())) == 1


def test_scripts_do_not_see_the_service_s_own_variables(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    os.environ["NOTIFY_SOCKET"] = "/nowhere"
    try:
        loop = run(notify(("master", shell(f"env > {tmp_path}/env"))))
    finally:
        del os.environ["NOTIFY_SOCKET"]
    loop.hooks.changed("web", Role.ACTIVE, 100)
    loop.wait_for(1)
    assert not [one for one in lines(tmp_path / "env") if one.startswith("NOTIFY_SOCKET")]


def test_script_gets_ordinary_signals(run: Callable[[HookSettings], Loop], tmp_path: Path) -> None:
    loop = run(notify(("master", shell(f"grep SigIgn /proc/self/status > {tmp_path}/s"))))
    loop.hooks.changed("web", Role.ACTIVE, 100)
    loop.wait_for(1)
    # 32 and 33 are the C library's own; whatever ignored them before, nobody can set them
    own = 3 << 31
    assert [int(one.split()[1], 16) & ~own for one in lines(tmp_path / "s")] == [0]


def test_fifo_gets_a_line_for_each_change(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    instance = Notify("web", INSTANCE, "VI_1", (), (str(fifo),))
    loop = run(HookSettings((instance, Notify("web", GROUP, "G", (), (str(fifo),)))))
    loop.wait(fifo.is_fifo)
    with fifo.open() as pipe:
        loop.hooks.changed("web", Role.ACTIVE, 101)
        assert pipe.readline() == 'INSTANCE "VI_1" MASTER 101\n'
        assert pipe.readline() == 'GROUP "G" MASTER 0\n'


def test_fifo_that_nobody_reads_holds_nothing_up(tmp_path: Path) -> None:
    fifos = Fifos()
    path = str(tmp_path / "fifo")
    assert fifos.write(path, "first\n") == ""
    while not (why := fifos.write(path, "x" * 4095 + "\n")):
        pass
    assert why == "it is full: nobody reads it"
    with (tmp_path / "fifo").open() as pipe:
        assert pipe.readline() == "first\n"
    fifos.keep(())
    (tmp_path / "file").touch()
    assert fifos.write(str(tmp_path / "file"), "") == "it is no named pipe"


@pytest.mark.parametrize(
    ("rise", "fall", "starts_failed", "results", "expected"),
    [
        (1, 1, False, "+-+", [True, False, True]),
        (3, 2, False, "+", [True]),
        (3, 2, False, "-", [False]),
        (3, 2, False, "+-+--", [True, None, None, None, False]),
        (3, 2, False, "-++-+++", [False, None, None, None, None, None, True]),
        (2, 1, True, "+-++", [None, None, None, True]),
        (0, 0, False, "+-", [True, False]),
    ],
)
def test_rise_and_fall_count_as_with_keepalived(
    rise: int, fall: int, starts_failed: bool, results: str, expected: list[bool | None]
) -> None:
    script = TrackScript("t", Program(("/x",)), rise=rise, fall=fall, starts_failed=starts_failed)
    tracker = Tracker(script)
    found = [
        tracker.is_up if tracker.take(is_success=result == "+") else None for result in results
    ]
    assert found == [*expected, *[None] * (len(results) - len(expected))]


def test_tracked_script_is_told_when_it_changes(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    script = TrackScript("flag", shell(f"test -e {flag}"), 30, 5000, rise=2, fall=2)
    loop = run(HookSettings(tracks=(script,)))
    assert loop.wait_for(1) == [TrackResult("flag", False, 0, "it ended with status 1")]
    flag.touch()
    loop.wait_for(2)
    flag.unlink()
    loop.wait_for(3)
    assert loop.ups() == [False, True, False]


def test_script_that_starts_failed_is_down_at_once(run: Callable[[HookSettings], Loop]) -> None:
    script = TrackScript("t", shell("sleep 1000"), 60_000, starts_failed=True)
    loop = run(HookSettings(tracks=(script,)))
    assert loop.wait_for(1) == [TrackResult("t", False, 0, "it has not run yet")]


def test_hanging_script_is_down_when_its_time_is_over(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    hanging = shell(f"echo $$ >> {pids}; trap '' TERM; sleep 1000; sleep 1000")
    quick = TrackScript("quick", shell("exit 0"), 100, 10_000)
    loop = run(HookSettings(tracks=(TrackScript("hanging", hanging, 300, fall=3), quick)))
    down = TrackResult("hanging", False, 0, "it took longer than 0.3 s")
    loop.wait(lambda: down in loop.said)
    (pid,) = {int(one) for one in lines(pids)}
    assert is_running(pid), "it counts before it is dead"
    loop.wait(lambda: not is_running(pid))
    assert loop.ups() in ([True, False], [False, True])


def test_reload_keeps_tracked_scripts_that_stay_the_same(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    same = TrackScript("same", shell(f"echo $$ >> {tmp_path}/same; exec sleep 1000"), 60_000)
    gone = TrackScript("gone", shell(f"echo $$ > {tmp_path}/gone; exec sleep 1000"), 60_000)
    loop = run(HookSettings(tracks=(same, gone)))
    loop.wait(lambda: lines(tmp_path / "same") and lines(tmp_path / "gone"))
    new = TrackScript("new", shell("exit 0"), 60_000)
    loop.hooks.change(HookSettings(tracks=(same, new)))
    assert loop.wait_for(1) == [TrackResult("new", True, 0, "")]
    (pid,) = map(int, lines(tmp_path / "gone"))
    loop.wait(lambda: not is_running(pid))
    (pid,) = map(int, lines(tmp_path / "same"))
    assert is_running(pid)


@pytest.mark.parametrize("starts_failed", [False, True])
def test_changed_script_keeps_what_was_found_out(
    run: Callable[[HookSettings], Loop], tmp_path: Path, starts_failed: bool
) -> None:
    loop = run(HookSettings(tracks=(TrackScript("t", shell("exit 1"), 60_000),)))
    loop.wait_for(1)
    program = logging_to(tmp_path / "runs")
    changed = TrackScript("t", program, 30, 10_000, rise=3, starts_failed=starts_failed)
    loop.hooks.change(HookSettings(tracks=(changed,)))
    assert loop.wait_for(2)[1:] == [TrackResult("t", True, 0, "")]
    assert len(lines(tmp_path / "runs")) >= 3


def test_runner_that_takes_over_has_no_opinion_before_it_has_looked(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    started, path = tmp_path / "started", tmp_path / "file"
    script = TrackScript(
        "t", shell(f"echo >> {started}; exec sleep 1000"), 60_000, starts_failed=True
    )
    file = TrackFile("f", str(path), 3, overwrites=True)
    loop = run(HookSettings(tracks=(script,), files=(file,)))
    loop.wait_for(2)
    path.write_text("7\n")
    loop.wait_for(3)
    loop.wait(lambda: len(lines(started)) == 1)
    assert loop.hooks.pid is not None
    os.kill(loop.hooks.pid, signal.SIGKILL)
    loop.wait(lambda: loop.hooks.trouble)
    loop.wait(lambda: len(lines(started)) == 2, 1000)
    assert loop.wait_for(4)[3:] == [TrackResult("f", False, 7, f"{path} says 7")]
    assert loop.ups() == [False, False, False, False]


def test_reload_makes_files_but_overwrites_none(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("5\n")
    loop = run(HookSettings())
    files = [TrackFile(path.name, str(path), 3, overwrites=True) for path in (old, new)]
    loop.hooks.change(HookSettings(files=tuple(files)))
    loop.wait_for(2)
    assert (old.read_text(), new.read_text()) == ("5\n", "3\n")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\t +12", 12),
        ("0x1F", 31),
        ("-0X10", -16),
        ("017", 15),
        ("08", 0),
        ("0xg", 0),
        ("2147483648", 2147483648),
        ("-2147483648", -2147483648),
        # no 32 bits hold it: the last number stays
        ("2147483649", 77),
        ("-2147483649", 77),
        ("99999999999999999999999", 77),
    ],
)
def test_number_in_a_file_is_read_as_keepalived_reads_it(
    tmp_path: Path, text: str, value: int
) -> None:
    path = tmp_path / "file"
    path.write_text("77")
    watched = WatchedFile(TrackFile("f", str(path)))
    watched.look()
    (tmp_path / "new").write_text(text)
    (tmp_path / "new").replace(path)
    assert watched.look() is (value != 77)
    assert watched.value == value


def test_tracked_process_is_told(run: Callable[[HookSettings], Loop], tmp_path: Path) -> None:
    program = tmp_path / "drctl-counted"
    program.symlink_to(sys.executable)
    loop = run(HookSettings(processes=(TrackProcess("p", "drctl-counted"),)))
    loop.wait_for(1)
    code = "import sys; open('/proc/self/comm', 'w').write('drctl-counted'); sys.stdin.read()"
    with subprocess.Popen([str(program), "-c", code], stdin=subprocess.PIPE):
        loop.wait(lambda: loop.ups()[1:])
    loop.wait(lambda: loop.ups()[2:])
    told = [one for one in loop.said if isinstance(one, TrackResult)]
    assert told == [
        TrackResult("p", False, 0, "0 processes drctl-counted, at least 1 wanted"),
        TrackResult("p", True, 1, ""),
        TrackResult("p", False, 0, "0 processes drctl-counted, at least 1 wanted"),
    ]


def test_tracked_file_is_told_whenever_its_number_changes(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    loop = run(HookSettings(files=(TrackFile("f", str(path)),)))
    told: list[TrackResult | ScriptEnded] = []
    for text in (None, "5\n", "-7 more", "x", "99999", None):
        if text is None:
            path.unlink(missing_ok=True)
        else:
            (tmp_path / "new").write_text(text)
            (tmp_path / "new").replace(path)
        loop.wait_for(len(told) + 1)
        told.append(loop.said[-1])
    assert [(one.is_up, one.value) for one in told if isinstance(one, TrackResult)] == [
        (True, 0),
        (False, 5),
        (False, -7),
        (True, 0),
        (False, 99999),
        (True, 0),
    ]


def test_tracked_file_counts_when_it_has_been_closed(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    """Whoever writes it has to empty it first, and may take long to fill it again."""
    path = tmp_path / "file"
    path.write_text("5")
    loop = run(HookSettings(files=(TrackFile("f", str(path)),)))
    loop.wait_for(1)
    with path.open("w") as file:
        wait_until(time.monotonic() + 0.5)
        file.write("6")
    assert [one.value for one in loop.wait_for(2) if isinstance(one, TrackResult)] == [5, 6]


def test_tracked_file_may_be_a_link_in_a_folder_that_comes_and_goes(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    link.symlink_to(folder / "file")
    files = (TrackFile("direct", str(folder / "file")), TrackFile("link", str(link)))
    loop = run(HookSettings(files=files))
    loop.wait_for(2)
    for count, number in ((4, 1), (8, 2)):
        folder.mkdir()
        (folder / "file").write_text(f"{number}")
        loop.wait_for(count)
        shutil.rmtree(folder)
        loop.wait_for(count + 2)
    told = [one for one in loop.said if isinstance(one, TrackResult)]
    values = {name: [one.value for one in told if one.name == name] for name in ("direct", "link")}
    assert values == {"direct": [0, 1, 0, 2, 0], "link": [0, 1, 0, 2, 0]}


@pytest.mark.parametrize(("overwrites", "expected"), [(False, "5"), (True, "3\n")])
def test_tracked_file_is_made_at_the_start(
    run: Callable[[HookSettings], Loop], tmp_path: Path, overwrites: bool, expected: str
) -> None:
    new, old, folder = tmp_path / "new", tmp_path / "old", tmp_path / "none" / "file"
    old.write_text("5")
    files = [
        TrackFile(path.name, str(path), 3, overwrites=overwrites) for path in (new, old, folder)
    ]
    loop = run(HookSettings(files=tuple(files)))
    loop.wait_for(4)
    assert (new.read_text(), old.read_text()) == ("3\n", expected)
    refused = [one for one in loop.said if isinstance(one, ScriptEnded)]
    assert [one.why for one in refused] == [f"{folder} cannot be made: No such file or directory"]


def test_pipe_in_place_of_a_tracked_file_holds_nothing_up(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    files = (TrackFile("pipe", str(tmp_path / "pipe")), TrackFile("f", str(tmp_path / "none")))
    loop = run(HookSettings(files=files))
    assert len(loop.wait_for(2)) == 2


def test_without_anything_to_run_there_is_no_process(
    run: Callable[[HookSettings], Loop],
) -> None:
    loop = run(HookSettings())
    loop.hooks.changed("web", Role.ACTIVE, 100)
    loop.hooks.tick(0)
    assert (loop.hooks.pid, loop.hooks.trouble) == (None, "")
    tracks = (TrackScript("t", shell("exit 0"), 60_000),)
    loop.hooks.change(replace(notify(("master", shell("exit 1"))), tracks=tracks))
    assert loop.wait_for(1) == [TrackResult("t", True, 0, "")]


def test_killed_runner_takes_its_scripts_along_and_is_started_again(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    script = TrackScript("t", shell(f"echo $$ >> {pids}; exec sleep 1000"), 60_000, 60_000)
    loop = run(HookSettings(tracks=(script,)))
    loop.wait(lambda: lines(pids))
    pid = loop.hooks.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    loop.wait(lambda: loop.hooks.trouble)
    loop.wait(lambda: not is_running(int(lines(pids)[0])))
    loop.wait(lambda: len(lines(pids)) == 2, 1000)
    assert loop.hooks.trouble == ""


def test_orderly_end_waits_for_the_last_scripts(
    run: Callable[[HookSettings], Loop], tmp_path: Path
) -> None:
    loop = run(notify(("stop", shell(f"sleep 0.2; echo done > {tmp_path}/log"))))
    loop.hooks.changed("web", Role.HELD, 100, is_stopping=True)
    assert loop.hooks.end()
    assert lines(tmp_path / "log") == ["done"]


def test_all_ends_when_the_controller_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, signal, sys\n"
        "from drctl.daemon.hook_client import Hooks\n"
        "from drctl.daemon.hook_value import *\n"
        "program = Program(('/bin/sh', '-c', 'echo $$ >> ' + sys.argv[1] + '; exec sleep 1000'))\n"
        "hooks = Hooks.spawn(HookSettings(tracks=(TrackScript('t', program, 60000),)), 0)\n"
        "print(hooks.pid, flush=True); sys.stdin.read(1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(pids)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        runner = int(parent.stdout.readline())
        until(lambda: lines(pids))
        parent.communicate("x")
    until(lambda: not is_running(runner))
    until(lambda: not is_running(int(lines(pids)[0])))


def until(done: Callable[[], object]) -> None:
    end_s = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end_s
        select.select((), (), (), 0.01)


class _Smtp(socketserver.StreamRequestHandler):
    """As much of a mail server as smtplib talks to."""

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            self.server.heard.append(line)  # type: ignore[attr-defined]
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while (line := self.rfile.readline()) != b".\r\n":
                    self.server.text += line  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")


@pytest.fixture
def smtp() -> Iterator[Any]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Smtp) as server:
        server.heard = []  # type: ignore[attr-defined]
        server.text = b""  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def mailing(port: int) -> HookSettings:
    mail = MailSettings(
        "127.0.0.1", port, "lb1@example.com", ("a@example.com", "b@example.com"), "lb1", "lb1.test"
    )
    return HookSettings((Notify("web", INSTANCE, "VI_1", sends_mail=True),), (), mail)


def test_mail_says_what_keepalived_s_says(run: Callable[[HookSettings], Loop], smtp: Any) -> None:
    loop = run(mailing(smtp.server_address[1]))
    loop.hooks.changed("web", Role.ACTIVE, 100)
    assert loop.wait_for(1) == [ScriptEnded("INSTANCE VI_1 mail MASTER", 0, "")]
    message = email.message_from_bytes(smtp.text, policy=email.policy.default)
    assert message["Subject"] == "[lb1] VRRP Instance VI_1 - Entering MASTER state"
    assert message["To"] == "a@example.com, b@example.com"
    assert message["Date"]
    assert str(message.get_payload()).strip() == "=> VRRP Instance is now owning VRRP VIPs <="
    assert b"ehlo lb1.test\r\n" in smtp.heard
    assert [line for line in smtp.heard if line.upper().startswith(b"RCPT")] == [
        b"rcpt TO:<a@example.com>\r\n",
        b"rcpt TO:<b@example.com>\r\n",
    ]


def test_mail_of_faults_may_be_unwanted(run: Callable[[HookSettings], Loop], smtp: Any) -> None:
    settings = mailing(smtp.server_address[1])
    assert settings.mail is not None
    loop = run(replace(settings, mail=replace(settings.mail, has_faults=False)))
    loop.hooks.changed("web", Role.FAULT, 100)
    loop.hooks.changed("web", Role.STANDBY, 100)
    assert loop.wait_for(1) == [ScriptEnded("INSTANCE VI_1 mail BACKUP", 0, "")]


def test_mail_that_cannot_be_sent_is_told(run: Callable[[HookSettings], Loop], smtp: Any) -> None:
    port = smtp.server_address[1]
    # while its thread waits for calls the kernel goes on taking them
    smtp.shutdown()
    smtp.server_close()
    loop = run(mailing(port))
    loop.hooks.changed("web", Role.ACTIVE, 100)
    (ended,) = loop.wait_for(1)
    assert isinstance(ended, ScriptEnded)
    assert (ended.what, ended.code) == ("INSTANCE VI_1 mail MASTER", 1)
    assert ended.why.startswith("it ended with status 1: cannot send mail by 127.0.0.1: ")
    assert "Connection refused" in ended.why
