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
from drctl.adapters.arp_rules import (
    CONTINUE,
    DROP,
    GOTO,
    INPUT,
    JUMP,
    OUTPUT,
    RETURN,
    Chain,
    Network,
    Rule,
)
from drctl.realserver.value import Kernel

ANYBODY = "0.0.0.0"
"""The sender of a probe."""


DEAF = 8
"""arp_ignore that answers for no address at all."""
SILENT = frozenset({1, 2, DEAF})
"""arp_ignore that does not answer for an address of another interface."""
SPARING = 2
"""arp_announce that names an address of the card alone; more than it is as 0."""
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
    if announce == SPARING:
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
    course = _Course(*ends, interface)
    for chain in chains:
        if chain.hook == hook:
            last = course.end(chain, chain.rules)
            if last is not None and last.verdict == DROP:
                return last
            if last is None and chain.policy == DROP:
                return Rule(f"policy of {chain.owner} {hook}", verdict=DROP)
    return course.writer


def mute(kernel: Kernel, vip: str, interface: str) -> str:
    """The rule by which this host cannot ask for anybody's MAC when it sends from the VIP, "" for
    none."""
    has_it = any(one.address == vip for one in kernel.present)
    if not has_it or effective(kernel.arp_announce, interface) == SPARING:
        return ""
    rule = _decision(kernel.arp_chains, OUTPUT, (vip, ANYBODY), interface)
    return rule.text if rule is not None and rule.verdict == DROP else ""


@dataclass(slots=True)
class _Course:
    """The way of an ARP packet through chains; `writer` is the rule that wrote its source."""

    source: str
    target: str
    interface: str
    writer: Rule | None = None

    def end(self, chain: Chain, rules: tuple[Rule, ...]) -> Rule | None:
        """The rule that ends it; None when these rules do not."""
        for rule in rules:
            if rule.is_narrow or not rule.fits(self.source, self.target, self.interface):
                continue
            if rule.mangled and self.source != rule.mangled:
                self.writer, self.source = rule, rule.mangled
            if rule.verdict == RETURN:
                return None
            if rule.verdict in {JUMP, GOTO}:
                last = self.end(chain, chain.others.get(rule.chain, ()))
                if last is not None or rule.verdict == GOTO:
                    return last
            elif rule.verdict != CONTINUE:
                return rule
        return None


def misplaced(kernel: Kernel, vip: str, hook: str) -> Iterator[str]:
    """Rules about the VIP that cannot do what they are for: at the other hook, or with the address
    in the wrong place."""
    for chain in kernel.arp_chains:
        for rule in chain.reached():
            in_source, in_target = _names(rule.sources, vip), _names(rule.targets, vip)
            if not (in_source or in_target):
                continue
            where = f"{chain.owner}: {rule.text}"
            if chain.hook == hook and rule.interfaces:
                yield f"{where} (for {' and '.join(rule.interfaces)} alone)"
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
