"""The readings of PATH that a conversion starts from: as one director reads it, and where the file
has conditions that tell the directors apart, as the other one does."""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING

from drctl.syntax.detect import LVS_CF

if TYPE_CHECKING:
    from drctl.readers.reading import Reading

_ID = re.compile(r"[\w.:-]+")
_ANOTHER = ("backup", "primary")
"""What a director is called that no condition names."""


def add_config_ids(group: argparse._ArgumentGroup) -> None:
    """The options `--config-id` and `--peer-config-id`."""
    group.add_argument(
        "--config-id",
        metavar="ID",
        help="as keepalived -i on the director whose file PATH is: decides which @ID lines count "
        "(this host's name where PATH has such lines, else the first ID in it)",
    )
    group.add_argument(
        "--peer-config-id",
        metavar="ID",
        help="the same for the other director: of --peer-file, or else PATH is read a second time "
        "with it and nothing is derived (the next ID in PATH, when the two readings differ in "
        "what must differ between directors)",
    )


def read_directors(
    options: argparse.Namespace, *, has_peer_file: bool = False
) -> tuple[Reading, Reading | None]:
    """PATH as the given director reads it, and as the other one does; None where the other one's
    file is derived or another file."""
    from drctl.adapters.config_files import HOME
    from drctl.cli.common import checked_version, read_as, read_configuration
    from drctl.convert.pairing import tells_directors_apart
    from drctl.errors import UsageError

    own, peer = options.config_id, options.peer_config_id
    if own is not None and own == peer and not has_peer_file:
        raise UsageError(f"--config-id and --peer-config-id are both {own}")
    version = checked_version(options.target_version)
    reading = read_configuration(
        options.path, options.dialect, config_id=own, home=HOME, version=version
    )
    document = reading.document
    if document.dialect == LVS_CF or (has_peer_file and reading.view is None):
        return reading, None
    names = _names(reading)
    if own is None and names:
        host = os.uname().nodename.partition(".")[0]
        own = host if host in names else next((n for n in names if n != peer), _another(peer))
        reading = read_as(document, own, HOME, version)
    if has_peer_file:
        return reading, None
    if peer is not None:
        return reading, read_as(document, peer, HOME, version)
    if not names:
        return reading, None
    other = read_as(document, next((n for n in names if n != own), _another(own)), HOME, version)
    if tells_directors_apart(reading.configuration, other.configuration):
        return reading, other
    return reading, None


def _names(reading: Reading) -> list[str]:
    """The ids that the conditions of a file name, in order; not what only looks like one, since
    keepalived knows no `@lb1|lb2`."""
    if reading.view is None:
        return []
    names = (one.name for one in reading.view.conditions)
    return list(dict.fromkeys(name for name in names if _ID.fullmatch(name)))


def _another(name: str | None) -> str:
    """An id that is not `name`."""
    return next(one for one in _ANOTHER if one != name)
