"""`drctl run`: the director daemon."""

from __future__ import annotations

import argparse
from typing import Any

from drctl.cli._help import HelpFormatter

_DESCRIPTION = """\
Run this director: hold the VIPs of the configuration that drctl.toml names, or stand by for the
one that does. It stays in the foreground and logs to standard error; SIGTERM hands everything over
first.
"""
_EPILOG = """\
examples:
  drctl run --leave
      before keepalived takes the VIPs back: they stay, and no director watches them any more
  drctl run -c /etc/drctl/drctl.toml --check
      read everything, say what is wrong or not carried out, and end
  drctl run
      the daemon, as its unit starts it
  drctl run -c /etc/drctl/drctl.toml --units /etc/systemd/system
      write the units by which systemd runs this drctl with this file, and end

exit codes: 0 ended as it was asked to, or nothing wrong found; 1 --leave is refused for now; 2 it
cannot start, with the reasons; 3 ended with its VIPs left on this host, by --leave
"""
LEFT = 3


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli._daemon import CONFIG

    parser = subparsers.add_parser(
        "run",
        help="run the director daemon",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
    )
    parser.add_argument("-c", "--config", metavar="FILE", default=CONFIG, help=f"({CONFIG})")
    parser.add_argument("--check", action="store_true", help="only say whether it could start")
    parser.add_argument(
        "--accept-unsupported",
        action="store_true",
        help="start although statements of the configuration are not carried out",
    )
    parser.add_argument(
        "--units", metavar="DIR", help="write systemd's units for this drctl into DIR (- prints)"
    )
    parser.add_argument(
        "--leave",
        action="store_true",
        help="have the running daemon end and leave its VIPs on this host, unguarded",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run it, or only look whether it could."""
    import logging

    if options.units is not None:
        return _write_units(options.config, options.units)
    if options.leave:
        return _leave(options.config)

    from drctl.daemon import run as daemon

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if options.check:
        found, notes = daemon.check(options.config, accepts_unsupported=options.accept_unsupported)
        for group in found.settings.groups:
            vips = "1 VIP" if len(group.vips) == 1 else f"{len(group.vips)} VIPs"
            print(f"{group.name}: {vips}, priority {group.priority}")
        for statement in (*found.replaced, *found.unsupported):
            print(statement)
        for note in notes:
            print(f"note: {note}")
        return 0
    has_left = daemon.run(options.config, accepts_unsupported=options.accept_unsupported)
    return LEFT if has_left else 0


def _leave(config: str) -> int:
    import sys

    from drctl.cli._daemon import CONTROL, QUICK_S, setting
    from drctl.daemon.control_client import ask

    answer = ask(setting(config, "control", CONTROL), {"command": "leave"}, QUICK_S)
    print(answer["text"], file=sys.stdout if answer["ok"] else sys.stderr)
    return 0 if answer["ok"] else 1


def _write_units(config: str, folder: str) -> int:
    import sys
    from pathlib import Path

    from drctl.daemon.installation import installation
    from drctl.daemon.service_unit import UNITS, units, write_units

    found, unknown = installation(config)
    if unknown:
        note = "drctl: the units are for the folders and ports that are usual"
        print(f"{note}; not known yet:\n{unknown}", file=sys.stderr)
    if folder != "-":
        for path in write_units(Path(folder), found):
            print(path)
        return 0
    made = units(found)
    sys.stdout.write("\n".join(f"### {name}\n\n{made[name]}" for name in UNITS))
    return 0
