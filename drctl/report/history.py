"""`drctl history` for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from drctl.report.status import instant, printable


def to_text(events: Iterable[Mapping[str, Any]]) -> str:
    """A line for each event, with its evidence in lines below; nothing when there are none."""
    return "".join(_event(event) for event in events)


def _event(event: Mapping[str, Any]) -> str:
    words = [instant(event["at_ms"]), event["kind"], event["group"]]
    if event["before"] or event["after"]:
        words.append(f"{event['before'] or '-'} > {event['after'] or '-'}")
    if event["epoch"] is not None:
        words.append(f"epoch {event['epoch']}")
    lines = ["  ".join(printable(word) for word in words if word)]
    if event["reason"]:
        lines[0] += f"  {printable(event['reason'])}"
    for name, value in event["evidence"].items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(f"    {printable(name)}: {printable(text)}")
    return "\n".join(lines) + "\n"
