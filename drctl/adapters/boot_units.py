"""Which services start at boot below a root folder: systemd's links, and those of System V.

Only files are looked at, so a root that does not run (an image, an overlay) can be asked too.
Facts: systemd.unit(5), systemctl(1), chkconfig(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drctl.errors import FileRefused

WANTED_BY = "multi-user.target"
_UNITS = "etc/systemd/system"
_HIGHEST = "etc/systemd/system.control"
_FOLDERS = (
    _HIGHEST,
    _UNITS,
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
_STARTED = frozenset(
    f"{name}.target"
    for name in (
        *("default", "graphical", "multi-user", "basic", "sysinit", "sockets", "local-fs"),
        *("network", "network-pre", "network-online"),
    )
)
"""Targets that every boot comes to."""
_CHANGING = re.compile(
    r"^\s*(?:After|Before|Requires|Wants|BindsTo|Requisite|Condition\w+|Assert\w+|ExecStart\w*"
    r"|ExecCondition)\s*=",
    re.ASCII,
)
_START_LINK = re.compile(r"S(\d\d)(.+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class UnitState:
    """`targets` are those that want it or need it; `changes` the lines of drop-ins that say when,
    whether or what is started, each after its file's path."""

    is_masked: bool
    targets: tuple[str, ...]
    changes: tuple[str, ...] = ()

    @property
    def is_enabled(self) -> bool:
        """Whether a boot starts it."""
        return not self.is_masked and any(one in _STARTED for one in self.targets)


def unit_state(root: Path, unit: str) -> UnitState:
    """What the files below `root` say of a unit."""
    targets: dict[str, None] = {}
    for folder in _FOLDERS:
        for kind in ("wants", "requires"):
            for link in _links(root / folder, kind, unit):
                targets[link.parent.name.removesuffix(f".{kind}")] = None
    return UnitState(_is_masked(root, unit), tuple(targets), tuple(_changes(root, unit)))


def _links(folder: Path, kind: str, unit: str) -> list[Path]:
    """They may lead nowhere: below a root their targets are other files."""
    found = [one / unit for one in sorted(folder.glob(f"*.{kind}"))]
    return [link for link in found if link.is_symlink() or link.exists()]


def _is_masked(root: Path, unit: str) -> bool:
    for folder in _FOLDERS:
        path = root / folder / unit
        if path.is_symlink() and str(path.readlink()) == "/dev/null":
            return True
        if path.is_symlink() or path.exists():
            return path.is_file() and not path.stat().st_size
    return False


def _changes(root: Path, unit: str) -> Iterator[str]:
    for folder in _FOLDERS:
        for file in sorted((root / folder / f"{unit}.d").glob("*.conf")):
            for line in read_text(file).splitlines():
                if _CHANGING.match(line):
                    yield f"/{file.relative_to(root)}: {line.strip()}"


def enable_below(root: Path, unit: str) -> bool:
    """Have it started by multi-user.target; whether that was not so before."""
    link = root / _UNITS / f"{WANTED_BY}.wants" / unit
    if link.is_symlink():
        return False
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"/{_UNITS}/{unit}")
    except OSError as cause:
        raise FileRefused("make", str(link), cause) from cause
    return True


def disable_below(root: Path, unit: str) -> bool:
    """Take the links to it away, and folders of links that are empty then; whether there was
    one."""
    found = [
        link
        for kind in ("wants", "requires")
        for link in _links(root / _UNITS, kind, unit)
        if link.is_symlink()
    ]
    for link in found:
        try:
            link.unlink()
            if not any(link.parent.iterdir()):
                link.parent.rmdir()
        except OSError as cause:
            raise FileRefused("remove", str(link), cause) from cause
    return bool(found)


def start_links(root: Path, service: str) -> dict[int, int]:
    """Of System V: by runlevel, the number that the service starts at."""
    found: dict[int, int] = {}
    for level in range(2, 6):
        for folder in (f"etc/rc.d/rc{level}.d", f"etc/rc{level}.d"):
            for link in sorted((root / folder).glob(f"S??{service}")):
                match = _START_LINK.fullmatch(link.name)
                if match is not None:
                    found.setdefault(level, int(match[1]))
    return found


def is_started(root: Path, unit: str, service: str) -> bool:
    """Whether a boot starts it, as a unit or as a service of System V."""
    early = (root / "etc/rcS.d").glob(f"S??{service}")
    is_old = any(early) or bool(start_links(root, service))
    state = unit_state(root, unit)
    return state.is_enabled or (is_old and not state.is_masked)


def read_text(file: Path) -> str:
    """Its text; what is no text in it does not matter."""
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError as cause:
        raise FileRefused("read", str(file), cause) from cause
