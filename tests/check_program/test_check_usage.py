"""drctl-check's command line, its age and its speed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest
from check_server import LOOPBACK, PROGRAM, check, closed_port


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("tcp",),
        ("icmp", LOOPBACK, "80"),
        ("tcp", LOOPBACK, "0"),
        ("tcp", LOOPBACK, "65536"),
        ("tcp", LOOPBACK, "http"),
        ("tcp", LOOPBACK, "²"),
        ("tcp", "www.example.com", "80"),
        ("tcp", LOOPBACK, "80", "--timeout=0"),
        ("tcp", LOOPBACK, "80", "--timeout=1.5"),
        ("tcp", LOOPBACK, "80", "--reentry=0"),
        ("tcp", LOOPBACK, "80", "--expect"),
        ("tcp", LOOPBACK, "80", "--strict=1"),
        ("tcp", LOOPBACK, "80", "--except=1"),
        ("tcp", LOOPBACK, "80", "--expect=a", "--expect=b"),
        ("tcp", LOOPBACK, "80", "--expect=a", "--regex=b"),
        ("tcp", LOOPBACK, "80", "--regex=("),
        ("tcp", LOOPBACK, "80", "--send=100%"),
        ("tcp", LOOPBACK, "80", "--send=%h1"),
        ("tcp", LOOPBACK, "80", "--send=% 1"),
        ("tcp", LOOPBACK, "80", "--", "/bin/true"),
        ("program", LOOPBACK, "80"),
        ("program", LOOPBACK, "80", "--"),
        ("program", LOOPBACK, "80", "--send=x", "--", "/bin/true"),
        ("program", LOOPBACK, "80", "--", "/bin/echo", "%hx"),
    ],
    ids=" ".join,
)
def test_wrong_command_line_exits_with_2_and_a_line(words: tuple[str, ...]) -> None:
    answer = check(*words)
    assert answer.status == 2
    assert answer.reason.startswith("drctl-check: ")
    assert answer.reason.count("\n") == 1


def test_help_names_every_option() -> None:
    text = subprocess.run([PROGRAM, "--help"], check=True, capture_output=True, text=True).stdout
    for word in ("--send", "--expect", "--regex", "--timeout", "--reentry", "--strict", "exit"):
        assert word in text


def test_reason_is_one_line_whatever_the_server_says() -> None:
    with closed_port() as port:
        answer = check("tcp", LOOPBACK, str(port))
    assert answer.reason == f"down: 127.0.0.1 port {port}: connecting: Connection refused\n"


def test_program_is_written_in_python_3_6() -> None:
    ast.parse(PROGRAM.read_text(), feature_version=(3, 6))


def test_program_imports_the_standard_library_only() -> None:
    tree = ast.parse(PROGRAM.read_text())
    nodes = list(ast.walk(tree))
    names = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom)]
    assert names <= sys.stdlib_module_names
    assert names == {"hashlib", "os", "re", "select", "signal", "socket", "sys", "time"}


def test_program_starts_and_ends_within_50_ms() -> None:
    """By processor time, which other programs on a busy machine hardly change; the benchmark
    check_start measures the clock."""
    with closed_port() as port:
        words = [str(PROGRAM), "tcp", LOOPBACK, str(port), "--expect=x"]
        took_s = []
        for _ in range(15):
            child = os.posix_spawn(PROGRAM, words, os.environ)
            _, status, usage = os.wait4(child, 0)
            assert os.waitstatus_to_exitcode(status) == 1
            took_s.append(usage.ru_utime + usage.ru_stime)
    assert min(took_s) < 0.05
