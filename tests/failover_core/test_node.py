"""What one director does, event by event."""

from __future__ import annotations

from dataclasses import replace

from core_case import Host, settings

from drctl.core.action import (
    Action,
    Alarm,
    CloseFence,
    DropVips,
    OpenFence,
    RenewFence,
    RenewVips,
    SendBeat,
    TakeVips,
    TellGuard,
)
from drctl.core.event import (
    Command,
    GuardLost,
    OperatorAsked,
    Outcome,
    Started,
    TimeCame,
    TrackReported,
)
from drctl.core.node import Node
from drctl.core.role import Role
from drctl.core.value import Settings, Track

ACTIVE_MS = 2000


def tracking(*tracks: Track, priority: int = 100) -> Settings:
    base = settings()
    return replace(base, groups=(replace(base.groups[0], priority=priority, tracks=tracks),))


def role_of(host: Host) -> Role:
    return host.node.groups["web"].role


def active_host(**timing: int) -> Host:
    """A director alone that has become active."""
    host = Host(Node(settings(**timing)))
    host.feed(Started(1000, 7, 0))
    host.run(ACTIVE_MS)
    assert host.node.groups["web"].role is Role.ACTIVE
    return host


def kinds(actions: list[Action]) -> list[type]:
    return [type(action) for action in actions]


def test_node_lapsed_lease_drops_the_vips_before_anything_else() -> None:
    host = active_host()
    done = host.feed(TimeCame(ACTIVE_MS + 600))
    assert kinds(done)[:2] == [CloseFence, DropVips]
    assert RenewFence not in kinds(done)
    assert host.node.groups["web"].role is not Role.ACTIVE


def test_node_guard_knows_before_the_kernel_does() -> None:
    order = [
        kind for kind in kinds(active_host().actions) if kind in {TellGuard, TakeVips, OpenFence}
    ]
    assert order == [TellGuard, TakeVips, OpenFence]


def test_node_that_was_stopped_renews_addresses_a_turn_later() -> None:
    """One that somebody took away would come back: it waits to be read that it is gone."""
    for begin_ms in range(ACTIVE_MS, ACTIVE_MS + 1100, 100):
        host = active_host(fence_ms=0)
        host.run(begin_ms)
        done = host.feed(TimeCame(begin_ms + 300))
        assert SendBeat in kinds(done)
        assert RenewVips not in kinds(done)
        host.actions.clear()
        host.run(begin_ms + 1500)
        assert RenewVips in kinds(host.actions)


def test_node_that_is_always_late_keeps_its_addresses() -> None:
    host = active_host(fence_ms=0)
    for now_ms in range(ACTIVE_MS, ACTIVE_MS + 9000, 170):
        host.feed(TimeCame(now_ms))
        assert role_of(host) is Role.ACTIVE


def test_node_renewal_stands_behind_a_beat_of_the_same_turn() -> None:
    host = active_host()
    host.actions.clear()
    host.run(ACTIVE_MS + 1000)
    steps = [kind for kind in kinds(host.actions) if kind in {SendBeat, RenewFence}]
    assert steps == [SendBeat, RenewFence] * (len(steps) // 2)
    assert len(steps) >= 18


def test_node_short_heartbeats_renew_the_fence_when_a_tenth_of_it_is_over() -> None:
    host = active_host(heartbeat_ms=10, fence_ms=500)
    host.actions.clear()
    for _ in range(100):
        at_ms = host.node.deadline_ms
        host.feed(TimeCame(at_ms))
        assert host.node.groups["web"].lease_end_ms() >= at_ms + 450
    steps = [kind for kind in kinds(host.actions) if kind in {SendBeat, RenewFence}]
    assert steps.count(RenewFence) == steps.count(SendBeat) // 5


def test_node_fence_that_cannot_be_renewed_is_renewed_in_the_next_turn() -> None:
    host = active_host(heartbeat_ms=10, fence_ms=500)
    host.outcomes[RenewFence] = Outcome.FAILED
    while RenewFence not in kinds(host.feed(TimeCame(host.node.deadline_ms))):
        pass
    assert RenewFence in kinds(host.feed(TimeCame(host.node.deadline_ms)))


def test_node_renewal_that_lapsed_in_the_kernel_lets_go() -> None:
    host = active_host()
    host.outcomes[RenewFence] = Outcome.LAPSED
    done = host.feed(TimeCame(host.node.deadline_ms))
    while RenewFence not in kinds(done):
        done = host.feed(TimeCame(host.node.deadline_ms))
    steps = [kind for kind in kinds(done) if kind in {RenewFence, CloseFence, DropVips}]
    assert steps == [RenewFence, CloseFence, DropVips]


def test_node_vips_that_cannot_be_installed_are_a_fault_for_a_while() -> None:
    host = Host(Node(settings()))
    host.outcomes[TakeVips] = Outcome.FAILED
    host.feed(Started(1000, 7, 0))
    host.run(ACTIVE_MS)
    assert OpenFence not in kinds(host.actions)
    assert any(isinstance(action, Alarm) and "why" in action.text for action in host.actions)
    host.outcomes.clear()
    host.run(ACTIVE_MS + 2000)
    assert host.node.groups["web"].role is Role.ACTIVE


def test_node_vips_that_cannot_be_dropped_are_dropped_until_they_are() -> None:
    host = active_host()
    host.outcomes[DropVips] = Outcome.FAILED
    host.feed(OperatorAsked(ACTIVE_MS + 1, Command.STOP))
    assert host.node.groups["web"].may_answer
    host.actions.clear()
    host.run(ACTIVE_MS + 500)
    assert kinds(host.actions).count(DropVips) >= 4
    host.outcomes.clear()
    host.run(ACTIVE_MS + 700)
    assert not host.node.groups["web"].may_answer


def test_node_dead_guard_is_replaced_with_an_alarm() -> None:
    host = active_host()
    done = host.feed(GuardLost(ACTIVE_MS + 1))
    assert [type(action).__name__ for action in done][:2] == ["Alarm", "StartGuard"]


def test_node_without_a_fence_never_asks_for_one() -> None:
    host = active_host(fence_ms=0)
    host.run(ACTIVE_MS + 3000)
    assert not {CloseFence, OpenFence, RenewFence} & set(kinds(host.actions))
    assert host.node.groups["web"].role is Role.ACTIVE


def test_node_does_not_take_before_a_tracked_script_has_reported() -> None:
    host = Host(Node(tracking(Track("script:web", wait_ms=5000))))
    host.feed(Started(1000, 7, 0))
    host.run(ACTIVE_MS)
    group = host.node.groups["web"]
    assert (role_of(host), group.reason) == (Role.STANDBY, "script:web has not reported yet")
    assert not group.is_eligible(ACTIVE_MS)
    host.feed(TrackReported(ACTIVE_MS + 1, "script:web", is_up=False))
    assert role_of(host) is Role.FAULT
    assert TakeVips not in kinds(host.actions)
    host.feed(TrackReported(ACTIVE_MS + 2, "script:web", is_up=True))
    host.run(ACTIVE_MS + 500)
    assert role_of(host) is Role.ACTIVE


def test_node_waits_for_a_report_no_longer_than_it_may_take() -> None:
    host = Host(Node(tracking(Track("script:web", wait_ms=5000))))
    host.feed(Started(1000, 7, 0))
    host.run(5999)
    assert role_of(host) is Role.STANDBY
    host.run(6500)
    assert role_of(host) is Role.ACTIVE


def test_node_keeps_vips_that_are_here_while_a_report_is_missing() -> None:
    host = Host(Node(tracking(Track("script:web", wait_ms=5000))))
    host.feed(Started(1000, 7, 0, frozenset({"192.0.2.100"}), frozenset({"192.0.2.100"})))
    host.run(ACTIVE_MS)
    assert host.node.groups["web"].role is Role.ACTIVE
    assert DropVips not in kinds(host.actions)
