"""Files in memory for what is included."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from pathlib import PurePosixPath

from drctl.syntax.expand_include import expand_braces
from drctl.syntax.expanded import Matches, Unreadable
from drctl.text.source import SourceFile, decode


class MemoryFiles:
    """`Files` of a mapping from path to content; a reason in the place of a content refuses it."""

    def __init__(self, contents: Mapping[str, bytes | Unreadable]) -> None:
        self.contents = contents

    def match(self, pattern: str, including: str) -> Matches:
        """As the file system does it, for patterns without directories."""
        folder = PurePosixPath(including).parent
        paths: list[str] = []
        has_wildcard = has_missing = False
        for one in expand_braces(pattern):
            name = str(folder / one)
            if not set("*?[") & set(one):
                paths += [name] if name in self.contents else []
                has_missing = has_missing or name not in self.contents
                continue
            has_wildcard = True
            paths += sorted(fnmatch.filter(self.contents, name))
        return Matches(tuple(paths), has_wildcard, has_missing)

    def read(self, path: str) -> SourceFile | Unreadable:
        """The content."""
        content = self.contents[path]
        return decode(path, content) if isinstance(content, bytes) else content

    def directory(self, path: str) -> str:
        """A directory that no test has."""
        return "/dir" if "/" not in path else f"/dir/{path.rpartition('/')[0]}"
