"""Roles of a director in a group."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Role(IntEnum):
    """What a director is in a group, now. The numbers are on the wire."""

    STANDBY = 0
    SUSPECT = 1
    TAKING = 2
    ACTIVE = 3
    YIELDING = 4
    FAULT = 5
    HELD = 6

    is_holding: bool
    """The VIPs are this director's, or are about to be."""

    def __init__(self, number: int) -> None:
        self.is_holding = 2 <= number <= 4

    @property
    def word(self) -> str:
        return self.name.lower()


# the core compares roles at every event, and an attribute of an enumeration takes Python five times
# as long as a name
STANDBY: Final = Role.STANDBY
SUSPECT: Final = Role.SUSPECT
TAKING: Final = Role.TAKING
ACTIVE: Final = Role.ACTIVE
YIELDING: Final = Role.YIELDING
FAULT: Final = Role.FAULT
HELD: Final = Role.HELD

WAITING = frozenset({STANDBY, SUSPECT})
"""It could take the VIPs."""
COMING = frozenset({SUSPECT, TAKING})
"""It is on its way to the VIPs, and asks the segment for them."""
CLAIMING = frozenset({TAKING, ACTIVE})
"""It has claimed the group, and not handed it over."""
PASSING = frozenset({TAKING, YIELDING})
"""The VIPs come, or go."""
INSTALLED = frozenset({ACTIVE, YIELDING})
"""The VIPs are in the kernel, and their leases are renewed."""
