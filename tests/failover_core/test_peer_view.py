"""When a beat proves that a peer lives, and when it is only from the past."""

from __future__ import annotations

from drctl.core.beat import Beat
from drctl.core.peer import PeerView
from drctl.core.value import Link, Peer, Timing

TIMING = Timing(heartbeat_ms=100)
BOOT = 77


def peer() -> PeerView:
    return PeerView(Peer("lb2", (Link("a"), Link("b"))), TIMING)


def hear(view: PeerView, beat: Beat, now_ms: int, link: str = "a") -> bool:
    """What the node does with a beat; whether it proved life."""
    view.link_heard(link, now_ms)
    if not view.is_news(beat):
        return False
    sent_ms = view.echoed_ms(beat, BOOT, now_ms)
    if sent_ms is None:
        return False
    view.learn(beat, now_ms, sent_ms)
    return True


def test_peer_echo_of_a_late_beat_proves_life() -> None:
    view = peer()
    view.sent(1, 1000)
    assert hear(view, Beat("lb2", 5, 1, BOOT, 1), 1050)
    assert view.is_fresh(1200)
    assert not view.is_fresh(1201)


def test_peer_echo_older_than_three_heartbeats_proves_nothing() -> None:
    view = peer()
    view.sent(1, 1000)
    view.sent(2, 1290)
    assert not hear(view, Beat("lb2", 5, 1, BOOT, 1), 1301)
    assert not view.is_fresh(1301)


def test_peer_echo_of_another_boot_proves_nothing() -> None:
    view = peer()
    view.sent(1, 1000)
    assert not hear(view, Beat("lb2", 5, 1, BOOT + 1, 1), 1001)


def test_peer_beat_without_an_echo_proves_nothing() -> None:
    view = peer()
    view.sent(1, 1000)
    assert not hear(view, Beat("lb2", 5, 1), 1001)


def test_peer_same_beat_by_another_link_is_no_news() -> None:
    view = peer()
    view.sent(1, 1000)
    beat = Beat("lb2", 5, 1, BOOT, 1)
    assert hear(view, beat, 1001)
    assert not hear(view, beat, 1002, "b")
    assert view.links["b"].is_connected


def test_peer_beat_of_an_earlier_boot_is_no_news() -> None:
    view = peer()
    view.sent(1, 1000)
    assert view.is_news(Beat("lb2", 5, 9))
    assert view.is_news(Beat("lb2", 6, 1))
    assert not view.is_news(Beat("lb2", 5, 10))


def test_peer_all_connections_ended_is_silent_at_once() -> None:
    view = peer()
    view.sent(1, 1000)
    hear(view, Beat("lb2", 5, 1, BOOT, 1), 1001)
    hear(view, Beat("lb2", 5, 2, BOOT, 1), 1002, "b")
    view.link_lost("a")
    assert view.is_fresh(1003)
    view.link_lost("b")
    assert not view.is_fresh(1003)
    assert view.is_gone
