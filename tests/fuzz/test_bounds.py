"""Configurations that would never end, or take all memory: the command ends soon and says why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

MOST_SECONDS = 4.0
"""Of the processor; on a machine with nothing else to do it is less than one."""
MOST_KILOBYTES = 200_000
LARGE_BYTES = 500_000_000
START = "vrrp_instance V {\n}\n"


class Outcome(NamedTuple):
    """What a command did; `seconds` are those of the processor."""

    code: int
    output: str
    seconds: float
    kilobytes: int


MEASURE = """
import resource, subprocess, sys
code = subprocess.run([sys.executable, "-m", "drctl", *sys.argv[1:]], stdin=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
"""Run by a process in between: what is counted as the memory of a new process begins with that of
the one that starts it."""


def drctl(folder: Path, *words: str) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *words],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    output, _, last = done.stdout.rstrip("\n").rpartition("\n")
    code, seconds, kilobytes = last.split()
    return Outcome(int(code), done.stderr + output, float(seconds), int(kilobytes))


def doubling(lines: str, count: int = 40) -> str:
    """Definitions each of which uses the next one twice."""
    made = "".join(lines.replace("#", str(n)).replace("+", str(n + 1)) for n in range(count))
    return f"{made}$A{count}=x\nvrrp_version $A0\n"


ENDLESS = {
    "include loop": ("include main.conf\n", "DR112"),
    "include loop of two": ("include b.conf\n", "DR112"),
    "include loop by a pattern": ("include *.conf\n", "DR112"),
    "includes without end": ("include 1.inc\n", "DR112"),
    "includes that double": ("include 1.two\n", "DR150"),
    "sequence of a billion": ("~SEQ(i,1000000000) vrrp_version $i\n", "DR150"),
    "sequence over all numbers": (f"~SEQ(i,{-(2**63)},{2**63 - 1}) vrrp_version $i\n", "DR150"),
    "sequences in sequences": ("~SEQ(i,999) ~SEQ(j,999) ~SEQ(k,999) a $i $j $k\n", "DR150"),
    "definition of itself": ("$A=$A\nvrrp_version $A\n", "DR122"),
    "definition that grows": ("$A=${A}${A}b\nvrrp_version ${A}\n", "DR122"),
    "definition that grows braces": ("$A={a} $$A\nx $A\n" * 50, "DR122"),
    "definition of lines of itself": ("$A=b \\\n$A\n$A\n", "DR122"),
    "definitions of lines that double": (doubling("$A#=$A+ \\\n$A+\n"), "DR150"),
    "definitions that double": (doubling("$A#=${A+}${A+}\n"), "DR122"),
    "large file": ("include large\n", "DR150"),
    "FIFO": ("includea fifo\n", "DR111"),
    "device": ("includea /dev/zero\n", "DR111"),
    "folder": ("includea .\n", "DR111"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("endless")
    os.mkfifo(made / "fifo")
    with (made / "large").open("wb") as file:
        file.truncate(LARGE_BYTES)
    (made / "b.conf").write_text("include c.conf\n")
    (made / "c.conf").write_text("include b.conf\n")
    for number in range(1, 200):
        (made / f"{number}.inc").write_text(f"include {number + 1}.inc\n")
        (made / f"{number}.two").write_text(f"include {number + 1}.two\n" * 2)
    (made / "60.two").write_text("vrrp_version 2\n")
    return made


@pytest.mark.parametrize("command", ["lint", "show"])
@pytest.mark.parametrize("name", ENDLESS)
def test_configuration_without_end_ends_in_a_finding(name: str, command: str, folder: Path) -> None:
    text, code = ENDLESS[name]
    (folder / "main.conf").write_text(START + text)
    outcome = drctl(folder, command, "main.conf")
    assert outcome.code == 1
    assert f"[{code} " in outcome.output
    assert "Traceback" not in outcome.output
    assert outcome.seconds < MOST_SECONDS
    assert outcome.kilobytes < MOST_KILOBYTES


@pytest.mark.parametrize("command", ["lint", "show"])
def test_large_file_is_refused_without_reading_it(command: str, folder: Path) -> None:
    outcome = drctl(folder, command, "large")
    assert outcome.code == 2
    assert outcome.output == "drctl: cannot read large: it is larger than 64 MiB\n"
    assert outcome.kilobytes < 60_000


@pytest.mark.parametrize("command", ["lint", "show"])
@pytest.mark.parametrize("sign", ["x", '"', "'", "\\", "$", "${", "@lb1 ", "\\#", "}", "a{", "é"])
def test_long_line_takes_little(sign: str, command: str, folder: Path) -> None:
    (folder / "main.conf").write_text(START + sign * (50_000 // len(sign)) + "\n")
    outcome = drctl(folder, command, "main.conf")
    assert outcome.code in (0, 1)
    assert outcome.seconds < MOST_SECONDS
    assert outcome.kilobytes < MOST_KILOBYTES
