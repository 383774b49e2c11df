"""What the guest measured, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BEFORE = "before"
AFTER = "after"


@dataclass(frozen=True, slots=True)
class ArpAnswers:
    """MACs that answered "who has `vip`?", once for every time it was asked."""

    vip: str
    rounds: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class FlowResult:
    """Requests of one flow. `served` counts by host; `learned` are the MACs that the client's
    kernel sent requests to; `reply_macs` counts packets from the VIP by the MAC they came from.
    """

    service: str
    vip: str
    port: int
    sent: int
    served: Mapping[str, int]
    failures: tuple[str, ...]
    learned: tuple[str, ...]
    reply_macs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Counters:
    """What IPVS of the active director counted for one service during the requests."""

    connections: int
    in_packets: int
    out_packets: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """One look at the setup. `announced` are by VIP all MACs that sent an ARP packet in its name,
    whatever kind of packet it was."""

    method: str
    phase: str
    active: str
    arp: tuple[ArpAnswers, ...]
    announced: Mapping[str, tuple[str, ...]]
    flows: tuple[FlowResult, ...]
    counters: Mapping[str, Counters]
    table: str = ""


@dataclass(frozen=True, slots=True)
class Failover:
    """Death of a link. `survivor` is None when nobody served within the limit; `took_ms` counts
    from the link's death to the first request that was served."""

    method: str
    killed: str
    survivor: str | None
    took_ms: int
    learned: str | None
    announced: Mapping[str, tuple[str, ...]]


def measurement(event: Mapping[str, Any]) -> Measurement:
    """From the guest's event `measurement`."""
    return Measurement(
        method=event["method"],
        phase=event["phase"],
        active=event["active"],
        arp=tuple(
            ArpAnswers(a["vip"], tuple(tuple(macs) for macs in a["rounds"])) for a in event["arp"]
        ),
        announced={vip: tuple(macs) for vip, macs in event["announced"].items()},
        flows=tuple(
            FlowResult(
                service=f["service"],
                vip=f["vip"],
                port=f["port"],
                sent=f["sent"],
                served=f["served"],
                failures=tuple(f["failures"]),
                learned=tuple(f["learned"]),
                reply_macs=f["reply_macs"],
            )
            for f in event["flows"]
        ),
        counters={service: Counters(*numbers) for service, numbers in event["counters"].items()},
        table=event["table"],
    )


def failover(event: Mapping[str, Any]) -> Failover:
    """From the guest's event `failover`."""
    return Failover(
        method=event["method"],
        killed=event["killed"],
        survivor=event["survivor"],
        took_ms=event["took_ms"],
        learned=event["learned"],
        announced={vip: tuple(macs) for vip, macs in event["announced"].items()},
    )
