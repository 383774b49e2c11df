"""Routes, rules and BFD sessions of the peer: where the given director's own address stands in
them, the peer's is to stand. `addresses` maps the one to the other."""

from __future__ import annotations

from collections.abc import Mapping

from drctl.convert.ledger import Ledger, Verdict
from drctl.model.routing import Route, Rule
from drctl.model.tracking import BfdSession
from drctl.quickclass import replace


def route_for(route: Route, addresses: Mapping[str, str]) -> Route:
    """The route, with the peer's address as source of the peer's own connections."""
    theirs = addresses.get(route.source or "")
    return route if theirs is None else replace(route, source=theirs)


def rule_for(rule: Rule, addresses: Mapping[str, str]) -> Rule:
    """The rule, for the peer's address where it was for the given director's."""
    if rule.source not in addresses and rule.destination not in addresses:
        return rule
    return replace(
        rule,
        source=addresses.get(rule.source or "", rule.source),
        destination=addresses.get(rule.destination or "", rule.destination),
    )


def session_for(session: BfdSession, addresses: Mapping[str, str], ledger: Ledger) -> BfdSession:
    """The session as the peer has it: from its own address, and with the given director where that
    one has it with the peer."""
    back = {theirs: ours for ours, theirs in addresses.items()}
    source, neighbor = session.source, session.neighbor
    turned = replace(
        session,
        source=addresses.get(source or "", source),
        neighbor=back.get(neighbor or "", neighbor),
    )
    for name, here, there in (
        ("source", source, turned.source),
        ("neighbor", neighbor, turned.neighbor),
    ):
        if here == there and name == "source" and here is not None:
            why = f"{here} belongs to the director whose file this is; the peer has the same text"
            todo = f"write the peer's source_ip into bfd_instance {session.name}"
            ledger.field(session.origins, name, Verdict.APPROXIMATED, why, todo)
        elif here != there:
            why = f"{here} here, {there} on the peer"
            ledger.field(session.origins, name, Verdict.EXACT, why)
    return turned
