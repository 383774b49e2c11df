"""What a world is made of: nodes, segments, links, groups, timing. Made from a seed, or by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from drctl.core.value import Arbiter, Group, Interface, Link, Peer, Settings, Timing, Track, Vip

NODES = ("lb1", "lb2", "lb3")


@dataclass(frozen=True, slots=True)
class Topology:
    """`links` are the segments that heartbeats run over, `services` those which carry VIPs: one
    group for each, or, with `is_synced`, one for all. `witnesses` is their number on each segment.
    `knows_macs`: the directors remember each other from an earlier run."""

    nodes: int = 2
    services: tuple[str, ...] = ("svc",)
    links: tuple[str, ...] = ("svc", "hb")
    is_synced: bool = False
    vips: int = 1
    witnesses: int = 2
    heartbeat_ms: int = 100
    has_fence: bool = True
    is_preempting: bool = True
    knows_macs: bool = True
    priorities: tuple[int, ...] = (150, 100, 50)
    arbiter: str = ""

    def __str__(self) -> str:
        """One line that tells this world from the usual one, for transcripts."""
        parts = [f"{self.nodes} directors, heartbeat {self.heartbeat_ms} ms"]
        parts.append(f"links {'+'.join(self.links)}, VIPs {self.vips} on {'+'.join(self.services)}")
        parts += ["one sync group"] if self.is_synced else []
        parts += [] if self.has_fence else ["no fence"]
        parts += [] if self.is_preempting else ["nopreempt"]
        parts += [f"arbiter {self.arbiter}"] if self.arbiter else []
        return ", ".join(parts)

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.services, *self.links)))

    def core_arbiter(self) -> Arbiter | None:
        """What the core knows of it: four echoes, one a heartbeat, may be missing."""
        if not self.arbiter:
            return None
        return Arbiter(self.arbiter == "lease", 4 * self.heartbeat_ms)

    def timing(self) -> Timing:
        fence_ms = 5 * self.heartbeat_ms if self.has_fence else 0
        lease_ms = 2000 if self.heartbeat_ms >= 50 else 1000
        return Timing(
            heartbeat_ms=self.heartbeat_ms,
            fence_ms=fence_ms,
            lease_ms=lease_ms,
            handover_ms=10 * self.heartbeat_ms,
        )


def with_arbiter(topology: Topology, random: Random) -> Topology:
    """The same, in some histories with somebody who decides: then there is one segment of VIPs."""
    kind = random.choice(("gateway", "gateway", "lease", *[""] * 17))
    if not kind or topology.services != ("svc",):
        return topology
    return replace(topology, arbiter=kind)


def random_topology(random: Random) -> Topology:
    """Any of the worlds that the protocol is made for."""
    is_double = random.random() < 0.25
    return Topology(
        nodes=3 if random.random() < 0.2 else 2,
        services=("svc", "dmz") if is_double else ("svc",),
        links=random.choice((("svc", "hb"), ("svc",), ("hb",), ("svc", "hb"))),
        is_synced=is_double and random.random() < 0.6,
        vips=random.choice((1, 1, 2, 3)),
        witnesses=random.choice((1, 2, 3)),
        heartbeat_ms=random.choice((100, 100, 50, 20)),
        has_fence=random.random() < 0.8,
        is_preempting=random.random() < 0.7,
        knows_macs=random.random() < 0.8,
    )


def address(segment: str, topology: Topology, host: int) -> str:
    """Hosts 1.. are directors, 100.. witnesses, 200.. VIPs."""
    return f"192.0.{topology.segments.index(segment) + 2}.{host}"


def mac(segment: str, topology: Topology, host: int) -> str:
    return f"02:00:00:00:{topology.segments.index(segment):02x}:{host:02x}"


def groups_of(topology: Topology, index: int) -> tuple[Group, ...]:
    """The groups as the director of that index has them configured."""
    vips = {
        segment: tuple(
            Vip(address(segment, topology, 200 + number), 24, segment)
            for number in range(topology.vips)
        )
        for segment in topology.services
    }
    priority = topology.priorities[index]
    tracks = (Track("service"), Track("weight", -60))
    if topology.is_synced:
        every = tuple(vip for segment in topology.services for vip in vips[segment])
        groups = [("all", every, topology.services, priority)]
    else:
        # the second group prefers the other director
        groups = [
            (segment, vips[segment], (segment,), priority if number == 0 else 251 - priority)
            for number, segment in enumerate(topology.services)
        ]
    return tuple(
        Group(name, members, interfaces, rank, topology.is_preempting, tracks=tracks)
        for name, members, interfaces, rank in groups
    )


def settings_of(topology: Topology, index: int) -> Settings:
    """The whole configuration of the director of that index."""
    interfaces = tuple(
        Interface(
            segment,
            (mac(segment, topology, index + 1),),
            tuple(address(segment, topology, 100 + n) for n in range(topology.witnesses)),
        )
        for segment in topology.services
    )
    peers = tuple(
        Peer(
            NODES[other],
            tuple(Link(segment, segment) for segment in topology.links),
            tuple(
                (segment, address(segment, topology, other + 1)) for segment in topology.services
            ),
        )
        for other in range(topology.nodes)
        if other != index
    )
    return Settings(
        NODES[index],
        groups_of(topology, index),
        peers,
        interfaces,
        topology.timing(),
        "digest",
        topology.core_arbiter(),
    )
