"""The plan travels to the guest as JSON, its events come back as lines."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from lab_case import PAIR, VIRTUAL, plan, scenario

from drctl.lab.guest.events import MARK, parse
from drctl.lab.plan import Trial, from_json, to_json


def test_plan_through_json_is_the_same() -> None:
    full = scenario(PAIR + VIRTUAL).plan((Trial("sysctl", "/out", "legacy"),), 1.0)
    assert from_json(to_json(full)) == full
    assert from_json(to_json(plan())) == plan()


def test_plan_of_another_schema_is_refused() -> None:
    raw = json.loads(to_json(plan()))
    raw["schema"] += 1
    with pytest.raises(ValueError, match="schema"):
        from_json(json.dumps(raw))


def test_plan_knows_whose_mac_it_is() -> None:
    assert plan().owner_of(plan().hosts[3].ports[0].mac) == "web1"
    assert plan().owner_of("02:ff:ff:ff:ff:ff") == "02:ff:ff:ff:ff:ff"
    assert replace(plan(), hosts=()).owner_of("02:00:00:00:01:01") == "02:00:00:00:01:01"


def test_event_line_is_told_from_other_console_text() -> None:
    assert parse("[    0.1] Linux version") is None
    assert parse(MARK + '{"event": "done", "code": 0}') == {"event": "done", "code": 0}


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_event_that_is_broken_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse(MARK + text)
