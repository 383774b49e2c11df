"""Statements of checks that do not go together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import at_end
from drctl.lint.section import Section
from drctl.lint.service import family_of
from drctl.lint.world import World
from drctl.schema.composite_address import cut_address
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

NEEDS_DEVICE = Kind("DR366", "link-local-without-bind-if", Severity.ERROR)
FAMILIES_DIFFER = Kind("DR367", "check-of-mixed-families", Severity.ERROR)
LENGTHS = Kind("DR368", "no-length-possible", Severity.WARNING)
CHECKED_TWICE = Kind("DR384", "session-checked-twice", Severity.ERROR)
LAST_BYTE = Kind("DR382", "payload-ends-with-ff", Severity.ERROR)
NOT_DEFINED_ABOVE = Kind("DR369", "check-of-undefined", Severity.ERROR)
NO_URL = Kind("DR377", "check-without-url", Severity.ERROR)

_TAKES_FF = (2, 3, 3)
_BYTE = re.compile(r"[^ \t]{1,2}")
_TAKES_FF = (2, 3, 3)
_BYTE = re.compile(r"[^ \t]{1,2}")
_REAL = "virtual_server/real_server"
_CONNECTING = frozenset(
    {
        *("HTTP_GET", "SSL_GET", "TCP_CHECK", "SMTP_CHECK", "DNS_CHECK", "PING_CHECK"),
        "UDP_CHECK",
    }
)


@at_end(_REAL)
def check_connections(section: Section, world: World) -> None:
    """Where the checks of a real server connect to: its own address, or connect_ip. An SMTP_CHECK
    has no address while it is read."""
    for check in section.sections:
        keyword = check.block.keyword
        if keyword in _CONNECTING:
            is_late = keyword == "SMTP_CHECK"
            _check_connection(check, section.header, world, is_late=is_late)


@at_end(f"{_REAL}/SMTP_CHECK/host")
def check_host(section: Section, world: World) -> None:
    """A host has no address but what it says."""
    _check_connection(section, None, world)


def _check_connection(
    section: Section, server: Line | None, world: World, *, is_late: bool = False
) -> None:
    known = {"connect_ip": None if is_late else server, "bindto": None}
    for line in section.statements("connect_ip", "bindto"):
        keyword, address = line.words[:2]
        other = known["bindto" if keyword == "connect_ip" else "connect_ip"]
        known[keyword] = line
        if other is None or family_of(other.words[1]) == family_of(address):
            continue
        text = f"{address} is ignored: it is not of the family of {other.words[1]}"
        world.report.add(line, Problem(FAMILIES_DIFFER, 0, text), (other, "the other"))
        section.refused.add(id(line))
        known[keyword] = None
    target, end = known["connect_ip"], section.close or section.header
    if is_late:
        target = target or server
    if target is not None and end is not None and not section.has("bind_if"):
        address = cut_address(target.words[1]).lower()
        if address[:3] in ("fe8", "fe9", "fea", "feb") and address[4:5] == ":":
            text = f"{address} is link-local: the check is removed"
            hint = "say with bind_if where it is"
            related = target, "set here"
            world.report.add(end, Problem(NEEDS_DEVICE, -1, text, hint), related)


@at_end(_REAL)
def check_sessions(section: Section, world: World) -> None:
    """A session is checked once for each real server."""
    seen: dict[str, Line] = {}
    for check in section.blocks("BFD_CHECK"):
        for line in check.statements("name")[:1]:
            name = line.words[1] if len(line.words) > 1 else ""
            if name not in for_checker(world):
                continue
            first = seen.setdefault(name, line)
            if first is not line:
                text = f"{name} is checked for this real server already"
                world.report.add(line, Problem(CHECKED_TWICE, 0, text), (first, "the first one"))


def for_checker(world: World) -> set[str]:
    """Names of the sessions that the checker sees: those of both processes, or of its own."""
    sessions = world.bfds.items()
    return {name for name, one in sessions if one.has("checker") or not one.has("vrrp")}


@at_end(f"{_REAL}/UDP_CHECK")
def check_lengths(section: Section, world: World) -> None:
    """A reply cannot be longer than allowed and long enough."""
    least, most = section.last("min_reply_length"), section.last("max_reply_length")
    end = section.close or section.header
    low = int(least.words[1] or 0) if least is not None else 0
    high = int(most.words[1] or 0) if most is not None else 255
    at = least or most
    if low > high and end is not None and at is not None:
        text = f"min_reply_length {low} is more than max_reply_length {high}: every check fails"
        world.report.add(end, Problem(LENGTHS, -1, text), (at, "set here"))


@at_end(f"{_REAL}/UDP_CHECK")
def check_last_byte(section: Section, world: World) -> None:
    """A last byte of ff, which keepalived takes for its mark of an error."""
    if world.version >= _TAKES_FF:
        return
    for line in section.statements("payload", "require_reply"):
        last = _BYTE.findall(" ".join(line.words[1:]))[-1:]
        if last and last[0].lower() == "ff":
            text = "the last byte is ff, which keepalived refuses: the statement is ignored"
            hint = "add a byte"
            world.report.add(line, Problem(LAST_BYTE, len(line.words) - 2, text, hint))
            section.refused.add(id(line))


@at_end(f"{_REAL}/FILE_CHECK", f"{_REAL}/BFD_CHECK")
def check_reference(section: Section, world: World) -> None:
    """The file or session must be defined above."""
    is_bfd = section.block.keyword == "BFD_CHECK"
    known = for_checker(world) if is_bfd else set(world.files)
    lines = section.statements("name" if is_bfd else "track_file")
    home = "bfd_instance" if is_bfd else "track_file"
    is_found = False
    for line in lines:
        if line.words[1] in known:
            is_found = True
            continue
        text = f"{line.words[1]}: no {home} of this name above"
        text += "" if is_bfd else "; keepalived -t 2.2.7 hangs or crashes"
        world.report.add(line, Problem(NOT_DEFINED_ABOVE, 0, text))
    end = section.close
    if lines and not is_found and not is_bfd and end is not None:
        text = f"{section.block.keyword} without {home}: it is ignored"
        world.report.add(end, Problem(NOT_DEFINED_ABOVE, -1, text), (lines[-1], "refused here"))


@at_end(f"{_REAL}/HTTP_GET", f"{_REAL}/SSL_GET")
def check_urls(section: Section, world: World) -> None:
    """A url without a path does not count."""
    urls = section.blocks("url")
    end = section.close or section.header
    if urls and end is not None and not any(url.has("path") for url in urls):
        text = f"{section.block.keyword} without a url that has a path"
        text += "; keepalived -t 2.2.7 crashes"
        world.report.add(end, Problem(NO_URL, -1, text))
