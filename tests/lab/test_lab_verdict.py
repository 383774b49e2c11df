"""Each assertion holds on a good run and fails on the fault that it is there for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lab_case import MACS, SERVICE, VIP, flow, good_run, measured, plan, with_flow

from drctl.lab.measurement import AFTER, BEFORE, ArpAnswers, Counters, Measurement
from drctl.lab.plan import NONE
from drctl.lab.verdict import bypassed, judge
from drctl.model.service import MASQUERADE


def failed(before: Measurement) -> set[str]:
    """Names of the assertions that fail with this first measurement."""
    (_, after), failover = good_run()
    return {a.name for a in judge(plan(), "sysctl", [before, after], failover) if not a.holds}


def test_judge_good_run_holds_everything() -> None:
    measurements, failover = good_run()
    found = judge(plan(), "sysctl", measurements, failover)
    assert [a for a in found if not a.holds] == []
    assert {a.name for a in found} == {
        "arp.only-active",
        "arp.learned",
        "requests.served",
        "requests.spread",
        "requests.forwarded",
        "replies.direct",
        "director.out-packets",
        "failover",
    }
    assert {a.phase for a in found} == {BEFORE, AFTER, "failover"}


def test_judge_real_server_answers_arp_in_one_round_fails() -> None:
    mac = MACS["primary"]
    before = replace(
        measured(BEFORE, "primary"), arp=(ArpAnswers(VIP, ((mac,), (mac, MACS["web1"]))),)
    )
    assert failed(before) == {"arp.only-active"}


def test_judge_standby_answers_arp_fails() -> None:
    both = (MACS["primary"], MACS["backup"])
    before = replace(measured(BEFORE, "primary"), arp=(ArpAnswers(VIP, (both, both)),))
    assert failed(before) == {"arp.only-active"}


def test_judge_real_server_announces_the_vip_fails() -> None:
    before = replace(measured(BEFORE, "primary"), announced={VIP: (MACS["primary"], MACS["web2"])})
    assert failed(before) == {"arp.only-active"}


def test_judge_unanswered_round_fails() -> None:
    before = replace(measured(BEFORE, "primary"), arp=(ArpAnswers(VIP, ((MACS["primary"],), ())),))
    assert failed(before) == {"arp.only-active"}


def test_judge_no_arp_measurement_fails() -> None:
    assert failed(replace(measured(BEFORE, "primary"), arp=())) == {"arp.only-active"}


def test_judge_client_learned_a_real_server_fails() -> None:
    before = with_flow(measured(BEFORE, "primary"), learned=(MACS["primary"], MACS["web1"]))
    assert failed(before) == {"arp.learned"}


def test_judge_client_learned_nothing_fails() -> None:
    assert failed(with_flow(measured(BEFORE, "primary"), learned=())) == {"arp.learned"}


def test_judge_wrong_spread_fails() -> None:
    before = with_flow(measured(BEFORE, "primary"), served={"web1": 6, "web2": 2})
    assert failed(before) == {"requests.spread"}


def test_judge_request_without_answer_fails() -> None:
    before = with_flow(
        measured(BEFORE, "primary"), served={"web1": 4, "web2": 3}, failures=("timed out",)
    )
    assert "requests.served" in failed(before)


def test_judge_reply_through_the_director_fails() -> None:
    before = with_flow(measured(BEFORE, "primary"), reply_macs={MACS["primary"]: 24})
    assert failed(before) == {"replies.direct"}


def test_judge_out_packets_fails() -> None:
    before = replace(measured(BEFORE, "primary"), counters={SERVICE: Counters(8, 48, 1)})
    assert failed(before) == {"director.out-packets"}


def test_judge_director_bypassed_fails() -> None:
    before = replace(measured(BEFORE, "primary"), counters={SERVICE: Counters(7, 42, 0)})
    assert failed(before) == {"requests.forwarded"}
    assert bypassed(before, SERVICE) == 1


def test_judge_service_missing_on_the_director_fails() -> None:
    assert failed(replace(measured(BEFORE, "primary"), counters={})) == {"requests.forwarded"}


def test_judge_flow_not_measured_fails() -> None:
    assert "requests.served" in failed(replace(measured(BEFORE, "primary"), flows=()))


def test_judge_nobody_takes_over_fails() -> None:
    measurements, failover = good_run()
    lost = replace(failover, survivor=None)
    found = judge(plan(), "sysctl", measurements[:1], lost)
    assert [a.name for a in found if not a.holds] == ["failover"]


def test_judge_link_never_taken_down_fails() -> None:
    measurements, _ = good_run()
    found = judge(plan(), "sysctl", measurements[:1], None)
    assert [a.name for a in found if not a.holds] == ["failover"]


def test_judge_client_still_sends_to_the_dead_director_fails() -> None:
    measurements, failover = good_run()
    found = judge(plan(), "sysctl", measurements, replace(failover, learned=MACS["primary"]))
    assert [a.name for a in found if not a.holds] == ["failover"]


def test_judge_real_server_answers_after_the_failover_fails() -> None:
    (before, after), failover = good_run()
    both = (MACS["backup"], MACS["web1"])
    after = replace(after, arp=(ArpAnswers(VIP, (both,)),))
    found = judge(plan(), "sysctl", [before, after], failover)
    assert [(a.name, a.phase) for a in found if not a.holds] == [("arp.only-active", AFTER)]


def test_judge_not_measured_after_the_failover_fails() -> None:
    (before, _), failover = good_run()
    found = judge(plan(), "sysctl", [before], failover)
    assert [(a.name, a.phase) for a in found if not a.holds] == [("measured", AFTER)]


def test_judge_without_any_measurement_fails() -> None:
    alone = replace(plan(), has_pair=False)
    assert [a.holds for a in judge(alone, "sysctl", [], None)] == [False]


def test_judge_none_with_hijack_holds() -> None:
    everybody = (MACS["primary"], MACS["web1"], MACS["web2"])
    hijacked = replace(measured(BEFORE, "primary", NONE), arp=(ArpAnswers(VIP, (everybody,)),))
    found = judge(plan(NONE), NONE, [hijacked], None)
    assert [(a.name, a.holds) for a in found] == [("hijack", True)]


def test_judge_none_without_hijack_fails() -> None:
    found = judge(plan(NONE), NONE, [measured(BEFORE, "primary", NONE)], None)
    assert [(a.name, a.holds) for a in found] == [("hijack", False)]
    assert "no hijack" in found[0].detail


@pytest.mark.parametrize("measurements", [[], [replace(measured(BEFORE, "primary"), arp=())]])
def test_judge_none_without_measurement_fails(measurements: list[Measurement]) -> None:
    assert [a.holds for a in judge(plan(NONE), NONE, measurements, None)] == [False]


def test_judge_masquerading_wants_replies_through_the_director() -> None:
    through = plan(asked=flow(method=MASQUERADE))
    through = replace(through, has_pair=False)
    straight = measured(BEFORE, "primary")
    found = {a.name for a in judge(through, "sysctl", [straight], None) if not a.holds}
    assert found == {"replies.masqueraded", "director.out-packets"}
    good = with_flow(straight, reply_macs={MACS["primary"]: 24})
    good = replace(good, counters={SERVICE: Counters(8, 48, 40)})
    assert all(a.holds for a in judge(through, "sysctl", [good], None))


def test_judge_director_that_serves_itself_may_count_its_own_replies() -> None:
    itself = flow(weights={"primary": 1, "web1": 1})
    alone = replace(plan(asked=itself), has_pair=False)
    own = with_flow(
        measured(BEFORE, "primary"),
        served={"primary": 4, "web1": 4},
        reply_macs={MACS["primary"]: 12, MACS["web1"]: 12},
    )
    hosts = tuple(
        replace(h, roles=("director", "real-server")) if h.name == "primary" else h
        for h in alone.hosts
    )
    alone = replace(alone, hosts=hosts)
    counted = replace(own, counters={SERVICE: Counters(8, 48, 16)})
    assert [a.name for a in judge(alone, "sysctl", [counted], None) if not a.holds] == []
    unseen = replace(own, counters={SERVICE: Counters(8, 0, 0)})
    failing = [a.name for a in judge(alone, "sysctl", [unseen], None) if not a.holds]
    assert failing == ["director.out-packets"]


def test_judge_dead_director_is_no_longer_expected_to_serve() -> None:
    asked = flow(weights={"primary": 1, "web1": 1, "web2": 1})
    (_, after), failover = good_run()
    found = judge(plan(asked=asked), "sysctl", [after], failover)
    spread = [a.holds for a in found if a.name == "requests.spread" and a.phase == AFTER]
    assert spread == [True]


def test_judge_none_answered_by_the_standby_is_no_hijack() -> None:
    both = (MACS["primary"], MACS["backup"])
    one = replace(measured(BEFORE, "primary", NONE), arp=(ArpAnswers(VIP, (both,)),))
    asked = flow(weights={"backup": 1, "web1": 1})
    assert [a.holds for a in judge(plan(NONE, asked), NONE, [one], None)] == [False]
