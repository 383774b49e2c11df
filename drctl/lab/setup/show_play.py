"""What came of a scenario, as text and JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drctl.lab.pair.timeline import lanes
from drctl.lab.setup.play import Outcome
from drctl.lab.setup.scenario import SCENARIOS, Scenario
from drctl.verify import show as verify_show
from drctl.verify.value import Result, Verdict

SCHEMA = 1
_COLUMNS = 64
_STEPS_MS = (20, 50, 100, 200, 500, 1000)


def listed(scenarios: Iterable[Scenario]) -> list[str]:
    """A line for each scenario."""
    width = max(map(len, SCENARIOS))
    return [f"{one.name:<{width}}  {one.about}" for one in scenarios]


def list_json() -> dict[str, Any]:
    """All scenarios, and what each has to show."""
    return {
        "schema": SCHEMA,
        "scenarios": [
            {
                "name": one.name,
                "about": one.about,
                "verdict": one.verdict.value,
                "cause": one.cause,
                "black_hole": one.has_black_hole,
                "moves": one.moves,
            }
            for one in SCENARIOS.values()
        ],
    }


def as_text(outcome: Outcome) -> list[str]:
    """Lines for people."""
    lines = [f"{outcome.scenario.name}: {outcome.text}"]
    stages = (
        ("before", outcome.before),
        ("meanwhile", outcome.during),
        ("repaired", outcome.after),
    )
    for name, result in stages:
        lines += ["", f"{name}:", *(f"  {line}" for line in _verdict_lines(result, outcome))]
    lines += ["", *_timeline(outcome), ""]
    problems = outcome.problems()
    lines += [f"not as it has to be: {problem}" for problem in problems]
    if not problems:
        lines.append("as it has to be")
    return lines


def _verdict_lines(result: Result, outcome: Outcome) -> list[str]:
    """The VIP that was asked for, others that are not well, and what real servers swallow."""
    findings = tuple(
        one
        for one in result.findings
        if one.vip == outcome.scene.vip or one.verdict is not Verdict.OK
    )
    bad = tuple(one for one in result.through if one.verdict.value == "black-hole")
    return [line for line in verify_show.as_text(Result(findings, bad, result.notes)) if line]


def _timeline(outcome: Outcome) -> list[str]:
    """Lanes of who answered, and each change in words."""
    begin_ms = outcome.requests[0].asked_ms
    end_ms = outcome.requests[-1].asked_ms
    step_ms = next((s for s in _STEPS_MS if (end_ms - begin_ms) / s <= _COLUMNS), _STEPS_MS[-1])
    columns = int((end_ms - begin_ms) // step_ms) + 1
    names = list(dict.fromkeys(n for one in outcome.spans for n in one.holders))
    drawn = lanes(outcome.requests, names, begin_ms, (columns, step_ms))
    width = max([*map(len, names), len("nobody")])
    lines = [f"who answers ARP for {outcome.scene.vip} (a column is {step_ms} ms)"]
    if ":" in outcome.scene.vip:
        lines = [f"who answers for {outcome.scene.vip} (a column is {step_ms} ms)"]
    lines += [f"  {name:<{width}}  {drawn[name]}" for name in names]
    marks = [" "] * columns
    for at_ms, sign in ((outcome.broken_ms, "^"), (outcome.repaired_ms, "+")):
        marks[min(columns - 1, int((at_ms - begin_ms) // step_ms))] = sign
    lines.append(f"  {'':<{width}}  {''.join(marks).rstrip()}  ^ the event, + the repair")
    for one in outcome.spans[1:]:
        who = " and ".join(one.holders) or "nobody"
        lines.append(f"  {_since(one.from_ms, outcome):>9}  {who}")
    lines.append(f"  longest time without an answer: {outcome.outage_ms:.0f} ms")
    return lines


def _since(at_ms: float, outcome: Outcome) -> str:
    return f"{(at_ms - outcome.broken_ms) / 1000:+.2f} s"


def as_json(outcome: Outcome) -> dict[str, Any]:
    """As docs/lab.md describes it; times in milliseconds since the event."""
    scene = outcome.scene
    return {
        "schema": SCHEMA,
        "scenario": outcome.scenario.name,
        "text": outcome.text,
        "vip": scene.vip,
        "holder": scene.holder.name,
        "server": scene.server.name if scene.server else None,
        "holds": not outcome.problems(),
        "problems": outcome.problems(),
        "before": verify_show.as_json(outcome.before),
        "during": verify_show.as_json(outcome.during),
        "after": verify_show.as_json(outcome.after),
        "repaired_ms": round(outcome.repaired_ms - outcome.broken_ms, 1),
        "outage_ms": round(outcome.outage_ms, 1),
        "timeline": [
            {
                "from_ms": round(one.from_ms - outcome.broken_ms, 1),
                "until_ms": round(one.until_ms - outcome.broken_ms, 1),
                "answered_by": list(one.holders),
            }
            for one in outcome.spans
        ],
    }
