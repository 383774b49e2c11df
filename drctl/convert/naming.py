"""Folder names of the hosts: what a `server` block is called, made safe and unique.

A name is made of `[A-Za-z0-9._-]`, begins with a letter, a digit or `_`, and is unlike every other
one also where letter case does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.options import ConvertOptions
from drctl.convert.pairing import Directors
from drctl.errors import UsageError
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF
from drctl.model.pair import Rank
from drctl.render.host import Names
from drctl.render.host_address import canonical
from drctl.text.place import Place

RESERVED = frozenset({"report.md", "report.json"})
"""What lies beside the folders."""

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_UNSAFE = re.compile(r"(?:[^A-Za-z0-9._-]|\.\.)+")
_LONGEST = 64


def folder_name(text: str) -> str:
    """`text` as a folder's name; empty when nothing of it can be used."""
    name = _UNSAFE.sub("_", text)
    if name != text:
        name = name.strip("_")
    name = name.lstrip("-.")[:_LONGEST]
    return name if _SAFE.fullmatch(name) else ""


def check_director_names(options: ConvertOptions) -> None:
    """Raises UsageError when the directors cannot be called what the user wants."""
    for name, option in ((options.primary, "--primary"), (options.backup, "--backup")):
        if not name or folder_name(name) != name:
            rule = "letters, digits, '.', '_' and '-' are allowed, '-' and '.' not in front"
            raise UsageError(f"{option} {name!r} is no name for a folder: {rule}")
        if name.lower() in RESERVED:
            raise UsageError(f"{option} {name} is the name of a report")
    if options.primary.lower() == options.backup.lower():
        raise UsageError(
            f"--primary and --backup are both {options.primary}; the directors need two folders"
        )


def choose_names(directors: Directors, options: ConvertOptions, ledger: Ledger) -> Names:
    """A name for every real server and sorry server, each address once; a director that is one
    keeps its own folder."""
    own = _director_addresses(directors, options)
    by_address: dict[str, str] = {}
    taken = {*RESERVED, options.primary.lower(), options.backup.lower()}
    called: dict[str, str] = {}
    views = [directors.primary, *([] if directors.backup is None else [directors.backup])]
    for address, given, places in (host for view in views for host in _hosts(view)):
        known = by_address.get(address)
        if known is None:
            if address in own:
                by_address[address] = own[address]
                called[address] = given or own[address]
                _note_director(address, own[address], places, ledger)
            else:
                by_address[address] = _new_name(address, given, taken, places, ledger)
                called[address] = given or address
        elif given is not None and given != called[address]:
            why = (
                f"{address} is called {called[address]} in another block: one folder, "
                f"{known}, for both"
            )
            ledger.note(places, Verdict.APPROXIMATED, why)
    return Names(options.primary, options.backup, by_address)


def _note_director(address: str, name: str, places: tuple[Place, ...], ledger: Ledger) -> None:
    why = (
        f"{address} is the director {name} itself, with one folder for both. While it stands by it "
        "has the virtual service too, and hands on what the active director sends it"
    )
    todo = "better move the service to a machine of its own, or let the backup alone serve"
    ledger.note(places, Verdict.APPROXIMATED, why, todo)


def _director_addresses(directors: Directors, options: ConvertOptions) -> dict[str, str]:
    """Folder names of the directors by every address that the files know them by."""
    found: dict[str, str] = {}
    for director in directors.primary.directors:
        name = options.primary if director.rank is Rank.PRIMARY else options.backup
        if directors.backup is None and director.rank is not Rank.PRIMARY:
            continue
        for text in (director.public, director.private):
            if text is not None:
                found.setdefault(canonical(text) or text, name)
    for view, name in ((directors.primary, options.primary), (directors.backup, options.backup)):
        for instance in () if view is None else view.instances:
            for text in (instance.unicast_source, instance.multicast_source):
                if text is not None:
                    found.setdefault(canonical(text) or text, name)
    return found


def _hosts(configuration: Configuration) -> Iterator[tuple[str, str | None, tuple[Place, ...]]]:
    """Address, name and places of every real server, then of the sorry servers."""
    for service in configuration.services:
        for server in service.real_servers:
            address = canonical(server.address) or server.address
            yield address, server.name, server.origins.get(SELF, ())[:1]
    for service in configuration.services:
        sorry = service.sorry_server
        if sorry is not None:
            address = canonical(sorry.address) or sorry.address
            yield address, None, sorry.origins.get("address", ())


def _new_name(
    address: str, given: str | None, taken: set[str], places: tuple[Place, ...], ledger: Ledger
) -> str:
    by_address = folder_name(address.replace(":", "-"))
    wanted = by_address if given is None else folder_name(given)
    name = wanted or by_address
    if given is not None and wanted != given:
        shown = given or "a server without a name"
        why = f"{shown} cannot be the name of a folder; the folder is called {name}"
        ledger.note(places, Verdict.APPROXIMATED, why)
    if name.lower() in taken:
        first, number = name, 1
        name = f"{first}-{by_address}" if first != by_address else f"{first}-2"
        while name.lower() in taken:
            number += 1
            name = f"{first}-{by_address}-{number}"
        why = f"{first} is the name of another host's folder; this one is called {name}"
        ledger.note(places, Verdict.APPROXIMATED, why)
    taken.add(name.lower())
    return name
