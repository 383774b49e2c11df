"""What instances and sync groups of a keepalived.conf track, and the scripts."""

from __future__ import annotations

from collections.abc import Iterable

from drctl.model.vrrp import Track, TrackScript
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_block import (
    Field,
    LineParse,
    Lines,
    Spread,
    Table,
    named_block,
    on_line,
)
from drctl.readers.keepalived_words import Words
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


script = named_block(
    TrackScript,
    {
        "script": Field("command", w.command),
        "interval": Field("interval_ms", w.delay),
        "timeout": Field("timeout_ms", w.delay),
        "weight": Spread("weight", w.weight(-253, 253)),
        "rise": Field("rise", w.integer(1, 2**31 - 1)),
        "fall": Field("fall", w.integer(1, 2**31 - 1)),
        "init_fail": Field("starts_failed", w.flag),
        "user": Spread("user", w.owner),
    },
)
"""A vrrp_script block."""
