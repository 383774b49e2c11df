"""What tests of the effective view share: files in memory, and readings of them."""

from __future__ import annotations

from fnmatch import fnmatchcase

from drctl.readers.effective import read
from drctl.readers.reading import Reading
from drctl.syntax.expanded import ExpandOptions, Matches, Unreadable
from drctl.syntax.parser import parse
from drctl.text.source import SourceFile

MAIN = "keepalived.conf"


class MemoryFiles:
    """`Files` of a dictionary; an include names its keys."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def match(self, pattern: str, including: str) -> Matches:
        """Keys that match; relative patterns start at the folder of the including file."""
        folder = including.rpartition("/")[0]
        whole = f"{folder}/{pattern}" if folder else pattern
        has_wildcard = "*" in pattern
        found = tuple(sorted(name for name in self._texts if fnmatchcase(name, whole)))
        return Matches(found, has_wildcard, not found and not has_wildcard)

    def read(self, path: str) -> SourceFile | Unreadable:
        """The text of a key."""
        return SourceFile(path, self._texts[path])

    def directory(self, path: str) -> str:
        """As if all lay below /etc/keepalived."""
        return f"/etc/keepalived/{path}".rpartition("/")[0]


def effective(text: str, files: dict[str, str] | None = None, config_id: str = "lb1") -> Reading:
    """The reading of a keepalived.conf that may include `files`."""
    document = parse(SourceFile(MAIN, text), "keepalived")
    return read(document, MemoryFiles(files or {}), ExpandOptions(config_id=config_id))
