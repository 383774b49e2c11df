"""Places in text: `Span` counts code points, `Place` is what a person can go to."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """Half-open range of code points `[start, end)` in one text, from 0."""

    start: int
    end: int


class Place(NamedTuple):
    """Where something stands: a file and a half-open range in it; lines and columns from 1.

    A tuple because a large file has a hundred thousand of them, compared and looked up all the
    time.

    `column` counts code points, not bytes or screen cells. `path` is as the user gave it, `-` is
    standard input.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"
