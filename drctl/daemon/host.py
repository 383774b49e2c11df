"""What the kernel knows of this machine's network, as a value: given by the shell, so that settings
can be made of a configuration anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface


@dataclass(frozen=True)
class HostInterface:
    """A network device: its hardware address (lower case), its own addresses with prefix
    (`192.0.2.2/24`), and the routers that routes over it name."""

    name: str
    mac: str = ""
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()

    @cached_property
    def networks(self) -> tuple[IPv4Interface | IPv6Interface, ...]:
        """The addresses, parsed."""
        return tuple(ip_interface(address) for address in self.addresses)

    def reaches(self, address: str) -> bool:
        """Whether the address is on one of the device's networks, and can be asked by ARP or ND."""
        wanted = ip_address(address)
        return any(wanted in own.network and wanted != own.ip for own in self.networks)

    def has(self, address: str) -> bool:
        """Whether the address is one of the device's own."""
        host, _, zone = address.partition("%")
        wanted = ip_address(host)
        return any(wanted == own.ip for own in self.networks) and zone in {"", self.name}


@dataclass(frozen=True)
class Host:
    """All devices of this machine."""

    interfaces: tuple[HostInterface, ...] = ()

    def get(self, name: str) -> HostInterface | None:
        """The device of that name."""
        return next((one for one in self.interfaces if one.name == name), None)

    def with_address(self, address: str) -> HostInterface | None:
        """The device that has the address."""
        return next((one for one in self.interfaces if one.has(address)), None)

    def towards(self, addresses: Iterable[str]) -> HostInterface | None:
        """The device with one of these addresses on its networks."""
        for address in addresses:
            for one in self.interfaces:
                if one.reaches(address):
                    return one
        return None
