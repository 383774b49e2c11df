"""Files that hold the inside of a block: they are included by another file, and given alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drctl.lint.statement import Statements
    from drctl.schema.table import Block
    from drctl.syntax.expanded import Line

_KEYWORD_BLOCKS = (
    *("vrrp_instance", "virtual_server", "virtual_server/real_server", "global_defs"),
    *("vrrp_sync_group", "vrrp_script", "bfd_instance"),
    *("virtual_server/real_server/HTTP_GET", "virtual_server/real_server/HTTP_GET/url"),
)
_VALUE_BLOCKS = (
    *("vrrp_instance/virtual_ipaddress", "vrrp_instance/unicast_peer", "virtual_server_group"),
    *("vrrp_instance/virtual_routes", "vrrp_instance/virtual_rules"),
)
_ONLY_OUTERMOST = frozenset(
    {
        *("global_defs", "vrrp_instance", "vrrp_script", "vrrp_sync_group", "virtual_server"),
        *("virtual_server_group", "bfd_instance", "static_ipaddress", "static_routes"),
    }
)
"""Blocks that stand nowhere else."""
_LONGEST = 5_000
"""Lines of a fragment; a longer file is none."""


def fragment_of(lines: Sequence[Line], statements: Statements) -> Block | None:
    """The block whose inside the lines are; None for a whole configuration, and when in doubt.

    No line at the outermost level may be known there, and one block must know them all.
    """
    blocks = statements.dialect.blocks
    outermost = _outermost(lines) if len(lines) <= _LONGEST else None
    if not outermost:
        return None
    words = {line.words[0] for line in outermost}
    if not words.isdisjoint(statements.dialect.root.keywords):
        return None
    if not _ONLY_OUTERMOST.isdisjoint(line.words[0] for line in lines):
        # a block without end that has swallowed the file
        return None
    for path in _KEYWORD_BLOCKS:
        if words <= blocks[path].keywords.keys():
            return blocks[path]
    if len(outermost) < len(lines):
        return None
    for path in _VALUE_BLOCKS:
        if all(statements.judge(blocks[path], line.words).is_plain for line in lines):
            return blocks[path]
    return None


def _outermost(lines: Sequence[Line]) -> list[Line] | None:
    """The statements outside all braces; None when the braces do not match."""
    depth = 0
    found = []
    for line in lines:
        if line.words == ("{",):
            depth += 1
        elif line.words == ("}",):
            depth -= 1
            if depth < 0:
                return None
        elif depth == 0:
            found.append(line)
    return found if depth == 0 else None
