"""The expanded view of a keepalived.conf: its logical lines as keepalived's handlers get them.

Comments are gone, quotes are taken off, braces stand alone, includes are followed, conditions are
decided, definitions and sequences are written out, exactly as keepalived's own lexer does it
(2.2.7 by default; `ExpandOptions.version` where lexing changed). Blocks are not nested here: which
brace belongs to what depends on the keywords. The lossless tree of `syntax.parser` stays beside it.

This module reads no file; `Files` is what the caller reads them with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from drctl.quickclass import dataclass, field
from drctl.syntax.expand_line import Line, Step, Word

if TYPE_CHECKING:
    from drctl.text.diagnostic import Diagnostic
    from drctl.text.place import Place
    from drctl.text.source import SourceFile

__all__ = [
    "Condition",
    "Definition",
    "ExpandOptions",
    "Expanded",
    "Files",
    "Include",
    "Limits",
    "Line",
    "Matches",
    "NoFiles",
    "Step",
    "Unreadable",
    "Word",
    "expand",
]


class Matches(NamedTuple):
    """What an include pattern matches: `paths` in glob's order, each so that `Files.read` takes it.

    `has_wildcard` says that glob had to list a directory (`*`, `?`, `[`); `has_missing` that a name
    without wildcards, or a directory, that the pattern speaks of (one of a `{a,b}` list too) does
    not exist; `error` is why nothing could be read at all.
    """

    paths: tuple[str, ...]
    has_wildcard: bool = False
    has_missing: bool = False
    error: str = ""


class Unreadable(NamedTuple):
    """Why a file is not read. `is_skipped` when keepalived skips it too (a directory, not regular,
    executable, no permission); else it is drctl that stops here (too large)."""

    reason: str
    is_skipped: bool = True


class Files(Protocol):
    """Reads files for the expansion."""

    def match(self, pattern: str, including: str) -> Matches:
        """What the pattern of an include in the file `including` matches; relative patterns start
        at that file's directory."""

    def read(self, path: str) -> SourceFile | Unreadable:
        """The file at a path of `match`; never blocks (no FIFO, no device) and never takes more
        than the loader's limit."""

    def directory(self, path: str) -> str:
        """The absolute directory of a file, for `${_PWD}`."""


class NoFiles:
    """`Files` for a text that stands alone: every include is missing."""

    def match(self, pattern: str, including: str) -> Matches:
        """Nothing."""
        del pattern, including
        return Matches((), has_missing=True)

    def read(self, path: str) -> SourceFile | Unreadable:
        """Nothing."""
        del path
        return Unreadable("not read")

    def directory(self, path: str) -> str:
        """The path without its last part."""
        return path.rpartition("/")[0] or "."


class Limits(NamedTuple):
    """Bounds of what one configuration may grow to, all beyond what is sensible."""

    generated_lines: int = 20_000
    files: int = 5_000
    depth: int = 64
    characters: int = 256_000_000
    replacements: int = 500


@dataclass(frozen=True, slots=True)
class ExpandOptions:
    """`config_id` decides `@id` lines (keepalived's `-i`); without one `host_name` up to its first
    dot does. `environment` is for `${_ENV NAME}`."""

    config_id: str | None = None
    version: tuple[int, ...] = (2, 2, 7)
    host_name: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()

    @property
    def identity(self) -> str:
        """The name that `@id` lines are compared with, also the value of `${_INSTANCE}`."""
        return self.host_name.partition(".")[0] if self.config_id is None else self.config_id


class Condition(NamedTuple):
    """An `@id` line: whether it says `@^`, and whether its text is read."""

    name: str
    is_negated: bool
    is_met: bool
    place: Place


class Definition(NamedTuple):
    """A `$NAME=` that was read; the lines of one of several lines are `value` with line feeds
    between them. `is_used` when something was replaced by it. `place` is its first line."""

    name: str
    value: str
    place: Place
    is_multiline: bool
    is_used: bool


class Include(NamedTuple):
    """An include that was met before line `position` of the expanded lines: its pattern and the
    files that were read for it. `steps` are the includes that led to the file it stands in."""

    position: int
    pattern: str
    place: Place
    paths: tuple[str, ...]
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Expanded:
    """The result.

    `lines` are what the processes for VRRP, checks and BFD read, which see the text after it was
    freed from comments twice; `parent_lines` what the process reads that evaluates global_defs:
    the same list, save for rare traps. `files` are all files read, the first one first.
    """

    lines: list[Line]
    parent_lines: list[Line]
    findings: tuple[Diagnostic, ...]
    files: tuple[SourceFile, ...]
    conditions: tuple[Condition, ...] = ()
    definitions: tuple[Definition, ...] = ()
    includes: tuple[Include, ...] = ()


def expand(
    source: SourceFile, files: Files | None = None, options: ExpandOptions | None = None
) -> Expanded:
    """The expanded view of a configuration. Never raises on user text; time and memory are linear
    in what is read and bounded in what is generated."""
    from drctl.syntax.expand_reader import read

    return read(source, files or NoFiles(), options or ExpandOptions())
