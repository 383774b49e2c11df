"""The findings of drctl lint, by the names that keepalived gives the files."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from drctl.cli._lint_files import Wishes, lint_file
from drctl.text.diagnostic import Diagnostic

WISHES = Wishes(version="2.2.7", dialect="keepalived", config_id="oracle", is_forced=True)
"""As the oracle asks keepalived: its host is called oracle."""


def findings(main: Path) -> dict[str, list[Diagnostic]]:
    """All findings on a configuration, by file, named relative to the main file's folder."""
    found: defaultdict[str, list[Diagnostic]] = defaultdict(list)
    folder = main.parent
    for one in lint_file(str(main), WISHES).diagnostics:
        path = Path(one.place.path)
        name = str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
        found[name].append(one)
    return dict(found)
