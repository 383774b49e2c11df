"""ARP rules as the kernel has them: of arptables (both kinds) and of nftables, in one form.

A chain of family netdev stands at a device, before (ingress) or behind (egress) those of family
arp; one of family bridge sees what a bridge itself gets and sends.
"""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from drctl.adapters.rule_tool import has_legacy_table, listed_rules, ruleset, said

Network = ipaddress.IPv4Network
INPUT, OUTPUT = "input", "output"
DROP, ACCEPT, CONTINUE, OTHER = "drop", "accept", "continue", "other"
JUMP, GOTO, RETURN = "jump", "goto", "return"
REQUEST, REPLY = "request", "reply"
CHAINS = {"INPUT": INPUT, "IN": INPUT, "OUTPUT": OUTPUT, "OUT": OUTPUT}
_HOOKS = {
    "arp": {"input": INPUT, "output": OUTPUT},
    "netdev": {"ingress": INPUT, "egress": OUTPUT},
    "bridge": {"prerouting": INPUT, "input": INPUT, "output": OUTPUT, "postrouting": OUTPUT},
}
"""What each family calls the way in and out."""
_DEEDS = frozenset({DROP, ACCEPT, CONTINUE, RETURN, JUMP, GOTO, "queue", "fwd"})
_ASIDE = frozenset({"counter", "log", "comment", "dup"})
_FILTER_OF_ARPTABLES = "filter"
_ALWAYS_SO = frozenset({"arp htype", "arp ptype", "arp hlen", "arp plen"})
"""What ARP on Ethernet has in common."""
_PROTOCOL = frozenset({"ether type", "protocol"})
_OF_ETHERNET = {
    "--h-type": {"1", "Ethernet"},
    "--h-length": {"6"},
    "--proto-type": {"0x800", "2048", "IPv4"},
}
"""The same in arptables' words."""
_OPERATIONS = {"1": REQUEST, "Request": REQUEST, "2": REPLY, "Reply": REPLY}
_BY_CARD = frozenset({"iifname", "oifname", "iif", "oif"})
_BY_BRIDGE = frozenset({"ibrname", "obrname"})
"""In family bridge the card is a port."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: of `sources` and `targets` (addresses of an ARP packet) one has to fit, none given
    fits all. `interfaces` none is any, but for those `spared`; `*` at the end stands for more.
    `operation` is request, reply, or "" for both. `is_narrow`: it looks at more than these.
    `verdict` is one of the constants, `chain` the one that it leads to; `mangled` the source
    address that it writes, "" for none."""

    text: str
    sources: tuple[Network, ...] = ()
    targets: tuple[Network, ...] = ()
    interfaces: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    is_narrow: bool = False
    verdict: str = CONTINUE
    chain: str = ""
    mangled: str = ""
    operation: str = ""

    def means(self, other: Rule) -> bool:
        """Whether it does the same, however it is written."""
        return replace(self, text="") == replace(other, text="")

    def fits(self, packet: Packet) -> bool:
        """Whether it sees the packet. A narrow rule may not."""
        if self.interfaces and not _is_among(packet.interface, self.interfaces):
            return False
        if _is_among(packet.interface, self.spared):
            return False
        if self.operation not in {"", packet.operation}:
            return False
        return _is_in(packet.source, self.sources) and _is_in(packet.target, self.targets)


@dataclass(frozen=True, slots=True)
class Packet:
    """An ARP packet that comes in on an interface, or goes out by it."""

    source: str
    target: str
    interface: str
    operation: str = REQUEST


@dataclass(frozen=True, slots=True)
class Chain:
    """The rules that packets pass at a hook, in order, and what becomes of those that pass;
    `others` are the chains that a rule may lead to. It stands at `devices` alone if there are
    some, and sees bridges alone if it is `of_bridges`. `hook` "": no packet comes to it."""

    owner: str
    hook: str
    rules: tuple[Rule, ...]
    policy: str = ACCEPT
    others: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    of_bridges: bool = False

    def sees(self, interface: str, bridges: Collection[str]) -> bool:
        """Whether packets of the interface pass it."""
        if self.of_bridges and interface not in bridges:
            return False
        return not self.devices or _is_among(interface, self.devices)

    def reached(self) -> tuple[Rule, ...]:
        """Its rules, with those of all chains that they lead to."""
        found, waiting, seen = [], [self.rules], set()
        while waiting:
            for rule in waiting.pop(0):
                found.append(rule)
                if rule.chain and rule.chain not in seen:
                    seen.add(rule.chain)
                    waiting.append(self.others.get(rule.chain, ()))
        return tuple(found)


def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    if not networks:
        return True
    wanted = ipaddress.IPv4Address(address or "0.0.0.0")
    return any(wanted in network for network in networks)


def _is_among(interface: str, names: tuple[str, ...]) -> bool:
    return any(
        interface.startswith(name[:-1]) if name.endswith("*") else interface == name
        for name in names
    )


def read_arp_chains() -> tuple[Chain, ...]:
    """All chains at ARP's hooks. A tool that is not installed has no rules; neither has a kernel
    without its part. What only looks changes nothing: the older arptables, which would load its
    modules, is asked where the kernel has its table already."""
    chains: list[Chain] = []
    if has_legacy_table("arp_tables_names", "filter"):
        chains += parse_arptables(said("arptables-legacy", "-L", "-n", "-v"), "arptables-legacy")
    listed = ""
    if shutil.which("nft") is not None:
        listed = listed_rules()
        chains += parse_nft(listed)
    if shutil.which("arptables-nft") is not None and (not listed or _has_arptables(listed)):
        chains += parse_arptables(said("arptables-nft", "-L", "-n", "-v"), "arptables-nft")
    return tuple(chains)


def _has_arptables(listed: str) -> bool:
    return any(_is_by_arptables(one) for entry in ruleset(listed) if (one := entry.get("chain")))


def _is_by_arptables(chain: Mapping[str, Any]) -> bool:
    """Whether a chain is one of those that arptables makes."""
    place = chain.get("family"), chain.get("table")
    return place == ("arp", _FILTER_OF_ARPTABLES) and chain.get("name") in CHAINS


def parse_arptables(text: str, owner: str) -> list[Chain]:
    """The chains of `arptables -L -n -v`."""
    rules: dict[str, list[Rule]] = {}
    policies: dict[str, str] = {}
    chain = ""
    lines = text.splitlines()
    names = {words[1] for line in lines if (words := line.split())[:1] == ["Chain"]}
    for line in lines:
        words = line.split()
        if words[:1] == ["Chain"]:
            chain = words[1]
            rules[chain] = []
            if words[2] == "(policy":
                policies[chain] = words[3].strip(")").lower()
        elif words:
            shown = line.partition(" , pcnt=")[0].strip()
            rule = _arptables_rule(shown.split(), names)
            rules.setdefault(chain, []).append(replace(rule, text=f"{chain} {shown}"))
    others = {name: tuple(found) for name, found in rules.items() if name not in CHAINS}
    return [
        Chain(owner, hook, tuple(rules[name]), policies.get(name, ACCEPT), others)
        for name, hook in CHAINS.items()
        if name in rules
    ]


def _arptables_rule(words: list[str], chains: set[str]) -> Rule:
    rule, is_not = Rule(""), False
    rest = iter(words)
    for word in rest:
        if word == "!":
            is_not = True
            continue
        if word in {"-s", "--source-ip", "--src-ip"}:
            rule = _by_address(rule, "sources", [next(rest)], is_not=is_not)
        elif word in {"-d", "--destination-ip", "--dst-ip"}:
            rule = _by_address(rule, "targets", [next(rest)], is_not=is_not)
        elif word in {"-i", "-o", "--in-interface", "--out-interface"}:
            named = next(rest)
            if named not in {"*", "any"}:
                name = f"{named[:-1]}*" if named.endswith("+") else named
                rule = _by_card(rule, (name,), is_not=is_not)
        elif word in {"-j", "--jump"}:
            rule = _led_by(rule, next(rest), chains)
        elif word == "--mangle-ip-s":
            rule = replace(rule, mangled=next(rest))
        elif word == "--mangle-target":
            rule = _led_by(rule, next(rest), chains)
        elif word == "--opcode":
            rule = _by_operation(rule, {_OPERATIONS.get(next(rest), "")}, is_not=is_not)
        elif word in _OF_ETHERNET:
            if is_not or next(rest) not in _OF_ETHERNET[word]:
                rule = replace(rule, is_narrow=True)
        elif word.startswith("-"):
            rule = replace(rule, is_narrow=True)
        is_not = False
    return rule


def _led_by(rule: Rule, target: str, chains: set[str]) -> Rule:
    if target in chains:
        return replace(rule, verdict=JUMP, chain=target)
    # arptables' mangle accepts unless told otherwise
    known = {"DROP": DROP, "ACCEPT": ACCEPT, "mangle": ACCEPT, "CONTINUE": CONTINUE}
    return replace(rule, verdict=known.get(target, RETURN if target == "RETURN" else OTHER))


def _by_address(rule: Rule, end: str, texts: Sequence[str], *, is_not: bool) -> Rule:
    """The rule for these addresses at one end alone, or for all but them."""
    networks = _networks(texts)
    if networks is not None and is_not:
        networks = _all_but(networks)
    if not networks:
        return replace(rule, is_narrow=True)
    if end == "sources":
        return replace(rule, sources=networks)
    return replace(rule, targets=networks)


def _by_operation(rule: Rule, named: Collection[str], *, is_not: bool) -> Rule:
    """Requests and replies are all that counts here."""
    left = {one for one in (REQUEST, REPLY) if (one in named) is not is_not}
    if len(left) == 1 and rule.operation in {"", *left}:
        return replace(rule, operation=left.pop())
    return rule if len(left) == 2 else replace(rule, is_narrow=True)


def _by_card(rule: Rule, names: tuple[str, ...], *, is_not: bool) -> Rule:
    return replace(rule, spared=names) if is_not else replace(rule, interfaces=names)


def _networks(texts: Sequence[str]) -> tuple[Network, ...] | None:
    """None for what is no address, network or range of addresses."""
    found: list[Network] = []
    for text in texts:
        first, _, last = text.partition("-")
        try:
            if last:
                ends = ipaddress.IPv4Address(first), ipaddress.IPv4Address(last)
                found += ipaddress.summarize_address_range(*ends)
            else:
                found.append(Network(text, strict=False))
        except ValueError:
            return None
    return tuple(found)


def _all_but(networks: Sequence[Network]) -> tuple[Network, ...]:
    left = [Network("0.0.0.0/0")]
    for gone in networks:
        parts = (one.address_exclude(gone) if gone.subnet_of(one) else [one] for one in left)
        left = [one for part in parts for one in part if not one.subnet_of(gone)]
    return tuple(left)


@dataclass(frozen=True, slots=True)
class _Sets:
    """The sets and maps of one family, by table and name."""

    elements: Mapping[tuple[str, str], list[Any]]

    def texts(self, value: Any, table: str) -> list[str]:
        """What stands at the right of a match; "?" for what is not known."""
        return list(self._texts(value, table))

    def _texts(self, value: Any, table: str) -> Iterator[str]:
        if isinstance(value, list):
            for one in value:
                yield from self._texts(one, table)
        elif isinstance(value, Mapping):
            if "set" in value:
                yield from self._texts(value["set"], table)
            elif "elem" in value:
                yield from self._texts(value["elem"].get("val"), table)
            elif "prefix" in value:
                yield f"{value['prefix']['addr']}/{value['prefix']['len']}"
            elif "range" in value:
                yield "-".join(map(str, value["range"]))
            else:
                yield "?"
        elif isinstance(value, str) and value.startswith("@"):
            yield from self._texts(self.elements.get((table, value[1:]), "?"), table)
        else:
            yield str(value)

    def pairs(self, data: Any, table: str) -> list[Any]:
        """Keys of a map of verdicts, each with its verdict."""
        if isinstance(data, str):
            return self.elements.get((table, data.removeprefix("@")), [])
        return list(data.get("set", ())) if isinstance(data, Mapping) else []


def parse_nft(text: str) -> list[Chain]:
    """The base chains of families arp, bridge and netdev in `listed_rules`, as packets come to
    them; those of arptables are left out, which it cannot show."""
    entries = ruleset(text)
    around = [one for family in ("netdev", "bridge") for one in _nft_chains(entries, family)]
    before = [one for one in around if one.hook == INPUT]
    behind = [one for one in reversed(around) if one.hook == OUTPUT]
    return [*before, *_nft_chains(entries, "arp"), *behind]


def _nft_chains(entries: Sequence[Mapping[str, Any]], family: str) -> list[Chain]:
    listed = [entry for entry in entries if _family(entry) == family]
    kinds = ("set", "map")
    found = (one for entry in listed for kind in kinds if (one := entry.get(kind)) is not None)
    sets = _Sets({(one["table"], one["name"]): one.get("elem", []) for one in found})
    rules: dict[str, dict[str, tuple[Rule, ...]]] = {}
    for entry in listed:
        if (value := entry.get("rule")) is not None:
            of = rules.setdefault(value["table"], {})
            of[value["chain"]] = (*of.get(value["chain"], ()), *_nft_rules(value, sets))
    bases = [
        one
        for entry in listed
        if (one := entry.get("chain")) is not None
        and one.get("hook") in _HOOKS[family]
        and not _is_by_arptables(one)
    ]
    made = []
    for base in sorted(bases, key=lambda one: int(one.get("prio", 0))):
        of = rules.get(base["table"], {})
        name, policy = f"nft {family} {base['table']}", base.get("policy", ACCEPT)
        made.append(
            Chain(
                name,
                _HOOKS[family][base["hook"]],
                of.get(base["name"], ()),
                policy,
                of,
                tuple(base.get("dev", ())),
                family == "bridge",
            )
        )
    return made + (_unreached(made, rules) if family == "arp" else [])


def _unreached(
    made: Sequence[Chain], rules: Mapping[str, Mapping[str, tuple[Rule, ...]]]
) -> list[Chain]:
    """Chains that look like what is wanted, and that nothing leads to."""
    reached = {rule.text for chain in made for rule in chain.reached()}
    return [
        Chain(f"nft arp {table}", "", listed)
        for table, chains in rules.items()
        for listed in chains.values()
        if table != _FILTER_OF_ARPTABLES and not any(rule.text in reached for rule in listed)
    ]


def _family(entry: Mapping[str, Any]) -> str:
    return next((str(body.get("family")) for body in entry.values()), "")


def _nft_rules(value: Mapping[str, Any], sets: _Sets) -> Iterator[Rule]:
    """The rule; several when it leads by a map of verdicts."""
    rule = Rule("")
    shown: list[str] = []
    family = value["family"]
    start = f"{'' if family == 'arp' else f'{family} '}{value['table']} {value['chain']}: "
    for expression in value.get("expr", []):
        (name, body), *_ = expression.items()
        if name == "vmap":
            key = _field({"left": body.get("key")})
            for right, verdict in sets.pairs(body.get("data"), value["table"]):
                texts = sets.texts(right, value["table"])
                (deed, to), *_ = verdict.items()
                one = _ended(_matched(rule, key, (family, *texts), is_not=False), deed, to)
                words = (*shown, f"{key} vmap {', '.join(texts)} {deed}")
                yield replace(one, text=start + " ".join(words))
        elif name == "match":
            what, right = _field(body), sets.texts(body.get("right"), value["table"])
            op = body.get("op")
            if op in {"==", "in", "!="}:
                rule = _matched(rule, what, (family, *right), is_not=op == "!=")
            else:
                rule = replace(rule, is_narrow=True)
            shown.append(f"{what} {'!= ' if op == '!=' else ''}{', '.join(right)}")
        elif name == "mangle" and _field({"left": body.get("key")}) == "arp saddr ip":
            rule = replace(rule, mangled=str(body.get("value")))
            shown.append(f"arp saddr ip set {rule.mangled}")
        elif name not in _ASIDE:
            # a rate, or an extension of ebtables, of which nothing is known
            rule = _ended(rule, name, body) if name in _DEEDS else replace(rule, is_narrow=True)
            shown.append(name if rule.chain == "" else f"{name} {rule.chain}")
    if rule.verdict != CONTINUE or rule.mangled:
        yield replace(rule, text=start + " ".join(shown))


def _matched(rule: Rule, what: str, said: tuple[str, ...], *, is_not: bool) -> Rule:
    """The rule with one more demand; `said` are the family and what stands at the right."""
    family, *right = said
    if what in _ALWAYS_SO and not is_not:
        return rule
    if what in _PROTOCOL and ("arp" in right) is not is_not:
        return rule  # what looks at IP (`ip daddr`) never sees ARP, and is narrow
    if what == "arp operation":
        return _by_operation(rule, right, is_not=is_not)
    if what in {"arp saddr ip", "arp daddr ip"}:
        end = "sources" if what == "arp saddr ip" else "targets"
        return _by_address(rule, end, right, is_not=is_not)
    if what in (_BY_BRIDGE if family == "bridge" else _BY_CARD) and right and "?" not in right:
        return _by_card(rule, tuple(right), is_not=is_not)
    return replace(rule, is_narrow=True)


def _ended(rule: Rule, deed: str, body: Any) -> Rule:
    if deed in {JUMP, GOTO} and isinstance(body, Mapping):
        return replace(rule, verdict=deed, chain=str(body.get("target")))
    return replace(rule, verdict=deed if deed in {DROP, ACCEPT, CONTINUE, RETURN} else OTHER)


def _field(body: Mapping[str, Any]) -> str:
    left = body.get("left")
    if not isinstance(left, Mapping):
        return ""
    payload, meta = left.get("payload"), left.get("meta")
    if isinstance(payload, Mapping):
        return f"{payload.get('protocol')} {payload.get('field')}"
    return str(meta["key"]) if isinstance(meta, Mapping) else ""
