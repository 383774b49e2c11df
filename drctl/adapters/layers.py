"""Links that lie on others: which have a bond or bridge above them that speaks ARP in their place,
and bonds whose MAC changes. Read only.

Facts: linux/if_link.h; drivers/net/bonding/bond_main.c (bond_do_fail_over_mac).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from drctl.adapters.address_message import GETLINK, NEWLINK
from drctl.adapters.netlink import (
    NETLINK_ROUTE,
    NLM_F_DUMP,
    Netlink,
    attributes,
    cstring,
    message,
)

_HEAD_BYTES = 16
_NAME, _LOWER, _LINKINFO = 3, 5, 18
_KIND, _DATA, _SLAVE_KIND = 1, 2, 4
_TAKING_ALL = frozenset({"bond", "bridge", "team", "openvswitch"})
"""What lies above, and gets all that comes in below; with vrf it is the card that speaks."""
_BOND_MODE, _BOND_FAIL_OVER_MAC, _BOND_NUM_PEER_NOTIF = 1, 13, 16
_ACTIVE_BACKUP, _OF_ACTIVE_SLAVE = b"\1", b"\1"


@dataclass(frozen=True, slots=True)
class Bond:
    """A bond whose MAC is that of its active slave (fail_over_mac=active). It says so many times
    that it has another one; `devices` are its own name and those of VLANs on it."""

    interface: str
    announcements: int
    devices: frozenset[str]


@dataclass(frozen=True, slots=True)
class Layers:
    """`ports` never speak themselves."""

    ports: frozenset[str] = frozenset()
    bonds: tuple[Bond, ...] = ()


def read_layers() -> Layers:
    """Those of this network namespace."""
    netlink = Netlink(NETLINK_ROUTE)
    try:
        received = netlink.dump(message(GETLINK, NLM_F_DUMP, 1, bytes(_HEAD_BYTES)), "list links")
    finally:
        netlink.close()
    ports, bonds = set(), {}
    above: dict[int, set[str]] = {}
    for one in received:
        if one.kind != NEWLINK:
            continue
        index = int.from_bytes(one.body[4:8], sys.byteorder)
        of = attributes(one.body[_HEAD_BYTES:])
        name, info = cstring(of.get(_NAME, b"")), attributes(of.get(_LINKINFO, b""))
        if cstring(info.get(_SLAVE_KIND, b"")) in _TAKING_ALL:
            ports.add(name)
        if cstring(info.get(_KIND, b"")) == "vlan":
            above.setdefault(int.from_bytes(of.get(_LOWER, b""), sys.byteorder), set()).add(name)
        data = attributes(info.get(_DATA, b""))
        way = (data.get(_BOND_MODE), data.get(_BOND_FAIL_OVER_MAC))
        if cstring(info.get(_KIND, b"")) == "bond" and way == (_ACTIVE_BACKUP, _OF_ACTIVE_SLAVE):
            bonds[index] = (name, data.get(_BOND_NUM_PEER_NOTIF, b"\1")[0])
    made = [
        Bond(name, announcements, frozenset({name, *above.get(index, ())}))
        for index, (name, announcements) in bonds.items()
    ]
    return Layers(frozenset(ports), tuple(made))
