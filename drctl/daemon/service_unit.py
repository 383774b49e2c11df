"""The units that systemd runs the daemon by: templates/service, filled in for this installation."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from drctl.errors import FileRefused, UsageError
from drctl.resources import read_text, resource_path

UNITS = ("drctl.service", "drctl-scripts.socket", "drctl-scripts@.service")
PRIVILEGED_PORTS = 1024
_HIDDEN_BY_HOME = ("/home", "/root", "/run/user")
_HIDDEN_BY_TMP = ("/tmp", "/var/tmp")
_OWN_FOLDERS = ("/var/lib/drctl", "/run/drctl")
"""Folders that the unit makes for the daemon."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What the units depend on. `program` is the command line of drctl, `config` an absolute path,
    `needed` the files and folders that the daemon reads, `written` the folders that it writes to,
    `ports` those that it listens on."""

    program: tuple[str, ...]
    config: str
    needed: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


def own_program() -> tuple[str, ...]:
    """How this drctl was called, or how it can be."""
    called = Path(sys.argv[0])
    if called.name == "drctl" and called.is_file() and os.access(called, os.X_OK):
        return (str(called.absolute()),)
    beside = Path(sys.executable).with_name("drctl")
    if os.access(beside, os.X_OK):
        return (str(beside),)
    return (sys.executable, "-m", "drctl")


def units(of: Installation) -> dict[str, str]:
    """The content of each unit by its file name. UsageError: a path that no unit can name."""
    package = str(Path(__file__).parent)
    needed = [*of.needed, of.config, of.program[0], sys.executable, package]
    written = sorted(
        folder for folder in set(of.written) if not _is_below(folder, _OWN_FOLDERS, is_itself=True)
    )
    is_low = any(port < PRIVILEGED_PORTS for port in of.ports)
    at_home = any(_is_below(path, _HIDDEN_BY_HOME) for path in (*needed, *written))
    in_tmp = any(_is_below(path, _HIDDEN_BY_TMP) for path in (*needed, *written))
    words = {
        "DRCTL": " ".join(map(quoted, of.program)),
        "PYTHON": quoted(sys.executable),
        "CONFIG": quoted(of.config),
        "MORE_CAPABILITIES": " CAP_NET_BIND_SERVICE" if is_low else "",
        "WRITABLE": "".join(f"ReadWritePaths={_quoted_path(folder)}\n" for folder in written),
        "PROTECT_HOME": "read-only" if at_home else "yes",
        "PRIVATE_TMP": "no" if in_tmp else "yes",
    }
    folder = resource_path("templates")
    return {name: _filled(read_text(f"{folder}/service/{name}"), words) for name in UNITS}


def write_units(folder: Path, of: Installation) -> list[Path]:
    """Write them into the folder; their paths."""
    made = []
    for name, text in units(of).items():
        path = folder / name
        try:
            path.write_text(text, encoding="utf-8")
            path.chmod(0o644)
        except OSError as cause:
            raise FileRefused("write", str(path), cause) from cause
        made.append(path)
    return made


def quoted(word: str) -> str:
    """A word of a unit's command line (systemd.syntax(7), systemd.service(5))."""
    return _escaped(word).replace("$", "$$")


def _quoted_path(path: str) -> str:
    """A path in a list of paths that need not exist."""
    return _escaped(f"-{path}")


def _escaped(word: str) -> str:
    if not word.isprintable():
        raise UsageError(f"a unit cannot name {word!r}")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if re.fullmatch(r"[\w/.@:+=,-]+", word) else f'"{escaped}"'


def _filled(text: str, words: dict[str, str]) -> str:
    """The template with its words; each of them is there."""
    return re.sub("@([A-Z_]+)@", lambda found: words[found[1]], text)


def _is_below(path: str, folders: Iterable[str], *, is_itself: bool = False) -> bool:
    given, real = os.path.abspath(path), os.path.realpath(path)  # noqa: PTH100
    return any(
        each.startswith(f"{folder}/") or (is_itself and each == folder)
        for each in (given, real)
        for folder in folders
    )
