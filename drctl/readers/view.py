"""How an effective reading came about: the files, and the statements that only steer the reading.

Includes, definitions, conditions and sequences are no part of the model; here each is listed once,
so that with the model and its leftovers every statement of every file is accounted for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.model.origin import Leftover
from drctl.quickclass import dataclass

if TYPE_CHECKING:
    from drctl.syntax.tree import Document
    from drctl.text.place import Place

Start = tuple[str, int, int]
"""File, line and column of a statement."""


@dataclass(frozen=True, slots=True)
class DefinitionRead:
    """A `$NAME=`; `place` reaches to its last line. `is_used` when something was replaced by it;
    `is_secret` when it reaches a password."""

    name: str
    value: str
    place: Place
    is_used: bool
    is_secret: bool


@dataclass(frozen=True, slots=True)
class ConditionRead:
    """A statement behind `@name` or `@^name`; `text` is all of it. `place` is the statement's, with
    the rest of its line when it is not read."""

    name: str
    is_negated: bool
    is_met: bool
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class IncludeRead:
    """An include and the files that were read for it: none when it could not be, and then it is a
    leftover of the model too."""

    pattern: str
    paths: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class SequenceRead:
    """A statement that `~SEQ` or `~LST` repeats."""

    text: str
    place: Place


@dataclass(frozen=True)
class View:
    """The effective view of a configuration. `documents` are the files as they were written, the
    given one first; `config_id` decides the conditions. `vanished` are statements of which nothing
    is left once their definitions are written out; `secrets` names of definitions that reach a
    password."""

    documents: tuple[Document, ...]
    config_id: str
    includes: tuple[IncludeRead, ...] = ()
    definitions: tuple[DefinitionRead, ...] = ()
    conditions: tuple[ConditionRead, ...] = ()
    sequences: tuple[SequenceRead, ...] = ()
    vanished: tuple[Leftover, ...] = ()
    secrets: frozenset[str] = frozenset()
