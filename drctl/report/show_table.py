"""The model on the terminal as tables: what there is of each kind, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.report.show import (
    Rows,
    Where,
    kind_of,
    leftover_lines,
    opened,
    shown_text,
    steering_of,
)
from drctl.report.text import columns
from drctl.text.secret import masked

if TYPE_CHECKING:
    from drctl.model.configuration import Configuration
    from drctl.model.service import RealServer, VirtualService
    from drctl.model.tracking import BfdSession, TrackFile, TrackProcess
    from drctl.model.vrrp import TrackScript
    from drctl.readers.reading import Reading


def to_table(reading: Reading) -> str:
    """VRRP instances, VIPs, and the services with one real server a row; each row with its line.
    Tables without rows are left out."""
    configuration = reading.configuration
    where = Where(reading.document.source.path)
    tables = [
        _director_table(configuration, where),
        _instance_table(configuration, where),
        _vip_table(configuration, where),
        _track_table(configuration, where),
        _route_table(configuration, where),
        _rule_table(configuration, where),
        _service_table(configuration, where),
        _local_table(configuration, where),
    ]
    text = "\n\n".join(
        "\n".join(columns([tuple(map(shown_text, row)) for row in rows]))
        for rows in tables
        if len(rows) > 1
    )
    left = leftover_lines(reading, where)
    told = steering_of(reading, where)
    return "\n".join([text or "nothing in the model", *left, *told]) + "\n"


def _director_table(configuration: Configuration, where: Where) -> Rows:
    rows: Rows = [("DIRECTOR", "PUBLIC", "PRIVATE", "WHERE")]
    for director in configuration.directors:
        places = next(iter(director.origins.values()), ())
        public, private = director.public or "-", director.private or "-"
        rows.append((director.name, public, private, where(places)))
    return rows


def _instance_table(configuration: Configuration, where: Where) -> Rows:
    rows: Rows = [("INSTANCE", "STATE", "INTERFACE", "VRID", "PRIORITY", "WHERE")]
    for one in configuration.instances:
        given = (one.state, one.interface, one.virtual_router_id, one.priority)
        shown = ("-" if value is None else str(value) for value in given)
        rows.append((one.name, *shown, where(opened(one))))
    return rows


def _vip_table(configuration: Configuration, where: Where) -> Rows:
    rows: Rows = [("VIP", "DEVICE", "LABEL", "WHERE")]
    for vip in configuration.vips:
        length = "" if vip.prefix is None else f"/{vip.prefix}"
        rows.append((vip.address + length, vip.device or "-", vip.label or "-", where(opened(vip))))
    return rows


def _track_table(configuration: Configuration, where: Where) -> Rows:
    rows: Rows = [("TRACKED", "NAME", "WHAT", "WEIGHT", "WHERE")]
    for script in configuration.scripts:
        rows.append(("script", *_tracked(script, script.command), where(opened(script))))
    for file in configuration.track_files:
        rows.append(("file", *_tracked(file, file.path), where(opened(file))))
    for process in configuration.track_processes:
        what = " ".join((process.program or "-", *process.arguments))
        rows.append(("process", *_tracked(process, what), where(opened(process))))
    for session in configuration.bfd_sessions:
        rows.append(("bfd", *_tracked(session, session.neighbor), where(opened(session))))
    return rows


def _tracked(
    one: TrackScript | TrackFile | TrackProcess | BfdSession, what: str | None
) -> tuple[str, str, str]:
    weight = "-" if one.weight is None else str(one.weight)
    shown = masked(what or "-")
    return one.name, shown, f"{weight} reverse" if one.is_reversed else weight


def _route_table(configuration: Configuration, where: Where) -> Rows:
    rows: Rows = [("ROUTE", "OF", "VIA", "DEVICE", "TABLE", "WHERE")]
    found = [("static", route) for route in configuration.static_routes]
    found += [(one.name, route) for one in configuration.instances for route in one.routes]
    for owner, route in found:
        target = f"{route.kind or ''} {route.destination}".strip()
        via = " ".join(hop.via or hop.device or "-" for hop in route.hops) or route.via
        given = (via or "-", route.device or "-", route.table or "-")
        rows.append((target, owner, *given, where(opened(route))))
    return rows


def _rule_table(configuration: Configuration, where: Where) -> Rows:
    rows: Rows = [("RULE", "OF", "FROM", "TO", "ACTION", "WHERE")]
    found = [("static", rule) for rule in configuration.static_rules]
    found += [(one.name, rule) for one in configuration.instances for rule in one.rules]
    for owner, rule in found:
        number = "-" if rule.priority is None else str(rule.priority)
        # `not` turns all conditions round, written first
        source = f"not {rule.source or ''}".strip() if rule.is_inverted else rule.source
        ends = (source or "-", rule.destination or "-")
        end = rule.table if rule.target is None else str(rule.target)
        action = rule.action if end is None else f"{rule.action} {end}"
        rows.append((number, owner, *ends, action, where(opened(rule))))
    return rows


def _service_table(configuration: Configuration, where: Where) -> Rows:
    rows: Rows = [("SERVICE", "SCHEDULER", "REAL SERVER", "WEIGHT", "METHOD", "CHECK", "WHERE")]
    pulse = configuration.pulse
    for service in configuration.services:
        first = (service_title(service), service.scheduler or "-")
        method = pulse.method if pulse is not None else "-"
        if service.forwarding is not None:
            method = service.forwarding.method
        if not service.real_servers:
            rows.append((*first, "-", "-", method, "-", where(opened(service))))
        for server in service.real_servers:
            rows.append((*first, *_server_row(service, server, method), where(opened(server))))
            first = ("", "")
    return rows


def _local_table(configuration: Configuration, where: Where) -> Rows:
    rows: Rows = [("FAILOVER SERVICE", "VIP", "PORT", "START", "STOP", "WHERE")]
    for local in configuration.local_services:
        name = local.name if local.is_active else f"{local.name} (off)"
        vip = "-" if local.vip is None else local.vip.address
        commands = (local.start_command or "-", local.stop_command or "-")
        rows.append((name, vip, str(local.port), *commands, where(opened(local))))
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
    checks = " ".join(kind_of(check) for check in server.checks)
    if not checks and service.nanny is not None:
        checks = "nanny"
    return (
        endpoint(server.address, server.port) + ("" if server.is_active else " (off)"),
        str(server.weight if server.weight is not None else 1),
        server.forwarding.method if server.forwarding else method,
        checks or "-",
    )
