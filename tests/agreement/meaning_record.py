"""keepalived's dumps as records: the lines of one object, its values and lists. Pure functions.

A meaning is a mapping from the name of a block to its fields: `settings`, `instance NAME`, `sync
group NAME`, `script NAME`, `static addresses`, `group NAME`, `service 192.0.2.10 port 80 tcp`, and
below a service `… > 192.0.2.21 port 80` for a real server, `… > check 1` for its checks in order.
The second block of one name has ` #2` behind it. Times are milliseconds, None is "not set".
`meaning_dump` and `meaning_dump_service` make one of dumps, `meaning_vrrp` and `meaning_service` of
drctl's JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Meaning = dict[str, dict[str, Any]]

TRACK = re.compile(r"(\S+?)[,:]? weight (-?\d+)( reverse)?")
"""A line of a list of what is tracked: name, weight, whether it is reversed."""
_SECTION = re.compile(r"------< (.*) >------")
_SCRIPT = re.compile(r"(.*), uid:gid (\d+):(\d+)")


@dataclass
class Record:
    """An object of a dump: its `key = value` lines, and the lines below a heading."""

    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    lines: list[tuple[int, str]] = field(default_factory=list)

    def get(self, key: str, default: str = "") -> str:
        """The text behind `key =`."""
        return self.values.get(key, default)

    def has(self, line: str) -> bool:
        """Whether there is exactly this line."""
        return any(text == line for _, text in self.lines)

    def flag(self, key: str, yes: str = "yes") -> bool:
        """Whether the text behind `key =` is `yes`."""
        return self.values.get(key) == yes


def put(found: Meaning, name: str, fields: dict[str, Any]) -> str:
    """Add a block; returns its name, which tells it from earlier ones of the same name."""
    unique, number = name, 1
    while unique in found:
        number += 1
        unique = f"{name} #{number}"
    found[unique] = fields
    return unique


def sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each section of a dump with its lines."""
    name = ""
    lines: list[str] = []
    for line in text.split("\n"):
        if head := _SECTION.fullmatch(line):
            yield name, lines
            name, lines = head[1], []
        else:
            lines.append(line)
    yield name, lines


def records(lines: list[str], start: str | re.Pattern[str]) -> Iterator[Record]:
    """The objects of a section: each begins with a line that starts so."""
    pattern = re.compile(re.escape(start)) if isinstance(start, str) else start
    part: list[str] = []
    is_open = False
    for line in lines:
        if pattern.match(line):
            if is_open:
                yield record(part)
            part, is_open = [], True
        part.append(line)
    if is_open:
        yield record(part)


def record(lines: list[str]) -> Record:
    """The lines of one object; one below a heading (`Virtual IP (2):`) is an item of its list."""
    found = Record()
    heading, depth = "", 0
    for line in lines:
        text = line.lstrip(" ")
        indent = len(line) - len(text)
        if not text:
            continue
        found.lines.append((indent, text))
        if heading and indent > depth:
            found.lists[heading].append(text)
            continue
        heading = ""
        if text.endswith(":") and " = " not in text:
            heading, depth = re.sub(r"(?: \(\d+\))? ?:$", "", text), indent
            found.lists[heading] = []
        elif " = " in text:
            key, _, value = text.partition(" = ")
            found.values.setdefault(key, value)
        elif text.endswith(" ="):
            found.values.setdefault(text.removesuffix(" ="), "")
    return found


def command(text: str) -> tuple[str, ...]:
    """The words of a command, which the dump has each in quotes."""
    first, _, rest = text.partition(" '")
    if not text.startswith("'"):
        # a redirection alone
        return (first, *(command(f"'{rest}") if rest else ()))
    return tuple(text.removeprefix("'").removesuffix("'").split("' '"))


def _hook(text: str) -> tuple[tuple[str, ...], str, str] | None:
    parts = _SCRIPT.fullmatch(text)
    return (command(parts[1]), parts[2], parts[3]) if parts else None


def hooks(one: Record, names: dict[str, str]) -> dict[str, Any]:
    """Each hook of an object; `names` maps the keys of the dump to events."""
    return {
        f"hook {event}": _hook(text)
        for key, event in names.items()
        if (text := one.values.get(key)) is not None
    }


def milliseconds(seconds: str) -> int | None:
    """A decimal number of seconds, of which the rest below a millisecond is dropped."""
    return int(Decimal(seconds) * 1000) if seconds else None


def microseconds(text: str) -> int | None:
    """`3000000 us`, as milliseconds."""
    return int(text.removesuffix(" us")) // 1000 if text else None


def number(text: str) -> int | None:
    """The number at the start of the text."""
    found = re.match(r"-?\d+", text)
    return int(found[0]) if found else None
