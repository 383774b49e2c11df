"""A client and a director at one switch."""

from __future__ import annotations

from dataclasses import dataclass

from netns_case import Host, Segment, is_readable

from drctl.adapters.arp import ArpSocket
from drctl.adapters.nd import NdSocket
from drctl.core.value import Vip

VIP = Vip("192.0.2.80", 24, "eth0")
VIP6 = Vip("2001:db8::80", 64, "eth0")
ANSWER_MS = 40
"""An answer takes a tenth of a millisecond; so long is waited before there is none."""


@dataclass
class Client:
    """A host that asks for VIPs, as any station does."""

    host: Host
    arp: ArpSocket
    nd: NdSocket

    def holders(self, address: str, within_ms: float = ANSWER_MS) -> set[str]:
        """MACs that answer for an address."""
        asked = self.nd if ":" in address else self.arp
        asked.receive()
        asked.ask(address)
        found: set[str] = set()
        while is_readable(asked, within_ms):
            answers = [each for each in asked.receive() if each.is_to_me]
            found |= {each.sender_mac for each in answers if each.sender_address == address}
            if found:
                within_ms = 2
        return found

    def has_holder(self, address: str) -> bool:
        return bool(self.holders(address))


@dataclass
class Stage:
    """What a test plays on."""

    segment: Segment
    director: Host
    client: Client
