"""Checks a configuration: the structure and the tables first, then the rules.

Takes the expanded lines and gives findings; reads no file. Facts: keepalived 2.2.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from drctl.lint.consequence import without_consequences
from drctl.lint.directive import newer_syntax
from drctl.lint.fragment import fragment_of
from drctl.lint.report import Report
from drctl.lint.rule import rules
from drctl.lint.section import Section
from drctl.lint.statement import Statements
from drctl.lint.structure import PROCESSES, Structure
from drctl.lint.world import World
from drctl.schema.load import load_dialect
from drctl.schema.table import version_of
from drctl.syntax.expanded import ExpandOptions, expand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drctl.syntax.expanded import Files, Line
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


def check_source(
    source: SourceFile,
    version: str,
    files: Files | None = None,
    options: ExpandOptions | None = None,
) -> Checked:
    """Check one file and what it includes; without `options` they are the defaults of `version`."""
    expanded = expand(source, files, options or ExpandOptions(version=version_of(version)))
    report = Report()
    for one in expanded.files:
        report.extend(one.diagnostics)
    report.extend(expanded.findings)
    check(expanded.lines, expanded.parent_lines, version, report)
    statements = statements_of(version)
    directives = statements.dialect.blocks["directive"]
    report.extend(newer_syntax(expanded.files, directives, statements.version))
    return Checked(without_consequences(report.diagnostics()), expanded.files)


def check(
    lines: Sequence[Line], parent_lines: Sequence[Line], version: str, report: Report
) -> None:
    """Add to `report` what is wrong in the lines of one configuration; `parent_lines` are those
    that the process sees that reads global_defs."""
    statements = statements_of(version)
    block = fragment_of(lines, statements)
    if block is not None:
        Structure(statements, report, fragment_of=block).read(lines)
        return
    if parent_lines is lines:
        attempt = Report()
        structure = Structure(statements, attempt)
        root = structure.read(lines)
        if structure.is_sound:
            _apply(World(statements.dialect, statements.version, attempt), root, structure)
            report.extend(attempt.diagnostics())
            return
    # each process of keepalived reads something else
    blocks: list[Section] = []
    for process in PROCESSES:
        structure = Structure(statements, report, process)
        root = structure.read(parent_lines if process == PROCESSES[0] else lines)
        blocks += root.blocks("global_defs")
        world = World(statements.dialect, statements.version, report)
        world.globals += blocks
        _apply(world, root, structure)


def _apply(world: World, root: Section, structure: Structure) -> None:
    known = rules()
    world.globals = world.globals or root.blocks("global_defs")
    world.root = root
    _End(world, structure).of(root)
    for instance in list(world.instances.values()):
        for instance_rule in known.of_instance:
            instance_rule(instance, world)
    for service in world.services:
        for service_rule in known.of_service:
            service_rule(service, world)
    for rule in known.after:
        rule(world)


class _End:
    """Asks the rules at the end of each block, inner ones first; blocks are at most a few deep."""

    def __init__(self, world: World, structure: Structure) -> None:
        self.world = world
        self.structure = structure
        self.rules = rules().at_end
        self.loud: set[int] = set()

    def of(self, section: Section) -> None:
        """The blocks inside `section`."""
        world, known = self.world, self.rules
        for item in section.items:
            if isinstance(item, Section):
                original = item.like
                if original is not None:
                    if id(original) not in self.loud:
                        continue
                    # the same findings as there, with places of their own
                    self.structure.own(item)
                before = world.report.count
                self.of(item)
                for rule in known.get(item.block.path, ()):
                    rule(item, world)
                if original is None and world.report.count != before:
                    self.loud.add(id(item))
