"""Numbers and addresses as the C library reads them, and as people mean them.

Piranha reads its numbers with `strtol(…, 0)` and its addresses with `inet_aton`, so `010` is 8 and
`10.9` is an address. keepalived and we write decimal and four dotted numbers.
"""

from __future__ import annotations

import re

_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)")
_DOTTED = re.compile(
    r"(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})"
)
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")


def strtol(text: str) -> int | None:
    """Value of the whole of `text` as `strtol` with base 0 reads it; None when anything is left
    over. The empty text is 0, as it is for a caller that only looks at the end pointer."""
    if text == "":
        return 0
    found = _INTEGER.fullmatch(text)
    if found is None:
        return None
    digits = found[2]
    try:
        if digits[:2] in {"0x", "0X"}:
            value = int(digits, 16)
        elif digits[0] == "0":
            value = int(digits, 8)
        else:
            value = int(digits)
    except ValueError:
        return None
    return -value if found[1] == "-" else value


def inet_aton(text: str) -> str | None:
    """Dotted form of an IPv4 address in any shape that `inet_aton(3)` takes (one to four parts,
    decimal, octal or hexadecimal); None for anything else."""
    parts = text.split(".")
    if not 1 <= len(parts) <= 4 or not all(part[:1].isdigit() for part in parts):
        return None
    numbers = [strtol(part) for part in parts]
    value = 0
    for index, number in enumerate(numbers):
        is_last = index == len(numbers) - 1
        bits = 8 * (4 - index) if is_last else 8
        if number is None or not 0 <= number < 1 << bits:
            return None
        value |= number << (0 if is_last else 24 - 8 * index)
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def ip_address(text: str) -> str | None:
    """Canonical form of an IPv4 or IPv6 address as `inet_pton(3)` takes it; None for anything else.

    IPv4 in four decimal parts without leading zeros, IPv6 without a zone; IPv6 comes out in the
    short form of RFC 5952.
    """
    if ":" not in text:
        found = _DOTTED.fullmatch(text)
        return text if found and all(int(part) < 256 for part in found.groups()) else None
    if not _IPV6.fullmatch(text):
        return None
    from ipaddress import AddressValueError, IPv6Address

    try:
        return str(IPv6Address(text))
    except AddressValueError:
        return None


def ipv4_netmask(text: str) -> str | None:
    """`text` when it is a dotted IPv4 mask (its ones need not be contiguous), else None."""
    return text if ":" not in text and ip_address(text) == text else None


def mask_bits(mask: str) -> int | None:
    """Prefix length of an IPv4 netmask in dotted form; None when its ones are not contiguous."""
    dotted = inet_aton(mask)
    if dotted is None:
        return None
    value = address_number(dotted)
    bits = value.bit_count()
    return bits if value == (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF else None


def address_number(dotted: str) -> int:
    """An IPv4 address in canonical dotted form as a number, most significant part first."""
    value = 0
    for part in dotted.split("."):
        value = value << 8 | int(part)
    return value


def in_same_network(one: str, other: str, prefix: int) -> bool:
    """Whether two IPv4 addresses share their first `prefix` bits."""
    shift = 32 - prefix
    return address_number(one) >> shift == address_number(other) >> shift


def is_host_name(text: str) -> bool:
    """Whether `text` could be a host name (letters, digits, `-`, `_`, dots) and not an address."""
    return _HOST_NAME.fullmatch(text) is not None and not text.replace(".", "").isdigit()
