"""One configuration file into everything a pair of directors and their real servers need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from drctl.convert.drift import Comparison, compare
from drctl.convert.ledger import Ledger
from drctl.convert.lower import lower
from drctl.convert.naming import check_director_names, choose_names
from drctl.convert.options import ConvertOptions
from drctl.convert.pairing import Directors, pair_of_keepalived, pair_of_readings
from drctl.convert.report import Report, build_report
from drctl.convert.steering import note_both_as_written, note_readings
from drctl.errors import UnsafeValue
from drctl.model.pair import Rank
from drctl.model.service import MASQUERADE
from drctl.readers.reading import Reading
from drctl.render.options import RenderOptions
from drctl.render.pair import plan_pair
from drctl.render.rendered import Rendering
from drctl.syntax.detect import LVS_CF

ARP_REASONS: Mapping[str, str] = {
    "sysctl": "needs no package and no rule set: the kernel itself keeps silent about the VIP",
    "arptables": "rules of arptables drop requests for the VIP and never announce it",
    "arptables_jf": "the words and files of RHEL 4 to 6, whose chains are called IN and OUT",
    "nftables": "an nftables table of family arp, for systems without arptables",
    "iptables": "no VIP on the real server: iptables redirects its packets to itself",
    "nft-redirect": "no VIP on the real server: nftables redirects its packets to itself",
}


@dataclass(frozen=True)
class Conversion:
    """All hosts' files, and the account of how they came from the source. The real servers' files
    are there, the rest is made when it is first asked for: of a large pair those can be written
    meanwhile."""

    real_servers: tuple[Rendering, ...]
    make_directors: Callable[[], tuple[Rendering, ...]]
    make_report: Callable[[tuple[Rendering, ...]], Report]

    @cached_property
    def directors(self) -> tuple[Rendering, ...]:
        """The directors' files. Raises UnsafeValue for a value that would break out of one."""
        return self.make_directors()

    @property
    def renderings(self) -> tuple[Rendering, ...]:
        """Every host's, the directors first."""
        return (*self.directors, *self.real_servers)

    @cached_property
    def report(self) -> Report:
        """Every statement of the source and what became of it."""
        return self.make_report(self.renderings)


def convert(
    reading: Reading,
    options: ConvertOptions,
    peer: Reading | None = None,
    other: Reading | None = None,
) -> Conversion:
    """The pair and its real servers from one director's file.

    `peer` is the other director's file: it is compared with the first, which decides. `other` is
    the same file, read as the other director reads it; nothing is derived then. Raises
    UsageError for options that cannot be, UnsafeValue for a value that would break out of a
    real server's file.
    """
    check_director_names(options)
    ledger = Ledger()
    readings = (reading,) if other is None else (reading, other)
    directors = directors_of(readings, options, ledger, peer)
    names = choose_names(directors, options, ledger)
    _choose_methods(directors, options, ledger)
    render_options = RenderOptions(
        source=base_name(reading.document.source.path),
        arp=options.arp,
        net=options.net,
        marks=options.marks,
    )
    plan = plan_pair(directors.primary, directors.backup, names, render_options)
    compared = None if peer is None else _compared(reading, peer, directors)
    return Conversion(
        _placed(plan.real_servers, reading),
        lambda: _placed(plan.directors, reading),
        lambda renderings: build_report(readings, ledger, renderings, compared),
    )


def _placed(make: Callable[[], tuple[Rendering, ...]], reading: Reading) -> tuple[Rendering, ...]:
    """What `make` makes. A value that it refuses is told with the place of the first statement
    that has it."""
    try:
        return make()
    except UnsafeValue as refused:
        message = str(refused)
        for document in reading.documents:
            for statement in document.walk():
                if any(repr(leaf.value) in message for leaf in statement.words):
                    place = document.place(statement)
                    raise UnsafeValue(f"{place}: {message}") from refused
        raise


def directors_of(
    readings: tuple[Reading, ...],
    options: ConvertOptions,
    ledger: Ledger,
    peer: Reading | None = None,
) -> Directors:
    """The directors' configurations in keepalived's terms, from a file in either dialect."""
    note_readings(readings, ledger)
    own = readings[0]
    if own.document.dialect == LVS_CF:
        return lower(own.configuration, options, ledger)
    _choose_ids(readings, ledger)
    if len(readings) > 1:
        other = readings[1].configuration
        directors = pair_of_readings(own.configuration, other, options, ledger)
        hosts = (options.primary, options.backup)
        is_primary = directors.given is Rank.PRIMARY
        note_both_as_written(readings, hosts if is_primary else hosts[::-1], ledger)
        return directors
    return pair_of_keepalived(own.configuration, options, ledger, peer)


def _choose_ids(readings: tuple[Reading, ...], ledger: Ledger) -> None:
    """Tell as whom a file with conditions was read."""
    view = readings[0].view
    if view is None:
        return
    is_named = any("_INSTANCE" in document.source.text for document in view.documents)
    if not (view.conditions or is_named or len(readings) > 1):
        return
    why = "decides on @ID lines and ${_INSTANCE} for the given director, as keepalived -i does"
    ledger.choose("configuration id", view.config_id or "none", why, "--config-id")
    if len(readings) > 1 and (other := readings[1].view) is not None:
        what = "configuration id of the other director"
        why = "the same file is read as that director reads it, and nothing is derived"
        ledger.choose(what, other.config_id or "none", why, "--peer-config-id")


def _compared(reading: Reading, peer: Reading, directors: Directors) -> Comparison:
    """The directors' lvs.cf must be alike; of two keepalived.conf the second must be what the
    first one makes of its peer."""
    if reading.document.dialect == LVS_CF or directors.backup is None:
        return compare(reading, peer)
    is_primary = directors.given is Rank.PRIMARY
    expected = directors.backup if is_primary else directors.primary
    return compare(reading, peer, expected)


def _choose_methods(directors: Directors, options: ConvertOptions, ledger: Ledger) -> None:
    services = directors.primary.services
    if not services:
        return
    methods = {None if s.forwarding is None else s.forwarding.method for s in services}
    if methods != {MASQUERADE}:
        ledger.choose("ARP on the real servers", options.arp, ARP_REASONS[options.arp], "--arp")
        why = "rules and switches must be there before the address is"
        ledger.choose("what brings the VIP up on a real server", options.net, why, "--net")
    else:
        why = "masqueraded servers have no VIP; their answers must pass the active director"
        ledger.choose("what sets the route of a real server", options.net, why, "--net")
    if any(service.mark is not None for service in services):
        why = "lvs.cf never contained the rules that set the marks; the directors' folders do"
        ledger.choose("rules that set firewall marks", options.marks, why, "--marks")


def base_name(path: str) -> str:
    """Last part of a path as it can stand in a comment; standard input has a name of its own."""
    if path == "-":
        return "standard input"
    name = path.rstrip("/").rpartition("/")[2]
    return "".join(c if c.isprintable() else "\ufffd" for c in name)
