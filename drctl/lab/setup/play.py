"""Plays a scenario in a lab: what `drctl verify` says before, meanwhile and after the repair, and
who answered the client all the time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from drctl.errors import DrctlError
from drctl.lab.pair.client import UNSURE, Client, Request, Vantage, be_punctual
from drctl.lab.pair.host import Host
from drctl.lab.pair.timeline import Span, spans
from drctl.lab.setup.build import Builder
from drctl.lab.setup.daemon import speaker
from drctl.lab.setup.design import Design
from drctl.lab.setup.pace import pace_here
from drctl.lab.setup.scenario import Scenario, Scene, is_seen, vip_for
from drctl.lab.setup.watch import is_healthy, verdicts
from drctl.verify.value import Finding, Passage, Result

PERIOD_S = 0.005
FIRST_SENDER = "169.254.77.1"
"""No network's: the client's questions come from addresses that are nobody's."""
MOST_LOOKS = 3
QUIET_S = 0.5
SETTLED_S = 0.4
"""Who holds the VIP for so long does not move it any more."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What was seen. Times are of CLOCK_MONOTONIC in milliseconds: of the event, and of the repair.
    `holders` are the directors that had the VIP before, meanwhile and after."""

    scenario: Scenario
    scene: Scene
    text: str
    before: Result
    during: Result
    after: Result
    broken_ms: float
    repaired_ms: float
    requests: list[Request]

    @property
    def spans(self) -> list[Span]:
        """Who answered when."""
        return spans(self.requests)

    @property
    def outage_ms(self) -> float:
        """The longest time in which nobody answered, from the event to the repair."""
        silent = [
            min(one.until_ms, self.repaired_ms) - max(one.from_ms, self.broken_ms)
            for one in self.spans
            if not one.holders
        ]
        return max([0.0, *silent])

    def problems(self) -> list[str]:
        """What is not as it has to be."""
        scenario, found = self.scenario, []
        if not is_healthy(self.before):
            found.append("the lab was not well before")
        finding = finding_of(self.during, self.scene.vip)
        if not is_seen(scenario, finding.verdict, finding.cause, self.holes()):
            wanted = f"{scenario.verdict.value} with {scenario.cause!r}"
            seen = "; ".join((finding.cause, *self.holes())).strip("; ")
            found.append(f"meanwhile: {finding.verdict.value} ({seen}), not {wanted}")
        if finding.verdict.value == "ok" and scenario.verdict.value == "ok":
            expected = self.scene.other.name if scenario.moves else self.scene.holder.name
            holder = active_of(finding)
            if holder != expected:
                found.append(f"meanwhile {holder} has the VIP, not {expected}")
        if not is_healthy(self.after):
            found.append("the lab is not well after the repair")
        if extra := swallowed(self.after) - swallowed(self.before):
            found.append(f"after the repair packets are swallowed by {', '.join(sorted(extra))}")
        return found

    def holes(self) -> tuple[str, ...]:
        """Causes of what the scenario's real server swallowed meanwhile."""
        return _holes(self.during, self.scene)


def swallowed(result: Result) -> set[str]:
    """Whose packets for what come to nothing, in words."""
    bad = [one for one in result.through if one.verdict is Passage.BLACK_HOLE]
    return {f"{one.real_server} for {one.vip}" for one in bad}


def finding_of(result: Result, vip: str) -> Finding:
    """The verdict of a VIP."""
    return next(one for one in result.findings if one.vip == vip)


def active_of(finding: Finding) -> str:
    """The director that has it, "" for none."""
    return next((one.host for one in finding.answers if one.role == "active"), "")


def play(builder: Builder, scenario: Scenario, tell: Tell) -> Outcome:
    """Play it, and repair the lab. Raises UsageError when it cannot be played here, DrctlError when
    the lab is not well before, or cannot be repaired."""
    design = builder.design
    vip, server = vip_for(design, scenario)
    host = builder.hosts[design.client.name]
    tell("before")
    before = verdicts(design, host)
    scene = _scene(builder, before, vip, server)
    names = {port.mac: one.name for one in design.hosts for port in one.ports}
    be_punctual()
    try:
        with closing(Client(host, vip, names, period_s=PERIOD_S, vantage=_vantage(scene))) as asks:
            _wait(QUIET_S)
            text = _text(scene, scenario.text)
            tell(text)
            broken_ms = time.monotonic() * 1000
            scenario.play(scene)
            _settle(asks, broken_ms)
            during = _look(scene, scenario, host)
            tell("repair")
            repaired_ms = time.monotonic() * 1000
            builder.build()
            _wait(QUIET_S)
            after = _look_after(design, host, swallowed(before))
            requests = asks.requests(broken_ms - QUIET_S * 1000)[:-UNSURE]
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return Outcome(scenario, scene, text, before, during, after, broken_ms, repaired_ms, requests)


def _look(scene: Scene, scenario: Scenario, host: Host) -> Result:
    """What is seen now. On a machine that is busy an answer may come too late for one look, so that
    it knows less of the cause: it is repeated then."""
    for _ in range(MOST_LOOKS - 1):
        result = verdicts(scene.design, host, speaker(scene.builder.pair))
        finding = finding_of(result, scene.vip)
        if is_seen(scenario, finding.verdict, finding.cause, _holes(result, scene)):
            return result
    return verdicts(scene.design, host, speaker(scene.builder.pair))


def _look_after(design: Design, host: Host, before: set[str]) -> Result:
    """What is seen after the repair, when what was started for it leaves others the time to answer,
    or nothing more is to be expected."""
    limit_s = time.monotonic() + pace_here().settle_s
    while True:
        result = verdicts(design, host)
        is_well = is_healthy(result) and swallowed(result) <= before
        if is_well or time.monotonic() >= limit_s:
            return result
        _wait(QUIET_S)


def _holes(result: Result, scene: Scene) -> tuple[str, ...]:
    """Causes of what the scenario's real server swallows."""
    server = scene.server.name if scene.server else ""
    return tuple(
        one.cause
        for one in result.through
        if one.verdict is Passage.BLACK_HOLE and one.real_server == server
    )


def _scene(builder: Builder, before: Result, vip: str, server: str) -> Scene:
    name = active_of(finding_of(before, vip))
    holder = next((one for one in builder.pair if one.name == name), None)
    if holder is None:
        raise DrctlError(f"no director of the lab has {vip}: drctl lab up repairs it")
    other = next(one for one in builder.pair if one is not holder)
    return Scene(builder, vip, holder, other, builder.hosts[server] if server else None)


def _vantage(scene: Scene) -> Vantage:
    card = scene.card(scene.design.client.name)
    own = [text.partition("/")[0] for text in card.addresses if ":" in text]
    return Vantage(card.name, FIRST_SENDER, own[0] if own else "")


def _text(scene: Scene, text: str) -> str:
    return text.format(
        holder=scene.holder.name,
        other=scene.other.name,
        server=scene.server.name if scene.server else "",
        bystander=scene.bystander.name,
        vip=scene.vip,
    )


def _settle(asks: Client, since_ms: float) -> None:
    """Until the same hosts have answered for a while, or nobody has for as long as a lease and a
    fence may take."""
    limit_s = time.monotonic() + pace_here().settle_s
    silence_s = 4.0
    while time.monotonic() < limit_s:
        _wait(0.1)
        found = spans(asks.requests(since_ms)[:-UNSURE])
        if not found:
            continue
        last_s = (found[-1].until_ms - found[-1].from_ms) / 1000
        waited_s = time.monotonic() - since_ms / 1000
        # a director that was stopped answers until its fence closes
        if waited_s > 1.2 and last_s > (SETTLED_S if found[-1].holders else silence_s):
            return


def _wait(seconds: float) -> None:
    time.sleep(seconds)
