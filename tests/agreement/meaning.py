"""Two meanings of one configuration, compared: what keepalived dumped and what drctl says.

drctl says what a file says, null where it is silent; keepalived says what it will do. What follows
from the words is worked out in `meaning_vrrp` and `meaning_service`, with the reason at each step:
defaults, and what keepalived changes after reading (2.2.7: vrrp_complete_instance,
validate_check_config).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agreement.meaning_record import Meaning

from drctl.syntax.expand_script import script_words

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Host:
    """The machine of the dump, and what only the dump tells.

    `users` have user and group number; `disabled` are the scripts that keepalived could not find or
    did not trust.
    """

    users: Mapping[str, Sequence[str]]
    groups: Mapping[str, str]
    disabled: frozenset[str] = frozenset()

    def owner(self, user: str, group: str | None) -> tuple[str, str] | None:
        """Numbers of user and group that a script runs as; None when there is none of the name."""
        if user not in self.users:
            return None
        uid, gid = self.users[user]
        if group is not None:
            if (found := self.groups.get(group.removeprefix(":"))) is None:
                return None
            gid = found
        return uid, gid


@dataclass(frozen=True)
class Difference:
    """A field of a block in which the two do not say the same; `field` is empty when the whole
    block is missing on one side."""

    block: str
    field: str
    drctl: Any
    keepalived: Any

    def __str__(self) -> str:
        if not self.field:
            side = "keepalived" if self.drctl is None else "drctl"
            return f"{self.block}: only {side} has it"
        return f"{self.block}: {self.field}: drctl {self.drctl!r}, keepalived {self.keepalived!r}"


def differences(mine: Meaning, theirs: Meaning) -> list[Difference]:
    """Each field that differs, and each block that one side lacks."""
    found = []
    for block in dict.fromkeys((*mine, *theirs)):
        if block not in mine or block not in theirs:
            # what is below a missing block is missing with it
            parent = block.rpartition(" > ")[0]
            if not parent or (parent in mine) == (parent in theirs):
                found.append(Difference(block, "", mine.get(block), theirs.get(block)))
            continue
        for name in dict.fromkeys((*mine[block], *theirs[block])):
            left, right = mine[block].get(name), theirs[block].get(name)
            if left is not ANY and left != right:
                found.append(Difference(block, name, left, right))
    return found


def fields_compared(mine: Meaning, theirs: Meaning) -> int:
    """How many fields the comparison looked at."""
    both = mine.keys() & theirs.keys()
    return sum(
        value is not ANY for block in both for value in {**theirs[block], **mine[block]}.values()
    )


class _Any:
    """Stands for a value that the file leaves to the machine."""

    def __repr__(self) -> str:
        return "(any)"


ANY: Any = _Any()


class LeftOver:
    """Statements whose values drctl cannot read, by the object that they are in."""

    def __init__(self, document: Json, objects: Sequence[Json]) -> None:
        starts = sorted((*_place(one["origins"]["self"][-1]), one["name"]) for one in objects)
        self._refused: set[tuple[str, str]] = set()
        for left in document["leftovers"]:
            path, line = _place(left)
            around = [name for file, start, name in starts if file == path and start <= line]
            if around and left["reason"] != "not modelled":
                self._refused.add((around[-1], left["text"].split()[0]))

    def has_refused(self, one: Json, keyword: str) -> bool:
        """Whether drctl reports a value of this keyword in the object as one it cannot read."""
        return (one["name"], keyword) in self._refused


def _place(place: Json) -> tuple[str, int]:
    return place["path"], place["line"]


class Owners:
    """Who scripts run as: their own user, or that of the settings."""

    def __init__(self, settings: Json, host: Host) -> None:
        words = (settings["script_user"] or "").split()
        known = "keepalived_script" if "keepalived_script" in host.users else "root"
        self._default = (words[0] if words else known, words[1] if len(words) > 1 else None)
        self._host = host

    def of(self, user: str | None, group: str | None) -> tuple[str, str] | None:
        """Numbers; None when there is no such user or group."""
        return self._host.owner(*(self._default if user is None else (user, group)))

    def hooks(self, one: Json) -> dict[str, Any]:
        """Each hook of an object; one of an unknown user is dropped with a line in the log."""
        return {
            f"hook {hook['event']}": (command_words(hook["command"]), *owner)
            for hook in one["hooks"]
            if (owner := self.of(hook["user"], hook["group"])) is not None
        }


def command_words(command: str) -> tuple[str, ...]:
    """The words of a command: 2.2.7 splits a quoted command once more."""
    return script_words(command, (2, 2, 7)) or ()


def first(*values: Any) -> Any:
    """The first that is given."""
    return next((value for value in values if value is not None), None)


def endpoint(address: str, port: int | None) -> str:
    """`192.0.2.9 port 80`, port 0 without one."""
    return f"{address} port {port or 0}"
