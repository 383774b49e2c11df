"""`drctl`: finds the subcommand's module, runs it, and turns what went wrong into exit code 2.

Only the module of the subcommand that was asked for is imported: start-up time is what a
pre-commit hook pays on every commit.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from typing import TYPE_CHECKING

from drctl import __version__, cli
from drctl.cli._help import HelpFormatter
from drctl.errors import DrctlError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

DESCRIPTION = """\
LVS direct routing without fear: reads keepalived.conf and Piranha's lvs.cf into one model, shows
it, converts a Piranha pair into a keepalived pair with everything its real servers need, and
proves the result in a kernel with IPVS.
"""
EPILOG = """\
exit codes: 0 done, or nothing found; 1 findings, differences or losses; 2 wrong usage, or
something in the environment is missing.

"drctl COMMAND --help" explains a command.
"""
_NOT_COMMANDS = frozenset({"main", "common"})


def commands() -> list[str]:
    """Names of all subcommands: the modules beside this one."""
    files = os.listdir(cli.__path__[0])  # noqa: PTH208 - pathlib takes 5 ms to import
    names = {name for name, kind in map(os.path.splitext, files) if kind == ".py"}
    return sorted(name for name in names - _NOT_COMMANDS if name[0] != "_")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    known = commands()
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    names = [wanted] if wanted in known else known
    parser = argparse.ArgumentParser(
        prog="drctl",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"drctl {__version__}")
    subparsers = parser.add_subparsers(
        prog="drctl", metavar="COMMAND", title="commands", dest="command", required=True
    )
    modules = [importlib.import_module(f"drctl.cli.{name}") for name in names]
    for module in modules:
        module.register(subparsers)
    try:
        options = parser.parse_args(arguments)
    except SystemExit as refused:
        tell = getattr(modules[0], "wrong_usage", None)
        if refused.code != 2 or tell is None:
            raise
        return int(tell(arguments))
    try:
        return int(options.run(options))
    except DrctlError as refused:
        print(f"drctl: {refused}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("drctl: interrupted", file=sys.stderr)
        return 130


def entry() -> NoReturn:
    """What the installed program calls."""
    try:
        code = main()
        sys.stdout.flush()
        # all goes with the process; the interpreter would first look for cycles in it, for 15 ms
        gc.freeze()
    except BrokenPipeError:
        # the reader (head, less) has seen enough; the interpreter must not complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)
