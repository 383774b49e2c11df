"""What instances and checks of a keepalived.conf can track, as it is defined: files, processes, BFD
sessions; and what is said of devices. Few files have any of it, so this is read when one does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from drctl.model.tracking import (
    BfdSession,
    GarpGroup,
    InterfaceDelay,
    PolledLink,
    TrackFile,
    TrackProcess,
)
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_block import (
    Context,
    Field,
    Lines,
    Spread,
    Table,
    body_of,
    named_block,
    on_line,
    read_block,
)
from drctl.readers.keepalived_words import Words
from drctl.syntax.tree import Statement
from drctl.text.place import Place

_LARGEST_START = 2**31 - 1


def _initial(words: Words) -> dict[str, Any]:
    """`[NUMBER] [overwrite]` in any order; what is neither keepalived reports and ignores."""
    found: dict[str, Any] = {"initial": 0, "overwrites": None}
    ignored = []
    for word in words.rest():
        if word == "overwrite":
            found["overwrites"] = True
        elif word[:1].isdigit() or word[:1] == "-":
            found["initial"] = w.whole(word, -_LARGEST_START - 1, _LARGEST_START)
        else:
            ignored.append(word)
    words.leave(ignored)
    return found


track_file = named_block(
    TrackFile,
    {
        "file": Field("path", w.text, keeps_first=True),
        "weight": Spread("weight", w.weight(-254, 254), keeps_first=True),
        "init_file": Spread("initial", _initial),
    },
)
"""A track_file block."""


def _program(words: Words) -> dict[str, Any]:
    return {"program": words.take("the program"), "arguments": words.rest() or None}


def _match(words: Words) -> str:
    if words.peek() is None:
        return "exact"
    return str(w.choice("initial", "partial")(words))


_process_delay = w.scaled(6, 1, 3_600_000_000)


def _both_delays(words: Words) -> dict[str, Any]:
    return dict.fromkeys(("fork_delay_us", "terminate_delay_us"), _process_delay(words))


track_process = named_block(
    TrackProcess,
    {
        "process": Spread("program", _program, keeps_first=True),
        "param_match": Field("match", _match),
        "weight": Spread("weight", w.weight(-254, 254), keeps_first=True),
        "quorum": Field("quorum", w.integer(1, 65535)),
        "quorum_max": Field("quorum_max", w.integer(0, 65535)),
        "delay": Spread("fork_delay_us", _both_delays),
        "fork_delay": Field("fork_delay_us", _process_delay),
        "terminate_delay": Field("terminate_delay_us", _process_delay),
        "full_command": Field("is_full_command", w.flag),
    },
)
"""A vrrp_track_process block."""

_bfd_interval = w.scaled(3, 1_000, 4_294_967_000)

bfd_session = named_block(
    BfdSession,
    {
        **dict.fromkeys(("neighbor_ip", "neighbour_ip"), Field("neighbor", w.endpoint)),
        "source_ip": Field("source", w.endpoint),
        "min_rx": Field("min_receive_us", _bfd_interval),
        "min_tx": Field("min_send_us", _bfd_interval),
        "idle_tx": Field("idle_send_us", w.scaled(3, 1_000_000, 4_294_967_000)),
        "multiplier": Field("multiplier", w.integer(1, 255)),
        "passive": Field("is_passive", w.flag),
        **dict.fromkeys(("ttl", "hoplimit"), Field("ttl", w.integer(1, 255))),
        "max_hops": Field("max_hops", w.integer(-1, 255)),
        "weight": Spread("weight", w.weight(-253, 253)),
        "vrrp": Field("tells_vrrp", w.flag),
        "checker": Field("tells_checks", w.flag),
        "multihop": Field("is_multihop", w.boolean),
    },
)
"""A bfd_instance block."""


_garp_interval = w.scaled(6, 0, 2_147_483_647)
_GARP_GROUP: Table = {
    "garp_interval": Field("garp_interval_us", _garp_interval),
    "gna_interval": Field("gna_interval_us", _garp_interval),
    "interface": Field("interfaces", w.text, joins=True),
    "interfaces": Lines("interfaces", lambda words, _: words.rest()),
}


def garp_group(context: Context, statement: Statement) -> GarpGroup:
    """A garp_group block, which has no name."""
    context.ignored(statement, statement.values)
    values = read_block(context, body_of(statement), _GARP_GROUP)
    return GarpGroup(
        **values.outer(),
        leftovers=tuple(values.leftovers),
        origins=values.opened(context.place(statement)),
    )


_LONGEST_LINK_DELAY_US = 255_000_000


def interface_delay(words: Words, place: Place) -> Iterable[InterfaceDelay]:
    """A line of interface_up_down_delays: `DEVICE DOWN [UP]`."""
    delay = w.scaled(6, 0, _LONGEST_LINK_DELAY_US)
    found: dict[str, Any] = {"interface": words.take("the device"), "down_us": delay(words)}
    if words.peek() is not None:
        found["up_us"] = delay(words)
    return (InterfaceDelay(**found, origins=on_line(place, *found)),)


def polled_link(words: Words, place: Place) -> Iterable[PolledLink]:
    """A line of linkbeat_interfaces: `DEVICE [METHOD]`."""
    found: dict[str, Any] = {"interface": words.take("the device")}
    if words.peek() is not None:
        found["method"] = w.choice("MII", "ETHTOOL", "IOCTL")(words)
    return (PolledLink(**found, origins=on_line(place, *found)),)


BLOCKS: dict[str, Callable[[Context, Statement], Any]] = {
    **dict.fromkeys(("track_file", "vrrp_track_file"), track_file),
    "vrrp_track_process": track_process,
    "bfd_instance": bfd_session,
    "garp_group": garp_group,
}
"""By keyword, what reads a block at the top level."""
