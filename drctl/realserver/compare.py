"""Wanted against actual: every difference, and what a client would see of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from drctl.adapters.addresses import SCOPES, Present
from drctl.adapters.arp_rules import INPUT, OUTPUT
from drctl.adapters.filter_chain import Packet
from drctl.adapters.nat_rules import Redirection, deciding
from drctl.realserver.arp import (
    DEAF,
    SILENT,
    SPARING,
    answering,
    asking,
    effective,
    misplaced,
    mute,
    proxying,
)
from drctl.realserver.boot import judge_boot
from drctl.realserver.effect import HANGS, LEAKS
from drctl.realserver.firewall import TUNNEL_DEVICES, devices_of, judge_filters
from drctl.realserver.own import judge_own
from drctl.realserver.value import Boot, Difference, Kernel, Wanted
from drctl.realserver.ways import judge_ways
from drctl.render.real_server_plan import REDIRECTING, Redirect, VipAddress

_SCOPES = {number: name for name, number in SCOPES.items() if name}


def compare(wanted: Wanted, kernel: Kernel | None, boot: Boot | None) -> tuple[Difference, ...]:
    """All differences, in the order of what strikes first. None: that part is not looked at."""
    found: list[Difference] = []
    if kernel is not None:
        found += _addresses(wanted, kernel)
        found += _silence(wanted, kernel)
        found += _bonds(wanted, kernel)
        found += _redirects(wanted, kernel)
        found += _tunnels(wanted, kernel)
        found += judge_ways(wanted, kernel)
        found += _services(wanted, kernel)
        found += judge_filters(wanted, kernel)
    if boot is not None:
        found += judge_boot(wanted, boot)
    return tuple(dict.fromkeys(found))


def _addresses(wanted: Wanted, kernel: Kernel) -> Iterator[Difference]:
    by_address: dict[str, list[Present]] = {}
    for one in kernel.present:
        by_address.setdefault(one.address, []).append(one)
    yield from judge_own(wanted, kernel)
    for line in wanted.plan.addresses:
        yield from _vip(wanted, kernel, line, by_address.get(line.vip, []))
    vips = {line.vip for line in wanted.plan.addresses}
    vips |= {line.vip for line in wanted.plan.redirects}
    for vip, card in sorted(kernel.proxied):
        actual = proxying(kernel, vip, card)
        if actual and vip in vips and card in kernel.cards and not wanted.plan.is_standby:
            effect = f"{card} {_answers(vip)} for it: {LEAKS}"
            yield Difference(f"address {vip}", "answered for by the director alone", actual, effect)
    if wanted.plan.method in REDIRECTING and not wanted.plan.is_standby:
        for redirect in wanted.plan.redirects:
            there = by_address.get(redirect.vip, [])
            is_told = any(not answering(kernel, redirect.vip, one).is_safe for one in kernel.cards)
            if there or (redirect.vip in kernel.routed and is_told and ":" not in redirect.vip):
                effect = f"this host {_answers(redirect.vip)} for it: {LEAKS}"
                actual = _places(there) or "taken by a local route (ip route show table local)"
                yield Difference(f"address {redirect.vip}", "on no interface", actual, effect)


def _vip(
    wanted: Wanted, kernel: Kernel, line: VipAddress, there: list[Present]
) -> Iterator[Difference]:
    what, wish = f"address {line.vip}", f"{line.vip}/{line.prefix} on {line.device}"
    good = [one for one in there if one.prefix == line.prefix and _serves(kernel, line, one)]
    if not good and (there or line.vip not in kernel.routed):
        yield Difference(what, wish, _places(there) or "not there", _effect_of_missing(line, there))
    for one in there:
        if one.interface in kernel.cards and not line.is_own:
            effect = f"{one.interface} answers for it whatever arp_ignore says: {LEAKS}"
            if ":" in line.vip:
                effect = f"{one.interface} answers neighbour solicitations for it: {LEAKS}"
            if not one.is_usable:
                effect = f"somebody else has it (dadfailed): packets for it are not taken, {HANGS}"
            yield Difference(what, wish, _places([one]), effect)
    for one in good:
        # network-scripts give what is on lo the scope host
        usual = {SCOPES["global"], *([SCOPES["host"]] if wanted.net == "ifcfg" else [])}
        if one.scope not in usual:
            scope = _SCOPES.get(one.scope, str(one.scope))
            effect = (
                "clients notice nothing while it is so: this host only never takes it as a source "
                "by itself; at the next start of the network it may be global"
            )
            yield Difference(what, f"{wish}, scope global", f"{_places([one])}, {scope}", effect)
        if one.valid_ms >= 0:
            actual = f"{_places([one])}, for {one.valid_ms // 1000} s more"
            yield Difference(what, f"{wish}, without an end", actual, f"when it is over, {HANGS}")


def _serves(kernel: Kernel, line: VipAddress, one: Present) -> bool:
    """Where it is to be, or on another device without ARP (dummy0), which is as good as lo."""
    if one.interface == line.device:
        return True
    return line.device == "lo" and one.interface not in {*kernel.cards, *TUNNEL_DEVICES}


def _answers(vip: str) -> str:
    return "answers neighbour solicitations" if ":" in vip else "answers ARP"


def _places(there: list[Present]) -> str:
    return ", ".join(f"{one.address}/{one.prefix} on {one.interface}" for one in there)


def _effect_of_missing(line: VipAddress, there: list[Present]) -> str:
    if line.is_own:
        return "packets out of the tunnel are dropped, whatever rp_filter says"
    on_lo = [one for one in there if one.interface == "lo" and one.prefix != line.prefix]
    if on_lo:
        network = ipaddress.ip_interface(f"{line.vip}/{on_lo[0].prefix}").network
        if ":" in line.vip:
            return (
                f"{network} is at hand on lo too: when that route comes first, as after a restart "
                "of the card, answers to clients and hosts in it never leave"
            )
        return (
            f"the server takes all of {network} for itself: answers to clients and hosts in it "
            "never leave"
        )
    if there and any(one.is_usable for one in there):
        return f"it is on a card, which {_answers(line.vip)} for it: {LEAKS}"
    return f"packets for it are not taken: {HANGS}"


def _silence(wanted: Wanted, kernel: Kernel) -> Iterator[Difference]:
    plan = wanted.plan
    held = kernel.routed | {one.address for one in kernel.present}
    for line in plan.silent:
        if line.vip not in held:
            continue
        for card in kernel.cards:
            outcome = answering(kernel, line.vip, card)
            if not outcome.is_safe and " itself" not in outcome.why:
                yield _unsafe(wanted, kernel, line.vip, INPUT, outcome.why)
            outcome = asking(kernel, line.vip, card)
            if not outcome.is_safe:
                yield _unsafe(wanted, kernel, line.vip, OUTPUT, outcome.why)
            if rule := mute(kernel, line.vip, card):
                yield Difference(
                    f"requests when {line.vip} answers",
                    "they name an address of the card as their source, and are sent",
                    rule,
                    "this server cannot ask for the MAC of a client or router when it answers from "
                    f"the VIP: {HANGS}",
                )
    if plan.method == "sysctl" and plan.silent:
        yield from _switches(kernel)


def _unsafe(wanted: Wanted, kernel: Kernel, vip: str, hook: str, why: str) -> Difference:
    wrong = list(misplaced(kernel, vip, hook))
    method = wanted.plan.method
    if method == "sysctl":
        actual = why
    elif wrong:
        actual = f"{'; '.join(wrong)}; and {why}"
    else:
        actual = f"no {method} rule that does it; and {why}"
    if hook == INPUT:
        wish = f"requests for {vip} are not answered"
        return Difference(f"silence about {vip}", wish, actual, f"it answers ARP for it: {LEAKS}")
    wish = f"{vip} is never the source of an ARP request"
    effect = (
        "when this server asks for an address, everybody learns its MAC for the VIP, and sends "
        "their requests here"
    )
    return Difference(f"silence about {vip}", wish, actual, effect)


def _switches(kernel: Kernel) -> Iterator[Difference]:
    """Also where no VIP is yet: it may come at any moment."""
    for name, values, good in (
        ("arp_ignore", kernel.arp_ignore, SILENT),
        ("arp_announce", kernel.arp_announce, frozenset({SPARING})),
    ):
        for card in kernel.cards:
            counts = effective(values, card)
            is_deaf = name == "arp_ignore" and counts == DEAF
            if counts not in good or is_deaf:
                own, everywhere = values.get(card, 0), values.get("all", 0)
                actual = f"{counts} (all {everywhere}, {card} {own})"
                effect = f"a VIP on lo is spoken for on {card}: {LEAKS}"
                if is_deaf:
                    effect = f"nothing is answered on {card}: no director finds this server"
                yield Difference(f"{name} on {card}", f"{min(good)}", actual, effect)


def _bonds(wanted: Wanted, kernel: Kernel) -> Iterator[Difference]:
    """Whether directors hear of another MAC when another slave becomes active."""
    own = {
        one.interface
        for one in kernel.present
        if one.address in wanted.own
        and (":" in one.address or not effective(kernel.arp_notify, one.interface))
    }
    for bond in kernel.layers.bonds:
        if not bond.announcements and not own.isdisjoint(bond.devices):
            yield Difference(
                f"MAC of {bond.interface}",
                "announced when it changes (num_grat_arp 1 or more)",
                "it changes with the active slave, and num_grat_arp is 0",
                "when another slave becomes active, directors go on sending to the MAC of the one "
                f"before until they ask anew: {HANGS}",
            )


def _redirects(wanted: Wanted, kernel: Kernel) -> Iterator[Difference]:
    cards = tuple(sorted({one.interface for one in kernel.present if one.address in wanted.own}))
    for line in wanted.plan.redirects:
        packet = Packet(line.vip, line.protocol, line.port, cards)
        mine = deciding(kernel.redirections, packet)
        if any(one.target == line.target and one.to_port in {0, line.port} for one in mine):
            continue
        actual = ", ".join(map(_course, mine))
        wish = f"redirected to {line.target or 'the address of the card'}"
        effect = f"packets for it are not taken: {HANGS}"
        yield Difference(f"redirection of {_name(line)}", wish, actual or "none", effect)


def _course(one: Redirection) -> str:
    port = f" port {one.to_port}" if one.to_port else ""
    return f"to {one.target or 'itself'}{port} by {one.path}"


def _name(line: Redirect) -> str:
    return f"{line.vip} {line.protocol or 'any'}/{line.port or 'any'}"


def _tunnels(wanted: Wanted, kernel: Kernel) -> Iterator[Difference]:
    links = {link.interface: link for link in kernel.links}
    for tunnel in wanted.plan.tunnels:
        link = links.get(tunnel.device)
        if link is None or not link.is_up:
            actual = "not there" if link is None else "down"
            effect = f"what the director sends through the tunnel is dropped: {HANGS}"
            yield Difference(f"device {tunnel.device}", "up", actual, effect)
        if tunnel.device == "tunl0" and effective(kernel.rp_filter, "tunl0") == 1:
            effect = (
                "packets out of the tunnel come from where they would not be answered to, and are "
                f"dropped: {HANGS}"
            )
            yield Difference("rp_filter on tunl0", "2", "1 (strict)", effect)


def _services(wanted: Wanted, kernel: Kernel) -> Iterator[Difference]:
    is_redirected = wanted.plan.method in REDIRECTING
    for service in wanted.services:
        address = service.own if is_redirected or service.is_own else service.vip
        if not service.port or service.protocol not in {"tcp", "udp"} or not address:
            continue
        way = (service.protocol, address, service.port)
        devices = devices_of(wanted, kernel, service)
        if any(one.takes(*way, devices) for one in kernel.listeners):
            continue
        others = sorted(
            {
                str(one)
                for one in kernel.listeners
                if (one.protocol, one.port) == (service.protocol, service.port)
            }
        )
        actual = f"on {', '.join(others)} only" if others else "nothing listens"
        what = f"service {service.vip} {service.protocol}/{service.port}"
        wish = f"a socket on {address} or on all addresses"
        if any(one.takes(*way) for one in kernel.listeners):
            wish += f", of {' or '.join(devices)} or of no device"
        effect = "connections that the director sends to this server are refused"
        yield Difference(what, wish, actual, effect)
