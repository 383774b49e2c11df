"""This host's own table of neighbours: to which MAC it sends what is for an address, and for which
it answers in somebody's place. Read only.

Facts: linux/neighbour.h.
"""

from __future__ import annotations

import socket
import struct

from drctl.adapters.netlink import NETLINK_ROUTE, NLM_F_DUMP, Netlink, attributes, message
from drctl.quickclass import dataclass

_NEWNEIGH, _GETNEIGH = 28, 30
_HEAD = struct.Struct("=BxxxiHBB")
_ADDRESS, _MAC = 1, 2
_PERMANENT = 0x80
_PROXY = 0x08
_USED = 0x02 | 0x04 | 0x08 | 0x10 | _PERMANENT
"""Reachable, stale, about to be asked, asked, and static."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entry that is in use. `is_static`: it stays until somebody takes it away."""

    address: str
    interface: str
    mac: str
    is_static: bool


def neighbours() -> tuple[Neighbour, ...]:
    """All with an Ethernet MAC in this network namespace."""
    names = dict(socket.if_nameindex())
    netlink = Netlink(NETLINK_ROUTE)
    try:
        request = message(_GETNEIGH, NLM_F_DUMP, 1, _HEAD.pack(0, 0, 0, 0, 0))
        received = netlink.dump(request, "list neighbours")
    finally:
        netlink.close()
    found = []
    for one in received:
        if one.kind != _NEWNEIGH:
            continue
        family, index, state, _, _ = _HEAD.unpack_from(one.body)
        of = attributes(one.body[_HEAD.size :])
        mac, packed = of.get(_MAC, b""), of.get(_ADDRESS, b"")
        is_whole = len(mac) == 6 and len(packed) in (4, 16) and index in names
        if is_whole and state & _USED and family in (socket.AF_INET, socket.AF_INET6):
            address = socket.inet_ntop(family, packed)
            is_static = bool(state & _PERMANENT)
            found.append(Neighbour(address, names[int(index)], mac.hex(":"), is_static))
    return tuple(found)


def proxied() -> frozenset[tuple[str, str]]:
    """Addresses that this host is told to answer for in somebody's place, each with its card
    (`ip neigh show proxy`)."""
    names = dict(socket.if_nameindex())
    netlink = Netlink(NETLINK_ROUTE)
    try:
        request = message(_GETNEIGH, NLM_F_DUMP, 1, _HEAD.pack(0, 0, 0, _PROXY, 0))
        received = netlink.dump(request, "list neighbours that are proxied")
    finally:
        netlink.close()
    found = set()
    for one in received:
        if one.kind == _NEWNEIGH:
            family, index, _, flags, _ = _HEAD.unpack_from(one.body)
            packed = attributes(one.body[_HEAD.size :]).get(_ADDRESS, b"")
            if flags & _PROXY and len(packed) in (4, 16) and index in names:
                found.add((socket.inet_ntop(family, packed), names[int(index)]))
    return frozenset(found)
