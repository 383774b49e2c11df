"""`drctl verify`: who answers ARP and neighbour discovery for the VIPs, on the wire and now."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from drctl.cli._help import HelpFormatter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drctl.verify.plan import Machine, Plan
    from drctl.verify.value import Result

_DESCRIPTION = """\
Ask the segment who has each VIP, hear every answer, and tell the active director, a standby, a real
server and a machine nobody knows apart by the MACs of their own addresses. Real servers are also
made to send from a VIP, which shows those that put the VIP into their ARP requests. Nothing is
changed, and no station learns a wrong address from it. Needs CAP_NET_RAW.
"""
_EPILOG = """\
verdicts:
  ok             exactly one director answers
  unanswered     nobody does
  leak           a real server speaks for the VIP
  two-directors  more than one director answers
  unknown-host   a machine answers that is not in the configuration
  black-hole     (--through) a real server does not take packets for the VIP

exit codes: 0 all is well; 1 it is not; 2 wrong usage, or this host cannot ask.
With --nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

examples:
  drctl verify /etc/keepalived/keepalived.conf --through
  drctl verify --vip 192.0.2.10 -i eth0 --director 192.0.2.2 --director 192.0.2.3 --watch
"""
_FORMATS = ("text", "json", "nagios", "prometheus")


def register(subparsers: Any) -> None:
    """Add the subcommand's parser."""
    from drctl.cli._daemon import seconds
    from drctl.cli.common import add_dialect, add_json

    parser = subparsers.add_parser(
        "verify",
        help="who answers ARP or ND for the VIPs, on the wire",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
    )
    _add_what(parser)
    parser.add_argument(
        "--count", metavar="N", type=_count, default=3, help="questions for each address (3)"
    )
    parser.add_argument(
        "--listen",
        metavar="SECONDS",
        type=seconds,
        default=0.0,
        help="listen for announcements for so long after the last question",
    )
    parser.add_argument(
        "--through",
        action="store_true",
        help="also open a connection to each real server as a director would send it on",
    )
    parser.add_argument("--watch", action="store_true", help="go on, and print what changes")
    parser.add_argument(
        "--interval", metavar="SECONDS", type=seconds, default=5.0, help="with --watch (5)"
    )
    parser.add_argument("--format", choices=_FORMATS, default="text", help="of the result (text)")
    add_json(parser)
    parser.add_argument(
        "--nagios",
        dest="format",
        action="store_const",
        const="nagios",
        help="as a monitoring plug-in: same as --format nagios",
    )
    add_dialect(parser)
    parser.set_defaults(run=run)


def _add_what(parser: argparse.ArgumentParser) -> None:
    """What is asked for, and who is who."""
    parser.add_argument(
        "path",
        metavar="PATH",
        nargs="?",
        help="keepalived.conf or lvs.cf that names VIPs and hosts",
    )
    parser.add_argument(
        "--vip",
        metavar="IP",
        action="append",
        default=[],
        help="this VIP (may be given several times); with PATH, these of its VIPs only",
    )
    parser.add_argument(
        "-i", "--interface", metavar="IFACE", help="ask here (the interface that reaches the VIP)"
    )
    parser.add_argument(
        "--director",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="a director's own address on the segment, where PATH does not name it (may be given "
        "several times)",
    )


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 100:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} is no number from 1 to 100")


def wrong_usage(arguments: list[str]) -> int:
    """The exit code for what the parser has refused: 2 would be CRITICAL to a monitoring system."""
    from drctl.verify.show import UNKNOWN

    if not {"--nagios", "nagios", "--format=nagios"} & {*arguments}:
        return 2
    print("DRCTL UNKNOWN - wrong usage, drctl verify --help explains it")
    return UNKNOWN


def run(options: argparse.Namespace) -> int:
    """Look once, or until interrupted."""
    from drctl.errors import DrctlError

    try:
        return _run(options)
    except DrctlError as refused:
        if options.format != "nagios":
            raise
        from drctl.verify.show import UNKNOWN

        print(f"DRCTL UNKNOWN - {refused}".replace("|", "/").replace("\n", " "))
        return UNKNOWN


def _run(options: argparse.Namespace) -> int:
    import gc
    from contextlib import closing

    from drctl.verify.look import Look, cards_of, read_machine

    # a setup is ten thousand small objects that live until the end; who watches makes more
    if not options.watch:
        gc.disable()
    machine = read_machine()
    plan = _plan(options, machine)
    cards = cards_of(plan, machine)
    before: tuple[object, ...] | None = None
    with closing(Look(plan, cards, options.count, options.listen)) as look:
        while True:
            result = look.result(_active_here(plan), is_through=options.through)
            seen = (result.findings, result.through)
            if seen != before:
                code = _print(options, result, is_again=before is not None)
                before = seen
            if not options.watch:
                return code
            _wait(options.interval)
            plan = look.refresh(read_machine())


def _plan(options: argparse.Namespace, machine: Machine) -> Plan:
    from drctl.errors import UsageError
    from drctl.verify.plan import only, plan_of_vips, with_directors

    vips = _addresses("--vip", options.vip)
    directors = _addresses("--director", options.director)
    if options.path is not None:
        return only(_plan_of_path(options, machine, directors), vips)
    if not vips:
        raise UsageError("verify needs PATH, or --vip IP and -i IFACE")
    if options.through:
        raise UsageError("--through needs PATH, which names the real servers")
    interface = options.interface
    if interface is None:
        found = {card.interface for vip in vips if (card := machine.card_of(vip, None))}
        if len(found) != 1:
            raise UsageError("no single interface reaches the VIP; name it by -i IFACE")
        interface = found.pop()
    return plan_of_vips(vips, machine, interface, with_directors((), (), directors))


def _addresses(option: str, texts: Iterable[str]) -> list[str]:
    from drctl.errors import UsageError
    from drctl.units import ip_address

    found = []
    for text in texts:
        address = ip_address(text)
        if address is None:
            raise UsageError(f"{option} {text} is no IPv4 or IPv6 address")
        found.append(address)
    return found


def _plan_of_path(options: argparse.Namespace, machine: Machine, directors: list[str]) -> Plan:
    from drctl.cli._setup import read_setup
    from drctl.verify.plan import plan_of_hosts, with_directors

    setup = read_setup(options.path, options.dialect)
    hosts = with_directors(setup.views, setup.hosts, directors)
    return plan_of_hosts(setup.views, hosts, machine, options.interface, is_through=options.through)


def _active_here(plan: Plan) -> str:
    """This host's name when a drctl daemon on it says that it is active."""
    if not plan.here.host:
        return ""
    from drctl.cli._daemon import CONTROL
    from drctl.daemon.control_client import NotAnswered, ask

    try:
        answer = ask(CONTROL, {"command": "status", "group": "", "target": "", "options": {}}, 0.3)
    except NotAnswered:
        return ""
    groups = answer.get("status", {}).get("groups", [])
    return plan.here.host if any(one.get("role") == "active" for one in groups) else ""


def _print(options: argparse.Namespace, result: Result, *, is_again: bool) -> int:
    from drctl.verify import show

    if options.format == "nagios":
        code, line = show.as_nagios(result)
        print(line, flush=True)
        return code
    if options.format == "json":
        import json

        indent = None if options.watch else 2
        print(json.dumps(show.as_json(result), indent=indent), flush=True)
    elif options.format == "prometheus":
        sys.stdout.write(show.as_prometheus(result))
    else:
        if options.watch:
            import time

            print(("\n" if is_again else "") + time.strftime("%Y-%m-%d %H:%M:%S"))
        print("\n".join(show.as_text(result)), flush=True)
    return 0 if result.is_good else 1


def _wait(interval_s: float) -> None:
    import time

    time.sleep(interval_s)
