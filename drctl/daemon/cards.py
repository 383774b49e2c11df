"""Cards that carry VIPs and are removed while the daemon runs: found again, under whatever name.

A card that is made anew is another one for the kernel: sockets that were open on the old one hear
nothing any more, and its settings are those of a new card. It counts as having no carrier until it
is ready for VIPs. Where another card turns up with the addresses of one that is gone, as docker's
do after a network was disconnected, it stands in for that one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from ipaddress import ip_address

from drctl.adapters.addresses import Addresses, LinkState, Present
from drctl.adapters.packet import is_station, mac_bytes
from drctl.adapters.segment import Segment
from drctl.core.action import Alarm
from drctl.core.value import Settings, Vip
from drctl.daemon.host_check import check_host
from drctl.errors import DrctlError

log = logging.getLogger("drctl")

LOOK_MS = 500
"""How often one that is gone, or not ready, is looked after."""


class Cards:
    """Those of the configuration. `reopen` has a segment opened on the device of that name, and
    `tell` is told of alarms."""

    def __init__(
        self,
        addresses: Addresses,
        segments: Mapping[str, Segment],
        reopen: Callable[[Segment, str], None],
        tell: Callable[[Alarm], None],
    ) -> None:
        self._addresses = addresses
        self._segments = segments
        self._reopen = reopen
        self._tell = tell
        self._vips: tuple[Vip, ...] = ()
        self._names: set[str] = set()
        self._has_fence = True
        self._gone: set[str] = set()
        self._unready: set[str] = set()
        self._alarms: dict[str, str] = {}
        self._look_ms = 0

    def use(self, settings: Settings) -> None:
        """These VIPs count from now on."""
        self._vips = tuple(vip for group in settings.groups for vip in group.vips)
        self._has_fence = settings.timing.has_fence
        self._names = {interface.name for interface in settings.interfaces}
        self._addresses.stand_down(self._names)
        self._gone &= self._names
        self._unready &= self._names
        for name in self._alarms.keys() - self._names:
            self._calm(name)

    def is_ready(self, link: LinkState) -> bool:
        """Whether a card that has changed can carry its VIPs, which is seen to; also true of cards
        that have none."""
        name = link.interface
        segment = self._segments.get(name)
        if segment is None or name not in self._names:
            return True
        if segment.index != link.index or name in self._unready:
            try:
                check_host(
                    self._vips_on(name, link.device), self._addresses, has_fence=self._has_fence
                )
                self._reopen(segment, link.device)
            except DrctlError as refused:
                self._unready.add(name)
                self._alarm(name, f"{link.device} is there, but cannot be used: {refused}")
                return False
            log.info("card_back interface=%s device=%s", name, link.device)
        self._gone.discard(name)
        self._unready.discard(name)
        if link.device == name:
            self._calm(name)
        return True

    def lost(self, name: str) -> None:
        """It does not exist any more."""
        if name not in self._names:
            return
        self._unready.discard(name)
        self._gone.add(name)
        own = ", ".join(self._own(name))
        what = f"with its name, or with its address {own}," if own else "with its name"
        self._alarm(name, f"{name} is gone; a card {what} is used as soon as there is one")

    def tick(self, now_ms: int) -> list[LinkState]:
        """Look after those that are gone or not ready; cards to be told of again."""
        if not (self._gone or self._unready) or now_ms < self._look_ms:
            return []
        self._look_ms = now_ms + LOOK_MS
        links = self._addresses.links()
        if self._gone:
            present = self._addresses.observed()
            for name in sorted(self._gone):
                self._find(name, links, present)
        return [link for link in links if link.interface in self._unready]

    def _find(self, name: str, links: Collection[LinkState], present: Collection[Present]) -> None:
        """Another card that stands in for one that is gone: the only one with an address of it."""
        own = self._own(name)
        at = {one.interface for one in present if one.address in own and one.valid_ms < 0}
        found = [
            link
            for link in links
            if link.interface in at
            and link.interface not in self._segments
            and link.has_arp
            and is_station(mac_bytes(link.mac))
        ]
        if len(found) != 1 or any(link.interface == name for link in links):
            return
        device = found[0].device
        try:
            self._addresses.stand_in(device, name)
        except DrctlError as refused:
            # it is gone already
            log.info("card_gone device=%s error=%r", device, str(refused))
            return
        way = f"write {device} in the configuration and reload, or call it {name}"
        self._alarm(name, f"{name} is gone; {device} has its address, and stands in for it: {way}")

    def _own(self, name: str) -> list[str]:
        """This host's addresses on it, by which another card is known to be in its place."""
        addresses = (address for address, _ in self._segments[name].own)
        return [one for one in addresses if not ip_address(one).is_link_local]

    def _vips_on(self, name: str, device: str) -> list[Vip]:
        return [replace(vip, interface=device) for vip in self._vips if vip.interface == name]

    def _alarm(self, name: str, text: str) -> None:
        if self._alarms.get(name) != text:
            self._alarms[name] = text
            self._tell(Alarm(("card", name), text, is_on=True))

    def _calm(self, name: str) -> None:
        if self._alarms.pop(name, None) is not None:
            self._tell(Alarm(("card", name), "", is_on=False))
