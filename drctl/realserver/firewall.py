"""Packet filters that keep every client of a service away, and its answers from them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace

from drctl.adapters.filter_chain import (
    ADVERTISEMENT,
    ESTABLISHED,
    REJECT,
    SOLICITATION,
    UNTRACKED,
    Packet,
)
from drctl.realserver.effect import HANGS
from drctl.realserver.value import Difference, Kernel, Service, Wanted
from drctl.render.real_server_plan import REDIRECTING

TUNNEL_PROTOCOLS = {"tunl0": "ipencap", "sit0": "ipv6", "ip6tnl0": "ipv6"}
"""What comes to a device is in packets of this protocol, 4 or 41."""
TUNNEL_DEVICES = frozenset(TUNNEL_PROTOCOLS)
_REFUSED = "connections that the director sends to this server are refused"
_SOLICITED = int(ipaddress.IPv6Address("ff02::1:ff00:0"))
"""Where an address is asked for, with its last three bytes (RFC 4291 2.7.1)."""


def judge_filters(wanted: Wanted, kernel: Kernel) -> Iterator[Difference]:
    """All that is certain of this host's packet filters."""
    is_redirected = wanted.plan.method in REDIRECTING
    for service in wanted.services:
        address = service.own if is_redirected or service.is_own else service.vip
        if not service.port or not address:
            continue
        devices = devices_of(wanted, kernel, service)
        yield from _tunnel(wanted, kernel, service)
        packet = Packet(address, service.protocol, service.port, devices)
        outside = packet if service.is_own else replace(packet, address=service.vip)
        yield from _incoming(kernel, service, packet, outside)
        yield from _answers(kernel, service, packet, outside)
        if is_redirected and not service.is_own:
            yield from _untracked(kernel, service, outside)
    for own in wanted.own:
        if ":" in own:
            yield from _discovery(kernel, own)


def _incoming(
    kernel: Kernel, service: Service, packet: Packet, outside: Packet
) -> Iterator[Difference]:
    blocked = (one.blocks(outside if one.is_outside else packet) for one in kernel.filter_chains)
    for verdict, rule in filter(None, blocked):
        yield Difference(
            f"firewall for {_name(service)}",
            f"packets for {packet.address} are let in",
            rule,
            _REFUSED if verdict == REJECT else f"packets for it are dropped: {HANGS}",
        )


def _answers(
    kernel: Kernel, service: Service, packet: Packet, outside: Packet
) -> Iterator[Difference]:
    """They leave as the kernel's routes have it, or as they came."""
    ways = (one.route.interface for one in kernel.answers if one.address == packet.address)
    devices = tuple(sorted({one for one in ways if one})) or packet.devices
    packet, outside = (
        replace(one, devices=devices, is_answer=True, state=ESTABLISHED)
        for one in (packet, outside)
    )
    blocked = (one.blocks(outside if one.is_outside else packet) for one in kernel.filter_chains)
    for _, rule in filter(None, blocked):
        yield Difference(
            f"firewall for answers of {_name(service)}",
            f"what comes from {packet.address} is let out",
            rule,
            f"answers do not leave: {HANGS}",
        )


def _untracked(kernel: Kernel, service: Service, outside: Packet) -> Iterator[Difference]:
    for rule in filter(None, (one.untracks(outside) for one in kernel.filter_chains)):
        yield Difference(
            f"redirection of {_name(service)}",
            f"packets for {service.vip} are tracked",
            rule,
            f"what is not tracked is not redirected: {HANGS}",
        )


def _name(service: Service) -> str:
    return f"{service.vip} {service.protocol}/{service.port}"


def _discovery(kernel: Kernel, own: str) -> Iterator[Difference]:
    """Whether directors find an IPv6 address: ARP is no concern of these filters, this is."""
    cards = tuple(sorted({one.interface for one in kernel.present if one.address == own}))
    group = str(ipaddress.IPv6Address(_SOLICITED | (int(ipaddress.IPv6Address(own)) & 0xFFFFFF)))
    asked = Packet(group, "ipv6-icmp", SOLICITATION, cards, state=UNTRACKED)
    told = Packet(own, "ipv6-icmp", ADVERTISEMENT, cards, state=UNTRACKED)
    lost = "nobody gets an answer about it: no director finds this server"
    deaf = f"this server cannot ask for the MAC of a client or router: {HANGS}"
    for packet, what, effect in (
        (asked, "neighbour solicitations for it are let in", lost),
        (replace(told, is_answer=True), "neighbour advertisements of it are let out", lost),
        (told, "neighbour advertisements for it are let in", deaf),
    ):
        for _, rule in filter(None, (one.blocks(packet) for one in kernel.filter_chains)):
            yield Difference(f"address {own}", what, rule, effect)


def _tunnel(wanted: Wanted, kernel: Kernel, service: Service) -> Iterator[Difference]:
    """What a service's packets come in."""
    tunnels = {line.device for line in wanted.plan.addresses if line.vip == service.vip}
    cards = tuple(sorted({one.interface for one in kernel.present if one.address == service.own}))
    for device in sorted(tunnels & TUNNEL_DEVICES):
        protocol = TUNNEL_PROTOCOLS[device]
        packet = Packet(service.own, protocol, 0, cards)
        for _, rule in filter(None, (one.blocks(packet) for one in kernel.filter_chains)):
            yield Difference(
                f"firewall for the tunnel of {service.vip}",
                f"packets of protocol {protocol} for {service.own} are let in",
                rule,
                f"what the director sends through the tunnel is dropped: {HANGS}",
            )


def devices_of(wanted: Wanted, kernel: Kernel, service: Service) -> tuple[str, ...]:
    """Those that a packet for the service comes in on, and what has no ARP: such a device may stand
    for others (VRF). None when the server's own address is nowhere."""
    tunnels = {line.device for line in wanted.plan.addresses if line.vip == service.vip}
    by_tunnel = tuple(sorted(tunnels & TUNNEL_DEVICES))
    cards = {one.interface for one in kernel.present if one.address == service.own}
    if not cards and not by_tunnel:
        return ()
    others = {link.interface for link in kernel.links if not link.has_arp} - TUNNEL_DEVICES - {"lo"}
    return (*(by_tunnel or tuple(sorted(cards))), *sorted(others))
