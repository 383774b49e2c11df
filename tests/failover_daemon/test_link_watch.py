"""A heartbeat link that is down is told once, also when it comes and goes."""

from __future__ import annotations

from collections.abc import Callable

from drctl.core.peer import PeerView
from drctl.core.value import Link, Peer, Timing
from drctl.daemon.link_watch import CALM_MS, DOWN_MS, FORGIVEN_MS, GRACE_MS, LinkNews, LinkWatch

STEP_MS = 50


class Watching:
    """A watch that looks every 50 ms at a peer with two links."""

    def __init__(self, heartbeat_ms: int = 100) -> None:
        self.peer = PeerView(Peer("lb2", (Link("a"), Link("b"))), Timing(heartbeat_ms))
        self.watch = LinkWatch()
        self.now_ms = 0

    def pass_time(self, for_ms: int, is_up: Callable[[str, int], bool]) -> list[LinkNews]:
        """Let beats come by the links that are up, as `is_up` says of a link and an instant."""
        found: list[LinkNews] = []
        for _ in range(for_ms // STEP_MS):
            self.now_ms += STEP_MS
            for link in ("a", "b"):
                if is_up(link, self.now_ms):
                    self.peer.link_heard(link, self.now_ms)
            found += self.watch.look(self.now_ms, {"lb2": self.peer})
        return found


def test_link_dies_beside_a_living_one_is_told_once_and_again_when_it_is_back() -> None:
    watching = Watching()
    assert watching.pass_time(1000, lambda *_: True) == []
    assert watching.pass_time(DOWN_MS, lambda link, _: link == "a") == []
    (down,) = watching.pass_time(60_000, lambda link, _: link == "a")
    assert (down.peer, down.link, down.is_up, str(down)) == (
        "lb2", "b", False, "lb2 is not heard over b")  # fmt: skip
    assert watching.watch.down() == [down]
    (up,) = watching.pass_time(CALM_MS + STEP_MS, lambda *_: True)
    assert (up.link, up.is_up) == ("b", True)
    assert watching.watch.down() == []
    assert watching.watch.falls() == {("lb2", "a"): 0, ("lb2", "b"): 1}


def test_short_break_is_not_told() -> None:
    watching = Watching()
    watching.pass_time(1000, lambda *_: True)
    assert watching.pass_time(DOWN_MS, lambda *_: False) == []
    assert watching.pass_time(10_000, lambda *_: True) == []


def test_long_heartbeat_makes_longer_breaks_short() -> None:
    watching = Watching(heartbeat_ms=1000)
    watching.pass_time(1000, lambda *_: True)
    assert watching.pass_time(7000, lambda *_: False) == []
    assert len(watching.pass_time(3000, lambda *_: False)) == 2


def test_peer_that_was_never_heard_is_told_after_a_grace_time() -> None:
    watching = Watching()
    assert watching.pass_time(GRACE_MS, lambda *_: False) == []
    news = watching.pass_time(1000, lambda *_: False)
    assert [str(one) for one in news] == [
        "lb2 is not heard over a, and never was",
        "lb2 is not heard over b, and never was",
    ]


def test_link_that_comes_and_goes_for_an_hour_is_told_a_few_times() -> None:
    watching = Watching()
    watching.pass_time(1000, lambda *_: True)
    news = watching.pass_time(3_600_000, lambda link, at_ms: link == "a" or at_ms % 10_000 < 6000)
    assert 1 <= len(news) <= 8, news
    assert not news[-1].is_up
    # a link that has been well for long is believed sooner
    watching.pass_time(600_000, lambda *_: True)
    watching.pass_time(FORGIVEN_MS, lambda *_: True)
    assert len(watching.pass_time(5000, lambda link, _: link == "a")) == 1
    assert len(watching.pass_time(CALM_MS + 2 * STEP_MS, lambda *_: True)) == 1


def test_link_that_was_refused_says_so_until_it_is_up() -> None:
    watching = Watching()
    watching.pass_time(1000, lambda *_: True)
    watching.watch.deny("lb2", "b")
    watching.pass_time(5000, lambda link, _: link == "a")
    assert str(watching.watch.down()[0]) == "lb2 is not heard over b"
    watching.watch.deny("lb2", "b")
    assert str(watching.watch.down()[0]).endswith(
        "; what answers there has another key, or is no drctl"
    )


def test_link_that_is_configured_no_more_is_forgotten() -> None:
    watching = Watching()
    watching.pass_time(1000, lambda *_: True)
    watching.pass_time(5000, lambda link, _: link == "a")
    watching.peer.use(Peer("lb2", (Link("a"),)), watching.peer.timing)
    assert watching.pass_time(1000, lambda link, _: link == "a") == []
    assert watching.watch.down() == []
