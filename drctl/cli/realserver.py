"""`drctl realserver`: sets a real server up, looks whether it is, and takes everything back."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from drctl.cli._help import HelpFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from drctl.realserver.journal import Journal
    from drctl.realserver.value import Difference, Wanted
    from drctl.render.rendered import Rendering

_DESCRIPTION = """\
Set a real server up as the directors' configuration wants it, look whether it is, and take it back.
Run it on the real server, as root.
"""
_CHECK_DESCRIPTION = """\
Compare what a real server is to have with what its kernel and its boot files have: addresses with
prefix, kernel settings of every interface and what counts, ARP rules of arptables and nftables,
redirections, tunnels, listening sockets. Every difference says what a client would see of it.
Changes nothing.
"""
_APPLY_DESCRIPTION = """\
Bring the running kernel and the boot files to what is wanted, in the safe order: what keeps the
host silent first, then the addresses. Each step is written down before it is done, so an
interrupted run can be run again; when a step fails, those of the run are taken back. What is not
drctl's is left alone.
"""
_REMOVE_DESCRIPTION = """\
Take back everything that apply did, in reverse order; what was there before is as it was. That also
works for a host that the configuration does not know any more.
"""
_EPILOG = """\
exit codes: 0 done, or no difference; 1 differences (check, --plan), or it could not be done and is
taken back; 2 wrong usage, or something cannot be read

examples:
  drctl realserver check /etc/keepalived/keepalived.conf --host 192.0.2.21
  drctl realserver apply lvs.cf --host web1 --method nftables --plan
  drctl realserver apply lvs.cf --host web1 --method nftables --runtime
  drctl realserver remove lvs.cf --host web1 --method nftables --runtime
"""
SCHEMA = 1
STATE = "/run/drctl"
_ACTIONS = {
    "apply": ("set the host up", _APPLY_DESCRIPTION),
    "check": ("compare wanted and actual", _CHECK_DESCRIPTION),
    "remove": ("take back what apply did", _REMOVE_DESCRIPTION),
}


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    parser = subparsers.add_parser(
        "realserver",
        help="set a real server up, look whether it is, and take it back",
        description=_DESCRIPTION,
        formatter_class=HelpFormatter,
    )
    actions = parser.add_subparsers(metavar="ACTION", title="actions", dest="action", required=True)
    for name, (about, description) in _ACTIONS.items():
        action = actions.add_parser(
            name,
            help=about,
            description=description,
            epilog=_EPILOG,
            formatter_class=HelpFormatter,
        )
        _add_options(action)
        if name != "check":
            action.add_argument(
                "--plan", action="store_true", help="print what would be done, and do nothing"
            )
        action.set_defaults(run=run)


def _add_options(action: argparse.ArgumentParser) -> None:
    from drctl.cli.common import add_dialect, add_json
    from drctl.render.options import ARP_METHODS, NETS

    action.add_argument(
        "path",
        metavar="PATH",
        help="the directors' keepalived.conf or lvs.cf, or the folder that drctl convert has made "
        "of it",
    )
    action.add_argument(
        "--host", metavar="NAME", required=True, help="as the conversion names it, or its address"
    )
    action.add_argument(
        "--method",
        choices=ARP_METHODS,
        help=f"against the ARP problem ({ARP_METHODS[0]}, or the conversion's)",
    )
    action.add_argument(
        "--net",
        choices=NETS,
        help=f"what brings it all back at boot ({NETS[0]}, or the conversion's)",
    )
    where = action.add_mutually_exclusive_group()
    where.add_argument("--runtime", action="store_true", help="the running kernel only")
    where.add_argument("--root", metavar="DIR", help="the boot files below DIR only")
    action.add_argument(
        "--format", choices=("text", "json"), default="text", help="for people or programs (text)"
    )
    add_json(action)
    add_dialect(action)


def run(options: argparse.Namespace) -> int:
    """One of the actions."""
    from drctl.adapters.run_lock import alone
    from drctl.cli._realserver_source import read_wanted
    from drctl.realserver.wanted import UnknownHost

    try:
        wanted, rendering = read_wanted(options)
    except UnknownHost as unknown:
        wanted, rendering = _left_behind(options, unknown)
    if options.action == "check":
        return _check(options, wanted)
    act = _apply if options.action == "apply" else _remove
    if options.plan:
        return act(options, wanted, rendering)
    with alone(_lock(options)):
        return act(options, wanted, rendering)


def _left_behind(options: argparse.Namespace, unknown: Exception) -> tuple[Wanted, Rendering]:
    """What `remove` takes back on a host that the configuration does not know any more. Raises what
    was raised when drctl has done nothing here."""
    from pathlib import Path

    from drctl.realserver.installed import MANIFEST, read_installed

    root = Path(options.root or "/")
    is_installed = not options.runtime and (root / MANIFEST).exists()
    is_running = options.root is None and bool(_journal().entries)
    if options.action != "remove" or not (is_installed or is_running):
        raise unknown
    print(f"drctl: {unknown}; what drctl did here is taken back", file=sys.stderr)
    return read_installed(root, options.host, Path(options.path).name)


def _lock(options: argparse.Namespace) -> Path:
    """What two runs must not change at once: a folder's files, or this network namespace."""
    import os
    from pathlib import Path

    from drctl.adapters.run_lock import NAMESPACE
    from drctl.errors import DrctlError

    if options.root is not None:
        return Path(options.root)
    if os.geteuid() != 0:
        raise DrctlError(
            f"only root may {options.action} here; --plan shows what would be done, --root DIR "
            "puts the boot files below DIR"
        )
    return NAMESPACE


def _check(options: argparse.Namespace, wanted: Wanted) -> int:
    from pathlib import Path

    from drctl.realserver.compare import compare
    from drctl.realserver.read import read_boot, read_kernel

    kernel = None if options.root is not None else read_kernel(wanted)
    boot = None if options.runtime else read_boot(wanted, Path(options.root or "/"))
    differences = compare(wanted, kernel, boot)
    if options.format == "json":
        _print_json(wanted, differences)
    else:
        _print(wanted, differences)
    return int(bool(differences))


def _apply(options: argparse.Namespace, wanted: Wanted, rendering: Rendering) -> int:
    from drctl.realserver.apply import apply, changes
    from drctl.realserver.guard import Guard
    from drctl.realserver.install import BootFiles
    from drctl.realserver.read import read_kernel
    from drctl.realserver.step import steps_of

    journal = _journal()
    steps = steps_of(wanted)
    plan = changes(steps, journal) if options.root is None else None
    lines = [] if plan is None else plan.lines()
    lines += [] if options.runtime else _files_to_write(options, wanted)
    if options.plan or not lines:
        _tell_plan(options, wanted, lines)
        return int(bool(lines)) if options.plan else 0
    told: list[str] = []
    tell = _teller(options, told)
    failed = ""
    try:
        if options.root is not None:
            _install(options, rendering, "install.sh", tell)
            _link_units(options, wanted, tell, is_on=True)
        elif plan is not None:
            boot = BootFiles(rendering, steps, journal, tell)
            if not options.runtime:
                boot.ensure_loadable()
            finish = (lambda: None) if options.runtime else boot.install
            apply(plan, journal, Guard(wanted, read_kernel), tell, finish)
    except _failures() as refused:
        failed = str(refused)
    return _end(options, wanted, told, failed)


def _remove(options: argparse.Namespace, wanted: Wanted, rendering: Rendering) -> int:
    from drctl.realserver.apply import remove, undo_order

    journal = _journal()
    if options.plan:
        undone = [] if options.root else undo_order(journal.entries)
        lines = [f"undo: {one.step}" for one in undone]
        lines += [] if options.runtime else ["run uninstall.sh"]
        _tell_plan(options, wanted, lines)
        return int(bool(lines))
    told: list[str] = []
    tell = _teller(options, told)
    failed = ""
    try:
        if options.root is not None:
            _link_units(options, wanted, tell, is_on=False)
        if not options.runtime:
            _install(options, rendering, "uninstall.sh", tell)
        if options.root is None:
            remove(journal, tell)
    except _failures() as refused:
        failed = str(refused)
    return _end(options, wanted, told, failed)


def _failures() -> tuple[type[Exception], ...]:
    from drctl.adapters.host_step import StepFailed
    from drctl.adapters.installer import InstallerFailed

    return (StepFailed, InstallerFailed)


def _journal() -> Journal:
    """Of this network namespace, and gone with the kernel that it tells of."""
    from pathlib import Path

    from drctl.adapters.run_lock import namespace_id
    from drctl.realserver.journal import Journal

    return Journal(Path(STATE, f"realserver-{namespace_id()}.json"))


def _files_to_write(options: argparse.Namespace, wanted: Wanted) -> list[str]:
    """What install.sh would change, and what would start at boot only then."""
    from pathlib import Path

    from drctl.realserver.read import read_boot

    root = Path(options.root or "/")
    boot = read_boot(wanted, root)
    writes = [
        f"write {root / file.path.lstrip('/')}"
        for file in wanted.files
        if (boot.files.get(file.path), boot.modes.get(file.path)) != (file.text, file.mode)
    ]
    return writes + [f"enable {name}" for name, unit in boot.units.items() if not unit.is_enabled]


def _install(options: argparse.Namespace, rendering: Rendering, script: str, tell: Any) -> None:
    from drctl.adapters.installer import run_installer

    files = [(one.path, one.text, one.mode) for one in (*rendering.installers, *rendering.files)]
    words = () if options.root is None else ("--destdir", str(_absolute(options.root)))
    for line in run_installer(files, script, *words):
        tell(line)


def _link_units(options: argparse.Namespace, wanted: Wanted, tell: Any, *, is_on: bool) -> None:
    """What `systemctl enable` would do, in a root that does not run."""
    from drctl.adapters.boot_units import disable_below, enable_below
    from drctl.realserver.boot import units_of

    change, deed = (enable_below, "enabled") if is_on else (disable_below, "disabled")
    for unit in units_of(wanted):
        if change(_absolute(options.root), unit):
            tell(f"{deed}: {unit}")


def _absolute(path: str) -> Path:
    from pathlib import Path

    return Path(path).resolve()


def _teller(options: argparse.Namespace, told: list[str]) -> Any:
    def tell(line: str) -> None:
        told.append(line)
        if options.format == "text":
            print(line, flush=True)

    return tell


def _tell_plan(options: argparse.Namespace, wanted: Wanted, lines: list[str]) -> None:
    import json

    if options.format == "json":
        result = {"schema": SCHEMA, "host": wanted.host, "method": wanted.plan.method}
        print(json.dumps({**result, "steps": lines}, indent=2))
        return
    for line in lines:
        print(line)
    if not lines:
        print(f"{wanted.host}: nothing to do")


def _end(options: argparse.Namespace, wanted: Wanted, told: list[str], failed: str) -> int:
    import json

    if options.format == "json":
        result = {"schema": SCHEMA, "host": wanted.host, "method": wanted.plan.method}
        print(json.dumps({**result, "steps": told, "error": failed}, indent=2))
    elif failed:
        print(f"drctl: {failed}", file=sys.stderr)
    else:
        print(f"{wanted.host}: done")
    return int(bool(failed))


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
