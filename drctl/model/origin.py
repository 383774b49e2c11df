"""Where values of the model came from.

Each object of the model has `origins`, a mapping from a field's name to the places of the
statements that set it; `SELF` is the key of the statement that opened the object. Origins never
take part in comparisons: two models are equal when they mean the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from drctl.text.place import Place

SELF = ""

Origins = Mapping[str, tuple[Place, ...]]

NO_ORIGINS: Origins = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Leftover:
    """A statement that the model has no field for, kept as it was written.

    `text` is the statement with its block, line by line, without the indentation of its first
    line; `reason` says why it is not a field (`not modelled`, `not a number`, …).
    """

    text: str
    reason: str = field(default="not modelled", compare=False)
    place: Place | None = field(default=None, compare=False)
