"""A lab without a guest: a small setup, and what a guest measures on it when all is well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from drctl.lab.measurement import (
    AFTER,
    BEFORE,
    ArpAnswers,
    Counters,
    Failover,
    FlowResult,
    Measurement,
)
from drctl.lab.plan import Flow, LabHost, Plan, Port, Trial, Vip
from drctl.lab.scenario import Scenario, scenario_of
from drctl.model.service import DIRECT
from drctl.readers.lvs_cf import read
from drctl.syntax.parser import parse_bytes

VIP = "192.0.2.80"
SERVICE = f"TCP {VIP}:80"
MACS = {
    "client": "02:00:00:00:01:01",
    "primary": "02:00:00:00:02:01",
    "backup": "02:00:00:00:03:01",
    "web1": "02:00:00:00:04:01",
    "web2": "02:00:00:00:05:01",
}
PAIR = """\
primary = 192.0.2.1
backup = 192.0.2.2
service = lvs
backup_active = 1
keepalive = 1
deadtime = 3
network = direct
"""
VIRTUAL = """\
virtual www {
  active = 1
  address = 192.0.2.80 eth0:1
  vip_nmask = 255.255.255.0
  port = 80
  scheduler = rr
  protocol = tcp
  timeout = 2
  reentry = 2
  server web1 {
    address = 192.0.2.11
    active = 1
    weight = 1
  }
  server web2 {
    address = 192.0.2.12
    active = 1
    weight = 1
  }
}
"""


def flow(
    scheduler: str = "rr",
    weights: Mapping[str, int] | None = None,
    requests: int = 8,
    *,
    is_persistent: bool = False,
    method: str = DIRECT,
) -> Flow:
    shares = tuple((weights or {"web1": 1, "web2": 1}).items())
    present = tuple((name, 1) for name, weight in shares if weight > 0)
    return Flow(
        SERVICE, VIP, 80, "tcp", scheduler, is_persistent, method, shares, present, requests
    )


def plan(method: str = "sysctl", asked: Flow | None = None) -> Plan:
    def host(name: str, address: str, role: str) -> LabHost:
        folder = None if role == "client" else name
        ports = (Port("eth0", "eth0", MACS[name], (address,)),)
        return LabHost(name, (role,), ports, (), (), folder)

    return Plan(
        hosts=(
            host("client", "203.0.113.254/32", "client"),
            host("primary", "192.0.2.1/24", "director"),
            host("backup", "192.0.2.2/24", "director"),
            host("web1", "192.0.2.11/24", "real-server"),
            host("web2", "192.0.2.12/24", "real-server"),
        ),
        vips=(Vip(VIP, "eth0"),),
        flows=(asked or flow(),),
        stand_ins=(),
        trials=(Trial(method, "/nowhere", "legacy"),),
        forwarding=DIRECT,
        has_pair=True,
        takeover_limit_ms=30_000,
    )


def measured(phase: str, active: str, method: str = "sysctl") -> Measurement:
    """A measurement of a setup that does everything right."""
    mac = MACS[active]
    return Measurement(
        method=method,
        phase=phase,
        active=active,
        arp=(ArpAnswers(VIP, ((mac,), (mac,))),),
        announced={VIP: (mac,)},
        flows=(
            FlowResult(
                service=SERVICE,
                vip=VIP,
                port=80,
                sent=8,
                served={"web1": 4, "web2": 4},
                failures=(),
                learned=(mac, mac),
                reply_macs={MACS["web1"]: 12, MACS["web2"]: 12},
            ),
        ),
        counters={SERVICE: Counters(8, 48, 0)},
    )


def good_run() -> tuple[list[Measurement], Failover]:
    """Before and after the death of the primary's link."""
    failover = Failover(
        "sysctl", "primary", "backup", 3100, MACS["backup"], {VIP: (MACS["backup"],)}
    )
    return [measured(BEFORE, "primary"), measured(AFTER, "backup")], failover


def with_flow(one: Measurement, **changes: object) -> Measurement:
    """The measurement with another result of its flow."""
    changed: FlowResult = replace(one.flows[0], **changes)  # type: ignore[arg-type]
    return replace(one, flows=(changed,))


def scenario(text: str) -> Scenario:
    """The scenario of an lvs.cf."""
    return scenario_of(read(parse_bytes("lvs.cf", text.encode(), "lvs.cf")))
