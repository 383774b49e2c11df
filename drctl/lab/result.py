"""What a lab run came to."""

from __future__ import annotations

from dataclasses import dataclass, field

from drctl.lab.measurement import Failover, Measurement
from drctl.lab.plan import Plan
from drctl.lab.verdict import Assertion


@dataclass(frozen=True, slots=True)
class Log:
    """Words of a program in the guest."""

    method: str
    host: str
    name: str
    text: str


@dataclass
class TrialResult:
    """One method. `error` is what kept the trial from its end; `seconds` is its duration."""

    method: str
    measurements: list[Measurement] = field(default_factory=list)
    failover: Failover | None = None
    assertions: tuple[Assertion, ...] = ()
    error: str | None = None
    logs: list[Log] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether every assertion holds, and there is one."""
        return (
            self.error is None
            and bool(self.assertions)
            and all(assertion.holds for assertion in self.assertions)
        )


@dataclass
class LabResult:
    """All trials of one run. `kernel` is uml or qemu, `release` the guest's kernel release."""

    source: str
    plan: Plan
    kernel: str
    notes: tuple[str, ...]
    release: str = ""
    trials: list[TrialResult] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every trial that was asked for holds."""
        return len(self.trials) == len(self.plan.trials) and all(t.holds for t in self.trials)
