"""Which files `drctl lint` reads, and what is found in each; many files by several processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from drctl.cli.common import checked_version, read_bytes
from drctl.errors import FileRefused, UsageError
from drctl.quickclass import dataclass
from drctl.resources import is_folder
from drctl.syntax.detect import LVS_CF, detect
from drctl.syntax.lexer import find_template_tag
from drctl.text.diagnostic import Diagnostic, Severity
from drctl.text.source import SourceFile, decode

if TYPE_CHECKING:
    from drctl.lint.engine import Checked

SUFFIXES = (".conf", ".cf")
"""Files of a folder that are checked."""
FEW_FILES = 48
"""So many are read by one process: starting others takes longer."""
_TAG_MARKS = ("{{", "{%", "<%", "{#")
_TEMPLATE = ("DR020", "template", Severity.INFO)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for, the same for all files."""

    version: str = "2.2.7"
    dialect: str = "auto"
    config_id: str | None = None
    ignored: tuple[str, ...] = ()
    is_forced: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Findings in one file and in the files that it includes; `sources` are those with findings,
    `included` the paths of the files that it includes."""

    path: str
    diagnostics: tuple[Diagnostic, ...]
    sources: tuple[SourceFile, ...]
    included: frozenset[str] = frozenset()


def lint_paths(paths: Sequence[str], wishes: Wishes) -> list[Outcome]:
    """The outcome for each file, in order; a file that another one includes is judged there."""
    checked_version(wishes.version)
    _check_codes(wishes.ignored)
    files = list(dict.fromkeys(_files(paths)))
    if len(files) <= FEW_FILES:
        outcomes = [lint_file(file, wishes) for file in files]
    else:
        outcomes = _in_parallel(files, wishes)
    included = {name for outcome in outcomes for name in outcome.included}
    if not included:
        return outcomes
    return [one for one in outcomes if one.path == "-" or _real(one.path) not in included]


def _check_codes(ignored: Iterable[str]) -> None:
    """A misspelt code would silence nothing without a word."""
    from drctl.lint.suppression import split_codes

    if not (codes := split_codes(ignored)):
        return
    from drctl.schema.finding import explanations

    known = {word for code, one in explanations().items() for word in (code, one.name)}
    if unknown := sorted(codes - known):
        raise UsageError(f"--ignore {unknown[0]}: there is no such finding")


def _files(paths: Iterable[str]) -> Iterable[str]:
    for path in paths:
        if path != "-" and is_folder(path):
            from pathlib import Path

            found = [p for p in Path(path).rglob("*") if p.suffix in SUFFIXES and p.is_file()]
            if not found:
                raise FileRefused("check", path, f"no {' or '.join(SUFFIXES)} file in it")
            yield from map(str, sorted(found))
        else:
            yield path


def _in_parallel(files: list[str], wishes: Wishes) -> list[Outcome]:
    import multiprocessing
    from functools import partial

    processes = min(os.cpu_count() or 1, len(files) // FEW_FILES + 1)
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        size = max(1, len(files) // (processes * 8))
        return pool.map(partial(lint_file, wishes=wishes), files, size)


def lint_file(path: str, wishes: Wishes) -> Outcome:
    """What is found in one file."""
    raw = read_bytes(path)
    source = decode("<stdin>" if path == "-" else path, raw)
    may_be_template = not wishes.is_forced and any(mark in source.text for mark in _TAG_MARKS)
    tag = find_template_tag(source.text) if may_be_template else None
    if tag is not None:
        mark = source.text[tag.start : tag.end]
        message = f"{mark} opens a template tag: not checked, since this is no configuration yet"
        hint = "check what it is rendered to, or say --force"
        found = Diagnostic(source.place(tag), *_TEMPLATE, message, hint)
        return _outcome(path, [found], (source,), wishes)
    dialect = detect(source.text) if wishes.dialect == "auto" else wishes.dialect
    if dialect == LVS_CF:
        from drctl.readers.lvs_cf import read
        from drctl.syntax.parser import parse

        reading = read(parse(source, LVS_CF))
        return _outcome(path, reading.diagnostics, (source,), wishes)
    checked = _check(source, wishes)
    included = frozenset(_real(other.path) for other in checked.sources if other is not source)
    return _outcome(path, checked.diagnostics, checked.sources, wishes, included)


def _check(source: SourceFile, wishes: Wishes) -> Checked:
    from drctl.adapters.config_files import ConfigFiles
    from drctl.lint.engine import check_source
    from drctl.schema.table import version_of
    from drctl.syntax.expanded import ExpandOptions

    options = ExpandOptions(
        config_id=wishes.config_id,
        version=version_of(wishes.version),
        host_name=os.uname().nodename,
        environment=os.environ,
    )
    return check_source(source, wishes.version, ConfigFiles(source.path), options)


def _outcome(
    path: str,
    found: Sequence[Diagnostic],
    sources: tuple[SourceFile, ...],
    wishes: Wishes,
    included: frozenset[str] = frozenset(),
) -> Outcome:
    from drctl.lint.suppression import is_silenced, silences, split_codes

    if not found:
        return Outcome(path, (), (), included)
    ignored = split_codes(wishes.ignored)
    by_file = {source.path: silences(source) for source in sources}
    kept = tuple(
        one for one in found if not is_silenced(one, ignored, by_file.get(one.place.path, {}))
    )
    named = {one.place.path for one in kept}
    return Outcome(path, kept, tuple(s for s in sources if s.path in named), included)


def _real(path: str) -> str:
    return os.path.realpath(path)
