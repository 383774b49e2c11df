"""Histories as text: a scenario file names a topology and faults, and has the transcript below.

    # what it shows
    nodes 2
    links svc hb
    at 1000 cut lb1 svc for 3000
    ---
    the transcript

Fields of `Topology` stand by their names; what is not named has its default.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from simulator.fault import parse
from simulator.run import Result, Schedule, run
from simulator.topology import Topology

MARK = "---"


def read(text: str) -> tuple[Schedule, str]:
    """The schedule, and the transcript that is expected."""
    head, _, transcript = text.partition(f"\n{MARK}\n")
    topology, faults, seed = Topology(), [], 0
    for line in head.splitlines():
        words = line.split()
        if not words or words[0] == "#":
            continue
        if words[0] == "at":
            faults.append(parse(line))
        elif words[0] == "seed":
            seed = int(words[1])
        else:
            topology = replace(topology, **{words[0]: _value(words[0], words[1:])})
    return Schedule(topology, tuple(faults), seed), transcript


def _value(name: str, words: list[str]) -> Any:
    defaults = {one.name: one.default for one in fields(Topology)}
    if name not in defaults:
        raise ValueError(f"a topology has no {name}")
    default = defaults[name]
    if isinstance(default, bool):
        return words == ["yes"]
    if isinstance(default, str):
        return words[0]
    if isinstance(default, tuple):
        return tuple(int(word) if word.isdigit() else word for word in words)
    return int(words[0])


def play(text: str, core: Any) -> tuple[Result, str, str]:
    """The result, the transcript that came out, and the one that the file has."""
    schedule, expected = read(text)
    result = run(schedule, core, transcript=True)
    lines = [*result.transcript, *(f"!!! {violation}" for violation in result.violations)]
    return result, "\n".join(lines) + "\n", expected


def rewrite(file: Path, core: Any) -> None:
    """Put the transcript that comes out into the file."""
    text = file.read_text()
    head = text.partition(f"\n{MARK}\n")[0].rstrip("\n")
    _, transcript, _ = play(text, core)
    file.write_text(f"{head}\n{MARK}\n{transcript}")
