"""Text that may be printed as it is, and the rule that all other text has to pass."""

from __future__ import annotations

import re

from drctl.errors import UnsafeValue

_FORBIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f\u0085\u2028\u2029\ue000\ue001]")


class Trusted(str):
    """Text that a template made itself (several lines, marks) and that may be printed as it is."""

    __slots__ = ()


NOTHING = Trusted("")


def refuse_line(value: str) -> str:
    """`value` when it can stand on one line, or UnsafeValue."""
    if bad := _FORBIDDEN.search(value):
        raise UnsafeValue(
            f"{value!r} holds the character {bad[0]!r}, which would break out of its line"
        )
    return value
