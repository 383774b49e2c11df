"""A host answers by any of its cards, and their hardware addresses change."""

from __future__ import annotations

from drctl.core.action import Action, Announce, SendBeat
from drctl.core.beat import Beat
from drctl.core.event import FrameHeard, MacsChanged, Outcome, Settled, Started, TimeCame
from drctl.core.node import Node
from drctl.core.peer import MACS_KEPT, PeerView
from drctl.core.role import Role
from drctl.core.value import Group, Interface, Link, Peer, Settings, Timing, Vip
from drctl.core.wire import MACS_LIMIT, decode, encode

OWN, OTHER, NEW = (f"02:00:00:00:00:0{number}" for number in (1, 2, 3))
VIP = "192.0.2.100"


def feed(node: Node, event: object) -> list[Action]:
    """One event, and that all came off that was wanted."""
    waiting, done = [event], []
    while waiting:
        for action in node.feed(waiting.pop(0)):  # type: ignore[arg-type]
            done.append(action)
            if (number := getattr(action, "number", None)) is not None:
                waiting.append(Settled(event.now_ms, number, Outcome.DONE))  # type: ignore[attr-defined]
    return done


def active_node(until_ms: int = 10_000) -> Node:
    """A director alone, that has announced its VIP for the last time."""
    group = Group("web", (Vip(VIP, 24, "eth0"),), ("eth0",))
    card = Interface("eth0", (OWN,))
    node = Node(Settings("lb1", (group,), (Peer("lb2", (Link("a"),)),), (card,)))
    feed(node, Started(1000, 7))
    while node.deadline_ms <= until_ms:
        feed(node, TimeCame(node.deadline_ms))
    assert node.groups["web"].role is Role.ACTIVE
    return node


def beat_of(done: list[Action]) -> Beat:
    return next(each.beat for each in done if isinstance(each, SendBeat))


def test_macs_of_all_cards_stand_in_the_next_beat_at_once() -> None:
    node = active_node()
    done = feed(node, MacsChanged(10_001, (("eth0", OWN), ("eth1", OTHER))))
    assert beat_of(done).macs == (OWN, OTHER)
    assert Announce not in map(type, done)


def test_mac_of_a_card_with_vips_changed_announces_them() -> None:
    node = active_node()
    done = feed(node, MacsChanged(10_001, (("eth0", NEW), ("eth1", OTHER))))
    assert [each.group for each in done if isinstance(each, Announce)] == ["web"]
    assert beat_of(done).macs == (NEW, OTHER)


def test_answer_by_another_card_of_this_host_is_no_strangers() -> None:
    node = active_node()
    feed(node, MacsChanged(10_001, (("eth0", OWN), ("eth1", OTHER))))
    assert feed(node, FrameHeard(10_002, "eth0", VIP, OTHER, VIP, is_answer_to_me=True)) == []


def test_more_macs_than_a_beat_has_room_for_begin_with_those_of_the_vips() -> None:
    node = active_node()
    many = tuple((f"veth{number}", f"02:00:00:00:01:{number:02x}") for number in range(100))
    beat = beat_of(feed(node, MacsChanged(10_001, (*many, ("eth0", NEW)))))
    assert (len(beat.macs), beat.macs[0]) == (MACS_LIMIT, NEW)
    assert decode(encode(beat)) == beat


def test_peer_keeps_former_macs_but_not_without_end() -> None:
    view = PeerView(Peer("lb2", (Link("a"),)), Timing())
    for number in range(MACS_KEPT):
        view.know((f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}",))
    view.know(("02:00:00:00:00:00",))
    view.know(("02:00:00:00:ff:ff",))
    assert len(view.macs) == MACS_KEPT
    assert "02:00:00:00:00:00" in view.macs
    assert "02:00:00:00:00:01" not in view.macs
