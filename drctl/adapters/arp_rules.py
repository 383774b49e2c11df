"""ARP rules as the kernel has them: of arptables (both kinds) and of nftables, in one form."""

from __future__ import annotations

import ipaddress
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from drctl.adapters.rule_tool import has_legacy_table, said

Network = ipaddress.IPv4Network
INPUT, OUTPUT = "input", "output"
DROP, ACCEPT, CONTINUE, OTHER = "drop", "accept", "continue", "other"
CHAINS = {"INPUT": INPUT, "IN": INPUT, "OUTPUT": OUTPUT, "OUT": OUTPUT}
_FILTER_OF_ARPTABLES = "filter"
_ALWAYS_SO = frozenset({"arp htype", "arp ptype", "arp hlen", "arp plen", "arp operation"})
"""What requests on Ethernet have in common."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: of `sources` and `targets` (addresses of an ARP packet) one has to fit, none given
    fits all. `interface` "" is any; `is_narrow`: it looks at more than these. `verdict` is one of
    the constants; `mangled` the source address that it writes, "" for none."""

    text: str
    sources: tuple[Network, ...] = ()
    targets: tuple[Network, ...] = ()
    interface: str = ""
    is_narrow: bool = False
    verdict: str = CONTINUE
    mangled: str = ""

    def means(self, other: Rule) -> bool:
        """Whether it does the same, however it is written."""
        return replace(self, text="") == replace(other, text="")

    def fits(self, source: str, target: str, interface: str) -> bool:
        """Whether it sees a packet with these addresses. A narrow rule may not."""
        if self.interface not in {"", interface}:
            return False
        return _is_in(source, self.sources) and _is_in(target, self.targets)


@dataclass(frozen=True, slots=True)
class Chain:
    """The rules that packets pass at a hook, in order, and what becomes of those that pass."""

    owner: str
    hook: str
    rules: tuple[Rule, ...]
    policy: str = ACCEPT


def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    if not networks:
        return True
    wanted = ipaddress.IPv4Address(address or "0.0.0.0")
    return any(wanted in network for network in networks)


def read_arp_chains() -> tuple[Chain, ...]:
    """All chains at ARP's hooks. A tool that is not installed has no rules; neither has a kernel
    without its part. What only looks changes nothing: the older arptables, which would load its
    modules, is asked where the kernel has its table already."""
    chains: list[Chain] = []
    if has_legacy_table("arp_tables_names", "filter"):
        chains += parse_arptables(said("arptables-legacy", "-L", "-n", "-v"), "arptables-legacy")
    listed = ""
    if shutil.which("nft") is not None:
        listed = said("nft", "-j", "list", "ruleset")
        chains += parse_nft(listed)
    if shutil.which("arptables-nft") is not None and (not listed or _has_arptables(listed)):
        chains += parse_arptables(said("arptables-nft", "-L", "-n", "-v"), "arptables-nft")
    return tuple(chains)


def _has_arptables(listed: str) -> bool:
    tables = (entry.get("table", {}) for entry in json.loads(listed).get("nftables", []))
    return any(
        one.get("family") == "arp" and one.get("name") == _FILTER_OF_ARPTABLES for one in tables
    )


def parse_arptables(text: str, owner: str) -> list[Chain]:
    """The chains of `arptables -L -n -v`."""
    rules: dict[str, list[Rule]] = {}
    policies: dict[str, str] = {}
    chain = ""
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["Chain"]:
            chain = words[1]
            rules[chain] = []
            if words[2] == "(policy":
                policies[chain] = words[3].strip(")").lower()
        elif words:
            shown = line.partition(" , pcnt=")[0].strip()
            rules.setdefault(chain, []).append(_arptables_rule(shown.split(), f"{chain} {shown}"))
    return [
        Chain(owner, hook, tuple(rules[name]), policies.get(name, ACCEPT))
        for name, hook in CHAINS.items()
        if name in rules
    ]


def _arptables_rule(words: list[str], line: str) -> Rule:
    sources: tuple[Network, ...] = ()
    targets: tuple[Network, ...] = ()
    interface = mangled = ""
    verdict, is_narrow = CONTINUE, False
    rest = iter(words)
    for word in rest:
        if word in {"-s", "--source-ip", "--src-ip"}:
            sources = _networks([next(rest)])
        elif word in {"-d", "--destination-ip", "--dst-ip"}:
            targets = _networks([next(rest)])
        elif word in {"-i", "-o", "--in-interface", "--out-interface"}:
            named = next(rest)
            interface = interface if named in {"*", "any"} else named
        elif word in {"-j", "--jump"}:
            verdict = _verdict_of(next(rest))
        elif word == "--mangle-ip-s":
            mangled = next(rest)
        elif word == "--mangle-target":
            verdict = _verdict_of(next(rest))
        elif word == "--opcode":
            is_narrow |= next(rest) not in {"1", "Request"}
        elif word.startswith(("-", "!")):
            is_narrow = True
    return Rule(line, sources, targets, interface, is_narrow, verdict, mangled)


def _verdict_of(target: str) -> str:
    # arptables' mangle accepts unless told otherwise
    known = {"DROP": DROP, "ACCEPT": ACCEPT, "mangle": ACCEPT, "CONTINUE": CONTINUE}
    return known.get(target, OTHER)


def _networks(texts: list[str]) -> tuple[Network, ...]:
    found = []
    for text in texts:
        try:
            found.append(ipaddress.IPv4Network(text, strict=False))
        except ValueError:
            return ()
    return tuple(found)


def parse_nft(text: str) -> list[Chain]:
    """The base chains of family arp in `nft -j list ruleset`; those of arptables are left out,
    which it cannot show."""
    if not text.strip():
        return []
    listed = json.loads(text).get("nftables", [])
    bases: dict[tuple[str, str], dict[str, Any]] = {}
    rules: dict[tuple[str, str], list[Rule]] = {}
    for entry in listed:
        for kind in ("chain", "rule"):
            value = entry.get(kind)
            if value is None or value.get("family") != "arp":
                continue
            if value["table"] == _FILTER_OF_ARPTABLES:
                continue
            if kind == "chain" and value.get("hook") in (INPUT, OUTPUT):
                bases[value["table"], value["name"]] = value
            elif kind == "rule":
                key = value["table"], value["chain"]
                rules.setdefault(key, []).append(_nft_rule(value))
    ordered = sorted(bases.items(), key=lambda one: int(one[1].get("prio", 0)))
    return [
        Chain(
            f"nft arp {key[0]}", base["hook"], tuple(rules.get(key, ())), base.get("policy", ACCEPT)
        )
        for key, base in ordered
    ]


def _nft_rule(value: Mapping[str, Any]) -> Rule:
    sources: tuple[Network, ...] = ()
    targets: tuple[Network, ...] = ()
    interface = mangled = ""
    verdict, is_narrow = CONTINUE, False
    shown = []
    for expression in value.get("expr", []):
        (name, body), *_ = expression.items()
        if name == "match":
            field, right = _field(body), _right(body)
            shown.append(f"{field} {', '.join(right)}")
            if body.get("op") not in {"==", "in"}:
                is_narrow = True
            elif field in _ALWAYS_SO and right != ["reply"]:
                continue
            elif field == "arp saddr ip":
                sources = _networks(right)
            elif field == "arp daddr ip":
                targets = _networks(right)
            elif field in {"iifname", "oifname", "iif", "oif"} and len(right) == 1:
                interface = right[0]
            else:
                is_narrow = True
        elif name in {DROP, ACCEPT}:
            verdict = name
            shown.append(name)
        elif name == "mangle" and _field({"left": body.get("key")}) == "arp saddr ip":
            mangled = str(body.get("value"))
            shown.append(f"arp saddr ip set {mangled}")
        elif name not in {"counter", "log", "comment"}:
            verdict = OTHER
            shown.append(name)
    chain = f"{value['table']} {value['chain']}: {' '.join(shown)}"
    return Rule(chain, sources, targets, interface, is_narrow, verdict, mangled)


def _field(body: Mapping[str, Any]) -> str:
    left = body.get("left")
    if not isinstance(left, Mapping):
        return ""
    payload, meta = left.get("payload"), left.get("meta")
    if isinstance(payload, Mapping):
        return f"{payload.get('protocol')} {payload.get('field')}"
    return str(meta["key"]) if isinstance(meta, Mapping) else ""


def _right(body: Mapping[str, Any]) -> list[str]:
    return list(_texts(body.get("right")))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "set" in value:
            yield from _texts(value["set"])
        elif "prefix" in value:
            yield f"{value['prefix']['addr']}/{value['prefix']['len']}"
        else:
            yield "?"
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    else:
        yield str(value)
