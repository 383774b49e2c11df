"""What the kernel would do with a packet: its own answer, after all rules, tables and checks.

Facts: inet_rtm_getroute (net/ipv4/route.c), inet6_rtm_getroute (net/ipv6/route.c); a packet that
comes in on a card is asked for with RTA_IIF; what rp_filter drops is refused (EXDEV, EINVAL since
Linux 6.14).
"""

from __future__ import annotations

import socket
import struct

from drctl.adapters.netlink import (
    NETLINK_ROUTE,
    NLM_F_DUMP,
    Netlink,
    attribute,
    attributes,
    interface_index,
    message,
)
from drctl.errors import KernelRefused
from drctl.quickclass import dataclass

_NEWROUTE, _GETROUTE = 24, 26
_DST, _SRC, _IIF, _OIF, _GATEWAY, _TABLE = 1, 2, 3, 4, 5, 15
_LOOKUP_TABLE = 0x1000
"""RTM_F_LOOKUP_TABLE: name the table that decided."""
_MAIN, _UNICAST = 254, 1
_ROUTED = frozenset({_GATEWAY, 9, 18})
"""By a gateway, several ways, or a gateway of the other family."""
_HEADER = struct.Struct("=BBBBBBBBI")
_KINDS = {1: "unicast", 2: "local", 3: "broadcast", 5: "multicast", 6: "blackhole"}


@dataclass(frozen=True, slots=True)
class Route:
    """`kind` is `local` (delivered here), `unicast` (sent on) or another of rtnetlink(7)'s; ""
    when the kernel refuses the packet, with the errno `refused`. `gateway` "": the network is at
    hand."""

    kind: str
    interface: str = ""
    gateway: str = ""
    table: int = 0
    refused: int = 0


class RouteLookup:
    """Asks the kernel of this network namespace."""

    def __init__(self) -> None:
        self._netlink = Netlink(NETLINK_ROUTE)

    def close(self) -> None:
        """Give back the socket."""
        self._netlink.close()

    def ask(self, destination: str, source: str = "", arrives_on: str = "") -> Route:
        """What becomes of a packet with these addresses: one that comes in on an interface, or one
        of this host's own. Raises KernelRefused when there is no such interface."""
        family = socket.AF_INET6 if ":" in destination else socket.AF_INET
        bits = 128 if family == socket.AF_INET6 else 32
        body = _HEADER.pack(family, bits, bits if source else 0, 0, 0, 0, 0, 0, _LOOKUP_TABLE)
        body += attribute(_DST, socket.inet_pton(family, destination))
        if source:
            body += attribute(_SRC, socket.inet_pton(family, source))
        if arrives_on:
            body += attribute(_IIF, struct.pack("=I", interface_index(arrives_on)))
        operation = f"ask for the route to {destination}"
        try:
            answers = self._netlink.dump(message(_GETROUTE, 0, 1, body), operation)
        except KernelRefused as refused:
            return Route("", refused=refused.errno)
        for received in answers:
            if received.kind == _NEWROUTE:
                return _route(family, received.body)
        raise KernelRefused(operation, 0, "no answer")


def on_link(*, is_v6: bool) -> list[tuple[str, str]]:
    """Networks at hand, each with its interface: routes of the table main without a gateway, but
    for the one to everywhere."""
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    netlink = Netlink(NETLINK_ROUTE)
    try:
        request = message(_GETROUTE, NLM_F_DUMP, 1, _HEADER.pack(family, *bytes(7), 0))
        received = netlink.dump(request, "list routes")
    finally:
        netlink.close()
    found = []
    for one in received:
        if one.kind != _NEWROUTE or one.body[0] != family:
            continue
        _, bits, _, _, table, _, _, kind, _ = _HEADER.unpack_from(one.body)
        of = attributes(one.body[_HEADER.size :])
        (index,) = struct.unpack("=I", of.get(_OIF, bytes(4)))
        if (table, kind) != (_MAIN, _UNICAST) or not (bits and index) or _ROUTED & of.keys():
            continue
        network = f"{socket.inet_ntop(family, of[_DST])}/{bits}"
        found.append((socket.if_indextoname(index), network))
    return found


def _route(family: int, body: bytes) -> Route:
    _, _, _, _, table, _, _, kind, _ = _HEADER.unpack_from(body)
    of = attributes(body[_HEADER.size :])
    (index,) = struct.unpack("=I", of.get(_OIF, bytes(4)))
    gateway = of.get(_GATEWAY)
    wide = of.get(_TABLE)
    return Route(
        _KINDS.get(kind, f"type {kind}"),
        socket.if_indextoname(index) if index else "",
        socket.inet_ntop(family, gateway) if gateway else "",
        struct.unpack("=I", wide)[0] if wide else table,
    )
