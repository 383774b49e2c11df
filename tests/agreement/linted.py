"""What drctl lint finds in a configuration, by the names that keepalived gives its files."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from agreement.where import Place, Statement, statements_by_line

from drctl.adapters.config_files import ConfigFiles
from drctl.cli._lint_files import Wishes, lint_file
from drctl.syntax.expanded import ExpandOptions, expand
from drctl.text.diagnostic import Diagnostic
from drctl.text.source import decode

WISHES = Wishes(version="2.2.7", dialect="keepalived", config_id="oracle", is_forced=True)
"""As the oracle asks keepalived: its host is called oracle."""


class Linted(NamedTuple):
    """The findings by file, and the statements by place; files are named relative to the main
    file's folder."""

    found: dict[str, list[Diagnostic]]
    statements: dict[Place, list[Statement]]


def linted(main: Path) -> Linted:
    """A configuration with what it includes."""
    found: defaultdict[str, list[Diagnostic]] = defaultdict(list)
    folder = main.parent
    for one in lint_file(str(main), WISHES).diagnostics:
        found[_name(one.place.path, folder)].append(one)
    source = decode(str(main), main.read_bytes())
    options = ExpandOptions(config_id=WISHES.config_id)
    lines = expand(source, ConfigFiles(source.path), options).lines
    placed = (((_name(line.path, folder), line.number), line.words) for line in lines)
    return Linted(dict(found), statements_by_line(placed))


def _name(path: str, folder: Path) -> str:
    file = Path(path)
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else path
