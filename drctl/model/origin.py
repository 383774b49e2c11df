"""Where values of the model came from.

Each object of the model has `origins`, a mapping from a field's name to the places of the
statements that set it; `SELF` is the key of the statement that opened the object. Origins never
take part in comparisons: two models are equal when they mean the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import NoneType

from drctl.quickclass import dataclass, field, fields, is_dataclass
from drctl.text.place import Place

SELF = ""

Origins = Mapping[str, tuple[Place, ...]]


class _NoOrigins(Mapping[str, tuple[Place, ...]]):
    """The empty mapping, hashable, since dataclasses want that of a default."""

    __slots__ = ()

    def __getitem__(self, key: str) -> tuple[Place, ...]:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and not other


NO_ORIGINS: Origins = _NoOrigins()


@dataclass(frozen=True, slots=True)
class Leftover:
    """A statement that the model has no field for, kept as it was written.

    `text` is the statement with its block, line by line, without the indentation of its first
    line; `reason` says why it is not a field (`not modelled`, `not a number`, …). `inner` are the
    places of the statements in its block at any depth, in order.
    """

    text: str
    reason: str = field(default="not modelled", compare=False)
    place: Place | None = field(default=None, compare=False)
    inner: tuple[Place, ...] = field(default=(), compare=False, repr=False)

    @property
    def word(self) -> str:
        """The first word of the text, as it was written; blanks are C's."""
        for end, character in enumerate(self.text):
            if character in " \t\n\r\f\v":
                return self.text[:end]
        return self.text


def leftovers(value: object) -> Iterator[Leftover]:
    """Every leftover in `value`, an object of the model, in the order of its fields."""
    if isinstance(value, Leftover):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            if not isinstance(item, _PLAIN):
                yield from leftovers(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for name in _names(type(value)):
            item = getattr(value, name)
            if item and not isinstance(item, _PLAIN):
                yield from leftovers(item)


_PLAIN = (str, int, NoneType)


@lru_cache(maxsize=256)
def _names(kind: type) -> tuple[str, ...]:
    """The fields that leftovers may be in; asked a hundred thousand times."""
    return tuple(each.name for each in fields(kind) if each.name != "origins")
