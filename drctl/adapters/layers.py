"""Links that lie on others: which have a bond or bridge above them that speaks ARP in their place,
and bonds whose MAC changes; cards that do not speak it though they could. Read only.

Facts: linux/if_link.h, linux/if.h; drivers/net/bonding/bond_main.c (bond_do_fail_over_mac).
"""

from __future__ import annotations

import struct
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

_HEAD = struct.Struct("=BxHiII")
_ETHERNET, _NOARP = 1, 0x80
_NAME, _LOWER, _LINKINFO = 3, 5, 18
_KIND, _DATA, _SLAVE_KIND = 1, 2, 4
_TAKING_ALL = frozenset({"bond", "bridge", "team", "openvswitch"})
"""What lies above, and gets all that comes in below; with vrf it is the card that speaks."""
_WITHOUT_ARP = frozenset({"dummy", "ifb", "ipvlan", "ipvtap", "vrf"})
"""Ethernet to the kernel, where ARP is off by itself."""
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
    """`ports` never speak themselves. `speechless` are cards on which somebody has turned ARP off
    (`ip link set CARD arp off`)."""

    ports: frozenset[str] = frozenset()
    bonds: tuple[Bond, ...] = ()
    speechless: frozenset[str] = frozenset()
    bridges: frozenset[str] = frozenset()


def read_layers() -> Layers:
    """Those of this network namespace."""
    netlink = Netlink(NETLINK_ROUTE)
    try:
        received = netlink.dump(message(GETLINK, NLM_F_DUMP, 1, bytes(_HEAD.size)), "list links")
    finally:
        netlink.close()
    ports, speechless, bridges, bonds = set(), set(), set(), {}
    above: dict[int, set[str]] = {}
    for one in received:
        if one.kind != NEWLINK:
            continue
        _, hardware, index, flags, _ = _HEAD.unpack_from(one.body)
        of = attributes(one.body[_HEAD.size :])
        name, info = cstring(of.get(_NAME, b"")), attributes(of.get(_LINKINFO, b""))
        if cstring(info.get(_SLAVE_KIND, b"")) in _TAKING_ALL:
            ports.add(name)
        kind = cstring(info.get(_KIND, b""))
        if hardware == _ETHERNET and flags & _NOARP and kind not in _WITHOUT_ARP:
            speechless.add(name)
        if kind == "bridge":
            bridges.add(name)
        if kind == "vlan":
            above.setdefault(int.from_bytes(of.get(_LOWER, b""), sys.byteorder), set()).add(name)
        data = attributes(info.get(_DATA, b""))
        way = (data.get(_BOND_MODE), data.get(_BOND_FAIL_OVER_MAC))
        if kind == "bond" and way == (_ACTIVE_BACKUP, _OF_ACTIVE_SLAVE):
            bonds[index] = (name, data.get(_BOND_NUM_PEER_NOTIF, b"\1")[0])
    made = [
        Bond(name, announcements, frozenset({name, *above.get(index, ())}))
        for index, (name, announcements) in bonds.items()
    ]
    return Layers(frozenset(ports), tuple(made), frozenset(speechless), frozenset(bridges))
