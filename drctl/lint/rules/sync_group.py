"""Members of sync groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.lint.instance import OWNER, Instance
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import after_reading
from drctl.lint.section import Section
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

NO_MEMBERS = Kind("DR343", "sync-group-without-members", Severity.ERROR)
ONE_MEMBER = Kind("DR344", "sync-group-of-one", Severity.WARNING)
NO_SUCH_MEMBER = Kind("DR345", "unknown-sync-group-member", Severity.ERROR)
IN_TWO_GROUPS = Kind("DR346", "member-of-two-sync-groups", Severity.ERROR)
MIXED_OWNERS = Kind("DR347", "sync-group-of-mixed-owners", Severity.WARNING)


@after_reading
def check_sync_groups(world: World) -> None:
    """As vrrp_sync_set_group of keepalived."""
    taken: dict[str, Section] = {}
    for group in world.sync_groups.values():
        header = group.header
        assert header is not None
        entries = [(line, word) for block in group.blocks("group") for line in block.lines
                   for word in line.words]  # fmt: skip
        if not entries:
            text = f"sync group {group.name} has no members: it is removed"
            world.report.add(header, Problem(NO_MEMBERS, 0, text))
            continue
        members = _members(group, entries, taken, world)
        if not members:
            text = f"none of the members of sync group {group.name} exists: it is removed"
            world.report.add(header, Problem(NO_MEMBERS, 0, text))
        elif len(members) == 1:
            text = f"sync group {group.name} has only one member, {members[0].name}"
            hint = "a group of one does nothing"
            world.report.add(header, Problem(ONE_MEMBER, 0, text, hint))


def _members(
    group: Section, entries: list[tuple[Line, str]], taken: dict[str, Section], world: World
) -> list[Instance]:
    members: list[Instance] = []
    are_owners = None
    for line, name in entries:
        position = line.words.index(name) - 1
        instance = world.instances.get(name)
        if instance is None:
            text = f"{name}: there is no vrrp_instance of this name"
            world.report.add(line, Problem(NO_SUCH_MEMBER, position, text))
        elif name in taken:
            other = taken[name].header
            text = f"{name} is a member of sync group {taken[name].name} already"
            related = (other, "that group") if other is not None else None
            world.report.add(line, Problem(IN_TWO_GROUPS, position, text), related)
        else:
            taken[name] = group
            state = instance.state_line
            is_backup = state is not None and state.words[1:2] != ("MASTER",)
            if are_owners and is_backup:
                text = f"some members of {group.name} own their addresses and some do not"
                world.report.add(line, Problem(MIXED_OWNERS, position, text))
            is_owner = state is not None and not is_backup and instance.priority == OWNER
            are_owners = is_owner if are_owners is None else are_owners and is_owner
            members.append(instance)
    return members
