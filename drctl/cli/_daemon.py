"""What the commands to a running daemon share: where it listens, asking it, and telling of it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG = "/etc/drctl/drctl.toml"
CONTROL = "/run/drctl/control.sock"
STATE_DIR = "/var/lib/drctl"
QUICK_S = 10.0
"""How long the daemon has for what it can answer at once."""
RELOAD_S = 60.0
SCHEMA = 1

EXIT_CODES = """\
exit codes: 0 done; 1 not done, as the daemon says; 2 wrong usage, or the daemon cannot be asked
"""


def add_daemon(parser: argparse.ArgumentParser, *, has_group: bool = True) -> None:
    """The options that all commands to the daemon have."""
    from drctl.cli.common import add_json

    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help=f"the daemon's drctl.toml, which names its socket ({CONFIG})",
    )
    where.add_argument("--control", metavar="SOCKET", help="the daemon's socket itself")
    if has_group:
        parser.add_argument(
            "--group", metavar="NAME", default="", help="this group only; every group without it"
        )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="for people or programs (text)"
    )
    add_json(parser)


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """The option of commands that wait for the end of what they ask for."""
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        default=30.0,
        help="how long to wait for its end (30)",
    )


def seconds(text: str) -> float:
    """The type of an option."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 < found <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds up to 3600")
    return found


def socket_of(options: argparse.Namespace) -> str:
    """The daemon's socket."""
    return str(options.control or setting(options.config, "control", CONTROL))


def state_dir_of(options: argparse.Namespace) -> str:
    """The daemon's state directory, by its configuration."""
    return setting(options.config, "state_dir", STATE_DIR)


def ask(
    options: argparse.Namespace,
    command: str,
    within_s: float = QUICK_S,
    *,
    target: str = "",
    **more: Any,
) -> dict[str, Any]:
    """Ask the daemon; its answer. Raises NotAnswered."""
    from drctl.daemon.control_client import ask as ask_socket

    request = {
        "command": command,
        "group": getattr(options, "group", ""),
        "target": target,
        "options": more,
    }
    return ask_socket(socket_of(options), request, within_s)


def tell(options: argparse.Namespace, answer: Mapping[str, Any]) -> int:
    """Print what became of a command; the exit code."""
    is_ok = bool(answer.get("ok"))
    if options.format == "json":
        import json

        json.dump({"schema": SCHEMA, **answer}, sys.stdout, indent=2, ensure_ascii=True)
        sys.stdout.write("\n")
        return 0 if is_ok else 1
    for result in answer.get("results", ()):
        out = sys.stdout if result.get("is_done") else sys.stderr
        print(f"{result['group']}: {result['text']}", file=out)
    for line in answer.get("lines", ()):
        print(line, file=sys.stdout if is_ok else sys.stderr)
    if answer.get("text"):
        text = str(answer["text"])
        print(text if is_ok else f"drctl: {text}", file=sys.stdout if is_ok else sys.stderr)
    return 0 if is_ok else 1


def setting(path: str | None, key: str, otherwise: str) -> str:
    """One key of a drctl.toml. Mistakes elsewhere in it do not matter here: the daemon may run by
    an older content. Without a file by that name, the default."""
    import tomllib

    from drctl.cli.common import read_bytes
    from drctl.errors import FileRefused, UsageError

    try:
        raw = read_bytes(path or CONFIG)
    except FileRefused as refused:
        if path is None and isinstance(refused.__cause__, FileNotFoundError):
            return otherwise
        raise
    try:
        found = tomllib.loads(raw.decode()).get(key, otherwise)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as wrong:
        message = f"{path or CONFIG} is no TOML: {wrong}; name the socket by --control"
        raise UsageError(message) from wrong
    if not isinstance(found, str):
        raise UsageError(f"{path or CONFIG}: {key} is no text")
    return found
