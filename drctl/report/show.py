"""The model on the terminal: as a tree with the place of every value, as a table, as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Leftover, Origins
from drctl.model.service import RealServer, VirtualService
from drctl.readers.reading import Reading
from drctl.report.text import columns
from drctl.syntax.pulse import PulseVerdict
from drctl.text.diagnostic import Diagnostic

SCHEMA = 1
MASKED = "********"
_SECRET_FIELDS = frozenset({"password"})
_SKIPPED = frozenset({"origins", "leftovers"})


def to_json(reading: Reading, verdict: PulseVerdict | None) -> str:
    """Schema 1 of docs/show.md. `pulse` is null for a keepalived.conf."""
    document = {
        "schema": SCHEMA,
        "path": reading.document.source.path,
        "dialect": reading.document.dialect,
        "encoding": reading.document.source.encoding,
        "is_template": reading.document.is_template,
        "pulse": None
        if verdict is None
        else {"accepts": verdict.accepts, "line": verdict.line, "message": verdict.message},
        "model": _json(reading.configuration),
        "leftovers": [_leftover(found) for found in leftovers(reading.configuration)],
        "diagnostics": [diagnostic_json(found) for found in reading.diagnostics],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


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
        "message": found.message,
        "hint": found.hint,
        "fix": None,
        "related": [
            {"path": r.place.path, "line": r.place.line, "message": r.message}
            for r in found.related
        ],
    }


def leftovers(value: Any) -> Iterator[Leftover]:
    """Every leftover below `value`, in the order of the model."""
    if isinstance(value, Leftover):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from leftovers(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if field.name != "origins":
                yield from leftovers(getattr(value, field.name))


def _leftover(found: Leftover) -> dict[str, Any]:
    place = found.place
    return {
        "text": _masked(found.text),
        "reason": found.reason,
        "path": None if place is None else place.path,
        "line": None if place is None else place.line,
        "end_line": None if place is None else place.end_line,
    }


def _masked(text: str) -> str:
    """Passwords in a leftover do not show."""
    lines = []
    for line in text.split("\n"):
        words = line.split(None, 1)
        if len(words) == 2 and words[0] in {"auth_pass", "password"}:
            line = line[: line.index(words[0])] + f"{words[0]} {MASKED}"
        lines.append(line)
    return "\n".join(lines)


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    found: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        if field.name in _SKIPPED:
            continue
        item = getattr(value, field.name)
        if field.name in _SECRET_FIELDS and item is not None:
            item = MASKED
        found[field.name] = _json(item)
    origins: Origins = getattr(value, "origins", {})
    if origins:
        found["origins"] = {
            key or "self": [{"path": p.path, "line": p.line, "column": p.column} for p in places]
            for key, places in origins.items()
        }
    return found


def to_tree(reading: Reading, verdict: PulseVerdict | None) -> str:
    """Everything the file says, a value a line, with the place it came from."""
    source = reading.document.source
    kind = " (a template)" if reading.document.is_template else ""
    head = [f"{source.path}: {reading.document.dialect}{kind}, {source.encoding}"]
    if verdict is not None:
        head.append(verdict_text(verdict))
    rows = list(_rows(reading.configuration, 0))
    left = list(leftovers(reading.configuration))
    text = [*head, "", *columns(rows)]
    if left:
        text += ["", "not in the model:"]
        left_rows = [
            (
                "  " + _masked(found.text).split("\n", 1)[0][:70],
                found.reason,
                "" if found.place is None else f"{found.place.path}:{found.place.line}",
            )
            for found in left
        ]
        text += columns(left_rows)
    return "\n".join(text) + "\n"


def verdict_text(verdict: PulseVerdict) -> str:
    """What the original parser makes of an lvs.cf."""
    if verdict.accepts:
        return "pulse 0.8.6 accepts this file"
    return f"pulse 0.8.6 rejects this file at line {verdict.line}: {verdict.message}"


def _rows(value: Any, depth: int) -> Iterator[tuple[str, str, str]]:
    origins: Origins = value.origins if hasattr(value, "origins") else {}
    indent = "  " * depth
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if field.name in _SKIPPED or item is None or item == ():
            continue
        places = origins.get(field.name) or ()
        if dataclasses.is_dataclass(item):
            if item == type(item)() if _has_defaults(item) else False:
                continue
            yield indent + _label(field.name), "", _where(item)
            yield from _rows(item, depth + 1)
        elif isinstance(item, tuple) and dataclasses.is_dataclass(item[0]):
            for each in item:
                yield indent + _label(field.name, single=True), _title(each), _where(each)
                yield from _rows(each, depth + 1)
        elif places or item != field.default:
            yield indent + _label(field.name), _shown(field.name, item), _place(places)


def _has_defaults(item: Any) -> bool:
    return all(
        field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        for field in dataclasses.fields(item)
    )


_SINGULAR = {"vips": "vip", "checks": "check", "hooks": "hook", "tracks": "track"}


def _label(name: str, *, single: bool = False) -> str:
    if single:
        name = _SINGULAR.get(name, name.removesuffix("s"))
    for unit in ("_ms", "_s", "_bytes"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def _title(value: Any) -> str:
    """What an object in a list is called: its class where a list may hold several."""
    name = type(value).__name__
    return name if name.endswith("Check") else ""


def _shown(name: str, value: Any) -> str:
    if name in _SECRET_FIELDS:
        return MASKED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_ms"):
        return f"{value / 1000:g} s"
    if name.endswith("_s") and isinstance(value, int):
        return f"{value} s"
    if isinstance(value, tuple):
        return " ".join("-".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in value)
    return str(value)


def _place(places: tuple[Any, ...]) -> str:
    return f"{places[-1].path}:{places[-1].line}" if places else "default"


def _where(value: Any) -> str:
    places = value.origins.get(SELF) if hasattr(value, "origins") else None
    return _place(places) if places else ""


def to_table(configuration: Configuration) -> str:
    """The virtual services and their real servers, one real server a row."""
    rows: list[tuple[str, ...]] = [
        ("SERVICE", "SCHEDULER", "REAL SERVER", "WEIGHT", "METHOD", "CHECK", "WHERE")
    ]
    for service in configuration.services:
        title = service_title(service)
        first = (title, service.scheduler or "-")
        if not service.real_servers:
            rows.append((*first, "-", "-", "-", "-", _where(service)))
        for server in service.real_servers:
            rows.append((*first, *_server_row(service, server)))
            first = ("", "")
    vip_rows: list[tuple[str, ...]] = [("VIP", "DEVICE", "LABEL")]
    for vip in configuration.vips:
        length = "" if vip.prefix is None else f"/{vip.prefix}"
        vip_rows.append((vip.address + length, vip.device or "-", vip.label or "-"))
    return "\n".join([*columns(vip_rows), "", *columns(rows)]) + "\n"


def service_title(service: VirtualService) -> str:
    """`192.0.2.10:80/tcp`, `mark 21`, `group web`."""
    if service.mark is not None:
        title = f"mark {service.mark}"
    elif service.group is not None:
        title = f"group {service.group}"
    elif service.address is None:
        title = f"({service.name or 'no address'})"
    else:
        address = f"[{service.address}]" if ":" in service.address else service.address
        title = f"{address}:{service.port or '*'}/{service.protocol or 'tcp'}"
    return title if service.is_active else f"{title} (off)"


def _server_row(service: VirtualService, server: RealServer) -> tuple[str, ...]:
    address = f"[{server.address}]" if ":" in server.address else server.address
    forwarding = server.forwarding or service.forwarding
    checks = " ".join(type(check).__name__.removesuffix("Check").lower() for check in server.checks)
    if not checks and service.nanny is not None:
        checks = "nanny"
    return (
        f"{address}:{server.port or '*'}" + ("" if server.is_active else " (off)"),
        str(server.weight if server.weight is not None else 1),
        forwarding.method if forwarding else "-",
        checks or "-",
        _where(server),
    )
