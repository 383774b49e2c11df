"""The model on the terminal: as a tree with the place of every value, as tables, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Leftover, Origins, leftovers
from drctl.model.service import RealServer, VirtualService
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


def to_json(reading: Reading) -> str:
    """Schema 2 of docs/show.md. `pulse` is null for a keepalived.conf."""
    import json

    verdict = reading.verdict
    source = reading.document.source
    view = reading.view
    secrets: frozenset[str] = frozenset() if view is None else view.secrets
    left = [*_left(reading.configuration), *(() if view is None else view.vanished)]
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
    name = _kind(value)
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


def _kind(value: Any) -> str:
    """`http`, `tcp` … for a check, empty for other objects."""
    name = type(value).__name__
    return name.removesuffix("Check").lower() if name.endswith("Check") else ""


def to_tree(reading: Reading) -> str:
    """Everything the file says, a value a line, with the line it came from."""
    source = reading.document.source
    kind = " template" if reading.document.is_template else ""
    head = [f"{_printable(source.path)}: {reading.document.dialect}{kind}, {source.encoding}"]
    if reading.verdict is not None:
        head.append(verdict_text(reading.verdict))
    if reading.view is not None:
        head.append(head_line(reading.view))
    where = _Where(source.path)
    rows: Rows = [*_rows(reading.configuration, where, 0)]
    text = [*head, "", *columns(rows)]
    return "\n".join([*text, *_leftover_lines(reading, where), *_steering(reading, where)]) + "\n"


def _steering(reading: Reading, where: _Where) -> list[str]:
    return [] if reading.view is None else steering_lines(reading.view, where)


def _leftover_lines(reading: Reading, where: _Where) -> list[str]:
    rows: Rows = []
    view = reading.view
    vanished, secrets = ((), ()) if view is None else (view.vanished, view.secrets)
    for found in (*_left(reading.configuration), *vanished):
        first, *more = masked(found.text, secrets).split("\n", 1)
        shown = first[:_WIDEST_LEFTOVER] + ("…" if more or len(first) > _WIDEST_LEFTOVER else "")
        places = () if found.place is None else (found.place,)
        rows.append(("  " + _printable(shown), where(places), _printable(masked(found.reason))))
    return ["", "not in the model:", *columns(rows)] if rows else []


def verdict_text(verdict: PulseVerdict) -> str:
    """What the original parser makes of an lvs.cf."""
    if verdict.accepts:
        return "pulse 0.8.6 accepts this file"
    return f"pulse 0.8.6 rejects this file at line {verdict.line}: {verdict.message}"


class _Where:
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
    value: Any, where: _Where, depth: int, around: tuple[Place, ...] = ()
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
            if _is_silent(item):
                continue
            yield indent + _label(field.name), "", where(_opened(item) or places)
            yield from _rows(item, where, depth + 1, places)
        elif isinstance(item, tuple) and is_dataclass(item[0]):
            for each in item:
                label = indent + _label(field.name, single=True)
                yield label, _kind(each), where(_opened(each))
                yield from _rows(each, where, depth + 1)
        elif places or item != field.default:
            is_derived = field.name == "rank" and not places and depth == 0
            shown = where(places) or ("derived" if is_derived else "default")
            yield indent + _label(field.name), shown_value(field.name, item), shown


def _opened(value: Any) -> tuple[Place, ...]:
    """Place of the statement that opened an object."""
    return tuple(value.origins.get(SELF, ())) if hasattr(value, "origins") else ()


def _is_silent(item: Any) -> bool:
    """Whether an object is what it would be without a file: nothing to show."""
    if any(f.default is MISSING and f.default_factory is MISSING for f in fields(item)):
        return False
    return bool(item == type(item)()) and not getattr(item, "origins", None)


_SINGULAR = {"vips": "vip", "hooks": "hook", "checks": "check", "entries": "entry"}


def _label(name: str, *, single: bool = False) -> str:
    if single:
        name = _SINGULAR.get(name, name.removesuffix("s"))
    for unit in ("_ms", "_s", "_bytes"):
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
    if name.endswith("_s") and isinstance(value, int):
        return f"{value} s"
    if name.endswith("_bytes"):
        return f"{value} bytes"
    if isinstance(value, tuple):
        value = " ".join("-".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in value)
    return _printable(masked(str(value)))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def to_table(reading: Reading) -> str:
    """VRRP instances, VIPs, and the services with one real server a row; each row with its line.
    Tables without rows are left out."""
    configuration = reading.configuration
    where = _Where(reading.document.source.path)
    tables = [
        _director_table(configuration, where),
        _instance_table(configuration, where),
        _vip_table(configuration, where),
        _service_table(configuration, where),
        _local_table(configuration, where),
    ]
    text = "\n\n".join(
        "\n".join(columns([tuple(map(_printable, row)) for row in rows]))
        for rows in tables
        if len(rows) > 1
    )
    left = _leftover_lines(reading, where)
    steering = _steering(reading, where)
    return "\n".join([text or "nothing in the model", *left, *steering]) + "\n"


def _director_table(configuration: Configuration, where: _Where) -> Rows:
    rows: Rows = [("DIRECTOR", "PUBLIC", "PRIVATE", "WHERE")]
    for director in configuration.directors:
        places = next(iter(director.origins.values()), ())
        public, private = director.public or "-", director.private or "-"
        rows.append((director.name, public, private, where(places)))
    return rows


def _instance_table(configuration: Configuration, where: _Where) -> Rows:
    rows: Rows = [("INSTANCE", "STATE", "INTERFACE", "VRID", "PRIORITY", "WHERE")]
    for one in configuration.instances:
        given = (one.state, one.interface, one.virtual_router_id, one.priority)
        shown = ("-" if value is None else str(value) for value in given)
        rows.append((one.name, *shown, where(_opened(one))))
    return rows


def _vip_table(configuration: Configuration, where: _Where) -> Rows:
    rows: Rows = [("VIP", "DEVICE", "LABEL", "WHERE")]
    for vip in configuration.vips:
        length = "" if vip.prefix is None else f"/{vip.prefix}"
        rows.append(
            (vip.address + length, vip.device or "-", vip.label or "-", where(_opened(vip)))
        )
    return rows


def _service_table(configuration: Configuration, where: _Where) -> Rows:
    rows: Rows = [("SERVICE", "SCHEDULER", "REAL SERVER", "WEIGHT", "METHOD", "CHECK", "WHERE")]
    pulse = configuration.pulse
    for service in configuration.services:
        first = (service_title(service), service.scheduler or "-")
        method = pulse.method if pulse is not None else "-"
        if service.forwarding is not None:
            method = service.forwarding.method
        if not service.real_servers:
            rows.append((*first, "-", "-", method, "-", where(_opened(service))))
        for server in service.real_servers:
            rows.append((*first, *_server_row(service, server, method), where(_opened(server))))
            first = ("", "")
    return rows


def _local_table(configuration: Configuration, where: _Where) -> Rows:
    rows: Rows = [("FAILOVER SERVICE", "VIP", "PORT", "START", "STOP", "WHERE")]
    for local in configuration.local_services:
        name = local.name if local.is_active else f"{local.name} (off)"
        vip = "-" if local.vip is None else local.vip.address
        commands = (local.start_command or "-", local.stop_command or "-")
        rows.append((name, vip, str(local.port), *commands, where(_opened(local))))
    return rows


def service_title(service: VirtualService) -> str:
    """`192.0.2.10:80/tcp`, `mark 21`, `group web`."""
    if service.mark is not None:
        title = f"mark {service.mark}"
    elif service.group is not None:
        title = f"group {service.group}"
    elif service.address is None:
        title = f"({service.name or 'no address'})"
    else:
        title = f"{endpoint(service.address, service.port)}/{service.protocol or 'tcp'}"
    return title if service.is_active else f"{title} (off)"


def endpoint(address: str, port: int | None) -> str:
    """`192.0.2.10:80`, `[2001:db8::1]:80`; `*` for all ports."""
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{'*' if port is None else port}"


def _server_row(service: VirtualService, server: RealServer, method: str) -> tuple[str, ...]:
    checks = " ".join(_kind(check) for check in server.checks)
    if not checks and service.nanny is not None:
        checks = "nanny"
    return (
        endpoint(server.address, server.port) + ("" if server.is_active else " (off)"),
        str(server.weight if server.weight is not None else 1),
        server.forwarding.method if server.forwarding else method,
        checks or "-",
    )
