"""`drctl lint`: what is wrong in configurations, without keepalived, root or the interfaces."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from drctl.cli._help import HelpFormatter

_DESCRIPTION = """\
Check configurations of keepalived and of Piranha (lvs.cf): everything that keepalived -t reports,
with line and column also where keepalived names none, without keepalived, root or the network
devices. Files named by include are read too; a folder stands for all *.conf and *.cf files in it.
"""
_EPILOG = """\
levels:
  error    the program does not understand it, drops it, or stops
  warning  it is changed, deprecated, insecure, or has no effect
  info     worth knowing

Silence one finding with a comment, on its line or on a line of its own above it:
  priority 300  # drctl: ignore[DR211]

"drctl explain CODE" says what a finding means and how to mend it.

exit codes: 0 no finding of level error or warning, 1 such findings, 2 wrong usage or a file that
cannot be read.

example:
  drctl lint --format concise /etc/keepalived/keepalived.conf
"""


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli.common import add_config_id, add_dialect, add_json, add_target_version

    parser = subparsers.add_parser(
        "lint",
        help="say what is wrong in configurations",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", help="file or folder; - is standard input"
    )
    parser.add_argument("--format", choices=("full", "concise", "json"), default="full")
    add_json(parser)
    add_dialect(parser)
    add_target_version(parser)
    add_config_id(parser)
    parser.add_argument(
        "--ignore",
        metavar="CODES",
        action="append",
        default=[],
        help="codes or names of findings to leave out, separated by commas; may be repeated",
    )
    parser.add_argument(
        "--force", action="store_true", help="check templates too, as if they were configurations"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check all files, print, and say by the exit code whether something was found."""
    import gc

    # what a file becomes lives until the end; looking for cycles in it costs a third of the time
    gc.disable()
    from drctl.cli._lint_files import Wishes, lint_paths
    from drctl.report.lint import summary, to_concise, to_full, to_json
    from drctl.text.diagnostic import Severity

    wishes = Wishes(
        version=options.target_version,
        dialect=options.dialect,
        config_id=options.config_id,
        ignored=tuple(options.ignore),
        is_forced=options.force,
    )
    outcomes = lint_paths(options.paths, wishes)
    found = [one for outcome in outcomes for one in outcome.diagnostics]
    if options.format == "json":
        sys.stdout.write(to_json(found, len(outcomes)))
    elif options.format == "concise":
        sys.stdout.write(to_concise(found))
    else:
        sources = {s.path: s for outcome in outcomes for s in outcome.sources}
        sys.stdout.write(to_full(found, sources))
        sys.stderr.write(summary(found, len(outcomes)))
    return int(any(one.severity is not Severity.INFO for one in found))
