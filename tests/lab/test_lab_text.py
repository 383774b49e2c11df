"""The result for people and for programs."""

from __future__ import annotations

import json
from dataclasses import replace

from lab_case import MACS, SERVICE, VIP, good_run, measured, plan

from drctl.lab.measurement import BEFORE, ArpAnswers, Counters
from drctl.lab.plan import NONE, Trial
from drctl.lab.result import LabResult, TrialResult
from drctl.lab.text import to_json, to_text
from drctl.lab.verdict import judge


def result() -> LabResult:
    """The trial without rules, hijacked, and a good one after it."""
    everybody = (MACS["primary"], MACS["web1"], MACS["web2"])
    hijacked = replace(
        measured(BEFORE, "primary", NONE),
        arp=(ArpAnswers(VIP, (everybody,)),),
        counters={SERVICE: Counters(3, 18, 0)},
    )
    both = replace(plan(), trials=(Trial(NONE, "/n", "legacy"), Trial("sysctl", "/n", "legacy")))
    measurements, failover = good_run()
    trials = [TrialResult(NONE, [hijacked]), TrialResult("sysctl", measurements, failover)]
    for trial in trials:
        trial.assertions = judge(both, trial.method, trial.measurements, trial.failover)
    return LabResult("lvs.cf", both, "uml", ("a note",), "6.1.0", trials)


def line_with(text: str, *words: str) -> str:
    return next(line for line in text.splitlines() if all(word in line for word in words))


def test_text_compares_the_methods_side_by_side() -> None:
    text = to_text(result(), is_verbose=False)
    without = line_with(text, "none  ", "hijacked, as it must be")
    assert "primary, web1, web2" in without
    assert "5 of 8" in without
    good = line_with(text, "sysctl  ", "3.1 s")
    assert good.endswith("ok")
    assert "0 of 8" in good


def test_text_tells_who_answers_and_how_requests_spread() -> None:
    text = to_text(result(), is_verbose=False)
    assert "primary, web1, web2" in line_with(text, f"who has {VIP}?", "web1")
    assert "web1 4, web2 4" in line_with(text, f"8 requests to {VIP}:80")
    assert "link of primary down: backup serves after 3.1 s" in text
    assert "note: a note" in text


def test_text_shows_failed_assertions_and_with_verbose_all() -> None:
    broken = result()
    trial = broken.trials[1]
    bad = replace(trial.measurements[0], counters={SERVICE: Counters(8, 48, 9)})
    trial.assertions = judge(broken.plan, "sysctl", [bad, trial.measurements[1]], trial.failover)
    text = to_text(broken, is_verbose=False)
    assert "OutPkts 9" in line_with(text, "FAIL", "director.out-packets")
    assert "  ok " not in text
    assert not broken.holds
    assert "ok   requests.spread" in to_text(broken, is_verbose=True)


def test_text_of_a_trial_with_an_error_says_it() -> None:
    broken = result()
    broken.trials[1] = TrialResult("sysctl", error="install.sh of web1: exit status 1")
    text = to_text(broken, is_verbose=False)
    assert "exit status 1" in line_with(text, "FAIL the trial did not reach its end")
    assert not broken.holds


def test_text_of_a_method_that_was_not_tried_says_it() -> None:
    short = result()
    del short.trials[1]
    assert not short.holds
    assert "sysctl was not tried" in to_text(short, is_verbose=False)


def test_json_has_the_documented_shape() -> None:
    found = json.loads(to_json(result()))
    assert found["schema"] == 1
    assert found["holds"] is True
    assert found["kernel"] == {"kind": "uml", "release": "6.1.0"}
    none, sysctl = found["trials"]
    assert none["measurements"][0]["flows"][0]["bypassed"] == 5
    assert none["measurements"][0]["arp"][0]["rounds"][0][1] == {
        "mac": MACS["web1"],
        "host": "web1",
    }
    assert sysctl["failover"] == {"killed": "primary", "survivor": "backup", "took_ms": 3100}
    assert {a["holds"] for a in sysctl["assertions"]} == {True}
    counters = sysctl["measurements"][1]["counters"][SERVICE]
    assert counters == {"connections": 8, "in_packets": 48, "out_packets": 0}
