"""Groups of virtual services."""

from __future__ import annotations

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import after_reading, at_end
from drctl.lint.section import Section
from drctl.lint.service import family_of
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

NO_ENTRIES = Kind("DR363", "group-without-entries", Severity.ERROR)
MIXED_MARKS = Kind("DR364", "group-of-mixed-families", Severity.ERROR)
NO_SUCH_GROUP = Kind("DR365", "unknown-group", Severity.WARNING)


@at_end("virtual_server_group")
def note_group(section: Section, world: World) -> None:
    """keepalived names the line of the closing brace."""
    end = section.close or section.header
    lines = list(section.lines)
    text = ""
    kind = NO_ENTRIES
    families = {family_of(line.words[0]) for line in lines if line.words[0] != "fwmark"}
    marks = [line for line in lines if line.words[0] == "fwmark"]
    families |= {4 if line.words[2] == "inet" else 6 for line in marks if len(line.words) > 2}
    if not lines:
        text = f"virtual_server_group {section.name} has no entries: it is removed"
    elif {4, 6} <= families and any(len(line.words) < 3 for line in marks):
        kind = MIXED_MARKS
        text = f"{section.name} has both families and a mark of none: it is removed"
    if text and end is not None:
        related = (section.header, "begins here") if section.header is not None else None
        world.report.add(end, Problem(kind, -1, text), related)
        return
    world.service_groups[section.name] = section


@after_reading
def check_references(world: World) -> None:
    """keepalived drops such a service without a message."""
    for service in world.services:
        group = service.group
        if group is not None and group not in world.service_groups:
            text = f"{group}: there is no virtual_server_group of this name, the service is dropped"
            world.report.add(service.header, Problem(NO_SUCH_GROUP, 1, text))
