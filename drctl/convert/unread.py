"""Statements of an lvs.cf that no daemon reads, or that keepalived has no counterpart for: what to
tell the user about each."""

from __future__ import annotations

from drctl.convert.ledger import Ledger, Verdict
from drctl.model.configuration import Configuration
from drctl.model.origin import Leftover

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


def note_unread(configuration: Configuration, ledger: Ledger) -> None:
    """Account for every leftover of the model."""
    groups: list[tuple[Leftover, ...]] = [configuration.leftovers]
    groups.extend(service.leftovers for service in configuration.services)
    groups.extend(s.leftovers for service in configuration.services for s in service.real_servers)
    groups.extend(local.leftovers for local in configuration.local_services)
    for group in groups:
        for leftover in group:
            _note(leftover, ledger)


def _note(leftover: Leftover, ledger: Ledger) -> None:
    assert leftover.place is not None, "readers give every leftover a place"
    keyword = leftover.text.split(None, 1)[0].rstrip("=")
    why, todo = UNREAD.get(keyword, ("", ""))
    if leftover.reason != "read by no daemon" or not why:
        why, todo = leftover.reason, "correct or remove the line, then convert again"
    ledger.note((leftover.place,), Verdict.DROPPED, why, todo)
