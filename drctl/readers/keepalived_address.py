"""Lines of a keepalived.conf that begin with an address: VIPs, static addresses, unicast peers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drctl.model.pair import Address
from drctl.model.vrrp import UnicastPeer, Vip
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_block import LineParse, on_line
from drctl.readers.keepalived_words import Words
from drctl.text.place import Place

_ADDRESS_OPTIONS_WITH_VALUE = frozenset(
    {"scope", "brd", "broadcast", "peer", "preferred_lft", "track_group"}
)
_ADDRESS_OPTIONS = frozenset(
    {"home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin", "no_track", "use_vmac"}
)


def length(word: str) -> tuple[str, int | None, tuple[str, ...]]:
    """`ADDRESS[/BITS]`, and what is wrong with the bits: keepalived goes on without them."""
    text, slash, bits = word.partition("/")
    address = w.canonical(text)
    if not slash:
        return address, None, ()
    try:
        return address, w.whole(bits, 0, 128 if ":" in address else 32), ()
    except ValueError:
        return address, None, (f"/{bits}",)


def _address_entry(words: Words) -> tuple[dict[str, Any], tuple[str, ...]]:
    """An address with `dev` and `label` as fields, and the other options in order. What is none of
    these is left in `words`, since keepalived ignores it."""
    address, prefix, bad = length(words.take("the address"))
    found: dict[str, Any] = {"address": address}
    if prefix is not None:
        found["prefix"] = prefix
    options: list[str] = []
    ignored = [*bad]
    while (word := words.peek()) is not None:
        if word in {"dev", "label"}:
            words.take(word)
            found["device" if word == "dev" else "label"] = words.take(f"the value of {word}")
        elif word in _ADDRESS_OPTIONS_WITH_VALUE:
            options += (words.take(word), words.take(f"the value of {word}"))
        elif word in _ADDRESS_OPTIONS:
            options.append(words.take(word))
        else:
            ignored.append(words.take(word))
    words.leave(ignored)
    return found, tuple(options)


def vip(*, is_excluded: bool) -> LineParse:
    """A line of virtual_ipaddress, or of virtual_ipaddress_excluded."""

    def parse(words: Words, place: Place) -> Iterable[Vip]:
        found, options = _address_entry(words)
        extra = (("options", options), ("is_excluded", is_excluded))
        origins = on_line(place, *found, *(name for name, given in extra if given))
        return (Vip(**found, options=options, is_excluded=is_excluded, origins=origins),)

    return parse


def static_address(words: Words, place: Place) -> Iterable[Address]:
    """A line of static_ipaddress."""
    found, options = _address_entry(words)
    if options:
        found["options"] = options
    return (Address(**found, origins=on_line(place, *found)),)


def peer(words: Words, place: Place) -> Iterable[UnicastPeer]:
    """A line of unicast_peer."""
    address = w.endpoint(words)
    options: list[str] = []
    while (word := words.peek()) is not None:
        if word not in {"min_ttl", "max_ttl"}:
            break  # keepalived reads the line no further
        options += (words.take(word), str(w.whole(words.take(f"the value of {word}"), 0, 255)))
    names = ("address", "options") if options else ("address",)
    return (UnicastPeer(address, tuple(options), on_line(place, *names)),)
