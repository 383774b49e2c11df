"""`drctl status`: what a running daemon holds, hears and complains of."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from drctl.cli._help import HelpFormatter

_DESCRIPTION = """\
Show the role of this director in each group, whom it hears, and which alarms stand. With --watch
the view is renewed until it is interrupted.
"""
_EPILOG = """\
columns:
  ROLE       active: it holds the VIPs; standby: it would take them; fault, held: it would not;
             suspect, taking, yielding: on the way
  EPOCH      grows with each takeover
  SINCE      how long it has had this role
  WITNESSES  stations of a segment whose answers prove that the interface works

exit codes: 0 shown; 2 wrong usage, or the daemon cannot be asked
"""
_HOME_AND_CLEAR = "\x1b[H\x1b[J"


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli._daemon import add_daemon, seconds

    parser = subparsers.add_parser(
        "status",
        help="show what the daemon holds and hears",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
    )
    add_daemon(parser)
    parser.add_argument("--watch", action="store_true", help="go on until interrupted")
    parser.add_argument(
        "--interval",
        metavar="SECONDS",
        type=seconds,
        default=1.0,
        help="with --watch: how often to look (1)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show it once, or until interrupted."""
    if not options.watch:
        sys.stdout.write(_page(options))
        return 0
    import time

    from drctl.daemon.control_client import NotAnswered

    is_live = sys.stdout.isatty() and options.format == "text"
    try:
        while True:
            try:
                page = _page(options)
            except NotAnswered as refused:
                # a daemon that is started again comes back
                if not is_live:
                    raise
                page = f"drctl: {refused}\n"
            sys.stdout.write(_HOME_AND_CLEAR + page if is_live else page)
            sys.stdout.flush()
            time.sleep(options.interval)
    except KeyboardInterrupt:
        return 0


def _page(options: argparse.Namespace) -> str:
    import json
    import time

    from drctl.cli._daemon import ask
    from drctl.errors import DrctlError, UsageError
    from drctl.report.status import to_text

    answer = ask(options, "status")
    if not answer.get("ok"):
        raise DrctlError(str(answer.get("text", "the daemon does not say how it is")))
    status = answer["status"]
    names = [group["name"] for group in status["groups"]]
    if options.group and options.group not in names:
        raise UsageError(f"no group is called {options.group}; there is {', '.join(names)}")
    if options.format == "json":
        if options.group:
            groups = [group for group in status["groups"] if group["name"] == options.group]
            status = {**status, "groups": groups}
        # one document a line when there are many
        return json.dumps(status, indent=None if options.watch else 2, ensure_ascii=True) + "\n"
    now_ms = time.time_ns() // 1_000_000
    return to_text(status, now_ms, options.group, has_colours=sys.stdout.isatty())
