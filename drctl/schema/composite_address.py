"""Addresses as keepalived reads them, and the lines that begin with one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from drctl.schema.complaint import Complaint, advice, error, missing_after
from drctl.schema.composite_number import c_prefix, unsigned
from drctl.units import ip_address

_CUT = re.compile(r"[^-]*(?=-)|[^/]*(?=/)")
LONGEST_NAME = 15
"""Bytes in the name of a network device."""
SCOPES = {"global", "nowhere", "host", "link", "site"}
_WITH_VALUE = {"dev", "scope", "broadcast", "brd", "label", "peer", "preferred_lft"}
_FLAGS = {"home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin", "no_track"}


@lru_cache(4096)
def family(text: str) -> int | None:
    """4 or 6 for an address as `inet_pton` takes it, else None."""
    address = ip_address(text)
    return None if address is None else 6 if ":" in address else 4


def cut_address(word: str) -> str:
    """The address without the range or prefix that is cut off without a message."""
    found = _CUT.match(word)
    return found[0] if found else word


def is_multicast(address: str) -> bool:
    """Whether an address is one of a group: 224.0.0.0/4 or ff00::/8."""
    if ":" in address:
        return address[:2].lower() == "ff" and address[4:5] == ":"
    return 224 <= int(address.partition(".")[0]) < 240


def is_link_local_group(address: str) -> bool:
    """Whether an IPv6 address is in ffx2::/16."""
    return is_multicast(address) and address[3] == "2"


def prefixed(word: str) -> tuple[int | None, int, str | None]:
    """Family and prefix length of `ADDRESS[/PREFIX]`, and what is wrong with its prefix."""
    address, slash, prefix = word.partition("/")
    found = family(address)
    longest = 128 if ":" in word else 32
    if not slash:
        return found, longest, None
    length, wrong = unsigned(prefix, 0, longest)
    return found, longest if length is None else int(length), wrong


def vip(words: Sequence[str], *, is_static: bool = False) -> list[Complaint]:
    """A virtual or static address with its options."""
    found, length, wrong = prefixed(words[0])
    if found is None:
        return [error(0, f"{words[0]} is no address")]
    complaints = [error(0, f"prefix length of {words[0]}: {wrong}")] if wrong else []
    values: dict[str, str] = {}
    position = 1
    while position < len(words):
        option = words[position]
        takes_value = option in _WITH_VALUE or (is_static and option == "track_group")
        if takes_value:
            if position + 1 == len(words):
                return [*complaints, missing_after(position, option)]
            value = words[position + 1]
            complaint = _option_problem(option, value, position + 1, found, values)
            complaints += [complaint] if complaint else []
            values.setdefault("brd" if option == "broadcast" else option, value)
            position += 1
        elif option not in _FLAGS and (is_static or option != "use_vmac"):
            is_address = family(option) is not None
            text = "a second address in one line" if is_address else "no option of an address"
            complaints.append(error(position, f"{option} is {text}"))
        position += 1
    return complaints + _combination(values, found, length)


def _option_problem(
    option: str, value: str, position: int, own: int, values: dict[str, str]
) -> Complaint | None:
    if option == "dev" and "dev" in values:
        return error(position, "a second dev: the address is dropped")
    if option == "scope" and value not in SCOPES and not 0 <= c_prefix(value) <= 255:
        return error(position, f"{value} is no scope")
    if option in {"broadcast", "brd"}:
        if own == 6:
            return error(position, "an IPv6 address has no broadcast address")
        if value not in {"+", "-"} and family(value) != 4:
            return error(position, f"{value} is no broadcast address")
    if option == "label" and len(value.encode()) > LONGEST_NAME:
        return error(position, f"label {value} is longer than {LONGEST_NAME} bytes")
    if option == "peer":
        if "peer" in values:
            return error(position, "a second peer")
        if family(value) != own:
            return error(position, f"{value} is no address of the same family")
    if option == "preferred_lft" and value != "forever":
        wrong = unsigned(value)[1]
        return error(position, wrong) if wrong else None
    return None


def _combination(values: dict[str, str], own: int, length: int) -> list[Complaint]:
    complaints = []
    longest = 32 if own == 4 else 128
    if "peer" in values and family(values["peer"]) == own:
        if length != longest:
            complaints.append(advice(0, "the prefix length is ignored beside peer"))
        if "brd" in values:
            complaints.append(advice(0, "the broadcast address is ignored beside peer"))
        length = longest
    if own == 4 and values.get("brd") in {"+", "-"} and "peer" not in values and length > 30:
        complaints.append(error(0, f"no broadcast address with a prefix length of {length}"))
    if own == 6:
        ignored = [
            name for name in ("scope", "label") if values.get(name, "0") not in {"global", "0"}
        ]
        complaints += [advice(0, f"{option} is ignored for IPv6") for option in ignored]
    return complaints


def peer(words: Sequence[str]) -> list[Complaint]:
    """A unicast peer with the limits for its packets' time to live."""
    if family(cut_address(words[0])) is None:
        return [error(0, f"{words[0]} is no address")]
    complaints = []
    limits = {"min_ttl": 0, "max_ttl": 255}
    for position in range(1, len(words), 2):
        option = words[position]
        if position + 1 == len(words):
            complaints.append(missing_after(position, option))
            break
        value, wrong = unsigned(words[position + 1], 0, 255)
        if value is None:
            complaints.append(error(position + 1, str(wrong)))
        elif option not in limits:
            complaints.append(error(position, f"{option} is no option of a peer"))
            break
        else:
            limits[option] = int(value)
    if limits["min_ttl"] > limits["max_ttl"]:
        complaints.append(advice(0, "no packet has a time to live within these limits"))
    return complaints
