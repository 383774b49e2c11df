"""Numbers as keepalived's readers take them while it tests a configuration.

All functions give the number (or None) and what is wrong with the word (or None).
"""

from __future__ import annotations

import re

_WHOLE = re.compile(r"[ \t\n\v\f\r]*([+-]?)([0-9]*)")
_NUMERIC_BASE = re.compile(r"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))")
_LARGEST_UNSIGNED = 2**32 - 1
_LARGEST_INTEGER = 2**31 - 1
_LONGEST = 25
"""Digits that are more than 64 bits in any case; Python refuses to convert thousands of them."""

Number = tuple[int | float | None, str | None]


def unsigned(word: str, low: float | None = None, high: float | None = None) -> Number:
    """A whole number of 32 bits, decimal; an empty word is 0."""
    found = _WHOLE.match(word)
    assert found is not None
    if found[1] == "-":
        return None, f"negative number {word}"
    if found.end() != len(word) or (found[1] and not found[2]):
        return None, f"{word} is not a whole number"
    return _in_range(word, _value(found[2]), low or 0, _LARGEST_UNSIGNED if high is None else high)


def integer(word: str, low: float | None = None, high: float | None = None) -> Number:
    """A whole number of 32 bits with a sign, decimal; an empty word is 0."""
    found = _WHOLE.match(word)
    assert found is not None
    if found.end() != len(word) or (found[1] and not found[2]):
        return None, f"{word} is not a whole number"
    value = _value(found[2]) * (-1 if found[1] == "-" else 1)
    lowest = -_LARGEST_INTEGER - 1 if low is None else low
    return _in_range(word, value, lowest, _LARGEST_INTEGER if high is None else high)


def decimal(word: str, places: int, low: float | None = None, high: float | None = None) -> Number:
    """A number with up to `places` decimals; `5.`, `.5` and an empty word are numbers too."""
    if word.startswith("-"):
        return None, f"negative number {word}"
    before, _, behind = word.partition(".")
    if len(behind) > places:
        return None, f"{word} has more than {places} decimals"
    found = _WHOLE.fullmatch(f"{before}{behind}{'0' * (places - len(behind))}")
    if found is None or found[1] == "-":
        return None, f"{word} is not a number"
    scaled, scale = _value(found[2]), 10**places
    lowest, highest = round((low or 0) * scale), None if high is None else round(high * scale)
    if scaled < lowest or (highest is not None and scaled > highest) or scaled >= 2**64 - 1:
        return None, _out_of_range(word, low or 0, high)
    return scaled / scale, None


def any_base(word: str) -> Number:
    """A whole number of 32 bits, hexadecimal behind `0x`, octal behind `0`."""
    found = _NUMERIC_BASE.fullmatch(word)
    if not found:
        return (0, None) if not word else (None, f"{word} is not a whole number")
    sign, base16, base8, base10 = found.groups()
    if sign == "-":
        return None, f"negative number {word}"
    value = int(base16, 16) if base16 else int(base8, 8) if base8 else _value(base10)
    return _in_range(word, value, 0, _LARGEST_UNSIGNED)


def c_prefix(word: str) -> int:
    """What `strtoul(word, NULL, 0) & 0xffffffff` makes of a word that is a number as a whole."""
    found = _NUMERIC_BASE.fullmatch(word)
    if not found:
        return -1
    sign, base16, base8, base10 = found.groups()
    value = int(base16, 16) if base16 else int(base8, 8) if base8 else _value(base10)
    value = min(value, 2**64 - 1)
    return (-value if sign == "-" else value) & _LARGEST_UNSIGNED


def _value(digits: str) -> int:
    return int(digits or "0") if len(digits) < _LONGEST else int(digits.lstrip("0")[:_LONGEST] or 0)


def _in_range(word: str, value: int, low: float, high: float) -> Number:
    if low <= value <= high:
        return value, None
    return None, _out_of_range(word, low, high)


def _out_of_range(word: str, low: float, high: float | None) -> str:
    return f"{word} is outside {low:.15g}..{'' if high is None else f'{high:.15g}'}"
