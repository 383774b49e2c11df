"""The two directors' configurations from whichever file there is."""

from __future__ import annotations

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.options import ConvertOptions
from drctl.convert.peer import PeerOptions, derive_pair, with_priorities
from drctl.convert.peer_priority import effective_priority
from drctl.model.configuration import Configuration
from drctl.model.origin import leftovers
from drctl.model.pair import Rank
from drctl.model.vrrp import VrrpInstance
from drctl.quickclass import dataclass, replace
from drctl.readers.keepalived_block import EMPTY, NOT_READ
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
    _note_leftovers(configuration, ledger)
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


def _note_leftovers(configuration: Configuration, ledger: Ledger) -> None:
    for leftover in leftovers(configuration):
        if leftover.place is None or leftover.reason in {"", "not modelled", EMPTY}:
            continue
        if leftover.reason == NOT_READ:
            why = (
                "no file was read for it, so nothing in it is known; the include itself stands in "
                "the files of both directors"
            )
            todo = (
                "convert where the included files can be read, or put them onto both directors and "
                "change there what must differ"
            )
            ledger.note((leftover.place,), Verdict.APPROXIMATED, why, todo)
        else:
            why = f"{leftover.reason}: copied as it is written"
            ledger.note((leftover.place,), Verdict.EXACT, why, "check the statement")


def pair_of_readings(
    own: Configuration, other: Configuration, options: ConvertOptions, ledger: Ledger
) -> Directors:
    """The pair from one file that was read as each director reads it: nothing is derived."""
    rank = options.given or _rank_among(own, other)
    directors = [own, other]
    for configuration in directors:
        _note_leftovers(configuration, ledger)
    if rank is Rank.BACKUP:
        directors.reverse()
    if options.router_id is not None:
        peer = 1 if rank is Rank.PRIMARY else 0
        settings = replace(directors[peer].settings, router_id=options.router_id)
        directors[peer] = replace(directors[peer], settings=settings)
    primary, backup = (replace(one, rank=place) for one, place in zip(directors, Rank, strict=True))
    if options.priorities is not None:
        primary = with_priorities(primary, Rank.PRIMARY, options.priorities)
        backup = with_priorities(backup, Rank.BACKUP, options.priorities)
    return Directors(primary, backup, rank)


def _rank_among(own: Configuration, other: Configuration) -> Rank:
    """Whose reading the first one is: that of the director with the higher priority, or the state
    MASTER, in the first instance where they differ."""
    theirs = {instance.name: instance for instance in other.instances}
    for ours in own.instances:
        peer = theirs.get(ours.name)
        if peer is None:
            continue
        here, there = effective_priority(ours), effective_priority(peer)
        if here != there:
            return Rank.PRIMARY if here > there else Rank.BACKUP
        if (ours.state == "MASTER") != (peer.state == "MASTER"):
            return Rank.PRIMARY if ours.state == "MASTER" else Rank.BACKUP
    return Rank.PRIMARY


def tells_directors_apart(own: Configuration, other: Configuration) -> bool:
    """Whether two readings of one file say what must differ between directors: in every instance a
    priority, a state or an address of unicast."""
    theirs = {instance.name: instance for instance in other.instances}
    return bool(own.instances) and all(
        instance.name not in theirs or _identity(instance) != _identity(theirs[instance.name])
        for instance in own.instances
    )


def _identity(instance: VrrpInstance) -> tuple[object, ...]:
    return instance.priority, instance.state, instance.unicast_source


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
