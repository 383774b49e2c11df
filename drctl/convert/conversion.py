"""One configuration file into everything a pair of directors and their real servers need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from drctl.convert.directors import base_name, directors_of
from drctl.convert.drift import Comparison, compare
from drctl.convert.ledger import Ledger
from drctl.convert.naming import check_director_names, choose_names
from drctl.convert.options import ConvertOptions
from drctl.convert.pairing import Directors
from drctl.convert.report import Report, build_report
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
