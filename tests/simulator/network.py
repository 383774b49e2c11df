"""Segments with ports, and the heartbeat's connections over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Port:
    """Where a host is plugged in. `side` is the part of a segment that was cut in two."""

    host: str
    segment: str
    mac: str
    hears: bool = True
    speaks: bool = True
    has_carrier: bool = True
    side: int = 0

    @property
    def is_whole(self) -> bool:
        return self.hears and self.speaks and self.has_carrier


@dataclass(slots=True)
class Segment:
    """One broadcast domain. `loss` is the share of ARP frames that disappear; `delay_us` bounds how
    long a frame takes."""

    name: str
    ports: dict[str, Port] = field(default_factory=dict)
    loss: float = 0.0
    delay_us: tuple[int, int] = (50, 300)

    def passes(self, sender: Port, receiver: Port) -> bool:
        return (
            sender.speaks
            and receiver.hears
            and sender.has_carrier
            and receiver.has_carrier
            and sender.side == receiver.side
        )


@dataclass(slots=True)
class Pipe:
    """One direction of one link: a TCP stream. Nothing is lost or overtaken in it: what cannot pass
    waits, up to what the socket holds, and comes late."""

    sender: str
    receiver: str
    link: str
    segment: str
    is_cut: bool = False
    waiting: list[tuple[int, Any]] = field(default_factory=list)
    last_arrival_us: int = 0
