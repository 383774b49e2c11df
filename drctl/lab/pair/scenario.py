"""What a demonstration of a pair plays, and what is promised of each step."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from drctl.lab.pair.client import Client, Request, Seen
from drctl.lab.pair.director import Director
from drctl.lab.pair.stage import Stage, now_ms

SLACK_MS = 150.0
"""What a machine that is busy with other things may add to an outage."""
FENCE_MS = 500.0
DETECTION_MS = 150.0 + 30.0
"""At a heartbeat of 100 ms: silence of one and a half, and probes."""
UNNOTICED_MS = 20.0
WATCH_S = 2.0

Play = Callable[[Stage, Director], None]


@dataclass(frozen=True)
class Step:
    """One event. `text` names the director that it happens to as `{}`: the one that holds the VIP
    when the first step of a `chapter` begins. `promise_ms` is the longest time without an answer;
    with `moves` the VIP has to be at the other director afterwards, else where it was. With
    `has_stream` the client sends packets too, of which none may be lost."""

    chapter: str
    text: str
    play: Play
    promise_ms: float
    moves: bool
    watch_s: float = WATCH_S
    has_stream: bool = False

    @property
    def most_ms(self) -> float:
        """The outage from which on the promise is broken."""
        return self.promise_ms + SLACK_MS


@dataclass(frozen=True)
class Outcome:
    """What the client saw of a step. `lost` of `sent` packets of a stream got no answer."""

    step: Step
    text: str
    at_ms: float
    seen: Seen
    requests: list[Request]
    holder: str
    """Who answers now."""
    expected: str
    lost: int = 0
    sent: int = 0

    def problems(self) -> list[str]:
        """Promises that were broken."""
        found = []
        if self.seen.twice:
            found.append(f"{self.seen.twice} requests were answered twice")
        if self.seen.outage_ms > self.step.most_ms:
            found.append(f"unanswered for more than {self.step.most_ms:.0f} ms")
        if self.holder != self.expected:
            found.append(f"{self.holder or 'nobody'} has the VIP, not {self.expected}")
        if self.lost:
            found.append(f"{self.lost} packets of a stream were lost")
        return found


def _switch(_: Stage, victim: Director) -> None:
    victim.ask("switch")


def _kill(_: Stage, victim: Director) -> None:
    victim.signal(signal.SIGKILL)


def _kill_both(_: Stage, victim: Director) -> None:
    guard = victim.guard()
    os.kill(guard, signal.SIGKILL)
    victim.signal(signal.SIGKILL)


def _revive(live: Stage, victim: Director) -> None:
    live.revive(victim)


def _silence(live: Stage, victim: Director) -> None:
    live.silence(victim.name)


def _heal(live: Stage, victim: Director) -> None:
    live.heal(victim.name)


def _unplug(live: Stage, victim: Director) -> None:
    live.unplug(victim.name)


def _plug(live: Stage, victim: Director) -> None:
    live.plug(victim.name)


def _stop(_: Stage, victim: Director) -> None:
    victim.signal(signal.SIGSTOP)


def _continue(_: Stage, victim: Director) -> None:
    victim.signal(signal.SIGCONT)


STEPS = (
    Step("switch", "drctl switch on {}", _switch, UNNOTICED_MS, True, has_stream=True),
    Step("kill", "kill -9: controller of {}", _kill, 60, True),
    Step("kill", "{} is started again", _revive, UNNOTICED_MS, False),
    Step("cut", "cable of {} cut, carrier stays", _silence, DETECTION_MS, True, 3),
    Step("cut", "the cable is whole again", _heal, UNNOTICED_MS, False),
    Step("carrier", "carrier of {} lost", _unplug, 34, True, 3),
    Step("carrier", "the carrier is back", _plug, UNNOTICED_MS, False),
    Step("hang", "controller of {} hangs (SIGSTOP)", _stop, FENCE_MS + 100, True, 3),
    Step("hang", "it goes on (SIGCONT)", _continue, UNNOTICED_MS, False),
    Step("kill both", "kill -9: {}, its guard too", _kill_both, FENCE_MS + 100, True),
    Step("kill both", "{} is started again", _revive, UNNOTICED_MS, False),
)
"""Each chapter ends as it began, with both directors well."""


def verdict(steps: Sequence[Step], outcomes: Sequence[Outcome]) -> tuple[str, bool]:
    """In one line, and whether every promise was kept, each step played."""
    kept = sum(not outcome.problems() for outcome in outcomes)
    longest_ms = max((outcome.seen.outage_ms for outcome in outcomes), default=0.0)
    twice = sum(outcome.seen.twice for outcome in outcomes)
    asked = sum(outcome.seen.asked for outcome in outcomes)
    text = (
        f"{kept} of {len(steps)} promises kept; longest outage {longest_ms:.0f} ms,"
        f" {twice} of {asked} requests answered twice"
    )
    return text, kept == len(steps)


def play(
    live: Stage, steps: tuple[Step, ...], begin: Callable[[str], None], look: Callable[[], None]
) -> Iterator[Outcome]:
    """Play the steps. `begin` is told of each before it is played, `look` is called often."""
    chapter, victim = "", live.holder()
    for step in steps:
        if step.chapter != chapter:
            chapter, victim = step.chapter, live.holder()
        text = step.text.format(victim.name)
        begin(text)
        yield _played(live, step, (text, victim), look)


def _played(
    live: Stage, step: Step, what: tuple[str, Director], look: Callable[[], None]
) -> Outcome:
    text, victim = what
    before = live.holder()
    with ExitStack() as stack:
        stream = None
        if step.has_stream:
            stream = Client(live.client_host, live.plan.vips[-1], {}, is_echo=True)
            stack.callback(stream.close)
            _wait(0.3, look)
        at_ms = now_ms()
        step.play(live, victim)
        _wait(step.watch_s, look)
        lost = stream.losses(at_ms)[0] if stream else 0
        sent = len(stream.requests(at_ms)) if stream else 0
    expected = live.other(before).name if step.moves else before.name
    return Outcome(
        step,
        text,
        at_ms,
        live.client.seen(at_ms),
        live.client.requests(at_ms - 1000),
        live.client.last_holder(),
        expected,
        lost,
        sent,
    )


def _wait(seconds: float, look: Callable[[], None]) -> None:
    """What is watched here takes its time."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        look()
        time.sleep(0.02)
