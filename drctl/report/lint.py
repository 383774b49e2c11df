"""Findings of the linter in its formats: full (with source line and caret), concise, json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from drctl.report.text import diagnostic_text, printable
from drctl.text.diagnostic import Diagnostic, Severity
from drctl.text.secret import masked
from drctl.text.source import SourceFile

SCHEMA = 1


def to_full(found: Iterable[Diagnostic], sources: Mapping[str, SourceFile]) -> str:
    """Each finding with its line, a caret, and the way out."""
    return "".join(diagnostic_text(one, sources.get(one.place.path)) + "\n\n" for one in found)


def to_concise(found: Iterable[Diagnostic]) -> str:
    """One line a finding."""
    return "".join(
        f"{one.place}: {one.severity}: {printable(masked(one.message))} [{one.code} {one.name}]\n"
        for one in found
    )


def to_json(found: Iterable[Diagnostic], files: int) -> str:
    """The documented schema (docs/lint.md)."""
    import json

    whole = {"schema": SCHEMA, "files": files, "diagnostics": [_as_json(one) for one in found]}
    return json.dumps(whole, indent=2, ensure_ascii=True) + "\n"


def _as_json(one: Diagnostic) -> dict[str, Any]:
    place = one.place
    return {
        "path": place.path,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
        "code": one.code,
        "name": one.name,
        "severity": str(one.severity),
        "message": masked(one.message),
        "hint": one.hint,
        "fix": None,
        "related": [
            {"path": r.place.path, "line": r.place.line, "message": masked(r.message)}
            for r in one.related
        ],
    }


def summary(found: Sequence[Diagnostic], files: int) -> str:
    """The last line: how much of what was found in how many files."""
    counts = [
        (sum(one.severity is severity for one in found), str(severity))
        for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO)
    ]
    told = ", ".join(f"{n} {name}{'s' if n != 1 else ''}" for n, name in counts if n)
    shown = f"{files} file{'s' if files != 1 else ''}"
    return f"{shown}: {told or 'nothing found'}\n"
