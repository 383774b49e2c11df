"""drctl-check with a program: send_program's rules."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from check_server import PROGRAM, check

STRICT = "--strict"
MODES = pytest.mark.parametrize("mode", [(), (STRICT,)], ids=["exact", "strict"])
ADDRESS = "192.0.2.11"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A program that does what its first argument says in sh."""
    path = tmp_path / "probe"
    path.write_text('#!/bin/sh\neval "$1"\n')
    path.chmod(0o755)
    return path


def encoded(text: str) -> str:
    return "".join(c if c.isalnum() else f"%{ord(c):02X}" for c in text)


def run(script: Path, shell: str, *options: str) -> bool:
    return check("program", ADDRESS, "80", *options, "--", str(script), encoded(shell)).is_up


@MODES
@pytest.mark.parametrize(
    ("output", "is_up"),
    [
        ("OK\\n", True),
        ("OKx", True),
        ("OK", False),
        ("ok\\n", False),
        ("OK \\n", False),
        ("OK\\n\\n", False),
        ("xOK\\n", False),
        ("", False),
        ("OK\\0rest\\n", True),
    ],
)
def test_output_less_its_last_character_must_equal_expect(
    script: Path, output: str, is_up: bool, mode: tuple[str, ...]
) -> None:
    assert run(script, f"printf '{output}'", "--expect=OK", *mode) is is_up


@MODES
def test_empty_expect_is_equal_to_a_single_character(script: Path, mode: tuple[str, ...]) -> None:
    assert run(script, "echo", "--expect=", *mode)
    assert run(script, ":", "--expect=", *mode)
    assert not run(script, "echo x", "--expect=", *mode)


def test_output_beyond_4095_bytes_is_not_looked_at(script: Path) -> None:
    fill = "head -c %d /dev/zero | tr '\\0' a"
    expect = "--expect=" + "a" * 4094
    assert run(script, fill % 4095, expect)
    assert run(script, fill % 9000, expect)
    assert not run(script, fill % 4094, expect)


def test_much_output_does_not_block_the_program(script: Path) -> None:
    assert not run(script, "head -c 300000 /dev/zero", "--expect=OK")


@pytest.mark.parametrize("shell", ["echo OK; exit 3", "exit 1", "kill -9 $$"])
def test_failing_program_exact_is_up_strict_is_down(script: Path, shell: str) -> None:
    assert run(script, shell, "--expect=OK")
    assert not run(script, shell, "--expect=OK", STRICT)


def test_missing_program_exact_is_up_strict_is_down(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert check("program", ADDRESS, "80", "--expect=OK", "--", missing).is_up
    assert not check("program", ADDRESS, "80", "--expect=OK", STRICT, "--", missing).is_up


@MODES
def test_without_expect_the_exit_status_decides(script: Path, mode: tuple[str, ...]) -> None:
    assert run(script, "echo anything", *mode)
    assert not run(script, "exit 1", *mode)
    assert not run(script, "kill -9 $$", *mode)


@MODES
def test_only_whole_words_become_address_and_port(script: Path, mode: tuple[str, ...]) -> None:
    script.write_text('#!/bin/sh\necho "$@"\n')
    words = "%h", "%p", "http://%25h/", "%25", "a%20b%2Dc"
    expect = "--expect=" + encoded("192.0.2.11 8080 http://%h/ % a b-c")
    assert check("program", ADDRESS, "8080", expect, *mode, "--", str(script), *words).is_up


@MODES
def test_program_that_does_not_end_is_killed_with_its_children(
    script: Path, tmp_path: Path, mode: tuple[str, ...]
) -> None:
    pids = tmp_path / "pids"
    started = time.monotonic()
    shell = f"sleep 60 & echo $! $$ > {pids}; echo OK; wait"
    assert not run(script, shell, "--expect=OK", "--timeout=1", *mode)
    assert 1 <= time.monotonic() - started < 5
    assert [pid for pid in pids.read_text().split() if is_running(int(pid))] == []


def test_what_the_program_leaves_running_is_not_waited_for(script: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    started = time.monotonic()
    assert run(script, f"sleep 60 & echo $! > {pids}; echo OK", "--expect=OK")
    assert time.monotonic() - started < 5
    os.kill(int(pids.read_text()), signal.SIGKILL)


def test_program_does_not_outlive_a_check_that_is_stopped(script: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    words = "program", ADDRESS, "80", "--", str(script), encoded(f"echo $$ > {fifo}; sleep 60")
    with subprocess.Popen([PROGRAM, *words], stderr=subprocess.PIPE) as running:
        child = int(fifo.read_text())
        running.terminate()
        assert running.wait(timeout=20) == 1
    assert not is_running(child)


def test_program_has_no_input_and_default_signals(script: Path) -> None:
    assert run(script, "cat; echo OK", "--expect=OK")
    # Python ignores SIGPIPE (bit 12); what else is ignored comes from who runs the tests
    ignored = (
        "case $(grep SigIgn /proc/self/status) in *[13579bdf]???) echo IGNORED;; *) echo OK;; esac"
    )
    assert run(script, ignored, "--expect=OK")


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended (a zombie has)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
