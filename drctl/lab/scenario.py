"""A configuration as the lab sees it: hosts, flows, and the plan for a guest. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from drctl.convert.directors import directors_of
from drctl.convert.ledger import Ledger
from drctl.convert.naming import choose_names
from drctl.convert.options import ConvertOptions
from drctl.errors import UsageError
from drctl.lab.plan import DIRECTOR, NONE, REAL_SERVER, Flow, LabHost, Plan, StandIn, Trial, Vip
from drctl.lab.topology import topology_of, with_listeners
from drctl.lab.workload import workload_of
from drctl.model.configuration import Configuration
from drctl.model.service import DIRECT, MASQUERADE, TUNNEL
from drctl.readers.reading import Reading
from drctl.render.host import hosts_of

_TAKEOVER_SLACK_MS = 30_000
_DEFAULT_ADVERT_MS = 1000
_DEFAULT_ADVERTS = 3


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything but the trials."""

    hosts: tuple[LabHost, ...]
    vips: tuple[Vip, ...]
    flows: tuple[Flow, ...]
    stand_ins: tuple[StandIn, ...]
    forwarding: str
    has_pair: bool
    takeover_limit_ms: int
    stable_ms: int
    notes: tuple[str, ...]

    def plan(self, trials: tuple[Trial, ...], patience: float) -> Plan:
        """The plan of a guest. Raises UsageError for `none` where it has no meaning: with
        masquerading real servers have no VIP, and a director has its rules in any case."""
        if self.forwarding == MASQUERADE and any(trial.method == NONE for trial in trials):
            raise UsageError(
                "with masquerading the real servers have no VIP, so nothing can be hijacked: "
                "leave out the method none"
            )
        if any(trial.method == NONE for trial in trials) and not any(
            DIRECTOR not in host.roles for host in self.hosts if REAL_SERVER in host.roles
        ):
            raise UsageError(
                "all real servers are directors, which cannot be set up without their rules: "
                "leave out the method none"
            )
        return Plan(
            hosts=self.hosts,
            vips=self.vips,
            flows=self.flows,
            stand_ins=self.stand_ins,
            trials=trials,
            forwarding=self.forwarding,
            has_pair=self.has_pair,
            takeover_limit_ms=self.takeover_limit_ms,
            patience=patience,
            stable_ms=self.stable_ms,
        )


def scenario_of(reading: Reading, options: ConvertOptions | None = None) -> Scenario:
    """The lab of a file, with the names and choices of a conversion with the same options."""
    options = options or ConvertOptions()
    ledger = Ledger()
    directors = directors_of((reading,), options, ledger)
    primary, backup = directors.primary, directors.backup
    names = choose_names(directors, options, ledger)
    hosts = hosts_of(primary, backup, names)
    views = (primary,) if backup is None else (primary, backup)
    topology = topology_of(reading.configuration, views, hosts, options.private_interface)
    vips = frozenset(vip.address for vip in topology.vips)
    workload = workload_of(reading.configuration, primary, names, vips)
    if not workload.flows:
        raise UsageError(f"nothing in the configuration can be tried: {'; '.join(workload.notes)}")
    notes = [*topology.notes, *workload.notes]
    if backup is None:
        notes.append("there is one director only, so no link is taken down")
    methods = {flow.method for flow in workload.flows}
    return Scenario(
        hosts=tuple(with_listeners(h, workload.listeners.get(h.name, ())) for h in topology.hosts),
        vips=topology.vips,
        flows=workload.flows,
        stand_ins=workload.stand_ins,
        forwarding=next(m for m in (TUNNEL, DIRECT, MASQUERADE) if m in methods),
        has_pair=backup is not None,
        takeover_limit_ms=_TAKEOVER_SLACK_MS + _dead_ms(primary),
        stable_ms=_dead_ms(primary) if _is_preempting(views) else 0,
        notes=tuple(notes),
    )


def _is_preempting(views: tuple[Configuration, ...]) -> bool:
    """Whether a director may take the VIPs from another one that is alive."""
    return len(views) > 1 and any(
        instance.is_preempting for view in views for instance in view.instances
    )


def _dead_ms(view: Configuration) -> int:
    """How long a silent director is believed in, at most."""
    limits = [
        (instance.advert_ms or _DEFAULT_ADVERT_MS)
        * ((instance.down_timer_adverts or _DEFAULT_ADVERTS) + 1)
        for instance in view.instances
    ]
    return max(limits, default=0)
