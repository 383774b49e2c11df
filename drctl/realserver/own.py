"""Whether directors find this host by its own addresses, and this host finds anybody."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from drctl.adapters.addresses import Present
from drctl.realserver.arp import answering, unheard, voiceless
from drctl.realserver.effect import HANGS
from drctl.realserver.value import Difference, Kernel, Wanted

_LOST = "no director finds this server"


def judge_own(wanted: Wanted, kernel: Kernel) -> Iterator[Difference]:
    """What keeps this host's own addresses from being used."""
    for own in wanted.own:
        there = [one for one in kernel.present if one.address == own]
        if not there:
            effect = "the director does not find this server there: it gets no requests"
            yield Difference(f"address {own}", "on a card, its own address", "not there", effect)
            continue
        dead = list(_cards(kernel, own, there))
        yield from dead
        if not dead and not any(one.is_usable for one in there):
            actual = "a duplicate of somebody else's (dadfailed), or not yet known to be none"
            effect = f"nobody is answered about it: {_LOST}"
            yield Difference(f"address {own}", "usable", actual, effect)
        for one in there:
            if ":" not in own:
                yield from _rules(wanted, kernel, one)


def _cards(kernel: Kernel, own: str, there: Sequence[Present]) -> Iterator[Difference]:
    """The card that an address is on, unless another one answers for it."""
    cards = {one.interface for one in there}
    if any(_stands_in(kernel, own, one) for one in kernel.present if one.interface not in cards):
        return
    name = " and ".join(sorted(cards))
    if cards <= kernel.layers.speechless:
        effect = f"neither ARP nor neighbour discovery is answered there: {_LOST}"
        yield Difference(f"ARP on {name}", "on", f"off (ip link set {name} arp off)", effect)
    elif cards <= {link.interface for link in kernel.links if not link.is_up}:
        actual, effect = "down, or without a carrier", f"nothing comes in: {_LOST}"
        yield Difference(f"card {name} of {own}", "up", actual, effect)


def _stands_in(kernel: Kernel, own: str, other: Present) -> bool:
    """Whether a card with this address is on the same network, and answers for all addresses."""
    if ":" in own or ":" in other.address or other.interface not in kernel.cards:
        return False
    network = ipaddress.ip_interface(f"{other.address}/{other.prefix}").network
    is_near = ipaddress.ip_address(own) in network
    return is_near and not answering(kernel, own, other.interface).is_safe


def _rules(wanted: Wanted, kernel: Kernel, one: Present) -> Iterator[Difference]:
    """Rules about the host's own ARP."""
    directors = [each for each in wanted.directors if ":" not in each]
    what = f"address {one.address}"
    if rule := unheard(kernel, one.address, one.interface, directors):
        effect = f"nobody gets an answer about it: {_LOST}"
        yield Difference(what, "ARP for it is answered", rule, effect)
    if rule := voiceless(kernel, one.address, one.interface):
        effect = f"this server cannot ask for the MAC of a client or router: {HANGS}"
        yield Difference(what, "what it asks by ARP is sent, and answered", rule, effect)
