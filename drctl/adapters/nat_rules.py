"""Redirections to the host itself, as iptables, ip6tables and nftables have them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drctl.adapters.rule_tool import has_legacy_table, said

_WORD = re.compile(r'"[^"]*"|\S+')


@dataclass(frozen=True, slots=True)
class Redirection:
    """Packets for `address` go to `target` ("": the card's own address). `protocol` "" is every
    one, `port` 0 every port; `to_port` 0 leaves it as it is. `path` are the owner and the chain."""

    address: str
    protocol: str
    port: int
    target: str
    path: str
    to_port: int = 0


def read_redirections() -> tuple[Redirection, ...]:
    """All that are reached from PREROUTING, or from a chain of nftables at that hook."""
    found: list[Redirection] = []
    for name in ("iptables", "ip6tables"):
        tools = [f"{name}-nft-save"]
        if has_legacy_table(f"{name[:-1].removesuffix('table')}_tables_names", "nat"):
            tools.append(f"{name}-legacy-save")
        for tool in tools:
            if (path := shutil.which(tool)) is not None:
                found += parse_iptables(said(path, "-t", "nat"), tool.removesuffix("-save"))
    if shutil.which("nft") is not None:
        found += parse_nft(said("nft", "-j", "list", "ruleset"))
    return tuple(dict.fromkeys(found))


def parse_iptables(text: str, owner: str) -> list[Redirection]:
    """The redirections of an `iptables-save` that a packet can come to."""
    rules: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        words = [word.strip('"') for word in _WORD.findall(line)]
        if words[:1] == ["-A"]:
            rules.setdefault(words[1], []).append(words[2:])
    found, waiting, seen = [], ["PREROUTING"], set()
    while waiting:
        chain = waiting.pop(0)
        if chain in seen:
            continue
        seen.add(chain)
        for words in rules.get(chain, []):
            target = _after(words, "-j")
            if target in rules:
                waiting.append(target)
            elif target in {"REDIRECT", "DNAT"}:
                found.append(_redirection(words, target, f"{owner} {chain}"))
    return found


def _redirection(words: list[str], target: str, path: str) -> Redirection:
    address = _after(words, "-d").partition("/")[0]
    port = _after(words, "--dport")
    to = to_port = ""
    if target == "DNAT":
        to, to_port = _end(_after(words, "--to-destination"))
    else:
        to_port = _after(words, "--to-ports")
    return Redirection(address, _after(words, "-p"), _number(port), to, path, _number(to_port))


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
    """Those of chains at the hook prerouting; what iptables made there it shows itself."""
    if not text.strip():
        return []
    listed = json.loads(text).get("nftables", [])
    bases = {
        (one["family"], one["table"], one["name"])
        for entry in listed
        if (one := entry.get("chain")) and one.get("hook") == "prerouting"
    }
    found = []
    for entry in listed:
        rule = entry.get("rule")
        if rule is None or (rule["family"], rule["table"], rule["chain"]) not in bases:
            continue
        made = _nft_redirection(rule)
        if made is not None:
            found.append(made)
    return found


def _nft_redirection(rule: Mapping[str, Any]) -> Redirection | None:
    address, protocol, port, target = "", "", 0, None
    to_port = 0
    for expression in rule.get("expr", []):
        (name, body), *_ = expression.items()
        if name == "match":
            left = body.get("left", {})
            payload = left.get("payload", {}) if isinstance(left, Mapping) else {}
            field, right = payload.get("field"), body.get("right")
            if field == "daddr":
                address = str(right)
            elif field == "dport" and isinstance(right, int):
                protocol, port = payload.get("protocol", ""), right
            elif isinstance(left, Mapping) and left.get("meta", {}).get("key") == "l4proto":
                protocol = str(right)
        elif name == "redirect":
            target, to_port = "", _port_of(body)
        elif name == "dnat":
            to_port = _port_of(body)
            target = str(body.get("addr", "")) if isinstance(body, Mapping) else ""
    if target is None or not address:
        return None
    path = f"nft {rule['family']} {rule['table']} {rule['chain']}"
    return Redirection(address, protocol, port, target, path, to_port)


def _port_of(body: object) -> int:
    port = body.get("port") if isinstance(body, Mapping) else None
    return port if isinstance(port, int) else 0
