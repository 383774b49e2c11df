"""Going over to other settings while VIPs are held: what is done, and in which order."""

from __future__ import annotations

from dataclasses import replace

from drctl.core.action import (
    Action,
    Alarm,
    Announce,
    CloseFence,
    DropVips,
    EndReload,
    LayOut,
    OpenFence,
    Probe,
    RenewVips,
    Report,
    SendBeat,
    TakeVips,
)
from drctl.core.beat import Beat, GroupBeat
from drctl.core.event import (
    BeatHeard,
    Command,
    Event,
    OperatorAsked,
    Outcome,
    Reconfigured,
    Settled,
    Started,
    TimeCame,
)
from drctl.core.layout import Holding, lay_out
from drctl.core.node import Node
from drctl.core.role import Role
from drctl.core.value import Group, Interface, Link, Peer, Settings, Timing, Vip

A, B, C = (Vip(f"192.0.2.{host}", 24, "eth0") for host in (100, 101, 102))
WEB = Group("web", (A, B), ("eth0",))
TOUCHING = (LayOut, TakeVips, DropVips, OpenFence, CloseFence, Announce)


def settings(*groups: Group, **timing: int) -> Settings:
    peer = Peer("lb2", (Link("a"),))
    card = Interface("eth0", ("02:00:00:00:00:01",))
    return Settings("lb1", groups or (WEB,), (peer,), (card,), Timing(**timing), "same")


class Host:
    """A node that is active in all its groups, beside a peer that is fit and has nothing."""

    def __init__(self, given: Settings) -> None:
        self.node = Node(given)
        self.now_ms = 1000
        self.failing: set[type] = set()
        self.sequence = 0
        self.names = [group.name for group in given.groups]
        self.feed(Started(self.now_ms, 7))
        self.run(2000)
        assert {group.role for group in self.node.groups.values()} == {Role.ACTIVE}

    def feed(self, event: Event) -> list[Action]:
        """All that follows; the peer answers every beat."""
        waiting, done = [event], []
        while waiting:
            for action in self.node.feed(waiting.pop(0)):
                done.append(action)
                if isinstance(action, SendBeat):
                    self.sequence = action.beat.sequence
                number = getattr(action, "number", None)
                if number is not None:
                    is_bad = type(action) in self.failing
                    outcome = Outcome.FAILED if is_bad else Outcome.DONE
                    waiting.append(Settled(self.now_ms, number, outcome, "why"))
        return done

    def run(self, span_ms: int) -> list[Action]:
        """Let time pass."""
        end_ms, done = self.now_ms + span_ms, []
        while self.node.deadline_ms <= end_ms:
            self.now_ms = self.node.deadline_ms
            done += self.feed(TimeCame(self.now_ms))
        self.now_ms = end_ms
        return done

    def reload(self, *groups: Group, **timing: int) -> list[Action]:
        return self.feed(Reconfigured(self.now_ms, settings(*groups, **timing)))

    def hear_peer(self) -> None:
        """lb2 lives and is fit; it echoes the last beat."""
        view = self.node.around.peers["lb2"]
        groups = tuple(
            GroupBeat(name, Role.STANDBY, 0, 50, is_eligible=True) for name in self.names
        )
        beat = Beat("lb2", 9, view.sequence + 1, 7, self.sequence, "same", (), groups)
        self.feed(BeatHeard(self.now_ms, "lb2", "a", beat))


def _kinds(actions: list[Action], *kinds: type) -> list[Action]:
    return [action for action in actions if isinstance(action, kinds)]


def test_same_settings_touch_nothing() -> None:
    host = Host(settings())
    done = host.reload(WEB)
    assert [type(action) for action in _kinds(done, *TOUCHING, EndReload)] == [LayOut, EndReload]
    (laid,) = _kinds(done, LayOut)
    assert isinstance(laid, LayOut)
    assert [(place.group, place.is_open) for place in laid.places] == [(WEB, True)]


def test_priority_changed_no_address_is_touched() -> None:
    host = Host(settings())
    done = host.reload(replace(WEB, priority=20))
    assert _kinds(done, TakeVips, DropVips, OpenFence, CloseFence, Announce, Report) == []
    assert host.node.groups["web"].standing.priority == 20


def test_vip_added_is_asked_for_then_installed_closed_then_opened_and_it_alone_announced() -> None:
    host = Host(settings())
    first = host.reload(replace(WEB, vips=(A, B, C)))
    assert _kinds(first, TakeVips, Announce) == []
    then = host.run(200)
    order = _kinds(then, TakeVips, LayOut, Announce)
    assert [type(action) for action in order[:3]] == [TakeVips, LayOut, Announce], order
    take, laid, announce = order[:3]
    assert isinstance(take, TakeVips)
    assert isinstance(laid, LayOut)
    assert isinstance(announce, Announce)
    # behind a name of its own until it is the group's
    assert take.group != "web"
    probes = [probe for probe in _kinds(then, Probe) if isinstance(probe, Probe)]
    assert sum(C.address in probe.addresses for probe in probes) >= Timing().confirm_probes
    assert laid.before_ms < host.now_ms + 1000
    assert (announce.group, announce.only) == ("web", frozenset({C.address}))
    assert host.node.groups["web"].config.vips == (A, B, C)


def test_vip_taken_out_is_closed_then_dropped_the_others_are_not() -> None:
    host = Host(settings())
    done = host.reload(replace(WEB, vips=(A,)))
    laid, *rest = _kinds(done, LayOut, CloseFence, DropVips)
    assert isinstance(laid, LayOut)
    closed = [place for place in laid.places if not place.is_open]
    assert [(place.group.vips, place.is_guarded) for place in closed] == [((B,), True)]
    dropped = [action for action in rest if isinstance(action, DropVips)]
    assert {action.group for action in dropped} == {closed[0].group.name}
    # and then it is out of the guard and the fence too
    last = _kinds(done, LayOut)[-1]
    assert isinstance(last, LayOut)
    assert [place.group.name for place in last.places] == ["web"]


def test_vip_that_cannot_be_dropped_is_kept_closed_and_tried_again() -> None:
    host = Host(settings())
    host.failing = {DropVips}
    host.reload(replace(WEB, vips=(A,)))
    assert host.node.around.leftover == {B.address}
    assert _kinds(host.run(500), DropVips)
    host.failing = set()
    host.run(500)
    assert host.node.around.leftover == frozenset()


def test_layout_refused_nothing_changes_and_an_alarm_says_so() -> None:
    host = Host(settings())
    host.failing = {LayOut}
    done = host.reload(replace(WEB, vips=(A, B, C), priority=20))
    (end,) = _kinds(done, EndReload)
    assert end == EndReload(is_done=False, text="why")
    assert any(action.key[:1] == ("kernel",) for action in done if isinstance(action, Alarm))
    group = host.node.groups["web"]
    assert (group.config, group.standing.priority, group.role) == (WEB, 100, Role.ACTIVE)
    assert host.node.settings == settings()


def test_reload_during_a_switchover_waits_for_its_end() -> None:
    host = Host(settings())
    host.hear_peer()
    host.feed(OperatorAsked(host.now_ms, Command.SWITCH))
    assert host.node.groups["web"].role is Role.YIELDING
    done = host.reload(replace(WEB, priority=20))
    assert _kinds(done, LayOut, EndReload) == []
    later = host.run(2000)
    assert [type(action) for action in _kinds(later, LayOut, EndReload)] == [LayOut, EndReload]
    assert host.node.groups["web"].standing.priority == 20


def test_fence_made_shorter_is_counted_from_now_on() -> None:
    host = Host(settings())
    host.reload(WEB, fence_ms=300, lease_ms=1000)
    assert host.node.groups["web"].fence_until_ms <= host.now_ms + 300
    host.run(3000)
    assert host.node.groups["web"].role is Role.ACTIVE


def test_priority_of_the_holder_falls_it_claims_anew_so_that_others_hear_of_it() -> None:
    host = Host(settings())
    before = host.node.groups["web"].epoch
    host.reload(replace(WEB, priority=20))
    group = host.node.groups["web"]
    assert (group.epoch, group.beat(host.now_ms).priority) == (before + 1, 20)


def _now(*groups: Group, is_active: bool = True) -> dict[str, Holding]:
    return {group.name: Holding(group, is_active, is_active) for group in groups}


def test_layout_vip_moved_between_active_groups_neither_leaves_nor_arrives() -> None:
    shop = Group("shop", (C,), ("eth0",))
    wanted = (replace(WEB, vips=(A,)), replace(shop, vips=(C, B)))
    made = lay_out(wanted, _now(WEB, shop))
    assert (made.groups, made.leaving, made.arriving) == (wanted, (), {})


def test_layout_vip_moved_to_a_group_that_another_has_leaves() -> None:
    shop = Group("shop", (C,), ("eth0",))
    wanted = (replace(WEB, vips=(A,)), replace(shop, vips=(C, B)))
    made = lay_out(wanted, {**_now(WEB), **_now(shop, is_active=False)})
    assert made.leaving == (B,)
    # until it is dropped it is in neither
    assert made.groups[1].vips == (C,)


def test_group_renamed_whose_lease_ended_meanwhile_is_not_installed_anew() -> None:
    """A process that was stopped while it listened: another director may have the VIPs by now."""
    host = Host(settings(fence_ms=0))
    host.reload(replace(WEB, name="shop"), fence_ms=0)
    host.run(100)
    assert host.node.groups["shop"].is_adopting
    host.now_ms += 2000
    done = host.feed(TimeCame(host.now_ms))
    assert not _kinds(done, RenewVips)
    assert [type(action) for action in _kinds(done, *TOUCHING)] == [DropVips]


def test_layout_group_renamed_is_adopted_with_its_vips() -> None:
    made = lay_out((replace(WEB, name="shop"),), _now(WEB))
    assert made.adopted == made.moved == frozenset({"shop"})
    assert made.leaving == ()


def test_layout_vip_on_another_card_leaves_before_it_arrives() -> None:
    moved = replace(B, interface="eth1")
    wanted = (replace(WEB, vips=(A, moved)),)
    first = lay_out(wanted, _now(WEB))
    assert (first.leaving, first.arriving) == ((B,), {})
    then = lay_out(wanted, _now(replace(WEB, vips=(A,))))
    assert then.arriving == {"web": (moved,)}


def test_layout_other_prefix_is_made_anew_and_nothing_else() -> None:
    other = replace(B, prefix=32)
    made = lay_out((replace(WEB, vips=(A, other)),), _now(WEB))
    assert made.remade == {"web": frozenset({B.address})}
    assert made.leaving == ()
