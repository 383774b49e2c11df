"""Does a setup do what it must? Assertions from measurements. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from drctl.lab.expectation import expectation_text, spread_problem
from drctl.lab.measurement import AFTER, BEFORE, Failover, FlowResult, Measurement
from drctl.lab.plan import DIRECTOR, NONE, REAL_SERVER, Flow, LabHost, Plan
from drctl.model.service import MASQUERADE


@dataclass(frozen=True, slots=True)
class Assertion:
    """Something that must hold. `name` is stable, for programs; `detail` says what was seen."""

    name: str
    phase: str
    subject: str
    holds: bool
    detail: str


def judge(
    plan: Plan,
    method: str,
    measurements: Sequence[Measurement],
    failover: Failover | None,
) -> tuple[Assertion, ...]:
    """All assertions on one trial that came to its end, in the order of time."""
    if method == NONE:
        return tuple(_hijack(plan, measurements))
    found: list[Assertion] = []
    found += _phases(plan, [m for m in measurements if m.phase == BEFORE], BEFORE)
    if plan.has_pair:
        found.append(_takeover(plan, failover))
        if failover is not None and failover.survivor is not None:
            rest = replace(plan, flows=tuple(f.without(failover.killed) for f in plan.flows))
            found += _phases(rest, [m for m in measurements if m.phase == AFTER], AFTER)
    return tuple(found)


def _phases(plan: Plan, measurements: Sequence[Measurement], phase: str) -> Iterator[Assertion]:
    if not measurements:
        yield Assertion("measured", phase, "pair", False, "there is no measurement")
    for measured in measurements:
        yield from _phase(plan, measured)


def _phase(plan: Plan, measured: Measurement) -> Iterator[Assertion]:
    yield from _arp(plan, measured)
    flows = {(flow.service, flow.vip, flow.port): flow for flow in plan.flows}
    for result in measured.flows:
        flow = flows.pop((result.service, result.vip, result.port))
        yield from _flow(plan, measured, flow, result)
    for flow in flows.values():
        subject = f"{flow.vip}:{flow.port}"
        yield Assertion("requests.served", measured.phase, subject, False, "was not measured")
    yield from _counters(plan, measured)


def _arp(plan: Plan, measured: Measurement) -> Iterator[Assertion]:
    """Only the active director answers, every time, and nobody else speaks in the VIP's name."""
    asked = {answers.vip: answers for answers in measured.arp}
    for vip in plan.asked_vips:
        wanted = _mac_on(plan.host(measured.active), vip.segment)
        rounds = asked[vip.address].rounds if vip.address in asked else ()
        answering = {mac for macs in rounds for mac in macs}
        speaking = answering | set(measured.announced.get(vip.address, ()))
        holds = bool(rounds) and all(macs == (wanted,) for macs in rounds)
        holds = holds and speaking == {wanted}
        silent = sum(not macs for macs in rounds)
        detail = f"answered by {_names(plan, answering)}"
        if speaking - answering:
            detail += f"; announced by {_names(plan, speaking - answering)}"
        if silent or not rounds:
            detail += f"; {silent} of {len(rounds)} questions unanswered"
        yield Assertion("arp.only-active", measured.phase, vip.address, holds, detail)


def _flow(plan: Plan, measured: Measurement, flow: Flow, result: FlowResult) -> Iterator[Assertion]:
    subject, phase = f"{flow.vip}:{flow.port}", measured.phase
    served = sum(result.served.values())
    detail = f"{served} of {flow.requests} served"
    if result.failures:
        detail += f"; {result.failures[0]}"
    holds = served == flow.requests and not result.failures
    yield Assertion("requests.served", phase, subject, holds, detail)

    problem = spread_problem(flow, result.served)
    detail = problem or f"{spread_text(flow, result)} ({expectation_text(flow)})"
    yield Assertion("requests.spread", phase, subject, problem is None, detail)

    own = {port.mac for port in plan.host(measured.active).ports}
    holds = bool(result.learned) and set(result.learned) <= own
    detail = f"the client sends to {_names(plan, result.learned)}"
    yield Assertion("arp.learned", phase, subject, holds, detail)

    allowed = own if flow.method == MASQUERADE else _macs_of_servers(plan, flow)
    holds = bool(result.reply_macs) and set(result.reply_macs) <= allowed
    detail = f"from {_names(plan, result.reply_macs)}"
    name = "replies.masqueraded" if flow.method == MASQUERADE else "replies.direct"
    yield Assertion(name, phase, subject, holds, detail)


def _counters(plan: Plan, measured: Measurement) -> Iterator[Assertion]:
    """Every request went through the director, and no reply did unless it is masquerading."""
    for service in dict.fromkeys(flow.service for flow in plan.flows):
        flows = [flow for flow in plan.flows if flow.service == service]
        counted = measured.counters.get(service)
        if counted is None:
            detail = "the active director has no such service"
            yield Assertion("requests.forwarded", measured.phase, service, False, detail)
            continue
        sent = sum(flow.requests for flow in flows)
        detail = f"{counted.connections} of {sent} connections counted by the director"
        holds = counted.connections >= sent
        yield Assertion("requests.forwarded", measured.phase, service, holds, detail)
        detail = f"OutPkts {counted.out_packets}, InPkts {counted.in_packets}"
        if any(flow.method == MASQUERADE for flow in flows):
            holds = counted.out_packets > 0
        elif any(name == measured.active for flow in flows for name, _ in flow.weights):
            holds = counted.in_packets > 0
            detail += "; the director is one of the real servers, its own replies count"
        else:
            holds = counted.out_packets == 0
        yield Assertion("director.out-packets", measured.phase, service, holds, detail)


def _takeover(plan: Plan, failover: Failover | None) -> Assertion:
    if failover is None:
        detail = "the link was not taken down"
        return Assertion("failover", "failover", "pair", False, detail)
    subject = failover.killed
    if failover.survivor is None:
        detail = f"nobody serves {failover.took_ms / 1000:.1f} s after the link's death"
        return Assertion("failover", "failover", subject, False, detail)
    own = {port.mac for port in plan.host(failover.survivor).ports}
    holds = failover.learned in own and failover.survivor != failover.killed
    detail = (
        f"{failover.survivor} serves {failover.took_ms / 1000:.1f} s after the link's death, "
        f"the client sends to {_names(plan, [failover.learned] if failover.learned else [])}"
    )
    return Assertion("failover", "failover", subject, holds, detail)


def _hijack(plan: Plan, measurements: Sequence[Measurement]) -> Iterator[Assertion]:
    """Without ARP rules a real server must be seen to answer for a VIP, or nothing is shown."""
    for vip in plan.asked_vips:
        users = [flow for flow in plan.flows if flow.vip == vip.address]
        if not users:
            continue  # a gateway or a VIP without a service: no real server has it
        servers = {mac for flow in users for mac in _macs_of_servers(plan, flow)}
        servers -= {port.mac for host in plan.with_role(DIRECTOR) for port in host.ports}
        answering = {
            mac
            for measured in measurements
            for answers in measured.arp
            if answers.vip == vip.address
            for macs in answers.rounds
            for mac in macs
        }
        detail = f"answered by {_names(plan, answering)}"
        holds = bool(answering & servers)
        if not holds:
            detail += ": no hijack, so this lab cannot show that the rules prevent one"
        yield Assertion("hijack", BEFORE, vip.address, holds, detail)


def bypassed(measured: Measurement, service: str) -> int:
    """Requests of a service that were served although the director never saw them."""
    served = sum(
        sum(result.served.values()) for result in measured.flows if result.service == service
    )
    counted = measured.counters.get(service)
    return max(0, served - (counted.connections if counted is not None else 0))


def spread_text(flow: Flow, result: FlowResult) -> str:
    """`web1 6, web2 6`: every real server of the flow, also one that served nothing."""
    names = dict.fromkeys((*(name for name, _ in flow.weights), *sorted(result.served)))
    return ", ".join(f"{name} {result.served.get(name, 0)}" for name in names)


def _names(plan: Plan, macs: Iterable[str]) -> str:
    return ", ".join(sorted({plan.owner_of(mac) for mac in macs})) or "nobody"


def _mac_on(host: LabHost, segment: str) -> str:
    return next(port.mac for port in host.ports if port.segment == segment)


def _macs_of_servers(plan: Plan, flow: Flow) -> set[str]:
    """Cards of the flow's real servers; a director that serves itself counts as one."""
    names = {name for name, _ in flow.weights}
    return {
        port.mac
        for host in plan.with_role(REAL_SERVER)
        if host.name in names
        for port in host.ports
    }
