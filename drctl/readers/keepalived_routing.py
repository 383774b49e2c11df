"""Routes and rules of a keepalived.conf. The tables' own reader takes the lines apart; here the
parts become fields. Few files have any, so this is imported when one does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from drctl.model.routing import IPV4, IPV6, Hop, Option, Route, Rule, TrackGroup
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_address import length
from drctl.readers.keepalived_block import (
    Context,
    Lines,
    Table,
    body_of,
    on_line,
    only_name,
    read_block,
)
from drctl.schema.composite_number import c_prefix
from drctl.schema.composite_route import Parts, Piece, route_parts
from drctl.schema.composite_rule import rule_parts

if TYPE_CHECKING:
    from drctl.readers.keepalived_words import Words
    from drctl.syntax.tree import Statement
    from drctl.text.place import Place

_ANY = ("default", "default6", "any", "all")
_SAME = {
    "gw": "via",
    "oif": "dev",
    "dsfield": "tos",
    **dict.fromkeys(("priority", "preference"), "metric"),
}
_SAME_IN_RULE = {
    "lookup": "table",
    "dev": "iif",
    "dsfield": "tos",
    "sup_pl": "suppress_prefixlength",
    "sup_group": "suppress_ifgroup",
    **dict.fromkeys(("preference", "order"), "priority"),
}
_ACTIONS = {"6": "blackhole", "7": "unreachable", "8": "prohibit"}
"""Numbers of route types that are actions too."""
_ENDS = frozenset({"goto", "nop", "blackhole", "unreachable", "prohibit", "l3mdev"})


def route(words: Words, place: Place, *, is_static: bool) -> Iterable[Route]:
    """A line of virtual_routes or static_routes."""
    parts = route_parts(words.rest(), is_static=is_static)
    ignored = _refuse(parts)
    found: dict[str, Any] = {}
    options: dict[str, str] = {}
    for piece in parts.pieces:
        name = _SAME.get(piece[0], piece[0])
        if name == "to":
            found["destination"] = _network(piece[2], "default", ignored)
            if piece[1] != "":
                found["kind"] = piece[1]
        elif name == "or":
            found.setdefault("hops", [Hop(found.pop("via", None)), Hop(w.canonical(piece[1]))])
        elif not _put_way(found, name, piece):
            _put_route_option(found, options, name, piece, ignored)
    if parts.hops:
        found["hops"] = [_hop(pieces) for pieces in parts.hops]
    words.leave(ignored)
    return (Route(**_line(found, options, parts), origins=on_line(place, *found)),)


def _refuse(parts: Parts) -> list[str]:
    """The words without effect; ValueError when the line as a whole has none."""
    if parts.refused:
        raise ValueError(parts.refused)
    return list(parts.ignored)


def _line(found: dict[str, Any], options: dict[str, str], parts: Parts) -> dict[str, Any]:
    found["family"] = IPV6 if parts.family == 6 else IPV4
    if options:
        found["options"] = tuple(options.items())
    if "hops" in found:
        found["hops"] = tuple(found["hops"])
    return found


def _put_way(found: dict[str, Any], name: str, piece: Piece) -> bool:
    """What a route and a next hop have both: where to send."""
    if name == "via":
        found["via"] = w.canonical(piece[-1])
    elif name == "dev":
        found["device"] = piece[1]
    else:
        return False
    return True


def _put_route_option(
    found: dict[str, Any], options: dict[str, str], name: str, piece: Piece, ignored: list[str]
) -> None:
    if name == "src":
        found["source"] = w.canonical(piece[1])
    elif name == "metric":
        found["metric"] = _number(piece[1])
    elif name in {"table", "scope"}:
        found[name] = _named(piece[1])
    elif not _put_tracking(found, name, piece):
        if name == "from":
            options[name] = _network(piece[1], "default", ignored)
        else:
            options[name] = _value(name, piece[1:])


def _put_tracking(found: dict[str, Any], name: str, piece: Piece) -> bool:
    if name == "no_track":
        found["is_tracked"] = False
    elif name == "track_group":
        found[name] = piece[1]
    else:
        return False
    return True


def _hop(pieces: Sequence[Piece]) -> Hop:
    found: dict[str, Any] = {}
    options: list[Option] = []
    for piece in pieces:
        if piece[0] == "weight":
            found["weight"] = _number(piece[1])
        elif not _put_way(found, piece[0], piece):
            options.append((piece[0], _value(piece[0], piece[1:])))
    return Hop(**found, options=tuple(options))


def rule(words: Words, place: Place, *, is_static: bool) -> Iterable[Rule]:
    """A line of virtual_rules or static_rules."""
    parts = rule_parts(words.rest(), is_static=is_static)
    ignored = _refuse(parts)
    found: dict[str, Any] = {}
    options: dict[str, str] = {}
    for piece in parts.pieces:
        name = _SAME_IN_RULE.get(piece[0], piece[0])
        if name in {"from", "to"}:
            field = "source" if name == "from" else "destination"
            found[field] = _network(piece[1], "all", ignored)
        elif not _put_action(found, name, piece) and not _put_match(found, name, piece):
            options[name] = _value(name, piece[1:])
    words.leave(ignored)
    return (Rule(**_line(found, options, parts), origins=on_line(place, *found)),)


def _put_action(found: dict[str, Any], name: str, piece: Piece) -> bool:
    if name == "table":
        found.update(action=name, table=_named(piece[1]))
        return True
    word, *rest = piece[1:] if name == "type" else piece
    word = _ACTIONS.get(_named(word), word)
    if word not in _ENDS:
        return False
    found["action"] = word
    if rest:
        found["target"] = _number(rest[0])
    return True


def _put_match(found: dict[str, Any], name: str, piece: Piece) -> bool:
    if name == "priority":
        found["priority"] = int(_named(piece[1]) or 0)
    elif name == "not":
        found["is_inverted"] = True
    elif name in {"iif", "oif"}:
        found["in_device" if name == "iif" else "out_device"] = piece[1]
    elif name == "fwmark":
        mark, slash, mask = piece[1].strip(" \t").partition("/")
        found["mark"] = int(_named(mark) or 0)
        if slash:
            found["mark_mask"] = int(_named(mask) or 0)
    else:
        return _put_tracking(found, name, piece)
    return True


def _network(word: str, anywhere: str, ignored: list[str]) -> str:
    """A network in canonical form, one host without its length; a bad length does not count."""
    if word in _ANY:
        return anywhere
    address, bits, bad = length(word)
    ignored += bad
    is_host = bits is None or bits == (128 if ":" in address else 32)
    return address if is_host else f"{address}/{bits}"


def _named(word: str) -> str:
    """A name, or a number of any base as a decimal one."""
    number = c_prefix(word)
    return word if number < 0 else str(number)


def _number(word: str) -> int:
    return w.whole(word, 0, w.U32)


_IN_ANY_BASE = frozenset({"tos", "protocol"})
_AS_WRITTEN = frozenset({"realms", "encap", "rtt", "rttvar", "rto_min", "congctl", "tunnel-id"})


def _value(name: str, words: Sequence[str]) -> str:
    """What belongs to an option; numbers in one form."""
    if name in _AS_WRITTEN or not words:
        return " ".join(words)
    last = words[-1]
    if name in _IN_ANY_BASE:
        last = _named(last)
    elif last.lstrip("+").isdigit():
        last = str(int(last))
    return " ".join((*words[:-1], last))


_GROUP: Table = {
    "group": Lines("members", lambda words, _: words.rest(), keeps_first=True),
}


def track_group(context: Context, statement: Statement) -> TrackGroup:
    """A track_group block."""
    name = only_name(statement)
    values = read_block(context, body_of(statement), _GROUP)
    return TrackGroup(
        name,
        **values.outer(),
        leftovers=tuple(values.leftovers),
        origins=values.opened(context.place(statement), "name"),
    )
