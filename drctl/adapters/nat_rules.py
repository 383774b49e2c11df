"""Redirections to the host itself, as iptables, ip6tables and nftables have them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from drctl.adapters.filter_chain import FilterRule, Packet
from drctl.adapters.filter_rules import NftSets, iptables_rule, nft_known, nft_match, nft_sets
from drctl.adapters.rule_tool import has_legacy_table, listed_rules, ruleset, said

_WORD = re.compile(r'"[^"]*"|\S+')
_JUMPS = frozenset({"jump", "goto"})


@dataclass(frozen=True, slots=True)
class Redirection:
    """What `rule` asks for goes to `target` ("": the card's own address). `path` are the owner and
    the chain, `to_port` 0 leaves the port as it is. `is_spared`: it is left as it is instead, and
    no later rule of the owner is asked."""

    rule: FilterRule
    target: str
    path: str
    to_port: int = 0
    is_spared: bool = False

    @property
    def owner(self) -> str:
        """The tool, or the table."""
        return self.path.rpartition(" ")[0]

    def fits(self, packet: Packet) -> bool:
        """Whether it sees the packet, for all that is known: one that looks at more may be about
        the address that it names."""
        is_narrow = self.rule.is_narrow_for(packet)
        is_open = is_narrow and (self.is_spared or not self.rule.here.addresses)
        return not is_open and not self.rule.excludes(packet)


def deciding(redirections: Iterable[Redirection], packet: Packet) -> list[Redirection]:
    """Those that see the packet, but for what an earlier rule of the same owner has spared."""
    found, spared = [], set()
    for one in redirections:
        if one.owner in spared or not one.fits(packet):
            continue
        if one.is_spared:
            spared.add(one.owner)
        else:
            found.append(one)
    return found


def read_redirections() -> tuple[Redirection, ...]:
    """All that are reached from PREROUTING, or from a chain of nftables at that hook."""
    found: list[Redirection] = []
    for name in ("iptables", "ip6tables"):
        version = 6 if name.startswith("ip6") else 4
        tools = [f"{name}-nft-save"]
        if has_legacy_table(f"{name[:-1].removesuffix('table')}_tables_names", "nat"):
            tools.append(f"{name}-legacy-save")
        for tool in tools:
            if (path := shutil.which(tool)) is not None:
                told = said(path, "-t", "nat")
                found += parse_iptables(told, tool.removesuffix("-save"), version)
    if shutil.which("nft") is not None:
        found += parse_nft(listed_rules())
    return tuple(found)


def parse_iptables(text: str, owner: str, version: int) -> list[Redirection]:
    """The redirections of an `iptables-save` that a packet can come to, in the order in which it
    does."""
    rules: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        words = [word.strip('"') for word in _WORD.findall(line)]
        if words[:1] == ["-A"]:
            rules.setdefault(words[1], []).append(words[2:])

    def reached(chain: str, above: tuple[str, ...]) -> Iterator[Redirection]:
        for words in rules.get(chain, []):
            target = _after(words, "-j")
            if target in rules and target not in above:
                yield from reached(target, (*above, target))
            elif target in {"REDIRECT", "DNAT", "ACCEPT"} or (target == "RETURN" and not above[1:]):
                yield _redirection(words, target, f"{owner} {chain}", version)

    return list(reached("PREROUTING", ("PREROUTING",)))


def _redirection(words: list[str], target: str, path: str, version: int) -> Redirection:
    rule = replace(iptables_rule(" ".join(words), words), version=version)
    to = to_port = ""
    if target == "DNAT":
        to, to_port = _end(_after(words, "--to-destination"))
    elif target == "REDIRECT":
        to_port = _after(words, "--to-ports")
    is_spared = target in {"ACCEPT", "RETURN"}
    return Redirection(rule, to, path, _number(to_port), is_spared)


def _end(text: str) -> tuple[str, str]:
    """Address and port of `192.0.2.1:80`, `[2001:db8::1]:80`, or one without a port."""
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        return address, rest.removeprefix(":")
    if text.count(":") == 1:
        address, _, port = text.partition(":")
        return address, port
    return text, ""


def _number(port: str) -> int:
    return int(port) if port.isdecimal() else 0


def _after(words: Iterable[str], option: str) -> str:
    rest = iter(words)
    for word in rest:
        if word == option:
            return next(rest, "")
    return ""


def parse_nft(text: str) -> list[Redirection]:
    """Those of chains at the hook prerouting, and of chains that these lead to; what iptables made
    there it shows itself."""
    rules: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    bases = []
    entries = ruleset(text)
    sets = nft_sets(entries)
    for entry in entries:
        chain, rule = entry.get("chain"), entry.get("rule")
        if chain is not None and (chain.get("hook"), chain.get("type")) == ("prerouting", "nat"):
            bases.append(chain)
        elif rule is not None:
            rules.setdefault((rule["family"], rule["table"], rule["chain"]), []).append(rule)

    def reached(place: tuple[str, str, str], above: tuple[str, ...]) -> Iterator[Redirection]:
        for rule in rules.get(place, []):
            for expression in rule.get("expr", []):
                (name, body), *_ = expression.items()
                if name in _JUMPS and body["target"] not in above:
                    yield from reached((*place[:2], body["target"]), (*above, body["target"]))
            made = _nft_redirection(rule, sets)
            if made is not None:
                yield made

    found: list[Redirection] = []
    for base in sorted(bases, key=lambda one: int(one.get("prio", 0))):
        found += reached((base["family"], base["table"], base["name"]), (base["name"],))
    return found


def _nft_redirection(value: Mapping[str, Any], sets: NftSets) -> Redirection | None:
    rule, target, to_port, is_spared = FilterRule(""), None, 0, False
    for expression in value.get("expr", []):
        (name, body), *_ = expression.items()
        if name == "match":
            rule = nft_match(rule, nft_known(body, value, sets))
        elif name == "redirect":
            target, to_port = "", _port_of(body)
        elif name == "dnat":
            to_port = _port_of(body)
            target = str(body.get("addr", "")) if isinstance(body, Mapping) else ""
        elif name == "accept":
            target, is_spared = "", True
    if target is None:
        return None
    path = f"nft {value['family']} {value['table']} {value['chain']}"
    return Redirection(rule, target, path, to_port, is_spared)


def _port_of(body: object) -> int:
    port = body.get("port") if isinstance(body, Mapping) else None
    return port if isinstance(port, int) else 0
