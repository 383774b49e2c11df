"""Statements of an lvs.cf that no daemon reads, or that keepalived has no counterpart for: what to
tell the user about each."""

from __future__ import annotations

import re

from drctl.convert.ledger import Ledger, Verdict
from drctl.model.configuration import Configuration
from drctl.model.origin import Leftover, leftovers
from drctl.readers.lvs_cf_block import CALLOUT, TAGGED
from drctl.readers.lvs_cf_block import UNREAD as NO_READER

_STORAGE = "shared SCSI reservation is fencing of storage, which keepalived does not do"
_FILE_SYNC = "copying of content files, which no daemon of Piranha 0.8.6 does either"

UNREAD: dict[str, tuple[str, str]] = {
    "serial_no": ("the GUI's edit counter; no daemon reads it", ""),
    "heartbeat": ("pulse 0.8.6 reads this switch nowhere; backup_active decides", ""),
    "rsh_command": (
        "only used by load_monitor = uptime, which keepalived has no counterpart for",
        "",
    ),
    "debug_level": ("pulse accepts any word here and ignores it", ""),
    "ipvsadm": ("keepalived programs the kernel itself and runs no ipvsadm", ""),
    "sync": (_FILE_SYNC, ""),
    "master": (_FILE_SYNC, ""),
    "dirs": (_FILE_SYNC, ""),
    "primary_shared": (_STORAGE, "fence shared storage by other means before you switch over"),
    "backup_shared": (_STORAGE, "fence shared storage by other means before you switch over"),
    "reservation_conflict_action": (_STORAGE, "decide how shared storage is to be fenced"),
    "client_monitor": (
        "keepalived has no replaceable monitor program",
        "turn the program into a check of its own (MISC_CHECK) when it is not nanny",
    ),
    "start_cmd": ("lvsd reads it in failover blocks only", ""),
    "stop_cmd": ("lvsd reads it in failover blocks only", ""),
}
"""Why each keyword without a reader is left out, and what the user should do."""


_KEYWORD = re.compile(r"(?:[0-9]{1,3}[.)]?\s+)?([A-Za-z_]+)")


def note_unread(configuration: Configuration, ledger: Ledger) -> None:
    """Account for every leftover of the model, and for the statements inside it."""
    for leftover in leftovers(configuration):
        _note(leftover, ledger)


def _note(leftover: Leftover, ledger: Ledger) -> None:
    assert leftover.place is not None, "readers give every leftover a place"
    places = (leftover.place, *leftover.inner)
    found = _KEYWORD.match(leftover.text)
    why, todo = UNREAD.get(found[1].lower() if found is not None else "", ("", ""))
    if leftover.reason == NO_READER and why:
        ledger.idle(places, why, todo)
    elif leftover.reason == CALLOUT:
        ledger.idle(places, leftover.reason)
    elif leftover.reason == TAGGED:
        todo = "fill in the template first, then convert what it gives"
        ledger.note(places, Verdict.DROPPED, leftover.reason, todo)
    else:
        todo = "correct or remove the line, then convert again"
        ledger.note(places, Verdict.DROPPED, leftover.reason, todo)
