"""`drctl reload`: has the daemon read its configuration again."""

from __future__ import annotations

import argparse
from typing import Any

from drctl.cli._help import HelpFormatter

_DESCRIPTION = """\
Have the daemon read drctl.toml and the configuration that it names again. A mistake in them changes
nothing and is told; otherwise only what differs is touched, and what stays as it was does not move.
Says what differs. While a takeover or switchover goes on it waits for its end.
"""


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli._daemon import EXIT_CODES, add_daemon

    parser = subparsers.add_parser(
        "reload",
        help="have the daemon read its configuration again",
        description=_DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=HelpFormatter,
    )
    parser.add_argument(
        "--check", action="store_true", help="only say what would be different, or is wrong"
    )
    add_daemon(parser, has_group=False)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask; the exit code is 1 when the configuration was refused."""
    from drctl.cli._daemon import RELOAD_S, ask, tell

    return tell(options, ask(options, "reload", RELOAD_S, is_check=options.check))
