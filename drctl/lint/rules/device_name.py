"""Names that no network device can have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import after_reading, at_end
from drctl.lint.section import Section
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drctl.syntax.expanded import Line

IMPOSSIBLE = Kind("DR379", "impossible-device-name", Severity.ERROR)

MADE_LATER = Kind("DR349", "device-made-later", Severity.ERROR)

_BAD = re.compile(r"[\s/:]")
_OWN = re.compile(r"vrrp6?\.\d+")
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


@at_end("static_ipaddress")
def check_default(section: Section, world: World) -> None:
    """Addresses without a device go to the default interface, which must be possible."""
    default = world.setting("default_interface")
    if default is None or len(default.words) < 2 or is_possible(default.words[1]):
        return
    for line in section.lines:
        if "dev" not in line.words[1:-1]:
            text = f"{default.words[1]}, the default interface, cannot be the name of a device"
            world.report.add(line, Problem(IMPOSSIBLE, -1, text), (default, "set here"))


@after_reading
def check_made_devices(world: World) -> None:
    """A device that keepalived makes for an instance does not exist while it reads the file."""
    if world.has_setting("dynamic_interfaces"):
        return
    makers = {name: line for section in _instances(world) for line, name in _made(section)}
    if not makers:
        return
    sections = [*_instances(world), *world.sync_groups.values()]
    for line, position in [found for section in sections for found in _devices(section)]:
        name = line.words[position]
        maker = makers.get(name) or (next(iter(makers.values())) if _OWN.fullmatch(name) else None)
        if maker is not None:
            text = f"{name} does not exist yet when the file is read: keepalived makes it itself"
            hint = "name the device below it, or set dynamic_interfaces"
            problem = Problem(MADE_LATER, position - 1, text, hint)
            world.report.add(line, problem, (maker, "made for this"))


def _instances(world: World) -> list[Section]:
    return [instance.section for instance in world.instances.values()]


def _made(section: Section) -> Iterator[tuple[Line, str]]:
    """The names that use_vmac and use_ipvlan give to devices; empty for names of keepalived's."""
    for line in section.items:
        if not isinstance(line, Section) and line.words[0] in ("use_vmac", "use_ipvlan"):
            yield line, line.words[1] if len(line.words) > 1 else ""


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
