"""What each kind of finding means: the table `grammar/findings.toml`.

    [DR211]
    name = "bad-value"
    level = "error"
    meaning = "one sentence, as docs/lint.md has it"
    why = "what goes wrong on the directors, and why it matters"
    mend = "what to do"
    bad = "a configuration that has the finding"
    good = "the same one, mended"

`dialect` is `lvs.cf` where the example is one; `files` holds what the example includes, by name.
Where bytes matter the examples have escapes of TOML; `hex` is an example that is no UTF-8.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from drctl.quickclass import dataclass, field
from drctl.resources import read_text, resource_path
from drctl.schema.load import BadTable

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = "findings.toml"
_REQUIRED = frozenset({"name", "level", "meaning", "why", "mend"})


@dataclass(frozen=True, slots=True)
class Explanation:
    """One kind of finding. `bad` has it, `good` does not; empty where the words must do."""

    code: str
    name: str
    level: str
    meaning: str
    why: str
    mend: str
    bad: str = ""
    good: str = ""
    dialect: str = "keepalived"
    hex: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


@cache
def explanations() -> Mapping[str, Explanation]:
    """All kinds, by code."""
    import tomllib

    file = f"{resource_path('grammar')}/{_FILE}"
    tables = tomllib.loads(read_text(file))
    found = {}
    for code, table in tables.items():
        found[code] = _explanation(file, code, table)
    return found


def _explanation(file: Any, code: str, table: dict[str, Any]) -> Explanation:
    if missing := _REQUIRED - table.keys():
        raise BadTable(file, code, f"{min(missing)} is missing")
    try:
        return Explanation(code, **table)
    except TypeError as bad:
        raise BadTable(file, code, str(bad)) from bad


def explanation_of(text: str) -> Explanation | None:
    """The kind with this code or name, in any case; None when there is none."""
    known = explanations()
    if text.upper() in known:
        return known[text.upper()]
    return next((one for one in known.values() if one.name == text.lower()), None)
