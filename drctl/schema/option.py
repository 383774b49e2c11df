"""Words inside arguments that have a structure of their own, as `label` in an address: the table
`grammar/options.toml`, by argument type."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from drctl.resources import read_text, resource_path
from drctl.schema.load import BadTable, read_simple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drctl.schema.table import Argument, Dialect

_FILE = "options.toml"
_SAME = {
    "static_vip": "vip",
    "static_route": "route",
    "static_rule": "rule",
    "tracked_device": "tracked",
    "tracked_script": "tracked",
    "tracked_value": "tracked",
    "tracked_process": "tracked",
    "tracked_bfd": "tracked",
    "service_range": "service",
}
"""Types whose words are those of another."""
_ONLY = {
    "vip": frozenset({"track_group"}),
    "static_vip": frozenset({"use_vmac"}),
    "route": frozenset({"track_group"}),
    "rule": frozenset({"track_group"}),
    "tracked_device": frozenset({"noreverse"}),
    "service_range": frozenset({"group"}),
}
"""Words that a type does not have."""


@cache
def _tables() -> Mapping[str, Mapping[str, str]]:
    file = f"{resource_path('grammar')}/{_FILE}"
    tables = read_simple(read_text(file))
    if tables is None:
        raise BadTable(file, "(whole file)", "a table is not WORD = TEXT")
    found: dict[str, Mapping[str, str]] = {}
    for name, table in tables.items():
        assert isinstance(table, dict)
        found[name] = table
    return found


def table_names() -> frozenset[str]:
    """The types that have a table of their own, or share one."""
    return frozenset({*_tables(), *_SAME})


def options_of(kind: str) -> Mapping[str, str]:
    """The words of an argument type with what each means; empty for plain types."""
    table = _tables().get(_SAME.get(kind, kind), {})
    left_out = _ONLY.get(kind, frozenset())
    return {word: text for word, text in table.items() if word not in left_out}


def homes_of(dialect: Dialect, word: str) -> list[tuple[str, str, str]]:
    """Where a word may stand: path of the block, keyword (empty for the lines of a value block),
    and what it means there. Each meaning in each place once."""
    found: dict[tuple[str, str, str], None] = {}
    for path, keyword, argument in _arguments(dialect):
        text = options_of(argument.type).get(word)
        if text is not None:
            found[path, keyword, text] = None
    return list(found)


def _arguments(dialect: Dialect) -> Iterator[tuple[str, str, Argument]]:
    for path in dialect.blocks:
        if path.startswith("common/"):
            continue
        block = dialect.blocks[path]
        for argument in block.entry or ():
            yield path, "", argument
        for word, keyword in block.keywords.items():
            if word == keyword.name:
                yield from ((path, word, argument) for argument in keyword.args)
