"""What a configuration defines, for rules that look at more than one block."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drctl.lint.instance import Instance
    from drctl.lint.report import Report
    from drctl.lint.section import Section
    from drctl.lint.service import Service
    from drctl.schema.table import Dialect
    from drctl.syntax.expanded import Line


class World:
    """Grows while the blocks are read in order, so that a rule at the end of a block sees what
    stands above it; rules after reading see all of it.

    `globals` are the global_defs blocks, which keepalived reads before everything else.
    """

    def __init__(self, dialect: Dialect, version: tuple[int, ...], report: Report) -> None:
        self.dialect = dialect
        self.version = version
        self.report = report
        self.root: Section | None = None
        self.globals: list[Section] = []
        self.scripts: dict[str, Section] = {}
        self.processes: dict[str, Section] = {}
        self.files: dict[str, Section] = {}
        self.bfds: dict[str, Section] = {}
        self.instances: dict[str, Instance] = {}
        self.sync_groups: dict[str, Section] = {}
        self.static_groups: dict[str, Section] = {}
        self.service_groups: dict[str, Section] = {}
        self.services: list[Service] = []
        self.sync_daemon: Line | None = None
        self.garp_devices: dict[str, Line] = {}
        self._members: tuple[int, dict[str, Section]] = 0, {}
        self.bodies: dict[int, tuple[str | None, int | None]] = {}

    def sync_group_of(self, name: str) -> Section | None:
        """The first sync group with an instance of this name."""
        count, members = self._members
        if count != len(self.sync_groups):
            members = {}
            for group in self.sync_groups.values():
                for block in group.blocks("group"):
                    for line in block.lines:
                        for word in line.words:
                            members.setdefault(word, group)
            self._members = len(self.sync_groups), members
        return members.get(name)

    def setting(self, *keywords: str) -> Line | None:
        """The last statement of global_defs with one of these keywords."""
        found = [line for block in self.globals if (line := block.last(*keywords))]
        return found[-1] if found else None

    def has_setting(self, *keywords: str) -> bool:
        """Whether global_defs has a statement with one of these keywords."""
        return self.setting(*keywords) is not None
