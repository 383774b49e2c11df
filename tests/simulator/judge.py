"""The invariants, judged on the simulated kernels at every change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.referee import GATEWAY, LEASE

if TYPE_CHECKING:
    from simulator.director import Director
    from simulator.world import World

SLACK_US = 25_000


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that was broken, with the instant and the circumstances."""

    invariant: str
    at_us: int
    text: str

    def __str__(self) -> str:
        return f"{self.invariant} at {self.at_us / 1000:.3f} ms: {self.text}"


@dataclass(slots=True)
class Judge:
    """Watches one world. `excused_until_us` maps a reason to the end of its excuse."""

    world: World
    violations: list[Violation] = field(default_factory=list)
    excused_until_us: dict[str, int] = field(default_factory=dict)
    healed_at_us: int = -(1 << 60)
    is_seamless: bool = False
    """Nothing but a planned switchover happens."""
    claims: dict[tuple[str, str], int] = field(default_factory=dict)
    takeovers: list[tuple[int, str, str]] = field(default_factory=list)
    changes: list[tuple[str, str]] = field(default_factory=list)
    """Of roles, before and after."""
    _double_since_us: dict[str, int] = field(default_factory=dict)
    _is_polling: bool = False

    def blame(self, invariant: str, text: str) -> None:
        self.violations.append(Violation(invariant, self.world.now_us, text))

    def excuse(self, reason: str, span_us: int) -> None:
        """Two may answer for that long from now on: the protocol promises no more."""
        end_us = self.world.now_us + span_us
        self.excused_until_us[reason] = max(self.excused_until_us.get(reason, 0), end_us)
        self.healed_at_us = self.world.now_us

    def look(self) -> None:
        """Safety: on one side of a segment at most one director answers for a VIP."""
        is_double = self._look_across()
        for vip in self.world.vips:
            for holders in self.world.answerers(vip):
                if len(holders) > 1:
                    is_double = True
                    self._see_double(vip, holders)
                    break
            else:
                self._double_since_us.pop(vip, None)
        if self.is_seamless:
            self._look_for_gap()
        if is_double and not self._is_polling:
            self._is_polling = True
            self.world.after(1000, self._poll)

    def _look_across(self) -> bool:
        """With an arbiter no two answer on different sides of a cut either. Of who was stopped only
        one that lends groups knows."""
        kind = self.world.topology.arbiter
        if not kind or not self.world.is_cut:
            return False
        for vip in self.world.vips:
            holders = [
                name
                for side in self.world.answerers(vip)
                for name in side
                if kind == LEASE or not self._is_helpless(self.world.directors[name])
            ]
            if len(holders) > 1:
                self._see_double(vip, holders)
                return True
        return False

    def _poll(self) -> None:
        self._is_polling = False
        self.look()

    def _see_double(self, vip: str, holders: list[str]) -> None:
        now_us = self.world.now_us
        since_us = self._double_since_us.setdefault(vip, now_us)
        if self._is_excused():
            return
        if self._is_unfenced_switchover(holders, now_us - since_us) or self._is_leased(holders):
            return
        if self._is_kept_in_a_cut(holders, now_us - since_us) or self._is_kept_bare(holders):
            return
        text = f"{' and '.join(holders)} answer for {vip}"
        if not any(v.text == text for v in self.violations):
            self.blame("safety", text)

    def _is_excused(self) -> bool:
        """What two have to find out by asking takes longer when frames are lost."""
        now_us, patience_us = self.world.now_us, 2000 * self.world.timing.heartbeat_ms
        lost_us = patience_us if now_us - self.world.lost_at_us <= patience_us else 0
        return any(
            now_us <= end_us + (0 if reason == "flush" else lost_us)
            for reason, end_us in self.excused_until_us.items()
        )

    def _is_helpless(self, director: Director) -> bool:
        """It does not run, goes on just now, or was started a moment ago and listens."""
        listen_us = 4000 * self.world.timing.heartbeat_ms
        if self.world.now_us - director.resumed_at_us < SLACK_US:
            return True
        return not director.is_running or self.world.now_us - director.started_at_us < listen_us

    def _is_leased(self, holders: list[str]) -> bool:
        """Both held it with a cut between them, and one can do nothing since: its lease ends."""
        timing = self.world.timing
        for name in holders:
            director = self.world.directors[name]
            if not self._is_helpless(director):
                continue
            if director.kernel.flushed and director.kernel.table is None:
                # the fence had closed, and somebody took it away: what is left is the lease
                return True
            is_fenced = timing.has_fence and not director.kernel.flushed
            lease_ms = timing.fence_ms if is_fenced else timing.lease_ms + 500
            if self.world.now_us - self.healed_at_us <= lease_ms * 1000:
                return True
        return False

    def _is_kept_in_a_cut(self, holders: list[str], span_us: int) -> bool:
        """A reference point cannot know of who was killed while he was cut off, and started again
        before his fence had closed: he keeps what he finds while he listens, and after the heal two
        answer for as long as without an arbiter."""
        if self.world.topology.arbiter != GATEWAY:
            return False
        return span_us <= self._asking_us() and any(
            director.run > 1 and self._is_helpless(director)
            for director in map(self.world.directors.__getitem__, holders)
        )

    def _is_kept_bare(self, holders: list[str]) -> bool:
        """The fence of a dead director was taken away, so that it answered; started again before
        its lease had ended, it keeps what it finds until it has asked."""
        return any(
            director.is_found_bare
            and self.world.now_us - director.started_at_us <= self._asking_us()
            for director in map(self.world.directors.__getitem__, holders)
        )

    def _asking_us(self) -> int:
        """Two that answer have found each other by then."""
        timing = self.world.timing
        return (timing.heartbeat_ms + timing.confirm_ms + 10) * 1000 + 4 * self.world.slowest_us

    def _is_unfenced_switchover(self, holders: list[str], span_us: int) -> bool:
        """Without a fence the yielding director cannot be silent: both answer for the overlap. One
        that is killed or stopped meanwhile, with its guard, answers for as long as its lease."""
        timing = self.world.timing
        directors = [self.world.directors[name] for name in holders]
        limit_us = timing.overlap_ms * 1000 + 2 * self.world.slowest_us + SLACK_US
        # one that was stopped tells of itself, and hears of the other, when it goes on
        span_us = min(span_us, *(self.world.now_us - one.resumed_at_us for one in directors))
        for director in directors:
            since_us = self.world.now_us - director.yielded_at_us
            is_recent = since_us <= (timing.handover_ms + timing.lease_ms + 500) * 1000
            may_us = limit_us + self._unaware_us(director, directors)
            is_bounded = span_us <= may_us or self._is_helpless(director)
            if is_recent and director.kernel.table is None and is_bounded:
                return True
        return False

    def _unaware_us(self, director: Director, directors: list[Director]) -> int:
        """How much later the overlap may begin when the announcement did not reach the one that
        yields, or the other was stopped before he made it: it asks with every heartbeat when the
        other is silent, and one answer may be lost too."""
        timing = self.world.timing
        is_told = director.missed_at_us < director.yielded_at_us
        if is_told and all(each is director or each.is_running for each in directors):
            return 0
        return (timing.suspect_ms + 2 * timing.heartbeat_ms) * 1000

    def _can_be_answered(self, node: str, group: str) -> bool:
        """Another director has some of the VIPs that this one takes. Between two reloads that
        exchange them all nobody has: then no answer tells that the other is well, whose beats are
        late."""
        used = {
            name: frozenset(
                address
                for one in each.node.settings.groups
                if name != node or one.name == group
                for address in one.addresses
            )
            for name, each in self.world.directors.items()
            if each.node is not None
        }
        own = used.pop(node, frozenset())
        return any(own & each for each in used.values())

    # what the directors report

    def claimed(self, node: str, group: str, epoch: int) -> None:
        """Monotony: a director's epochs only grow, over restarts too."""
        self.takeovers.append((self.world.now_us, node, group))
        self.world.is_moving |= not self._can_be_answered(node, group)
        known = self.claims.get((node, group), 0)
        if epoch <= known:
            self.blame("monotony", f"{node} claims {group} with epoch {epoch} after {known}")
        self.claims[node, group] = max(known, epoch)

    def announced(self, node: str, vip: str) -> None:
        """Announcements pass the fence: who makes one must be answering, and be allowed to.
        One from whom somebody has just taken the address cannot know that yet."""
        director = self.world.directors[node]
        is_answering = director.kernel.answers(vip, director.clock_us())
        if not is_answering and vip not in director.robbed:
            self.blame("announcement", f"{node} announces {vip} without answering for it")

    def installed(self, node: str, vip: str) -> None:
        """The guard knows of an address before the kernel does."""
        director = self.world.directors[node]
        if director.guard.is_alive and vip not in director.guard.addresses:
            self.blame("guard", f"{node} installs {vip}, which its guard does not know")

    # what must hold when things have been calm for long enough

    def check_liveness(self) -> None:
        """With a healthy director every VIP is answered for."""
        is_settled = all(map(self.world.has_latest, self.world.directors))
        for group in self.world.groups:
            if not self.world.healthy(group):
                continue
            for vip in sorted(
                group.addresses if is_settled else group.addresses & self.world.steady
            ):
                if not any(self.world.answerers(vip)):
                    self.blame("liveness", f"nobody answers for {vip}")
                    break

    def check_gone(self) -> None:
        """Nobody answers for what is no VIP any more."""
        if not all(map(self.world.has_latest, self.world.directors)):
            return
        wanted = frozenset[str]().union(*(group.addresses for group in self.world.groups))
        for vip in self.world.vips:
            if vip not in wanted and any(self.world.answerers(vip)):
                self.blame("gone", f"{vip} is answered for, and is no VIP any more")

    def check_isolation(self, node: str, group: str, vips: frozenset[str]) -> None:
        """A director without any way to the segment has let go."""
        director = self.world.directors[node]
        for vip in sorted(vips):
            if director.kernel.answers(vip, director.clock_us()):
                self.blame("isolation", f"{node} still answers for {vip} of {group}, cut off")
                return

    def _look_for_gap(self) -> None:
        """In a planned switchover somebody accepts packets at every instant."""
        for vip in self.world.steady:
            if not self.world.is_accepted(vip):
                self.blame("seamless", f"nobody accepts packets for {vip}")
                self.is_seamless = False
                return

    def check_quiet(self, since_us: int) -> None:
        """No takeover without a fault."""
        for at_us, node, group in self.takeovers:
            if at_us >= since_us:
                self.blame("quiet", f"{node} took {group} at {at_us / 1000:.0f} ms without a fault")
                return
