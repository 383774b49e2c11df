"""Real servers and the sorry server of a virtual service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import of_service
from drctl.lint.rules.service_minimum import entries_of, method_of
from drctl.lint.service import Server, Service, is_on, port_of
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

DUPLICATE = Kind("DR358", "duplicate-real-server", Severity.ERROR)
PORTS_DIFFER = Kind("DR359", "ports-differ", Severity.WARNING)
QUORUM = Kind("DR360", "quorum-above-weights", Severity.WARNING)
HYSTERESIS = Kind("DR361", "hysteresis-above-quorum", Severity.WARNING)
INHIBIT_DIFFERS = Kind("DR362", "inhibit-differs", Severity.WARNING)


@of_service
def check_duplicates(service: Service, world: World) -> None:
    """The second of two with the same address and port is removed."""
    seen: dict[tuple[str, int], Server] = {}
    kept = []
    for server in service.servers:
        first = seen.setdefault((server.address.lower(), server.port), server)
        if first is server:
            kept.append(server)
            continue
        shown = " ".join(server.line.words[1:3])
        text = f"real_server {shown} is in {service.name} already: this one is removed"
        world.report.add(server.line, Problem(DUPLICATE, 0, text), (first.line, "the first one"))
    service.servers = kept


@of_service
def check_quorum(service: Service, world: World) -> None:
    """A quorum that all weights together do not reach, or that the hysteresis does."""
    if not service.servers:
        return
    section = service.section
    default = service.number("weight", 1)
    weights = sum(default if s.weight is None else s.weight for s in service.servers)
    quorum = service.number("quorum", 1)
    line = section.last("quorum")
    at = line or service.header
    if quorum > weights:
        text = f"quorum {quorum} is more than the weights of the real servers, {weights}"
        world.report.add(at, Problem(QUORUM, 0, text))
        quorum = weights
    hysteresis = service.number("hysteresis", 0)
    if hysteresis >= quorum:
        text = f"hysteresis {hysteresis} is not below the quorum {quorum}"
        at = section.last("hysteresis") or at
        world.report.add(at, Problem(HYSTERESIS, 0, text))


@of_service
def check_sorry(service: Service, world: World) -> None:
    """A sorry server that is a real server too."""
    sorry = service.sorry
    if sorry is None:
        return
    inhibits = service.section.has("sorry_server_inhibit")
    for server in service.servers:
        if (server.address, server.port) != (sorry.address, sorry.port) or server.section is None:
            continue
        own = is_on(server.section, "inhibit_on_failure")
        is_inhibited = service.section.has("inhibit_on_failure") if own is None else own
        if is_inhibited != inhibits:
            text = "the sorry server is a real server too, and only one of them inhibits"
            world.report.add(sorry.line, Problem(INHIBIT_DIFFERS, -1, text), (server.line, "here"))


@of_service
def check_ports(service: Service, world: World) -> None:
    """DR and TUN cannot change the port."""
    ranges, marks = entries_of(service, world)
    default = method_of(service) or "NAT"
    ports = {port_of(line.words[1]) if len(line.words) > 1 else 0 for line in ranges}
    servers = [*service.servers, *([service.sorry] if service.sorry else [])]
    for server in servers:
        method = server.method or default
        if method == "NAT" or not server.port:
            continue
        text = ""
        if service.is_mark or marks:
            text = f"port {server.port} is ignored: the service is a firewall mark"
        elif service.group is not None:
            if any(port != server.port for port in ports):
                text = f"port {server.port} is not that of the service's group"
        elif server.port != service.port:
            text = f"port {server.port} is not that of the service, {service.port}, which is used"
        if text:
            hint = f"{method} cannot change the port: leave it out"
            world.report.add(
                server.line, Problem(PORTS_DIFFER, _port_word(server.line), text, hint)
            )


def _port_word(line: Line) -> int:
    return 1 if len(line.words) > 2 else 0
