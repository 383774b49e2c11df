"""Routes and rules as lines of a keepalived.conf.

Addresses of all families come first, since 2.2.7 takes them behind a family only when they have it.
A family that no address shows is written twice: 2.2.7 swallows the word behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from drctl.model.routing import IPV6, Hop, Option, Route, Rule
from drctl.render.keepalived_word import argument
from drctl.render.trusted import Trusted, refuse_line

_OF_IPV6 = frozenset({"from", "expires", "pref"})
"""Options that only a route of IPv6 has."""


def route_line(route: Route) -> Trusted:
    """A line of virtual_routes or static_routes."""
    words: list[object] = [route.kind, route.destination]
    shown = (route.destination, route.via, route.source, *(hop.via for hop in route.hops))
    if route.family == IPV6 and not (_shows_ipv6(shown) or _has(route.options, _OF_IPV6)):
        words += (IPV6, IPV6)
    words += _pair("via", route.via)
    words += _pair("dev", route.device)
    words += _pair("src", route.source)
    words += _pair("table", route.table)
    words += _pair("metric", route.metric)
    words += _pair("scope", route.scope)
    words += _options(route.options)
    words += _tracking(route)
    for hop in route.hops:
        words += _hop(hop)
    return _line(words)


def rule_line(rule: Rule) -> Trusted:
    """A line of virtual_rules or static_rules."""
    words: list[object] = ["not"] if rule.is_inverted else []
    networks = [("from", rule.source), ("to", rule.destination)]
    # `all` behind the network of a family is refused
    for name, network in sorted(networks, key=lambda one: one[1] != "all"):
        words += _pair(name, network)
    if rule.family == IPV6 and not _shows_ipv6((rule.source, rule.destination)):
        words += (IPV6, IPV6)
    words += _pair("iif", rule.in_device)
    words += _pair("oif", rule.out_device)
    if rule.mark is not None:
        mask = "" if rule.mark_mask is None else f"/{rule.mark_mask}"
        words += ("fwmark", f"{rule.mark}{mask}")
    words += _options(rule.options)
    words += _pair("priority", rule.priority)
    if rule.action == "table":
        words += _pair("table", rule.table)
    else:
        words += _pair(rule.action, rule.target) or (rule.action,)
    words += _tracking(rule)
    return _line(words)


def _shows_ipv6(addresses: Iterable[str | None]) -> bool:
    return any(address is not None and ":" in address for address in addresses)


def _has(options: tuple[Option, ...], names: frozenset[str]) -> bool:
    return any(name in names for name, _ in options)


def _pair(name: str, value: object) -> tuple[object, ...]:
    return () if value is None else (name, value)


def _options(options: tuple[Option, ...]) -> Iterator[object]:
    for name, value in options:
        yield name
        yield from value.split(" ") if value else ()


def _tracking(line: Route | Rule) -> Iterator[object]:
    if not line.is_tracked:
        yield "no_track"
    yield from _pair("track_group", line.track_group)


def _hop(hop: Hop) -> Iterator[object]:
    yield "nexthop"
    yield from _pair("via", hop.via)
    yield from _pair("dev", hop.device)
    yield from _pair("weight", hop.weight)
    yield from _options(hop.options)


def _line(words: Iterable[object]) -> Trusted:
    return Trusted(refuse_line(" ".join(argument(word) for word in words if word is not None)))
