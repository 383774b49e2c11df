"""Asks the real keepalived which logical lines it reads from a text.

Every line of the texts begins with a word that is no keyword, so `keepalived -t` names it in an
"Unknown keyword" message, with its line: the whole sequence of logical lines is told, first by the
parent process and then by three others, which read the text after it was freed from comments once.
"""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MAIN = "k.conf"
IDENTITY = "lb1"
CHILDREN = 3
_MOST_S, _MOST_WAITED_S, _MOST_SAID_BYTES = 2, 60, 2_000_000
"""Some texts keep keepalived busy for ever, with or without words, or waiting when it crashes."""

_MESSAGE = re.compile(r"\((?:(.*): )?Line (\d+)\) (?:Unknown keyword '(.*)'|Unexpected '(\{)'.*)")
_PLACED = re.compile(r"\((?:(.*): )?Line (\d+)\) (.*)", re.DOTALL)

First = tuple[str, int, str]
"""Base name of the file, line, first word."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The logical lines in the order in which they were read, and the other messages with their
    file and line; `exit` is negative after a crash, also when it would have gone on for ever."""

    exit: int
    parent: tuple[First, ...]
    child: tuple[First, ...]
    others: tuple[First, ...]


def ask(program: str, files: Mapping[str, bytes]) -> Answer:
    """What keepalived reads from `files` (by name; `MAIN` is the first one)."""
    with tempfile.TemporaryDirectory(prefix="expand-") as folder:
        for name, raw in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
        said = Path(folder) / "said"
        command = [
            *("prlimit", f"--cpu={_MOST_S}", f"--fsize={_MOST_SAID_BYTES}", "--core=0"),
            *(program, "-t", "-f", f"{folder}/{MAIN}", "-i", IDENTITY),
        ]
        with said.open("wb") as out:
            try:
                code = subprocess.run(
                    command,
                    check=False,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=out,
                    timeout=_MOST_WAITED_S,
                ).returncode
            except subprocess.TimeoutExpired:
                # it crashed, and waits in what it does then
                code = -signal.SIGKILL
        text = said.read_text("utf-8", "surrogateescape")
    return _answer(code, text.split("\n"))


def _answer(exit_: int, messages: list[str]) -> Answer:
    parent: list[First] = []
    children: list[First] = []
    others: dict[First, None] = {}
    for message in messages:
        placed = _PLACED.match(message)
        if placed is None:
            continue
        file = Path(placed[1] or MAIN).name
        found = _MESSAGE.fullmatch(message)
        if found is None:
            others[file, int(placed[2]), placed[3]] = None
            continue
        first = file, int(found[2]), found[3] if found[4] is None else "{"
        is_child = placed[1] is not None and (placed[1].startswith("/") or children)
        (children if is_child else parent).append(first)
    size = len(children) // CHILDREN
    child = children[:size]
    if exit_ >= 0:
        assert children == child * CHILDREN, "all processes but the first one read the same"
    return Answer(exit_, tuple(parent), tuple(child), tuple(others))
