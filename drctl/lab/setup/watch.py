"""What the lab's client sees: `drctl verify`'s verdicts."""

from __future__ import annotations

from contextlib import closing

from drctl.lab.pair.host import Host
from drctl.lab.setup.design import Design
from drctl.lab.setup.pace import pace_here
from drctl.verify.look import Look, cards_of, read_machine
from drctl.verify.plan import plan_of_hosts
from drctl.verify.value import Result, Verdict

ROUNDS = 3


def verdicts(design: Design, host: Host, active: str = "") -> Result:
    """Who has the VIPs, and whether real servers take their packets, seen from a host of the lab;
    `active` is the director that says it is active."""
    with host.inside():
        machine = read_machine()
        plan = plan_of_hosts(design.views, design.setup, machine, None, is_through=True)
        cards = cards_of(plan, machine)
        with closing(Look(plan, cards, ROUNDS, pace_here().listen_s)) as look:
            return look.result(active, is_through=True)


def is_healthy(result: Result) -> bool:
    """Every VIP is answered by exactly one director."""
    return all(one.verdict is Verdict.OK for one in result.findings)
