"""ARP and neighbour discovery of one interface, as one thing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

from drctl.adapters.arp import ArpSocket
from drctl.adapters.nd import NdSocket
from drctl.adapters.netlink import interface_index
from drctl.adapters.packet import Heard
from drctl.core.value import Vip
from drctl.errors import KernelRefused

STATIONS_KEPT = 256


class Segment:
    """The segment behind one interface. `complain` is told of frames that could not be sent: a card
    that is down is no reason to end, and what comes of it is for others to decide."""

    def __init__(
        self,
        interface: str,
        own: Iterable[tuple[str, int]],
        complain: Callable[[KernelRefused], None],
    ) -> None:
        self.interface = interface
        self.own = tuple(own)
        self._complain = complain
        self._macs: dict[str, str] = {}
        self.index = 0
        """Of the card that it is open on: one that is made anew has another."""
        self._sockets: tuple[ArpSocket | NdSocket, ...] = ()
        self.open_on(interface)

    def open_on(self, device: str) -> None:
        """Be open on the card that has this name now; raises KernelRefused, and changes nothing,
        where that is not possible."""
        index = interface_index(device)
        arp = ArpSocket(self.interface, self.own, device)
        try:
            made = (arp, NdSocket(self.interface, self.own, device))
        except KernelRefused:
            arp.close()
            raise
        self.close()
        self._sockets, self.index = made, index
        self._macs.clear()

    def filenos(self) -> tuple[int, ...]:
        return tuple(each.fileno() for each in self._sockets)

    def close(self) -> None:
        for each in self._sockets:
            each.close()

    def set_own(self, own: Iterable[tuple[str, int]]) -> None:
        self.own = tuple(own)
        for each in self._sockets:
            each.set_own(self.own)

    def _socket(self, address: str) -> ArpSocket | NdSocket:
        return self._sockets[":" in address]

    def probe(self, addresses: Collection[str]) -> None:
        for address in addresses:
            self._try(partial(self._socket(address).probe, address))

    def ask(self, addresses: Collection[str]) -> None:
        """Ask each station, alone when its MAC is known."""
        for address in addresses:
            try:
                self._socket(address).ask(address, self._macs.get(address))
            except KernelRefused as refused:
                self._complain(refused)

    def announce(self, vips: Sequence[Vip], count: int) -> None:
        for each in self._sockets:
            self._try(partial(each.announce, vips, count))

    def receive(self, descriptor: int) -> list[Heard]:
        """What was heard, in order, by the one of `filenos` that is readable."""
        heard = next(each for each in self._sockets if each.fileno() == descriptor).receive()
        for frame in heard:
            is_answer = frame.kind in {"reply", "na"} and frame.is_to_me
            is_known = frame.sender_address in self._macs
            if is_answer and (is_known or len(self._macs) < STATIONS_KEPT):
                self._macs[frame.sender_address] = frame.sender_mac
        return heard

    def forget(self, address: str) -> None:
        """Ask everybody for it the next time: its MAC may be another one."""
        self._macs.pop(address, None)

    def _try(self, send: Callable[[], None]) -> None:
        try:
            send()
        except KernelRefused as refused:
            self._complain(refused)
