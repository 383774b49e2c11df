"""A heartbeat link that is down beside another one: nothing moves, and everybody is told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from drctl.lab.pair.director import Director
from drctl.lab.pair.stage import Plan, Stage, now_ms, stage

PATIENCE_S = 20.0


def _links(director: Director) -> list[dict[str, Any]]:
    """What the history tells of its links."""
    events = json.loads(director.ask("history", "--kind", "link", "--format", "json"))["events"]
    return [event["evidence"] for event in events]


def _wait(live: Stage, is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end_s, live.logs()
        time.sleep(0.05)


def test_one_link_of_two_silent_both_tell_it_and_nothing_moves() -> None:
    with stage(Plan(links="ab")) as live:
        active = live.holder()
        standby = live.other(active)
        both = (active, standby)
        at_ms = now_ms()
        live.silence(f"{standby.name}-b")
        for each in both:
            _wait(live, lambda each=each: bool(_links(each)))  # type: ignore[misc]
            (news,) = _links(each)
            assert (news["is_up"], "198.51.100." in news["name"]) == (False, True), news
            assert "link_down" in each.log()
            alarms = each.status()["alarms"]
            assert [text for text in alarms if f"over {news['name']}" in text], alarms
        live.heal(f"{standby.name}-b")
        for each in both:
            _wait(live, lambda each=each: len(_links(each)) == 2)  # type: ignore[misc]
            assert _links(each)[1]["is_up"]
            assert not each.status()["alarms"]
        seen = live.client.seen(at_ms)
        assert (seen.unanswered, seen.twice, seen.holders) == (0, 0, (active.name,)), live.logs()
