"""`drctl lab up`, `down`, `shell`, and scenarios: a setup that stays, in network namespaces."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from drctl.cli._help import HelpFormatter

if TYPE_CHECKING:
    from drctl.lab.setup.design import Design
    from drctl.lab.setup.state import State

NAME = "lab"
_UP_DESCRIPTION = """\
Build the setup that a configuration describes, on this machine: a client, a switch, the pair of
directors, the real servers, and a bystander that is no part of it, each in a network namespace of
its own, and let it run. The directors run "drctl run", the real servers are set up as "drctl
realserver apply --runtime" does it, and "drctl verify" looks from the client. Addresses and devices
are those of the configuration; programs that it calls are left out. A lab that is there, or was
begun, is made whole.
"""
_UP_EPILOG = """\
Nothing in the root namespace is changed. On this machine's kernel, where that has no IPVS, the
directors move the VIPs, but forward nothing. With --kernel uml or qemu it is in a guest that has
IPVS and stays: the same commands are for it, and run there. Its files are this machine's, and what
is written is gone with it.

exit codes: 0 it is up, and every VIP is answered by one director; 1 it is up, and a VIP is not; 2
wrong usage, not root, or it could not be made

examples:
  drctl lab up
      the example that comes with drctl
  drctl lab up /etc/keepalived/keepalived.conf --method nftables
  drctl lab up --kernel uml
      the client's requests are balanced there
  drctl lab shell web1 drctl verify /etc/keepalived/keepalived.conf
  drctl lab run kill
  drctl lab down
"""
_DOWN_DESCRIPTION = """\
Take a lab away, whole or half made: its processes (shells in it too), network namespaces and files.
"""
_DOWN_EPILOG = """\
exit codes: 0 it is gone, or there was none; 2 wrong usage, not root, or something stays
"""
_SHELL_DESCRIPTION = """\
Run a command, or a shell, on a host of the lab, as root in its network namespace. Files are this
machine's.
"""
_SHELL_EPILOG = """\
exit codes: the command's; 2 wrong usage, or there is no such lab or host

examples:
  drctl lab shell client
  drctl lab shell web1 ip -brief address
"""


def register(actions: Any) -> None:
    """Add the actions' parsers."""
    _register_up(actions)
    down = actions.add_parser(
        "down",
        help="take it away",
        description=_DOWN_DESCRIPTION,
        epilog=_DOWN_EPILOG,
        formatter_class=HelpFormatter,
    )
    add_name(down)
    down.add_argument("--json", action="store_true", help="print what was taken away as JSON")
    down.set_defaults(run=run_down)
    shell = actions.add_parser(
        "shell",
        help="a shell or a command on a host of it",
        description=_SHELL_DESCRIPTION,
        epilog=_SHELL_EPILOG,
        formatter_class=HelpFormatter,
    )
    add_name(shell)
    shell.add_argument("host", metavar="HOST", help="as drctl lab up names it")
    shell.add_argument(
        "words", metavar="COMMAND", nargs=argparse.REMAINDER, help="and its arguments (a shell)"
    )
    shell.set_defaults(run=run_shell)


def _register_up(actions: Any) -> None:
    from drctl.cli.common import add_dialect
    from drctl.lab.method import HERE, KERNELS
    from drctl.render.options import ARP_METHODS

    up = actions.add_parser(
        "up",
        help="build the setup in network namespaces, and let it run",
        description=_UP_DESCRIPTION,
        epilog=_UP_EPILOG,
        formatter_class=HelpFormatter,
    )
    up.add_argument(
        "path",
        metavar="PATH",
        nargs="?",
        help="lvs.cf or keepalived.conf (the example that comes with drctl)",
    )
    add_name(up)
    up.add_argument(
        "--method",
        choices=ARP_METHODS,
        default=ARP_METHODS[0],
        help=f"of the real servers, against the ARP problem ({ARP_METHODS[0]})",
    )
    up.add_argument(
        "--kernel",
        choices=(HERE, *KERNELS),
        help="where its hosts are: here, on this machine's, or in a guest that has IPVS, User-mode "
        f"Linux or QEMU (as the lab is that is there; {HERE})",
    )
    up.add_argument(
        "--json", action="store_true", help="print it as JSON (docs/lab.md has the schema)"
    )
    up.add_argument("-v", "--verbose", action="store_true", help="print every step")
    add_dialect(up)
    up.set_defaults(run=run_up)


def add_name(parser: Any) -> None:
    """The option that tells labs apart."""
    parser.add_argument(
        "--name", metavar="NAME", default=NAME, help=f"of the lab, where there are several ({NAME})"
    )


def run_up(options: argparse.Namespace) -> int:
    """Make it, or make it whole; tell what there is."""
    from drctl.lab.method import HERE
    from drctl.lab.setup import show
    from drctl.lab.setup.design import Source
    from drctl.lab.setup.site import bring_up
    from drctl.lab.setup.watch import is_healthy

    source = Source(configuration_path(options.path), options.dialect, options.method)
    known = in_guest(options.name)
    kernel = options.kernel or (known.kernel if known else HERE)
    if kernel != HERE:
        from drctl.cli import _lab_guest

        return _lab_guest.bring_up(options, source, kernel)
    up = bring_up(design(options.name, source), progress(is_verbose=options.verbose))
    clear()
    if options.json:
        json.dump(show.as_json(up), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print("\n".join(show.as_text(up)))
    return int(not is_healthy(up.result))


def configuration_path(given: str | None) -> str:
    """The file that is named, or the example's, as it can be read from anywhere."""
    from pathlib import Path

    from drctl.errors import UsageError
    from drctl.resources import resource_dir

    if given == "-":
        raise UsageError("a lab needs a file, which it can read again; - is standard input")
    path = Path(given) if given is not None else resource_dir("examples") / "piranha" / "lvs.cf"
    return str(path.absolute())


def design(name: str, source: Any) -> Design:
    """What a configuration file makes a lab of."""
    from drctl.cli.common import read_configuration
    from drctl.convert.directors import directors_of
    from drctl.convert.ledger import Ledger
    from drctl.convert.options import ConvertOptions
    from drctl.lab.setup.design import check_name, design_of
    from drctl.lab.setup.state import folder_of

    check_name(name)
    reading = read_configuration(source.path, source.dialect)
    directors = directors_of((reading,), ConvertOptions(), Ledger())
    return design_of(name, source, reading.configuration, directors, folder_of(name))


def run_down(options: argparse.Namespace) -> int:
    """Take it away."""
    from drctl.lab.door import lab
    from drctl.lab.setup.design import check_name
    from drctl.lab.setup.site import bring_down

    known = in_guest(check_name(options.name))
    gone = lab.bring_down(options.name) if known else bring_down(options.name)
    if options.json:
        told = {
            "schema": 1,
            "name": options.name,
            "processes": gone.processes if gone else 0,
            "namespaces": list(gone.namespaces) if gone else [],
        }
        print(json.dumps(told, indent=2))
    elif gone is None:
        print(f"there is no lab {options.name}")
    else:
        of = (
            "its guest"
            if known
            else f"{gone.processes} processes, {len(gone.namespaces)} namespaces"
        )
        print(f"lab {options.name} is gone: {of}")
    return 0


def run_shell(options: argparse.Namespace) -> int:
    """Become the command."""
    from drctl.errors import DrctlError
    from drctl.lab.setup import process
    from drctl.lab.setup.build import check_machine

    check_machine()
    if known := in_guest(options.name):
        from drctl.cli import _lab_guest

        return _lab_guest.shell(known, options)
    found = existing(options.name)
    namespace = found.namespace(found.host(options.host).name)
    environment = process.mark(options.name, f"shell {options.host}")
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        prompt = f"({options.name}: {options.host}) \\w \\$ "
        environment["PS1"] = prompt
        words = [os.environ.get("SHELL") or "/bin/sh"]
        if words[0].endswith("/bash"):
            words += ["--norc", "-i"]
    sys.stdout.flush()
    try:
        os.execvpe("ip", ["ip", "netns", "exec", namespace, *words], environment)
    except OSError as refused:
        raise DrctlError(f"cannot run ip: {refused.strerror}") from refused


def in_guest(name: str) -> State | None:
    """What is known of a lab that is in a guest; None when it is not."""
    from drctl.lab.setup.design import check_name
    from drctl.lab.setup.state import read

    known = read(check_name(name))
    return known if known and known.kernel else None


def existing(name: str) -> Design:
    """The lab of this name as it was made. Raises UsageError when there is none, or when its
    configuration is another one now."""
    from drctl.errors import UsageError
    from drctl.lab.setup.design import check_name
    from drctl.lab.setup.state import names, read

    known = read(check_name(name))
    if known is None:
        there = ", ".join(names())
        other = f"; there are {there}" if there else ""
        raise UsageError(f"there is no lab {name}: `drctl lab up` makes one{other}")
    found = design(name, known.source)
    if found.digest != known.digest:
        raise UsageError(f"{known.source.path} was changed since lab {name} was made: down, and up")
    return found


def run_scenario(options: argparse.Namespace) -> int:
    """Play one in the lab; without a lab in one of the example, that goes again."""
    from drctl.lab.setup import show_play
    from drctl.lab.setup.design import Source
    from drctl.lab.setup.scenario import scenario_named, vip_for
    from drctl.lab.setup.site import bring_down, bring_up, known_lab, playing
    from drctl.render.options import ARP_METHODS

    scenario = scenario_named(options.path)
    if known := in_guest(options.name):
        from drctl.cli import _lab_guest

        return _lab_guest.play(known, options)
    is_mine = known_lab(options.name) is None
    if is_mine:
        found = design(options.name, Source(configuration_path(None), "auto", ARP_METHODS[0]))
    else:
        found = existing(options.name)
    vip_for(found, scenario)
    tell = progress(is_verbose=options.verbose)
    try:
        if is_mine:
            bring_up(found, tell)
        outcome = playing(found, scenario, tell)
    finally:
        if is_mine:
            bring_down(options.name)
        clear()
    if options.json:
        json.dump(show_play.as_json(outcome), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print("\n".join(show_play.as_text(outcome)))
    return int(bool(outcome.problems()))


def list_scenarios(*, is_json: bool) -> int:
    """All of them."""
    from drctl.lab.setup import show_play
    from drctl.lab.setup.scenario import SCENARIOS

    if is_json:
        print(json.dumps(show_play.list_json(), indent=2))
    else:
        print("\n".join(show_play.listed(SCENARIOS.values())))
    return 0


def progress(*, is_verbose: bool) -> Any:
    """The step at work, on standard error when that is a terminal; a line for each with -v."""

    def append(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def rewrite(text: str) -> None:
        print(f"\r\033[K{text[:100]}", end="", file=sys.stderr, flush=True)

    if is_verbose:
        return append
    return rewrite if sys.stderr.isatty() else lambda _text: None


def clear() -> None:
    """No step is at work any more."""
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
