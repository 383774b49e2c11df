"""`drctl resume`: ends a pause."""

from __future__ import annotations

import argparse
from typing import Any

from drctl.cli._help import HelpFormatter

_DESCRIPTION = """\
End what "drctl pause" began: this director may hold VIPs again.
"""


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli._daemon import EXIT_CODES, add_daemon

    parser = subparsers.add_parser(
        "resume",
        help="let this director hold VIPs again",
        description=_DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=HelpFormatter,
    )
    add_daemon(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask; the exit code is 1 when a group is not resumed."""
    from drctl.cli._daemon import ask, tell

    return tell(options, ask(options, "resume"))
