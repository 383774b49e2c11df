"""The packet filter rules of this host, as the kernel has them: of nftables (`nft -j`) and of
iptables (`iptables-save`), in one form.

What is redirected has the VIP outside of address translation alone (netfilter's priorities: dstnat
is -100, srcnat 100).
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from drctl.adapters.filter_chain import (
    ACCEPT,
    ADVERTISEMENT,
    CONTINUE,
    DROP,
    GOTO,
    JUMP,
    NOTRACK,
    OTHER,
    REJECT,
    RETURN,
    SOLICITATION,
    FilterChain,
    FilterRule,
)
from drctl.adapters.rule_tool import has_legacy_table, listed_rules, ruleset, said

_PASSING = frozenset({"counter", "log", "comment"})
_OF_IPTABLES = {
    "filter": ("INPUT", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "raw": ("PREROUTING", "OUTPUT"),
    "security": ("INPUT", "OUTPUT"),
}
"""Tables, and their chains of what comes in and goes out."""
_GOING_OUT = frozenset({"OUTPUT", "POSTROUTING", "output", "postrouting", "egress"})
_FAMILIES = frozenset({"ip", "ip6", "inet", "netdev"})
_HOOKS = frozenset({"ingress", "prerouting", "input", "output", "postrouting", "egress"})
_DSTNAT, _SRCNAT = -100, 100
_BITS = {"ip": 4, "ip6": 6}
_ETHERTYPES = {"ip": 4, "ip6": 6, "arp": -1}
_TYPES = {
    "destination-unreachable": 1,
    "packet-too-big": 2,
    "time-exceeded": 3,
    "parameter-problem": 4,
    "echo-request": 128,
    "echo-reply": 129,
    "mld-listener-query": 130,
    "mld-listener-report": 131,
    "mld-listener-done": 132,
    "mld-listener-reduction": 132,
    "nd-router-solicit": 133,
    "nd-router-advert": 134,
    "nd-neighbor-solicit": SOLICITATION,
    "nd-neighbor-advert": ADVERTISEMENT,
    "nd-redirect": 137,
    "mld2-listener-report": 143,
}
"""Of ICMPv6, as nftables names them."""
NftSets = Mapping[tuple[str, str, str], list[Any]]
_NUMBERS = {
    "1": "icmp",
    "4": "ipencap",
    "6": "tcp",
    "17": "udp",
    "41": "ipv6",
    "58": "ipv6-icmp",
    "icmpv6": "ipv6-icmp",
}


def read_filter_chains() -> tuple[FilterChain, ...]:
    """All of this network namespace. A tool that is not installed has no rules."""
    found: list[FilterChain] = []
    tables: Collection[tuple[str, str]] = ()
    if shutil.which("nft") is not None:
        listed = listed_rules()
        found += parse_nft(listed)
        tables = _tables(listed)
    for name, version in (("iptables", 4), ("ip6tables", 6)):
        family, names = ("ip", "ip_tables_names") if version == 4 else ("ip6", "ip6_tables_names")
        tools = []
        if any((family, table) in tables for table in _OF_IPTABLES):
            tools.append(f"{name}-nft-save")
        if any(has_legacy_table(names, table) for table in _OF_IPTABLES):
            tools.append(f"{name}-legacy-save")
        for tool in tools:
            if (path := shutil.which(tool)) is not None:
                found += parse_iptables(said(path), tool.removesuffix("-save"), version)
    return tuple(found)


def _tables(listed: str) -> set[tuple[str, str]]:
    entries = json.loads(listed or "{}").get("nftables", [])
    return {(one["family"], one["name"]) for entry in entries if (one := entry.get("table"))}


def parse_iptables(text: str, owner: str, version: int) -> list[FilterChain]:
    """The chains of an `iptables-save` that what comes in passes, with those that they lead to."""
    policies: dict[tuple[str, str], str] = {}
    tables: dict[str, dict[str, tuple[FilterRule, ...]]] = {}
    table = "filter"
    for line in text.splitlines():
        words = shlex.split(line) if line[:1] in {":", "-"} else []
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":"):
            tables.setdefault(table, {}).setdefault(words[0][1:], ())
            policies[table, words[0][1:]] = words[1].lower()
        elif words[:1] == ["-A"]:
            chains = tables.setdefault(table, {})
            rule = iptables_rule(line, words[2:])
            chains[words[1]] = (*chains.get(words[1], ()), rule)
    made = []
    for table, chains in tables.items():
        led = {name: tuple(_led(one, chains) for one in found) for name, found in chains.items()}
        place = owner if table == "filter" else f"{owner} {table}"
        for base in _OF_IPTABLES.get(table, ()):
            rules, policy = led.get(base, ()), policies.get((table, base), ACCEPT)
            if rules or policy != ACCEPT:
                chain = FilterChain(f"{place} {base}", rules, policy, version, led)
                is_outside = base == "PREROUTING"
                made.append(replace(chain, is_outside=is_outside, is_out=base in _GOING_OUT))
    return made


def _led(rule: FilterRule, chains: Collection[str]) -> FilterRule:
    """The rule, as one that leads to a chain if there is one of the name of its target."""
    return (
        rule if not rule.chain or rule.chain in chains else replace(rule, chain="", verdict=OTHER)
    )


_BASES = re.compile(r"-A (?:(?:PREROUTING|INPUT|OUTPUT|POSTROUTING) )?")
_TARGETS = {
    "DROP": DROP,
    "REJECT": REJECT,
    "ACCEPT": ACCEPT,
    "LOG": CONTINUE,
    "RETURN": RETURN,
    "NOTRACK": NOTRACK,
}
_ENDS_OF_IPTABLES = {
    "-d": ("here", "addresses"),
    "-s": ("there", "addresses"),
    "-i": ("here", "device"),
    "-o": ("there", "device"),
    "--dport": ("here", "ports"),
    "--dports": ("here", "ports"),
    "--sport": ("there", "ports"),
    "--sports": ("there", "ports"),
}


def iptables_rule(line: str, words: list[str]) -> FilterRule:
    """What the words after `-A CHAIN` ask for, up to the target."""
    rule = FilterRule(_BASES.sub("", line, count=1))
    rest = iter(words)
    for word in rest:
        if word in {"-m", "--match", "--comment"}:
            next(rest, "")
        elif word == "-j":
            target = next(rest, "")
            if target == "CT" and "--notrack" in words:
                target = "NOTRACK"
            verdict = _TARGETS.get(target, JUMP)
            return replace(rule, verdict=verdict, chain=target if verdict == JUMP else "")
        elif word == "-g":
            return replace(rule, verdict=GOTO, chain=next(rest, ""))
        elif word == "-p":
            rule = replace(rule, protocols=(_protocol(next(rest, "")),))
        elif word in _ENDS_OF_IPTABLES:
            rule = _asking(rule, _ENDS_OF_IPTABLES[word], next(rest, ""))
        elif word == "--icmpv6-type" and _is_range(kind := next(rest, "")):
            rule = replace(rule, types=(_range(kind, ":"),))
        elif word in {"--state", "--ctstate"}:
            rule = _by_state(rule, next(rest, "").lower().split(","))
        else:
            rule = replace(rule, is_narrow=True)
            if word == "!":  # what it negates is not to be taken for a demand
                next(rest, "")
                next(rest, "")
    return rule


def _asking(rule: FilterRule, what: tuple[str, str], text: str) -> FilterRule:
    """The rule with what an option of iptables demands of an end."""
    end, field = what
    if field == "device":
        return (
            replace(rule, is_narrow=True) if text.endswith("+") else _with(rule, end, device=text)
        )
    if field == "addresses":
        return _with(rule, end, addresses=(text,))
    parts = text.split(",")
    if not all(_is_range(one.replace(":", "-")) for one in parts):
        return replace(rule, is_narrow=True)
    return _with(rule, end, ports=tuple(_range(one, ":") for one in parts))


def _with(rule: FilterRule, end: str, **demands: Any) -> FilterRule:
    return replace(rule, **{end: replace(getattr(rule, end), **demands)})


def _protocol(text: str) -> str:
    return _NUMBERS.get(text, text)


def _range(text: str, between: str) -> tuple[int, int]:
    first, _, last = text.partition(between)
    return int(first or 0), int(last or first or 65535) if between not in text or last else 65535


def _is_range(text: str) -> bool:
    return text.replace("-", "", 1).isdecimal()


def _by_state(rule: FilterRule, states: Iterable[str]) -> FilterRule:
    return replace(rule, states=tuple(states))


def parse_nft(text: str) -> list[FilterChain]:
    """The base chains of nftables that what comes in passes; those of iptables are left to it."""
    rules: dict[tuple[str, str, str], list[FilterRule]] = {}
    bases = []
    entries = ruleset(text)
    sets = nft_sets(entries)
    for entry in entries:
        chain, rule = entry.get("chain"), entry.get("rule")
        if chain and chain.get("hook") in _HOOKS and chain.get("type") == "filter":
            if chain["family"] in _FAMILIES and not _is_by_iptables(chain):
                bases.append(chain)
        elif rule:
            key = rule["family"], rule["table"], rule["chain"]
            rules.setdefault(key, []).append(_nft_rule(rule, sets))
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
            tuple(one.get("dev", ())),
            _is_outside(one),
            one["hook"] in _GOING_OUT,
        )
        for one in bases
    ]


def _is_by_iptables(chain: Mapping[str, Any]) -> bool:
    """Whether a chain is one of those that iptables makes; another one in a table of such a name it
    does not show."""
    family, table, name = chain["family"], chain["table"], chain["name"]
    return family in _BITS and name in _OF_IPTABLES.get(table, ())


def _is_outside(chain: Mapping[str, Any]) -> bool:
    hook, priority = chain["hook"], int(chain.get("prio", 0))
    if hook in {"prerouting", "postrouting"}:
        return priority < _DSTNAT if hook == "prerouting" else priority > _SRCNAT
    return hook in {"ingress", "egress"}


def nft_sets(entries: Iterable[Mapping[str, Any]]) -> NftSets:
    """The elements of all sets that have a name, by family, table and `@` with the name."""
    found = (one for entry in entries if (one := entry.get("set")) is not None)
    return {(one["family"], one["table"], f"@{one['name']}"): one.get("elem", []) for one in found}


def nft_known(body: Mapping[str, Any], rule: Mapping[str, Any], sets: NftSets) -> Mapping[str, Any]:
    """A match of a rule, with the elements of a set that it names."""
    named = body.get("right")
    elements = sets.get((rule["family"], rule["table"], named)) if isinstance(named, str) else None
    return body if elements is None else {**body, "right": {"set": elements}}


def _nft_rule(value: Mapping[str, Any], sets: NftSets) -> FilterRule:
    rule, shown = FilterRule(""), []
    for expression in value.get("expr", []):
        (name, body), *_ = expression.items()
        if name == "match":
            rule = nft_match(rule, nft_known(body, value, sets))
            shown.append(_words(body))
        elif name in {DROP, REJECT, ACCEPT, RETURN, NOTRACK}:
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


_PORTS = frozenset(f"{kind} {end}port" for kind in ("tcp", "udp", "th") for end in "ds")
_CARDS = frozenset(f"meta {name}" for name in ("iif", "iifname", "oif", "oifname"))


def nft_match(rule: FilterRule, body: Mapping[str, Any]) -> FilterRule:
    """The rule with one more thing that it asks for."""
    left, right = body.get("left"), list(_texts(body.get("right")))
    field = _field(left)
    if body.get("op") not in {"==", "in"} or "?" in right:
        return replace(rule, is_narrow=True)
    if field in {"ip daddr", "ip6 daddr", "ip saddr", "ip6 saddr"}:
        version = 4 if field.startswith("ip ") else 6
        end = "here" if field.endswith("daddr") else "there"
        return replace(_with(rule, end, addresses=tuple(right)), version=version)
    if field in _PORTS and all(map(_is_range, right)):
        end = "here" if field.endswith("dport") else "there"
        rule = _with(rule, end, ports=tuple(_range(one, "-") for one in right))
        return rule if field.startswith("th") else replace(rule, protocols=(field[:3],))
    if field in {"meta l4proto", "ip protocol", "ip6 nexthdr"}:
        return replace(rule, protocols=tuple(map(_protocol, right)))
    if field.startswith(("icmp ", "icmpv6 ")):
        rule = replace(rule, protocols=(_protocol(field.split()[0]),))
        types = [str(_TYPES.get(one, one)) for one in right]
        if field != "icmpv6 type" or not all(map(_is_range, types)):
            return replace(rule, is_narrow=True)
        return replace(rule, types=tuple(_range(one, "-") for one in types))
    if field in _CARDS and len(right) == 1 and not right[0].endswith("*"):
        return _with(rule, "here" if field.startswith("meta iif") else "there", device=right[0])
    if field in {"meta protocol", "ether type"} and len(right) == 1 and right[0] in _ETHERTYPES:
        return replace(rule, version=_ETHERTYPES[right[0]])
    if field.startswith("arp "):
        return replace(rule, version=_ETHERTYPES["arp"])
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
            yield from _texts(value["set"] or "?")
        elif "elem" in value:
            yield from _texts(value["elem"].get("val"))
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
    right = body.get("right")
    shown = right if isinstance(right, str) else ", ".join(_texts(right))
    return f"{_field(body.get('left'))} {shown}".strip()
