"""One configuration: what keepalived's dumps say of it against what `drctl show --json` says."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agreement import meaning_service, meaning_tracking, meaning_vrrp
from agreement.linted import WISHES
from agreement.meaning import Difference, Host, differences, fields_compared
from agreement.meaning_dump import read_vrrp, wanted_states
from agreement.meaning_dump_service import read_check
from agreement.meaning_record import Meaning
from agreement.meaning_world import Asked
from oracle import SEARCH_PATH

from drctl.cli._lint_files import lint_file
from drctl.cli.common import read_configuration
from drctl.report.show import to_json

_DISABLED = re.compile(r"^Disabling track script (\S+) (?:since|due)", re.MULTILINE)
_FATAL = re.compile(
    r"\*\*\*|must be set$|Unknown interface!|is required$|Cant load|Error initiali[sz]|Error Init|"
    r"limit respawn rate"
)
_BRACES = frozenset({"DR205", "DR206", "DR207", "DR208", "DR209"})
CONFIG_ID = "oracle"
"""The name of keepalived's host, which decides about lines with @."""


@dataclass(frozen=True)
class Outcome:
    """A comparison. `refused` says why keepalived has no dump; then the rest is empty.
    `has_broken_braces` excuses what was found: keepalived reads on in blocks that nobody meant."""

    name: str
    refused: str = ""
    fields: int = 0
    blocks: int = 0
    found: tuple[Difference, ...] = ()
    has_broken_braces: bool = False

    @property
    def is_unexplained(self) -> bool:
        """Whether something differs that should not."""
        return bool(self.found) and not self.has_broken_braces


def compare(asked: Asked, answer: Mapping[str, Any], folder: Path) -> Outcome:
    """Compare one configuration, whose files are written to `folder`."""
    if why := refusal(answer):
        return Outcome(asked.name, why)
    for name, text in {asked.name: asked.text, **asked.others}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode("latin-1"))
    theirs = understood(answer)
    mine = told(folder / asked.name, host_of(answer))
    mine_, theirs_ = normalised(mine, theirs)
    found = tuple(differences(mine_, theirs_))
    return Outcome(
        asked.name,
        fields=fields_compared(mine_, theirs_),
        blocks=len(mine_.keys() & theirs_.keys()),
        found=found,
        has_broken_braces=bool(found) and has_broken_braces(folder / asked.name),
    )


def has_broken_braces(file: Path) -> bool:
    """Whether drctl lint says of the file that its braces are wrong."""
    return any(one.code in _BRACES for one in lint_file(str(file), WISHES).diagnostics)


def refusal(answer: Mapping[str, Any]) -> str:
    """Why keepalived has no dump, empty when it has."""
    if refused := answer.get("refused"):
        return str(refused).strip().splitlines()[-1]
    if not answer["is_up"] or "vrrp" not in answer or "check" not in answer:
        lines = [line for line in answer["log"].splitlines() if line.strip()]
        return next(
            (line for line in lines if _FATAL.search(line)), lines[-1] if lines else "no log"
        )
    return ""


def understood(answer: Mapping[str, Any]) -> Meaning:
    """What keepalived understood."""
    vrrp = read_vrrp(answer["vrrp"], wanted_states(answer["log"]))
    sessions = meaning_tracking.read_sessions(answer["log"])
    return {**vrrp, **sessions, **read_check(answer["check"])}


def told(file: Path, host: Host) -> Meaning:
    """What drctl says of a file."""
    reading = read_configuration(str(file), "keepalived", config_id=CONFIG_ID)
    document = json.loads(to_json(reading))
    passwords = {
        one.name: one.authentication.password
        for one in reading.configuration.instances
        if one.authentication is not None and one.authentication.password is not None
    }
    return {
        **meaning_vrrp.project(document, passwords, host),
        **meaning_tracking.told_sessions(document["model"]),
        **meaning_service.project(document["model"], host),
    }


def host_of(answer: Mapping[str, Any]) -> Host:
    """The guest's users, and the scripts that keepalived does not run there."""
    disabled = frozenset(_DISABLED.findall(answer["log"]))
    return Host(answer["users"], answer["groups"], disabled)


def normalised(mine: Meaning, theirs: Meaning) -> tuple[Meaning, Meaning]:
    """Both without what the machine adds: the folders in which it finds a program by its bare
    name."""
    for block in mine.keys() & theirs.keys():
        for name, value in mine[block].items():
            other = theirs[block].get(name)
            if name == "command":
                theirs[block][name] = bare(value, other)
            elif name.startswith("hook ") and other is not None:
                theirs[block][name] = (bare(value[0], other[0]), *other[1:])
    return mine, theirs


def _searched(name: str) -> str:
    """The program of a bare name on this machine, whose files the guest has too; links followed."""
    found = shutil.which(name, path=SEARCH_PATH)
    return os.path.realpath(found) if found else ""


def bare(mine: tuple[str, ...], theirs: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """keepalived's words of a command, the program as drctl names it when it is the same."""
    if not mine or not theirs:
        return theirs
    is_found = "/" not in mine[0] and (
        theirs[0].rpartition("/")[2] == mine[0] or _searched(mine[0]) == os.path.realpath(theirs[0])
    )
    is_merged = theirs[0] == f"/usr{mine[0]}"  # /bin is a link to /usr/bin
    return (mine[0], *theirs[1:]) if is_found or is_merged else theirs
