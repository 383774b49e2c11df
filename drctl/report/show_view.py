"""What `drctl show` says of an effective view: the files, and the includes, definitions,
conditions and sequences that are no part of the model; and the chains that values came by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drctl.report.text import columns, printable
from drctl.text.secret import MASK, masked

if TYPE_CHECKING:
    from collections.abc import Callable

    from drctl.readers.view import DefinitionRead, View
    from drctl.text.place import Place, Step

_WIDEST = 70
_LONGEST_CHAIN = 4
_LISTS = ("includes", "definitions", "conditions", "sequences")

Rows = list[tuple[str, ...]]


def steering_json(view: View | None) -> dict[str, list[dict[str, Any]]]:
    """The lists of the JSON, empty for a text without such statements."""
    if view is None:
        return {name: [] for name in _LISTS}
    secrets = view.secrets
    return {
        "includes": [
            {"pattern": one.pattern, "files": list(one.paths), **_place(one.place)}
            for one in view.includes
        ],
        "definitions": [
            {
                "name": one.name,
                "value": _value(one.name, one.value, secrets),
                "is_used": one.is_used,
                **_place(one.place),
            }
            for one in view.definitions
        ],
        "conditions": [
            {
                "name": one.name,
                "is_negated": one.is_negated,
                "is_met": one.is_met,
                "text": masked(one.text, secrets),
                **_place(one.place),
            }
            for one in view.conditions
        ],
        "sequences": [
            {"text": masked(one.text, secrets), **_place(one.place)} for one in view.sequences
        ],
    }


def _place(place: Place) -> dict[str, Any]:
    return {
        "path": place.path,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
    }


def _value(name: str, value: str, secrets: frozenset[str]) -> str:
    """What a name stands for; a password is masked."""
    if name in secrets or masked(f"${name}={value}") != f"${name}={value}":
        return MASK
    return masked(value, secrets)


def via_json(via: tuple[Step, ...], secrets: frozenset[str]) -> dict[str, Any]:
    """The key `via` of a place, when it has a chain."""
    if not via:
        return {}
    return {
        "via": [
            {
                "kind": step.kind,
                "name": step.name,
                "value": _value(step.name, step.value, secrets),
                "path": step.place.path,
                "line": step.place.line,
                "column": step.place.column,
            }
            for step in via
        ]
    }


def via_text(via: tuple[Step, ...], where: Callable[[Place], str]) -> str:
    """The definitions and sequences of a chain in parentheses, the nearest to the value last;
    includes show in the place itself."""
    shown = []
    for step in via:
        if step.kind == "definition":
            shown.append(f"${step.name}: {where(step.place)}")
        elif step.kind == "sequence":
            shown.append(f"{step.name} = {step.value}")
        elif step.kind == "list":
            shown.append(f"~LST {step.name}")
    if not shown:
        return ""
    if len(shown) > _LONGEST_CHAIN:
        shown = [*shown[: _LONGEST_CHAIN - 1], "…", shown[-1]]
    return f" ({', '.join(shown)})"


def head_line(view: View) -> str:
    """As what, and with how many other files, it was read."""
    count = len(view.documents) - 1
    files = "" if not count else f" with {count} included file{'s' if count > 1 else ''}"
    name = f' as "{printable(view.config_id)}"' if view.conditions and view.config_id else ""
    return f"read{name}{files}, definitions and conditions applied"


def steering_lines(view: View, where: Callable[[tuple[Place, ...]], str]) -> list[str]:
    """The lists as text, each with a head; those without an entry are left out."""
    secrets = view.secrets
    includes: Rows = [
        (_short(f"include {one.pattern}", secrets), where((one.place,)), _count(one.paths))
        for one in view.includes
    ]
    definitions: Rows = [
        (_defined(one, secrets), where((one.place,)), "" if one.is_used else "not used")
        for one in view.definitions
    ]
    conditions: Rows = [
        (_short(one.text, secrets), where((one.place,)), "read" if one.is_met else "not read")
        for one in view.conditions
    ]
    sequences: Rows = [
        (_short(one.text, secrets), where((one.place,)), "") for one in view.sequences
    ]
    lines = []
    for name, rows in zip(_LISTS, (includes, definitions, conditions, sequences), strict=True):
        if rows:
            indented = [("  " + first, *rest) for first, *rest in rows]
            lines += ["", f"{name}:", *columns(indented)]
    return lines


def _defined(one: DefinitionRead, secrets: frozenset[str]) -> str:
    return _cut(f"${one.name} = {_value(one.name, one.value, secrets)}")


def _count(paths: tuple[str, ...]) -> str:
    match len(paths):
        case 0:
            return "no file read"
        case 1:
            return printable(paths[0])
        case count:
            return f"{count} files"


def _short(text: str, secrets: frozenset[str]) -> str:
    return _cut(masked(text, secrets))


def _cut(text: str) -> str:
    first, *more = text.split("\n", 1)
    return printable(first[:_WIDEST]) + ("…" if more or len(first) > _WIDEST else "")
