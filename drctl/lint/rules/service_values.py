"""Reads a virtual_server in order and says what its statements do not fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import at_end
from drctl.lint.section import Section
from drctl.lint.service import Server, Service, family_of
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

MIXED_FAMILIES = Kind("DR350", "service-of-mixed-families", Severity.ERROR)
FLAG_OF_SCHEDULER = Kind("DR351", "flag-of-another-scheduler", Severity.ERROR)

_FLAGS = frozenset({"hashed", "sh-port", "sh-fallback", "mh-port", "mh-fallback"})
_METHODS = ("NAT", "DR", "TUN")
_LONGEST_PREFIX = 128
_FAMILIES = {"inet": 4, "inet6": 6}


@at_end("virtual_server")
def read_service(section: Section, world: World) -> None:
    """Note the service with the servers that keepalived takes."""
    assert section.header is not None
    service = Service(section, " ".join(section.header.words[1:3]))
    reader = _Reader(service, world)
    for item in section.items:
        if isinstance(item, Section):
            reader.real_server(item)
        else:
            reader.statement(item)
    reader.end()
    world.services.append(service)


class _Reader:
    def __init__(self, service: Service, world: World) -> None:
        self.service = service
        self.world = world
        words = service.section.words
        is_address = words[:1] not in (("group",), ("fwmark",))
        self.family = family_of(words[0]) if words and is_address else 0
        self.scheduler = ""
        self.method: str | None = None
        self.bodies: dict[int, tuple[str | None, int | None]] = world.bodies

    def statement(self, line: Line) -> None:
        words = line.words
        keyword = words[0]
        if keyword in ("lb_kind", "lvs_method"):
            self.method = _method(words) or self.method
        elif keyword == "sorry_server_lvs_method" and self.service.sorry is not None:
            self.service.sorry.method = _method(words) or self.service.sorry.method
        elif id(line) in self.service.section.refused:
            return
        elif keyword in ("lb_algo", "lvs_sched"):
            self.scheduler = words[1]
        elif keyword in _FLAGS and self.scheduler not in ("sh", "mh"):
            text = f"{keyword} is ignored: it stands below no lb_algo sh or mh"
            self.world.report.add(line, Problem(FLAG_OF_SCHEDULER, -1, text))
        elif keyword == "sorry_server":
            self.service.sorry = Server(line, None, self.method)
        elif keyword == "ip_family":
            self._own_family(line, _FAMILIES[words[1]])
        elif keyword == "persistence_granularity":
            self._granularity(line)

    def _own_family(self, line: Line, found: int) -> None:
        if self.family and self.family != found:
            text = f"{line.words[1]} is ignored: the service is of IPv{self.family}"
            self.world.report.add(line, Problem(MIXED_FAMILIES, 0, text))
            return
        self.family = found

    def _granularity(self, line: Line) -> None:
        word = line.words[1]
        is_dotted = "." in word
        if not self.family:
            self.family = 4 if is_dotted else 6
        if self.family == 6 and (is_dotted or not 0 < int(word or 0) <= _LONGEST_PREFIX):
            text = f"{word} is no prefix length, which IPv6 needs"
            self.world.report.add(line, Problem(MIXED_FAMILIES, 0, text))
            self.service.section.refused.add(id(line))

    def real_server(self, section: Section) -> None:
        if section.header is None:
            return
        server = Server(section.header, section, self.method)
        body = self.bodies.get(id(section.items))
        if body is None:
            body = self.bodies[id(section.items)] = _body(section)
        server.method = body[0] or server.method
        server.weight = body[1]
        if server.method != "TUN":
            found = family_of(server.address)
            self.family = self.family or found
            if found != self.family:
                text = f"{server.address} is dropped: the service is of IPv{self.family}"
                end = section.close or section.header
                related = section.header, "the real server begins here"
                self.world.report.add(end, Problem(MIXED_FAMILIES, -1, text), related)
                return
        self.service.servers.append(server)

    def end(self) -> None:
        sorry, section = self.service.sorry, self.service.section
        if sorry is None or sorry.method == "TUN":
            return
        found = family_of(sorry.address)
        if self.family and found != self.family:
            text = f"sorry_server {sorry.address} is dropped: the service is of IPv{self.family}"
            end = section.close or self.service.header
            self.world.report.add(end, Problem(MIXED_FAMILIES, -1, text), (sorry.line, "set here"))
            self.service.sorry = None


def _method(words: tuple[str, ...]) -> str | None:
    return words[1] if len(words) > 1 and words[1] in _METHODS else None


def _body(section: Section) -> tuple[str | None, int | None]:
    """Forwarding method and weight that a real_server sets itself."""
    method, weight = None, None
    for item in section.items:
        if not isinstance(item, Section):
            if item.words[0] == "lvs_method":
                method = _method(item.words) or method
            elif item.words[0] == "weight" and id(item) not in section.refused:
                weight = int(item.words[1] or 0)
    return method, weight
