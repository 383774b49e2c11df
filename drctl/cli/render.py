"""`drctl render`: one file, or one kind of file, of one host."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from drctl.cli._help import HelpFormatter

if TYPE_CHECKING:
    from drctl.convert.conversion import Conversion
    from drctl.render.rendered import RenderedFile, Rendering

SCHEMA = 1
_DESCRIPTION = """\
Print what one target makes of a configuration: a director's keepalived.conf, or a file of a real
server. PATH is an lvs.cf, or the keepalived.conf of one of two directors; the other director's
file is derived from it.

A keepalived.conf is read as keepalived reads it, and written without includes, @ID lines,
definitions and sequences: the result stands alone. A file for both directors is read as each of
them reads it ("drctl convert --help" says more).

"drctl render --list" names the targets. "drctl convert" writes the files of all hosts at once.
"""
_EPILOG = """\
hosts:
  primary and backup are the directors, whatever --primary and --backup call them. A real server is
  named as its folder of "drctl convert" is: by its server block, or by its address. --host is
  needed where more than one host has the target; without it a director's target is the primary's.

output:
  One file goes to standard output, several with a comment line before each. -o FILE writes one
  file; -o DIR (a folder, or a name that ends in /) writes each file at its path on the host below
  it. A file that is there already is replaced when drctl made the folder and nobody edited the
  file since, or with --force.
  What cannot be carried over goes to standard error (--on-loss warn, the default); with --on-loss
  error nothing is printed or written then, and the exit code is 1.
  --json prints {"schema": 1, "host", "target", "files": [{"path", "mode", "text"}], "losses":
  [{"feature", "message", "places"}]}, and with --list {"schema": 1, "targets": [{"name", "for",
  "path", "mode", "doc"}]}.

exit codes:
  0  done
  1  losses, with --on-loss error: nothing was rendered
  2  wrong usage, no host has the target, or a file cannot be read or written

examples:
  drctl render --list
  drctl render lvs.cf --target keepalived-director --host backup
  drctl render keepalived.conf --target keepalived-director --host backup -o keepalived.backup
  drctl render keepalived.conf --target keepalived-director --host backup --config-id lb1
  drctl render lvs.cf --target arptables --host web1
  drctl render lvs.cf --target ifcfg --host web1 -o web1/
"""


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    parser = subparsers.add_parser(
        "render",
        help="print one file of one host: a director's keepalived.conf, a real server's rules",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
    )
    _add_what(parser)
    _add_output(parser)
    _add_choices(parser)
    parser.set_defaults(run=run)


def _add_what(parser: argparse.ArgumentParser) -> None:
    from drctl.cli.common import add_dialect, add_target_version

    parser.add_argument(
        "path", metavar="PATH", nargs="?", help="lvs.cf or keepalived.conf; - is standard input"
    )
    parser.add_argument("--target", metavar="NAME", help="what to render (see --list)")
    parser.add_argument("--host", metavar="NAME", help="whose: primary, backup or a real server")
    parser.add_argument("--list", action="store_true", help="name the targets and exit")
    add_dialect(parser)
    add_target_version(parser)


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", metavar="FILE|DIR", help="file or folder to write to")
    group.add_argument("--force", action="store_true", help="replace files that are there already")
    group.add_argument("--json", action="store_true", help="print the files as JSON, see below")
    group.add_argument(
        "--on-loss",
        choices=("ignore", "warn", "error"),
        default="warn",
        help="what a loss is: nothing to speak of, a warning (default), or exit code 1",
    )


def _add_choices(parser: argparse.ArgumentParser) -> None:
    from drctl.cli._director_readings import add_config_ids
    from drctl.model.pair import Rank
    from drctl.render.options import ARP_METHODS, MARKS, NETS

    group = parser.add_argument_group("choices")
    group.add_argument(
        "--arp",
        choices=ARP_METHODS,
        help="how real servers keep silent about the VIPs (that of --target, else sysctl)",
    )
    group.add_argument(
        "--net",
        choices=NETS,
        help="what brings the VIPs up at boot (that of --target, else systemd)",
    )
    group.add_argument(
        "--marks",
        choices=MARKS,
        help="how directors mark packets (that of --target, else nftables)",
    )
    group.add_argument(
        "--primary", metavar="NAME", default="primary", help="router_id of the primary (primary)"
    )
    group.add_argument(
        "--backup", metavar="NAME", default="backup", help="router_id of the backup (backup)"
    )
    group.add_argument(
        "--given",
        choices=[rank.value for rank in Rank],
        help="whose keepalived.conf PATH is (told from its states and priorities)",
    )
    group.add_argument(
        "--own-address",
        metavar="ADDRESS",
        help="address of the director whose keepalived.conf PATH is, when it has unicast peers and "
        "no unicast_src_ip",
    )
    add_config_ids(group)


def run(options: argparse.Namespace) -> int:
    """Render, print or write, tell the losses."""
    from drctl.errors import UsageError
    from drctl.render.environment import targets

    if options.list:
        _list(is_json=options.json)
        return 0
    if options.path is None or options.target is None:
        raise UsageError("render needs PATH and --target NAME; --list names the targets")
    if options.target not in targets():
        known = ", ".join(targets())
        raise UsageError(f"--target {options.target} is no target; there are {known}")
    conversion = _convert(options)
    rendering, files = _choose(conversion, options)
    losses = _losses(conversion, rendering, options)
    if options.on_loss != "ignore":
        sys.stderr.writelines(line + "\n" for line in losses)
    if options.on_loss == "error" and losses:
        sys.stderr.write(
            "drctl: nothing is rendered, because of the losses above (--on-loss error)\n"
        )
        return 1
    if options.json:
        _print_json(rendering, files, options.target)
    elif options.output is None:
        _print(files)
    if options.output is not None:
        _write(files, options.output, is_forced=options.force)
    return 0


def _list(*, is_json: bool) -> None:
    from drctl.render.environment import targets
    from drctl.report.text import columns

    found = targets().values()
    if is_json:
        rows = [
            {
                "name": target.name,
                "for": target.kind,
                "path": target.path,
                "mode": f"{target.mode:04o}",
                "doc": target.doc,
            }
            for target in found
        ]
        print(json.dumps({"schema": SCHEMA, "targets": rows}, indent=1, ensure_ascii=False))
        return
    for line in columns([(target.name, target.kind, target.doc) for target in found]):
        print(line)


def _convert(options: argparse.Namespace) -> Conversion:
    from drctl.cli._director_readings import read_directors
    from drctl.convert.conversion import convert
    from drctl.convert.options import ConvertOptions
    from drctl.model.pair import Rank
    from drctl.render.options import ARP_METHODS, MARKS, NETS

    target = options.target
    choices = ConvertOptions(
        primary=options.primary,
        backup=options.backup,
        arp=options.arp or (target if target in ARP_METHODS else ARP_METHODS[0]),
        net=options.net or _net_of(target) or NETS[0],
        marks=options.marks or _marks_of(target) or MARKS[0],
        given=None if options.given is None else Rank(options.given),
        own_address=_address(options.own_address),
        is_backup_forced=options.host in {"backup", options.backup},
    )
    reading, other = read_directors(options)
    return convert(reading, choices, other=other)


def _address(text: str | None) -> str | None:
    """The address in canonical form."""
    from drctl.errors import UsageError
    from drctl.units import ip_address

    if text is None:
        return None
    if (found := ip_address(text)) is None:
        raise UsageError(f"--own-address {text} is no IPv4 or IPv6 address")
    return found


def _net_of(target: str) -> str | None:
    """What brings the VIPs up where a target's file is at home."""
    from drctl.render.options import NETS

    if target in NETS:
        return target
    if target in {"ifup-local", "ifup-pre-local", "arptables_jf"}:
        return "ifcfg"
    if target in {"if-up", "if-pre-up"}:
        return "ifupdown"
    return None


def _marks_of(target: str) -> str | None:
    """How packets are marked where a target's file is at home."""
    from drctl.render.options import MARKS

    return next((name for name in MARKS if target.endswith(f"-{name}")), None)


def _choose(
    conversion: Conversion, options: argparse.Namespace
) -> tuple[Rendering, list[RenderedFile]]:
    """The host that is meant, and its files of the target."""
    from drctl.errors import UsageError

    having = [
        (rendering, files)
        for rendering in conversion.renderings
        if (files := _files_of(rendering, options.target))
    ]
    if options.host is not None:
        rendering = _host(conversion, options)
        files = _files_of(rendering, options.target)
        if not files:
            names = ", ".join(found.host for found, _ in having)
            where = f"these have: {names}" if having else _why_nowhere(options.target)
            raise UsageError(
                f"{rendering.host} ({rendering.role}) has no {options.target}; {where}"
            )
        return rendering, files
    if not having:
        raise UsageError(_why_nowhere(options.target))
    rendering, files = having[0]
    if len(having) > 1 and rendering.host != options.primary:
        names = ", ".join(found.host for found, _ in having)
        raise UsageError(f"--host is needed, {len(having)} hosts have {options.target}: {names}")
    return rendering, files


def _why_nowhere(target: str) -> str:
    """Why no host has a target's file."""
    from drctl.render.environment import targets
    from drctl.render.options import ARP_METHODS

    if target in ARP_METHODS:
        return (
            f"no host needs {target}: no real server is behind direct routing or tunnelling, with "
            "which it would have to keep silent about a VIP"
        )
    return (
        f"no host has {target} ({targets()[target].doc}): nothing in PATH needs it, or it belongs "
        "to another --arp, --net or --marks"
    )


def _files_of(rendering: Rendering, target: str) -> list[RenderedFile]:
    return [f for f in (*rendering.installers, *rendering.files) if f.target == target]


def _host(conversion: Conversion, options: argparse.Namespace) -> Rendering:
    from drctl.errors import UsageError

    name = {"primary": options.primary, "backup": options.backup}.get(options.host, options.host)
    for rendering in conversion.renderings:
        if name == rendering.host:
            return rendering
    if options.host == "backup":
        why = "; ".join(c.why for c in conversion.report.choices if c.what == "pair")
        raise UsageError(f"there is no backup director: {why or 'it stands alone'}")
    known = ", ".join(rendering.host for rendering in conversion.renderings)
    raise UsageError(f"--host {options.host} is no host of this setup; there are {known}")


def _losses(conversion: Conversion, rendering: Rendering, options: argparse.Namespace) -> list[str]:
    """For a director what the conversion lost too, for a real server what its own files lack."""
    from dataclasses import replace

    from drctl.report.conversion import loss_lines

    is_director = rendering.host in {options.primary, options.backup}
    own = tuple((host, loss) for host, loss in conversion.report.losses if host == rendering.host)
    entries = conversion.report.entries if is_director else ()
    return loss_lines(replace(conversion.report, entries=entries, losses=own), options.on_loss)


def _print_json(rendering: Rendering, files: list[RenderedFile], target: str) -> None:
    losses = [
        {
            "feature": loss.feature,
            "message": loss.message,
            "places": [{"path": p.path, "line": p.line} for p in loss.places],
        }
        for loss in rendering.losses
    ]
    document = {
        "schema": SCHEMA,
        "host": rendering.host,
        "target": target,
        "files": [{"path": f.path, "mode": f"{f.mode:04o}", "text": f.text} for f in files],
        "losses": losses,
    }
    print(json.dumps(document, indent=1, ensure_ascii=False))


def _print(files: list[RenderedFile]) -> None:
    for file in files:
        if len(files) > 1:
            sys.stdout.write(f"# file: {file.path}\n")
        sys.stdout.write(file.text)


def _write(files: list[RenderedFile], output: str, *, is_forced: bool) -> None:
    from pathlib import Path

    from drctl.adapters.output import OutputFile, write_tree

    target = Path(output)
    if output.endswith(os.sep) or len(files) > 1 or target.is_dir():
        tree = [OutputFile(file.path.lstrip("/"), file.text, file.mode) for file in files]
        write_tree(target, tree, is_forced=is_forced)
    else:
        _write_file(target, files[0], is_forced=is_forced)


def _write_file(path: Any, file: RenderedFile, *, is_forced: bool) -> None:
    """The whole file or nothing; one that is there and differs stays unless forced."""
    from drctl.errors import FileRefused

    content = file.text.encode()
    staged = path.with_name(f"{path.name}.drctl-new")
    try:
        if os.path.lexists(path) and not is_forced:
            if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
                return
            raise FileRefused("write", str(path), "it is there already; --force replaces it")
        staged.unlink(missing_ok=True)
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, file.mode)
            stream.write(content)
        staged.replace(path)
    except OSError as refused:
        staged.unlink(missing_ok=True)
        raise FileRefused("write", str(path), refused) from refused
