"""Names that no network device can have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import at_end
from drctl.lint.section import Section
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drctl.syntax.expanded import Line

IMPOSSIBLE = Kind("DR379", "impossible-device-name", Severity.ERROR)

_BAD = re.compile(r"[\s/:]")
_NAMED = frozenset({"interface", "vrf"})


@at_end("vrrp_instance", "vrrp_sync_group", "garp_group")
def check_names(section: Section, world: World) -> None:
    """Devices that exist only while a configuration is in force are not looked up."""
    if world.has_setting("dynamic_interfaces"):
        return
    for line, position in _devices(section):
        name = line.words[position]
        if is_possible(name):
            continue
        text = f"{name or 'an empty word'} cannot be the name of a network device"
        hint = "an alias has no place here: write the device alone" if ":" in name else ""
        world.report.add(line, Problem(IMPOSSIBLE, position - 1, text, hint))


def is_possible(name: str) -> bool:
    """Whether the kernel takes the name of a device."""
    return bool(name) and name not in (".", "..") and not _BAD.search(name)


def _devices(section: Section) -> Iterator[tuple[Line, int]]:
    """Lines with the position of a device's name."""
    for item in section.items:
        if isinstance(item, Section):
            keyword = item.block.keyword
            for line in item.lines:
                if keyword in ("track_interface", "interfaces"):
                    yield line, 0
                elif "dev" in line.words[:-1]:
                    yield line, line.words.index("dev") + 1
        elif item.words[0] in _NAMED and len(item.words) > 1:
            yield item, 1
