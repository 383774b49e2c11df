"""What a run must not do: give this host a VIP that it would speak for, or take away what keeps it
silent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from drctl.adapters.addresses import Present
from drctl.adapters.arp_rules import CHAINS, Chain, parse_arptables
from drctl.adapters.host_step import Step, StepFailed
from drctl.realserver.arp import answering, asking
from drctl.realserver.journal import Entry
from drctl.realserver.value import Kernel, Wanted

_PREFIX = "net.ipv4.conf."


@dataclass(frozen=True, slots=True)
class Guard:
    """Of what a host is to have; the kernel is read anew for each question."""

    wanted: Wanted
    read_kernel: Callable[[], Kernel]

    def before(self, step: Step) -> None:
        """Raises StepFailed when the step adds a VIP that the kernel would speak for."""
        address, _, prefix = step.value.partition("/")
        if step.kind != "address" or address not in self._silent():
            return
        kernel = self.read_kernel()
        if step.what not in kernel.cards:
            there = Present(address, int(prefix), step.what, "", 0, -1)
            after = replace(kernel, present=(*kernel.present, there))
            self._refuse(after, [address], "is not added")

    def without(self, entries: Sequence[Entry]) -> None:
        """Raises StepFailed when the kernel would speak for a VIP once these are undone."""
        if entries:
            kernel = _without(self.read_kernel(), entries)
            self._refuse(kernel, self._silent(), "stays with what kept it silent so far")

    def _silent(self) -> list[str]:
        return [line.vip for line in self.wanted.plan.silent]

    def _refuse(self, kernel: Kernel, vips: Iterable[str], what: str) -> None:
        for vip in vips:
            if any(one.address == vip and one.interface in kernel.cards for one in kernel.present):
                continue  # nothing of ours silences a card's own address
            for card in kernel.cards:
                for outcome in (answering(kernel, vip, card), asking(kernel, vip, card)):
                    if not outcome.is_safe:
                        why = f"{outcome.why}, it would be spoken for"
                        raise StepFailed(f"{vip} {what}: {why}{_shadowing(kernel)}")


def _shadowing(kernel: Kernel) -> str:
    """Rules that let everything pass before ours are asked."""
    first = [
        f"{chain.owner}: {rule.text}"
        for chain in kernel.arp_chains
        if chain.hook
        for rule in chain.reached()
        if rule.verdict == "accept" and not (rule.sources or rule.targets or rule.mangled)
    ]
    return f" (a rule before ours lets it pass: {'; '.join(first)})" if first else ""


def _without(kernel: Kernel, entries: Sequence[Entry]) -> Kernel:
    """The kernel as it will be when these are undone."""
    ignore, announce = dict(kernel.arp_ignore), dict(kernel.arp_announce)
    tables = {f"nft {one.step.what}" for one in entries if one.step.kind == "nft"}
    rules = [one.step for one in entries if one.step.kind == "arptables" and not one.before]
    for one in entries:
        interface, _, name = one.step.what.removeprefix(_PREFIX).partition(".")
        if one.step.kind == "sysctl" and one.before.isdecimal():
            for values, key in ((ignore, "arp_ignore"), (announce, "arp_announce")):
                if name == key:
                    values[interface] = int(one.before)
    chains = tuple(_less(chain, rules) for chain in kernel.arp_chains if chain.owner not in tables)
    return replace(kernel, arp_ignore=ignore, arp_announce=announce, arp_chains=chains)


def _less(chain: Chain, steps: Sequence[Step]) -> Chain:
    if not chain.owner.startswith("arptables"):
        return chain
    gone = [
        parse_arptables(f"Chain {step.what} (policy ACCEPT)\n{step.value}\n", "")[0].rules[0]
        for step in steps
        if CHAINS[step.what] == chain.hook
    ]
    left = tuple(rule for rule in chain.rules if not any(rule.means(one) for one in gone))
    return replace(chain, rules=left)
