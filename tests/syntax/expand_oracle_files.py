"""Files in memory for expansions, and what an expansion reads in the form of `expand_oracle`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from expand_oracle import IDENTITY, MAIN, First
from memory_files import MemoryFiles

from drctl.syntax.expanded import Expanded, ExpandOptions, Line, expand
from drctl.text.source import decode


def expanded(
    text: str | Mapping[str, str], version: tuple[int, ...] = (2, 2, 7), **options: object
) -> Expanded:
    """The expansion of a text, or of several with `MAIN` first."""
    texts = {MAIN: text} if isinstance(text, str) else text
    contents = {name: one.encode() for name, one in texts.items()}
    made = ExpandOptions(config_id=IDENTITY, version=version, **options)  # type: ignore[arg-type]
    return expand(decode(MAIN, contents[MAIN]), MemoryFiles(contents), made)


def firsts(lines: list[Line]) -> tuple[First, ...]:
    """File, number and first word of each line."""
    return tuple((PurePosixPath(line.path).name, line.number, line.words[0]) for line in lines)


def texts(lines: list[Line]) -> list[str]:
    """The words of each line, joined by blanks."""
    return [" ".join(line.words) for line in lines]
