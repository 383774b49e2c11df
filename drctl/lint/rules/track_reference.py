"""Tracked things must be defined above, and be named once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.lint.instance import taken
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import at_end
from drctl.lint.section import Section
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

NOT_DEFINED_ABOVE = Kind("DR311", "not-defined-above", Severity.ERROR)
TRACKED_TWICE = Kind("DR312", "tracked-twice", Severity.ERROR)

_DEFINED_BY = {
    "track_script": "vrrp_script",
    "track_process": "vrrp_track_process",
    "track_file": "track_file",
    "track_bfd": "bfd_instance",
}


@at_end("vrrp_instance", "vrrp_sync_group")
def check_tracked(section: Section, world: World) -> None:
    """Each line of the track_... blocks, in order."""
    seen: dict[tuple[str, str], Line] = {}
    for block in section.sections:
        keyword = block.block.keyword
        if not keyword.startswith("track_"):
            continue
        known = _known(world, keyword)
        counted = set(map(id, taken(block)))
        for line in [item for item in block.items if not isinstance(item, Section)]:
            name = line.words[0]
            if name == "{":
                block.drop(line)
                continue
            if known is not None and name not in known:
                text = f"{name}: no {_DEFINED_BY[keyword]} of this name above, it is not tracked"
                if keyword == "track_file":
                    text += "; keepalived -t 2.2.7 hangs or crashes"
                world.report.add(line, Problem(NOT_DEFINED_ABOVE, -1, text))
                section.refused.add(id(line))
                block.drop(line)
                continue
            if id(line) not in counted:
                continue
            first = seen.setdefault((keyword, name), line)
            if first is not line:
                text = f"{name} is tracked already: this line is ignored"
                world.report.add(line, Problem(TRACKED_TWICE, -1, text), (first, "the first one"))
                section.refused.add(id(line))
                block.drop(line)


def _known(world: World, keyword: str) -> set[str] | None:
    """The names that may be tracked, None where nothing defines them."""
    if keyword == "track_bfd":
        return {name for name, block in world.bfds.items() if _is_for_vrrp(block)}
    known = {
        "track_script": world.scripts,
        "track_process": world.processes,
        "track_file": world.files,
    }.get(keyword)
    return None if known is None else set(known)


def _is_for_vrrp(section: Section) -> bool:
    return section.has("vrrp") or not section.has("checker")


@at_end("static_ipaddress", "static_routes", "static_rules")
def check_groups(section: Section, world: World) -> None:
    """Static items name a track_group above."""
    for line in section.items:
        if isinstance(line, Section) or "track_group" not in line.words[1:-1]:
            continue
        position = line.words.index("track_group", 1) + 1
        name = line.words[position]
        if name not in world.static_groups:
            text = f"{name}: there is no track_group of this name above"
            world.report.add(line, Problem(NOT_DEFINED_ABOVE, position - 1, text))
