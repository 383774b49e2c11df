"""The world: one queue of events in virtual time, and everything that happens between hosts."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from simulator.director import Director
from simulator.judge import Judge
from simulator.network import Pipe, Port, Segment
from simulator.reconfiguration import Operator, sealed
from simulator.referee import Referee
from simulator.topology import NODES, Topology, address, groups_of, mac, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable

SOCKET_HOLDS = 8
RETRANSMISSION_US = 200_000
BACK_WITHIN_US = 290_000
"""A connection that was cut stands again by then (measured with ZeroMQ over TCP)."""
UPGRADED = 0.1
"""The part of the histories in which directors have different versions."""


@dataclass(slots=True)
class Witness:
    """A real server or a gateway. With `leaks` it answers for the VIPs too."""

    address: str
    port: Port
    is_alive: bool = True
    leaks: bool = False


def load_core(package: str = "drctl.core") -> SimpleNamespace:
    """The core's modules that a world needs, of the real package or of a changed copy."""
    names = ("node", "event", "action", "wire")
    return SimpleNamespace(**{n: importlib.import_module(f"{package}.{n}") for n in names})


class World:
    """Hosts, segments and links of a topology, driven by `run`."""

    def __init__(
        self, topology: Topology, seed: int, core: Any, *, transcript: bool = False
    ) -> None:
        self.topology = topology
        self.random = Random(seed)
        self._upgrades = Random(f"upgrades {seed}")
        self._is_upgrading = self._upgrades.random() < UPGRADED
        self.core = core
        self.now_us = 0
        self.timing = topology.timing()
        self.operator = Operator(seed)
        self.groups = groups_of(topology, 0)
        self.steady = frozenset(v.address for group in self.groups for v in group.vips)
        """VIPs that no change of the configuration has to do with."""
        self.vips = {v.address: v.interface for group in self.groups for v in group.vips}
        self.lines: list[str] | None = [] if transcript else None
        self.judge = Judge(self)
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self.segments = {name: Segment(name) for name in topology.segments}
        self.witnesses: dict[str, dict[str, Witness]] = {name: {} for name in self.segments}
        self.directors: dict[str, Director] = {}
        self.addresses: dict[str, dict[str, Port]] = {name: {} for name in self.segments}
        self.pipes: dict[tuple[str, str, str], Pipe] = {}
        self.is_moving = False
        """Something happened that is a reason to move VIPs."""
        self.link_delay_us = (100, 800)
        self.slowest_us = self.longest_us
        """The longest that a message took in this history, while nothing was cut."""
        self.lost_at_us = -(1 << 60)
        """When a frame between directors was lost last."""
        self.refusals = 0
        """Of new layouts, by kernels."""
        self.referee = Referee(self)
        self._build()

    def next_version(self, version: int) -> int:
        """Of heartbeats. In some histories the directors are upgraded, or put back."""
        versions: tuple[int, ...] = self.core.wire.VERSIONS
        return self._upgrades.choice(versions) if self._is_upgrading else version

    @property
    def longest_us(self) -> int:
        """The longest that a message may take while nothing is broken."""
        return self.link_delay_us[1] + max(s.delay_us[1] for s in self.segments.values())

    def _build(self) -> None:
        topology = self.topology
        for index, name in enumerate(NODES[: topology.nodes]):
            drift = 1 + self.random.uniform(-0.01, 0.01)
            director = Director(self, name, sealed(settings_of(topology, index)), drift)
            self.directors[name] = director
            for segment in topology.segments:
                port = Port(name, segment, mac(segment, topology, index + 1))
                self.segments[segment].ports[name] = port
                self.addresses[segment][address(segment, topology, index + 1)] = port
        for segment in topology.services:
            for number in range(topology.witnesses):
                port = Port(f"rs{number}", segment, mac(segment, topology, 100 + number))
                where = address(segment, topology, 100 + number)
                self.segments[segment].ports[port.host] = port
                self.witnesses[segment][port.host] = Witness(where, port)
                self.addresses[segment][where] = port
        for sender in self.directors:
            for receiver in self.directors:
                if sender != receiver:
                    for link in topology.links:
                        self.pipes[sender, receiver, link] = Pipe(sender, receiver, link, link)

    # operators

    def reconfigure(self, what: str = "") -> None:
        """Somebody edits the configuration of all directors; none is told of it yet."""
        director = next(iter(self.directors.values()))
        text, change, moves = self.operator.change(director.settings, what)
        self.say(f"    {text}")
        self.is_moving |= moves
        before = {v: g for g in director.settings.groups for v in g.vips}
        for each in self.directors.values():
            each.settings = sealed(change(each.settings))
        self.groups = director.settings.groups
        self.vips |= {v.address: v.interface for group in self.groups for v in group.vips}
        now = {v: g for g in self.groups for v in g.vips}
        # a group that is renamed keeps its VIPs
        self.steady &= {
            v.address
            for v, old in before.items()
            if (new := now.get(v)) and (new.name == old.name or new.vips == old.vips)
        }
        timing, other = self.timing, director.settings.timing
        self.timing = replace(
            timing,
            **{
                name: max(getattr(timing, name), getattr(other, name))
                for name in ("heartbeat_ms", "fence_ms", "lease_ms", "handover_ms")
            },
        )

    def has_latest(self, name: str) -> bool:
        """The director uses the newest configuration, or has not got any."""
        director = self.directors[name]
        return director.node is None or director.node.settings.groups == director.settings.groups

    # time

    def after(self, delay_us: int, function: Callable[..., None], *arguments: Any) -> None:
        self._count += 1
        heappush(self._queue, (self.now_us + delay_us, self._count, function, arguments))

    def at(self, at_us: int, function: Callable[..., None], *arguments: Any) -> None:
        self._count += 1
        heappush(self._queue, (max(self.now_us, at_us), self._count, function, arguments))

    def run(self, until_us: int) -> None:
        queue = self._queue
        while queue and queue[0][0] <= until_us:
            self.now_us, _, function, arguments = heappop(queue)
            function(*arguments)
        self.now_us = until_us

    def say(self, text: str) -> None:
        """A line of the transcript."""
        if self.lines is not None:
            self.lines.append(f"{self.now_us / 1000:10.3f}  {text}")

    def changed(self, text: str) -> None:
        """A kernel or a port changed: the invariants are looked at."""
        if text:
            self.say(text)
        self.judge.look()

    # who answers

    def answerers(self, vip: str) -> list[list[str]]:
        """Names of the directors that answer ARP for it, for each side where one does."""
        segment = self.segments[self.vips[vip]]
        sides: dict[int, list[str]] = {}
        for name, director in self.directors.items():
            if vip not in director.kernel.addresses or director.is_frozen:
                continue
            port = segment.ports[name]
            if port.is_whole and director.kernel.answers(vip, director.clock_us()):
                sides.setdefault(port.side, []).append(name)
        return list(sides.values())

    def is_accepted(self, vip: str) -> bool:
        """Some director takes packets for it."""
        return any(
            director.kernel.accepts(vip, director.clock_us())
            for director in self.directors.values()
            if not director.is_frozen
        )

    def holds(self, name: str) -> bool:
        """The director has a VIP, or is on its way to it."""
        director = self.directors[name]
        roles = director.node.groups.values() if director.node else ()
        return bool(director.kernel.addresses) or any(g.role.is_holding for g in roles)

    def healthy(self, group: Any) -> bool:
        """A director could serve the group: it runs, and reaches a witness on every segment."""
        return any(self._is_healthy(director, group) for director in self.directors.values())

    def _is_healthy(self, director: Director, group: Any) -> bool:
        if not director.is_running or group.name in director.held or director.has_left:
            return False
        state = director.node.groups.get(group.name)
        if state is None or state.is_held or not all(director.failures.values()):
            return False
        for interface in group.interfaces:
            port = self.segments[interface].ports[director.name]
            witnesses = self.witnesses[interface].values()
            near = [w for w in witnesses if w.is_alive and w.port.side == port.side]
            if not port.is_whole or not near:
                return False
        return not self.topology.arbiter or self.referee.reaches(director.name)

    @property
    def is_cut(self) -> bool:
        """A segment is in two parts."""
        return any(port.side for each in self.segments.values() for port in each.ports.values())

    def ports_of(self, host: str) -> dict[str, Port]:
        return {name: segment.ports[host] for name, segment in self.segments.items()}

    def memory(self, director: Director) -> dict[str, Any]:
        """What a starting controller finds in its state directory."""
        if not self.topology.knows_macs and director.run == 1:
            return {}
        macs = []
        for other in self.directors.values():
            if other is director:
                continue
            macs += [(other.name, port.mac) for port in self.ports_of(other.name).values()]
        return {"peer_macs": tuple(macs)}

    # frames

    def _spread(
        self, host: str, segment: Segment, function: Callable[..., None], *more: Any
    ) -> None:
        """Deliver to all other directors that a frame from this host reaches."""
        sender = segment.ports[host]
        for name in self.directors:
            if name != host:
                self._deliver(segment, sender, segment.ports[name], function, name, *more)

    def _deliver(
        self, segment: Segment, sender: Port, port: Port, function: Callable[..., None], *more: Any
    ) -> bool:
        """False when it does not arrive."""
        if not segment.passes(sender, port):
            return False
        if segment.loss and self.random.random() < segment.loss:
            self.lost_at_us = self.now_us
            return False
        low_us, high_us = segment.delay_us
        self.after(int(low_us + self.random.random() * (high_us - low_us)), function, *more)
        return True

    def probe(self, host: str, interface: str, addresses: tuple[str, ...]) -> None:
        """Who has these? Everybody hears it, and kernels answer."""
        segment = self.segments[interface]
        self._spread(host, segment, self._probe_arrives, host, segment, addresses)
        for witness in self.witnesses[interface].values():
            if witness.leaks:
                sender, function = segment.ports[host], self._leaking_witness_answers
                self._deliver(segment, sender, witness.port, function, witness, host, addresses)

    def _probe_arrives(
        self, name: str, asker: str, segment: Segment, addresses: tuple[str, ...]
    ) -> None:
        director = self.directors[name]
        if director.is_frozen:
            return
        sender = segment.ports[asker]
        for target in addresses:
            director.hear(segment.name, "", sender.mac, target)
            if director.kernel.answers(target, director.clock_us()):
                self._reply(segment, segment.ports[name], asker, target)

    def _leaking_witness_answers(
        self, witness: Witness, asker: str, addresses: tuple[str, ...]
    ) -> None:
        if witness.is_alive:
            for target in addresses:
                self._reply(self.segments[witness.port.segment], witness.port, asker, target)

    def _reply(self, segment: Segment, sender: Port, asker: str, target: str) -> None:
        port = segment.ports[asker]
        self._deliver(
            segment, sender, port, self._hear, asker, segment.name, target, sender.mac, True
        )

    def _hear(self, name: str, interface: str, sender: str, mac_: str, is_to_me: bool) -> None:
        director = self.directors[name]
        if not director.is_frozen:
            director.hear(interface, sender, mac_, "", is_to_me=is_to_me)

    def ask(self, host: str, interface: str, addresses: tuple[str, ...]) -> None:
        """An ordinary request, from the host's own address."""
        segment = self.segments[interface]
        sender = segment.ports[host]
        witnesses = self.witnesses[interface]
        for target in addresses:
            port = self.addresses[interface].get(target)
            if port is None or port.host == host:
                continue
            witness = witnesses.get(port.host)
            if witness is None:
                self._deliver(segment, sender, port, self._asked, port, host, segment, target)
            elif witness.is_alive:
                self._ask_witness(segment, sender, port, target)

    def _ask_witness(self, segment: Segment, asker: Port, witness: Port, target: str) -> None:
        """Request and answer in one: nothing depends on the instant between them."""
        if not (segment.passes(asker, witness) and segment.passes(witness, asker)):
            return
        random, (low_us, high_us) = self.random.random, segment.delay_us
        if segment.loss and (random() < segment.loss or random() < segment.loss):
            return
        delay_us = int(2 * low_us + (random() + random()) * (high_us - low_us))
        self.after(delay_us, self._hear, asker.host, segment.name, target, witness.mac, True)

    def _asked(self, port: Port, asker: str, segment: Segment, target: str) -> None:
        if not self.directors[port.host].is_frozen:
            self._reply(segment, port, asker, target)

    def announce(self, host: str, interface: str, vip: str) -> None:
        segment = self.segments[interface]
        sender, hear = segment.ports[host], self._hear
        for name, port in ((name, segment.ports[name]) for name in self.directors if name != host):
            told = (name, interface, vip, sender.mac, False)
            if not self._deliver(segment, sender, port, hear, *told):
                self.directors[name].missed_at_us = self.now_us

    # beats

    def _is_open(self, pipe: Pipe) -> bool:
        segment = self.segments[pipe.segment]
        if pipe.is_cut:
            return False
        return segment.passes(segment.ports[pipe.sender], segment.ports[pipe.receiver])

    def send_beat(self, sender: str, receiver: str, beat: Any) -> None:
        for link in self.topology.links:
            pipe = self.pipes[sender, receiver, link]
            if self.directors[receiver].node is None:
                continue
            if pipe.waiting or not self._is_open(pipe):
                if len(pipe.waiting) < SOCKET_HOLDS:
                    pipe.waiting.append((self.directors[sender].run, beat))
                continue
            self._transmit(pipe, beat)

    def _transmit(self, pipe: Pipe, beat: Any) -> None:
        delay_us = self.random.randint(*self.link_delay_us)
        loss = self.segments[pipe.segment].loss
        while loss and self.random.random() < loss:
            delay_us += RETRANSMISSION_US
        arrival_us = max(pipe.last_arrival_us + 1, self.now_us + delay_us)
        pipe.last_arrival_us = arrival_us
        run = self.directors[pipe.receiver].run
        self.at(arrival_us, self._beat_arrives, pipe, run, beat)

    def _beat_arrives(self, pipe: Pipe, run: int, beat: Any) -> None:
        director = self.directors[pipe.receiver]
        if director.node is None or director.run != run:
            return
        if not self._is_open(pipe) or director.is_frozen:
            if len(pipe.waiting) < SOCKET_HOLDS:
                pipe.waiting.append((self.directors[pipe.sender].run, beat))
            return
        director.put(self.core.event.BeatHeard(0, pipe.sender, pipe.link, beat))

    def heal_pipes(self) -> None:
        """What can pass again does so after a while: retransmission, or another connection."""
        for pipe in self.pipes.values():
            if pipe.waiting and self._is_open(pipe):
                self.after(self.random.randint(5_000, BACK_WITHIN_US), self._pipe_is_back, pipe)

    def _pipe_is_back(self, pipe: Pipe) -> None:
        if not self._is_open(pipe):
            return
        waiting, pipe.waiting = pipe.waiting, []
        for run, beat in waiting:
            if run == self.directors[pipe.sender].run:
                self._transmit(pipe, beat)

    def connect(self, name: str) -> None:
        """A controller starts: its streams are new ones."""
        for pipe in self.pipes.values():
            if name in {pipe.sender, pipe.receiver}:
                pipe.waiting = []

    def disconnect(self, name: str) -> None:
        """A controller ended: its kernel closes the connections, and the peers may learn of it."""
        for pipe in self.pipes.values():
            if pipe.sender == name:
                pipe.waiting = []
                if self._is_open(pipe):
                    delay_us = self.random.randint(*self.link_delay_us)
                    arrival_us = max(pipe.last_arrival_us + 1, self.now_us + delay_us)
                    pipe.last_arrival_us = arrival_us
                    self.at(arrival_us, self._lost, pipe)

    def _lost(self, pipe: Pipe) -> None:
        director = self.directors[pipe.receiver]
        if director.node is not None and not director.is_frozen:
            director.put(self.core.event.LinkLost(0, pipe.sender, pipe.link))
