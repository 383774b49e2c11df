"""`drctl lab`: a whole LVS setup in a guest kernel, from one configuration file."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import TYPE_CHECKING, Any

from drctl.cli._help import HelpFormatter
from drctl.errors import UsageError
from drctl.resources import is_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

_DESCRIPTION = """\
The whole setup of a configuration on one machine, without touching it: up, shell and down are of
one in network namespaces that stays; run SCENARIO breaks something in that, run PATH tries a file
in a guest kernel with IPVS.
"""
_RUN_DESCRIPTION = """\
With SCENARIO (--list has all): break one thing in the lab that "drctl lab up" made, show what
"drctl verify" says before, meanwhile and after the repair, and who answered the client all the
time. Without a lab, in one of the example, which is taken down again. With --kernel uml or qemu all
of it, with the setup of --config, is made and played in a guest kernel that has IPVS.

With PATH: convert a configuration as "drctl convert" does and try the result: boot a guest kernel,
build a switch, a client, both directors and all real servers in it, run every host's generated
install.sh, start keepalived on the directors, and measure from the client who answers ARP for the
VIPs, which real server serves each request, and which way the replies go. Then the link of the
active director is taken down, and everything is measured again.

The method none gives the real servers their VIPs without any ARP rule: there the lab must see the
ARP problem strike (a real server answers for a VIP), or it fails, since a lab that cannot show
the problem cannot show its absence either.
"""
_RUN_EPILOG = """\
methods:
  none            the VIPs on the real servers and nothing else: must be hijacked
  sysctl          arp_ignore and arp_announce
  arptables       arptables rules (arptables-legacy)
  iptables        no VIP on the real servers, iptables redirects
  nftables        an nftables arp table                              (qemu only)
  arptables-nft   arptables rules, with arptables over nft           (qemu only)
  nft-redirect    no VIP on the real servers, nftables redirects     (qemu only)

kernels:
  uml    User-mode Linux: boots in seconds, has no nf_tables. Debian package user-mode-linux
  qemu   Debian's kernel, emulated: has everything, is several times slower. Debian packages
         qemu-system-x86 and linux-image-amd64, and virtme-ng
  auto   uml if it can do all methods that are asked for, else qemu (default)

safety:
  The guest's root is the machine's file system, read-only. Every host of the lab has an overlay
  of its own in the guest's memory, and everything generated is installed there.

exit codes:
  0  the scenario was as it has to be; every assertion holds (for the method none: the hijack was
     seen)
  1  the scenario was not; an assertion failed, or a generated installer did
  2  wrong usage, not root, or a tool is missing

examples:
  drctl lab run kill
      the active director is killed, in the lab that is up
  drctl lab run hang --kernel uml --config keepalived.conf
      the same setup in a guest kernel with IPVS, where the client is served; a director hangs
  drctl lab run
      the example configuration without rules, then with the default method: before and after
  drctl lab run /etc/sysconfig/ha/lvs.cf --method none --method arptables
  drctl lab run lvs.cf --method nftables --json --keep lab-files
"""


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    parser = subparsers.add_parser(
        "lab",
        help="a whole setup on this machine: to look at, to break, to try in a kernel with IPVS",
        description=_DESCRIPTION,
        formatter_class=HelpFormatter,
    )
    actions = parser.add_subparsers(metavar="ACTION", title="actions", dest="action", required=True)
    from drctl.cli import _lab_setup

    _lab_setup.register(actions)
    _register_run(actions)


def _register_run(actions: Any) -> None:
    from drctl.cli import _lab_setup
    from drctl.cli.common import add_dialect
    from drctl.lab.method import KERNELS, METHODS

    run_parser = actions.add_parser(
        "run",
        help="break something in it; or try a file in a guest kernel",
        description=_RUN_DESCRIPTION,
        epilog=_RUN_EPILOG,
        formatter_class=HelpFormatter,
    )
    run_parser.add_argument(
        "path",
        metavar="SCENARIO|PATH",
        nargs="?",
        help="what to play in the lab; or what to try in a guest kernel: lvs.cf or "
        "keepalived.conf, - is standard input (the example that comes with drctl)",
    )
    _lab_setup.add_name(run_parser)
    run_parser.add_argument(
        "--config",
        metavar="PATH",
        help="for a scenario with --kernel: lvs.cf or keepalived.conf (the example)",
    )
    run_parser.add_argument("--list", action="store_true", help="list the scenarios, and end")
    run_parser.add_argument(
        "--method",
        action="append",
        choices=tuple(METHODS),
        metavar="METHOD",
        help="what to try, one of the methods below; may be given several times, all are tried in "
        "one guest (none, then sysctl)",
    )
    run_parser.add_argument(
        "--kernel", choices=("auto", *KERNELS), default="auto", help="one of those below (auto)"
    )
    run_parser.add_argument(
        "--json", action="store_true", help="print the result as JSON (docs/lab.md has the schema)"
    )
    run_parser.add_argument(
        "--keep", metavar="DIR", help="copy the generated files, the plan and the logs to DIR"
    )
    run_parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="print every assertion, also those that hold, and every step",
    )
    add_dialect(run_parser)
    run_parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Play a scenario, or try a file in a guest kernel."""
    from drctl.cli import _lab_setup

    if options.list:
        return _lab_setup.list_scenarios(is_json=options.json)
    if not _is_scenario(options.path):
        if options.config is not None:
            raise UsageError("--config is for a scenario; name the file itself to have it tried")
        return _try(options)
    if options.keep is not None:
        raise UsageError("--keep is for a trial of a file, not for a scenario")
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    if options.kernel != "auto":
        from drctl.cli import _lab_guest

        return _lab_guest.run_scenario(options)
    for option in ("config", "method"):
        if getattr(options, option) is not None:
            raise UsageError(
                f"--{option} is for a scenario in a guest (--kernel): the lab here has its own"
            )
    return _lab_setup.run_scenario(options)


def _is_scenario(path: str | None) -> bool:
    """Whether it names one, and no file. Raises UsageError for what looks like neither."""
    if path is None or path == "-":
        return False
    from drctl.lab.setup.scenario import SCENARIOS

    if path in SCENARIOS:
        return True
    if not is_file(path) and not {"/", "."} & set(path):
        names = ", ".join(SCENARIOS)
        raise UsageError(f"{path} is no file, and no scenario; scenarios are {names}")
    return False


def _try(options: argparse.Namespace) -> int:
    """Boot, measure, tell."""
    from pathlib import Path

    from drctl.cli.common import read_configuration
    from drctl.lab.run import LabRequest, run_lab
    from drctl.lab.scenario import scenario_of
    from drctl.lab.text import to_json, to_text
    from drctl.resources import resource_dir

    path = Path(options.path) if options.path else resource_dir("examples") / "piranha" / "lvs.cf"
    methods = tuple(dict.fromkeys(options.method or ("none", "sysctl")))
    scenario = scenario_of(read_configuration(str(path), options.dialect))
    keep = None if options.keep is None else _new_folder(options.keep)
    request = LabRequest(path.resolve(), methods, options.kernel, options.dialect, keep)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    try:
        result = run_lab(request, scenario, _progress(is_verbose=options.verbose))
    finally:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
    sys.stdout.write(
        to_json(result) if options.json else to_text(result, is_verbose=options.verbose)
    )
    return int(not result.holds)


def _new_folder(name: str) -> Path:
    """The folder for --keep: made here, so that a bad name shows before the guest is booted."""
    from pathlib import Path

    from drctl.errors import FileRefused

    path = Path(name)
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise FileRefused("use", name, "it is not empty")
    except OSError as refused:
        raise FileRefused("make", name, refused) from refused
    return path


def _stop(number: int, _frame: FrameType | None) -> None:
    """A signal ends the guest the same way as Ctrl-C."""
    sys.exit(128 + number)


def _progress(*, is_verbose: bool) -> Callable[[str], None]:
    """Steps on standard error: one line that changes on a terminal, line by line with -v."""

    def rewrite(text: str) -> None:
        print(f"\r\033[K{text[:100]}", end="", file=sys.stderr, flush=True)

    def append(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    if is_verbose:
        return append
    return rewrite if sys.stderr.isatty() else lambda _text: None
