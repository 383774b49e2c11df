"""`drctl realserver`: whether a real server is set up right, now and at the next boot."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from drctl.cli._help import HelpFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drctl.realserver.value import Difference, Wanted

_DESCRIPTION = """\
Look at a real server: has it what the directors' configuration wants of it?
"""
_CHECK_DESCRIPTION = """\
Compare what a real server is to have with what its kernel and its boot files have: addresses with
prefix, kernel settings of every interface and what counts, ARP rules of arptables and nftables,
redirections, tunnels, listening sockets. Every difference says what a client would see of it.
Changes nothing. Run it on the real server, as root.
"""
_CHECK_EPILOG = """\
exit codes: 0 no difference; 1 differences; 2 wrong usage, or something cannot be read

examples:
  drctl realserver check /etc/keepalived/keepalived.conf --host 192.0.2.21
  drctl realserver check lvs.cf --host web1 --method arptables --runtime --json
"""
SCHEMA = 1


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli.common import add_dialect, add_json
    from drctl.render.options import ARP_METHODS, NETS

    parser = subparsers.add_parser(
        "realserver",
        help="is a real server set up right, now and at the next boot",
        description=_DESCRIPTION,
        formatter_class=HelpFormatter,
    )
    actions = parser.add_subparsers(metavar="ACTION", title="actions", dest="action", required=True)
    check = actions.add_parser(
        "check",
        help="compare wanted and actual",
        description=_CHECK_DESCRIPTION,
        epilog=_CHECK_EPILOG,
        formatter_class=HelpFormatter,
    )
    check.add_argument("path", metavar="PATH", help="the directors' keepalived.conf or lvs.cf")
    check.add_argument(
        "--host", metavar="NAME", required=True, help="as the conversion names it, or its address"
    )
    check.add_argument(
        "--method", choices=ARP_METHODS, default=ARP_METHODS[0], help="against the ARP problem"
    )
    check.add_argument(
        "--net", choices=NETS, default=NETS[0], help="what brings it all back at boot"
    )
    where = check.add_mutually_exclusive_group()
    where.add_argument("--runtime", action="store_true", help="the running kernel only")
    where.add_argument("--root", metavar="DIR", help="the boot files below DIR only")
    check.add_argument(
        "--format", choices=("text", "json"), default="text", help="for people or programs (text)"
    )
    add_json(check)
    add_dialect(check)
    check.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the differences; 1 when there is one."""
    from pathlib import Path

    from drctl.realserver.compare import compare
    from drctl.realserver.read import read_boot, read_kernel

    wanted = _wanted(options)
    kernel = None if options.root is not None else read_kernel()
    boot = None if options.runtime else read_boot(wanted, Path(options.root or "/"))
    differences = compare(wanted, kernel, boot)
    if options.format == "json":
        _print_json(wanted, differences)
    else:
        _print(wanted, differences)
    return int(bool(differences))


def _wanted(options: argparse.Namespace) -> Wanted:
    from drctl.cli._setup import read_setup
    from drctl.realserver.wanted import wanted_of
    from drctl.render.options import RenderOptions

    setup = read_setup(options.path, options.dialect)
    render = RenderOptions(setup.source, options.method, options.net)
    return wanted_of(setup.hosts, options.host, render)


def _print(wanted: Wanted, differences: Sequence[Difference]) -> None:
    for one in differences:
        print(f"{one.what}: {one.actual}; wanted: {one.wanted}\n    {one.effect}")
    count = len(differences)
    text = "as it is to be" if not count else f"{count} difference{'s' * (count != 1)}"
    print(f"{wanted.host}: {text}", file=sys.stderr if count else sys.stdout)


def _print_json(wanted: Wanted, differences: Sequence[Difference]) -> None:
    import json

    told = [
        {"what": one.what, "wanted": one.wanted, "actual": one.actual, "effect": one.effect}
        for one in differences
    ]
    result = {
        "schema": SCHEMA,
        "host": wanted.host,
        "method": wanted.plan.method,
        "differences": told,
    }
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")
