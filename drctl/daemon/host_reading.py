"""The host's network as a value, from the kernel."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address
from pathlib import Path

from drctl.adapters.addresses import Addresses
from drctl.daemon.host import Host, HostInterface

_ROUTES = Path("/proc/thread-self/net/route")
_ROUTES6 = Path("/proc/thread-self/net/ipv6_route")
_GATEWAY = 0x2
"""RTF_GATEWAY."""


def read_host(addresses: Addresses) -> Host:
    """All interfaces, with their own addresses and the gateways behind them. An address with a
    lease is a VIP that an earlier run left, not the host's own."""
    own: dict[str, list[str]] = {}
    for each in addresses.observed():
        if each.valid_ms < 0:
            own.setdefault(each.interface, []).append(f"{each.address}/{each.prefix}")
    gateways = _gateways()
    return Host(
        tuple(
            HostInterface(
                link.interface,
                link.mac,
                tuple(own.get(link.interface, ())),
                tuple(gateways.get(link.interface, ())),
            )
            for link in addresses.links()
        )
    )


def default_gateways() -> list[str]:
    """Routers of default routes; a link-local one with its zone (`fe80::1%eth0`)."""
    found = []
    if _ROUTES.exists():
        for line in _ROUTES.read_text("ascii").splitlines()[1:]:
            words = line.split()
            is_default = int(words[1], 16) == int(words[7], 16) == 0
            if is_default and int(words[3], 16) & _GATEWAY:
                found.append(socket.inet_ntoa(struct.pack("=I", int(words[2], 16))))
    if _ROUTES6.exists():
        for line in _ROUTES6.read_text("ascii").splitlines():
            words = line.split()
            if words[1] == "00" and int(words[8], 16) & _GATEWAY:
                address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(words[4]))
                is_local = ip_address(address).is_link_local
                found.append(f"{address}%{words[9]}" if is_local else address)
    return list(dict.fromkeys(found))


def _gateways() -> dict[str, list[str]]:
    """Routers that routes name, by interface (proc(5))."""
    found: dict[str, list[str]] = {}
    if _ROUTES.exists():
        for line in _ROUTES.read_text("ascii").splitlines()[1:]:
            name, _, gateway, flags = line.split()[:4]
            if int(flags, 16) & _GATEWAY:
                address = socket.inet_ntoa(struct.pack("=I", int(gateway, 16)))
                found.setdefault(name, []).append(address)
    if _ROUTES6.exists():
        for line in _ROUTES6.read_text("ascii").splitlines():
            words = line.split()
            if int(words[8], 16) & _GATEWAY:
                address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(words[4]))
                found.setdefault(words[9], []).append(address)
    return {name: list(dict.fromkeys(each)) for name, each in found.items()}
