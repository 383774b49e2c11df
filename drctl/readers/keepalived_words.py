"""Words behind a keyword of a keepalived.conf to values.

Each parser takes the words it needs from a `Words` and raises ValueError with the reason when they
are none; what it leaves there keepalived ignores too. Facts: keepalived 2.2.7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from drctl.syntax.expand_script import Version, line_words, script_words, settled
from drctl.units import inet_aton, ip_address

Parse = Callable[["Words"], Any]

MEASURED_VERSION = (2, 2, 7)
"""The version that a configuration is read as when nothing is said."""

_SIGNED = re.compile(r"[ \t]*([+-]?)([0-9]{1,20})")
_SECONDS = re.compile(r"\+?([0-9]{0,20})(?:\.([0-9]*))?")
_BOOLEANS = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


class Words:
    """The words behind a keyword, taken one by one; `raw` is their text as it stands in the file,
    for commands, which keepalived splits by other rules, those of `version`."""

    __slots__ = ("_at", "_words", "raw", "version")

    def __init__(
        self, words: Sequence[str], raw: str = "", version: Version = MEASURED_VERSION
    ) -> None:
        self._words = words
        self._at = 0
        self.raw = raw
        self.version = version

    def take(self, what: str) -> str:
        """The next word; ValueError says that `what` is missing."""
        if self._at >= len(self._words):
            raise ValueError(f"{what} is missing")
        self._at += 1
        return self._words[self._at - 1]

    def peek(self) -> str | None:
        """The next word, without taking it."""
        return self._words[self._at] if self._at < len(self._words) else None

    def rest(self) -> tuple[str, ...]:
        """All words not taken yet, which are taken by this."""
        found = tuple(self._words[self._at :])
        self._at = len(self._words)
        return found

    def leave(self, words: Sequence[str]) -> None:
        """Put `words` in the place of those not taken yet."""
        self._words = words
        self._at = 0


def text(words: Words) -> str:
    """One word, or quoted text."""
    return words.take("the value")


def maybe_text(words: Words) -> str:
    """One word, empty when there is none."""
    return text(words) if words.peek() is not None else ""


def joined(words: Words) -> str:
    """All words of the line."""
    return " ".join((words.take("the value"), *words.rest()))


def flag(words: Words) -> bool:
    """A keyword that needs no word."""
    del words
    return True


def cleared(words: Words) -> bool:
    """A keyword that switches off and needs no word."""
    del words
    return False


def boolean(words: Words) -> bool:
    """`on`, `off` and their like; the keyword alone is `on`."""
    if words.peek() is None:
        return True
    return _boolean(words.take("the value"))


def _boolean(word: str) -> bool:
    if (value := _BOOLEANS.get(word)) is None:
        raise ValueError(f"{word} is none of {', '.join(_BOOLEANS)}")
    return value


def flag_without_word(words: Words) -> bool:
    """A keyword that 2.2.7 takes as `on` whatever follows, and later versions as what follows."""
    if words.peek() is not None and not _boolean(words.take("the value")):
        raise ValueError("keepalived 2.2.7 switches it on in spite of the word behind it")
    return True


def integer(low: int, high: int) -> Parse:
    """A decimal number from `low` to `high`."""

    def parse(words: Words) -> int:
        return whole(words.take("the number"), low, high)

    return parse


def whole(word: str, low: int, high: int) -> int:
    """`word` as a decimal number from `low` to `high`; leading zeros mean nothing."""
    found = _SIGNED.fullmatch(word)
    if found is None:
        raise ValueError(f"{word} is not a whole number")
    value = -int(found[2]) if found[1] == "-" else int(found[2])
    if not low <= value <= high:
        raise ValueError(f"{value} is outside {low}..{high}")
    return value


def milliseconds(low: int, high: int) -> Parse:
    """Seconds with decimals, as milliseconds from `low` to `high`."""

    def parse(words: Words) -> int:
        word = words.take("the time")
        found = _SECONDS.fullmatch(word)
        if found is None or not (found[1] or found[2]):
            raise ValueError(f"{word} is not a number of seconds")
        fraction = found[2] or ""
        if fraction[3:].strip("0"):
            raise ValueError(f"{word} s is finer than a millisecond")
        value = int(found[1] or "0") * 1000 + int(fraction[:3].ljust(3, "0"))
        if not low <= value <= high:
            raise ValueError(f"{word} s is outside {low / 1000:g}..{high / 1000:g}")
        return value

    return parse


def scaled(places: int, low: int, high: int) -> Parse:
    """A number with up to `places` decimals, counted in its last place, from `low` to `high`."""
    scale = int(10**places)

    def parse(words: Words) -> int:
        word = words.take("the time")
        found = _SECONDS.fullmatch(word)
        if found is None or not (found[1] or found[2]):
            raise ValueError(f"{word} is not a number")
        decimals = found[2] or ""
        if len(decimals) > places:
            raise ValueError(f"{word} has more than {places} decimals")
        value: int = int(found[1] or "0") * scale + int(decimals.ljust(places, "0"))
        if not low <= value <= high:
            raise ValueError(f"{word} is outside {low / scale:g}..{high / scale:g}")
        return value

    return parse


U32 = 2**32 - 1
LONGEST_MS = U32 // 1000
"""The longest time that keepalived can hold, 4294.967 s (it counts microseconds in 32 bits)."""

delay = milliseconds(0, LONGEST_MS)
long_delay = milliseconds(0, (2**64 - 1) // 1000)
"""A time that keepalived holds in 64 bits: loops, warm-ups and delays of checks."""
seconds = integer(0, U32)
port = integer(1, 65535)


HIGHEST_PRIORITY = 254
"""Of a VRRP router that does not own the addresses."""


def garp_extra(low: int, prefix: str = "") -> Callable[[Words], dict[str, Any]]:
    """`[all] SECONDS` in any order: the fields `garp_extra_s` and `garp_extra_on_all`, `prefix`
    before their names."""

    def parse(words: Words) -> dict[str, Any]:
        given = words.rest()
        times = [word for word in given if word != "all"]
        if not times:
            raise ValueError("the time is missing")
        seconds = [whole(one, low, 86_400) for one in times][-1]
        found: dict[str, Any] = {f"{prefix}garp_extra_s": seconds}
        if "all" in given:
            found[f"{prefix}garp_extra_on_all"] = True
        return found

    return parse


def choice(*values: str) -> Parse:
    """One of some words, in exactly this case."""

    def parse(words: Words) -> str:
        word = words.take("the value")
        if word not in values:
            raise ValueError(f"{word} is none of {', '.join(values)}")
        return word

    return parse


def protocol(words: Words) -> str:
    """TCP, UDP or SCTP in any case, as lower case."""
    word = words.take("the protocol").lower()
    if word not in {"tcp", "udp", "sctp"}:
        raise ValueError(f"{word} is none of TCP, UDP, SCTP")
    return word


def address(words: Words) -> str:
    """An IPv4 or IPv6 address in canonical form."""
    return canonical(words.take("the address"))


def endpoint(words: Words) -> str:
    """An address whose prefix length or range keepalived drops without a word."""
    word = words.take("the address")
    return canonical(re.split("[-/]", word, maxsplit=1)[0])


def canonical(word: str) -> str:
    """`word` as an address in canonical form."""
    found = ip_address(word)
    if found is None:
        raise ValueError(f"{word} is not an IP address")
    return found


def mask(words: Words) -> str:
    """A netmask in any of `inet_aton`'s forms with a dot, its ones in any order; or a number, which
    is the length of an IPv6 one (see `ipv4_mask`)."""
    word = words.take("the mask")
    if word.isdigit():
        return str(int(word))
    found = inet_aton(word)
    if found is None:
        raise ValueError(f"{word} is not a netmask")
    return found


def ipv4_mask(number: str) -> str:
    """The mask that a number alone is in a service of IPv4."""
    found = inet_aton(number)
    if found is None:
        raise ValueError(f"{number} is not a netmask")
    return found


def owner(words: Words) -> dict[str, str | None]:
    """`USER [GROUP]`, `USER [:GROUP]`: the fields `user` and `group`."""
    user = words.take("the user")
    group = words.take("the group") if words.peek() is not None else None
    return {"user": user, "group": group.removeprefix(":") if group else None}


def weight(low: int, high: int) -> Callable[[Words], dict[str, Any]]:
    """`WEIGHT [reverse]`: the fields `weight` and, when it is, `is_reversed`."""

    def parse(words: Words) -> dict[str, Any]:
        value = whole(words.take("the weight"), low, high)
        if words.peek() != "reverse":
            return {"weight": value}
        words.take("reverse")
        return {"weight": value, "is_reversed": True}

    return parse


def command(words: Words) -> str:
    """The first word by the rules of commands (see `split_command`); the rest stays."""
    found = split_command(words.raw, words.version)
    if not found or not found[0]:
        raise ValueError("the command is missing")
    words.leave(found[1:])
    return _printable(found[0])


def pattern(words: Words) -> str:
    """As `command`, where escapes are replaced in all versions."""
    found = script_words(words.raw, words.version)
    if not found or not found[0]:
        raise ValueError("the pattern is missing, or a quote of it has no end")
    words.leave(found[1:])
    return _printable(found[0])


def maybe_owned_command(words: Words) -> tuple[str, str | None, str | None] | None:
    """As `owned_command`; None when there is no word."""
    return owned_command(words) if words.peek() is not None else None


def owned_command(words: Words) -> tuple[str, str | None, str | None]:
    """`COMMAND [USER [GROUP]]`; a command with arguments is quoted as a whole."""
    found = split_command(words.raw, words.version)
    if not found or not found[0]:
        raise ValueError("the command is missing")
    user = found[1] if len(found) > 1 else None
    group = found[2].removeprefix(":") if len(found) > 2 else None
    words.leave(found[3:])
    return _printable(found[0]), user, group


def _printable(found: str) -> str:
    if any(c < " " and c != "\t" for c in found):
        raise ValueError("the command holds a line end or another control character")
    return found


def split_command(raw: str, version: Version) -> list[str]:
    """The words behind a script keyword as `version` splits them once (see `line_words`); a command
    is spelt so that all versions split it alike. ValueError for a quote without end."""
    words = line_words(raw, version)
    if words is None:
        raise ValueError("quote without end")
    return [settled(word, version) if at == 0 else word for at, word in enumerate(words)]
