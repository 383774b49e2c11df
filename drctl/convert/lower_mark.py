"""Firewall marks of an lvs.cf: which block of a mark ran (lvsd 0.8.6), and the rules that set the
marks, which lvs.cf never held."""

from __future__ import annotations

from dataclasses import replace

from drctl.convert.block import places_of_block
from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.lower_check import lower_check
from drctl.convert.options import ConvertOptions
from drctl.model.origin import SELF
from drctl.model.service import MASQUERADE, MarkRule, VirtualService
from drctl.model.vrrp import Vip
from drctl.render.real_server_plan import FTP_PORT, REDIRECTING
from drctl.text.place import Place

_OF_MARK_RULE = ("is_active", "port", "protocol", "mark")


def note_shared_address(
    service: VirtualService, marks_of: dict[tuple[str, str, int], int], ledger: Ledger
) -> None:
    """Say so when the block's address and port have another mark already."""
    if service.vip is None or service.mark is None:
        return
    key = service.vip.address, service.protocol or "tcp", service.port or 0
    other = marks_of.setdefault(key, service.mark)
    if other != service.mark:
        why = (
            f"{key[0]}:{key[2]}/{key[1]} has mark {other} already: lvsd took this block's servers "
            "for known ones and left the service without any; keepalived gives it its servers"
        )
        ledger.field(service.origins, "mark", Verdict.REPAIRED, why, "check which mark is meant")


def mark_rules_of(
    service: VirtualService, method: str, options: ConvertOptions, ledger: Ledger
) -> tuple[MarkRule, ...]:
    """The rules that give the packets for a block their mark; `method` is the forwarding's."""
    if service.mark is None:
        return ()
    if service.vip is None:
        todo = "add the rule that sets the mark by hand"
        why = f"the block has no address, so no rule that sets mark {service.mark} can be written"
        ledger.note(service.origins[SELF], Verdict.APPROXIMATED, why, todo)
        why = "the block has no address that this could be the mask of"
        ledger.note(service.origins.get("vip", ()), Verdict.DROPPED, why)
        return ()
    places = (
        *service.origins[SELF],
        *(place for name in _OF_MARK_RULE for place in service.origins.get(name, ())),
        *service.vip.origins.get("address", ()),
    )
    protocol = service.protocol or "tcp"
    origins = {SELF: places}
    is_redirected = method != MASQUERADE and options.arp in REDIRECTING
    _note_other_ports(service, ledger, is_redirected=is_redirected)
    return (MarkRule(service.vip.address, protocol, service.port, origins=origins),)


def _note_other_ports(service: VirtualService, ledger: Ledger, *, is_redirected: bool) -> None:
    """A mark is there to have several ports in one service, and a block names one."""
    where = "the directors' mark rules"
    if is_redirected:
        where += " and the redirections of the real servers"
    if service.port == FTP_PORT and service.protocol != "udp":
        why = (
            "a mark on FTP is there for its data connections: rules of the guide mark the passive "
            "ports 10000-20000 too, which lvs.cf does not hold"
        )
        todo = f"add the passive port range of your FTP servers to {where}"
    else:
        why = (
            "lvs.cf holds one port of each block; what else gets the mark is in the rules that "
            "the directors have so far"
        )
        todo = (
            f"compare: iptables -t mangle -S PREROUTING on a director; add further ports to {where}"
        )
    ledger.field(service.origins, "mark", Verdict.EXACT, why, todo)


def with_block(
    first: VirtualService, block: VirtualService, options: ConvertOptions, ledger: Ledger
) -> VirtualService:
    """A further block with a mark that is there already: lvsd set up the first block only."""
    why = (
        f"mark {block.mark} belongs to virtual {first.name} already: ipvsadm refused this block "
        "and none of its monitors ran"
    )
    todo = "compare the two blocks; --check-every-mark-block runs this block's checks too"
    rule = {
        *block.origins[SELF],
        *(p for name in _OF_MARK_RULE for p in block.origins.get(name, ())),
        *(_vip_places(block.vip) if block.vip is not None else ()),
    }
    checked = _with_checks_of(first, block, options, ledger)
    is_checked = checked is not first
    nanny = {p for places in _nanny_places(block) for p in places} if is_checked else set()
    for places in places_of_block(block):
        joined = [place for place in places if place in rule or place in nanny]
        others = [place for place in places if place not in rule and place not in nanny]
        what = f"{why}; its address and port join the rules that set the mark"
        ledger.note(joined, Verdict.REPAIRED, what, todo)
        ledger.note(others, Verdict.DROPPED, why, todo)
    rules = {known: known for known in first.mark_rules}
    assert first.forwarding is not None, "a lowered service has a method"
    for added in mark_rules_of(block, first.forwarding.method, options, ledger):
        known = rules.get(added, added)
        every = dict.fromkeys((*known.origins[SELF], *added.origins[SELF]))
        rules[added] = replace(added, origins={SELF: tuple(every)})
    return replace(checked, mark_rules=tuple(rules.values()))


def _vip_places(vip: Vip) -> tuple[Place, ...]:
    return (*vip.origins.get("address", ()), *vip.origins.get("prefix", ()))


def _nanny_places(block: VirtualService) -> list[tuple[Place, ...]]:
    assert block.nanny is not None, "the lvs.cf reader gives every virtual a nanny"
    return list(block.nanny.origins.values())


def _with_checks_of(
    first: VirtualService, block: VirtualService, options: ConvertOptions, ledger: Ledger
) -> VirtualService:
    """The service with the block's checks beside its own; the same service when they are not
    asked for."""
    if not options.checks_every_mark_block:
        return first
    by_address = {server.address: server for server in block.real_servers if server.is_active}
    servers = []
    for server in first.real_servers:
        other = by_address.get(server.address)
        if other is not None:
            check = lower_check(block, other, options, ledger)
            server = replace(server, checks=(*server.checks, check))
        servers.append(server)
    return replace(first, real_servers=tuple(servers))
