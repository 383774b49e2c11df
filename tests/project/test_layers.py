"""Imports point downwards only, and each library stays where it belongs."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from corpus import PROJECT

PACKAGE = PROJECT / "drctl"

LEVELS = {
    "quickclass": -1,
    "errors": 0, "units": 0, "text": 0,
    "resources": 1,
    "schema": 2,
    "syntax": 3,
    "model": 4,
    "readers": 5,
    "core": 5,
    "render": 6,
    "lint": 6,
    "convert": 7,
    "report": 8,
    "adapters": 8,
    "daemon": 9, "verify": 9, "realserver": 9,
    "lab": 10,
    "cli": 11,
}  # fmt: skip
"""Layer of each part; the part may import what is in a lower one."""

WITHOUT_FILES = frozenset({"readers", "render", "convert", "lint", "core", "model"})
FILE_CALLS = frozenset(
    {"open", "write_text", "write_bytes", "unlink", "mkdir", "rename", "replace_file"}
)
ONLY_IN = {
    "zmq": {"adapters"},
    "pyroute2": {"adapters"},
    "jinja2": {"render"},
    "pyparsing": {"schema"},
    "socket": {"adapters", "lab", "daemon"},
    "subprocess": {"adapters", "lab", "cli", "daemon"},
}
"""The daemon has sockets between its own processes and to operators, nothing else; what goes over a
network is the adapters'."""
NOT_IN_CORE = frozenset(
    {"asyncio", "socket", "time", "random", "os", "threading", "logging", "zmq", "pyroute2"}
)


@dataclass(frozen=True)
class Import:
    """One import: the part it stands in, the file, the line, and the module that it names."""

    part: str
    file: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def imports_of(source: str, file: Path) -> list[Import]:
    part = file.parts[0] if len(file.parts) > 1 else file.stem
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [Import(part, file, node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative import"
            found.append(Import(part, file, node.lineno, node.module or ""))
    return found


def all_imports() -> list[Import]:
    found: list[Import] = []
    for file in sorted(PACKAGE.rglob("*.py")):
        found += imports_of(file.read_text("utf-8"), file.relative_to(PACKAGE))
    return found


def upward(found: Import) -> bool:
    """Whether an import of our own does not go to a lower layer."""
    names = found.module.split(".")
    if names[0] != "drctl" or len(names) == 1 or found.part in {"__init__", "__main__"}:
        return False
    other = names[1]
    if other == found.part:
        return False
    return other not in LEVELS or LEVELS[other] >= LEVELS[found.part]


def misplaced(found: Import) -> bool:
    """Whether a library is imported outside the parts that may."""
    library = found.module.split(".")[0]
    if found.part == "core" and library in NOT_IN_CORE:
        return True
    return library in ONLY_IN and found.part not in ONLY_IN[library]


def test_every_part_has_a_layer() -> None:
    parts = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith("_")}
    assert parts - {"py"} <= LEVELS.keys()


def test_imports_point_to_lower_layers_only() -> None:
    assert [str(found) for found in all_imports() if upward(found)] == []


def test_libraries_stay_where_they_belong() -> None:
    assert [str(found) for found in all_imports() if misplaced(found)] == []


def test_pure_parts_touch_no_files() -> None:
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        part = file.relative_to(PACKAGE).parts[0]
        if part not in WITHOUT_FILES:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                target = node.func
                name = (
                    target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
                )
                if name in FILE_CALLS:
                    found.append(f"{file.relative_to(PACKAGE)}:{node.lineno} calls {name}")
    assert found == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("text/source.py", "from drctl.model.pair import Rank"),
        ("readers/lvs_cf.py", "import drctl.render.environment"),
        ("render/view.py", "def f():\n    from drctl.convert.ledger import Note"),
        ("report/show.py", "from drctl.adapters.output import write"),
    ],
)
def test_an_import_to_the_same_or_a_higher_layer_is_found(path: str, source: str) -> None:
    assert [upward(found) for found in imports_of(source, Path(path))] == [True]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("cli/show.py", "import jinja2"),
        ("core/state.py", "import time"),
        ("render/view.py", "import pyparsing"),
        ("convert/lower.py", "from zmq import Context"),
    ],
)
def test_a_misplaced_library_is_found(path: str, source: str) -> None:
    assert [misplaced(found) for found in imports_of(source, Path(path))] == [True]


def test_patterns_have_no_possessive_quantifier() -> None:
    """Python 3.11.2, which is Debian 12's, matches them wrongly around anything that backtracks."""
    possessive = re.compile(r"(?:[\])}]|\\[swdSWD])[*+?]\+|\(\?>")
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if possessive.search(node.value):
                found.append(f"{file.relative_to(PACKAGE)}:{node.lineno}")
    assert found == []
