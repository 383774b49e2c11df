"""The model on the terminal: as a tree with the place of every value, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Leftover, Origins, leftovers
from drctl.quickclass import MISSING, fields, is_dataclass
from drctl.report.show_view import head_line, steering_json, steering_lines, via_json, via_text
from drctl.report.text import columns
from drctl.text.place import via_of
from drctl.text.secret import MASK, masked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drctl.readers.reading import Reading
    from drctl.syntax.pulse import PulseVerdict
    from drctl.text.diagnostic import Diagnostic
    from drctl.text.place import Place

SCHEMA = 2
_SECRET_FIELDS = frozenset({"password"})
_SKIPPED = frozenset({"origins", "leftovers"})
_WIDEST_LEFTOVER = 70

Rows = list[tuple[str, ...]]
"""Lines of a table, cell by cell."""


def to_json(reading: Reading) -> str:
    """Schema 2 of docs/show.md. `pulse` is null for a keepalived.conf."""
    import json

    verdict = reading.verdict
    source = reading.document.source
    view = reading.view
    secrets: frozenset[str] = frozenset() if view is None else view.secrets
    left = [*_left(reading.configuration), *reading.vanished]
    document = {
        "schema": SCHEMA,
        "path": source.path,
        "dialect": reading.document.dialect,
        "encoding": source.encoding,
        "is_template": reading.document.is_template,
        "pulse": None
        if verdict is None
        else {"accepts": verdict.accepts, "line": verdict.line, "message": verdict.message},
        "config_id": None if view is None else view.config_id,
        "files": [document.source.path for document in reading.documents],
        "model": _json(reading.configuration, secrets),
        "leftovers": [_leftover(found, secrets) for found in left],
        **steering_json(view),
        "diagnostics": [diagnostic_json(found) for found in reading.diagnostics],
    }
    return json.dumps(document, indent=1) + "\n"


def diagnostic_json(found: Diagnostic) -> dict[str, Any]:
    """A finding in the shape that `--format json` has everywhere."""
    return {
        "path": found.place.path,
        "line": found.place.line,
        "column": found.place.column,
        "end_line": found.place.end_line,
        "end_column": found.place.end_column,
        "code": found.code,
        "name": found.name,
        "severity": found.severity.value,
        "message": masked(found.message),
        "hint": found.hint,
        "fix": None,
        "related": [
            {"path": r.place.path, "line": r.place.line, "message": masked(r.message)}
            for r in found.related
        ],
    }


def _left(configuration: Configuration) -> list[Leftover]:
    """All leftovers in the order of the file."""

    found = list(leftovers(configuration))
    paths = dict.fromkeys(left.place.path for left in found if left.place)
    order = {path: number for number, path in enumerate(paths)}

    def where(left: Leftover) -> tuple[int, int, int]:
        place = left.place
        return (order[place.path], place.line, place.column) if place else (0, 0, 0)

    return sorted(found, key=where)


def _leftover(found: Leftover, secrets: frozenset[str]) -> dict[str, Any]:
    place = found.place
    via = () if place is None else via_of(place)
    return {
        "text": masked(found.text, secrets),
        "reason": masked(found.reason),
        "path": None if place is None else place.path,
        "line": None if place is None else place.line,
        "column": None if place is None else place.column,
        "end_line": None if place is None else place.end_line,
        **via_json(via, secrets),
    }


def _json(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, tuple):
        return [_json(item, secrets) for item in value]
    if not is_dataclass(value):
        return masked(value) if isinstance(value, str) else value
    found: dict[str, Any] = {}
    name = kind_of(value)
    if name:
        found["type"] = name
    for field in fields(value):
        if field.name in _SKIPPED:
            continue
        item = getattr(value, field.name)
        if field.name in _SECRET_FIELDS and item is not None:
            item = MASK
        found[field.name] = _json(item, secrets)
    origins: Origins = getattr(value, "origins", {})
    if origins:
        found["origins"] = {
            key or "self": [
                {"path": p.path, "line": p.line, "column": p.column, **via_json(via_of(p), secrets)}
                for p in places
            ]
            for key, places in origins.items()
        }
    return found


def kind_of(value: Any) -> str:
    """`http`, `tcp` … for a check, empty for other objects."""
    name = type(value).__name__
    return name.removesuffix("Check").lower() if name.endswith("Check") else ""


def to_tree(reading: Reading) -> str:
    """Everything the file says, a value a line, with the line it came from."""
    source = reading.document.source
    kind = " template" if reading.document.is_template else ""
    head = [f"{shown_text(source.path)}: {reading.document.dialect}{kind}, {source.encoding}"]
    if reading.verdict is not None:
        head.append(verdict_text(reading.verdict))
    if reading.view is not None:
        head.append(head_line(reading.view))
    where = Where(source.path)
    rows: Rows = [*_rows(reading.configuration, where, 0)]
    text = [*head, "", *columns(rows)]
    return "\n".join([*text, *leftover_lines(reading, where), *steering_of(reading, where)]) + "\n"


def steering_of(reading: Reading, where: Where) -> list[str]:
    """What only steers the reading, as lines."""
    return [] if reading.view is None else steering_lines(reading.view, where)


def leftover_lines(reading: Reading, where: Where) -> list[str]:
    """What the model has no field for, as lines."""
    rows: Rows = []
    view = reading.view
    secrets = () if view is None else view.secrets
    for found in (*_left(reading.configuration), *reading.vanished):
        first, *more = masked(found.text, secrets).split("\n", 1)
        shown = first[:_WIDEST_LEFTOVER] + ("…" if more or len(first) > _WIDEST_LEFTOVER else "")
        places = () if found.place is None else (found.place,)
        rows.append(("  " + shown_text(shown), where(places), shown_text(masked(found.reason))))
    return ["", "not in the model:", *columns(rows)] if rows else []


def verdict_text(verdict: PulseVerdict) -> str:
    """What the original parser makes of an lvs.cf."""
    if verdict.accepts:
        return "pulse 0.8.6 accepts this file"
    return f"pulse 0.8.6 rejects this file at line {verdict.line}: {verdict.message}"


class Where:
    """Places as text: the line alone when it is in the file that is shown; with the definitions
    that the text came from."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, places: tuple[Place, ...]) -> str:
        if not places:
            return ""
        last = places[-1]
        return self.plain(last) + via_text(via_of(last), self.plain)

    def plain(self, place: Place) -> str:
        """A place without its chain."""
        return f"line {place.line}" if place.path == self._path else f"{place.path}:{place.line}"


def _rows(
    value: Any, where: Where, depth: int, around: tuple[Place, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Label, value and place of each field; `around` is the place of fields in an object that has
    no origins of its own."""
    origins: Origins = value.origins if hasattr(value, "origins") else {}
    indent = "  " * depth
    for field in fields(value):
        item = getattr(value, field.name)
        if field.name in _SKIPPED or item is None or item == ():
            continue
        places = origins.get(field.name) or around
        if is_dataclass(item):
            if _is_silent(item) and not places:
                continue
            yield indent + _label(field.name), "", where(opened(item) or places)
            yield from _rows(item, where, depth + 1, places)
        elif isinstance(item, tuple) and is_dataclass(item[0]):
            for each in item:
                label = indent + _label(field.name, single=True)
                own = () if hasattr(each, "origins") else places
                yield label, kind_of(each), where(opened(each) or own)
                yield from _rows(each, where, depth + 1, own)
        elif places or item != field.default:
            is_derived = field.name == "rank" and not places and depth == 0
            shown = where(places) or ("derived" if is_derived else "default")
            yield indent + _label(field.name), shown_value(field.name, item), shown


def opened(value: Any) -> tuple[Place, ...]:
    """Place of the statement that opened an object."""
    return tuple(value.origins.get(SELF, ())) if hasattr(value, "origins") else ()


def _is_silent(item: Any) -> bool:
    """Whether an object is what it would be without a file: nothing to show."""
    if any(f.default is MISSING and f.default_factory is MISSING for f in fields(item)):
        return False
    return bool(item == type(item)()) and not getattr(item, "origins", None)


_SINGULAR = {
    "entries": "entry",
    "static_addresses": "static_address",
    "track_processes": "track_process",
}


def _label(name: str, *, single: bool = False) -> str:
    if single:
        name = _SINGULAR.get(name, name.removesuffix("s"))
    for unit in ("_ms", "_us", "_s", "_bytes"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def shown_value(name: str, value: Any) -> str:
    """A field of the model for people: with its unit, a password masked."""
    if name in _SECRET_FIELDS:
        return MASK
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_ms"):
        return f"{value / 1000:g} s"
    if name.endswith("_us"):
        return f"{value / 1_000_000:.6f}".rstrip("0").rstrip(".") + " s"
    if name.endswith("_s") and isinstance(value, int):
        return f"{value} s"
    if name.endswith("_bytes"):
        return f"{value} bytes"
    if isinstance(value, tuple):
        value = " ".join(_item(one) for one in value)
    return shown_text(masked(str(value)))


def _item(value: Any) -> str:
    """A range of numbers, an option with its value, or a word."""
    if not isinstance(value, tuple):
        return str(value)
    return ("-" if isinstance(value[0], int) else " ").join(filter(None, map(str, value)))


def shown_text(text: str) -> str:
    """`text` with a replacement character for what cannot be shown."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
