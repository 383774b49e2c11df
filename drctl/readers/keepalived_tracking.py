"""What a keepalived.conf tracks: the lines that name it, and the blocks that define it."""

from __future__ import annotations

from collections.abc import Iterable

from drctl.model.vrrp import Track, TrackScript
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_block import (
    Context,
    Field,
    LineParse,
    Lines,
    Table,
    body_of,
    first_name,
    on_line,
    read_block,
)
from drctl.readers.keepalived_hook import take_owner
from drctl.readers.keepalived_words import Words
from drctl.syntax.tree import Statement
from drctl.text.place import Place


def _weight(words: Words, low: int = -254, high: int = 254) -> int | None:
    if words.peek() != "weight":
        return None
    words.take("weight")
    return w.whole(words.take("the weight"), low, high)


def _track(kind: str) -> LineParse:
    def parse(words: Words, place: Place) -> Iterable[Track]:
        name = words.take("the name")
        weight = _weight(words)
        if weight is None and (word := words.peek()) is not None:
            raise ValueError(f"{word} is no option here, keepalived does not track {name}")
        options = (words.take("option"),) if words.peek() in {"reverse", "noreverse"} else ()
        names = ["name"]
        names.extend(
            k for k, given in (("weight", weight is not None), ("options", options)) if given
        )
        return (Track(kind, name, weight, options, on_line(place, *names)),)

    return parse


def track_table() -> Table:
    """Entries for all that an instance or a sync group can track."""
    return {
        f"track_{kind}": Lines("tracks", _track(kind), key=f"track_{kind}")
        for kind in ("interface", "script", "file", "process", "bfd")
    }


def _script_weight(words: Words) -> tuple[int, bool]:
    value = w.whole(words.take("the weight"), -253, 253)
    is_reversed = words.peek() == "reverse"
    if is_reversed:
        words.take("reverse")
    return value, is_reversed


_SCRIPT: Table = {
    "script": Field("command", w.command),
    "interval": Field("interval_ms", w.delay),
    "timeout": Field("timeout_ms", w.delay),
    "weight": Field("weight", _script_weight),
    "rise": Field("rise", w.integer(1, 2**31 - 1)),
    "fall": Field("fall", w.integer(1, 2**31 - 1)),
    "user": Field("owner", w.owner),
}


def script(context: Context, statement: Statement) -> TrackScript:
    """A vrrp_script block."""
    name = first_name(statement)
    values = read_block(context, body_of(statement), _SCRIPT)
    owner = take_owner(values)
    if "weight" in values.values:
        values.values["weight"], is_reversed = values.values["weight"]
        if is_reversed:
            values.values["is_reversed"] = True
            values.places["is_reversed"] = values.places["weight"]
    return TrackScript(
        name,
        **values.outer(),
        **owner,
        leftovers=tuple(values.leftovers),
        origins=values.opened(context.place(statement), "name"),
    )
