"""`drctl pause`: keeps a director from taking the VIPs."""

from __future__ import annotations

import argparse
from typing import Any

from drctl.cli._help import HelpFormatter

_DESCRIPTION = """\
Have this director give its VIPs to another one, and take none until "drctl resume", also when the
daemon or the machine starts again.
"""


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli._daemon import EXIT_CODES, add_daemon, add_timeout

    parser = subparsers.add_parser(
        "pause",
        help="keep this director from holding VIPs, also after a restart",
        description=_DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=HelpFormatter,
    )
    add_daemon(parser)
    add_timeout(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask, and wait for the end; the exit code is 1 when a group is not paused."""
    from drctl.cli._daemon import QUICK_S, ask, tell

    wait_s = options.timeout
    return tell(options, ask(options, "pause", wait_s + QUICK_S, timeout_s=wait_s))
