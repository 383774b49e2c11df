"""Messages about addresses and links, of rtnetlink. Imports little: the guard deletes with this.

Facts: linux/if_addr.h, linux/if_link.h, linux/rtnetlink.h.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Collection, Iterator, Sequence

from drctl.adapters.netlink import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_REPLACE,
    Netlink,
    Received,
    Refusal,
    attribute,
    attributes,
    cstring,
    message,
    text,
)

NEWLINK, DELLINK, GETLINK = 16, 17, 18
NEWADDR, DELADDR, GETADDR = 20, 21, 22

IFF_UP, IFF_NOARP, IFF_LOWER_UP = 0x1, 0x80, 0x10000
FOREVER_S = 0xFFFFFFFF

_NODAD, _OPTIMISTIC, _DADFAILED, _TENTATIVE = 0x02, 0x04, 0x08, 0x40
_NOT_THERE = frozenset({errno.EADDRNOTAVAIL, errno.ENODEV})
_MESSAGES_A_CALL = 256
_ADDRESS = struct.Struct("=BBBBI")
_LINK = struct.Struct("=BxHiII")
_LIFETIME = struct.Struct("=IIII")


class KernelAddress:
    """An address as the kernel has it; what is not asked for is not decoded."""

    __slots__ = ("_flags", "_of", "family", "index", "packed", "prefix", "scope")

    def __init__(self, body: bytes) -> None:
        head = _ADDRESS.unpack_from(body)
        self.family, self.prefix, self._flags, self.scope, self.index = head
        self._of = attributes(body[8:])
        self.packed = self._of.get(2) or self._of.get(1) or b""

    @property
    def address(self) -> str:
        """As text."""
        return socket.inet_ntop(self.family, self.packed)

    @property
    def label(self) -> str:
        """Of IPv4, as ifconfig shows it."""
        return cstring(self._of.get(3, b""))

    @property
    def valid_s(self) -> int:
        """Seconds that it still lives; FOREVER_S when it does not end."""
        lifetime = self._of.get(6)
        return _LIFETIME.unpack(lifetime)[1] if lifetime else FOREVER_S

    @property
    def is_usable(self) -> bool:
        """Whether it is answered for: of IPv6 after the detection of duplicates, unless that is
        optimistic (RFC 4429)."""
        is_tentative = bool(self._flags & _TENTATIVE) and not self._flags & _OPTIMISTIC
        return self.family != socket.AF_INET6 or not (is_tentative or self._flags & _DADFAILED)


class KernelLink:
    """A link as the kernel has it. `is_up`: set up, and with a carrier."""

    __slots__ = ("has_arp", "index", "is_up", "mac", "name")

    def __init__(self, body: bytes) -> None:
        _, _, self.index, flags, _ = _LINK.unpack_from(body)
        of = attributes(body[16:])
        self.name = cstring(of.get(3, b""))
        self.mac = of.get(1, b"").hex(":")
        self.is_up = bool(flags & IFF_UP) and bool(flags & IFF_LOWER_UP)
        self.has_arp = not flags & IFF_NOARP


def lifetime_attribute(valid_s: int, preferred_s: int) -> bytes:
    """How long an address lives, and may be chosen as a source, in seconds."""
    return attribute(6, _LIFETIME.pack(preferred_s, valid_s, 0, 0))


def new_address(place: tuple[int, int, int], packed: bytes, valid_s: int, extra: bytes) -> bytes:
    """Body of NEWADDR. `place` is interface index, prefix and scope. IPv6 is not checked for
    duplicates, and never chosen as a source."""
    index, prefix, scope = place
    is_v6 = len(packed) == 16
    head = _ADDRESS.pack(_family(packed), prefix, _NODAD if is_v6 else 0, scope, index)
    addresses = attribute(2, packed) + attribute(1, packed)
    return head + addresses + lifetime_attribute(valid_s, 0 if is_v6 else valid_s) + extra


def del_address(index: int, prefix: int, packed: bytes) -> bytes:
    """Body of DELADDR."""
    head = _ADDRESS.pack(_family(packed), prefix, 0, 0, index)
    return head + attribute(2, packed)


def label_attribute(label: str) -> bytes:
    """The name under which ifconfig shows an IPv4 address."""
    return text(3, label)


def broadcast_attribute(packed: bytes) -> bytes:
    """The broadcast address."""
    return attribute(4, packed)


def send_all(netlink: Netlink, kind: int, bodies: Sequence[bytes], operation: str) -> list[Refusal]:
    """Send one message for each body; refusals carry the body's place in `bodies`."""
    flags = NLM_F_CREATE | NLM_F_REPLACE if kind == NEWADDR else 0
    refused: list[Refusal] = []
    for first in range(0, len(bodies), _MESSAGES_A_CALL):
        part = bodies[first : first + _MESSAGES_A_CALL]
        last = first + len(part) - 1
        buffer = b"".join(
            message(kind, flags | NLM_F_ACK if number == last else flags, number, body)
            for number, body in enumerate(part, first)
        )
        refused += netlink.transact(buffer, operation)
    return refused


def addresses(netlink: Netlink, families: Collection[int]) -> Iterator[KernelAddress]:
    """All addresses of these families (AF_INET, AF_INET6) in this network namespace."""
    for family in families:
        request = message(GETADDR, NLM_F_DUMP, 1, _ADDRESS.pack(family, 0, 0, 0, 0))
        for received in netlink.dump(request, "list addresses"):
            # a kernel without IPv6 answers with what it has
            if received.kind == NEWADDR and received.body[0] == family:
                yield KernelAddress(received.body)


def links(netlink: Netlink) -> Iterator[KernelLink]:
    """All links in this network namespace."""
    request = message(GETLINK, NLM_F_DUMP, 1, _LINK.pack(0, 0, 0, 0, 0))
    for received in netlink.dump(request, "list links"):
        if received.kind == NEWLINK:
            yield KernelLink(received.body)


def delete(netlink: Netlink, unwanted: Collection[bytes]) -> list[tuple[KernelAddress, Refusal]]:
    """Remove packed addresses wherever they are; what is missing by then is removed."""
    families = {_family(packed) for packed in unwanted}
    found = [each for each in addresses(netlink, families) if each.packed in unwanted]
    return delete_these(netlink, found)


def delete_these(
    netlink: Netlink, found: Sequence[KernelAddress]
) -> list[tuple[KernelAddress, Refusal]]:
    """Remove exactly these, interface and prefix included; the last first. The kernel lists the
    first address of a subnet before the others, and where it promotes secondaries the end of that
    one has it set up all the others anew."""
    found = found[::-1]
    bodies = [del_address(each.index, each.prefix, each.packed) for each in found]
    refused = send_all(netlink, DELADDR, bodies, "delete addresses")
    return [(found[each[0]], each) for each in refused if each[1] not in _NOT_THERE]


def is_about_link(received: Received) -> bool:
    """Whether a notification is about a link."""
    return received.kind in (NEWLINK, DELLINK)


def _family(packed: bytes) -> int:
    return socket.AF_INET6 if len(packed) == 16 else socket.AF_INET
