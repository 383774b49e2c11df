"""A lab on this machine as a whole: bringing it up, finding it again, taking it down."""

from __future__ import annotations

from pathlib import Path

from drctl.errors import DrctlError, UsageError
from drctl.lab.setup import balancer, process, state
from drctl.lab.setup.build import Builder, Tell, check_machine
from drctl.lab.setup.design import NAMESPACE, Design, Source
from drctl.lab.setup.play import Outcome, play
from drctl.lab.setup.scenario import Scenario
from drctl.lab.setup.show import Up, option
from drctl.lab.setup.teardown import Gone, take_down
from drctl.lab.setup.watch import verdicts


def bring_up(design: Design, tell: Tell) -> Up:
    """Make a lab, or make whole the one of this name and design. Raises UsageError when there is
    one of another design, DrctlError when it cannot be made."""
    check_outside()
    check_machine()
    with state.locked():
        known = state.read(design.name)
        if known is None:
            check_free(design)
        elif known.kernel or known.digest != design.digest:
            raise UsageError(other_design(design, known))
        is_whole = known is not None and known.is_complete
        state.write(state.state_of(design, is_complete=is_whole))
        state.folder_of(design.name).mkdir(mode=0o700, exist_ok=True)
        builder = Builder(design, tell)
        try:
            groups = builder.build()
        except DrctlError as failed:
            own = option(design.name)
            hint = f"what there is stays: `drctl lab up` tries again, `drctl lab down{own}` ends it"
            raise DrctlError(f"{failed}\n{hint}") from failed
        state.write(state.state_of(design, is_complete=True))
    tell("verify")
    client = builder.hosts[design.client.name]
    result = verdicts(design, client)
    idle = balancer.why_not(builder.hosts[design.directors[0].name])
    served = () if idle else balancer.ask(design, client)
    others = [idle] if idle else balancer.unasked(design.flows)
    notes = (*dict.fromkeys((*others, *design.notes, *builder.notes)),)
    return Up(design, groups, result, notes, served, is_balancing=not idle)


def check_outside() -> None:
    """Raises UsageError in a shell of a lab."""
    if lab := process.inside():
        raise UsageError(f"this is a shell in lab {lab}: leave it first")


def check_free(design: Design) -> None:
    """Raises UsageError when a namespace of these names is there, whose maker nobody knows."""
    there = sorted(Path("/run/netns").glob(f"{NAMESPACE}{design.name}.*"))
    if there:
        raise UsageError(
            f"the network namespace {there[0].name} is there, of a lab that nobody remembers: "
            f"`drctl lab down --name {design.name}` takes it away"
        )


def other_design(design: Design, known: state.State, kernel: str = "") -> str:
    """Why the lab that is known is not that of the design, in a guest with the kernel, or on this
    machine's without one."""
    name = option(design.name)
    what = f"of {known.source.path}"
    if known.kernel != kernel:
        what = f"in {known.kernel}" if known.kernel else "on this machine's kernel"
    elif known.source == design.source:
        what = f"of {known.source.path} as it was before it was changed"
    elif known.source.path == design.source.path:
        what = f"of {known.source.path} with --method {known.source.method}"
    return f"there is a lab {design.name} {what}: `drctl lab down{name}`, or use another --name"


def playing(design: Design, scenario: Scenario, tell: Tell) -> Outcome:
    """Play a scenario in a lab that is up, which is made whole before and afterwards."""
    check_outside()
    check_machine()
    with state.locked():
        builder = Builder(design, tell)
        builder.build()
        state.write(state.state_of(design, is_complete=True))
        return play(builder, scenario, tell)


def known_lab(name: str) -> state.State | None:
    """A lab that is there or was begun; None when there is none."""
    return state.read(name)


def bring_down(name: str) -> Gone | None:
    """Take a lab away; None when there is none."""
    check_outside()
    check_machine()
    with state.locked():
        known = state.read(name) or state.State(name, _NOTHING, "", ())
        gone = take_down(known)
    return gone if gone.namespaces or gone.processes or known.digest else None


_NOTHING = Source("", "auto", "")
