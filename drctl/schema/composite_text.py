"""Composite words of globals, checks and devices."""

from __future__ import annotations

import re
from collections.abc import Sequence

from drctl.schema.complaint import Complaint, advice, error
from drctl.schema.composite_address import LONGEST_NAME, family, prefixed
from drctl.schema.composite_number import integer, unsigned

_STATUS = re.compile(r"\+?([0-9]{1,9})(?:-\+?([0-9]{1,9}))?")
_LOWEST_STATUS, _HIGHEST_STATUS = 100, 599
_UMASK_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")
_UMASK_BITS = re.compile(r"(?:I[RWX](?:USR|GRP|OTH))(?:\|I[RWX](?:USR|GRP|OTH))*")
_DIGEST = re.compile(r"[0-9a-fA-F]{32}")
_INCLUDE_CHECKS = {"read", "match", "wildcard_match", "brace_match"}
_SENSIBLE_START = 254
_MAC = re.compile(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){4}(?::|:[0-9a-fA-F]{1,2}.*)?")
_IPVLAN_KINDS = {"bridge", "private", "vepa"}


def status_codes(words: Sequence[str]) -> list[Complaint]:
    """Status codes and ranges of them."""
    complaints = []
    for position, word in enumerate(words):
        found = _STATUS.fullmatch(word)
        low = int(found[1]) if found else 0
        high = int(found[2] or found[1]) if found else 0
        if not _LOWEST_STATUS <= low <= high <= _HIGHEST_STATUS:
            complaints.append(error(position, f"{word} is no status code or range of them"))
    return complaints


def payload(words: Sequence[str], *, has_wildcards: bool = False) -> list[Complaint]:
    """Hexadecimal digits in pairs; a single one stands before a blank or at the end."""
    digits = "0123456789abcdefABCDEF" + ("xX" if has_wildcards else "")
    text = " ".join(words)
    wrong = next((mark for mark in text if mark not in digits + " \t"), None)
    if wrong is not None:
        return [error(0, f"{wrong} is no hexadecimal digit")]
    return [] if text.strip() or (has_wildcards and not words) else [error(0, "no digits")]


def digest(words: Sequence[str]) -> list[Complaint]:
    """An MD5 sum."""
    return [] if _DIGEST.fullmatch(words[0]) else [error(0, "32 hexadecimal digits are needed")]


def dns_name(words: Sequence[str]) -> list[Complaint]:
    """A name to ask for; a dot alone is the root."""
    name = words[0]
    is_bad = ".." in name or (name.startswith(".") and name != ".")
    return [error(0, f"{name} has an empty label")] if is_bad else []


def umask(words: Sequence[str]) -> list[Complaint]:
    """A number, or names of permissions joined by bars."""
    if words[0][:1].isdigit():
        if len(words) > 1:
            return [error(1, "a number stands alone")]
        found = _UMASK_NUMBER.fullmatch(words[0])
        base = 16 if words[0][:2] in {"0x", "0X"} else 8 if words[0][0] == "0" else 10
        is_mask = found is not None and int(words[0], base) <= 0o777
        return [] if is_mask else [error(0, f"{words[0]} is no file mode")]
    text = "".join(words)
    return [] if _UMASK_BITS.fullmatch(text) else [error(0, f"{text} are no names of permissions")]


def include_check(words: Sequence[str]) -> list[Complaint]:
    """What includes must satisfy: one word that sets it, others with + or -."""
    complaints = []
    for position, word in enumerate(words):
        name = word[1:] if word[:1] in {"+", "-"} else word
        if name == word and position > 0:
            complaints.append(error(position, f"{word} needs + or - here"))
        elif name not in _INCLUDE_CHECKS:
            complaints.append(
                error(position, f"{name} is not {', '.join(sorted(_INCLUDE_CHECKS))}")
            )
    return complaints


def init_file(words: Sequence[str]) -> list[Complaint]:
    """The number to begin with, and overwrite."""
    complaints = []
    for position, word in enumerate(words):
        text = word.lstrip()
        if text[:1].isdigit() or text[:1] == "-":
            value, wrong = integer(word)
            if value is None:
                complaints.append(error(position, str(wrong)))
            elif abs(value) > _SENSIBLE_START:
                complaints.append(advice(position, f"{word} is beyond {_SENSIBLE_START}"))
        elif text != "overwrite":
            complaints.append(error(position, f"{word} is neither a number nor overwrite"))
    return complaints


def extra_interval(words: Sequence[str], lowest: float) -> list[Complaint]:
    """all and seconds, in any order."""
    has_time = False
    for position, word in enumerate(words):
        if word == "all":
            continue
        wrong = unsigned(word, lowest, 86400)[1]
        if wrong:
            return [error(position, wrong)]
        has_time = True
    return [] if has_time else [error(0, "seconds are needed")]


def buffers(words: Sequence[str]) -> list[Complaint]:
    """Policy for receive buffers. A number anywhere is read from the first word's place."""
    kinds = []
    for position, word in enumerate(words):
        if word.upper() in {"MTU", "ADVERT"}:
            kinds.append(word.upper())
        else:
            wrong = unsigned(words[0])[1]
            if wrong:
                return [error(position, f"{word} is not MTU, ADVERT or a number of bytes")]
            kinds.append("size")
    if len(set(kinds)) > 1:
        return [error(0, "only one of MTU, ADVERT and a number counts")]
    return []


def is_device_name(name: str) -> bool:
    """Whether the kernel takes `name` for a network device."""
    return (
        0 < len(name.encode()) <= LONGEST_NAME
        and name not in {".", ".."}
        and not re.search(r"[/:\s]", name)
    )


def vmac(words: Sequence[str]) -> list[Complaint]:
    """Name and MAC address of a macvlan; only the first two words are looked at."""
    complaints = []
    has_name = has_address = False
    for position, word in enumerate(words[:2]):
        if ":" in word:
            wrong = "a second MAC address" if has_address else _mac_problem(word)
            has_address = has_address or wrong is None
        else:
            wrong = "a second name" if has_name else None
            if wrong is None and not is_device_name(word):
                wrong = f"{word} is no name for a device"
            has_name = has_name or wrong is None
        if wrong is not None:
            complaints.append(error(position, wrong))
    return complaints


def _mac_problem(word: str) -> str | None:
    if not _MAC.fullmatch(word):
        return f"{word} is no MAC address of 5 or 6 bytes"
    numbers = [int(part, 16) for part in word.split(":")[:5]]
    if numbers[0] & 1:
        return f"{word} is a multicast address"
    if numbers[:4] == [0, 0, 0x5E, 0] and numbers[4] in {1, 2}:
        return f"{word} is one of VRRP's own addresses"
    return None


def ipvlan(words: Sequence[str]) -> list[Complaint]:
    """Name, address and kind of an ipvlan, in any order."""
    complaints = []
    has_kind = has_name = False
    address: str | None = None
    for position, word in enumerate(words):
        if word in _IPVLAN_KINDS:
            wrong = "a second kind" if has_kind else None
            has_kind = True
        elif family(word.partition("/")[0]) is not None and prefixed(word)[2] is None:
            wrong = "a second address" if address is not None else None
            address = address or word
        else:
            wrong = "a second name" if has_name else None
            if wrong is None and len(word.encode()) > LONGEST_NAME:
                wrong = f"{word} is longer than {LONGEST_NAME} bytes"
            has_name = has_name or wrong is None
        if wrong is not None:
            complaints.append(error(position, wrong))
    return complaints
