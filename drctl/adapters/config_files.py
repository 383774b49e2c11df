"""Reads configuration files and what they include, as keepalived's glob would find them.

Never blocks and never reads without end: a FIFO, a device or a directory is named, not opened, and
a file beyond `LARGEST_FILE_BYTES` is refused. A configuration without includes asks nothing here,
so what reads files is imported when it is needed: that costs 8 ms.
"""

from __future__ import annotations

import os
import stat
from posixpath import dirname, join, lexists
from typing import TYPE_CHECKING

from drctl.syntax.expand_include import expand_braces
from drctl.syntax.expanded import Matches, Unreadable
from drctl.text.source import SourceFile, decode

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_FILE_BYTES = 64 * 1024 * 1024
MOST_MATCHES = 5_000
_WILDCARDS = frozenset("*?[")
_EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


HOME = "/etc/keepalived/"
"""Where keepalived's configuration is on the machine that runs it."""


class ConfigFiles:
    """`Files` of the file system; paths stay relative when the first file's path is.

    `main` is the first file. What it includes from /etc/keepalived is looked for beside it where
    there is no such file: a configuration is mostly checked elsewhere than where it is used.
    `home` is the folder where the first file is to be used, when it is to be another one: `${_PWD}`
    speaks of it.
    """

    def __init__(self, main: str, home: str = "") -> None:
        self._main = main
        self._home = home

    def match(self, pattern: str, including: str) -> Matches:
        """What a pattern in the file `including` matches, in glob's order."""
        found = self._match(pattern, dirname(including))
        if not found.paths and pattern.startswith(HOME):
            return self._match(pattern.removeprefix(HOME), dirname(self._main))
        return found

    def _match(self, pattern: str, folder: str) -> Matches:
        paths: list[str] = []
        has_wildcard = has_missing = False
        for one in expand_braces(pattern):
            # before pathlib: of thousands of missing files it makes thousands of objects
            if _WILDCARDS.isdisjoint(one) and not _exists(join(folder, one)):
                has_missing = True
                continue
            from pathlib import Path

            whole = Path(folder) / one
            if _WILDCARDS.isdisjoint(one):
                paths.append(str(whole))
                continue
            import glob

            has_wildcard = True
            # not Path.glob, which finds hidden files too
            paths += sorted(glob.iglob(str(whole)))[:MOST_MATCHES]  # noqa: PTH207
            has_missing = has_missing or not _has_folder(whole)
        return Matches(tuple(paths), has_wildcard, has_missing)

    def read(self, path: str) -> SourceFile | Unreadable:
        """The file at `path`, or why keepalived or drctl does not read it."""
        from pathlib import Path

        try:
            found = Path(path).stat()
            if not stat.S_ISREG(found.st_mode):
                return Unreadable(_kind_of(found.st_mode))
            if found.st_mode & _EXECUTABLE:
                return Unreadable("it is executable")
            if found.st_size > LARGEST_FILE_BYTES:
                return Unreadable(f"larger than {LARGEST_FILE_BYTES >> 20} MiB", is_skipped=False)
            with Path(path).open("rb") as file:
                raw = file.read(LARGEST_FILE_BYTES + 1)
        except OSError as refused:
            return Unreadable(refused.strerror or str(refused))
        if len(raw) > LARGEST_FILE_BYTES:
            return Unreadable(f"larger than {LARGEST_FILE_BYTES >> 20} MiB", is_skipped=False)
        return decode(path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), raw)

    def directory(self, path: str) -> str:
        """The absolute directory of a file, where it is to be used."""
        from pathlib import Path

        folder = Path(path).absolute().parent
        if not self._home:
            return str(folder)
        beside = Path(self._main).absolute().parent
        return os.path.normpath(Path(self._home) / os.path.relpath(folder, beside))


def _exists(path: str) -> bool:
    """Whether there is a file or a link, wherever that leads."""
    try:
        return lexists(path)
    except ValueError:
        return False


def _kind_of(mode: int) -> str:
    names = {
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return f"it is {names.get(stat.S_IFMT(mode), 'no regular file')}"


def _has_folder(pattern: Path) -> bool:
    """Whether the folder before the first wildcard of a pattern exists."""
    fixed = pattern
    while not _WILDCARDS.isdisjoint(str(fixed)):
        fixed = fixed.parent
    return fixed.is_dir()
