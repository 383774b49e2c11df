"""Collects findings, each once, and puts them in the order of the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.text.diagnostic import Diagnostic, Related, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drctl.lint.kind import Problem
    from drctl.syntax.expanded import Line

MOST_OF_A_KIND = 5_000
"""Findings of one code in one configuration, so that a hostile one does not take all memory."""
_STRUCTURE_FROM, _STRUCTURE_TO = "DR200", "DR209"
"""Codes of which a line has only one finding: the processes of keepalived differ in their words."""
_MORE = frozenset({"DR206", "DR208"})
"""A missing or extra brace says more than that a keyword is unknown."""
_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


class Report:
    """The findings on one configuration."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Diagnostic] = {}
        self._counts: dict[str, int] = {}

    def add(self, line: Line, problem: Problem, *related: tuple[Line, str] | None) -> None:
        """Note `problem` about `line`; `related` are other lines with what they have to do."""
        kind = problem.kind
        if self._counts.get(kind.code, 0) > MOST_OF_A_KIND:
            return
        is_structural = _STRUCTURE_FROM < kind.code < _STRUCTURE_TO
        key: tuple[object, ...] = (line.path, line.number, "")
        if is_structural:
            known = self._found.get(key)
            if known is not None and not (known.code < min(_MORE) and kind.code in _MORE):
                return
        place = line.place(problem.word + 1)
        if not is_structural:
            key = place, kind.code, problem.message
            if key in self._found:
                return
        count = self._counts[kind.code] = self._counts.get(kind.code, 0) + 1
        if count > MOST_OF_A_KIND:
            text = f"{problem.message} (more of the kind are not told)"
            problem = problem._replace(message=text)
        others = tuple(Related(other.place(0), text) for other, text in filter(None, related))
        self._found[key] = Diagnostic(
            place, kind.code, kind.name, kind.severity, problem.message, problem.hint, others
        )

    @property
    def count(self) -> int:
        """How many findings there are."""
        return len(self._found)

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Note findings of others."""
        for one in diagnostics:
            self._found.setdefault((one.place, one.code, one.message), one)

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All findings in the order of the text, on one place the worst first."""
        return tuple(sorted(self._found.values(), key=_order))


def _order(one: Diagnostic) -> tuple[object, ...]:
    place = one.place
    return place.path, place.line, place.column, _RANK[one.severity], one.code
