"""What keepalived looks up on the machine that reads the configuration."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import after_reading, at_end
from drctl.lint.section import Section
from drctl.lint.world import World
from drctl.text.diagnostic import Severity
from drctl.units import ip_address

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

LOOKED_UP = Kind("DR374", "name-looked-up", Severity.WARNING)
USER_OF_SCRIPT = Kind("DR375", "word-taken-as-user", Severity.WARNING)
NO_CPU = Kind("DR381", "unlikely-processor", Severity.WARNING)
TABLES_TWICE = Kind("DR378", "packet-filter-twice", Severity.ERROR)
NO_USER = Kind("DR376", "no-user-name", Severity.ERROR)

TWO_POLICIES = Kind("DR385", "two-buffer-policies", Severity.ERROR)

_BUFFERS = "vrrp_rx_bufs_policy"
_POLICIES = frozenset({"MTU", "ADVERT"})
_USER = re.compile(r"[A-Za-z_][\w.-]*\$?")
_MANY_CPUS, _LONGEST_CPU = 256, 8
_LOCAL = frozenset({"localhost", "localhost.localdomain"})
_PROCESS_SCRIPTS = frozenset({"startup_script", "shutdown_script"})


@after_reading
def check_settings(world: World) -> None:
    """Names of mail servers and users in global_defs."""
    for block in world.globals:
        tables = block.statements("vrrp_iptables", "nftables")
        if tables and tables[0].words[0] == "vrrp_iptables":
            for line in (line for line in tables if line.words[0] == "nftables"):
                text = f"{line.words[0]} is ignored: vrrp_iptables above stands for it already"
                world.report.add(line, Problem(TABLES_TWICE, -1, text), (tables[0], "here"))
        for line in block.lines:
            word = line.words[1] if len(line.words) > 1 else ""
            keyword = line.words[0]
            if keyword == "smtp_server" and not ip_address(word) and word not in _LOCAL:
                text = f"{word} is looked up while the file is read, and dropped if not found"
                hint = "write the address, or make sure that the name is known early"
                world.report.add(line, Problem(LOOKED_UP, 0, text, hint))
            elif keyword in _PROCESS_SCRIPTS and len(line.words) > 2:
                text = f"{line.words[2]} is taken as the user that runs the script"
                hint = "put quotes around the program with its arguments"
                world.report.add(line, Problem(USER_OF_SCRIPT, 1, text, hint))
            elif keyword.endswith("_cpu_affinity"):
                _check_cpus(line, world)
            elif keyword == "script_user":
                _check_user(line, world)


@after_reading
def check_buffers(world: World) -> None:
    """Policies for receive buffers add up, and only one can be."""
    seen: set[str] = set()
    for line in [line for block in world.globals for line in block.statements(_BUFFERS)]:
        words = {word.upper() for word in line.words[1:]}
        own = (words & _POLICIES) | ({"SIZE"} if words - _POLICIES else set())
        both = seen | own
        if len(both) > 1:
            text = (
                f"only one of MTU, ADVERT and a number counts, and {line.words[1]} is not the first"
            )
            world.report.add(line, Problem(TWO_POLICIES, 0, text))
            both = {"SIZE"} if "SIZE" in both else {"MTU"}
        seen = both


@at_end("vrrp_script", "virtual_server/real_server/MISC_CHECK")
def check_script_user(section: Section, world: World) -> None:
    """The user of one script."""
    for line in section.statements("user"):
        _check_user(line, world)


def _check_cpus(line: Line, world: World) -> None:
    for position, word in enumerate(line.words[1:]):
        if len(word) > _LONGEST_CPU or (word.isdigit() and int(word) >= _MANY_CPUS):
            text = f"{word}: a machine without this processor drops the list"
            world.report.add(line, Problem(NO_CPU, position, text))
            return


def is_user(word: str) -> bool:
    """Whether a word can be the name of a user or group; keepalived takes no numbers."""
    return _USER.fullmatch(word) is not None


def _check_user(line: Line, world: World) -> None:
    for position, word in enumerate(line.words[1:3]):
        if not is_user(word):
            world.report.add(line, Problem(NO_USER, position, f"{word} is no user or group"))
            return
