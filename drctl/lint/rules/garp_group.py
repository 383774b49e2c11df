"""garp_group blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import at_end
from drctl.lint.section import Section
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

NO_DELAY = Kind("DR372", "garp-group-without-interval", Severity.ERROR)
IN_TWO_GROUPS = Kind("DR373", "device-in-two-garp-groups", Severity.ERROR)


@at_end("garp_group")
def check_garp_group(section: Section, world: World) -> None:
    """keepalived names the line of the closing brace for a group without an interval."""
    end = section.close or section.header
    for line, device in _devices(section):
        first = world.garp_devices.setdefault(device, line)
        if first is not line or line.words.count(device) > 1:
            text = f"{device} is in a garp_group already: this one is ignored"
            at = line if line.words[0] == "interface" else _end_of(section, line)
            world.report.add(at, Problem(IN_TWO_GROUPS, -1, text), (first, "the first one"))
    if end is not None and not section.has("garp_interval", "gna_interval"):
        text = "garp_group without garp_interval and gna_interval: it is removed"
        related = (section.header, "begins here") if section.header is not None else None
        world.report.add(end, Problem(NO_DELAY, -1, text), related)
        for device in [d for line, d in _devices(section) if world.garp_devices.get(d) is line]:
            del world.garp_devices[device]


def _devices(section: Section) -> list[tuple[Line, str]]:
    found = [(line, line.words[1]) for line in section.statements("interface")]
    for block in section.blocks("interfaces"):
        found += [(line, word) for line in block.lines for word in line.words]
    return found


def _end_of(section: Section, line: Line) -> Line:
    """The closing brace of the value block with `line`, which keepalived names."""
    for block in section.blocks("interfaces"):
        if any(item is line for item in block.items) and block.close is not None:
            return block.close
    return line
