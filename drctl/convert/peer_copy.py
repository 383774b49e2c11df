"""What a peer gets unchanged, and what in it may belong to one machine only: names, commands,
statements that were not understood."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from drctl.convert.ledger import Ledger, Verdict
from drctl.model.check import BfdCheck, Check, FileCheck
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Leftover
from drctl.model.pair import Hook, Rank, Settings
from drctl.model.service import RealServer, VirtualService
from drctl.quickclass import replace
from drctl.readers.keepalived_block import EMPTY
from drctl.text.place import Place

OF_ONE_DIRECTOR = frozenset(
    {"state", "priority", "unicast_src_ip", "unicast_peer", "mcast_src_ip", "router_id"}
)
"""Keywords whose value differs between the directors."""
_PRIMARY_WORDS = {"master": "backup", "primary": "backup", "active": "standby"}
_BACKUP_WORDS = {
    "backup": "master",
    "slave": "master",
    "secondary": "primary",
    "standby": "active",
}
_WORD = re.compile(r"[A-Za-z]+")
_NUMBERED = re.compile(r"(.*?)(0*)([12])(\D*)", re.DOTALL)
_LETTERED = re.compile(r"(.*[^A-Za-z])([abAB])", re.DOTALL)
_SWAPPED = {"1": "2", "2": "1", "a": "b", "b": "a", "A": "B", "B": "A"}


def copied_settings(
    settings: Settings, rank: Rank, router_id: str | None, ledger: Ledger
) -> Settings:
    """The peer's global settings; `rank` is the peer's."""
    own = settings.router_id
    if own is None and router_id is None:
        return settings
    name = router_id or _peer_name(own or "", rank)
    why = "asked for" if router_id else f"made from {own}; it is only a name in messages"
    ledger.choose("router_id of the peer", name, why, "--router-id")
    ledger.field(settings.origins, "router_id", Verdict.EXACT, f"{own} here, {name} on the peer")
    return replace(settings, router_id=name)


def _peer_name(own: str, rank: Rank) -> str:
    """A name like `own` for the other director: its word for the rank, its number or its letter
    changed, else the rank added."""
    words = _BACKUP_WORDS if rank is Rank.PRIMARY else _PRIMARY_WORDS
    for found in _WORD.finditer(own):
        if other := words.get(found[0].lower()):
            return own[: found.start()] + _in_case(other, found[0]) + own[found.end() :]
    if numbered := _NUMBERED.fullmatch(own):
        before, zeros, digit, after = numbered.groups()
        if not before[-1:].isdigit():
            return f"{before}{zeros}{_SWAPPED[digit]}{after}"
    if lettered := _LETTERED.fullmatch(own):
        return lettered[1] + _SWAPPED[lettered[2]]
    return f"{own}_{rank}"


def _in_case(word: str, model: str) -> str:
    if model.isupper():
        return word.upper()
    return word.capitalize() if model[0].isupper() else word


def keyword_of(leftover: Leftover) -> str:
    """The first word of a leftover."""
    return re.split(r"[\s{]", leftover.text, maxsplit=1)[0]


def note_machine_values(
    configuration: Configuration, addresses: Mapping[str, str], ledger: Ledger
) -> None:
    """Tell what was copied and may be right on one machine only; `addresses` are the given
    director's own."""
    for hook in _hooks(configuration):
        _note_command(hook.command, hook.origins.get("command", ()), addresses, ledger)
    for script in configuration.scripts:
        places = script.origins.get("command", ())
        _note_command(script.command or "", places, addresses, ledger)
    daemon = configuration.settings.sync_daemon
    if daemon is not None:
        why = "the same on both directors"
        todo = f"check that {daemon.interface} is the device's name on the peer too"
        ledger.note(daemon.origins.get(SELF, ()), Verdict.EXACT, why, todo)
    for leftover in _leftovers(configuration):
        _note_leftover(leftover, addresses, ledger)


def _note_command(
    command: str, places: tuple[Place, ...], addresses: Mapping[str, str], ledger: Ledger
) -> None:
    program = command.split()[0] if command.split() else command
    why = "the same command on both directors"
    todo = f"check that {program} is on the peer too"
    if own := _own_address_in(command, addresses):
        todo += f", and what {own} in it is to be there"
    ledger.note(places, Verdict.EXACT, why, todo)


def _note_leftover(leftover: Leftover, addresses: Mapping[str, str], ledger: Ledger) -> None:
    if leftover.place is None or leftover.reason == EMPTY:
        return
    keyword = keyword_of(leftover)
    if keyword in OF_ONE_DIRECTOR:
        why = f"{keyword} could not be read ({leftover.reason}), so the peer has the same text"
        todo = f"write the peer's {keyword}"
        ledger.note((leftover.place,), Verdict.APPROXIMATED, why, todo)
    elif own := _own_address_in(leftover.text, addresses):
        why = f"{own} is the given director's own address, and the peer has the same text"
        todo = "write what the peer needs there"
        ledger.note((leftover.place,), Verdict.APPROXIMATED, why, todo)


def _own_address_in(text: str, addresses: Mapping[str, str]) -> str | None:
    for own in addresses:
        if re.search(rf"(?<![\w.:]){re.escape(own)}(?![\w.:])", text):
            return own
    return None


def for_address(service: VirtualService, addresses: Mapping[str, str]) -> VirtualService:
    """A service whose checks are sent from the peer's address where they were sent from the given
    director's."""
    if not any(_binds(check, addresses) for one in service.real_servers for check in one.checks):
        return service
    servers = tuple(_server_for(one, addresses) for one in service.real_servers)
    return replace(service, real_servers=servers)


def _server_for(server: RealServer, addresses: Mapping[str, str]) -> RealServer:
    return replace(server, checks=tuple(_check_for(check, addresses) for check in server.checks))


def _binds(check: Check, addresses: Mapping[str, str]) -> bool:
    return not isinstance(check, BfdCheck | FileCheck) and check.connect.bind_address in addresses


def _check_for(check: Check, addresses: Mapping[str, str]) -> Check:
    if isinstance(check, BfdCheck | FileCheck):
        return check
    theirs = addresses.get(check.connect.bind_address or "")
    if theirs is None:
        return check
    return replace(check, connect=replace(check.connect, bind_address=theirs))


def _hooks(configuration: Configuration) -> Iterator[Hook]:
    yield from configuration.settings.hooks
    for instance in configuration.instances:
        yield from instance.hooks
    for group in configuration.sync_groups:
        yield from group.hooks
    for service in configuration.services:
        yield from service.hooks
        for server in service.real_servers:
            yield from server.hooks


def _leftovers(configuration: Configuration) -> Iterator[Leftover]:
    yield from configuration.leftovers
    yield from configuration.settings.leftovers
    for instance in configuration.instances:
        yield from instance.leftovers
    for group in configuration.sync_groups:
        yield from group.leftovers
    for service in configuration.services:
        yield from service.leftovers
