"""Roles of a director in a group."""

from __future__ import annotations

from enum import IntEnum


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
