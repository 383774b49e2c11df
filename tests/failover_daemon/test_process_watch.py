"""Processes are watched as they really start, fork, change and end: by the kernel's events, and in
a namespace where there are none by looking."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from drctl.adapters.process_events import ProcessEvents
from drctl.errors import KernelRefused
from tools import need, need_root, refuse

WATCH = """
import json, os, select, sys, time
from drctl.daemon.hook_value import TrackProcess
from drctl.daemon.process_watch import ProcessWatch

def now_ms():
    return time.monotonic_ns() // 1_000_000

def configure(line):
    processes = [TrackProcess(**{**each, "arguments": tuple(each["arguments"])}) for each in line]
    watch.configure(processes, now_ms())

watch = ProcessWatch()
poll = select.poll()
for each in (watch.fileno(), 0):
    poll.register(each, select.POLLIN)
while True:
    ready = [one for one, _ in poll.poll(max(0, min(watch.wake_ms() - now_ms(), 100_000)))]
    if 0 in ready:
        line = sys.stdin.readline()
        if not line:
            break
        configure(json.loads(line))
        print(json.dumps(["trouble", watch.trouble]), flush=True)
    if watch.fileno() in ready:
        watch.receive(now_ms())
    watch.tick(now_ms())
    for count in watch.changed():
        print(json.dumps([count.wanted.name, count.is_up, len(count.pids)]), flush=True)
"""


class Watched:
    """A process that watches, and what it said."""

    def __init__(self, stack: ExitStack, *prefix: str) -> None:
        command = [*prefix, sys.executable, "-c", WATCH]
        self._process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        self._heard = b""
        stack.callback(self._process.kill)
        self.trouble = ""

    def configure(self, *processes: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        given = [{"arguments": [], **one} for one in processes]
        self._process.stdin.write(json.dumps(given).encode() + b"\n")
        self._process.stdin.flush()
        word, self.trouble = self.next()
        assert word == "trouble"

    def next(self, timeout_s: float = 10) -> list[Any]:
        """The next thing that it says; an empty list when it is silent."""
        assert self._process.stdout is not None
        number = self._process.stdout.fileno()
        while b"\n" not in self._heard:
            if not select.select([number], (), (), timeout_s)[0]:
                return []
            self._heard += os.read(number, 4096)
        line, _, self._heard = self._heard.partition(b"\n")
        found: list[Any] = json.loads(line)
        return found


@pytest.fixture(params=["events", "looking"])
def watched(request: pytest.FixtureRequest) -> Iterator[Watched]:
    prefix: tuple[str, ...] = ()
    if request.param == "looking":
        need_root()
        prefix = (need("unshare", "util-linux"), "--net")
    else:
        try:
            ProcessEvents().close()
        except KernelRefused as refused:
            refuse(str(refused))
    with ExitStack() as stack:
        made = Watched(stack, *prefix)
        yield made
        assert bool(made.trouble) is bool(prefix)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program of a name that nothing else here has."""
    path = tmp_path / "drctl-tested"
    path.write_bytes(Path(need("sleep", "coreutils")).read_bytes())
    path.chmod(0o755)
    return path


@pytest.fixture
def begin(program: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    with ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen([str(program), *(arguments or ("1000",))])
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


Begin = Callable[..., "subprocess.Popen[bytes]"]


def test_process_that_comes_and_goes_is_told(watched: Watched, begin: Begin) -> None:
    watched.configure({"name": "p", "program": "drctl-tested"})
    assert watched.next() == ["p", False, 0]
    process = begin()
    assert watched.next() == ["p", True, 1]
    at_s = time.monotonic()
    process.kill()
    assert watched.next() == ["p", False, 0]
    assert time.monotonic() - at_s < 0.4, "its end is seen at once, though nobody has reaped it"


def test_number_of_processes_is_what_counts(watched: Watched, begin: Begin) -> None:
    first = begin()
    watched.configure({"name": "p", "program": "drctl-tested", "quorum": 2, "quorum_max": 2})
    assert watched.next() == ["p", False, 1]
    begin()
    assert watched.next() == ["p", True, 2]
    begin()
    assert watched.next() == ["p", False, 3]
    first.kill()
    assert watched.next() == ["p", True, 2]


def test_process_is_told_by_its_arguments(watched: Watched, begin: Begin, program: Path) -> None:
    begin("1000")
    wanted = {"program": str(program), "is_full_command": True, "arguments": ["1000", "0"]}
    watched.configure(
        {"name": "exact", "match": "exact", **wanted},
        {"name": "partial", "match": "partial", **wanted},
    )
    assert [watched.next(), watched.next()] == [["exact", False, 0], ["partial", False, 0]]
    process = begin("1000", "0", "1")
    assert watched.next() == ["partial", True, 1]
    begin("1000", "0")
    assert watched.next() == ["exact", True, 1]
    process.kill()
    assert watched.next(0.7) == []


def test_forked_child_counts_like_its_parent(watched: Watched) -> None:
    code = (
        "import os, sys\n"
        "open('/proc/self/comm', 'w').write('drctl-tested')\n"
        "sys.stdin.readline()\n"
        "child = os.fork()\n"
        "sys.stdin.readline() if child else os.read(int(sys.argv[1]), 1)"
    )
    watched.configure({"name": "p", "program": "drctl-tested", "quorum": 2})
    assert watched.next() == ["p", False, 0]
    with ExitStack() as stack:
        pipe = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        stack.enter_context(pipe)
        stack.callback(pipe.kill)
        assert pipe.stdout is not None
        number = pipe.stdout.fileno()
        parent = subprocess.Popen(
            [sys.executable, "-c", code, str(number)],
            stdin=subprocess.PIPE,
            text=True,
            pass_fds=(number,),
        )
        stack.enter_context(parent)
        stack.callback(parent.kill)
        assert parent.stdin is not None
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert watched.next() == ["p", True, 2]
    assert watched.next()[:2] == ["p", False]


def test_process_that_runs_something_else_does_not_count(watched: Watched) -> None:
    watched.configure({"name": "p", "program": "drctl-tested"})
    assert watched.next() == ["p", False, 0]
    code = "open('/proc/self/comm', 'w').write('drctl-tested'); import os, sys\n"
    code += "sys.stdin.readline(); os.execlp('sleep', 'sleep', '1000')"
    with ExitStack() as stack:
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, text=True)
        stack.enter_context(process)
        stack.callback(process.kill)
        assert watched.next() == ["p", True, 1]
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert watched.next() == ["p", False, 0]


def test_other_settings_tell_only_what_is_new(watched: Watched, begin: Begin) -> None:
    begin()
    same = {"name": "same", "program": "drctl-tested"}
    watched.configure(same, {"name": "gone", "program": "drctl-tested"})
    assert [watched.next(), watched.next()] == [["same", True, 1], ["gone", True, 1]]
    watched.configure(same, {"name": "new", "program": "drctl-tested", "quorum": 2})
    assert watched.next() == ["new", False, 1]
    begin()
    assert watched.next() == ["new", True, 2]
    watched.configure()
    assert watched.next(0.2) == []
    watched.configure(same)
    assert watched.next() == ["same", True, 2]
