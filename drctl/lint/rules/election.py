"""Statements about the election that have no effect together."""

from __future__ import annotations

from drctl.lint.instance import OWNER, Instance
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import of_instance
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

NOPREEMPT_IGNORED = Kind("DR328", "nopreempt-without-effect", Severity.WARNING)
DELAY_IGNORED = Kind("DR329", "preempt-delay-without-effect", Severity.WARNING)
INTERVAL_CHANGED = Kind("DR330", "advert-interval-changed", Severity.WARNING)

_LONGEST_V3_US = 40_950_000
_CENTISECOND_US = 10_000
_SECOND_US = 1_000_000


@of_instance
def check_preemption(instance: Instance, world: World) -> None:
    """nopreempt and preempt_delay work with the initial state BACKUP only."""
    section = instance.section
    choice = section.last("nopreempt", "preempt")
    nopreempt = choice if choice is not None and choice.words[0] == "nopreempt" else None
    delay = section.last("preempt_delay")
    has_delay = delay is not None and delay.words[1].strip("0.+") != ""
    hint = "write state BACKUP on both directors"
    if nopreempt is not None and instance.priority == OWNER:
        text = f"nopreempt does not go with priority {OWNER}"
        world.report.add(nopreempt, Problem(NOPREEMPT_IGNORED, -1, text))
        nopreempt = None
    if instance.is_master:
        if nopreempt is not None:
            text = "nopreempt does not work with state MASTER"
            world.report.add(nopreempt, Problem(NOPREEMPT_IGNORED, -1, text, hint))
        if delay is not None and has_delay:
            text = "preempt_delay does not work with state MASTER"
            world.report.add(delay, Problem(DELAY_IGNORED, -1, text, hint))
    elif delay is not None and has_delay:
        if instance.is_strict:
            text = "preempt_delay does not go with strict mode"
            world.report.add(delay, Problem(DELAY_IGNORED, -1, text))
        if nopreempt is not None:
            text = "preempt_delay does not go with nopreempt"
            world.report.add(delay, Problem(DELAY_IGNORED, -1, text, "remove one of them"))


@of_instance
def check_interval(instance: Instance, world: World) -> None:
    """Version 2 counts whole seconds, version 3 hundredths up to 40.95 s."""
    line = instance.section.last("advert_int")
    if line is None:
        return
    time_us = _microseconds(line.words[1])
    text = ""
    if instance.vrrp_version == 2:
        if time_us % _SECOND_US:
            text = f"{line.words[1]} s is rounded: VRRP version 2 has whole seconds"
    elif time_us > _LONGEST_V3_US + _CENTISECOND_US - 1:
        text = f"{line.words[1]} s is too long for VRRP version 3: 40.95 s is used"
    elif time_us % _CENTISECOND_US:
        text = f"{line.words[1]} s is rounded: VRRP version 3 has hundredths of a second"
    if text:
        world.report.add(line, Problem(INTERVAL_CHANGED, 0, text))


def _microseconds(word: str) -> int:
    whole, _, fraction = word.strip().lstrip("+").partition(".")
    return int(whole or 0) * _SECOND_US + int(fraction[:6].ljust(6, "0"))
