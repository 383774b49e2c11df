"""What plainly keeps packets from this host: packet filter rules at the hook of incoming ones.

Of nftables (`nft -j`) and iptables (`iptables-save`), in one form. Judged is what is certain for
every client that asks for the first time; a rule that looks at more (a source, a rate, a set)
leaves it open. Chains that rules lead to are followed.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from drctl.adapters.rule_tool import has_legacy_table, listed_rules, ruleset, said

DROP, REJECT, ACCEPT, CONTINUE, OTHER = "drop", "reject", "accept", "continue", "other"
JUMP, GOTO, RETURN = "jump", "goto", "return"
_BAD = frozenset({DROP, REJECT})
_PASSING = frozenset({"counter", "log", "comment"})
_BY_IPTABLES = frozenset({("ip", "filter"), ("ip6", "filter")})
_BITS = {"ip": 4, "ip6": 6}
_NUMBERS = {
    "1": "icmp",
    "4": "ipencap",
    "6": "tcp",
    "17": "udp",
    "41": "ipv6",
    "58": "ipv6-icmp",
    "icmpv6": "ipv6-icmp",
}


@dataclass(frozen=True, slots=True)
class Packet:
    """A client's first one for a service, or a director's that has it inside (`ipencap`, `ipv6`,
    without a port); it comes in on one of `devices`."""

    address: str
    protocol: str
    port: int
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilterRule:
    """What it asks for; nothing given fits all. `is_narrow`: it looks at more than these;
    `is_late`: it is about connections that are known already. `chain`: the one it leads to."""

    text: str
    verdict: str = CONTINUE
    addresses: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    device: str = ""
    version: int = 0
    is_narrow: bool = False
    is_late: bool = False
    chain: str = ""

    def excludes(self, packet: Packet) -> bool:
        """Whether it certainly does not see the packet."""
        it = ipaddress.ip_address(packet.address)
        return (
            self.is_late
            or self.version not in {0, it.version}
            or bool(self.device and packet.devices and self.device not in packet.devices)
            or bool(self.protocols and packet.protocol not in self.protocols)
            or bool(self.ports and not any(a <= packet.port <= b for a, b in self.ports))
            or bool(self.addresses and not any(_is_in(it, one) for one in self.addresses))
        )

    def is_open(self, packet: Packet) -> bool:
        """Whether it may see the packet and may not."""
        is_by_device = bool(self.device) and set(packet.devices) != {self.device}
        return self.is_narrow or is_by_device


@dataclass(frozen=True, slots=True)
class FilterChain:
    """The rules of one base chain in their order, and what becomes of those that pass; `others` are
    the chains that rules may lead to."""

    owner: str
    rules: tuple[FilterRule, ...]
    policy: str = ACCEPT
    version: int = 0
    others: Mapping[str, tuple[FilterRule, ...]] = field(default_factory=dict)

    def blocks(self, packet: Packet) -> tuple[str, str] | None:
        """The verdict and the rule that certainly keeps such a packet away."""
        if self.version not in {0, ipaddress.ip_address(packet.address).version}:
            return None
        last = self._end(self.rules, packet)
        if last is None:
            return (DROP, f"{self.owner}: policy drop") if self.policy == DROP else None
        return (last.verdict, f"{self.owner}: {last.text}") if last.verdict in _BAD else None

    def _end(self, rules: Iterable[FilterRule], packet: Packet) -> FilterRule | None:
        """The rule that ends the packet's way, or leaves it open; None when these rules do not."""
        for rule in rules:
            if rule.verdict == CONTINUE or rule.excludes(packet):
                continue
            if rule.is_open(packet):
                if rule.verdict in _BAD:
                    continue
                return rule
            if rule.verdict == RETURN:
                return None
            if rule.verdict not in {JUMP, GOTO}:
                return rule
            last = self._end(self.others.get(rule.chain, ()), packet)
            if last is not None or rule.verdict == GOTO:
                return last
        return None


def _is_in(it: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    return it in ipaddress.ip_network(network, strict=False)


def read_filter_chains() -> tuple[FilterChain, ...]:
    """All of this network namespace. A tool that is not installed has no rules."""
    found: list[FilterChain] = []
    tables: Collection[tuple[str, str]] = ()
    if shutil.which("nft") is not None:
        listed = listed_rules()
        found += parse_nft(listed)
        tables = _tables(listed)
    for name, version in (("iptables", 4), ("ip6tables", 6)):
        tools = []
        if ("ip" if version == 4 else "ip6", "filter") in tables:
            tools.append(f"{name}-nft-save")
        if has_legacy_table(f"{name[:-1].removesuffix('table')}_tables_names", "filter"):
            tools.append(f"{name}-legacy-save")
        for tool in tools:
            if (path := shutil.which(tool)) is not None:
                text = said(path, "-t", "filter")
                found += parse_iptables(text, tool.removesuffix("-save"), version)
    return tuple(found)


def _tables(listed: str) -> set[tuple[str, str]]:
    entries = json.loads(listed or "{}").get("nftables", [])
    return {(one["family"], one["name"]) for entry in entries if (one := entry.get("table"))}


def parse_iptables(text: str, owner: str, version: int) -> list[FilterChain]:
    """The chain INPUT of an `iptables-save`, with those that it leads to."""
    policy = ACCEPT
    chains: dict[str, tuple[FilterRule, ...]] = {}
    for line in text.splitlines():
        words = shlex.split(line)
        if words[:1] == [":INPUT"]:
            policy = words[1].lower()
        elif line.startswith(":"):
            chains.setdefault(words[0][1:], ())
        elif words[:1] == ["-A"]:
            rule = iptables_rule(line, words[2:])
            chains[words[1]] = (*chains.get(words[1], ()), rule)
    rules = chains.get("INPUT", ())
    if not rules and policy == ACCEPT:
        return []
    led = {name: tuple(_led(one, chains) for one in found) for name, found in chains.items()}
    return [FilterChain(f"{owner} INPUT", led.get("INPUT", ()), policy, version, led)]


def _led(rule: FilterRule, chains: Collection[str]) -> FilterRule:
    """The rule, as one that leads to a chain if there is one of the name of its target."""
    return (
        rule if not rule.chain or rule.chain in chains else replace(rule, chain="", verdict=OTHER)
    )


def iptables_rule(line: str, words: list[str]) -> FilterRule:
    """What the words after `-A CHAIN` ask for, up to the target."""
    rule = FilterRule(line.removeprefix("-A INPUT ").removeprefix("-A "))
    rest = iter(words)
    for word in rest:
        if word in {"-m", "--match", "--comment"}:
            next(rest, "")
        elif word == "-j":
            target = next(rest, "")
            known = {"DROP": DROP, "REJECT": REJECT, "ACCEPT": ACCEPT, "LOG": CONTINUE}
            known["RETURN"] = RETURN
            verdict = known.get(target, JUMP)
            return replace(rule, verdict=verdict, chain=target if verdict == JUMP else "")
        elif word == "-g":
            return replace(rule, verdict=GOTO, chain=next(rest, ""))
        elif word == "-d":
            rule = replace(rule, addresses=(next(rest, ""),))
        elif word == "-p":
            rule = replace(rule, protocols=(_protocol(next(rest, "")),))
        elif word == "-i":
            name = next(rest, "")
            rule = replace(rule, device=name, is_narrow=rule.is_narrow or name.endswith("+"))
            if name.endswith("+"):
                rule = replace(rule, device="")
        elif word in {"--dport", "--dports"}:
            rule = replace(rule, ports=tuple(_range(one, ":") for one in next(rest, "").split(",")))
        elif word in {"--state", "--ctstate"}:
            rule = _by_state(rule, next(rest, "").lower().split(","))
        else:
            rule = replace(rule, is_narrow=True)
            if word == "!":  # what it negates is not to be taken for a demand
                next(rest, "")
                next(rest, "")
    return rule


def _protocol(text: str) -> str:
    return _NUMBERS.get(text, text)


def _range(text: str, between: str) -> tuple[int, int]:
    first, _, last = text.partition(between)
    return int(first or 0), int(last or first or 65535) if between not in text or last else 65535


def _is_range(text: str) -> bool:
    return text.replace("-", "", 1).isdecimal()


def _by_state(rule: FilterRule, states: Iterable[str]) -> FilterRule:
    return replace(rule, is_late=rule.is_late or "new" not in states)


def parse_nft(text: str) -> list[FilterChain]:
    """The base chains of nftables at the hook input; those of iptables are left to it."""
    rules: dict[tuple[str, str, str], list[FilterRule]] = {}
    bases = []
    for entry in ruleset(text):
        chain, rule = entry.get("chain"), entry.get("rule")
        if chain and chain.get("hook") == "input" and chain.get("type") == "filter":
            if chain["family"] in {"ip", "ip6", "inet"}:
                bases.append(chain)
        elif rule:
            key = rule["family"], rule["table"], rule["chain"]
            rules.setdefault(key, []).append(_nft_rule(rule))
    return [
        FilterChain(
            f"nft {one['family']} {one['table']} {one['name']}",
            tuple(rules.get((one["family"], one["table"], one["name"]), ())),
            one.get("policy", ACCEPT),
            _BITS.get(one["family"], 0),
            {
                chain: tuple(found)
                for (family, table, chain), found in rules.items()
                if (family, table) == (one["family"], one["table"])
            },
        )
        for one in bases
        if (one["family"], one["table"]) not in _BY_IPTABLES
    ]


def _nft_rule(value: Mapping[str, Any]) -> FilterRule:
    rule, shown = FilterRule(""), []
    for expression in value.get("expr", []):
        (name, body), *_ = expression.items()
        if name == "match":
            rule = nft_match(rule, body)
            shown.append(_words(body))
        elif name in {DROP, REJECT, ACCEPT, RETURN}:
            rule = replace(rule, verdict=name)
            shown.append(name)
        elif name in {JUMP, GOTO}:
            rule = replace(rule, verdict=name, chain=str(body["target"]))
            shown.append(f"{name} {rule.chain}")
        elif name not in _PASSING:
            # of an extension of iptables (xt) nothing is known
            is_end = name in {"queue", "vmap", "xt"}
            rule = replace(rule, is_narrow=True, verdict=OTHER if is_end else rule.verdict)
            shown.append(name)
    return replace(rule, text=" ".join(shown))


def nft_match(rule: FilterRule, body: Mapping[str, Any]) -> FilterRule:
    """The rule with one more thing that it asks for."""
    left, right = body.get("left"), list(_texts(body.get("right")))
    field = _field(left)
    if body.get("op") not in {"==", "in"} or "?" in right:
        return replace(rule, is_narrow=True)
    if field in {"ip daddr", "ip6 daddr"}:
        version = 4 if field.startswith("ip ") else 6
        return replace(rule, addresses=tuple(right), version=version)
    if field in {"tcp dport", "udp dport", "th dport"} and all(map(_is_range, right)):
        rule = replace(rule, ports=tuple(_range(one, "-") for one in right))
        return rule if field.startswith("th") else replace(rule, protocols=(field[:3],))
    if field in {"meta l4proto", "ip protocol", "ip6 nexthdr"}:
        return replace(rule, protocols=tuple(map(_protocol, right)))
    if field.startswith(("icmp ", "icmpv6 ")):
        return replace(rule, protocols=(_protocol(field.split()[0]),), is_narrow=True)
    if field in {"meta iifname", "meta iif"} and len(right) == 1 and not right[0].endswith("*"):
        return replace(rule, device=right[0])
    if field == "meta nfproto" and right in (["ipv4"], ["ipv6"]):
        return replace(rule, version=4 if right == ["ipv4"] else 6)
    if field == "ct state":
        return _by_state(rule, right)
    return replace(rule, is_narrow=True)


def _field(left: Any) -> str:
    if isinstance(left, Mapping):
        if isinstance(payload := left.get("payload"), Mapping):
            return f"{payload.get('protocol')} {payload.get('field')}"
        for kind in ("meta", "ct"):
            if isinstance(one := left.get(kind), Mapping):
                return f"{kind} {one.get('key')}"
    return ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, Mapping):
        if "set" in value:
            yield from _texts(value["set"])
        elif "prefix" in value:
            yield f"{value['prefix']['addr']}/{value['prefix']['len']}"
        elif "range" in value and all(isinstance(one, int) for one in value["range"]):
            yield "-".join(map(str, value["range"]))
        else:
            yield "?"
    else:
        text = str(value)
        yield "?" if text.startswith("@") else text


def _words(body: Mapping[str, Any]) -> str:
    return f"{_field(body.get('left'))} {', '.join(_texts(body.get('right')))}".strip()
