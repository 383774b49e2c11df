"""Each scenario in a lab: the verdict meanwhile, who held the VIP, and that it is well again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lab_setup_case import FULL, Lab, lab, verdicts

from drctl.lab.setup.scenario import SCENARIOS, Scenario, is_seen
from drctl.verify.value import Verdict

ALWAYS = ("leak-asks", "kill", "vip-lost")
NAMES = [name if name in ALWAYS else pytest.param(name, marks=FULL) for name in SCENARIOS]
MOST_OUTAGE_MS = {"switch": 150, "kill": 400, "unplug": 400, "heartbeat": 100, "flush": 250}
"""With what a busy machine may add; the fence's scenarios below have their own."""
FENCED_MS = 1000
HELD_FOR_MS = 250
"""At least so long the fence lets a director that hangs answer."""


@pytest.mark.parametrize("name", NAMES)
def test_scenario_shows_its_verdict_and_is_healed(example: Lab, name: str) -> None:
    scenario = SCENARIOS[name]
    told = example.told("run", name)
    assert told["problems"] == []
    assert verdicts(told["before"]) == {"192.0.2.10": "ok", "192.0.2.11": "ok"}
    finding = next(one for one in told["during"]["vips"] if one["vip"] == told["vip"])
    assert finding["verdict"] == scenario.verdict.value
    if scenario.has_black_hole:
        holes = [
            one["cause"]
            for one in told["during"]["through"]
            if (one["real_server"], one["verdict"]) == ("web1", "black-hole")
        ]
        assert any(scenario.cause in hole for hole in holes), holes
    elif scenario.verdict is not Verdict.OK:
        assert scenario.cause in finding["cause"]
    assert verdicts(told["after"]) == {"192.0.2.10": "ok", "192.0.2.11": "ok"}
    check_timeline(scenario, told)


SIX = """\
vrrp_instance V6 {
    state BACKUP
    nopreempt
    interface bond0
    virtual_router_id 52
    priority 100
    virtual_ipaddress {
        2001:db8::100/64
    }
}
virtual_server 2001:db8::100 80 {
    lb_kind DR
    real_server 2001:db8::21 80 {
    }
}
"""


def check_timeline(scenario: Scenario, told: dict[str, Any]) -> None:
    """Who answered: first the holder alone; at the repair whom the scenario wants."""
    timeline = told["timeline"]
    other = {"primary": "backup", "backup": "primary"}[told["holder"]]
    assert timeline[0]["answered_by"] == [told["holder"]]
    at_repair = next(one for one in timeline if one["until_ms"] >= told["repaired_ms"])
    wanted = {
        "no-rules": [told["holder"], "web1"],
        "leak-answers": [told["holder"], "web1"],
        "leak-card": [told["holder"], "web1"],
        "stranger": ["bystander", told["holder"]],
        "two-directors": ["backup", "primary"],
        "nobody": [],
    }.get(scenario.name, [other if scenario.moves else told["holder"]])
    assert at_repair["answered_by"] == sorted(wanted), timeline
    if scenario.verdict is Verdict.OK or scenario.verdict is Verdict.LEAK:
        assert told["outage_ms"] < MOST_OUTAGE_MS.get(scenario.name, FENCED_MS), timeline
    if scenario.name == "hang":
        assert timeline[0]["until_ms"] > HELD_FOR_MS, timeline
    if scenario.verdict is Verdict.OK:
        twice = [one for one in timeline if len(one["answered_by"]) > 1]
        assert twice == []


@FULL
@pytest.mark.parametrize("method", ["nftables", "arptables"])
@pytest.mark.parametrize("name", ["no-rules", "leak-asks", "vip-lost"])
def test_scenario_with_rules_shows_its_verdict(method: str, name: str) -> None:
    with lab() as one:
        one.told("up", "--method", method)
        assert one.told("run", name)["problems"] == []


@FULL
def test_scenario_with_ipv6_alone_shows_its_verdict(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(SIX)
    with lab() as one:
        one.told("up", str(path))
        for name in ("leak-card", "stranger", "kill"):
            told = one.told("run", name)
            assert (told["vip"], told["problems"]) == ("2001:db8::100", [])
        done = one.run("run", "no-rules")
        assert done.returncode == 2
        assert "a VIP of IPv4" in done.stderr


@FULL
def test_scenario_without_a_lab_makes_one_and_takes_it_down() -> None:
    with lab() as one:
        told = one.told("run", "server-cut")
        assert told["problems"] == []
        assert one.left([]) == []


def test_scenario_in_text_has_verdicts_and_a_timeline(example: Lab) -> None:
    done = example.run("run", "switch")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "before:" in done.stdout
    assert "meanwhile:" in done.stdout
    assert "who answers ARP for 192.0.2.10" in done.stdout
    assert "####" in done.stdout
    assert done.stdout.rstrip().endswith("as it has to be")


def test_list_has_every_scenario() -> None:
    one = Lab()
    told = one.told("run", "--list")
    assert [entry["name"] for entry in told["scenarios"]] == list(SCENARIOS)
    text = one.run("run", "--list").stdout
    assert [line.split()[0] for line in text.splitlines()] == list(SCENARIOS)


def test_run_of_neither_scenario_nor_file_names_the_scenarios() -> None:
    done = Lab().run("run", "explode")
    assert done.returncode == 2
    assert "no-rules" in done.stderr


def test_scenario_that_shows_something_else_is_told() -> None:
    leak = SCENARIOS["no-rules"]
    cause = "web1 answers ARP: no ARP rule is in force"
    assert is_seen(leak, Verdict.LEAK, cause, ())
    assert not is_seen(leak, Verdict.OK, "", ())
    assert not is_seen(leak, Verdict.LEAK, "web1 told everybody, unasked", ())
    lost = SCENARIOS["vip-lost"]
    assert is_seen(lost, Verdict.OK, "", ("port 80 is open, but packets for the VIP are lost",))
    assert not is_seen(lost, Verdict.OK, "", ())
    assert not is_seen(replace(lost, verdict=Verdict.LEAK), Verdict.OK, "", ("lost",))
    assert json.loads(json.dumps(leak.verdict)) == "leak"
