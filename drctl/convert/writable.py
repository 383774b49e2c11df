"""Whether a text of the source can stand in the generated files at all.

What cannot is left out with a note, so that one odd command does not keep a pair from being
converted.
"""

from __future__ import annotations

import re

from drctl.convert.ledger import Ledger, Verdict
from drctl.errors import UnsafeValue
from drctl.render.keepalived_word import command as written_command
from drctl.text.place import Place
from drctl.units import inet_aton

LONGEST_COMMAND = 900
"""A line of keepalived.conf ends at 1023 bytes (2.2.7)."""

_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,14}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+:-]{0,14}")
_BARE_WORD = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


def is_device(text: str) -> bool:
    """Whether `text` can name a network device (Linux: at most 15 bytes)."""
    return _DEVICE.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """Whether `text` can be an address label (Linux: at most 15 bytes)."""
    return _LABEL.fullmatch(text) is not None


def is_bare_command(text: str) -> bool:
    """Whether no word of a command means anything to a shell."""
    return all(_BARE_WORD.fullmatch(word) for word in text.split())


def command_or_none(text: str, places: tuple[Place, ...], ledger: Ledger) -> str | None:
    """`text` when it can be a command in keepalived.conf; else None, with a note."""
    problem = _command_problem(text)
    if problem is None:
        return text
    why = f"the command cannot stand in keepalived.conf: {problem}"
    ledger.note(places, Verdict.DROPPED, why, "put it into a script and name that")
    return None


def _command_problem(text: str) -> str | None:
    if not text.strip():
        return "it is empty"
    if not text.isprintable():
        return "it holds a control character"
    if len(text.encode()) > LONGEST_COMMAND:
        return f"it is longer than {LONGEST_COMMAND} bytes"
    try:
        written_command(text)
    except UnsafeValue as refused:
        return str(refused)
    return None


def address_or_none(text: str, what: str, places: tuple[Place, ...], ledger: Ledger) -> str | None:
    """`text` when it is an address; else, for a host name, None with a note."""
    if inet_aton(text) is not None:
        return text
    why = f"{text} is a host name, and {what} must be an address"
    todo = "write the address into the lvs.cf and convert again"
    ledger.note(places, Verdict.DROPPED, why, todo)
    return None
