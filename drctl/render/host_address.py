"""Addresses as machines are told apart by them: one canonical spelling, an order, ranges."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

MOST_RANGE_ADDRESSES = 4096
"""A virtual_server_group's range of more addresses than this is refused, not written out."""


_MANY = 1 << 16
"""More addresses than one setup has; each is asked for by both directors and several steps."""


@lru_cache(maxsize=_MANY)
def canonical(text: str) -> str | None:
    """An address as it is compared and written; None for what is no address."""
    address = parsed(text)
    return None if address is None else str(address)


@lru_cache(maxsize=_MANY)
def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address, in brackets or not; None for what is none or belongs to one link only."""
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return None
    return address


@lru_cache(maxsize=_MANY)
def order_key(text: str) -> tuple[int, int]:
    """Sorts canonical addresses by family and number."""
    address = parsed(text)
    assert address is not None, f"{text} is no canonical address"
    return address.version, int(address)


def family_of(text: str) -> int:
    """4 or 6, of a canonical address."""
    return 6 if ":" in text else 4


def address_range(first: str, last: str) -> list[str] | None:
    """Addresses of an inclusive range; `last` is an address, or what replaces the first one's last
    part (decimal for IPv4, hexadecimal for IPv6), as keepalived reads it."""
    start = parsed(first)
    if start is None:
        return None
    if "." not in last and ":" not in last:
        separator = ":" if start.version == 6 else "."
        last = f"{str(start).rpartition(separator)[0]}{separator}{last}"
    end = parsed(last)
    if end is None or end.version != start.version:
        return None
    count = int(end) - int(start) + 1
    if not 0 < count <= MOST_RANGE_ADDRESSES:
        return None
    return [str(start + offset) for offset in range(count)]
