"""Notes what blocks define, so that blocks below can name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import at_end
from drctl.lint.rules.machine import NO_USER, is_user
from drctl.lint.section import Section
from drctl.lint.world import World
from drctl.schema.composite_address import cut_address, family
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

BFD_IGNORED = Kind("DR309", "bfd-instance-ignored", Severity.ERROR)
HOPS_ABOVE_TTL = Kind("DR310", "max-hops-above-ttl", Severity.WARNING)


@at_end("vrrp_script")
def note_script(section: Section, world: World) -> None:
    """Of several with one name the first is used; one with a bad user is removed."""
    user = section.last("user")
    bad = None if section.has("user") else _bad_default_user(world)
    if bad is not None:
        end = section.close or section.header or bad
        text = f"{section.name} is removed: no user can run it, script_user is refused"
        world.report.add(end, Problem(NO_USER, -1, text), (bad, "set here"))
        return
    is_run = user is None or all(map(is_user, user.words[1:3]))
    if section.has("script") and is_run:
        world.scripts.setdefault(section.name, section)


def _bad_default_user(world: World) -> Line | None:
    """A script_user of global_defs that cannot exist; one is enough."""
    lines = [line for block in world.globals for line in block.statements("script_user")]
    return next((line for line in lines if not all(map(is_user, line.words[1:3]))), None)


@at_end("vrrp_track_process")
def note_process(section: Section, world: World) -> None:
    """A process to watch."""
    if section.has("process"):
        world.processes.setdefault(section.name, section)


@at_end("track_file", "vrrp_track_file")
def note_file(section: Section, world: World) -> None:
    """A file to watch."""
    if section.has("file"):
        world.files.setdefault(section.name, section)


@at_end("vrrp_sync_group")
def note_sync_group(section: Section, world: World) -> None:
    """A group of instances."""
    world.sync_groups.setdefault(section.name, section)


@at_end("track_group")
def note_track_group(section: Section, world: World) -> None:
    """A group that static items follow."""
    world.static_groups.setdefault(section.name, section)


@at_end("bfd_instance")
def note_bfd(section: Section, world: World) -> None:
    """A session; keepalived names the line of the closing brace."""
    end = section.close or section.header
    neighbour = section.last("neighbor_ip", "neighbour_ip")
    if end is None or neighbour is None or len(neighbour.words) < 2:
        world.bfds.setdefault(section.name, section)
        return
    source = section.last("source_ip")
    address = cut_address(neighbour.words[1])
    own = cut_address(source.words[1]) if source is not None else ""
    text = ""
    if own and family(own) != family(address):
        text = f"{own} and {address} are not of one family: the session is ignored"
    elif any(pair == (address, own) for pair in map(_addresses, world.bfds.values())):
        text = f"a second session with {address}: it is ignored"
    if text:
        world.report.add(end, Problem(BFD_IGNORED, -1, text), (neighbour, "the neighbour"))
    hops, ttl = section.last("max_hops"), section.last("ttl", "hoplimit")
    most = int(ttl.words[1] or 0) if ttl is not None else 255
    # keepalived stores -1, for any number, in a byte
    allowed = int(hops.words[1] or 0) % 256 if hops is not None else 0
    if hops is not None and allowed > (most or 255):
        found = f"max_hops {allowed} is more than ttl {most}, which is used"
        world.report.add(end, Problem(HOPS_ABOVE_TTL, -1, found), (hops, "set here"))
    world.bfds.setdefault(section.name, section)


def _addresses(section: Section) -> tuple[str, str]:
    neighbour = section.last("neighbor_ip", "neighbour_ip")
    source = section.last("source_ip")
    return (
        cut_address(neighbour.words[1]) if neighbour is not None else "",
        cut_address(source.words[1]) if source is not None else "",
    )
