"""Tracked things that keepalived drops after reading."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drctl.lint.instance import OWNER, Instance, taken
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import after_reading, of_instance
from drctl.lint.section import Section
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

OWN_INTERFACE = Kind("DR340", "own-interface-tracked", Severity.WARNING)
WEIGHT_IGNORED = Kind("DR341", "weight-ignored", Severity.WARNING)

TRACKED_TWICE = Kind("DR348", "tracked-by-group-too", Severity.WARNING)

_NUMBER = re.compile(r"[ \t]*[+-]?[0-9]{1,9}")
_WEIGHTED = ("track_interface", "track_script", "track_file", "track_bfd")


@of_instance
def check_own_interface(instance: Instance, world: World) -> None:
    """The instance's interface is tracked without being asked."""
    for line in instance.entries("track_interface"):
        if line.words[0] == instance.device:
            text = f"{line.words[0]} is the instance's own interface, which is tracked anyway"
            hint = "remove it"
            world.report.add(line, Problem(OWN_INTERFACE, -1, text, hint))


@of_instance
def check_weights(instance: Instance, world: World) -> None:
    """Weights do not go with priority 255, nor in a sync group without its leave."""
    group = sync_group_of(instance, world)
    is_in_group = group is not None and not group.has(
        "sync_group_tracking_weight", "global_tracking"
    )
    is_owner = instance.priority == OWNER
    if not is_in_group and not is_owner:
        return
    reason = "in a sync group" if is_in_group else f"with priority {OWNER}"
    hint = "sync_group_tracking_weight in the group allows it" if is_in_group else ""
    for keyword in _WEIGHTED:
        for line in instance.entries(keyword):
            own = line.words[0] == instance.device and keyword == "track_interface"
            if not own and weight_of(line, keyword, world):
                text = f"{line.words[0]} has a weight, which is ignored {reason}"
                world.report.add(line, Problem(WEIGHT_IGNORED, -1, text, hint))


@after_reading
def check_group_weights(world: World) -> None:
    """A group with an address owner can have no weights."""
    for group in world.sync_groups.values():
        members = [one for one in members_of(group, world) if one.priority == OWNER]
        if not members:
            continue
        for keyword in (*_WEIGHTED, "track_process"):
            for block in group.blocks(keyword):
                for line in taken(block):
                    if weight_of(line, keyword, world):
                        owner = members[0].name
                        text = f"{line.words[0]} has a weight, and {owner} owns its addresses"
                        world.report.add(line, Problem(WEIGHT_IGNORED, -1, text))


@after_reading
def check_twice(world: World) -> None:
    """A device that a group tracks is told of when a member tracks it too, as its own device."""
    for group in world.sync_groups.values():
        members = members_of(group, world)
        for line in [line for block in group.blocks("track_interface") for line in taken(block)]:
            device = line.words[0]
            for member in members:
                own = [entry.words[0] for entry in member.entries("track_interface")]
                if not member.section.has("dont_track_primary"):
                    own.append(member.device or "")
                if device in own:
                    text = f"{device} is tracked by {member.name} already"
                    world.report.add(
                        line, Problem(TRACKED_TWICE, -1, text), (member.header, "here")
                    )
                    break


def members_of(group: Section, world: World) -> list[Instance]:
    """The instances of a sync group that exist and are not another group's already."""
    names = [word for block in group.blocks("group") for line in block.lines for word in line.words]
    found = [world.instances[name] for name in names if name in world.instances]
    return [one for one in found if sync_group_of(one, world) is group]


def sync_group_of(instance: Instance, world: World) -> Section | None:
    """The first sync group with this instance."""
    return world.sync_group_of(instance.name)


def weight_of(line: Line, keyword: str, world: World) -> int:
    """The weight of a tracked thing: its line's, or that of its definition."""
    words = line.words
    if len(words) > 2 and words[1] == "weight":
        return _integer(words[2])
    home = {
        "track_script": world.scripts,
        "track_file": world.files,
        "track_bfd": world.bfds,
        "track_process": world.processes,
    }.get(keyword, {})
    # of a script keepalived takes the number although it says that it is out of range
    is_raw = keyword == "track_script"
    definition = home.get(words[0])
    if definition is None:
        return 0
    found = definition.written("weight") if is_raw else definition.last("weight")
    default = 1 if keyword == "track_file" else 0
    if found is None or len(found.words) < 2:
        return default
    return _beginning(found.words[1]) if is_raw else _integer(found.words[1])


def _beginning(word: str) -> int:
    """The number that a word begins with."""
    number = _NUMBER.match(word)
    return int(number[0]) if number else 0


def _integer(word: str) -> int:
    text = word.strip()
    return int(text) if text.lstrip("+-").isdigit() else 0
