"""What the lexer can find: the table of the codes DR101 to DR199, and a collector of findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from drctl.text.diagnostic import Diagnostic, Related, Severity

if TYPE_CHECKING:
    from drctl.text.place import Place


class Kind(NamedTuple):
    """One kind of finding; `code` and `name` are what users write to silence it."""

    code: str
    name: str
    severity: Severity


_ERROR, _WARNING = Severity.ERROR, Severity.WARNING

UNTERMINATED_QUOTE = Kind("DR101", "unterminated-quote", _ERROR)
ESCAPED_COMMENT = Kind("DR102", "escaped-comment", _WARNING)
COMMENT_IN_WORD = Kind("DR103", "comment-in-word", _WARNING)
CONTINUED_COMMENT = Kind("DR104", "continued-comment", _ERROR)
STRAY_CONTINUATION = Kind("DR105", "stray-continuation", _WARNING)
GLUED_QUOTE = Kind("DR106", "glued-quote", _WARNING)
CRASHING_LINE = Kind("DR107", "crashing-line", _ERROR)
MISSING_INCLUDE = Kind("DR110", "missing-include", _WARNING)
UNREADABLE_INCLUDE = Kind("DR111", "unreadable-include", _WARNING)
INCLUDE_LOOP = Kind("DR112", "include-loop", _ERROR)
INCLUDED_TWICE = Kind("DR113", "included-twice", _WARNING)
UNDEFINED_NAME = Kind("DR120", "undefined-name", _WARNING)
BLANK_BEFORE_EQUALS = Kind("DR121", "blank-before-equals", _ERROR)
ENDLESS_DEFINITION = Kind("DR122", "endless-definition", _ERROR)
LONG_EXPANSION = Kind("DR123", "long-expansion", _WARNING)
MISUSED_LINES = Kind("DR124", "misused-lines", _WARNING)
CUT_DEFINITION = Kind("DR125", "cut-definition", _WARNING)
BAD_PARAMETER = Kind("DR126", "bad-parameter", _ERROR)
CONDITION_FROM_VALUE = Kind("DR127", "condition-from-value", _WARNING)
DAMAGED_LINE = Kind("DR128", "damaged-line", _WARNING)
BAD_SEQUENCE = Kind("DR130", "bad-sequence", _ERROR)
ODD_SEQUENCE = Kind("DR131", "odd-sequence", _WARNING)
ODD_CONDITION = Kind("DR140", "odd-condition", _WARNING)
TOO_MUCH = Kind("DR150", "too-much", _ERROR)

MOST_FINDINGS = 100
"""Of each kind, so that a hostile file does not drown its reader."""


class Findings:
    """Findings of the lexer, each once."""

    def __init__(self) -> None:
        self._found: dict[tuple[Place, str], Diagnostic] = {}
        self._counts: dict[str, int] = {}

    def is_full(self, kind: Kind) -> bool:
        """Whether there are so many of a kind that no more are told."""
        return self._counts.get(kind.code, 0) >= MOST_FINDINGS

    def add(
        self,
        kind: Kind,
        place: Place,
        message: str,
        hint: str = "",
        *,
        severity: Severity | None = None,
        related: tuple[Related, ...] = (),
    ) -> None:
        """Note one; a second one of the same kind at the same place is the same mistake."""
        key = place, kind.code
        if key in self._found:
            return
        count = self._counts[kind.code] = self._counts.get(kind.code, 0) + 1
        if count > MOST_FINDINGS:
            return
        if count == MOST_FINDINGS:
            message += f" (and further lines: only {MOST_FINDINGS} of a kind are told)"
        self._found[key] = Diagnostic(
            place, kind.code, kind.name, severity or kind.severity, message, hint, related
        )

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All of them, in the order in which they were found."""
        return tuple(self._found.values())
