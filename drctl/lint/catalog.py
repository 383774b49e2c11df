"""All kinds of findings that `drctl lint` has, for documentation and tests."""

from __future__ import annotations

import importlib
from types import ModuleType

from drctl.lint import kind
from drctl.lint.kind import Kind
from drctl.lint.rule import names
from drctl.syntax import expand_kind


def kinds() -> dict[str, Kind]:
    """Kinds by code: of the lexer, of the tables and structure, of the rules."""
    modules: list[ModuleType] = [expand_kind, kind]
    modules += [importlib.import_module(f"drctl.lint.rules.{name}") for name in names()]
    found = {}
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, Kind):
                found[value.code] = value
    return dict(sorted(found.items()))
