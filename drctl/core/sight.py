"""Whether one of our interfaces works: a witness on its segment answers us, or none does."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from drctl.core.value import NEVER_MS, Interface, Timing

STATIONS_KEPT = 64
ASKED_AT_ONCE = 8
TURN_MS = 95
"""Between two that are asked in turn; a heartbeat of 100 ms may be a little early."""


@dataclass(slots=True)
class Station:
    """Somebody on the segment; `answered_ms` is when it last answered us, None for never."""

    mac: str = ""
    answered_ms: int | None = None


class Sight:
    """What one interface sees of its segment.

    With every heartbeat it asks the station that answered last, and, at most every 100 ms, the next
    one in turn, which may have to be asked by broadcast. When none has answered for one and a half
    heartbeats it asks as many as it may, in a burst; when that is not answered either, the card is
    blind, until somebody answers. A card over which a peer was heard since its silence began is not
    before the fence's time has passed: more likely than that is a machine that is busy. Where no
    station is known at all nothing can be said, and it never gets blind.
    """

    __slots__ = ("_asked", "_asking_since_ms", "_has_answer", "_latest", "_next_ask_ms",
                 "_next_turn_ms", "_turn", "beat_ms", "config", "is_blind", "is_up", "proof_ms",
                 "stations", "timing")  # fmt: skip

    def __init__(self, config: Interface, timing: Timing, peers: tuple[str, ...]) -> None:
        self.config = config
        self.timing = timing
        self.stations = {address: Station() for address in (*config.witnesses, *peers)}
        self.is_up = True
        self.is_blind = False
        self.proof_ms = 0
        """When a station answered last, or, before that, when looking began."""
        self.beat_ms = -NEVER_MS
        """When a peer's heartbeat came by this interface last."""
        self._asking_since_ms: int | None = None
        self._asked = 0
        """Rounds of the burst."""
        self._next_ask_ms = 0
        self._next_turn_ms = 0
        self._turn = 0
        self._has_answer = False
        self._latest = ""
        """Who answered last."""

    def use(self, config: Interface, peers: tuple[str, ...], vips: Set[str]) -> None:
        """Other stations may be asked. Those that were only heard stay, unless they are VIPs."""
        named = dict.fromkeys((*config.witnesses, *peers))
        gone = (set(self.config.witnesses) - named.keys()) | vips
        self.config = config
        kept = {address: one for address, one in self.stations.items() if address not in gone}
        self.stations = {address: Station() for address in named} | kept
        self._has_answer = any(one.answered_ms is not None for one in self.stations.values())

    @property
    def is_waived(self) -> bool:
        """No witness was ever named or heard."""
        return not self.stations

    @property
    def is_awaited(self) -> bool:
        """An answer would change something at once."""
        return self.is_blind or self._asking_since_ms is not None or self.is_waived

    def start(self, now_ms: int) -> None:
        self.proof_ms = now_ms

    def has_proof(self, since_ms: int) -> bool:
        """A station answered at or after that instant; true where none is known."""
        return not self.stations or (self._has_answer and self.proof_ms >= since_ms)

    def heard(self, now_ms: int, address: str, mac: str, *, is_answer_to_me: bool) -> None:
        """A frame in which `address` speaks: a new station, or an answer to us."""
        station = self.stations.get(address)
        if station is None:
            if len(self.stations) >= STATIONS_KEPT:
                return
            if not self.stations:
                self.proof_ms = now_ms
            station = self.stations[address] = Station()
        station.mac = mac
        if is_answer_to_me:
            station.answered_ms = now_ms
            self._latest = address
            self._has_answer = True
            self.proof_ms = max(self.proof_ms, now_ms)
            self.is_blind = False
            self._asking_since_ms = None

    def has_mac(self, mac: str) -> bool:
        """The MAC belongs to a station of the segment, so it is no unknown machine's."""
        return any(station.mac == mac for station in self.stations.values())

    def turn(self, now_ms: int) -> tuple[str, ...]:
        """Whom to ask with this heartbeat."""
        if self.is_blind:
            return self.some(ASKED_AT_ONCE)
        if self._latest and now_ms < self._next_turn_ms:
            return (self._latest,)
        self._next_turn_ms = now_ms + TURN_MS
        return self.some(2)

    def some(self, count: int) -> tuple[str, ...]:
        """Up to `count` stations: those which answered last, and the next ones in turn."""
        if len(self.stations) <= count:
            return tuple(self.stations)
        if count <= 2:
            chosen = [max(self.stations, key=self._answered_ms)]
        else:
            known = sorted(self.stations, key=self._answered_ms, reverse=True)
            chosen = known[: (count + 1) // 2]
        rest = [address for address in self.stations if address not in chosen]
        if rest:
            self._turn = (self._turn + 1) % len(rest)
            chosen += (rest[self._turn :] + rest[: self._turn])[: count - len(chosen)]
        return tuple(chosen)

    def _answered_ms(self, address: str) -> int:
        answered_ms = self.stations[address].answered_ms
        return -1 if answered_ms is None else answered_ms

    def step(self, now_ms: int, read_ms: int) -> tuple[str, ...]:
        """Let time pass; whom to ask at once, because nobody answers. No answer that came before
        `read_ms` lies unread."""
        if self.is_blind or not self.stations:
            return ()
        timing = self.timing
        if self._asking_since_ms is None:
            if now_ms - self.proof_ms <= timing.suspect_ms:
                return ()
            self._asking_since_ms = self._next_ask_ms = now_ms
            self._asked = 0
        elif self._is_burst_over(read_ms) and not self._is_patient(now_ms):
            self.is_blind = True
            self._asking_since_ms = None
            return ()
        if now_ms < self._next_ask_ms:
            return ()
        self._next_ask_ms = now_ms + self._gap_ms(now_ms - self._asking_since_ms)
        self._asked += 1
        return self.some(ASKED_AT_ONCE)

    def _gap_ms(self, asking_ms: int) -> int:
        """Until the next round of a burst that lasts so long by now."""
        timing = self.timing
        if asking_ms < timing.confirm_ms:
            return min(timing.confirm_gap_ms, timing.confirm_ms - asking_ms)
        is_enough = self._asked >= timing.confirm_probes
        return timing.confirm_ms if is_enough else timing.confirm_gap_ms

    def _is_burst_over(self, read_ms: int) -> bool:
        """It was asked often enough, and the last round has had its time, however long this process
        was kept from asking, or from reading."""
        assert self._asking_since_ms is not None
        if self._asked < self.timing.confirm_probes or read_ms < self._next_ask_ms:
            return False
        return read_ms - self._asking_since_ms >= self.timing.confirm_ms

    def _is_patient(self, now_ms: int) -> bool:
        timing = self.timing
        if now_ms - self.beat_ms > timing.suspect_ms or now_ms - self.proof_ms > timing.blind_ms:
            return False
        # stations are asked with every heartbeat: a card that died then has heard no beat since
        return self.beat_ms - self.proof_ms > timing.heartbeat_ms

    def wake_ms(self) -> int:
        """When `step` has something to do again."""
        if self.is_blind or not self.stations:
            return NEVER_MS
        if self._asking_since_ms is None:
            return self.proof_ms + self.timing.suspect_ms + 1
        return self._next_ask_ms
