"""Whether this host would answer ARP for a VIP, or name it as its own source: the kernel's rules.

Facts: net/ipv4/arp.c, net/ipv4/devinet.c; arp_ignore and arp_announce are the larger of `all` and
the interface's own value (ip-sysctl.rst). Filters see a request before the kernel answers it, and
what it sends after its source was chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface

from drctl.adapters.addresses import SCOPES
from drctl.adapters.arp_rules import (
    CONTINUE,
    DROP,
    GOTO,
    INPUT,
    JUMP,
    OUTPUT,
    REPLY,
    RETURN,
    Chain,
    Network,
    Packet,
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
_IN_SUBNET = 1
"""arp_announce that names what is in a network of the card with the one that is asked for."""
_BY_SCOPE = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """`is_safe`: nothing about the VIP gets out; `why` is what decides it."""

    is_safe: bool
    why: str


def effective(values: dict[str, int], interface: str) -> int:
    """What counts on an interface."""
    return max(values.get("all", 0), values.get(interface, 0))


def _has(kernel: Kernel, vip: str) -> bool:
    return vip in kernel.routed or any(one.address == vip for one in kernel.present)


def answering(kernel: Kernel, vip: str, interface: str) -> Outcome:
    """What becomes of a request for the VIP that comes in on the interface."""
    if rule := _dropping(kernel, INPUT, Packet(ANYBODY, vip, interface)):
        return Outcome(True, rule)
    if not _has(kernel, vip):
        return Outcome(True, "this host does not have it")
    there = [one for one in kernel.present if one.address == vip]
    ignore = effective(kernel.arp_ignore, interface)
    if any(one.interface == interface for one in there):
        return Outcome(False, f"{vip} is on {interface} itself, which answers for it")
    # by a local route alone there is no address of any scope
    if ignore == _BY_SCOPE and all(one.scope == SCOPES["host"] for one in there):
        why = "the scope is host" if there else "there is no address"
        return Outcome(True, f"arp_ignore is {ignore}, and {why}")
    if ignore not in SILENT:
        return Outcome(False, f"arp_ignore is {ignore} on {interface}")
    return Outcome(True, f"arp_ignore is {ignore}")


def unheard(kernel: Kernel, own: str, interface: str, askers: Iterable[str] = ()) -> str:
    """The rule by which nobody, or one of `askers`, gets an answer about this host's own address,
    "" for none."""
    for asker in (ANYBODY, *askers):
        if rule := _dropping(kernel, INPUT, Packet(asker, own, interface)):
            return rule
        last = _decision(kernel, OUTPUT, Packet(own, asker, interface, REPLY))
        if last is not None and (last.verdict == DROP or last.mangled not in {"", own}):
            return last.text
    return ""


def voiceless(kernel: Kernel, own: str, interface: str) -> str:
    """The rule by which this host finds nobody's MAC when it asks from its own address, "" for
    none: it drops the question, or the answer."""
    if rule := _dropping(kernel, OUTPUT, Packet(own, ANYBODY, interface)):
        return rule
    return _dropping(kernel, INPUT, Packet(ANYBODY, own, interface, REPLY))


def asking(kernel: Kernel, vip: str, interface: str) -> Outcome:
    """What becomes of a request of this host's that would name the VIP as its source."""
    if not _has(kernel, vip):
        return Outcome(True, "this host does not have it")
    announce = effective(kernel.arp_announce, interface)
    if announce == SPARING:
        return Outcome(True, f"arp_announce is {announce}")
    if announce == _IN_SUBNET and not _is_in_subnet(kernel, vip, interface):
        return Outcome(True, f"arp_announce is {announce}, and no network of {interface} has it")
    rule = _decision(kernel, OUTPUT, Packet(vip, ANYBODY, interface))
    if rule is not None and (rule.verdict == DROP or (rule.mangled and rule.mangled != vip)):
        if rule.mangled and not any(one.address == rule.mangled for one in kernel.present):
            return Outcome(
                False, f"{rule.text} names {rule.mangled}, which this host does not have"
            )
        return Outcome(True, rule.text)
    return Outcome(False, f"arp_announce is {announce} on {interface}")


def _is_in_subnet(kernel: Kernel, vip: str, interface: str) -> bool:
    """Whether the VIP and who is asked for may be in one network of the card (inet_addr_onlink)."""
    return any(
        IPv4Address(vip) in IPv4Interface(f"{one.address}/{one.prefix}").network
        for one in kernel.present
        if one.interface == interface and one.address != vip and ":" not in one.address
    )


def mute(kernel: Kernel, vip: str, interface: str) -> str:
    """The rule by which this host cannot ask for anybody's MAC when it sends from the VIP, "" for
    none."""
    if not _has(kernel, vip) or effective(kernel.arp_announce, interface) == SPARING:
        return ""
    return _dropping(kernel, OUTPUT, Packet(vip, ANYBODY, interface))


def proxying(kernel: Kernel, vip: str, interface: str) -> str:
    """What has this host answer for a VIP that it does not have; "" when it does not."""
    how = kernel.proxied.get((vip, interface), "")
    is_dropped = ":" not in vip and _dropping(kernel, INPUT, Packet(ANYBODY, vip, interface))
    return "" if is_dropped else how


def _dropping(kernel: Kernel, hook: str, packet: Packet) -> str:
    """The rule that drops such a packet, "" for none."""
    last = _decision(kernel, hook, packet)
    return last.text if last is not None and last.verdict == DROP else ""


def _decision(kernel: Kernel, hook: str, packet: Packet) -> Rule | None:
    """The rule that decides: one that drops in any chain, or else one that writes the source."""
    course = _Course(packet)
    for chain in kernel.arp_chains:
        if chain.hook == hook and chain.sees(packet.interface, kernel.layers.bridges):
            last = course.end(chain, chain.rules)
            if last is not None and last.verdict == DROP:
                return last
            if last is None and chain.policy == DROP:
                return Rule(f"policy of {chain.owner} {hook}", verdict=DROP)
    return course.writer


@dataclass(slots=True)
class _Course:
    """The way of an ARP packet through chains; `writer` is the rule that wrote its source."""

    packet: Packet
    writer: Rule | None = None

    def end(self, chain: Chain, rules: tuple[Rule, ...]) -> Rule | None:
        """The rule that ends it; None when these rules do not."""
        for rule in rules:
            if rule.is_narrow or not rule.fits(self.packet):
                continue
            if rule.mangled and self.packet.source != rule.mangled:
                self.writer, self.packet = rule, replace(self.packet, source=rule.mangled)
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
            if not chain.hook:
                yield f"{where} (in a chain that no packet comes to: it has no hook)"
            elif chain.hook == hook and rule.operation == REPLY:
                yield f"{where} (sees answers alone, no requests)"
            elif chain.hook == hook and rule.interfaces:
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
