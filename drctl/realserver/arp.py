"""Whether this host would answer ARP for a VIP, or name it as its own source: the kernel's rules.

Facts: net/ipv4/arp.c, net/ipv4/devinet.c; arp_ignore and arp_announce are the larger of `all` and
the interface's own value (ip-sysctl.rst). Filters see a request before the kernel answers it, and
what it sends after its source was chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from drctl.adapters.addresses import SCOPES
from drctl.adapters.arp_rules import CONTINUE, DROP, INPUT, OUTPUT, Chain, Network, Rule
from drctl.realserver.value import Kernel

ANYBODY = "0.0.0.0"
"""The sender of a probe."""


DEAF = 8
"""arp_ignore that answers for no address at all."""
SILENT = frozenset({1, 2, DEAF})
"""arp_ignore that does not answer for an address of another interface."""
_BY_SCOPE = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """`is_safe`: nothing about the VIP gets out; `why` is what decides it."""

    is_safe: bool
    why: str


def effective(values: dict[str, int], interface: str) -> int:
    """What counts on an interface."""
    return max(values.get("all", 0), values.get(interface, 0))


def answering(kernel: Kernel, vip: str, interface: str) -> Outcome:
    """What becomes of a request for the VIP that comes in on the interface."""
    dropping = _decision(kernel.arp_chains, INPUT, (ANYBODY, vip), interface)
    if dropping is not None and dropping.verdict == DROP:
        return Outcome(True, dropping.text)
    devices = {one.interface for one in kernel.present if one.address == vip}
    if not devices:
        return Outcome(True, "this host does not have it")
    ignore = effective(kernel.arp_ignore, interface)
    if interface in devices:
        return Outcome(False, f"{vip} is on {interface} itself, which answers for it")
    if ignore == _BY_SCOPE and {one.scope for one in kernel.present if one.address == vip} == {
        SCOPES["host"]
    }:
        return Outcome(True, f"arp_ignore is {ignore}, and the scope is host")
    if ignore not in SILENT:
        return Outcome(False, f"arp_ignore is {ignore} on {interface}")
    return Outcome(True, f"arp_ignore is {ignore}")


def unheard(kernel: Kernel, own: str, interface: str) -> str:
    """The rule by which nobody gets an answer about this host's own address, "" for none."""
    dropping = _decision(kernel.arp_chains, INPUT, (ANYBODY, own), interface)
    return dropping.text if dropping is not None and dropping.verdict == DROP else ""


def asking(kernel: Kernel, vip: str, interface: str) -> Outcome:
    """What becomes of a request of this host's that would name the VIP as its source."""
    devices = {one.interface for one in kernel.present if one.address == vip}
    if not devices:
        return Outcome(True, "this host does not have it")
    announce = effective(kernel.arp_announce, interface)
    if announce >= 2:
        return Outcome(True, f"arp_announce is {announce}")
    rule = _decision(kernel.arp_chains, OUTPUT, (vip, ANYBODY), interface)
    if rule is not None and (rule.verdict == DROP or (rule.mangled and rule.mangled != vip)):
        if rule.mangled and not any(one.address == rule.mangled for one in kernel.present):
            return Outcome(
                False, f"{rule.text} names {rule.mangled}, which this host does not have"
            )
        return Outcome(True, rule.text)
    return Outcome(False, f"arp_announce is {announce} on {interface}")


def _decision(
    chains: tuple[Chain, ...], hook: str, ends: tuple[str, str], interface: str
) -> Rule | None:
    """The rule that decides: one that drops in any chain, or else one that writes the source."""
    deciding: Rule | None = None
    for chain in chains:
        if chain.hook != hook:
            continue
        source, target = ends
        for rule in chain.rules:
            if rule.is_narrow or not rule.fits(source, target, interface):
                continue
            if rule.mangled and source != rule.mangled:
                deciding = rule
                source = rule.mangled
            if rule.verdict == DROP:
                return rule
            if rule.verdict != CONTINUE:
                break
        else:
            if chain.policy == DROP:
                return Rule(f"policy of {chain.owner} {hook}", verdict=DROP)
    return deciding


def misplaced(kernel: Kernel, vip: str, hook: str) -> Iterator[str]:
    """Rules about the VIP that cannot do what they are for: at the other hook, or with the address
    in the wrong place."""
    for chain in kernel.arp_chains:
        for rule in chain.rules:
            in_source, in_target = _names(rule.sources, vip), _names(rule.targets, vip)
            if not (in_source or in_target):
                continue
            where = f"{chain.owner}: {rule.text}"
            if chain.hook == hook and rule.interface:
                yield f"{where} (for {rule.interface} alone)"
            elif hook == INPUT and chain.hook == INPUT and in_source:
                yield f"{where} (matches the source, a request for the VIP has it as its target)"
            elif hook == INPUT and chain.hook == OUTPUT and in_target and rule.verdict == DROP:
                yield f"{where} (in the chain of outgoing ARP)"
            elif hook == OUTPUT and chain.hook == INPUT and rule.mangled:
                yield f"{where} (in the chain of incoming ARP)"
            elif hook == OUTPUT and chain.hook == OUTPUT and in_target:
                yield f"{where} (matches the target, an announced VIP is the source)"


def _names(networks: tuple[Network, ...], vip: str) -> bool:
    return any(IPv4Address(vip) in network for network in networks)
