"""VIPs in the kernel: added with a lease, renewed, deleted, seen, and watched.

The lease is the address's `valid_lft`, in whole seconds; the kernel removes the address when it
ends. Nothing here decides.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from drctl.adapters import address_message as am
from drctl.adapters.netlink import NETLINK_ROUTE, Netlink, Received, bpf, interface_index
from drctl.errors import DrctlError, KernelRefused
from drctl.quickclass import dataclass

if TYPE_CHECKING:
    from drctl.core.value import Vip

SCOPES = {"": 0, "global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}
LONGEST_LABEL_BYTES = 15
_GROUPS = (1, 5, 9)
"""RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR."""


@dataclass(frozen=True, slots=True)
class Present:
    """An address that the kernel has; `valid_ms` is -1 when it has no end. `is_usable`: it is no
    duplicate of somebody else's, and not under suspicion (IPv6)."""

    address: str
    prefix: int
    interface: str
    label: str
    scope: int
    valid_ms: int
    is_usable: bool = True


@dataclass(frozen=True, slots=True)
class LinkState:
    """A link; `is_up`: set up and with a carrier. `interface` is what it is called here, `device`
    what the kernel calls it."""

    interface: str
    is_up: bool
    mac: str
    has_arp: bool = True
    index: int = 0
    device: str = ""


@dataclass(frozen=True, slots=True)
class AddressGone:
    """Somebody else, or the end of its lease, removed an address of ours."""

    address: str
    interface: str


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """A link has another state than before: carrier, set up or down, another MAC, or come back."""

    link: LinkState


@dataclass(frozen=True, slots=True)
class LinkGone:
    """A link does not exist any more (under this name, in this network namespace)."""

    interface: str


AddressEvent = AddressGone | LinkChanged | LinkGone


HIDDEN = " (hidden)"
"""Stands behind the name of a link while another one stands in for that name."""


class Addresses:
    """The addresses and links of this network namespace. A link may stand in for one that is gone:
    it goes by the other one's name here, in all that is said and asked."""

    def __init__(self) -> None:
        self._netlink = Netlink(NETLINK_ROUTE)
        self._watch = Netlink(NETLINK_ROUTE, groups=_GROUPS)
        self._watch.attach_filter(_without_own_and_new(self._netlink.port))
        self._held: dict[tuple[int, bytes], Vip] = {}
        self._stand_ins: dict[int, str] = {}
        """Names that links go by here, by index."""
        self._links = {each.index: self._state(each) for each in am.links(self._netlink)}
        self._seen: list[AddressEvent] = []

    def close(self) -> None:
        """Give back the sockets; the addresses stay."""
        self._netlink.close()
        self._watch.close()

    def fileno(self) -> int:
        """Readable when there may be `events`."""
        return self._watch.fileno()

    def add(self, vips: Sequence[Vip], valid_ms: int) -> list[DrctlError]:
        """Install VIPs, each with a lease; those that are there already get it too.

        What could not be installed comes back, one error an address; the others are installed.
        """
        return self._install(vips, valid_ms, "add")

    def renew(self, vips: Sequence[Vip], valid_ms: int) -> list[DrctlError]:
        """Extend the leases of VIPs that were added; none whose lease is over is brought back.

        The kernel would add what is missing (there is no flag against that), so what it has told
        about vanished addresses is read before; such a VIP is an error with errno ENOENT.
        """
        self._read_watch()
        missing: list[DrctlError] = []
        present = []
        held = {vip.address for vip in self._held.values()}
        for vip in vips:
            if vip.address in held:
                present.append(vip)
            else:
                missing.append(KernelRefused(f"renew {_name(vip)}", errno.ENOENT))
        return missing + self._install(present, valid_ms, "renew")

    def keep(self, vips: Sequence[Vip]) -> list[DrctlError]:
        """Take the leases off VIPs that are there: they stay until somebody deletes them."""
        failed = self._install(vips, am.FOREVER_S * 1000, "keep")
        self._held.clear()
        return failed

    def delete(self, addresses: Collection[str]) -> list[DrctlError]:
        """Remove addresses from all interfaces whatever their prefix; a missing one is no error."""
        unwanted = {_packed(address) for address in addresses}
        self._forget(unwanted)
        return self._refused(am.delete(self._netlink, unwanted))

    def delete_strays(self, vips: Sequence[Vip]) -> list[DrctlError]:
        """Remove the VIPs' addresses where they are with another prefix or on another interface:
        such a one has no lease."""
        from drctl.core.plan import Observed, strays

        names = self._names()
        entries = {
            Observed(each.address, each.prefix, names.get(each.index, "")): each
            for each in am.addresses(self._netlink, _families(vips))
        }
        unwanted = [entries[entry] for entry in strays(vips, entries)]
        return self._refused(am.delete_these(self._netlink, unwanted))

    def observed(self, interfaces: Collection[str] = ()) -> list[Present]:
        """The addresses on these interfaces, or on all."""
        names = self._names()
        return [
            Present(
                each.address,
                each.prefix,
                names[each.index],
                each.label,
                each.scope,
                -1 if each.valid_s == am.FOREVER_S else each.valid_s * 1000,
                each.is_usable,
            )
            for each in am.addresses(self._netlink, (socket.AF_INET, socket.AF_INET6))
            if each.index in names and (not interfaces or names[each.index] in interfaces)
        ]

    def links(self) -> list[LinkState]:
        """All links as they are now."""
        return [self._state(each) for each in am.links(self._netlink)]

    def stand_in(self, device: str, interface: str) -> None:
        """Have the link that the kernel calls `device` go by the name `interface` here, until it is
        gone, or called so. It is among the next `events`. Raises KernelRefused without it."""
        self._stand_ins[interface_index(device)] = interface
        self._see_all()

    def stand_down(self, kept: Collection[str]) -> None:
        """No link goes by another name any more, but for these."""
        self._stand_ins = {at: name for at, name in self._stand_ins.items() if name in kept}
        self._see_all()

    def events(self) -> list[AddressEvent]:
        """What has happened since the last call. One's own deeds are not among it."""
        self._read_watch()
        seen, self._seen = self._seen, []
        return seen

    def _install(self, vips: Sequence[Vip], valid_ms: int, deed: str) -> list[DrctlError]:
        valid_s = max(1, -(-valid_ms // 1000))
        failed: list[DrctlError] = []
        indexes: dict[str, int] = {}
        bodies, meant = [], []
        for vip in vips:
            try:
                index = indexes.get(vip.interface) or self._index(vip.interface)
                indexes[vip.interface] = index
                packed = _packed(vip.address)
                body = _body(vip, index, packed, valid_s)
            except DrctlError as refused:
                failed.append(refused)
                continue
            bodies.append(body)
            meant.append((vip, (index, packed)))
        refusals = am.send_all(self._netlink, am.NEWADDR, bodies, f"{deed} addresses")
        numbers = {number for number, _, _ in refusals}
        for number, code, words in refusals:
            failed.append(KernelRefused(f"{deed} {_name(meant[number][0])}", code, words))
        for number, (vip, key) in enumerate(meant):
            if number not in numbers:
                self._held[key] = vip
        return failed

    def _forget(self, packed: Collection[bytes]) -> None:
        for key in [key for key in self._held if key[1] in packed]:
            del self._held[key]

    def _refused(
        self, refused: Iterable[tuple[am.KernelAddress, tuple[int, int, str]]]
    ) -> list[DrctlError]:
        names = self._names()
        return [
            KernelRefused(
                f"delete {each.address}/{each.prefix} from {names.get(each.index, each.index)}",
                code,
                words,
            )
            for each, (_, code, words) in refused
        ]

    def _names(self) -> dict[int, str]:
        return {index: link.interface for index, link in self._links.items()} | {
            each.index: self._name(each) for each in am.links(self._netlink)
        }

    def _name(self, link: am.KernelLink) -> str:
        """What it goes by here."""
        if (name := self._stand_ins.get(link.index)) is not None:
            return name
        return f"{link.name}{HIDDEN}" if link.name in self._stand_ins.values() else link.name

    def _state(self, link: am.KernelLink) -> LinkState:
        name = self._name(link)
        return LinkState(name, link.is_up, link.mac, link.has_arp, link.index, link.name)

    def _index(self, interface: str) -> int:
        found = (index for index, name in self._stand_ins.items() if name == interface)
        return next(found, 0) or interface_index(interface)

    def _read_watch(self) -> None:
        try:
            for received in self._watch.read():
                if am.is_about_link(received):
                    self._note_link(received)
                elif received.kind == am.DELADDR:
                    self._note_gone(am.KernelAddress(received.body))
        except KernelRefused as lost:
            if lost.errno != errno.ENOBUFS:
                raise
            self._look_anew()

    def _note_gone(self, gone: am.KernelAddress) -> None:
        vip = self._held.get((gone.index, gone.packed))
        if vip is not None and vip.prefix == gone.prefix:
            del self._held[gone.index, gone.packed]
            self._seen.append(AddressGone(vip.address, vip.interface))

    def _note_link(self, received: Received) -> None:
        link = am.KernelLink(received.body)
        if received.kind == am.DELLINK:
            self._lose_link(link.index)
            if self._stand_ins.pop(link.index, None) is not None:
                self._see_all()
        else:
            self._see_link(link)

    def _see_all(self) -> None:
        """The names that links go by may have changed."""
        for each in am.links(self._netlink):
            self._see_link(each)

    def _see_link(self, link: am.KernelLink) -> None:
        if self._stand_ins.get(link.index) == link.name:
            del self._stand_ins[link.index]
        before, now = self._links.get(link.index), self._state(link)
        if before is not None and before.interface != now.interface:
            self._lose_link(link.index)
            before = None
        if before != now:
            self._links[link.index] = now
            self._seen.append(LinkChanged(now))

    def _lose_link(self, index: int) -> None:
        link = self._links.pop(index, None)
        if link is None:
            return
        self._seen.append(LinkGone(link.interface))
        for key in [key for key in self._held if key[0] == index]:
            vip = self._held.pop(key)
            self._seen.append(AddressGone(vip.address, vip.interface))

    def _look_anew(self) -> None:
        """Notifications were lost: find out by comparison what they were."""
        links = list(am.links(self._netlink))
        for index in self._links.keys() - {link.index for link in links}:
            self._lose_link(index)
            self._stand_ins.pop(index, None)
        for link in links:
            self._see_link(link)
        present = {
            (each.index, each.packed)
            for each in am.addresses(self._netlink, (socket.AF_INET, socket.AF_INET6))
        }
        for key in self._held.keys() - present:
            vip = self._held.pop(key)
            self._seen.append(AddressGone(vip.address, vip.interface))


def _body(vip: Vip, index: int, packed: bytes, valid_s: int) -> bytes:
    extra = b""
    if vip.label:
        if len(vip.label.encode()) > LONGEST_LABEL_BYTES:
            raise KernelRefused(f"label {_name(vip)} {vip.label}", errno.ENAMETOOLONG)
        extra += am.label_attribute(vip.label)
    if vip.broadcast:
        extra += am.broadcast_attribute(socket.inet_aton(vip.broadcast))
    return am.new_address((index, vip.prefix, scope_number(vip)), packed, valid_s, extra)


def scope_number(vip: Vip) -> int:
    """As the kernel has it."""
    number = SCOPES.get(vip.scope)
    if number is None:
        if not vip.scope.isdecimal() or int(vip.scope) > 255:
            raise KernelRefused(f"give {_name(vip)} the scope {vip.scope}", errno.EINVAL)
        number = int(vip.scope)
    return number


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _name(vip: Vip) -> str:
    return f"{vip.address}/{vip.prefix} on {vip.interface}"


def _families(vips: Iterable[Vip]) -> set[int]:
    return {socket.AF_INET6 if vip.is_v6 else socket.AF_INET for vip in vips}


def _without_own_and_new(port: int) -> bytes:
    """Notifications of our own deeds, and of added or renewed addresses, are not to wake us."""
    own = int.from_bytes(struct.pack("=I", port), "big")
    new = int.from_bytes(struct.pack("=H", am.NEWADDR), "big")
    return bpf(
        [
            (0x20, 0, 0, 12),  # nlmsg_pid
            (0x15, 3, 0, own),
            (0x28, 0, 0, 4),  # nlmsg_type
            (0x15, 1, 0, new),
            (0x06, 0, 0, 0xFFFFFFFF),
            (0x06, 0, 0, 0),
        ]
    )
