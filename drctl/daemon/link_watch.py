"""Which heartbeat links are down, told calmly: a link that comes and goes is told ever more seldom.

The failover goes by beats, and does not wait for this; a link that is down while another one
carries the heartbeat moves nothing, and so nobody would learn of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from drctl.core.peer import PeerView

GRACE_MS = 10_000
"""So long a link that was never up may take: the peer may be starting too."""
DOWN_MS = 1000
"""So long a link is down before that is told: one that is made anew, as when a key changes, is
back before; and at least so many heartbeats:"""
DOWN_BEATS = 5
CALM_MS = 2000
"""So long a link has to stay up before that is told."""
CALM_MOST_MS = 300_000
"""What that grows to, by doubling, for a link that falls again and again."""
FORGIVEN_MS = 600_000
"""A link that stayed up for so long begins anew."""

Name = tuple[str, str]
"""Peer and link."""


@dataclass(frozen=True, slots=True)
class LinkNews:
    """A link is down, or up again. `was_up`: it has been up before; `is_denied`: something answers
    at the peer's address, but not as the peer."""

    peer: str
    link: str
    is_up: bool
    was_up: bool
    is_denied: bool = False

    def __str__(self) -> str:
        """For people."""
        if self.is_up:
            return f"{self.peer} is heard over {self.link} again"
        since = "" if self.was_up else ", and never was"
        why = "; what answers there has another key, or is no drctl" if self.is_denied else ""
        return f"{self.peer} is not heard over {self.link}{since}{why}"


@dataclass(slots=True)
class _Watched:
    is_up: bool
    since_ms: int
    was_up: bool = False
    is_denied: bool = False
    is_down_told: bool = False
    falls: int = 0
    calm_ms: int = CALM_MS
    told_up_ms: int = 0


class LinkWatch:
    """All links of a node."""

    def __init__(self) -> None:
        self._watched: dict[Name, _Watched] = {}

    def look(self, now_ms: int, peers: Mapping[str, PeerView]) -> Iterator[LinkNews]:
        """What is to be told. Links that are configured no more are forgotten."""
        present: dict[Name, _Watched] = {}
        for node, peer in peers.items():
            beats_ms = DOWN_BEATS * peer.timing.heartbeat_ms
            for link in peer.links:
                is_up = peer.is_link_up(link, now_ms)
                watched = self._watched.get((node, link)) or _Watched(is_up, now_ms)
                present[node, link] = watched
                if is_up is not watched.is_up:
                    watched.is_up, watched.since_ms = is_up, now_ms
                if _is_news(watched, now_ms, max(DOWN_MS, beats_ms)):
                    yield _news((node, link), watched)
                watched.was_up = watched.was_up or is_up
                watched.is_denied = watched.is_denied and not is_up
        self._watched = present

    def deny(self, peer: str, link: str) -> None:
        """Our connection over the link was refused."""
        if (watched := self._watched.get((peer, link))) is not None:
            watched.is_denied = True

    def down(self) -> list[LinkNews]:
        """Those that were told to be down, and not to be up since."""
        return [
            replace(_news(name, watched), is_up=False)
            for name, watched in self._watched.items()
            if watched.is_down_told
        ]

    def falls(self) -> dict[Name, int]:
        """How often each was told to be down."""
        return {name: watched.falls for name, watched in self._watched.items()}


def _news(name: Name, watched: _Watched) -> LinkNews:
    return LinkNews(*name, watched.is_up, watched.was_up, watched.is_denied)


def _is_news(watched: _Watched, now_ms: int, down_ms: int) -> bool:
    """Whether it is to be told now, which is noted."""
    lasts_ms = now_ms - watched.since_ms
    if watched.is_up:
        if not watched.is_down_told or lasts_ms < watched.calm_ms:
            return False
        watched.is_down_told = False
        watched.told_up_ms = now_ms
        return True
    if watched.is_down_told or lasts_ms < (down_ms if watched.was_up else GRACE_MS):
        return False
    is_forgiven = watched.since_ms - watched.told_up_ms >= FORGIVEN_MS
    is_first = not watched.falls or is_forgiven
    watched.calm_ms = CALM_MS if is_first else min(2 * watched.calm_ms, CALM_MOST_MS)
    watched.is_down_told = True
    watched.falls += 1
    return True
