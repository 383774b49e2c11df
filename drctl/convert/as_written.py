"""Statements that pulse took otherwise than they look: what the tree shows and the model does
not."""

from __future__ import annotations

import re
from collections.abc import Iterable

from drctl.convert.ledger import Ledger, Verdict
from drctl.model.origin import NO_ORIGINS, Origins, leftovers
from drctl.quickclass import fields, is_dataclass
from drctl.readers.lvs_cf_block import BLOCK_KEYWORDS, meant
from drctl.readers.reading import Reading
from drctl.syntax.detect import LVS_CF
from drctl.syntax.tree import Document, Node, Statement
from drctl.text.place import Place
from drctl.units import c_integer, inet_aton

REJECTED = "DR040"
"""Code of the reader's findings about lines that pulse refuses."""

_MASKS = frozenset({"vip_nmask", "nat_nmask", "pmask"})
_NUMBERS = frozenset(
    {
        *("keepalive", "deadtime", "heartbeat_port", "port", "weight", "timeout", "reentry"),
        *("fwmark", "persistent", "tcp_timeout", "tcpfin_timeout", "udp_timeout", "syncd_id"),
    }
)
_ADDRESSES = frozenset(
    {
        *("primary", "backup", "primary_private", "backup_private"),
        *("address", "nat_router", "sorry_server"),
    }
)
_ODD_NUMBER = re.compile(r"[+-]?0[0-9xX][0-9a-fA-F]*")
MOST_SYNC_ID = 255
_DIGITS_AND_DOTS = re.compile(r"[0-9][0-9a-fA-FxX.]*")

Start = tuple[int, int]


def note_as_written(reading: Reading, ledger: Ledger) -> None:
    """Note lines that pulse rejected, repeated keywords, octal numbers and the like."""
    document = reading.document
    if document.dialect != LVS_CF:
        _note_repeated(reading.configuration, ledger)
        return
    unread = {
        (left.place.line, left.place.column)
        for left in leftovers(reading.configuration)
        if left.place is not None
    }
    rejected = {d.place.line: d.message for d in reading.diagnostics if d.code == REJECTED}
    _note_block(document, document.children, unread, ledger)
    for statement in document.walk():
        if rejected:
            _note_rejected(document.place(statement), rejected, unread, ledger)
        if statement.body is not None:
            _note_block(document, statement.body.children, unread, ledger)


def _note_repeated(value: object, ledger: Ledger) -> None:
    """Statements of a keepalived.conf whose only value was replaced by a later one."""
    if isinstance(value, tuple):
        for item in value:
            _note_repeated(item, ledger)
    if not is_dataclass(value) or isinstance(value, type):
        return
    origins: Origins = getattr(value, "origins", NO_ORIGINS)
    names = {field.name for field in fields(value) if field.name != "origins"}
    for name, places in origins.items():
        # of several host blocks in an SMTP_CHECK the last one counts
        is_single = name == "host" or (name in names and not _is_collection(value, name))
        if len(places) > 1 and is_single:
            last = places[-1]
            where = "" if last.path == places[0].path else f" of {last.path}"
            why = f"given again in line {last.line}{where}, and the last one counts"
            ledger.void((place for place in places[:-1] if place != places[-1]), why, "remove it")
    for name in names:
        _note_repeated(getattr(value, name), ledger)


def _is_collection(value: object, name: str) -> bool:
    item = getattr(value, name)
    return isinstance(item, tuple) or is_dataclass(item)


def _note_rejected(
    place: Place, rejected: dict[int, str], unread: set[Start], ledger: Ledger
) -> None:
    if place.line not in rejected:
        return
    if (place.line, place.column) in unread:
        ledger.idle((place,), rejected[place.line])
    else:
        ledger.note((place,), Verdict.REPAIRED, f"{rejected[place.line]}; read as it is meant")


def _note_block(
    document: Document, nodes: Iterable[Node], unread: set[Start], ledger: Ledger
) -> None:
    """The statements directly in a block: which of several with one keyword counts, and values
    that do not look like what they are."""
    last: dict[str, Statement] = {}
    for node in nodes:
        if not isinstance(node, Statement):
            continue
        keyword, words = meant(node)
        if node.body is not None and keyword in BLOCK_KEYWORDS:
            continue
        is_odd = _is_odd(keyword, words)
        earlier = last.get(keyword)
        last[keyword] = node
        if earlier is None and not is_odd:
            continue
        place = document.place(node)
        if (place.line, place.column) in unread:
            if earlier is not None:
                last[keyword] = earlier
            continue
        if earlier is not None:
            before = document.place(earlier)
            if (before.line, before.column) not in unread:
                why = f"{keyword} is given again in line {place.line}, and the last one counts"
                ledger.void((before,), why, "remove it")
        if is_odd:
            _note_value(keyword, words, place, ledger)


def _is_odd(keyword: str, words: tuple[str, ...]) -> bool:
    if not words:
        return False
    if keyword in _NUMBERS:
        return _ODD_NUMBER.fullmatch(words[0]) is not None or (
            keyword == "syncd_id" and not 0 <= (c_integer(words[0]) or 0) <= MOST_SYNC_ID
        )
    if keyword in _MASKS:
        return words[0].removeprefix("/").isdigit()
    if keyword in _ADDRESSES:
        word = words[0]
        return _DIGITS_AND_DOTS.fullmatch(word) is not None and inet_aton(word) not in {None, word}
    return keyword in {"send", "expect"} and words[0].startswith("'")


def _note_value(keyword: str, words: tuple[str, ...], place: Place, ledger: Ledger) -> None:
    word = words[0]
    number = c_integer(word)
    if keyword == "syncd_id" and number is not None and not 0 <= number <= MOST_SYNC_ID:
        why = f"{word} is {number & MOST_SYNC_ID} for the kernel, which takes the low 8 bits"
        ledger.note((place,), Verdict.EXACT, why)
    elif keyword in _NUMBERS:
        why = f"{word} is {number}, as pulse reads it: octal or hexadecimal"
        ledger.note((place,), Verdict.EXACT, why, "check that this number is meant")
    elif keyword in _MASKS:
        length = word.removeprefix("/")
        why = f"{word}: pulse took it for 0.0.0.{length} or nothing; the length {length} is meant"
        ledger.note((place,), Verdict.REPAIRED, why)
    elif keyword in _ADDRESSES:
        why = f"{word} is {inet_aton(word)}, as pulse reads it"
        ledger.note((place,), Verdict.EXACT, why, "check that this address is meant")
    else:
        why = "single quotes are part of the text: lvsd takes off double ones only"
        ledger.note((place,), Verdict.EXACT, why, "use double quotes if they are not meant")
