"""A client and a director at one switch."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from netns_case import Host, Segment, is_readable

from drctl.adapters.arp import ArpSocket
from drctl.adapters.nd import NdSocket
from drctl.core.value import Vip

VIP = Vip("192.0.2.80", 24, "eth0")
VIP6 = Vip("2001:db8::80", 64, "eth0")
OWN = ("192.0.2.1/24", "2001:db8::1/64")
EXTRA_LINKS = ("spare", "other")
"""What tests call further links; the other ends go with them."""
SYSCTLS = {
    "ipv4/conf/{}/arp_ignore": 0,
    "ipv4/conf/{}/proxy_arp": 0,
    "ipv4/conf/{}/promote_secondaries": 0,
    "ipv6/conf/{}/disable_ipv6": 0,
}
PATIENT_MS = 2000
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
        """Whether it is answered; ask `is_answered` where it should be."""
        return bool(self.holders(address))

    def is_answered(self, address: str) -> bool:
        """The same, with patience: a machine that is busy answers late."""
        return bool(self.holders(address, PATIENT_MS))


@dataclass
class Stage:
    """What a test plays on."""

    segment: Segment
    director: Host
    client: Client
    mac: str
    """The director's."""

    def restore(self) -> None:
        """Take back whatever a test did to the director, from inside of it."""
        extra = [name for _, name in socket.if_nameindex() if name not in {"lo", "eth0"}]
        for conf in ("all", "eth0"):
            for name, value in SYSCTLS.items():
                Path(f"/proc/sys/net/{name.format(conf)}").write_text(str(value), "ascii")
        self.segment.switch.ip("link", "set", "director", "up")
        self.director.ip_batch(
            *(f"link delete {name}" for name in extra if name in EXTRA_LINKS),
            f"link set eth0 up arp on address {self.mac}",
            "address flush dev eth0 scope global",
            "address flush dev lo to 192.0.2.0/24",
            "address flush dev lo to 2001:db8::/32",
            *(f"address add {own} dev eth0 nodad" for own in OWN if ":" in own),
            *(f"address add {own} dev eth0" for own in OWN if ":" not in own),
        )


def many_vips(count: int) -> list[Vip]:
    """One VIP of each family, and further ones of IPv4."""
    more = [Vip(f"198.51.{n // 250}.{n % 250}", 32, "eth0") for n in range(count - 2)]
    return [VIP, VIP6, *more][:count]
