"""One director's keepalived configuration into the other's.

Almost everything is the same on both. What differs is turned round (state, unicast addresses),
derived (priority, router_id) or left out (addresses that belong to one machine only), and the
ledger tells each of it. The file given may be either director's.
"""

from __future__ import annotations

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.peer_copy import copied_settings, for_address, keyword_of, note_machine_values
from drctl.convert.peer_network import route_for, rule_for, session_for
from drctl.convert.peer_priority import (
    DEFAULT_PRIORITY,
    HIGHEST_PRIORITY,
    effective_priority,
    peer_priority,
)
from drctl.errors import UsageError
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF
from drctl.model.pair import Rank
from drctl.model.vrrp import UnicastPeer, VrrpInstance
from drctl.quickclass import dataclass, replace
from drctl.readers.keepalived_block import EMPTY
from drctl.text.place import Place


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """Choices in deriving a peer; None means what the file suggests.

    `rank` is that of the director whose file is given. `priorities` of primary and backup 1..254.
    `address` is the given director's own, for instances that have peers and no unicast_src_ip.
    """

    rank: Rank | None = None
    priorities: tuple[int, int] | None = None
    router_id: str | None = None
    address: str | None = None


NOTHING_GIVEN = PeerOptions()


@dataclass(frozen=True, slots=True)
class DirectorPair:
    """Both directors' configurations; `given` is the rank of the one that was read."""

    given: Rank
    primary: Configuration
    backup: Configuration


def derive_pair(
    configuration: Configuration, ledger: Ledger, options: PeerOptions = NOTHING_GIVEN
) -> DirectorPair:
    """The given configuration and its peer, each in its place."""
    rank = given_rank(configuration, options, ledger)
    own = replace(configuration, rank=rank)
    if options.priorities is not None:
        own = with_priorities(own, rank, options.priorities)
    peer = _peer(own, rank, options, ledger)
    if rank is Rank.PRIMARY:
        return DirectorPair(rank, own, peer)
    return DirectorPair(rank, peer, own)


def derive_peer(
    configuration: Configuration, ledger: Ledger, options: PeerOptions = NOTHING_GIVEN
) -> Configuration:
    """The other director's configuration; its `rank` is the one that was not given."""
    pair = derive_pair(configuration, ledger, options)
    return pair.backup if pair.given is Rank.PRIMARY else pair.primary


def other(rank: Rank) -> Rank:
    """The other place in the pair."""
    return Rank.BACKUP if rank is Rank.PRIMARY else Rank.PRIMARY


def given_rank(configuration: Configuration, options: PeerOptions, ledger: Ledger) -> Rank:
    """Whose file it is: as asked for, by the instances' states, else by their priority."""
    if options.rank is not None:
        return options.rank
    if not configuration.instances:
        raise UsageError("there is no vrrp_instance, so there is no pair to find the peer of")
    first = configuration.instances[0]
    priority = effective_priority(first)
    if priority >= HIGHEST_PRIORITY:
        return Rank.PRIMARY
    if priority == 1:
        return Rank.BACKUP
    if configuration.rank is not None:
        return configuration.rank
    if any(one.state == "MASTER" for one in configuration.instances):
        rank = Rank.PRIMARY if first.state == "MASTER" else Rank.BACKUP
        why = "each director is MASTER of some instances; that of the first one decides"
    else:
        rank = Rank.PRIMARY if priority >= DEFAULT_PRIORITY else Rank.BACKUP
        why = f"both directors start as BACKUP (nopreempt), and priority {priority} is " + (
            f"{DEFAULT_PRIORITY} or more" if rank is Rank.PRIMARY else f"below {DEFAULT_PRIORITY}"
        )
    ledger.choose("whose file this is", f"the {rank} director's", why, "--given")
    return rank


def _role(instance: VrrpInstance, configuration: Configuration, rank: Rank) -> Rank:
    """The given director's place in one instance: directors may share the work, each being MASTER
    of some instances."""
    if any(one.state == "MASTER" for one in configuration.instances) and any(
        one.state != "MASTER" for one in configuration.instances
    ):
        rank = Rank.PRIMARY if instance.state == "MASTER" else Rank.BACKUP
    priority = effective_priority(instance)
    if priority >= HIGHEST_PRIORITY:
        return Rank.PRIMARY
    return Rank.BACKUP if priority == 1 else rank


def with_priorities(
    configuration: Configuration, rank: Rank, priorities: tuple[int, int]
) -> Configuration:
    """The configuration of the director that is `rank` with the priorities of primary and backup
    in all its instances."""
    by_rank = dict(zip(Rank, priorities, strict=True))
    instances = tuple(
        replace(one, priority=by_rank[_role(one, configuration, rank)])
        for one in configuration.instances
    )
    return replace(configuration, instances=instances)


def _peer(
    configuration: Configuration, rank: Rank, options: PeerOptions, ledger: Ledger
) -> Configuration:
    peer_of = {
        one.name: _Seat(configuration, rank, one, options, ledger).peer()
        for one in configuration.instances
    }
    own = {one.unicast_source: peer_of[one.name].unicast_source for one in configuration.instances}
    addresses = {ours: theirs for ours, theirs in own.items() if ours and theirs}
    note_machine_values(configuration, addresses, ledger)
    settings = copied_settings(configuration.settings, other(rank), options.router_id, ledger)
    for address in configuration.static_addresses:
        ledger.note(
            address.origins.get(SELF, ()),
            Verdict.APPROXIMATED,
            f"{address.address} belongs to the director whose file this is, not to its peer",
            "give the peer its own static_ipaddress",
        )
    return replace(
        configuration,
        rank=other(rank),
        settings=settings,
        instances=tuple(
            replace(
                one,
                routes=tuple(route_for(route, addresses) for route in one.routes),
                rules=tuple(rule_for(rule, addresses) for rule in one.rules),
            )
            for one in peer_of.values()
        ),
        static_addresses=(),
        static_routes=tuple(route_for(one, addresses) for one in configuration.static_routes),
        static_rules=tuple(rule_for(one, addresses) for one in configuration.static_rules),
        bfd_sessions=tuple(
            session_for(one, addresses, ledger) for one in configuration.bfd_sessions
        ),
        services=tuple(for_address(one, addresses) for one in configuration.services),
    )


@dataclass(frozen=True, slots=True)
class _Seat:
    """One instance of the given director, about to be turned into the peer's."""

    configuration: Configuration
    rank: Rank
    instance: VrrpInstance
    options: PeerOptions
    ledger: Ledger

    def peer(self) -> VrrpInstance:
        """The instance as the other director has it; what could not be read stays as it is."""
        instance = self.instance
        role = _role(instance, self.configuration, self.rank)
        self._note_common()
        unread = {keyword_of(left) for left in instance.leftovers if left.reason != EMPTY}
        turned = replace(instance, multicast_source=None)
        if "state" not in unread:
            turned = replace(turned, state=self._state(role))
        if "priority" not in unread:
            turned = replace(turned, priority=self._priority(role))
        if not unread & {"unicast_src_ip", "unicast_peer"}:
            turned = self._unicast(turned)
        return turned

    def _priority(self, role: Rank) -> int:
        if self.options.priorities is not None:
            by_rank = dict(zip(Rank, self.options.priorities, strict=True))
            return by_rank[other(role)]
        return peer_priority(self.configuration, self.instance, role, self.ledger)

    def _state(self, role: Rank) -> str | None:
        """MASTER on one director only; with nopreempt BACKUP on both."""
        instance = self.instance
        if instance.state is None:
            return None
        authentication = instance.authentication
        keeps_backup = (
            role is Rank.PRIMARY
            or not instance.is_preempting
            or bool(instance.preempt_delay_ms)
            or (authentication is not None and authentication.kind == "AH")
        )
        state = "BACKUP" if instance.state == "MASTER" or keeps_backup else "MASTER"
        why = f"{instance.state} on the {self.rank} director, {state} on the {other(self.rank)}"
        self.ledger.field(instance.origins, "state", Verdict.EXACT, why)
        return state

    def _note_common(self) -> None:
        instance, note = self.instance, self.ledger.field
        todo = f"check that {instance.interface} is the device's name on the peer too"
        note(instance.origins, "interface", Verdict.EXACT, "the same on both directors", todo)
        why = "must be the same on both directors"
        note(instance.origins, "virtual_router_id", Verdict.EXACT, why)
        if instance.state == "MASTER" and not instance.is_preempting:
            why = "keepalived ignores nopreempt where state is MASTER"
            todo = "write state BACKUP in both files when a returning director is to wait"
            note(instance.origins, "is_preempting", Verdict.EXACT, why, todo)
        if instance.multicast_source is not None:
            why = (
                f"{instance.multicast_source} belongs to the director whose file this is; the peer "
                "sends from the first address of its interface"
            )
            todo = "write the peer's mcast_src_ip when that is another address"
            note(instance.origins, "multicast_source", Verdict.APPROXIMATED, why, todo)

    def _unicast(self, turned: VrrpInstance) -> VrrpInstance:
        """The two ends change places; with several peers the first one is the other director."""
        instance, ledger = self.instance, self.ledger
        if not instance.unicast_peers:
            if instance.unicast_source is None:
                return turned
            why = f"{instance.unicast_source} has no peer, and the peer's own address is not known"
            ledger.field(
                instance.origins,
                "unicast_source",
                Verdict.APPROXIMATED,
                why,
                "write unicast_src_ip and unicast_peer into the peer's file",
            )
            return replace(turned, unicast_source=None)
        peer, *others = instance.unicast_peers
        if others:
            ledger.choose(
                f"address of the other director in {instance.name}",
                peer.address,
                f"the first of {len(instance.unicast_peers)} peers; the others stay peers of both",
                "put the other director first in unicast_peer",
            )
        own, places = self._own_address()
        if own is None:
            return self._without_own_address(turned, peer, others)
        return replace(
            turned,
            unicast_source=peer.address,
            unicast_peers=(UnicastPeer(own, peer.options, {SELF: places}), *others),
            origins={
                **turned.origins,
                "unicast_source": peer.origins.get(SELF, ()),
            },
        )

    def _own_address(self) -> tuple[str | None, tuple[Place, ...]]:
        """The given director's address in this instance: its unicast_src_ip, the one asked for, its
        mcast_src_ip, or that of another instance on the same device."""
        instance = self.instance
        is_ipv6 = ":" in instance.unicast_peers[0].address
        near = [one for one in self.configuration.instances if one.interface == instance.interface]
        candidates = [(instance, "unicast_source"), (None, ""), (instance, "multicast_source")]
        candidates += [
            (one, name) for one in near for name in ("unicast_source", "multicast_source")
        ]
        for one, name in candidates:
            address = self.options.address if one is None else getattr(one, name)
            if address is not None and (":" in address) == is_ipv6:
                places = () if one is None else one.origins.get(name, ())
                return address, tuple(places)
        return None, ()

    def _without_own_address(
        self, turned: VrrpInstance, peer: UnicastPeer, others: list[UnicastPeer]
    ) -> VrrpInstance:
        """Without the address the peer would listen to nobody and be master beside the other, so it
        is told to stay in the fault state instead."""
        instance = self.instance
        why = (
            f"unicast_src_ip is missing in {instance.name}, so the peer cannot be told whom to "
            "listen to; it stays in the fault state (unicast_fault_no_peer) until it is"
        )
        todo = "give --own-address, or write the address into unicast_peer of the peer's file"
        self.ledger.field(instance.origins, "unicast_peers", Verdict.APPROXIMATED, why, todo)
        return replace(
            turned,
            unicast_source=peer.address,
            unicast_peers=tuple(others) if others else (),
            is_fault_without_peer=turned.is_fault_without_peer or not others,
            origins={**turned.origins, "unicast_source": peer.origins.get(SELF, ())},
        )
