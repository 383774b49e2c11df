"""Numbers, addresses and names as the C library reads them. Pure: no resolver.

Piranha reads its numbers with `strtol(…, 0)` and its addresses with `inet_aton`, so `010` is 8 and
`10.9` is an address. keepalived reads decimal numbers and what `inet_pton` takes, and so do we
write. All functions take one word without its quotes and follow glibc on a 64-bit machine.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(
    r"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))", re.ASCII
)
_ADDRESS_PART = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")
_DIGITS_AND_DOTS = re.compile(r"[0-9.]*")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)*(?!\d+\.?$){_LABEL}\.?")
_LONGEST_NAME = 253
_DOTTED = re.compile(
    r"(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})"
)
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")


def c_integer(text: str) -> int | None:
    """The value of `int i = strtol(text, &end, 0)` when all of `text` is used, else None.

    Base 16 behind `0x`, base 8 behind `0`; blanks and a sign may stand before; the empty string is
    0. What does not fit is first cut to 64 bits' limits, then to its low 32 bits.
    """
    if not text:
        return 0
    found = _NUMBER.fullmatch(text)
    if not found:
        return None
    sign, base16, base8, base10 = found.groups()
    value = int(base16, 16) if base16 else int(base8, 8) if base8 else _decimal(base10)
    value = max(-value, -(2**63)) if sign == "-" else min(value, 2**63 - 1)
    return (value + 2**31) % 2**32 - 2**31


def _decimal(digits: str) -> int:
    """Python refuses to convert more than 4300 digits; 20 are beyond 64 bits already."""
    return int(digits) if len(digits) < 20 else 2**64


def ipv4_number(text: str) -> int | None:
    """The address that `inet_aton` reads, as a 32-bit number in host order, else None.

    One to four parts, the last one fills the rest (`10.9` is 10.0.0.9); each part decimal, octal
    (`010` is 8) or hexadecimal. Anything may follow behind a blank.
    """
    if plain := _DOTTED.fullmatch(text):
        first, second, third, fourth = plain.groups()
        value = int(first) << 24 | int(second) << 16 | int(third) << 8 | int(fourth)
        if max(int(first), int(second), int(third), int(fourth)) <= 0xFF:
            return value
    parts: list[int] = []
    position = 0
    while True:
        found = _ADDRESS_PART.match(text, position)
        if not found or len(parts) == 4:
            return None
        digits, position = found[0], found.end()
        base = 16 if digits[:2] in {"0x", "0X"} else 8 if digits[0] == "0" else 10
        parts.append(int(digits, base) if base != 10 else _decimal(digits))
        if text[position : position + 1] != ".":
            break
        position += 1
    *leading, last = parts
    if position < len(text) and text[position] not in " \t\n\v\f\r":
        return None
    if any(part > 0xFF for part in leading) or last >> 8 * (4 - len(leading)):
        return None
    return sum(part << 8 * (3 - index) for index, part in enumerate(leading)) | last


def is_host_name(text: str) -> bool:
    """Whether `text` has the form of a host name (RFC 1123, with underscores).

    Labels of 1 to 63 letters, digits, hyphens and underscores, 253 characters at most; a name of
    digits and dots, or with a last label of digits only, is none: no resolver finds it.
    """
    return (
        len(text.removesuffix(".")) <= _LONGEST_NAME
        and _HOST_NAME.fullmatch(text) is not None
        and _DIGITS_AND_DOTS.fullmatch(text) is None
    )


def inet_aton(text: str) -> str | None:
    """Dotted form of an IPv4 address as `ipv4_number` reads it; None for anything else."""
    value = ipv4_number(text)
    return None if value is None else dotted(value)


def dotted(value: int) -> str:
    """Canonical text of a 32-bit number in host order."""
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
    value = ipv4_number(mask)
    if value is None:
        return None
    bits = value.bit_count()
    return bits if value == (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF else None


def address_number(address: str) -> int:
    """An IPv4 address in canonical dotted form as a number, most significant part first."""
    value = 0
    for part in address.split("."):
        value = value << 8 | int(part)
    return value


def in_same_network(one: str, other: str, prefix: int) -> bool:
    """Whether two IPv4 addresses share their first `prefix` bits."""
    shift = 32 - prefix
    return address_number(one) >> shift == address_number(other) >> shift
