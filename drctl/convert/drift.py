"""How the two directors' files differ."""

from __future__ import annotations

from dataclasses import dataclass

from drctl.text.place import Place


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference: `what` names it, `here` and `there` are the values in the file that decides and
    in the peer's, None where the file does not have the thing, with their places."""

    what: str
    here: str | None
    there: str | None
    place_here: Place | None
    place_there: Place | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing with the peer's file gave; `peer` is its path."""

    peer: str
    drift: tuple[Drift, ...]
