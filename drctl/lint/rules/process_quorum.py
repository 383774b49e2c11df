"""How many processes of a name there must be, and may be."""

from __future__ import annotations

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import at_end
from drctl.lint.section import Section
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

NO_RANGE = Kind("DR383", "quorum-above-its-maximum", Severity.ERROR)

_NO_MAXIMUM = 65536


@at_end("vrrp_track_process")
def check_quorum(section: Section, world: World) -> None:
    """In order: a quorum above the maximum so far is ignored, and a maximum below the quorum."""
    quorum, most = 1, _NO_MAXIMUM
    for line in section.statements("quorum", "quorum_max"):
        number = int(line.words[1] or 0) if len(line.words) > 1 else 0
        text = ""
        if line.words[0] == "quorum":
            if number > most:
                text = f"quorum {number} is ignored: quorum_max is {most}"
            else:
                quorum = number
        elif number < quorum and (number or quorum > 1):
            text = f"quorum_max {number} is ignored: the quorum is {quorum}"
        else:
            most = number
            quorum = min(quorum, most) if not most else max(quorum, 1)
        if text:
            world.report.add(line, Problem(NO_RANGE, 0, text))
