"""Checks a configuration: the structure and the tables first, then the rules.

Takes the expanded lines and gives findings; reads no file. Facts: keepalived 2.2.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from drctl.lint.report import Report
from drctl.lint.rule import Rules, rules
from drctl.lint.section import Section
from drctl.lint.statement import Statements
from drctl.lint.structure import PROCESSES, Structure
from drctl.lint.world import World
from drctl.schema.load import load_dialect
from drctl.schema.table import version_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drctl.syntax.expanded import Line
    from drctl.text.diagnostic import Diagnostic
    from drctl.text.source import SourceFile


class Checked(NamedTuple):
    """Findings in the order of the text, and the files that were read for it."""

    diagnostics: tuple[Diagnostic, ...]
    sources: tuple[SourceFile, ...]


_VERSIONS: dict[str, Statements] = {}


def statements_of(version: str) -> Statements:
    """Judgements for a version of keepalived, shared by all files that are checked."""
    if version not in _VERSIONS:
        _VERSIONS[version] = Statements(load_dialect("keepalived"), version_of(version))
    return _VERSIONS[version]


def check_source(source: SourceFile, version: str, config_id: str | None) -> Checked:
    """Check one file."""
    from drctl.lint.lines import lines_of

    del config_id
    return Checked(check(lines_of(source.path, source.text), version), (source,))


def check(lines: Sequence[Line], version: str) -> tuple[Diagnostic, ...]:
    """Findings on the lines of one configuration, in the order of its text."""
    statements = statements_of(version)
    report = Report()
    structure = Structure(statements, report)
    root = structure.read(lines)
    if structure.is_sound:
        _apply(World(statements.dialect, statements.version, report), root, rules())
        return report.diagnostics()
    # each process of keepalived reads something else
    report = Report()
    blocks: list[Section] = []
    for process in PROCESSES:
        root = Structure(statements, report, process).read(lines)
        blocks += root.blocks("global_defs")
        world = World(statements.dialect, statements.version, report)
        world.globals += blocks
        _apply(world, root, rules())
    return report.diagnostics()


def _apply(world: World, root: Section, known: Rules) -> None:
    world.globals = world.globals or root.blocks("global_defs")
    world.root = root
    _end(root, world, known)
    for instance in list(world.instances.values()):
        for instance_rule in known.of_instance:
            instance_rule(instance, world)
    for service in world.services:
        for service_rule in known.of_service:
            service_rule(service, world)
    for rule in known.after:
        rule(world)


def _end(section: Section, world: World, known: Rules) -> None:
    """The rules at the end of each block, inner ones first; blocks are at most a few deep."""
    for item in section.items:
        if isinstance(item, Section):
            _end(item, world, known)
            for rule in known.at_end.get(item.block.path, ()):
                rule(item, world)
