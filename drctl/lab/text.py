"""A lab's result for people and for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from drctl.lab.measurement import Counters, Failover, FlowResult, Measurement
from drctl.lab.method import METHODS
from drctl.lab.plan import NONE, LabHost, Plan
from drctl.lab.result import LabResult, TrialResult
from drctl.lab.verdict import bypassed, spread_text

SCHEMA = 1
_KERNEL_NAMES = {"uml": "User-mode Linux", "qemu": "QEMU"}


def to_json(result: LabResult) -> str:
    """The schema of docs/lab.md, version 1."""
    plan = result.plan
    document = {
        "schema": SCHEMA,
        "source": result.source,
        "kernel": {"kind": result.kernel, "release": result.release},
        "holds": result.holds,
        "hosts": [_host(host) for host in plan.hosts],
        "vips": [vip.address for vip in plan.vips],
        "notes": list(result.notes),
        "trials": [_trial(plan, trial) for trial in result.trials],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def to_text(result: LabResult, *, is_verbose: bool) -> str:
    """The account: who is there, what happened with each method, a table of all methods."""
    plan = result.plan
    kernel = f"{_KERNEL_NAMES[result.kernel]}, Linux {result.release}"
    lines = [f"lab of {result.source} ({kernel})", ""]
    rows = [(h.name, ", ".join(h.roles), _addresses(h)) for h in plan.hosts]
    lines += _table(rows, indent="  ")
    lines.append(f"  VIPs {', '.join(vip.address for vip in plan.vips)}; {plan.forwarding}")
    lines += [f"  note: {note}" for note in result.notes]
    for trial in result.trials:
        lines += ["", *_trial_lines(plan, trial, is_verbose=is_verbose)]
    lines += ["", *_summary(result)]
    return "\n".join(lines) + "\n"


def _trial_lines(plan: Plan, trial: TrialResult, *, is_verbose: bool) -> Iterator[str]:
    yield f"== {trial.method}: {METHODS[trial.method].title}"
    for number, measured in enumerate(trial.measurements):
        if number and trial.failover is not None:
            yield _failover_line(trial.failover)
        yield f"  {measured.active} is active"
        yield from (f"    {line}" for line in _measured_lines(plan, measured))
    if trial.failover is not None and len(trial.measurements) < 2:
        yield _failover_line(trial.failover)
    if trial.error is not None:
        yield f"  FAIL the trial did not reach its end ({trial.seconds:.0f} s): {trial.error}"
        return
    failed = [a for a in trial.assertions if not a.holds]
    for assertion in trial.assertions if is_verbose else failed:
        mark = "ok  " if assertion.holds else "FAIL"
        yield f"  {mark} {assertion.name} {assertion.phase} {assertion.subject}: {assertion.detail}"
    good = len(trial.assertions) - len(failed)
    yield f"  {good} of {len(trial.assertions)} assertions hold ({trial.seconds:.0f} s)"


def _failover_line(failover: Failover) -> str:
    took = f"{failover.took_ms / 1000:.1f} s"
    if failover.survivor is None:
        return f"  link of {failover.killed} down: nobody serves, waited {took}"
    return f"  link of {failover.killed} down: {failover.survivor} serves after {took}"


def _measured_lines(plan: Plan, measured: Measurement) -> Iterator[str]:
    rows = []
    for answers in measured.arp:
        who = _owners(plan, (mac for macs in answers.rounds for mac in macs))
        asked = len(answers.rounds)
        rows.append((f"who has {answers.vip}?", f"{who}", f"asked {asked} times"))
    flows = {(flow.service, flow.vip, flow.port): flow for flow in plan.flows}
    for result in measured.flows:
        flow = flows[result.service, result.vip, result.port]
        rows.append(
            (
                f"{result.sent} requests to {result.vip}:{result.port}",
                spread_text(flow, result),
                _way(plan, result),
            )
        )
    for service, counted in measured.counters.items():
        passed_by = bypassed(measured, service)
        text = f"{passed_by} requests by-passed the director" if passed_by else ""
        rows.append(
            (
                f"IPVS {service}",
                _counted_text(counted),
                text,
            )
        )
    return iter(_table(rows))


def _way(plan: Plan, result: FlowResult) -> str:
    there, back = _owners(plan, result.learned), _owners(plan, result.reply_macs)
    return f"sent to {there}, answered by {back}"


def _counted_text(counted: Counters) -> str:
    return (
        f"Conns {counted.connections}, InPkts {counted.in_packets}, OutPkts {counted.out_packets}"
    )


def _summary(result: LabResult) -> list[str]:
    """One line for each method: before and after, side by side."""
    plan = result.plan
    rows = [("method", "who answers ARP", "requests", "by-passed", "takeover", "verdict")]
    for trial in result.trials:
        first = trial.measurements[0] if trial.measurements else None
        rows.append(
            (
                trial.method,
                "-" if first is None else _answering(plan, first),
                "-" if first is None else _served(plan, first),
                "-" if first is None else _bypassed_text(plan, first),
                _takeover_text(trial.failover),
                _verdict(trial),
            )
        )
    missing = [t.method for t in plan.trials if t.method not in {r.method for r in result.trials}]
    return [*_table(rows), *(f"{method} was not tried" for method in missing)]


def _verdict(trial: TrialResult) -> str:
    if trial.method == NONE:
        return "hijacked, as it must be" if trial.holds else "FAIL: no hijack shown"
    if trial.error is not None:
        return "FAIL: did not reach its end"
    return "ok" if trial.holds else "FAIL"


def _takeover_text(failover: Failover | None) -> str:
    if failover is None:
        return "-"
    return "never" if failover.survivor is None else f"{failover.took_ms / 1000:.1f} s"


def _answering(plan: Plan, measured: Measurement) -> str:
    used = {flow.vip for flow in plan.flows}
    macs = [mac for a in measured.arp if a.vip in used for answers in a.rounds for mac in answers]
    return _owners(plan, macs)


def _served(plan: Plan, measured: Measurement) -> str:
    total: dict[str, int] = {name: 0 for flow in plan.flows for name, _ in flow.weights}
    for result in measured.flows:
        for name, count in result.served.items():
            total[name] = total.get(name, 0) + count
    return ", ".join(f"{name} {count}" for name, count in total.items())


def _bypassed_text(plan: Plan, measured: Measurement) -> str:
    sent = sum(result.sent for result in measured.flows)
    services = dict.fromkeys(flow.service for flow in plan.flows)
    return f"{sum(bypassed(measured, service) for service in services)} of {sent}"


def _owners(plan: Plan, macs: Iterable[str]) -> str:
    return ", ".join(sorted({plan.owner_of(mac) for mac in macs})) or "nobody"


def _addresses(host: LabHost) -> str:
    return ", ".join(
        f"{port.name} {address.partition('/')[0]}"
        for port in host.ports
        for address in port.addresses
    )


def _table(rows: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        indent
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _host(host: LabHost) -> dict[str, Any]:
    return {
        "name": host.name,
        "roles": list(host.roles),
        "cards": [
            {"name": p.name, "segment": p.segment, "mac": p.mac, "addresses": list(p.addresses)}
            for p in host.ports
        ],
    }


def _trial(plan: Plan, trial: TrialResult) -> dict[str, Any]:
    failover = trial.failover
    return {
        "method": trial.method,
        "holds": trial.holds,
        "error": trial.error,
        "seconds": round(trial.seconds, 1),
        "measurements": [_measurement(plan, measured) for measured in trial.measurements],
        "failover": None
        if failover is None
        else {
            "killed": failover.killed,
            "survivor": failover.survivor,
            "took_ms": failover.took_ms,
        },
        "assertions": [
            {
                "name": a.name,
                "phase": a.phase,
                "subject": a.subject,
                "holds": a.holds,
                "detail": a.detail,
            }
            for a in trial.assertions
        ],
    }


def _measurement(plan: Plan, measured: Measurement) -> dict[str, Any]:
    return {
        "phase": measured.phase,
        "active": measured.active,
        "arp": [
            {
                "vip": a.vip,
                "rounds": [
                    [{"mac": mac, "host": plan.owner_of(mac)} for mac in macs] for macs in a.rounds
                ],
            }
            for a in measured.arp
        ],
        "flows": [
            {
                "service": f.service,
                "vip": f.vip,
                "port": f.port,
                "sent": f.sent,
                "served": dict(f.served),
                "failures": list(f.failures),
                "learned": sorted({plan.owner_of(mac) for mac in f.learned}),
                "replies_from": sorted({plan.owner_of(mac) for mac in f.reply_macs}),
                "bypassed": bypassed(measured, f.service),
            }
            for f in measured.flows
        ],
        "counters": {
            service: {
                "connections": c.connections,
                "in_packets": c.in_packets,
                "out_packets": c.out_packets,
            }
            for service, c in measured.counters.items()
        },
    }
