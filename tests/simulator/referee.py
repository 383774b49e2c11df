"""An arbiter: a reference point that vouches for who reaches it, or a cluster that lends groups.

It stands on the first side of the first segment, and answers at once to who asks it from there.
"""

from __future__ import annotations

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
    """Who may have a group; it ends with the lease, a run of the director's that wrote it."""

    value: str
    lease: tuple[str, int]
    until_us: int


@dataclass(slots=True)
class Agent:
    """What asks the cluster for one director: a process of its own. `heard_us` is when it heard of
    the controller last, by the director's clock."""

    run: int = 0
    wanted: dict[str, str] = field(default_factory=dict)
    turn: int = 0
    mine: set[str] = field(default_factory=set)
    arrival_us: int = 0


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

    def asked(self, director: Director, group: str, holder: str) -> None:
        """The controller says who is to have a group."""
        agent = self.agents[director.name]
        agent.turn += 1
        if holder:
            agent.wanted[group] = holder
        else:
            agent.wanted.pop(group, None)
        self._later(self._work, director, agent)

    def _later(self, function: Any, *arguments: Any) -> None:
        self.world.after(self.world.random.randint(*DELAY_US), function, *arguments)

    def _report(self, director: Director, agent: Agent, group: str, until_ms: int) -> None:
        """A word arrives, in the order in which words were said."""
        delay_us = self.world.random.randint(*DELAY_US)
        agent.arrival_us = max(agent.arrival_us + 1, self.world.now_us + delay_us)
        self.world.at(agent.arrival_us, self._arrives, director, agent, agent.turn, group, until_ms)

    def _arrives(
        self, director: Director, agent: Agent, turn: int, group: str, until_ms: int
    ) -> None:
        if director.node is None or director.run != agent.run:
            return
        is_old = turn != agent.turn or agent.wanted.get(group) != director.name
        if until_ms and self.kind == LEASE and is_old:
            return
        director.put(self.world.core.event.ArbiterReported(0, until_ms, group))

    # a reference point

    def _echo(self, director: Director, agent: Agent, missed: int) -> None:
        """The controller itself asks."""
        if director.node is None or director.run != agent.run:
            return
        self.world.after(self.interval_ms * 1000, self._next, director, agent, missed)
        if not director.is_running:
            return
        if self.reaches(director.name):
            self._report(director, agent, "", director.now_ms() + self.hold_ms)
        elif missed == self.hold_ms // self.interval_ms:
            self._report(director, agent, "", 0)

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
        for group in sorted(agent.mine):
            if agent.wanted.get(group) != director.name:
                self._lose(director, agent, group)
        if not self.reaches(director.name):
            return
        now_us = self.world.now_us
        for key in self.keys.values():
            if key.lease == lease and now_us < key.until_us:
                key.until_us = now_us + self.ttl_ms(director) * 1000
        until_ms = director.now_ms() + self.ttl_ms(director) * 99 // 100 - self.lag_ms(director)
        for group in sorted(agent.mine):
            found = self._key(group)
            if found is not None and (found.value, found.lease) == (director.name, lease):
                self._report(director, agent, group, until_ms)
            else:
                self._lose(director, agent, group)
        self._write(director, agent, until_ms)

    def _write(self, director: Director, agent: Agent, until_ms: int) -> None:
        lease = (director.name, agent.run)
        end_us = self.world.now_us + self.ttl_ms(director) * 1000
        for name in sorted({*agent.wanted, *self.keys}):
            holder, found = agent.wanted.get(name, ""), self._key(name)
            is_ours = found is not None and found.lease == lease
            if holder == director.name:
                if name not in agent.mine and (
                    found is None or is_ours or found.value == director.name
                ):
                    self.keys[name] = Key(director.name, lease, end_us)
                    agent.mine.add(name)
                    self._report(director, agent, name, until_ms)
            elif is_ours and found is not None:
                if holder:
                    found.value = holder
                else:
                    del self.keys[name]

    def _lose(self, director: Director, agent: Agent, group: str) -> None:
        agent.mine.discard(group)
        self._report(director, agent, group, 0)

    def _rest(self, director: Director, agent: Agent, since_us: int) -> None:
        """The controller is gone, or was stopped, for all that time: everything is given back."""
        is_over = director.node is None or director.run != agent.run
        if not (is_over or (director.is_paused and director.paused_at_us <= since_us)):
            return
        if director.is_frozen or not self.reaches(director.name):
            return
        for group in sorted(agent.mine):
            self._lose(director, agent, group)
        lease = (director.name, agent.run)
        for name in [name for name, key in self.keys.items() if key.lease == lease]:
            del self.keys[name]

    def _key(self, group: str) -> Key | None:
        found = self.keys.get(group)
        return found if found is not None and self.world.now_us < found.until_us else None
