"""An arbiter: a reference point that vouches for who reaches it, or a cluster that lends VIPs.

It stands on the first side of the first segment, and answers at once to who asks it from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drctl.core.value import Timing
    from simulator.director import Director
    from simulator.world import World

GATEWAY, LEASE = "gateway", "lease"
SIDE = 0
DELAY_US = (100, 3000)
AGAIN_US = 50_000


@dataclass(slots=True)
class Key:
    """Who may have a VIP; it ends with the lease, a run of the director's that wrote it."""

    value: str
    lease: tuple[str, int]
    until_us: int


@dataclass(slots=True)
class Agent:
    """What asks the cluster for one director: a process of its own. `heard_us` is when it heard of
    the controller last, by the director's clock."""

    run: int = 0
    wanted: dict[tuple[str, ...], str] = field(default_factory=dict)
    turn: int = 0
    mine: set[str] = field(default_factory=set)
    arrival_us: int = 0

    def wanted_by(self, name: str) -> set[str]:
        return {vip for vips, holder in self.wanted.items() if holder == name for vip in vips}


class Referee:
    """The arbiter of one world, with an agent for each director."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kind = world.topology.arbiter
        self.interval_ms = world.timing.heartbeat_ms
        self.hold_ms = 4 * self.interval_ms
        self.keys: dict[str, Key] = {}
        self.agents: dict[str, Agent] = {}

    @property
    def longest_ms(self) -> int:
        """By how much a takeover may be later, because of it."""
        if self.kind == LEASE:
            return 500 + max(map(self.ttl_ms, self.world.directors.values()))
        return 3 * self.hold_ms

    def lag_ms(self, director: Director) -> int:
        """How long its kernel goes on answering without the controller."""
        timing: Timing = director.timing
        return timing.fence_ms if timing.has_fence else timing.lease_ms + 500

    def ttl_ms(self, director: Director) -> int:
        return 3 * self.lag_ms(director)

    def reaches(self, name: str) -> bool:
        port = self.world.segments[self.world.topology.services[0]].ports[name]
        return port.is_whole and port.side == SIDE

    # a controller

    def started(self, director: Director) -> None:
        """A controller begins, and what asks for it."""
        agent = Agent(director.run)
        self.agents[director.name] = agent
        if self.kind == GATEWAY:
            self._echo(director, agent, 0)
        elif self.kind == LEASE:
            self._tend(director, agent)

    def asked(self, director: Director, vips: tuple[str, ...], holder: str) -> None:
        """The controller says who is to have what."""
        agent = self.agents[director.name]
        agent.turn += 1
        if holder:
            agent.wanted[vips] = holder
        else:
            agent.wanted.pop(vips, None)
        self._later(self._work, director, agent)

    def _later(self, function: Any, *arguments: Any) -> None:
        self.world.after(self.world.random.randint(*DELAY_US), function, *arguments)

    def _report(
        self, director: Director, agent: Agent, until_ms: int, vips: Iterable[str] = ("",)
    ) -> None:
        """A word arrives, in the order in which words were said."""
        delay_us = self.world.random.randint(*DELAY_US)
        agent.arrival_us = max(agent.arrival_us + 1, self.world.now_us + delay_us)
        told = tuple(sorted(vips))
        self.world.at(agent.arrival_us, self._arrives, director, agent, agent.turn, until_ms, told)

    def _arrives(
        self, director: Director, agent: Agent, turn: int, until_ms: int, vips: tuple[str, ...]
    ) -> None:
        if director.node is None or director.run != agent.run:
            return
        if until_ms and self.kind == LEASE and turn != agent.turn:
            return
        director.put(self.world.core.event.ArbiterReported(0, until_ms, vips))

    # a reference point

    def _echo(self, director: Director, agent: Agent, missed: int) -> None:
        """The controller itself asks."""
        if director.node is None or director.run != agent.run:
            return
        self.world.after(self.interval_ms * 1000, self._next, director, agent, missed)
        if not director.is_running:
            return
        if self.reaches(director.name):
            self._report(director, agent, director.now_ms() + self.hold_ms)
        elif missed == self.hold_ms // self.interval_ms:
            self._report(director, agent, 0)

    def _next(self, director: Director, agent: Agent, missed: int) -> None:
        self._echo(director, agent, 0 if self.reaches(director.name) else missed + 1)

    # a cluster

    def _tend(self, director: Director, agent: Agent) -> None:
        if self.agents[director.name] is agent:
            self._work(director, agent)
            self.world.after(AGAIN_US, self._tend, director, agent)

    def _work(self, director: Director, agent: Agent) -> None:
        if director.is_frozen or self.agents[director.name] is not agent:
            return
        lease = (director.name, agent.run)
        is_over = director.node is None or director.run != agent.run
        if is_over or director.is_paused:
            # the kernel lets go by itself in that time
            self.world.after(
                self.lag_ms(director) * 1020, self._rest, director, agent, self.world.now_us
            )
            return
        self._lose(director, agent, agent.mine - agent.wanted_by(director.name))
        if not self.reaches(director.name):
            return
        now_us = self.world.now_us
        for key in self.keys.values():
            if key.lease == lease and now_us < key.until_us:
                key.until_us = now_us + self.ttl_ms(director) * 1000
        until_ms = director.now_ms() + self.ttl_ms(director) * 99 // 100 - self.lag_ms(director)
        still = {vip for vip in agent.mine if self._is_lent(vip, director.name, lease)}
        self._lose(director, agent, agent.mine - still)
        if still:
            self._report(director, agent, until_ms, still)
        self._write(director, agent, until_ms)

    def _is_lent(self, vip: str, name: str, lease: tuple[str, int]) -> bool:
        found = self._key(vip)
        return found is not None and (found.value, found.lease) == (name, lease)

    def _write(self, director: Director, agent: Agent, until_ms: int) -> None:
        lease, name = (director.name, agent.run), director.name
        kept = agent.wanted_by(name)
        others = {vip: holder for vips, holder in agent.wanted.items() for vip in vips}
        for vip, key in list(self.keys.items()):
            if vip in kept or key.lease != lease or self._key(vip) is None:
                continue
            if vip in others:
                key.value = others[vip]
            else:
                del self.keys[vip]
        end_us = self.world.now_us + self.ttl_ms(director) * 1000
        for vips, holder in sorted(agent.wanted.items()):
            missing = [vip for vip in vips if vip not in agent.mine]
            found = [self._key(vip) for vip in missing]
            if holder != name or not missing:
                continue
            if any(key and key.lease != lease and key.value != name for key in found):
                continue
            self.keys.update((vip, Key(name, lease, end_us)) for vip in missing)
            agent.mine.update(missing)
            self._report(director, agent, until_ms, missing)

    def _lose(self, director: Director, agent: Agent, vips: Iterable[str]) -> None:
        lost = sorted(vips)
        agent.mine.difference_update(lost)
        if lost:
            self._report(director, agent, 0, lost)

    def _rest(self, director: Director, agent: Agent, since_us: int) -> None:
        """The controller is gone, or was stopped, for all that time: everything is given back."""
        is_over = director.node is None or director.run != agent.run
        if not (is_over or (director.is_paused and director.paused_at_us <= since_us)):
            return
        if director.is_frozen or not self.reaches(director.name):
            return
        self._lose(director, agent, agent.mine)
        lease = (director.name, agent.run)
        for vip in [vip for vip, key in self.keys.items() if key.lease == lease]:
            del self.keys[vip]

    def _key(self, vip: str) -> Key | None:
        found = self.keys.get(vip)
        return found if found is not None and self.world.now_us < found.until_us else None
