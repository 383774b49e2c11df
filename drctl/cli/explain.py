"""`drctl explain`: what a keyword, a line of a configuration, or a finding means."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any

from drctl.cli._help import HelpFormatter, columns

if TYPE_CHECKING:
    from drctl.schema.table import Dialect

SCHEMA = 1
_DESCRIPTION = """\
Explain a keyword of keepalived.conf or lvs.cf, a line of a configuration, or a finding of
"drctl lint".
"""
_EPILOG = """\
topics:
  KEYWORD    what it does, its arguments with their types and ranges, default, versions, what a
             second one does, an example, and the keywords that belong with it. A word that
             stands in several blocks is told for each; vrrp_instance/priority, or --in, names
             one. "$NAME", "@id" and "~SEQ" are the directives of keepalived's lexer.
  FILE:LINE  what keepalived reads on that line, or FILE:LINE:COLUMN, after includes, definitions,
             conditions and sequences; where each value came from, which block it is in, whether
             it counts, and what is found there. For an lvs.cf what pulse makes of it. -- -:LINE
             reads standard input. --main names the file that includes FILE.
  CODE       a finding by code (DR211) or name (bad-value): why it matters, an example, the way out

exit codes: 0 explained; 2 wrong usage, no such keyword, code or line, or FILE cannot be read.

examples:
  drctl explain priority
  drctl explain real_server/weight
  drctl explain /etc/keepalived/keepalived.conf:12
  drctl explain conf.d/web.conf:3 --main keepalived.conf --config-id lb1
  drctl explain timeout --dialect lvs.cf
  drctl explain DR211
"""
_PLACE = re.compile(r"(.+?):([0-9]{1,9})(?::([0-9]{1,9}))?", re.DOTALL)
_CODE = re.compile(r"DR[0-9]{3}", re.IGNORECASE)


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli.common import add_config_id, add_dialect, add_json, add_target_version

    parser = subparsers.add_parser(
        "explain",
        help="say what a keyword, a line of a file, or a finding means",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "topics", metavar="TOPIC", nargs="+", help="KEYWORD, FILE:LINE[:COLUMN] or CODE"
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="for people or programs (text)"
    )
    add_json(parser)
    add_dialect(parser)
    parser.add_argument(
        "--in",
        dest="block",
        metavar="BLOCK",
        help="the block that the keyword stands in, as real_server or vrrp_instance",
    )
    parser.add_argument(
        "--main", metavar="FILE", help="the configuration that includes the FILE of FILE:LINE"
    )
    add_target_version(parser)
    add_config_id(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Explain each topic, one below the other; the exit code is 0."""
    from drctl.cli.common import checked_version

    checked_version(options.target_version)
    explained = [_explain(topic, options) for topic in options.topics]
    if options.format == "json":
        import json

        document = {"schema": SCHEMA, "topics": explained}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=True) + "\n")
    else:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        sys.stdout.write("\n".join(explained))
    return 0


def _explain(topic: str, options: argparse.Namespace) -> Any:
    """One topic, as text or as values for JSON."""
    place = _PLACE.fullmatch(topic)
    if place is not None:
        from drctl.cli._explain_place import explain_place

        # the last numbers count: a file may have colons in its name
        path, line, column = place.groups()
        head, _, tail = topic.rpartition(":")
        if column is not None and not _exists(path) and _exists(head):
            path, line, column = head, tail, None
        return explain_place(path, int(line), int(column or 0), options)
    if _CODE.fullmatch(topic):
        return _code(topic, options)
    return _keyword(topic, options)


def _exists(path: str) -> bool:
    import os

    return path == "-" or os.path.exists(path)  # noqa: PTH110 - pathlib takes 5 ms to import


def _code(topic: str, options: argparse.Namespace) -> Any:
    from drctl.errors import UsageError
    from drctl.report.explain_code import to_json, to_text
    from drctl.schema.finding import explanation_of

    found = explanation_of(topic)
    if found is None:
        raise UsageError(f"{topic} is no code of drctl; docs/lint.md lists them")
    if options.format == "json":
        return {"topic": topic, "kind": "code", **to_json(found)}
    return to_text(found, columns())


def _keyword(topic: str, options: argparse.Namespace) -> Any:
    from drctl.report.explain_keyword import to_json, to_text, words_json, words_text
    from drctl.schema.finding import explanation_of
    from drctl.schema.lookup import find
    from drctl.schema.table import version_of

    dialects = _dialects(options.dialect)
    found = find(dialects, topic, options.block)
    # words inside arguments are keepalived's alone, and no block narrows them down
    words = words_json(dialects[0], topic) if options.block is None else []
    if not found and not words:
        if explanation_of(topic) is not None:
            return _code(topic, options)
        _refuse(topic, dialects)
    version = version_of(options.target_version)
    if options.format == "json":
        keywords = to_json(found, version)
        return {"topic": topic, "kind": "keyword", "keywords": keywords, "words": words}
    pages = [to_text(found, version, columns())] if found else []
    if words:
        pages.append(words_text(dialects[0], topic, columns()))
    return "\n".join(pages)


def _dialects(name: str) -> list[Dialect]:
    from drctl.schema.load import load_dialect
    from drctl.syntax.detect import DIALECTS

    names = DIALECTS if name == "auto" else (name,)
    return [load_dialect(one) for one in sorted(names, key=lambda one: one != "keepalived")]


def _refuse(topic: str, dialects: list[Dialect]) -> None:
    """Say that nothing is called so, and what may be meant."""
    from drctl.errors import UsageError
    from drctl.report.explain_keyword import shown_path
    from drctl.schema.lookup import find, suggestions

    elsewhere = find(dialects, topic.rpartition("/")[2].rpartition(".")[2])
    if elsewhere:
        paths = dict.fromkeys(path for one in elsewhere for path in one.paths)
        where = ", ".join(map(shown_path, paths))
        raise UsageError(f"no keyword {topic} there; it stands in {where}")
    if _exists(topic):
        raise UsageError(f"{topic} is a file: write {topic}:LINE for one of its lines")
    close = suggestions(dialects, topic)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise UsageError(f"no keyword or finding is called {topic}{hint}")
