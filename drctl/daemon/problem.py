"""What is wrong in the daemon's configuration: all of it at once, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from drctl.errors import DrctlError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One statement that cannot stand; `line` is from 1, 0 when there is none."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.message}"


class ConfigRefused(DrctlError):
    """The configuration cannot be used; `problems` are in the order of their places."""

    def __init__(self, problems: Iterable[Problem], closing: str = "") -> None:
        self.problems = tuple(sorted(set(problems)))
        lines = [str(problem) for problem in self.problems]
        super().__init__("\n".join([*lines, closing] if closing else lines))
