"""`drctl keygen`: makes the keys that directors know each other by."""

from __future__ import annotations

import argparse
from typing import Any

from drctl.cli._help import HelpFormatter

_DESCRIPTION = """\
Make the heartbeat keys of directors: for each NODE a file NODE.secret, which belongs on that node
alone, and a file NODE.public, which belongs on all the others. Keys that are there are not
overwritten.
"""
_EPILOG = """\
files:
  NODE.secret  mode 0600; drctl run refuses one that others can read
  NODE.public  may have further "public" lines: while a node changes its key, the others accept both

examples:
  drctl keygen lb1 lb2 -o keys
      then lb1 gets lb1.secret and lb2.public in /etc/drctl, lb2 gets lb2.secret and lb1.public
  drctl keygen lb1 -o new
      a new key for lb1; docs/failover-settings.md has the order in which it replaces the old one

exit codes: 0 made; 2 wrong usage, files that are there already, or a folder that cannot be written
"""


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli.common import add_json

    parser = subparsers.add_parser(
        "keygen",
        help="make the keys that directors know each other by",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
    )
    parser.add_argument("nodes", metavar="NODE", nargs="+", help="name of a director")
    parser.add_argument(
        "-o", "--output", metavar="DIR", required=True, help="folder for the files; made if missing"
    )
    parser.add_argument("--force", action="store_true", help="replace keys that are there")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="what is printed (text)"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make all keys, or none when one of them cannot be."""
    from drctl.adapters.key_files import write_keys
    from drctl.adapters.keys import is_node_name
    from drctl.errors import UsageError

    nodes: list[str] = options.nodes
    for node in nodes:
        if not is_node_name(node):
            raise UsageError(f"{node}: a node's name is letters, digits, dots and hyphens")
    twice = next((node for node in nodes if nodes.count(node) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice")
    made = write_keys(nodes, options.output, is_forced=options.force)
    if options.format == "json":
        import json

        keys = [
            {"node": one.node, "secret": one.secret, "public": one.public, "public_key": one.key}
            for one in made
        ]
        print(json.dumps({"schema": 1, "keys": keys}, indent=2))
        return 0
    for one in made:
        print(f"{one.secret}  secret: to {one.node} alone, mode 0600")
        print(f"{one.public}  public: to the other directors")
    return 0
