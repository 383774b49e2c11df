"""`drctl explain FILE:LINE`: reads the file and what it includes, and asks for the line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from drctl.cli._help import columns
from drctl.cli.common import printable_path, read_bytes
from drctl.errors import UsageError
from drctl.syntax.detect import LVS_CF, detect
from drctl.text.source import SourceFile, decode

if TYPE_CHECKING:
    import argparse

    from drctl.syntax.expanded import Files


def explain_place(path: str, number: int, column: int, options: argparse.Namespace) -> Any:
    """What stands at a place, as text or as values for JSON."""
    source = _source(path)
    _check_place(source, number, column)
    main = source if options.main is None else _source(options.main)
    dialect = detect(main.text) if options.dialect == "auto" else options.dialect
    if dialect == LVS_CF:
        return _lvs_cf(source, number, options)
    return _keepalived(source, main, (number, column), options)


def _source(path: str) -> SourceFile:
    return decode("<stdin>" if path == "-" else printable_path(path), read_bytes(path))


def _check_place(source: SourceFile, number: int, column: int) -> None:
    lines = source.text.count("\n") + (not source.text.endswith("\n"))
    lines = lines if source.text else 0
    if not 1 <= number <= lines:
        are = f"{lines} line{'s' if lines != 1 else ''}"
        raise UsageError(f"{source.path} has {are}, there is no line {number}")
    width = len(source.line(number))
    if column > width + 1:
        raise UsageError(f"{source.path}:{number} has {width} columns, there is no column {column}")


def _keepalived(
    source: SourceFile, main: SourceFile, place: tuple[int, int], options: argparse.Namespace
) -> Any:
    from drctl.adapters.config_files import ConfigFiles
    from drctl.report.explain_place import Request, view
    from drctl.report.explain_place_text import Setting, to_json, to_text
    from drctl.schema.load import load_dialect
    from drctl.schema.table import version_of
    from drctl.syntax.expanded import ExpandOptions, expand
    from drctl.syntax.lexer import find_template_tag

    expand_options = ExpandOptions(
        config_id=options.config_id,
        version=version_of(options.target_version),
        host_name=os.uname().nodename,
        environment=os.environ,
    )
    files = ConfigFiles(main.path)
    expanded = expand(main, files, expand_options)
    wanted = os.path.realpath(source.path)

    def is_same(path: str) -> bool:
        return path == source.path or os.path.realpath(path) == wanted

    if source is not main and not any(is_same(one.path) for one in expanded.files):
        raise UsageError(f"{main.path} does not include {source.path}")
    number, column = place
    read = {one.path for one in expanded.files}
    included = tuple(path for path in _included(files, source, number) if path in read)
    request = Request(source, number, column, options.target_version, is_same, included)
    seen = view(expanded, request)
    setting = Setting(
        load_dialect("keepalived"),
        expand_options.version,
        expand_options.identity,
        is_template=find_template_tag(source.text) is not None,
    )
    if options.format == "json":
        return {"topic": _topic(source, number), "kind": "place", **to_json(seen, setting)}
    return to_text(seen, setting, columns())


def _included(files: Files, source: SourceFile, number: int) -> tuple[str, ...]:
    """The files that an include on the line matches, when it is written without definitions."""
    import re

    from drctl.syntax.expand_include import include_of
    from drctl.syntax.expand_text import decomment

    text = re.sub(r"^[ \t]*@\^?\S*", "", decomment(source.line(number)).text).strip()
    include = include_of(text)
    return files.match(include.pattern, source.path).paths if include is not None else ()


def _lvs_cf(source: SourceFile, number: int, options: argparse.Namespace) -> Any:
    from drctl.readers.lvs_cf import read
    from drctl.report.explain_pulse import to_json, to_text, view
    from drctl.syntax.parser import parse

    seen = view(read(parse(source, LVS_CF)), number)
    if options.format == "json":
        return {"topic": _topic(source, number), "kind": "place", **to_json(seen)}
    return to_text(seen, columns())


def _topic(source: SourceFile, number: int) -> str:
    return f"{source.path}:{number}"
