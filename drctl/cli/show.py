"""`drctl show`: the model of a configuration, and where every value came from."""

from __future__ import annotations

import argparse
import io
import sys
from typing import TYPE_CHECKING, Any

from drctl.cli._help import HelpFormatter

if TYPE_CHECKING:
    from drctl.readers.reading import Reading

_DESCRIPTION = """\
Print what a keepalived.conf or an lvs.cf means: directors, VRRP instances with their addresses,
routes and rules, what is tracked, virtual services, real servers and checks, each value with the
line it came from. What the model has no
place for is listed at the end. For an lvs.cf it also says whether Piranha's pulse (0.8.6) would
have accepted the file, and if not, at which line it stopped with which message.

A keepalived.conf is shown as keepalived reads it: with the files that it includes, @ID lines
decided, $NAME definitions and ~SEQ, ~LST written out. Each value has the place where its statement
stands, and the definitions that it came from.
"""
_EPILOG = """\
formats:
  tree   (default) every value, its unit, its place; "default" where the file is silent
  table  a line for each instance, VIP, tracked thing, route, rule and real server
  json   everything, for programs: {"schema": 2, "path", "dialect", "encoding", "is_template",
         "pulse": {"accepts", "line", "message"}, "config_id", "files", "model", "leftovers",
         "includes", "definitions", "conditions", "sequences", "diagnostics"}

Findings about the text go to standard error, or into the JSON. Lines that only pulse rejects are
warnings. Passwords are shown as ********. docs/show.md describes the findings and the JSON.

exit codes:
  0  all of the file was understood
  1  something was not: a value, a broken block, a file that is included
  2  wrong usage, or PATH cannot be read

examples:
  drctl show /etc/keepalived/keepalived.conf
  drctl show --config-id lb2 keepalived.conf
      what the director that runs keepalived -i lb2 makes of a file that both share
  drctl show --format table /etc/sysconfig/ha/lvs.cf
  ssh root@192.0.2.3 cat /etc/sysconfig/ha/lvs.cf | drctl show -
"""


_NOT_READ = frozenset({"missing-include", "unreadable-include"})
"""Findings about files that are not shown, though keepalived goes on without them."""


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli.common import add_config_id, add_dialect, add_json, add_target_version

    parser = subparsers.add_parser(
        "show",
        help="print what a configuration means, and where every value came from",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "path", metavar="PATH", help="keepalived.conf or lvs.cf; - is standard input"
    )
    parser.add_argument(
        "--format",
        choices=("tree", "table", "json"),
        default="tree",
        help="one of the formats below (tree)",
    )
    add_json(parser)
    add_dialect(parser)
    add_config_id(parser)
    add_target_version(parser)
    parser.add_argument(
        "--as-written",
        action="store_true",
        help="show the text of PATH as it stands: includes, definitions, conditions and sequences "
        "are leftovers",
    )
    parser.set_defaults(run=run)


def _shown(reading: Reading, form: str) -> str:
    from drctl.report.show import to_json, to_tree

    if form == "table":
        from drctl.report.show_table import to_table

        return to_table(reading)
    return to_json(reading) if form == "json" else to_tree(reading)


def run(options: argparse.Namespace) -> int:
    """Read, print, and say by the exit code whether the text itself has errors."""
    from drctl.cli.common import checked_version, read_configuration
    from drctl.report.text import to_summary
    from drctl.text.diagnostic import Severity

    reading = read_configuration(
        options.path,
        options.dialect,
        config_id=options.config_id,
        version=checked_version(options.target_version),
        is_expanded=not options.as_written,
    )
    if options.format != "json":
        sources = (document.source for document in reading.documents)
        sys.stderr.write(to_summary(reading.diagnostics, *sources))
    if isinstance(sys.stdout, io.TextIOWrapper):
        # what the terminal cannot show is written as an escape
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stdout.write(_shown(reading, options.format))
    found = reading.diagnostics
    return int(any(d.severity is Severity.ERROR or d.name in _NOT_READ for d in found))
