"""Addresses that a host's network files bring up at boot, whatever system reads them.

Known are ifupdown, network-scripts, systemd-networkd, NetworkManager, netplan, and the commands of
programs and units (`ip address add`, `ifconfig`). Only files are looked at.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from drctl.adapters.boot_units import read_text

_IP_ADD = re.compile(
    r"\bip\b[^#;&|\n]*?\ba(?:d|dd|ddr|ddre|ddres|ddress)?\s+(?:add|replace|a)\s+(?P<rest>[^#;&|\n]+)"
)
_IFCONFIG = re.compile(
    r"\bifconfig\s+(?P<device>\S+)\s+(?:inet\s+)?(?:add\s+)?(?P<address>[0-9a-fA-F.:]+(?:/\d+)?)"
    r"(?:[^#;&|\n]*?\bnetmask\s+(?P<mask>\S+))?"
)
_KEY = re.compile(
    r"(?P<indent>\s*)(?:-\s+)?[\"']?(?P<key>[^\s\"':]+(?::\d+)?)[\"']?:(?P<rest>\s.*|)$"
)
_IN_NETPLAN = re.compile(r"[\"'\[\s,](?P<address>[0-9a-fA-F.:]+/\d{1,3})(?=[\"'\],:\s]|$)")


@dataclass(frozen=True, slots=True)
class BootAddress:
    """`prefix` -1: the file does not say. `interface` is without the number of an alias. `line`
    counts from 1."""

    address: str
    prefix: int
    interface: str
    path: str
    line: int = 0


def boot_addresses(root: Path, without: Collection[str]) -> tuple[BootAddress, ...]:
    """All of them below `root`, but for files in `without` (absolute below it)."""
    found: list[BootAddress] = []
    for patterns, read in _READERS:
        for pattern in patterns:
            for file in sorted(root.glob(pattern)):
                path = f"/{file.relative_to(root)}"
                if path in without or not file.is_file() or file.name.endswith((".bak", "~")):
                    continue
                found += [replace(one, path=path) for one in read(file.name, read_text(file))]
    return tuple(found)


def _made(text: str, interface: str, line: int, mask: str = "") -> Iterator[BootAddress]:
    address, _, prefix = text.strip("\"'").partition("/")
    try:
        canonical = str(ipaddress.ip_address(address))
        if prefix or mask:
            length = (
                ipaddress.ip_network(f"0.0.0.0/{prefix or mask}").prefixlen
                if (":" not in address)
                else int(prefix or mask)
            )
        else:
            length = -1
    except ValueError:
        return
    yield BootAddress(canonical, length, interface.partition(":")[0], "", line)


def _interfaces(_name: str, text: str) -> Iterator[BootAddress]:
    device, last = "", -1
    pending: list[BootAddress] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words[:1] == ["iface"] and len(words) > 1:
            yield from pending
            device, pending, last = words[1], [], -1
        elif words[:1] == ["address"] and len(words) > 1:
            pending += _made(words[1], device, number)
            last = len(pending) - 1
        elif words[:1] == ["netmask"] and len(words) > 1 and last >= 0:
            old = pending[last]
            for masked in _made(old.address, device, old.line, words[1]):
                pending[last] = masked
        elif words and words[0] in {"up", "post-up", "pre-up"}:
            pending += [replace(one, line=number) for one in _commands("", line)]
    yield from pending


def _ifcfg(name: str, text: str) -> Iterator[BootAddress]:
    pairs: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        key, is_pair, value = line.strip().partition("=")
        if is_pair and not key.startswith("#"):
            pairs[key] = value.strip("\"' "), number
    if pairs.get("ONBOOT", ("", 0))[0].lower() == "no" and ":" not in name:
        return
    device = pairs.get("DEVICE", (name.removeprefix("ifcfg-"), 0))[0]
    for key, (value, number) in pairs.items():
        if re.fullmatch(r"IPADDR\d*", key):
            end = key.removeprefix("IPADDR")
            mask = pairs.get(f"PREFIX{end}") or pairs.get(f"NETMASK{end}") or ("", 0)
            yield from _made(value, device, number, mask[0])
        elif key in {"IPV6ADDR", "IPV6ADDR_SECONDARIES"}:
            for one in value.split():
                yield from _made(one, device, number)


def _ini(match: str, addresses: str) -> Callable[[str, str], Iterator[BootAddress]]:
    """Files of sections: `match` names the device, `addresses` begin the lines of addresses."""

    def read(_name: str, text: str) -> Iterator[BootAddress]:
        device = ""
        found: list[tuple[str, int]] = []
        for number, line in enumerate(text.splitlines(), 1):
            key, is_pair, value = line.strip().partition("=")
            key = key.strip()
            if not is_pair or key.startswith(("#", ";")):
                continue
            if key == match:
                device = device or value.strip()
            elif re.fullmatch(addresses, key):
                found.append((re.split(r"[,\s]", value.strip())[0], number))
        for value, number in found:
            yield from _made(value, device, number)

    return read


def _netplan(_name: str, text: str) -> Iterator[BootAddress]:
    keys: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.partition("#")[0].rstrip()
        found = _KEY.match(bare)
        if found is not None and not re.search(r"\d/\d", found["key"]):
            indent = len(found["indent"])
            keys = [*(one for one in keys if one[0] < indent), (indent, found["key"])]
        names = [key for _, key in keys]
        if "addresses" not in names or "nameservers" in names:
            continue
        device = names[names.index("addresses") - 1]
        for address in _IN_NETPLAN.finditer(f" {bare}"):
            yield from _made(address["address"], device, number)


def _commands(_name: str, text: str) -> Iterator[BootAddress]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        for added in _IP_ADD.finditer(line):
            words = added["rest"].split()
            device = words[words.index("dev") + 1] if "dev" in words[:-1] else ""
            for word in words[:3]:
                yield from _made(word, device, number)
        for set_up in _IFCONFIG.finditer(line):
            yield from _made(set_up["address"], set_up["device"], number, set_up["mask"] or "")


_READERS: tuple[tuple[tuple[str, ...], Callable[[str, str], Iterator[BootAddress]]], ...] = (
    (("etc/network/interfaces", "etc/network/interfaces.d/*"), _interfaces),
    (("etc/sysconfig/network-scripts/ifcfg-*",), _ifcfg),
    (("etc/systemd/network/*.network",), _ini("Name", "Address")),
    (
        ("etc/NetworkManager/system-connections/*.nmconnection",),
        _ini("interface-name", r"address\d+"),
    ),
    (("etc/netplan/*.yaml",), _netplan),
    (
        (
            *("etc/rc.local", "etc/rc.d/rc.local", "etc/systemd/system/*.service"),
            *("etc/network/if-up.d/*", "etc/network/if-pre-up.d/*", "sbin/ifup-local"),
            "etc/NetworkManager/dispatcher.d/*",
        ),
        _commands,
    ),
)
