"""`drctl switch`: a planned change of the active director."""

from __future__ import annotations

import argparse
from typing import Any

from drctl.cli._help import HelpFormatter

_DESCRIPTION = """\
Hand the VIPs over to another director while both live: no packet is lost and no request is
answered twice. Run it on any director: one that does not hold the VIPs asks the one that does.
Returns when another one has the VIPs, or when it did not come to that and nothing has changed.
"""


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli._daemon import EXIT_CODES, add_daemon, add_timeout

    parser = subparsers.add_parser(
        "switch",
        help="hand the VIPs over to another director, without loss",
        description=_DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=HelpFormatter,
    )
    add_daemon(parser)
    parser.add_argument(
        "--target", metavar="NODE", default="", help="the director to switch to (the best one)"
    )
    add_timeout(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask, and wait for the end; the exit code is 1 when a group did not switch."""
    from drctl.cli._daemon import QUICK_S, ask, tell

    wait_s = options.timeout
    answer = ask(options, "switch", wait_s + QUICK_S, target=options.target, timeout_s=wait_s)
    return tell(options, answer)
