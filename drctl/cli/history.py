"""`drctl history`: what a daemon did, and why, across restarts."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

from drctl.cli._help import HelpFormatter

_DESCRIPTION = """\
Show what happened: every change of role with its evidence, alarms, commands of operators, starts
and ends of the daemon. The history outlives the daemon; with -c it is read without one that runs.
"""
_EPILOG = """\
exit codes: 0 shown; 2 wrong usage, or there is no history

examples:
  drctl history --group web --since 2h
  drctl history --kind role --json
"""
_KINDS = ("role", "alarm", "command", "reload", "track", "script", "link", "start", "stop", "lost")
_DURATION = re.compile(r"([0-9]{1,9})(s|m|min|h|d)?")
_UNITS_MS = {"s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
SCHEMA = 1


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli._daemon import add_daemon

    parser = subparsers.add_parser(
        "history",
        help="show what the daemon did, and why",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
    )
    add_daemon(parser)
    parser.add_argument(
        "--limit", metavar="N", type=_count, default=100, help="the last N events (100)"
    )
    parser.add_argument(
        "--since", metavar="DURATION", type=_duration_ms, help="only that far back, as 90s, 2h, 7d"
    )
    parser.add_argument(
        "--kind",
        action="append",
        choices=_KINDS,
        default=[],
        help="only events of this kind; may be given more than once",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show the events, the oldest first."""
    import time

    from drctl.daemon.history import read
    from drctl.report.history import to_text

    since_ms = 0
    if options.since is not None:
        since_ms = time.time_ns() // 1_000_000 - options.since
    events = read(
        _path(options),
        group=options.group,
        kinds=options.kind,
        since_ms=since_ms,
        limit=options.limit,
    )
    if options.format == "json":
        import json

        document = {"schema": SCHEMA, "events": events}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=True) + "\n")
    else:
        sys.stdout.write(to_text(events))
    return 0


def _path(options: argparse.Namespace) -> str:
    """Where the history is: beside the state that the configuration names, or as the daemon of a
    socket says."""
    from drctl.cli._daemon import ask, state_dir_of

    if options.control is None:
        return f"{state_dir_of(options)}/history.sqlite3"
    return str(ask(options, "about")["history"])


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 to 1000000")
    return int(text)


def _duration_ms(text: str) -> int:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is no duration like 90s, 20min, 2h or 7d")
    return int(found[1]) * _UNITS_MS[found[2] or "s"]
