"""Programs that keepalived runs as root without checking who may change them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import after_reading, at_end
from drctl.lint.section import Section
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

INSECURE = Kind("DR370", "scripts-without-security", Severity.WARNING)
NO_PROGRAM = Kind("DR371", "script-is-no-program", Severity.WARNING)

WORDS_BEHIND = Kind("DR380", "words-behind-command", Severity.WARNING)

_NOTIFY = re.compile(r"notify(_(?!priority|fifo$)\w+)?")
_PROGRAM = re.compile(r"[\w./+@%:,<-]+")
_HINT = "write enable_script_security (and script_user) in global_defs"


@after_reading
def check_security(world: World) -> None:
    """keepalived tells once for VRRP and once for the checks; so does this."""
    if world.has_setting("enable_script_security"):
        return
    fifo = world.setting("notify_fifo_script")
    vrrp = world.setting("vrrp_notify_fifo_script") or fifo
    checks = world.setting("lvs_notify_fifo_script") or fifo
    if world.instances:
        _tell(world, next(_of_vrrp(world), vrrp))
    if world.services:
        _tell(world, next(_of_checks(world), checks))
    _tell(world, world.setting("startup_script", "shutdown_script"))


def _tell(world: World, line: Line | None) -> None:
    if line is not None:
        text = "scripts run as root whoever may write them: enable_script_security is not set"
        world.report.add(line, Problem(INSECURE, -1, text, _HINT))


def _of_vrrp(world: World) -> Iterator[Line]:
    for block in world.scripts.values():
        yield from block.statements("script")
    sections = [instance.section for instance in world.instances.values()]
    for section in (*sections, *world.sync_groups.values()):
        yield from _notified(section)


def _notified(section: Section) -> Iterator[Line]:
    for line in section.lines:
        if len(line.words) > 1 and _NOTIFY.fullmatch(line.words[0]):
            yield line


def _of_checks(world: World) -> Iterator[Line]:
    seen: set[int] = set()
    for service in world.services:
        for server in service.servers:
            if server.section is not None and id(server.section.items) not in seen:
                seen.add(id(server.section.items))
                for block in server.section.blocks("MISC_CHECK"):
                    yield from block.statements("misc_path")
                yield from server.section.statements("notify_up", "notify_down")
        yield from service.section.statements("quorum_up", "quorum_down")


@after_reading
def check_programs(world: World) -> None:
    """keepalived runs no shell, so shell code is no script."""
    for block in world.scripts.values():
        for line in block.statements("script"):
            words = line.words[1].split() if len(line.words) > 1 else []
            if words and not _PROGRAM.fullmatch(words[0].strip("\"'")):
                text = f"{words[0]} is no program, and keepalived runs no shell: the script is off"
                hint = "put it into a file of its own, or write sh -c"
                world.report.add(line, Problem(NO_PROGRAM, 0, text, hint))


@at_end("vrrp_script", "virtual_server/real_server/MISC_CHECK")
def check_words(section: Section, world: World) -> None:
    """A command with arguments must be quoted as a whole."""
    for line in section.statements("script", "misc_path"):
        if len(line.words) > 2:
            text = f"{line.words[2]} is ignored: only the first word behind {line.words[0]} counts"
            hint = "put quotes around the command with its arguments"
            world.report.add(line, Problem(WORDS_BEHIND, 1, text, hint))
