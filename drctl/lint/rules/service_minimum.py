"""What a virtual service cannot do without, and the defaults that keepalived sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import of_service
from drctl.lint.section import Section
from drctl.lint.service import Service, port_of
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

NO_SERVERS = Kind("DR352", "service-without-servers", Severity.ERROR)
DEFAULT_SET = Kind("DR353", "default-set", Severity.WARNING)
PROTOCOL_OF_MARK = Kind("DR354", "protocol-of-mark", Severity.WARNING)
SUSPEND_OF_MARK = Kind("DR355", "suspend-of-mark", Severity.WARNING)
ONE_PACKET = Kind("DR356", "one-packet-needs-udp", Severity.WARNING)
ALL_PORTS = Kind("DR357", "all-ports-need-persistence", Severity.WARNING)

Say = Callable[..., None]


@of_service
def check_minimum(service: Service, world: World) -> None:
    """As validate_check_config of keepalived, before it looks at the real servers."""
    section, header, report = service.section, service.header, world.report

    def say(line: Line | None, kind: Kind, text: str, hint: str = "") -> None:
        at = line or header
        report.add(at, Problem(kind, 0 if at is header else -1, text, hint))

    if not service.servers:
        say(None, NO_SERVERS, f"{service.name} has no real_server that keepalived takes: ignored")
        return
    ranges, marks = entries_of(service, world)
    is_mark = service.is_mark or bool(marks)
    suspend = section.last("ha_suspend")
    if suspend is not None and is_mark:
        say(suspend, SUSPEND_OF_MARK, "ha_suspend is ignored: it does not go with a firewall mark")
    is_by_address = bool(ranges) or (service.group is None and not service.is_mark)
    if service.group is not None and service.group not in world.service_groups:
        is_by_address = False
    protocol = section.last("protocol")
    if is_by_address:
        _check_by_address(service, protocol, say)
    if service.group is not None and not service.is_persistent:
        for line in ranges:
            if not port_of(line.words[1] if len(line.words) > 1 else ""):
                text = f"{line.words[0]} has no port: {service.name} gets persistence"
                say(None, ALL_PORTS, text, "write persistence_timeout")
                break
    if protocol is not None and (service.is_mark or (marks and not ranges)):
        say(protocol, PROTOCOL_OF_MARK, "protocol is ignored: the service is a firewall mark")
    if not section.has("lb_algo", "lvs_sched"):
        say(None, DEFAULT_SET, f"{service.name} has no lb_algo: wlc is used", "write lb_algo")
    needs_method = any(server.method is None for server in service.servers)
    if service.sorry is not None and service.sorry.method is None:
        needs_method = True
    if needs_method and method_of(service) is None:
        text = f"{service.name} has no lb_kind: NAT is used"
        say(None, DEFAULT_SET, text, "write lb_kind DR, if that is meant")


def _check_by_address(service: Service, protocol: Line | None, say: Say) -> None:
    section = service.section
    if protocol is None:
        text = f"{service.name} has no protocol: UDP is used"
        say(None, DEFAULT_SET, text, "write protocol TCP, if that is meant")
    ops = section.last("ops")
    if ops is not None and protocol is not None and protocol.words[1].upper() != "UDP":
        say(ops, ONE_PACKET, "ops is ignored: one-packet scheduling is for UDP only")
    is_plain = service.group is None and not service.is_mark
    if is_plain and not service.port and not service.is_persistent:
        text = f"{service.name} has no port, so all ports: it gets persistence"
        say(None, ALL_PORTS, text, "write persistence_timeout, or a port")


def entries_of(service: Service, world: World) -> tuple[list[Line], list[Line]]:
    """Address ranges and firewall marks of the service's group."""
    group = world.service_groups.get(service.group or "")
    if group is None:
        return [], []
    lines = list(group.lines)
    marks = [line for line in lines if line.words[0] == "fwmark"]
    return [line for line in lines if line.words[0] != "fwmark"], marks


def method_of(service: Service) -> str | None:
    """The forwarding method of the service, also from a statement with a bad option."""
    methods = [
        item.words[1]
        for item in service.section.items
        if not isinstance(item, Section) and item.words[0] in ("lb_kind", "lvs_method")
        if item.words[1:2] in (("NAT",), ("DR",), ("TUN",))
    ]
    return methods[-1] if methods else None
