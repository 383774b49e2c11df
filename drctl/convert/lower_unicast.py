"""Whom a director's VRRP instances speak to, and what is chosen for both directors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.options import DEFAULT_PRIORITIES, ConvertOptions
from drctl.model.origin import SELF
from drctl.model.pair import Director, Rank
from drctl.model.vrrp import Authentication, UnicastPeer, VrrpInstance
from drctl.text.place import Place
from drctl.units import in_same_network, inet_aton

FALLBACK_ID = 51
Directors = dict[Rank, Director]
Instances = dict[Rank, tuple[VrrpInstance, ...]]


@dataclass(frozen=True, slots=True)
class _Ends:
    """Addresses of the two ends by rank with their places; empty: multicast."""

    by_rank: dict[Rank, tuple[str, tuple[Place, ...]]] = field(default_factory=dict)


def seat(
    instances: tuple[VrrpInstance, ...],
    directors: Directors,
    options: ConvertOptions,
    ledger: Ledger,
    *,
    has_backup: bool,
) -> Instances:
    """The instances of each director: what differs between them, and what is chosen."""
    first_id = _virtual_router_id(instances[0], options, ledger)
    priorities = options.priorities or DEFAULT_PRIORITIES
    ledger.choose(
        "priorities",
        f"{priorities[0]} primary, {priorities[1]} backup",
        "with state BACKUP and nopreempt on both, a returning director waits, as pulse did, and "
        "after a partition the primary wins",
        "--priorities",
    )
    authentication = _authentication(options, ledger)
    networks = _networks(instances, directors, options, ledger, has_backup=has_backup)
    seated: Instances = {}
    for rank, priority in zip(Rank, priorities, strict=True):
        seated[rank] = tuple(
            _with_peer(
                replace(
                    instance,
                    virtual_router_id=(first_id + index - 1) % 255 + 1,
                    priority=priority,
                    authentication=authentication,
                ),
                ends,
                rank,
            )
            for index, (instance, ends) in enumerate(zip(instances, networks, strict=True))
        )
    return seated


def _with_peer(instance: VrrpInstance, ends: _Ends, rank: Rank) -> VrrpInstance:
    if not ends.by_rank:
        return instance
    other = Rank.BACKUP if rank is Rank.PRIMARY else Rank.PRIMARY
    own, own_places = ends.by_rank[rank]
    peer, peer_places = ends.by_rank[other]
    return replace(
        instance,
        unicast_source=own,
        unicast_peers=(UnicastPeer(peer, origins={SELF: peer_places}),),
        origins={
            **instance.origins,
            "unicast_source": own_places,
            "unicast_peers": peer_places,
        },
    )


def _virtual_router_id(instance: VrrpInstance, options: ConvertOptions, ledger: Ledger) -> int:
    if options.virtual_router_id is not None:
        chosen = options.virtual_router_id
        ledger.choose("virtual_router_id", chosen, "asked for", "--virtual-router-id")
        return chosen
    last = int(instance.vips[0].address.rpartition(".")[2])
    chosen = last if 0 < last < 255 else FALLBACK_ID
    source = "the last number of the first VIP" if chosen == last else "any number"
    why = f"{source}; it must be unique among all VRRP pairs on the network"
    ledger.choose("virtual_router_id", chosen, why, "--virtual-router-id")
    return chosen


def _authentication(options: ConvertOptions, ledger: Ledger) -> Authentication | None:
    if options.password is None:
        why = "pulse had none either, and RFC 5798 has dropped it"
        ledger.choose("VRRP authentication", "none", why, "--auth-pass-file")
        return None
    ledger.choose("VRRP authentication", "PASS", "asked for", "--auth-pass-file")
    return Authentication("PASS", options.password)


def _networks(
    instances: tuple[VrrpInstance, ...],
    directors: Directors,
    options: ConvertOptions,
    ledger: Ledger,
    *,
    has_backup: bool,
) -> list[_Ends]:
    """The ends of each instance, with a note on every director's address."""
    side = options.vrrp_network
    _note_names(directors, ledger)
    if not has_backup:
        for director in directors.values():
            if director.rank is Rank.PRIMARY:
                why = "a director without a peer has no use for its address in VRRP"
                ledger.idle(_all_places(director), why)
        return [_Ends() for _ in instances]
    first = _ends(directors, side)
    if not first.by_rank:
        ledger.choose(
            f"VRRP addressing on {instances[0].interface}",
            "multicast 224.0.0.18",
            f"the file does not give two different {side} addresses of the directors",
            "edit unicast_peer",
        )
    networks, gateway = [first], _Ends()
    if len(instances) > 1:
        gateway = _gateway_ends(directors, instances[1])
        networks.append(gateway)
        if not gateway.by_rank:
            ledger.choose(
                f"VRRP addressing on {instances[1].interface}",
                "multicast 224.0.0.18",
                "the file gives no addresses of the directors in the gateway's network",
                "edit unicast_peer",
            )
    _note_sides(directors, side, first, gateway, ledger)
    return networks


def _all_places(director: Director) -> tuple[Place, ...]:
    return (*director.origins.get("public", ()), *director.origins.get("private", ()))


def _note_names(directors: Directors, ledger: Ledger) -> None:
    for director in directors.values():
        for side in ("public", "private"):
            address = getattr(director, side)
            if address is not None and inet_aton(address) is None:
                why = f"{address} is a host name; unicast VRRP needs an address"
                todo = "write the address into the lvs.cf and convert again"
                ledger.field(director.origins, side, Verdict.DROPPED, why, todo)


def _ends(directors: Directors, side: str) -> _Ends:
    """The directors' addresses on a network, when there are two different ones."""
    found: dict[Rank, tuple[str, tuple[Place, ...]]] = {}
    for rank, director in directors.items():
        address = getattr(director, side)
        if address is not None and inet_aton(address) is not None:
            found[rank] = (address, director.origins.get(side, ()))
    addresses = {address for address, _ in found.values()}
    return _Ends(found) if len(addresses) == 2 else _Ends()


def _gateway_ends(directors: Directors, instance: VrrpInstance) -> _Ends:
    """The gateway's network is that of the private addresses when they lie in it, else that of
    the public ones when those do."""
    gateway = instance.vips[0]
    prefix = min(gateway.prefix or 24, 24)
    for side in ("private", "public"):
        ends = _ends(directors, side)
        addresses = [address for address, _ in ends.by_rank.values()]
        if addresses and all(in_same_network(a, gateway.address, prefix) for a in addresses):
            return ends
    return _Ends()


def _note_sides(
    directors: Directors, side: str, first: _Ends, gateway: _Ends, ledger: Ledger
) -> None:
    """What became of the addresses that VRRP does not run on."""
    other = "public" if side == "private" else "private"
    is_complete = len(directors) == 2 and all(d.private for d in directors.values())
    for director in directors.values():
        used = director.origins.get(side, ())
        unused = director.origins.get(other, ())
        if not first.by_rank:
            why = "VRRP is multicast here, so the address has no place in it"
            ledger.note(used, Verdict.DROPPED, why, "check the addresses of the directors")
        if getattr(director, other) == getattr(director, side):
            ledger.idle(unused, "the address is the same on both networks")
        elif other == "private" and not is_complete:
            why = "only one director has a private address, and pulse could not use it"
            ledger.idle(unused, why, "give both private addresses, or none")
        elif gateway.by_rank and unused == gateway.by_rank[director.rank][1]:
            why = (
                "the gateway's instance runs over this network and moves together with the other "
                "one; pulse took over only when both networks were silent"
            )
            ledger.note(unused, Verdict.APPROXIMATED, why)
        else:
            why = (
                f"VRRP runs over the {side} network only; pulse watched both and took over when "
                "both were silent"
            )
            todo = f"--vrrp-network {other} chooses this one"
            ledger.note(unused, Verdict.DROPPED, why, todo)
