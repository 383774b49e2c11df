"""Rules: small functions that look at a block when it ends, or at everything after reading.

A rule is a module in `rules/`, found by listing that folder. Its functions say by a decorator when
they are asked; they add what they find to `world.report`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from drctl.lint.instance import Instance
    from drctl.lint.section import Section
    from drctl.lint.service import Service
    from drctl.lint.world import World

SectionRule = Callable[["Section", "World"], None]
InstanceRule = Callable[["Instance", "World"], None]
ServiceRule = Callable[["Service", "World"], None]
WorldRule = Callable[["World"], None]

_Function = TypeVar("_Function", bound=Callable[..., None])


class Rules(NamedTuple):
    """All rules: `at_end` by the path of the block, the others in the order of the modules."""

    at_end: dict[str, list[SectionRule]]
    of_instance: list[InstanceRule]
    of_service: list[ServiceRule]
    after: list[WorldRule]


def at_end(*paths: str) -> Callable[[_Function], _Function]:
    """Asked at the end of each block of one of these tables."""
    return _marked("at_end", paths)


def of_instance(function: _Function) -> _Function:
    """Asked after reading, of each VRRP instance."""
    return _marked("of_instance", ())(function)


def of_service(function: _Function) -> _Function:
    """Asked after reading, of each virtual service."""
    return _marked("of_service", ())(function)


def after_reading(function: _Function) -> _Function:
    """Asked once, after reading."""
    return _marked("after", ())(function)


def _marked(when: str, paths: tuple[str, ...]) -> Callable[[_Function], _Function]:
    def mark(function: _Function) -> _Function:
        function.asked = when, paths  # type: ignore[attr-defined]
        return function

    return mark


@cache
def rules() -> Rules:
    """The rules of all modules in `rules/`."""
    found = Rules({}, [], [], [])
    lists: dict[str, list[Any]] = {
        "of_instance": found.of_instance,
        "of_service": found.of_service,
        "after": found.after,
    }
    for name in names():
        module = importlib.import_module(f"drctl.lint.rules.{name}")
        for function in vars(module).values():
            when, paths = getattr(function, "asked", ("", ()))
            if when and function.__module__ == module.__name__:
                for path in paths:
                    found.at_end.setdefault(path, []).append(function)
                if not paths:
                    lists[when].append(function)
    return found


def names() -> list[str]:
    """The modules of `rules/`, in order."""
    from drctl.lint import rules as package

    files = os.listdir(package.__path__[0])  # noqa: PTH208 - pathlib takes 7 ms to import
    return sorted(file[:-3] for file in files if file.endswith(".py") and file[0] != "_")
