"""nf_tables over netlink: the few objects that the fence is made of, as messages.

Imports little: the guard closes the fence with this. Facts: linux/netfilter/nf_tables.h. Everything
written here can be shown by `nft list ruleset` of nftables 1.0.6 and loaded again by `nft -f`.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Sequence

from drctl.adapters.netlink import (
    NETLINK_NETFILTER,
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_DUMP,
    Attributes,
    Netlink,
    Refusal,
    attribute,
    attribute_list,
    attributes,
    be32,
    cstring,
    message,
    nested,
    text,
)
from drctl.errors import KernelRefused

IPV4, ARP, IPV6 = 2, 3, 10
FAMILIES = {ARP: "arp", IPV4: "ip", IPV6: "ip6"}

NEWTABLE, GETTABLE, DELTABLE = 0, 1, 2
NEWCHAIN, GETCHAIN, DELCHAIN = 3, 4, 5
NEWRULE, GETRULE, DELRULE = 6, 7, 8
NEWSET, GETSET, DELSET = 9, 10, 11
NEWSETELEM, GETSETELEM, DELSETELEM = 12, 13, 14
NEWGEN, GETGEN = 15, 16

_SUBSYSTEM = 10
_DORMANT = 1
_HOOK_DEVICE, _HOOK_DEVICES, _DEVICE_PREFIX = 3, 4, 2
_BATCH_BEGIN, _BATCH_END = 16, 17
_BATCH_GENID = 1
_MOST_ELEMENTS = 200
_NFGENMSG = struct.Struct("!BBH")

INPUT, OUTPUT = 1, 3
ARP_INPUT, ARP_OUTPUT = 0, 1
DROP = 0
_JUMP = -3
_VERDICT_TYPE = 0xFFFFFF00
_IPV4_TYPE, _IPV6_TYPE, _ETHER_TYPE = 7, 8, 10
_SET_MAP, _SET_TIMEOUT = 0x8, 0x10
_BIG_ENDIAN_KEY = struct.pack("=BBI", 0, 4, 2)

NETWORK_HEADER, TRANSPORT_HEADER = 1, 2
LOCAL = struct.pack("=I", 2)
"""RTN_LOCAL, as `load_type_at_interface` gives it."""

_FIB_TYPE, _FIB_DADDR, _FIB_IIF = 3, 2, 8
META_PROTOCOL, META_L4PROTO = 1, 16

ETHERTYPE = {ARP: b"\x08\x06", IPV4: b"\x08\x00", IPV6: b"\x86\xdd"}
"""Key of the one element in an *alive* set: what `meta protocol` is for every packet there."""


# messages


def _message(kind: int, flags: int, sequence: int, family: int, *parts: bytes) -> bytes:
    body = _NFGENMSG.pack(family, 0, 0) + b"".join(parts)
    return message(_SUBSYSTEM << 8 | kind, flags, sequence, body)


Hook = tuple[int, int]
"""Number and priority of a hook that a chain stands at."""

Item = tuple[int, int, int, bytes]
"""Type, flags, family and attributes of a message that stands in a transaction."""


def batch(items: Sequence[Item], *, generation: int | None = None) -> bytes:
    """One transaction: all of `items`, or nothing. Item i has sequence number i + 1.

    With `generation` the kernel refuses it (ERESTART) if the rules changed since.
    """
    body = _NFGENMSG.pack(0, 0, _SUBSYSTEM)
    known = b"" if generation is None else be32(_BATCH_GENID, generation)
    parts = [message(_BATCH_BEGIN, 0, 0, body + known)]
    last = len(items)
    for number, (kind, flags, family, content) in enumerate(items, 1):
        asked = flags | NLM_F_ACK if number == last else flags
        parts.append(_message(kind, asked, number, family, content))
    parts.append(message(_BATCH_END, 0, last + 1, body))
    return b"".join(parts)


def new_table(family: int, name: str) -> Item:
    """A table."""
    return NEWTABLE, NLM_F_CREATE, family, text(1, name)


def del_table(family: int, name: str) -> Item:
    """A table with all that is in it."""
    return DELTABLE, 0, family, text(1, name)


def new_chain(family: int, table: str, name: str) -> Item:
    """A chain that is jumped to."""
    return NEWCHAIN, NLM_F_CREATE, family, text(1, table) + text(3, name)


def new_base_chain(family: int, table: str, name: str, hook: Hook) -> Item:
    """A chain of type filter at a hook, with policy accept."""
    place = nested(4, be32(1, hook[0]), be32(2, hook[1]))
    content = text(1, table) + text(3, name) + place + be32(5, 1) + text(7, "filter")
    return NEWCHAIN, NLM_F_CREATE, family, content


def del_chain(family: int, table: str, name: str) -> Item:
    """A chain; its rules have to be deleted before."""
    return DELCHAIN, 0, family, text(1, table) + text(3, name)


def new_rule(family: int, chain: tuple[str, str], expressions: bytes, comment: str) -> Item:
    """A rule at the end of `chain` (table and name); `comment` is shown by `nft`."""
    told = comment.encode() + b"\0"
    kept = attribute(7, bytes((0, len(told))) + told)
    content = text(1, chain[0]) + text(2, chain[1]) + nested(4, expressions) + kept
    return NEWRULE, NLM_F_CREATE | 0x800, family, content


def del_rules(family: int, table: str, chain: str) -> Item:
    """All rules of a chain."""
    return DELRULE, 0, family, text(1, table) + text(2, chain)


def new_set(family: int, table: str, name: str, *, number: int) -> Item:
    """A set whose elements time out, for one *alive* element; `number` is unique in a batch."""
    return _new_set(family, (table, name), _SET_TIMEOUT, be32(4, _ETHER_TYPE) + be32(5, 2), number)


def new_map(family: int, table: str, name: str, *, number: int) -> Item:
    """A map from addresses to chains."""
    kind, length = (_IPV6_TYPE, 16) if family == IPV6 else (_IPV4_TYPE, 4)
    types = be32(4, kind) + be32(5, length) + be32(6, _VERDICT_TYPE) + be32(7, 0)
    return _new_set(family, (table, name), _SET_MAP, types, number)


def _new_set(family: int, name: tuple[str, str], flags: int, types: bytes, number: int) -> Item:
    content = text(1, name[0]) + text(2, name[1]) + be32(3, flags) + types
    content += be32(10, number) + attribute(13, _BIG_ENDIAN_KEY)
    return NEWSET, NLM_F_CREATE, family, content


def del_set(family: int, table: str, name: str) -> Item:
    """A set that no rule uses."""
    return DELSET, 0, family, text(1, table) + text(2, name)


def _elements(table: str, name: str, *elements: bytes) -> bytes:
    listed = nested(3, *(nested(1, element) for element in elements)) if elements else b""
    return text(1, table) + text(2, name) + listed


def _key(value: bytes) -> bytes:
    return nested(1, attribute(1, value))


def new_alive(family: int, table: str, name: str, timeout_ms: int) -> Item:
    """The *alive* element; it does nothing where there is one that lives."""
    lifetime = attribute(4, struct.pack("!Q", timeout_ms))
    content = _elements(table, name, _key(ETHERTYPE[family]) + lifetime)
    return NEWSETELEM, NLM_F_CREATE, family, content


def del_alive(family: int, table: str, name: str) -> Item:
    """The *alive* element goes; ENOENT when it is over."""
    return DELSETELEM, 0, family, _elements(table, name, _key(ETHERTYPE[family]))


def lease(family: int, table: str, name: str, timeout_ms: int) -> tuple[Item, Item, Item]:
    """The *alive* element lives for `timeout_ms` from now, whether there was one or not."""
    new = new_alive(family, table, name, timeout_ms)
    return new, del_alive(family, table, name), new


def flush_set(family: int, table: str, name: str) -> Item:
    """All elements of a set; there may be none."""
    return DELSETELEM, 0, family, _elements(table, name)


def new_jumps(family: int, table: str, name: str, jumps: Sequence[tuple[bytes, str]]) -> list[Item]:
    """Elements of a map: packed addresses, and the chains they lead to."""
    to = {
        chain: nested(2, nested(2, be32(1, _JUMP), text(2, chain)))
        for chain in {chain for _, chain in jumps}
    }
    listed = [_key(address) + to[chain] for address, chain in jumps]
    return [
        (NEWSETELEM, NLM_F_CREATE, family, _elements(table, name, *part)) for part in _parts(listed)
    ]


def del_jumps(family: int, table: str, name: str, addresses: Sequence[bytes]) -> list[Item]:
    """Elements of a map are removed."""
    listed = [_key(address) for address in addresses]
    return [(DELSETELEM, 0, family, _elements(table, name, *part)) for part in _parts(listed)]


def _parts(elements: list[bytes]) -> Iterator[list[bytes]]:
    """So many at a time as one attribute, of 64 KiB, can hold."""
    for first in range(0, len(elements), _MOST_ELEMENTS):
        yield elements[first : first + _MOST_ELEMENTS]


# expressions of rules


def _expression(name: str, *parts: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *parts))


def load_header(header: int, offset: int, length: int) -> bytes:
    """Bytes of the packet into register 1."""
    return _expression("payload", be32(1, 1), be32(2, header), be32(3, offset), be32(4, length))


def load_meta(key: int) -> bytes:
    """A packet's property into register 1."""
    return _expression("meta", be32(1, 1), be32(2, key))


def load_type_at_interface() -> bytes:
    """Into register 1 what the packet's destination is, on the interface that it came by (RTN_*):
    LOCAL only for an address that lies there. As `fib daddr . iif type`."""
    return _expression("fib", be32(1, 1), be32(2, _FIB_TYPE), be32(3, _FIB_DADDR | _FIB_IIF))


def is_equal(value: bytes) -> bytes:
    """The rule goes on if register 1 is `value`."""
    return _expression("cmp", be32(1, 1), be32(2, 0), nested(3, attribute(1, value)))


def jump_by(name: str) -> bytes:
    """Go where the map leads from the address in register 1."""
    return _expression("lookup", text(1, name), be32(2, 1), be32(3, 0))


def is_not_in(name: str) -> bytes:
    """The rule goes on if register 1 is not in the set."""
    return _expression("lookup", text(1, name), be32(2, 1), be32(5, 1))


def drop() -> bytes:
    """The packet is dropped."""
    return _expression("immediate", be32(1, 0), nested(2, nested(2, be32(1, DROP))))


# reading


def element_key(of: Attributes) -> bytes:
    """The key of a set's element."""
    return attributes(of.get(1, b"")).get(1, b"")


def element_chain(of: Attributes) -> str:
    """The chain that a map's element jumps to."""
    return cstring(attributes(attributes(of.get(2, b"")).get(2, b"")).get(2, b""))


def element_left_ms(of: Attributes) -> int:
    """Milliseconds that an element still lives."""
    return int.from_bytes(of.get(5, b""), "big")


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _hook(value: bytes) -> Hook | None:
    if not value:
        return None
    of = attributes(value)
    (priority,) = struct.unpack("!i", of[2])
    return _number(of[1]), priority


def _devices(hook: bytes) -> tuple[str, ...]:
    of = attributes(hook) if hook else {}
    if (one := of.get(_HOOK_DEVICE)) is not None:
        return (cstring(one),)
    return tuple(
        cstring(name) + ("*" if kind == _DEVICE_PREFIX else "")
        for kind, name in attribute_list(of.get(_HOOK_DEVICES, b""))
    )


def _comment(userdata: bytes) -> str:
    """A rule's comment: the value of type 0 in its user data."""
    at = 0
    while at + 2 <= len(userdata):
        kind, length = userdata[at], userdata[at + 1]
        if kind == 0:
            return cstring(userdata[at + 2 : at + 2 + length])
        at += 2 + length
    return ""


class Tables:
    """The kernel's nf_tables in this network namespace."""

    def __init__(self) -> None:
        self._netlink = Netlink(NETLINK_NETFILTER)

    @property
    def port(self) -> int:
        """By this number notifications name who did it."""
        return self._netlink.port

    def close(self) -> None:
        self._netlink.close()

    def send(self, transaction: bytes, operation: str) -> list[Refusal]:
        """Carry out a transaction; when anything was refused nothing has happened."""
        return self._netlink.transact(transaction, operation)

    def generation(self) -> int:
        """Number of the ruleset as it is now."""
        (received,) = self._ask(GETGEN, 0, 0, b"", "read the ruleset's generation")
        return _number(received[1][1])

    def has_set(self, family: int, table: str, name: str) -> bool:
        """Whether there is such a set or map."""
        try:
            self._ask(GETSET, 0, family, text(1, table) + text(2, name), f"look for set {name}")
        except KernelRefused as refused:
            if refused.errno == errno.ENOENT:
                return False
            raise
        return True

    def tables(self, name: str) -> dict[int, int]:
        """Families that have a table of that name, and the table's flags (1: dormant)."""
        found = self._dump(GETTABLE, 0, b"", "list tables")
        return {
            family: _number(of.get(2, b""))
            for family, of in found
            if cstring(of.get(1, b"")) == name
        }

    def dormant(self) -> set[tuple[int, str]]:
        """Family and name of the tables whose chains see no packets."""
        return {
            (family, cstring(of.get(1, b"")))
            for family, of in self._dump(GETTABLE, 0, b"", "list tables")
            if _number(of.get(2, b"")) & _DORMANT
        }

    def chains(self, table: str) -> Iterator[tuple[int, str, Hook | None]]:
        """Family, name and hook of the chains of the tables of that name."""
        for family, of in self._dump(GETCHAIN, 0, b"", "list chains"):
            if cstring(of.get(1, b"")) == table:
                yield family, cstring(of.get(3, b"")), _hook(of.get(4, b""))

    def chain_devices(self) -> dict[tuple[int, str, str], tuple[str, ...]]:
        """The devices that a chain of ingress or egress stands at, by family, table and chain; `*`
        at the end of a name stands for more."""
        found = {}
        for family, of in self._dump(GETCHAIN, 0, b"", "list chains"):
            if devices := _devices(of.get(4, b"")):
                found[family, cstring(of.get(1, b"")), cstring(of.get(3, b""))] = devices
        return found

    def sets(self, table: str) -> Iterator[tuple[int, str]]:
        """Family and name of the sets and maps of the tables of that name."""
        for family, of in self._dump(GETSET, 0, b"", "list sets"):
            if cstring(of.get(1, b"")) == table:
                yield family, cstring(of.get(2, b""))

    def rules(self, family: int, table: str) -> Iterator[tuple[str, str]]:
        """Chain and comment of the rules of one table, in their order."""
        for _, of in self._dump(GETRULE, family, text(1, table), "list rules"):
            if cstring(of.get(1, b"")) == table:
                yield cstring(of.get(2, b"")), _comment(of.get(7, b""))

    def elements(self, family: int, table: str, name: str) -> list[Attributes]:
        """Attributes of the elements of a set; those that are over are not among them."""
        asked = text(1, table) + text(2, name)
        found = []
        for _, of in self._dump(GETSETELEM, family, asked, f"list the elements of {name}"):
            found += [attributes(element) for _, element in attribute_list(of.get(3, b""))]
        return found

    def _dump(
        self, kind: int, family: int, asked: bytes, operation: str
    ) -> list[tuple[int, Attributes]]:
        return self._ask(kind, NLM_F_DUMP, family, asked, operation)

    def _ask(
        self, kind: int, flags: int, family: int, asked: bytes, operation: str
    ) -> list[tuple[int, Attributes]]:
        request = _message(kind, flags, 1, family, asked)
        return [
            (received.body[0], attributes(received.body[4:]))
            for received in self._netlink.dump(request, operation)
        ]
