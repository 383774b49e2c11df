"""What the fence's tables look like: for each family the chains, rules, sets and maps. Pure.

A VIP leads, by a map, to its group's chain, which drops the packet unless the group's *alive* set
has an element; the element times out in the kernel. In family arp (and, for neighbour discovery, in
ip6 by sets of their own) that silences the group; in ip and ip6 it refuses what arrives. Only ARP
requests are refused: replies of others keep this host's own neighbour table right. Packets are
refused only for a VIP on the interface they came by: a standby that is a real server too has the
VIP on `lo`, and serves what the active sends it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from drctl.adapters import nftables as nf
from drctl.core.value import Vip

PRIORITY = -10
"""Before the filter chains of others (0), and before IPVS (98)."""

PACKETS, TALK = "alive", "speak"
"""First words of the two sets of a group: packets for it are accepted; it answers ARP or ND."""

_SOLICITATION, _ADVERTISEMENT, _ICMPV6 = 135, 136, 58
_REQUEST = b"\x00\x01"
_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")

Rule = tuple[bytes, str]
"""Expressions of a rule, and a comment that changes when they do."""


@dataclass(frozen=True)
class Layout:
    """One table. `maps` lead from packed addresses to chains; `sets` hold *alive* elements."""

    family: int
    hooks: dict[str, nf.Hook] = field(default_factory=dict)
    rules: dict[str, tuple[Rule, ...]] = field(default_factory=dict)
    sets: tuple[str, ...] = ()
    maps: dict[str, dict[bytes, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """An *alive* set: its family, name, and whether it is for ARP or ND answers."""

    family: int
    name: str
    is_talk: bool


def identifier(group: str) -> str:
    """A name that nftables accepts, for any group: what is readable of it, and a digest."""
    readable = _UNSAFE.sub("_", group.encode("ascii", "replace").decode()).strip("_")[:32]
    digest = sha256(group.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{readable or 'group'}_{digest}"


def places(group: str, vips: Iterable[Vip]) -> tuple[Place, ...]:
    """The *alive* sets of a group, by the families that its VIPs are of."""
    name = identifier(group)
    has_v6 = {vip.is_v6 for vip in vips}
    found = []
    if False in has_v6:
        found.append(Place(nf.ARP, f"{TALK}_{name}", is_talk=True))
        found.append(Place(nf.IPV4, f"{PACKETS}_{name}", is_talk=False))
    if True in has_v6:
        found.append(Place(nf.IPV6, f"{TALK}_{name}", is_talk=True))
        found.append(Place(nf.IPV6, f"{PACKETS}_{name}", is_talk=False))
    return tuple(found)


def packed(address: str) -> bytes:
    """An address as it stands in a packet."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def layouts(groups: Mapping[str, Sequence[Vip]]) -> dict[int, Layout]:
    """The tables for these groups by family; families without VIPs have none."""
    found = {}
    for family in nf.FAMILIES:
        mine = {
            group: [packed(vip.address) for vip in vips if vip.is_v6 == (family == nf.IPV6)]
            for group, vips in groups.items()
        }
        mine = {group: addresses for group, addresses in mine.items() if addresses}
        if mine:
            found[family] = _layout(family, mine)
    return found


def _layout(family: int, groups: Mapping[str, Sequence[bytes]]) -> Layout:
    words = {nf.ARP: (TALK,), nf.IPV4: (PACKETS,), nf.IPV6: (PACKETS, TALK)}[family]
    into, out_of = (nf.ARP_INPUT, nf.ARP_OUTPUT) if family == nf.ARP else (nf.INPUT, nf.OUTPUT)
    hooks = {"input": (into, PRIORITY)}
    if TALK in words:
        hooks["output"] = (out_of, PRIORITY)
    rules = {chain: tuple(map(_rule, made)) for chain, made in _base_rules(family).items()}
    sets, maps = [], {}
    for word in words:
        leads: dict[bytes, str] = {}
        for group, addresses in groups.items():
            name = f"{word}_{identifier(group)}"
            sets.append(name)
            chain = f"unless_{name}"
            rules[chain] = (_rule(nf.load_meta(nf.META_PROTOCOL) + nf.is_not_in(name) + nf.drop()),)
            for address in addresses:
                assert address not in leads, f"an address in two groups, the second is {group}"
                leads[address] = chain
        maps[_map_name(word)] = leads
    return Layout(family, hooks, rules, tuple(sets), maps)


def _map_name(word: str) -> str:
    return {PACKETS: "vips", TALK: "voices"}[word]


def _base_rules(family: int) -> dict[str, tuple[bytes, ...]]:
    """Expressions of the rules that stand at the hooks."""
    vips, voices = nf.jump_by(_map_name(PACKETS)), nf.jump_by(_map_name(TALK))
    network = nf.NETWORK_HEADER
    if family == nf.ARP:
        is_request = nf.load_header(network, 6, 2) + nf.is_equal(_REQUEST)
        return {
            "input": (is_request + nf.load_header(network, 24, 4) + voices,),
            "output": (nf.load_header(network, 14, 4) + voices,),
        }
    is_here = nf.load_type_at_interface() + nf.is_equal(nf.LOCAL)
    if family == nf.IPV4:
        return {"input": (is_here + nf.load_header(network, 16, 4) + vips,)}
    return {
        "input": (is_here + nf.load_header(network, 24, 16) + vips,),
        "output": tuple(
            nf.load_meta(nf.META_L4PROTO)
            + nf.is_equal(bytes((_ICMPV6,)))
            + nf.load_header(nf.TRANSPORT_HEADER, 0, 1)
            + nf.is_equal(bytes((kind,)))
            + nf.load_header(network, 8, 16)
            + voices
            for kind in (_SOLICITATION, _ADVERTISEMENT)
        ),
    }


def _rule(expressions: bytes) -> Rule:
    return expressions, f"drctl {sha256(expressions).hexdigest()[:12]}"
