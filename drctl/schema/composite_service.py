"""Composite words of virtual and real servers and of connection synchronisation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from drctl.schema.complaint import Complaint, advice, error, missing_after
from drctl.schema.composite_address import cut_address, family, is_link_local_group, is_multicast
from drctl.schema.composite_number import unsigned
from drctl.units import address_number, inet_aton

_METHODS = ("NAT", "DR", "TUN")
_TUNNELS = ("ipip", "gue", "gre")
_CHECKSUMS = ("nocsum", "csum", "remcsum")
_SYNC_LIMITS = {"id": (0, 255), "maxlen": (1, 65507), "port": (1, 65535), "ttl": (1, 255)}
_LONGEST_TIMEOUT_S = 2678400
_LEADING_NUMBER = re.compile(r"[0-9]*")


def forwarding(words: Sequence[str]) -> list[Complaint]:
    """Forwarding method, and the tunnel's options; these are read behind NAT and DR too."""
    if words[0] not in _METHODS:
        return [error(0, f"{words[0]} is not {', '.join(_METHODS)}")]
    tunnel, port, checksum = "ipip", 0.0, "nocsum"
    position = 1
    while position < len(words):
        option = words[position]
        if option in {"type", "port"}:
            if position + 1 == len(words):
                return [missing_after(position, option)]
            value = words[position + 1]
            if option == "type":
                if value not in _TUNNELS:
                    return [error(position + 1, f"{value} is not {', '.join(_TUNNELS)}")]
                tunnel = value
            else:
                number, wrong = unsigned(value, 1, 65535)
                if number is None:
                    return [error(position + 1, f"port {wrong}")]
                port = number
            position += 1
        elif option in _CHECKSUMS:
            checksum = option
        else:
            return [error(position, f"{option} is no option of a tunnel")]
        position += 1
    if (tunnel == "gue") != (port != 0):
        return [error(0, "a gue tunnel needs a port, anything else may have none")]
    if tunnel == "ipip" and checksum != "nocsum":
        return [error(0, "an ipip tunnel has no checksum")]
    if tunnel == "gre" and checksum == "remcsum":
        return [error(0, "a gre tunnel has no remote checksum")]
    return []


def port_or_all(word: str) -> str | None:
    """What is wrong with a port where only zeros stand for all of them."""
    return None if not word.strip("0") else unsigned(word, 1, 65535)[1]


def service(words: Sequence[str]) -> list[Complaint]:
    """`ADDRESS [PORT]`, `fwmark MARK` or `group NAME`."""
    if words[0] in {"group", "fwmark"} and len(words) == 1:
        return [missing_after(0, words[0])]
    if words[0] == "group":
        return []
    if words[0] == "fwmark":
        wrong = unsigned(words[1])[1]
        return [error(1, f"firewall mark {wrong}")] if wrong else []
    if family(cut_address(words[0])) is None:
        return [error(0, f"{words[0]} is no address")]
    wrong = port_or_all(words[1]) if len(words) > 1 else None
    return [error(1, f"port {wrong}")] if wrong else []


def service_range(words: Sequence[str]) -> list[Complaint]:
    """A line of a virtual_server_group."""
    if words[0] == "fwmark":
        if len(words) == 1:
            return [missing_after(0, "fwmark")]
        wrong = unsigned(words[1])[1]
        if wrong is None and len(words) > 2 and words[2] not in {"inet", "inet6"}:
            return [error(2, f"{words[2]} is not inet or inet6")]
        return [error(1, f"firewall mark {wrong}")] if wrong else []
    if family(cut_address(words[0])) is None:
        return [error(0, f"{words[0]} is no address")]
    return service(words) or _range_problem(words[0])


def _range_problem(word: str) -> list[Complaint]:
    start = cut_address(word)
    own = family(start)
    assert own is not None
    if "/" in word:
        prefix = word[word.index("/") + 1 :]
        longest = 32 if own == 4 else 128
        found = _LEADING_NUMBER.fullmatch(prefix)
        if not found or not prefix or not 0 < int(prefix[:9] or 0) <= longest:
            return [error(0, f"{prefix or 'nothing'} is no prefix length")]
        if _number(start, own) % (1 << (longest - int(prefix))):
            return [error(0, f"{start} is not the first address of its network")]
        return []
    _, dash, end = word.partition("-")
    if not dash:
        return []
    if (":" if own == 6 else ".") in end:
        if family(cut_address(end)) != own:
            return [error(0, f"{end} is no address of the same family")]
        is_less = _number(cut_address(end), own) < _number(start, own)
        return [error(0, "the range ends before it starts")] if is_less else []
    base, limit = (10, 255) if own == 4 else (16, 0xFFFF)
    try:
        last = int(end or "0", base)
    except ValueError:
        return [error(0, f"{end} is not the last part of an address")]
    if not 0 <= last <= limit:
        return [error(0, f"{end} is too large for the last part of an address")]
    is_less = last <= _number(start, own) & limit
    return [error(0, "the range ends before it starts")] if is_less else []


def _number(address: str, own: int) -> int:
    if own == 4:
        return address_number(address)
    from ipaddress import IPv6Address

    return int(IPv6Address(address))


def granularity(words: Sequence[str]) -> list[Complaint]:
    """A netmask for IPv4 in any of `inet_aton`'s forms, or a prefix length for IPv6.

    Which of the two it must be depends on the service's family; either is right here.
    """
    is_length = unsigned(words[0], 1, 128)[1] is None
    if is_length or inet_aton(words[0]) is not None:
        return []
    return [error(0, f"{words[0]} is neither a netmask nor a prefix length")]


def sync_daemon(words: Sequence[str]) -> list[Complaint]:
    """Device of the synchronisation daemon, the instance it follows, and its options."""
    complaints: list[Complaint] = []
    has_instance = False
    position = 1
    while position < len(words):
        option = words[position]
        is_last = position + 1 == len(words)
        if option == "inst":
            if is_last:
                return [*complaints, missing_after(position, option)]
            if has_instance:
                complaints.append(error(position, "a second instance"))
            has_instance = True
            position += 1
        elif option in _SYNC_LIMITS or option == "group":
            if is_last:
                complaints.append(missing_after(position, option))
            else:
                wrong = _sync_problem(option, words[position + 1])
                complaints += [error(position + 1, wrong)] if wrong else []
                position += 1
        elif position == 2 - 1 and option:
            has_instance = True
        elif position == 2:
            wrong = unsigned(option, 0, 255)[1]
            told = (
                error(position, wrong) if wrong else advice(position, "id should stand before it")
            )
            complaints.append(told)
        else:
            complaints.append(error(position, f"{option} is no option here"))
        position += 1
    return complaints


def _sync_problem(option: str, value: str) -> str | None:
    if option != "group":
        wrong = unsigned(value, *_SYNC_LIMITS[option])[1]
        return f"{option} {wrong}" if wrong else None
    address = cut_address(value)
    if family(address) is None or not is_multicast(address):
        return f"{value} is no multicast address"
    return None


def lvs_timeouts(words: Sequence[str]) -> list[Complaint]:
    """Pairs of tcp, tcpfin or udp and seconds."""
    if len(words) < 2:
        return [error(0, "a protocol and its timeout are needed")]
    complaints = []
    position = 0
    while position < len(words):
        option = words[position]
        if option not in {"tcp", "tcpfin", "udp"}:
            complaints.append(error(position, f"{option} is not tcp, tcpfin or udp"))
        elif position + 1 == len(words):
            complaints.append(missing_after(position, option))
        else:
            wrong = unsigned(words[position + 1], 0, _LONGEST_TIMEOUT_S)[1]
            complaints += [error(position + 1, wrong)] if wrong else []
            position += 1
        position += 1
    return complaints


def group_of(words: Sequence[str], own: int | None) -> list[Complaint]:
    """A multicast group of IPv4 (4), IPv6 (6) or either (None, then link-local for IPv6)."""
    address = cut_address(words[0])
    found = family(address)
    if found is None or (own is not None and found != own):
        return [error(0, f"{words[0]} is no {f'IPv{own} ' if own else ''}address")]
    if not is_multicast(address):
        return [error(0, f"{words[0]} is no multicast address")]
    if found == 6 and not is_link_local_group(address):
        return [Complaint(0, f"{words[0]} is not link-local", is_advice=own == 6)]
    return []
