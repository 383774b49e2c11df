"""The two directors' configurations from whichever file there is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.options import ConvertOptions
from drctl.convert.peer import PeerOptions, derive_pair
from drctl.model.configuration import Configuration
from drctl.model.origin import leftovers
from drctl.model.pair import Rank


@dataclass(frozen=True, slots=True)
class Directors:
    """The directors' configurations in keepalived's terms; `backup` is None for a director that
    stands alone. `given` is the rank of the one whose keepalived.conf was read."""

    primary: Configuration
    backup: Configuration | None
    given: Rank = Rank.PRIMARY


def pair_of_keepalived(
    configuration: Configuration, options: ConvertOptions, ledger: Ledger
) -> Directors:
    """The pair from one director's keepalived.conf."""
    for leftover in leftovers(configuration):
        if leftover.place is not None and leftover.reason not in {"", "not modelled"}:
            why = f"{leftover.reason}: copied as it is written"
            ledger.note((leftover.place,), Verdict.EXACT, why, "check the statement")
    if not configuration.instances:
        ledger.choose(
            "pair",
            "one director",
            "there is no vrrp_instance, so there is no pair to find the peer of",
            "add a vrrp_instance",
        )
        return Directors(replace(configuration, rank=Rank.PRIMARY), None)
    pair = derive_pair(
        configuration,
        ledger,
        PeerOptions(options.given, options.priorities, options.router_id, options.own_address),
    )
    return Directors(pair.primary, pair.backup, pair.given)
