"""One finding for one mistake: what only follows from another finding in the same line is left out.

keepalived tells one mistake in several ways (a number that is none, then the statement that has no
valid value), and so do the parts of drctl that look at a line one after the other.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from drctl.quickclass import replace
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from drctl.text.diagnostic import Diagnostic

_UNKNOWN = ("DR201", "DR202", "DR203", "DR204", "DR205")
_BRACES = ("DR206", "DR207", "DR208")
_REFUSED = ("DR210", "DR211")
_OF_UNKNOWN = frozenset(
    {
        *(*_REFUSED, "DR212", "DR213", "DR214", "DR215", "DR216", "DR218", "DR219", "DR220"),
        *("DR221", "DR301", "DR309", "DR310", "DR311", "DR312", "DR368", "DR378"),
    }
)
"""Told by that process of keepalived which knows the block, while another does not know it."""
_LEFT_AS_IT_IS = frozenset({*_UNKNOWN, *_BRACES, *_REFUSED, "DR218", "DR311"})
_FOLLOWS: dict[str, frozenset[str]] = {
    "DR012": frozenset(_UNKNOWN),
    "DR101": frozenset(
        {
            *("DR101", *_UNKNOWN, *_REFUSED, "DR105", "DR206", "DR221", "DR110", "DR111"),
            *("DR375", "DR380"),
        }
    ),
    "DR104": frozenset(_UNKNOWN),
    "DR105": frozenset({*_REFUSED, "DR218"}),
    "DR106": frozenset({"DR218"}),
    "DR120": _LEFT_AS_IT_IS,
    "DR121": _LEFT_AS_IT_IS,
    "DR124": _LEFT_AS_IT_IS,
    "DR126": _LEFT_AS_IT_IS,
    "DR128": _LEFT_AS_IT_IS,
    "DR131": _LEFT_AS_IT_IS | {"DR213", "DR313"},
    "DR140": frozenset(_UNKNOWN),
    "DR150": frozenset({"DR209", "DR217", "DR220"}),
    "DR223": _LEFT_AS_IT_IS,
    **dict.fromkeys(_UNKNOWN, _OF_UNKNOWN),
    "DR201": _OF_UNKNOWN | {"DR103"},
    "DR208": frozenset({"DR217", "DR220"}),
    "DR210": frozenset({"DR207", "DR332"}),
    "DR213": frozenset({"DR216", "DR306", "DR313"}),
    "DR219": frozenset({"DR378"}),
    "DR306": frozenset({"DR211"}),
    "DR311": frozenset({"DR211", "DR212"}),
    "DR312": frozenset({"DR211", "DR212"}),
    "DR313": frozenset({"DR216"}),
    "DR363": frozenset({"DR217"}),
    "DR367": frozenset({"DR212"}),
    "DR371": frozenset({"DR380"}),
}
"""Codes of findings, and of those in the same line that follow from them."""
_OPENED = frozenset({"DR207", "DR208"})
_WORDS = frozenset({"DR211"})
_NOTHING: frozenset[str] = frozenset()
_FROM_THERE_ON = frozenset({"DR120", "DR124", "DR140"})
"""Of these follows only what stands at their place or behind it."""
_GENERATED = re.compile(r"\S*\d\S*")


def without_consequences(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The findings, in the order of the text before and afterwards."""
    kept: list[Diagnostic] = []
    for _, group in groupby(found, lambda one: (one.place.path, one.place.line)):
        line = list(group)
        kept += line if len(line) == 1 else _of_line(line)
    return tuple(kept)


def _of_line(line: list[Diagnostic]) -> Iterable[Diagnostic]:
    followed: dict[int, list[Diagnostic]] = {}
    gone: set[int] = set()
    for number, cause in enumerate(line):
        follows = _follows(cause)
        if not follows or number in gone:
            continue
        for other, one in enumerate(line):
            if other == number or one.code not in follows or other in gone:
                continue
            if cause.code not in _FROM_THERE_ON or one.place.column >= cause.place.column:
                gone.add(other)
                followed.setdefault(number, []).append(one)
    rest = [
        _with(one, followed.get(number, ()))
        for number, one in enumerate(line)
        if number not in gone
    ]
    return _folded(rest)


def _follows(cause: Diagnostic) -> frozenset[str]:
    if cause.code == "DR206" and not cause.related:
        # of a value block: the words that stand where the brace should be are too many
        return _WORDS
    if cause.code == "DR211" and cause.message.startswith("$ "):
        # a name in braces that is none: its braces stand alone
        return _OPENED
    return _FOLLOWS.get(cause.code, _NOTHING)


def _with(cause: Diagnostic, followed: Sequence[Diagnostic]) -> Diagnostic:
    """A finding that stands for others is as bad as the worst of them."""
    errors = [one for one in followed if one.severity is Severity.ERROR]
    if not errors or cause.severity is Severity.ERROR:
        return cause
    return replace(cause, severity=Severity.ERROR, message=f"{cause.message}; {errors[0].message}")


def _folded(line: list[Diagnostic]) -> Iterable[Diagnostic]:
    """Without those that a sequence repeats at one place, with other numbers."""
    seen: dict[tuple[object, ...], int] = {}
    for one in line:
        key = one.place, one.code, _GENERATED.sub("", one.message)
        seen[key] = seen.get(key, 0) + 1
    for one in line:
        count = seen.pop((one.place, one.code, _GENERATED.sub("", one.message)), 0)
        if count > 1:
            yield replace(one, message=f"{one.message} (and {count - 1} more of this line)")
        elif count:
            yield one
