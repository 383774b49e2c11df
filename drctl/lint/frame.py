"""A block that is still open while the lines of a configuration are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drctl.lint.section import Section
    from drctl.syntax.expanded import Line

Words = tuple[str, ...]


class Frame:
    """One open block. `plain` are statements that need no more than to be noted."""

    __slots__ = (
        *("count", "has_stray", "is_skipped", "is_value", "needs_brace", "plain"),
        *("section", "seen", "start"),
    )

    def __init__(self, section: Section, plain: set[Words], *, is_value: bool) -> None:
        self.section = section
        self.plain = plain
        self.is_value = is_value
        self.needs_brace = True
        self.is_skipped = False
        self.seen: dict[tuple[str, ...], Line] = {}
        self.has_stray = False
        self.start = -1
        self.count = 0
