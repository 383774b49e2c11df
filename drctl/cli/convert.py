"""`drctl convert`: one director's configuration into a pair, its real servers and a report."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from drctl.cli._help import HelpFormatter

if TYPE_CHECKING:
    from drctl.convert.conversion import Conversion
    from drctl.convert.options import ConvertOptions
    from drctl.readers.reading import Reading
    from drctl.render.rendered import Rendering

ON_LOSS = ("ignore", "warn", "error")

_DESCRIPTION = """\
Turn the configuration of one director into everything that a pair of keepalived directors and
their real servers need. PATH is Piranha's lvs.cf, or the keepalived.conf of one of two directors;
which one it is shows from its content.

A keepalived.conf is read as keepalived reads it: with the files that it includes, @ID lines
decided, $NAME definitions and ~SEQ, ~LST written out. What is generated has none of these: each
director's file stands alone. Of a file for both directors, with @ID lines for each, both readings
are written and nothing is derived. An include of which no file can be read is kept, and reported.

What lvs.cf says is carried over as pulse, lvsd and nanny (Piranha 0.8.6) did it, which is not
always what its manual says; where keepalived differs, the report tells. Nothing disappears
silently: every statement is in the report once, with what became of it.
"""
_EPILOG = """\
what is written:
  DIR/HOST/...           one folder per director and real server, each file below it at the path
                         that it has on that host (DIR/primary/etc/keepalived/keepalived.conf)
  DIR/HOST/install.sh    puts the files of that host in place and activates them;
  DIR/HOST/uninstall.sh  takes them back. Both are POSIX sh, can be run again, and take
                         --destdir ROOT and --no-activate
  DIR/report.md          for people: things to do, choices, every statement
  DIR/report.json        the same for programs (docs/report.md explains the schema)

  A real server has one folder, named after its server block, however many services it is in. A
  director that is also a real server has one folder for both. An existing DIR is replaced only if
  drctl made it and no file of it was edited since; files in it that drctl did not write are left
  alone. --force replaces edited files as well.

methods of --arp, compared in docs/real-servers.md:
  sysctl         (default) two kernel settings; the VIPs are on lo
  arptables      ARP packet filter; the VIPs are on lo
  arptables_jf   the same in the words and files of RHEL 4 to 6; chooses --net ifcfg
  nftables       the same as a table of nftables
  iptables       no VIP on the server: packets for it are redirected to the server's own address
  nft-redirect   the same in nftables

systems of --net, the rules always before the VIPs:
  systemd        (default) two units; on every system with systemd
  networkd       a unit and a .network file for lo
  networkmanager a unit and a keyfile for lo (NetworkManager 1.42 or later)
  ifcfg          ifcfg-lo:N files of network-scripts
  ifupdown       a file in /etc/network/interfaces.d

verdicts:
  exact          means the same in the result
  approximated   carried over with a difference that the report names
  repaired       did not work, or not as written, in the original; what was meant is written
  dropped        not in the result: without a counterpart, or without any effect in the original

output:
  Standard output has the tree of files and a summary, or with --json the report. What was lost or
  changed goes to standard error (--on-loss warn, the default). With --on-loss error nothing is
  written, and the exit code is 1, when anything was approximated, when anything that had an effect
  was dropped, or when the directors' files differ: what it was goes to standard error. Standard
  output then has the summary alone, or with --json the report all the same.

exit codes:
  0  done
  1  losses or drift, with --on-loss error: nothing was written
  2  wrong usage, PATH cannot be read, or DIR cannot be written or is not drctl's to replace

examples:
  drctl convert /etc/sysconfig/ha/lvs.cf -o out
      the pair and its real servers, ARP handled by sysctl, files as systemd reads them
  drctl convert lvs.cf -o out --primary lb1 --backup lb2 --arp arptables --net ifcfg
      other names, and the tools of older distributions on the real servers
  drctl convert lvs.cf --peer-file lvs.cf.from-lb2 --dry-run
      show the report and where the two directors' files differ, write nothing
  drctl convert lvs.cf -o out --vrrp-network private --private-interface eth1
      run VRRP over the private network
  drctl convert keepalived.conf -o out
      the other director's file and the real servers, from one director's keepalived.conf
  drctl convert keepalived.conf -o out --config-id lb1 --peer-config-id lb2
      both directors' files from one file that they share
"""


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    parser = subparsers.add_parser(
        "convert",
        help="turn an lvs.cf or keepalived.conf into a pair, its real servers and a report",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
    )
    _add_input(parser)
    _add_output(parser)
    _add_hosts(parser)
    _add_vrrp(parser)
    _add_peer(parser)
    _add_checks(parser)
    parser.set_defaults(run=run)


def _add_input(parser: argparse.ArgumentParser) -> None:
    from drctl.cli.common import add_dialect, add_target_version

    parser.add_argument("path", metavar="PATH", help="lvs.cf or keepalived.conf; - is stdin")
    parser.add_argument(
        "--peer-file",
        metavar="PATH",
        help="the other director's file; where it differs from PATH is reported, PATH decides",
    )
    add_dialect(parser)
    add_target_version(parser)


def _add_output(parser: argparse.ArgumentParser) -> None:
    from drctl.cli.common import add_json

    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", metavar="DIR", help="folder to write to")
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="print the report and the tree of files, write nothing",
    )
    group.add_argument("--force", action="store_true", help="replace edited or foreign files too")
    group.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="what goes to standard output: the tree and a summary (text), or the report as JSON",
    )
    add_json(group)
    group.add_argument(
        "--on-loss",
        choices=ON_LOSS,
        default="warn",
        help="what a loss is: nothing to speak of, a warning (default), or a reason to write "
        "nothing and end with exit code 1",
    )


def _add_hosts(parser: argparse.ArgumentParser) -> None:
    from drctl.render.options import ARP_METHODS, MARKS, NETS

    group = parser.add_argument_group("hosts")
    group.add_argument(
        "--primary", metavar="NAME", default="primary", help="folder and router_id (primary)"
    )
    group.add_argument(
        "--backup", metavar="NAME", default="backup", help="folder and router_id (backup)"
    )
    group.add_argument(
        "--with-backup",
        action="store_true",
        help="make a pair although backup_active is 0 or missing",
    )
    group.add_argument(
        "--arp",
        choices=ARP_METHODS,
        default=ARP_METHODS[0],
        help="how real servers keep silent about the VIPs (sysctl); see docs/real-servers.md",
    )
    group.add_argument(
        "--net",
        choices=NETS,
        default=NETS[0],
        help="what brings the VIPs up on real servers at boot (systemd)",
    )
    group.add_argument(
        "--marks",
        choices=MARKS,
        default=MARKS[0],
        help="how directors mark the packets of fwmark services (nftables)",
    )


def _add_vrrp(parser: argparse.ArgumentParser) -> None:
    from drctl.convert.options import DEFAULT_PRIORITIES, VRRP_NETWORKS

    group = parser.add_argument_group("VRRP, for lvs.cf (--priorities also for keepalived.conf)")
    group.add_argument(
        "--vrrp-network",
        choices=VRRP_NETWORKS,
        default=VRRP_NETWORKS[0],
        help="network that VRRP runs on (public)",
    )
    group.add_argument(
        "--interface", metavar="DEV", help="directors' device on the public network (the VIPs')"
    )
    group.add_argument(
        "--private-interface",
        metavar="DEV",
        help="directors' device on the private network, which lvs.cf does not name (syncd_iface)",
    )
    group.add_argument(
        "--virtual-router-id",
        metavar="N",
        type=_number(1, 255),
        help="1-255, unique on the network (last number of the first VIP)",
    )
    group.add_argument(
        "--priorities",
        metavar="P,B",
        type=_priorities,
        help="priorities of primary and backup, 1-254 ({},{})".format(*DEFAULT_PRIORITIES),
    )
    group.add_argument(
        "--auth-pass-file",
        metavar="FILE",
        help="VRRP password on the first line of FILE, at most 8 characters (no authentication)",
    )


def _add_peer(parser: argparse.ArgumentParser) -> None:
    from drctl.cli._director_readings import add_config_ids

    group = parser.add_argument_group("the pair, for keepalived.conf")
    group.add_argument(
        "--given",
        choices=("primary", "backup"),
        help="whose file PATH is (told by state and priority)",
    )
    group.add_argument(
        "--own-address",
        metavar="ADDRESS",
        help="that director's address, where unicast_src_ip is missing",
    )
    group.add_argument("--router-id", metavar="NAME", help="router_id of the other director")
    add_config_ids(group)


def _add_checks(parser: argparse.ArgumentParser) -> None:
    from drctl.convert.options import CHECKS

    group = parser.add_argument_group("health checks, for lvs.cf")
    group.add_argument(
        "--checks",
        choices=CHECKS,
        default=CHECKS[0],
        help="native (default): keepalived's own where they ask the same, else drctl-check; "
        "exact: drctl-check with nanny's rules and waiting times for all; strict: like native, "
        "but a status outside 200-399, a failing program or a slow answer means down",
    )
    group.add_argument(
        "--check-every-mark-block",
        action="store_true",
        help="run the checks of all virtual blocks with one fwmark, not only of the first",
    )


def _number(low: int, high: int) -> Any:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text} is not a number from {low} to {high}")
        return int(text)

    return parse


def _priorities(text: str) -> tuple[int, int]:
    parse = _number(1, 254)
    parts = text.split(",")
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"{text} is not two numbers with a comma between them")
    primary, backup = parse(parts[0]), parse(parts[1])
    if primary <= backup:
        raise argparse.ArgumentTypeError(f"{text}: the primary's must be the higher one")
    return primary, backup


def run(options: argparse.Namespace) -> int:
    """Read, convert, write, tell."""
    import gc

    # A large pair is a million small objects without cycles: looking for cycles among them takes
    # a fifth of the time and finds none.
    was_on = gc.isenabled()
    gc.disable()
    try:
        return _run(options)
    finally:
        if was_on:
            gc.enable()


def _run(options: argparse.Namespace) -> int:
    from drctl.cli._director_readings import read_directors
    from drctl.convert.conversion import convert
    from drctl.errors import UsageError

    if options.output is None and not options.dry_run:
        raise UsageError("convert needs -o DIR to write to, or --dry-run")
    if options.path == "-" == options.peer_file:
        raise UsageError("PATH and --peer-file cannot both be standard input")
    choices = _convert_options(options)
    reading, other = read_directors(options, has_peer_file=options.peer_file is not None)
    peer = _peer(options, reading)
    conversion = convert(reading, choices, peer, other)
    # of a large pair the report is made while the files are written, unless it decides about them
    is_refused = options.on_loss == "error" and conversion.report.is_lossy
    if not (options.dry_run or is_refused):
        _write(conversion, options.output, is_forced=options.force)
    _tell(conversion, reading, options, is_refused=is_refused)
    return int(is_refused)


def _peer(options: argparse.Namespace, reading: Reading) -> Reading | None:
    from drctl.adapters.config_files import HOME
    from drctl.cli.common import checked_version, read_configuration
    from drctl.errors import UsageError

    path = options.peer_file
    if path is None:
        return None
    config_id = options.config_id if options.peer_config_id is None else options.peer_config_id
    version = checked_version(options.target_version)
    peer = read_configuration(path, "auto", config_id=config_id, home=HOME, version=version)
    if peer.document.dialect != reading.document.dialect:
        raise UsageError(
            f"{path} is a {peer.document.dialect} and {reading.document.source.path} a "
            f"{reading.document.dialect}; the directors' files must be of one kind"
        )
    return peer


def _convert_options(options: argparse.Namespace) -> ConvertOptions:
    from drctl.convert.options import ConvertOptions
    from drctl.model.pair import Rank

    return ConvertOptions(
        primary=options.primary,
        backup=options.backup,
        arp=options.arp,
        net=options.net,
        marks=options.marks,
        virtual_router_id=options.virtual_router_id,
        priorities=options.priorities,
        password=_password(options.auth_pass_file),
        interface=_device(options.interface, "--interface"),
        private_interface=_device(options.private_interface, "--private-interface"),
        vrrp_network=options.vrrp_network,
        checks=options.checks,
        checks_every_mark_block=options.check_every_mark_block,
        is_backup_forced=options.with_backup,
        given=None if options.given is None else Rank(options.given),
        own_address=options.own_address,
        router_id=options.router_id,
    )


def _device(name: str | None, option: str) -> str | None:
    import re

    from drctl.errors import UsageError

    if name is not None and not re.fullmatch(r"[A-Za-z0-9._@-]{1,15}", name):
        raise UsageError(f"{option} {name!r} is no name of a network device")
    return name


def _password(path: str | None) -> str | None:
    """The first line of a file; no message shows any of it."""
    from drctl.cli.common import read_bytes
    from drctl.errors import FileRefused

    if path is None:
        return None
    password = read_bytes(path).split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8", "replace")
    if not password:
        raise FileRefused("use", path, "its first line, the password, is empty")
    if len(password) > 8:
        reason = "keepalived uses 8 characters of a password, and this one is longer"
        raise FileRefused("use", path, reason)
    if not all("!" < c <= "~" and c not in "\"'#!{}$\\" for c in password):
        reason = "the password may not hold blanks, quotes, or any of # ! { } $ \\"
        raise FileRefused("use", path, reason)
    return password


def _write(conversion: Conversion, folder: str, *, is_forced: bool) -> None:
    from pathlib import Path

    from drctl.adapters.output import OutputFile, write_tree
    from drctl.report.conversion import to_json, to_markdown

    def files_of(renderings: tuple[Rendering, ...]) -> list[OutputFile]:
        return [
            OutputFile(f"{rendering.host}/{file.path.lstrip('/')}", file.text, file.mode)
            for rendering in renderings
            for file in (*rendering.installers, *rendering.files)
        ]

    def make_more() -> list[OutputFile]:
        return [
            *files_of(conversion.directors),
            OutputFile("report.md", to_markdown(conversion.report)),
            OutputFile("report.json", to_json(conversion.report)),
        ]

    write_tree(Path(folder), files_of(conversion.real_servers), make_more, is_forced=is_forced)


def _tell(
    conversion: Conversion, reading: Reading, options: argparse.Namespace, *, is_refused: bool
) -> None:
    from drctl.report.conversion import loss_lines, summary_lines, to_json, to_markdown, tree_lines
    from drctl.report.text import to_lines

    report = conversion.report
    if options.on_loss != "ignore":
        sources = (document.source for document in reading.documents)
        sys.stderr.write(to_lines(report.findings, *sources))
        sys.stderr.writelines(line + "\n" for line in loss_lines(report, options.on_loss))
    is_written = not (options.dry_run or is_refused)
    if options.format == "json":
        sys.stdout.write(to_json(report))
    else:
        if options.dry_run:
            sys.stdout.write(to_markdown(report) + "\n")
        folder = options.output or "DIR"
        tree = [*tree_lines(report, folder), ""] if is_written or options.dry_run else []
        sys.stdout.writelines(line + "\n" for line in (*tree, *summary_lines(report)))
        if is_written:
            print(f"read {folder.rstrip('/')}/report.md next")
    if is_refused and not options.dry_run:
        sys.stderr.write(_REFUSED)


_REFUSED = """\
drctl: nothing is written, because of the losses above (--on-loss error)
  --dry-run shows the whole report, with what can be done about each of them
  --on-loss warn writes the files all the same
"""
