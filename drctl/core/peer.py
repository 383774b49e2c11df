"""What this node knows of another director: whether it lives, and what it said last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from drctl.core.beat import Beat, GroupBeat
from drctl.core.role import YIELDING
from drctl.core.value import Peer, Timing

OLD_BOOTS_KEPT = 8
MACS_KEPT = 256


@dataclass(slots=True)
class LinkView:
    """One heartbeat path: when a beat came by it last, and whether the connection stands."""

    heard_ms: int | None = None
    is_connected: bool = False


class PeerView:
    """A peer, judged by its beats.

    A beat proves life only when it echoes something that was sent to the peer lately: then it
    cannot be older than that. Whatever a stale beat says is from an unknown past.
    """

    __slots__ = (
        "_hands_over",
        "_old_boots",
        "_sent",
        "beat",
        "beat_after_ms",
        "boot",
        "config",
        "fresh_until_ms",
        "groups",
        "heard_ms",
        "is_gone",
        "late_from_ms",
        "links",
        "macs",
        "newest",
        "sequence",
        "timing",
    )

    def __init__(self, config: Peer, timing: Timing) -> None:
        self.config = config
        self.timing = timing
        self.links = {link.name: LinkView() for link in config.links}
        self.beat: Beat | None = None
        self.groups: dict[str, GroupBeat] = {}
        self.heard_ms: int | None = None
        self.fresh_until_ms = 0
        """It lives, as far as beats can tell, before this instant."""
        self.late_from_ms = 0
        """Its next beat is late from this instant on."""
        self.is_gone = True
        """Every connection to it ended: most likely its process did."""
        self.beat_after_ms = 0
        """The last fresh beat was sent after this instant of our own clock."""
        self.boot = 0
        self.sequence = 0
        self.macs: dict[str, None] = {}
        """By which it may answer; the one that was heard of last is the last."""
        self.newest = 1
        """The newest version of the heartbeat that it is known to understand."""
        self._hands_over = False
        """It hands a group over, as it said last."""
        self._sent: dict[int, int] = {}
        self._old_boots: list[int] = []

    def is_fresh(self, now_ms: int) -> bool:
        """It lives, as far as beats can tell."""
        return now_ms < self.fresh_until_ms

    def is_link_up(self, link: str, now_ms: int) -> bool:
        """Beats come by it."""
        view = self.links[link]
        is_heard = view.heard_ms is not None and now_ms - view.heard_ms <= self.timing.stale_ms
        return view.is_connected and is_heard

    def _judge(self) -> None:
        """Whether it lives, after what is known of it has changed."""
        if self.heard_ms is None or self.is_gone:
            self.fresh_until_ms = self.late_from_ms = 0
        else:
            timing = self.timing
            self.fresh_until_ms = self.heard_ms + timing.suspect_ms + 1
            self.late_from_ms = max(
                self.heard_ms + timing.late_ms, self.fresh_until_ms - timing.confirm_ms
            )

    def use(self, config: Peer, timing: Timing) -> None:
        """Other links, or another timing."""
        self.config = config
        self.timing = timing
        known = {link.name: self.links.get(link.name, LinkView()) for link in config.links}
        if known != self.links:
            self.links = known
            self.is_gone = not any(view.is_connected for view in known.values())
        self._judge()

    def sent(self, sequence: int, now_ms: int) -> None:
        """A beat with that sequence is being sent to it."""
        self._sent[sequence] = now_ms
        while True:
            oldest = next(iter(self._sent))
            if now_ms - self._sent[oldest] <= self.timing.stale_ms:
                return
            del self._sent[oldest]

    def echoed_ms(self, beat: Beat, my_boot: int, now_ms: int) -> int | None:
        """When the beat that it echoes was sent; None when that is too long ago, or unknown."""
        if beat.echo_boot != my_boot:
            return None
        sent_ms = self._sent.get(beat.echo)
        if sent_ms is None or now_ms - sent_ms > self.timing.stale_ms:
            return None
        return sent_ms

    def is_news(self, beat: Beat) -> bool:
        """The beat is later than all that came before; remembers it as the one to echo."""
        if beat.boot != self.boot:
            if beat.boot in self._old_boots:
                return False
            self._old_boots = [*self._old_boots[1 - OLD_BOOTS_KEPT :], self.boot]
            self.boot = beat.boot
            self.sequence = 0
            self.newest = beat.newest
        if beat.sequence <= self.sequence:
            return False
        self.sequence = beat.sequence
        self.newest = max(self.newest, beat.newest)
        return True

    def versions(self, mine: int) -> tuple[int, ...]:
        """In which to send it a beat, the newest one first."""
        return (mine,) if mine == 1 or self.newest >= mine else (mine, mine - 1)

    def learn(self, beat: Beat, now_ms: int, sent_after_ms: int) -> bool:
        """Take over what a fresh beat says; false when it says of the groups, and of the
        configuration, what the one before said, and hands nothing over."""
        before = self.beat
        has_changed = before is None or beat.groups != before.groups
        if has_changed:
            self.groups = {group.name: group for group in beat.groups}
            self._hands_over = any(group.role is YIELDING for group in beat.groups)
        self.beat = beat
        self.heard_ms = now_ms
        self.beat_after_ms = sent_after_ms
        if before is None or beat.macs != before.macs:
            self.know(beat.macs)
        self._judge()
        has_changed = has_changed or before is None or beat.digest != before.digest
        return has_changed or self._hands_over

    def know(self, macs: Iterable[str]) -> None:
        """These are its own. Former ones are remembered: it may not know yet what was changed."""
        for mac in macs:
            self.macs.pop(mac, None)
            self.macs[mac] = None
        while len(self.macs) > MACS_KEPT:
            del self.macs[next(iter(self.macs))]

    def link_heard(self, link: str, now_ms: int) -> None:
        view = self.links.setdefault(link, LinkView())
        view.heard_ms = now_ms
        if not view.is_connected:
            view.is_connected = True
            self.is_gone = False
            self._judge()

    def link_lost(self, link: str) -> None:
        self.links.setdefault(link, LinkView()).is_connected = False
        self.is_gone = not any(view.is_connected for view in self.links.values())
        self._judge()
