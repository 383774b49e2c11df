"""The limits that keep the code readable: files, functions, parameters, docstrings, words."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from corpus import PROJECT

FILE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 5
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|farm|root)/|/home/\w")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def tracked(*patterns: str) -> list[Path]:
    """Files of the project by glob; those that git ignores are not there."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    return [PROJECT / name for name in names.splitlines() if (PROJECT / name).is_file()]


def functions() -> Iterator[tuple[str, Function]]:
    """Functions of the product with their places."""
    for file in tracked("drctl/*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, Function):
                yield f"{file.relative_to(PROJECT)}:{node.lineno} {node.name}", node


def code_lines(text: str) -> int:
    return sum(
        1 for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    )


def test_files_are_short() -> None:
    sizes = {
        str(file.relative_to(PROJECT)): code_lines(file.read_text("utf-8"))
        for file in tracked("drctl/*.py")
    }
    assert len(sizes) > 30, "the list of files is wrong"
    assert {name: size for name, size in sizes.items() if size > FILE_LINES} == {}


def test_functions_are_short() -> None:
    sizes = {name: (node.end_lineno or 0) - node.lineno + 1 for name, node in functions()}
    assert {name: size for name, size in sizes.items() if size > FUNCTION_LINES} == {}


def test_functions_take_few_parameters() -> None:
    long = []
    for name, node in functions():
        positional = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
        if len([arg for arg in positional if arg not in {"self", "cls"}]) > PARAMETERS:
            long.append(name)
    assert long == []


def test_public_names_have_docstrings() -> None:
    missing = []
    for file in tracked("drctl/*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        nodes: list[ast.AST] = [tree]
        nodes += [n for n in tree.body if isinstance(n, (ast.ClassDef, Function))]
        for node in nodes:
            name = getattr(node, "name", "module")
            if not name.startswith("_") and not ast.get_docstring(node):  # type: ignore[arg-type]
                missing.append(f"{file.relative_to(PROJECT)} {name}")
    assert missing == []


def test_no_path_of_a_machine_is_in_the_tree() -> None:
    found = []
    for file in tracked():
        if file.suffix in {".png", ".svg"} or file == Path(__file__):
            continue
        for number, line in enumerate(file.read_text("utf-8", errors="replace").splitlines(), 1):
            if MACHINE_PATHS.search(line):
                found.append(f"{file.relative_to(PROJECT)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_test_files_have_unique_names() -> None:
    names = [file.name for file in tracked("tests/*/test_*.py")]
    assert sorted(names) == sorted(set(names))
