"""`drctl status` for people: a page of text from the JSON of the same command."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_SHOWN_VIPS = 2
_COLOURS = {
    "active": "32",
    "standby": "0",
    "fault": "31",
    "held": "33",
    "suspect": "33",
    "taking": "36",
    "yielding": "36",
}


def to_text(
    status: Mapping[str, Any], now_ms: int, group: str = "", *, has_colours: bool = False
) -> str:
    """The page. `now_ms` is the time of day; with `group` only that group is shown."""
    guard = status["guard_pid"]
    lines = [
        f"{status['node']}: drctl {status['version']}, pid {status['pid']}, "
        + (f"guard {guard}" if guard is not None else "no guard")
        + f", configuration {status['config_digest'] or '-'}",
        "",
    ]
    head = ("GROUP", "ROLE", "EPOCH", "PRIORITY", "SINCE", "VIPS", "REASON")
    groups = [one for one in status["groups"] if group in {"", one["name"]}]
    rows = [_group_row(one, now_ms) for one in groups]
    colours = [_COLOURS.get(one["role"], "0") for one in groups] if has_colours else []
    lines += _table(head, rows, 1, colours)
    if status["peers"]:
        lines += ["", *_table(("PEER", "HEARTBEAT", "LINKS"), map(_peer_row, status["peers"]))]
    if status["witnesses"]:
        lines += ["", *_table(("INTERFACE", "WITNESSES"), map(_witness_row, status["witnesses"]))]
    if status.get("arbiter"):
        lines += ["", *_table(("ARBITER", "ALLOWS", "TROUBLE"), [_arbiter_row(status["arbiter"])])]
    alarms = [f"alarm: {printable(alarm)}" for alarm in status["alarms"]]
    if alarms:
        lines += ["", *(f"\x1b[31m{alarm}\x1b[0m" if has_colours else alarm for alarm in alarms)]
    return "\n".join(lines) + "\n"


def duration(lasted_ms: int) -> str:
    """A length of time in its two largest units: `4 s`, `3 min 20 s`, `2 d 5 h`."""
    seconds = max(0, lasted_ms) // 1000
    parts: list[str] = []
    for size, word in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size or (size == 1 and not parts):
            parts.append(f"{seconds // size} {word}")
            seconds %= size
        elif parts:
            break
    return " ".join(parts[:2])


def instant(at_ms: int) -> str:
    """A time of day, local: `2026-01-31 12:00:00.250`."""
    try:
        local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ms // 1000))
    except (OverflowError, ValueError, OSError):
        return f"{at_ms} ms"
    return f"{local}.{at_ms % 1000:03}"


def _group_row(group: Mapping[str, Any], now_ms: int) -> tuple[str, ...]:
    vips = group["vips"]
    shown = " ".join(vips[:_SHOWN_VIPS])
    more = f" +{len(vips) - _SHOWN_VIPS}" if len(vips) > _SHOWN_VIPS else ""
    return (
        group["name"],
        group["role"],
        str(group["epoch"]),
        str(group["priority"]),
        duration(now_ms - group["since_ms"]),
        shown + more,
        group["reason"],
    )


def _arbiter_row(arbiter: Mapping[str, Any]) -> tuple[str, ...]:
    allows = ", ".join(arbiter["groups"]) or ("all" if arbiter["granted"] else "nothing")
    return arbiter["kind"], allows, arbiter["trouble"] or "-"


def _peer_row(peer: Mapping[str, Any]) -> tuple[str, ...]:
    links = [
        f"{link['local'] or '?'} > {link['peer']} {'up' if link['up'] else 'down'}"
        for link in peer["links"]
    ]
    return peer["node"], "heard" if peer["alive"] else "silent", ", ".join(links)


def _witness_row(witness: Mapping[str, Any]) -> tuple[str, ...]:
    known = witness["known"]
    text = f"{witness['answering']} of {known} answering" if known else "none known"
    return witness["interface"], text


def _table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    coloured: int = -1,
    colours: Sequence[str] = (),
) -> list[str]:
    """Lines of columns, two blanks apart; `colours` are those of a row's `coloured` column."""
    cells = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for number, row in enumerate(cells):
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if number and colours:
            padded[coloured] = f"\x1b[{colours[number - 1]}m{padded[coloured]}\x1b[0m"
        lines.append("  ".join(padded).rstrip())
    return lines


def printable(text: str) -> str:
    """`text` with a replacement character for what cannot be shown."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
