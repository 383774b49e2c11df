"""What directors tell each other with every heartbeat."""

from __future__ import annotations

from dataclasses import dataclass

from drctl.core.role import Role

NEWEST_VERSION = 2
"""Of the heartbeat's format; see `wire`."""


@dataclass(frozen=True, slots=True)
class GroupBeat:
    """One group as the sender sees it.

    `epoch` is that of the sender's own claim while it holds the group, else the highest that it
    knows of. `is_eligible`: it could take the VIPs now. `may_answer`: its kernel may still answer
    for them, whatever the role says. `is_blind`: no witness answers it on one of its interfaces.
    `wants`: it asks the active director to switch over. `is_asking`: its operator asks for that, of
    who holds the group by the claim of `epoch`. `target` is whom a yielding director gives to, and
    whom an asking one wants to have it ("": whoever can).
    """

    name: str
    role: Role
    epoch: int
    priority: int
    is_eligible: bool = False
    may_answer: bool = False
    is_blind: bool = False
    wants: bool = False
    is_asking: bool = False
    target: str = ""


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat to one peer.

    `boot` is another random number with each start of the controller; `sequence` grows from 1
    within it. `echo_boot` and `echo` are those of the last beat heard from the receiver, 0 for
    none: they tell the receiver how old this beat can be at most. `macs` are all of the sender's.
    `newest` is the newest version of the format that the sender understands.
    """

    node: str
    boot: int
    sequence: int
    echo_boot: int = 0
    echo: int = 0
    digest: str = ""
    macs: tuple[str, ...] = ()
    groups: tuple[GroupBeat, ...] = ()
    newest: int = NEWEST_VERSION
