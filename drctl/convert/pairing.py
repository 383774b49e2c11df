"""The two directors' configurations from whichever file there is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.options import ConvertOptions
from drctl.convert.peer import PeerOptions, derive_pair
from drctl.model.configuration import Configuration
from drctl.model.origin import leftovers
from drctl.model.pair import Rank
from drctl.readers.reading import Reading

_DERIVED_CHOICES = ("priority of the peer", "router_id of the peer")


@dataclass(frozen=True, slots=True)
class Directors:
    """The directors' configurations in keepalived's terms; `backup` is None for a director that
    stands alone. `given` is the rank of the one whose keepalived.conf was read."""

    primary: Configuration
    backup: Configuration | None
    given: Rank = Rank.PRIMARY


def pair_of_keepalived(
    configuration: Configuration,
    options: ConvertOptions,
    ledger: Ledger,
    peer: Reading | None = None,
) -> Directors:
    """The pair from one director's keepalived.conf. What has to differ between the directors is
    taken from `peer`, the other one's file, when it is given."""
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
    primary, backup = pair.primary, pair.backup
    if peer is not None and pair.given is Rank.PRIMARY:
        backup = _as_in(peer, backup, configuration, ledger)
    elif peer is not None:
        primary = _as_in(peer, primary, configuration, ledger)
    return Directors(primary, backup, pair.given)


def _as_in(
    peer: Reading, derived: Configuration, own: Configuration, ledger: Ledger
) -> Configuration:
    """The derived configuration with the peer's own values of what differs between directors."""
    actual = {instance.name: instance for instance in peer.configuration.instances}
    source = peer.document.source.path
    ledger.choices = [
        choice for choice in ledger.choices if not choice.what.startswith(_DERIVED_CHOICES)
    ]
    why = "the peer's own file says what has to differ: priority, state, router_id"
    ledger.choose("the peer's own values", f"as in {source}", why, "--peer-file")
    for instance in own.instances:
        for name in ("priority", "state"):
            for place in instance.origins.get(name, ()):
                ledger.forget(place)
    for place in own.settings.origins.get("router_id", ()):
        ledger.forget(place)
    router_id = peer.configuration.settings.router_id
    return replace(
        derived,
        settings=replace(derived.settings, router_id=router_id or derived.settings.router_id),
        instances=tuple(
            instance
            if instance.name not in actual
            else replace(
                instance,
                priority=actual[instance.name].priority,
                state=actual[instance.name].state,
            )
            for instance in derived.instances
        ),
    )
