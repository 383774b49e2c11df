"""A finding about text: what is wrong, where, by which rule, and the way out."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from drctl.quickclass import dataclass

if TYPE_CHECKING:
    from drctl.text.place import Place


class Severity(StrEnum):
    """How bad a finding is; `error` is what the original program refuses or drops."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that a finding speaks of."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `code` is stable (`DR013`), `name` names the problem, `message` starts with the
    value, in lower case, without a full stop."""

    place: Place
    code: str
    name: str
    severity: Severity
    message: str
    hint: str = ""
    related: tuple[Related, ...] = ()
