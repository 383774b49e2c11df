"""`tools/demo_pair.py` as `make demo` runs it: what it says, and that nothing is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from corpus import PROJECT
from netns_case import segment

from drctl.adapters.fence import unusable_reason
from tools import need, need_root, refuse

LIMIT_S = 120


@pytest.fixture(autouse=True)
def _able() -> None:
    need_root()
    need("ip", "iproute2")
    need("nft", "nftables")
    if reason := unusable_reason():
        refuse(reason)


@contextmanager
def _demo(*chapters: str) -> Iterator[subprocess.Popen[str]]:
    command = ["env", "--default-signal=INT", sys.executable, "tools/demo_pair.py", *chapters]
    demo = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with demo:
        try:
            yield demo
        finally:
            if demo.poll() is None:
                demo.terminate()
                demo.wait(LIMIT_S)


def _read_to(demo: subprocess.Popen[str], words: str) -> str:
    """What it prints up to a line that has these words."""
    assert demo.stdout is not None
    printed = ""
    for line in demo.stdout:
        printed += line
        if words in line:
            return printed
    raise AssertionError(printed)


def _namespaces(demo: subprocess.Popen[str]) -> list[str]:
    return [path.name for path in Path("/run/netns").glob(f"drctl-{demo.pid}-*")]


def _inodes(demo: subprocess.Popen[str]) -> set[int]:
    return {Path("/run/netns", name).stat().st_ino for name in _namespaces(demo)}


def _processes_in(inodes: set[int]) -> list[int]:
    found = []
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            if link.stat().st_ino in inodes:
                found.append(int(link.parts[2]))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _rest(demo: subprocess.Popen[str]) -> str:
    assert demo.stdout is not None
    printed = demo.stdout.read()
    demo.wait(LIMIT_S)
    return printed


def test_switch_is_told_and_nothing_is_left() -> None:
    with _demo("switch") as demo:
        printed = _read_to(demo, "both directors run")
        inodes = _inodes(demo)
        assert len(inodes) == 5
        printed += _rest(demo)
        assert demo.returncode == 0, printed
        assert _namespaces(demo) == []
    assert _processes_in(inodes) == []
    assert re.search(r"^ +[\d.]+ s drctl switch on lb1 +holds  -$", printed, re.MULTILINE), printed
    assert re.search(r"^ +[\d.]+ s +-      holds +\d+ ms +0$", printed, re.MULTILINE), printed
    assert "kept: unanswered" in printed
    assert "packets lost 0 of" in printed
    assert "1 of 1 promises kept" in printed
    assert "\033" not in printed


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGINT, "controller of lb1 hangs"), (signal.SIGTERM, "both directors run")],
)
def test_interrupted_nothing_is_left(number: signal.Signals, words: str) -> None:
    with _demo("hang") as demo:
        printed = _read_to(demo, words)
        inodes = _inodes(demo)
        assert len(inodes) == 5
        demo.send_signal(number)
        demo.send_signal(number)
        printed += _rest(demo)
        assert demo.returncode == 128 + number, printed
        assert _namespaces(demo) == []
    assert _processes_in(inodes) == []


def test_killed_daemons_end_and_the_next_one_tidies_up() -> None:
    with _demo("hang") as demo:
        _read_to(demo, "both directors run")
        inodes = _inodes(demo)
        assert len(_processes_in(inodes)) >= 6
        demo.kill()
        demo.wait(LIMIT_S)
        left = _namespaces(demo)
        assert len(left) == 5
    limit_s = time.monotonic() + LIMIT_S
    while _processes_in(inodes):
        assert time.monotonic() < limit_s, _processes_in(inodes)
    with segment():
        pass
    assert _namespaces(demo) == []


def _silence_client(demo: subprocess.Popen[str]) -> Callable[[str], None]:
    """Sets the state of the client's port at the switch."""
    switch = next(name for name in _namespaces(demo) if name.endswith("-switch"))

    def put(state: str) -> None:
        command = ["bridge", "link", "set", "dev", "client", "state", state]
        subprocess.run(["ip", "netns", "exec", switch, *command], check=True)

    return put


def test_promise_that_is_broken_is_told_and_is_a_failure() -> None:
    with _demo("switch") as demo:
        printed = _read_to(demo, "drctl switch on lb1")
        put = _silence_client(demo)
        put("0")
        with subprocess.Popen(["sleep", "1"]) as pause:
            pause.wait()
        put("3")
        printed += _rest(demo)
        assert demo.returncode == 1, printed
    assert "BROKEN" in printed
    assert "unanswered for more than 170 ms" in printed
    assert "0 of 1 promises kept" in printed


def test_daemons_that_die_are_a_failure() -> None:
    with _demo("switch") as demo:
        printed = _read_to(demo, "both directors run")
        for pid in _processes_in(_inodes(demo)):
            if pid != demo.pid:
                os.kill(pid, signal.SIGKILL)
        printed += _rest(demo)
        assert demo.returncode == 1, printed
        assert _namespaces(demo) == []


def test_chapter_that_does_not_exist_is_refused() -> None:
    with _demo("no such") as demo:
        printed = _rest(demo)
    assert demo.returncode == 2
    assert printed.startswith("demo: no such: chapters are carrier, cut, ")
