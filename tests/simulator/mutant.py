"""Changed copies of the core, each with one of its safeguards taken out.

A mutant names the invariant that its loss breaks, and the faults under which it shows: a judge that
cannot see the loss of a safeguard would prove nothing about the core that has them all.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import drctl.core
from simulator.fault import Fault
from simulator.run import Schedule, random_schedule, run, settled_ms
from simulator.topology import Topology
from simulator.world import load_core

Edit = tuple[str, str, str]
"""Module, text that occurs once in it, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`kinds` are the faults of the schedules; `topology` overrides fields of the random one.
    `timeline` are faults of fixed order instead: (kind, node, earliest and latest ms after things
    have settled, how long in ms)."""

    name: str
    invariant: str
    edits: tuple[Edit, ...]
    kinds: tuple[str, ...] = ()
    topology: tuple[tuple[str, Any], ...] = ()
    timeline: tuple[tuple[str, str, float, float, int], ...] = ()


ONE_PAIR = (("nodes", 2), ("services", ("svc",)), ("is_synced", False))
FENCED = (*ONE_PAIR, ("has_fence", True))
UNFENCED = (*ONE_PAIR, ("has_fence", False))
THREE = (("nodes", 3), ("services", ("svc",)), ("is_synced", False), ("heartbeat_ms", 100))
CUT = (*FENCED, ("links", ("svc",)), ("witnesses", 2))
VOUCHED, LENT = ((*CUT, ("arbiter", kind)) for kind in ("gateway", "lease"))
TWO_GROUPS = (
    ("nodes", 2),
    ("services", ("svc", "dmz")),
    ("is_synced", False),
    ("vips", 2),
    ("has_fence", True),
    ("arbiter", ""),
)
NO_LINKS = ("links", "lb1", 0, 50, 6000)

MUTANTS = (
    Mutant(
        "no ARP check before a takeover",
        "safety",
        (
            (
                "burst",
                "        self.is_pending = False\n        self.is_answered = True",
                "        return",
            ),
        ),
        topology=FENCED,
        timeline=(NO_LINKS,),
    ),
    Mutant(
        "one probe instead of six",
        "safety",
        (("burst", "self.count >= self.rounds", "self.count >= 1"),),
        topology=FENCED,
        timeline=(("loss", "lb1", 0, 1, 6000), NO_LINKS),
    ),
    Mutant(
        "no witness before a takeover",
        "quiet",
        (
            (
                "sight",
                "return not self.stations or (self._has_answer",
                "return True or (True",
            ),
            ("sight", "            self.is_blind = True\n", "            self.is_blind = False\n"),
        ),
        topology=(*FENCED, ("links", ("svc",))),
        timeline=(("cut", "lb2", 0, 50, 1500),),
    ),
    Mutant(
        "no witness for keeping the VIPs",
        "isolation",
        (("sight", "            self.is_blind = True\n", "            self.is_blind = False\n"),),
        topology=(*FENCED, ("links", ("svc",))),
        timeline=(("cut", "lb1", 0, 50, 3000),),
    ),
    Mutant(
        "leases renewed by a timer, whatever the witnesses say",
        "isolation",
        (("node", "if has_vips and active.keeps_witness_rule(group, now_ms):", "if has_vips:"),),
        topology=(*UNFENCED, ("links", ("svc",))),
        timeline=(("cut", "lb1", 0, 50, 6000),),
    ),
    Mutant(
        "a lapsed lease is not noticed",
        "safety",
        (("node", "if now_ms < group.lease_end_ms():", "if True:"),),
        topology=UNFENCED,
        timeline=(NO_LINKS, ("pause", "lb1", 100, 150, 3500)),
    ),
    Mutant(
        "a lapsed fence is opened again",
        "safety",
        (
            ("node", "if now_ms < group.lease_end_ms():", "if True:"),
            (
                "active",
                '        group.release(now_ms, "the lease lapsed")',
                "        group.open_fence(now_ms, now_ms + 1000)",
            ),
        ),
        topology=FENCED,
        timeline=(NO_LINKS, ("pause", "lb1", 100, 150, 1500)),
    ),
    Mutant(
        "no comparison of epochs, where ARP does not tell",
        "safety",
        (
            ("frame", "        active.contested(group, now_ms, peer)", "        pass"),
            (
                "active",
                "if holder is not None and group.peer_key(holder[0]) > group.key():",
                "if False:",
            ),
            ("active", "if group.stale_epoch <= group.epoch:", "if True:"),
        ),
        topology=(*FENCED, ("links", ("svc",))),
        timeline=(("split", "lb1", 0, 50, 1000),),
    ),
    Mutant(
        "a claim ends a switchover before the other holds anything",
        "seamless",
        (
            ("yielding", "if is_higher and theirs.role is ACTIVE:", "if is_higher:"),
            (
                "yielding",
                "            group.release_ms = now_ms + timing.overlap_ms\n",
                "            return _finish(group, now_ms, group.target)\n",
            ),
        ),
        topology=FENCED,
        timeline=(("switch", "lb1", 100, 150, 0),),
    ),
    Mutant(
        "the claim comes before the request to switch over",
        "seamless",
        (
            (
                "yielding",
                (
                    "        group.around.beat_soon = False\n"
                    "        group.is_waiting = True\n"
                    "        group.shut()"
                ),
                '        group.release(group.yield_ms, "yielding")',
            ),
        ),
        topology=FENCED,
        timeline=(("switch", "lb1", 100, 150, 0),),
    ),
    Mutant(
        "a stale echo is accepted",
        "safety",
        (
            ("peer", "if sent_ms is None or now_ms - sent_ms > self.timing.stale_ms:", "if False:"),
            ("peer", "        sent_ms = self._sent.get(beat.echo)\n", "        sent_ms = now_ms\n"),
        ),
        topology=(*FENCED, ("is_preempting", False)),
        timeline=(("pause", "lb2", 340, 395, 3000), ("switch", "lb1", 400, 405, 0)),
    ),
    Mutant(
        "the guard is not told",
        "guard",
        (
            (
                "taking",
                "    group.tell_guard()\n",
                "    group.is_waiting = False\n    group.phase = Phase.VIPS\n",
            ),
        ),
        topology=FENCED,
        timeline=(("links", "lb1", 0, 50, 100),),
    ),
    Mutant(
        "no limit of time for a handover",
        "safety",
        (("standby", 'hands over", peer, end_ms)', 'hands over", peer)'),),
        topology=(*FENCED, ("heartbeat_ms", 100), ("is_preempting", False)),
        timeline=(("switch", "lb1", 400, 400, 0), ("pause", "lb2", 400, 402, 1500)),
    ),
    Mutant(
        "two that ask at the same time do not notice each other",
        "safety",
        (
            (
                "frame",
                "    is_open = group.role is ACTIVE and not group.is_shut\n",
                "    return False\n",
            ),
        ),
        topology=THREE,
        timeline=(
            ("links", "lb1", 0, 0, 6000),
            ("links", "lb2", 0, 0, 6000),
            ("kill", "lb1", 400, 500, 5000),
        ),
    ),
    Mutant(
        "a lone holder does not look for another one",
        "safety",
        (
            (
                "node",
                "if active.looks_for_others(group, now_ms):",
                "if False:",
            ),
        ),
        topology=(*FENCED, ("links", ("svc",))),
        timeline=(("split", "lb1", 0, 50, 1000), ("links", "lb1", 500, 550, 4000)),
    ),
    Mutant(
        "another holder's answer is ignored",
        "safety",
        (("frame", "        active.contested(group, now_ms, peer)", "        pass"),),
        topology=(*FENCED, ("links", ("svc",))),
        timeline=(("split", "lb1", 0, 50, 1000), ("links", "lb1", 500, 550, 4000)),
    ),
    Mutant(
        "a handover that failed is taken back unseen",
        "safety",
        (
            (
                "active",
                "    if group.burst.answered_ms is not None:\n        group.release(",
                "    if False:\n        group.release(",
            ),
            (
                "burst",
                "        self.is_pending = False\n        self.is_answered = True",
                "        return",
            ),
        ),
        topology=(*FENCED, ("heartbeat_ms", 100), ("is_preempting", False)),
        timeline=(("switch", "lb1", 400, 400, 0), ("one-way", "lb2", 400, 400, 4000)),
    ),
    Mutant(
        "not silent in ARP while switching over",
        "safety",
        (
            (
                "group",
                (
                    "        self.around.emit(ShutArp(self.around.take_number("
                    'self, "shut"), self.name))'
                ),
                (
                    "        self.around.emit(RenewFence(self.around.take_number("
                    'self, "shut"), self.name))'
                ),
            ),
        ),
        topology=FENCED,
        timeline=(("switch", "lb1", 100, 150, 0),),
    ),
    Mutant(
        "epochs begin anew with a restart",
        "monotony",
        (
            (
                "reconfigure",
                "    state.seen_epoch = epoch\n",
                "    state.seen_epoch = 0\n",
            ),
        ),
        topology=FENCED,
        timeline=(("kill-both", "lb2", 0, 10, 600), ("kill-both", "lb1", 20, 30, 700)),
    ),
    Mutant(
        "a claim does not raise the epoch",
        "monotony",
        (("taking", "epoch = group.seen_epoch + 1", "epoch = max(1, group.seen_epoch)"),),
        topology=(*FENCED, ("is_preempting", False)),
        timeline=(("switch", "lb1", 0, 10, 0), ("switch", "lb2", 600, 610, 0)),
    ),
    Mutant(
        "announced before the fence is open",
        "announcement",
        (
            (
                "taking",
                "        group.phase = Phase.FENCE\n",
                "        group.phase = Phase.FENCE\n        group.announce(now_ms, 1)\n",
            ),
        ),
        topology=FENCED,
        timeline=(("kill", "lb1", 0, 50, 700),),
    ),
    Mutant(
        "a living holder does not keep a standby from taking",
        "quiet",
        (("standby", "    if holder is not None:\n", "    if holder is not None and False:\n"),),
        topology=FENCED,
        timeline=(("link", "lb1", 0, 50, 100),),
    ),
    Mutant(
        "a stranger that answers keeps everybody from taking",
        "liveness",
        (
            (
                "frame",
                (
                    "    if peer is None and not around.may_be_peer"
                    "(event.interface, event.mac, now_ms):\n        text"
                ),
                "    if False:\n        text",
            ),
        ),
        topology=(*FENCED, ("links", ("svc",))),
        timeline=(("leak", "lb1", 0, 10, 9000), ("kill-both", "lb1", 20, 50, 9000)),
    ),
    Mutant(
        "taken from a silent director who may still be vouched for",
        "safety",
        (
            (
                "arbiter",
                "    return arbiter.hold_ms + around.timing.heartbeat_ms\n",
                "    return 0\n",
            ),
        ),
        topology=VOUCHED,
        timeline=(("split", "lb1", 0, 50, 2000),),
    ),
    Mutant(
        "kept by who is alone and has nobody to vouch",
        "safety",
        (("active", "    if not arbiter.is_missing(group, now_ms):\n", "    if True:\n"),),
        topology=VOUCHED,
        timeline=(("split", "lb1", 0, 50, 3000),),
    ),
    Mutant(
        "taken without the loan",
        "safety",
        (("arbiter", "    return now_ms >= until_ms\n", "    return False\n"),),
        topology=LENT,
        timeline=(("split", "lb1", 0, 50, 3000),),
    ),
    Mutant(
        "one who leaves the segment for good does not hold up the others",
        "liveness",
        (
            (
                "peer",
                "self.fresh_until_ms = self.heard_ms + timing.suspect_ms + 1",
                "self.fresh_until_ms = self.heard_ms + 3600_000",
            ),
        ),
        topology=(*FENCED, ("links", ("svc",))),
        timeline=(("cut", "lb1", 0, 50, 6000),),
    ),
    Mutant(
        "a VIP is added without asking whether somebody has it",
        "safety",
        (
            (
                "arriving",
                "    if not place.run_burst(now_ms):\n        return None\n",
                "    burst.vouched_ms = now_ms\n",
            ),
        ),
        topology=TWO_GROUPS,
        timeline=(("move-vip", "lb1", 0, 400, 1500),),
    ),
    Mutant(
        "a VIP is added before it is lent",
        "safety",
        (("arriving", "    if arbiter.is_not_lent(place, now_ms):\n", "    if False:\n"),),
        topology=(*TWO_GROUPS, ("links", ("svc",)), ("arbiter", "lease")),
        timeline=(
            ("cut", "lb1", 0, 5, 200),
            ("split", "lb1", 400, 450, 3000),
            ("move-vip", "lb2", 400, 500, 1500),
        ),
    ),
    Mutant(
        "another configuration is no reason for doubt",
        "safety",
        (
            (
                "group",
                "            if is_other or not peer.is_fresh(now_ms):",
                "            if not peer.is_fresh(now_ms):",
            ),
        ),
        topology=TWO_GROUPS,
        timeline=(("move-vip", "lb1", 0, 400, 3000), ("switch", "lb2", 500, 900, 0)),
    ),
    Mutant(
        "what is no VIP any more is not dropped",
        "gone",
        (
            (
                "reconfigure",
                "            self._leave(GroupState(move.leaving, around), now_ms)\n",
                "            pass\n",
            ),
        ),
        kinds=("reload",),
        topology=(("has_fence", False), ("vips", 3), ("arbiter", "")),
    ),
    Mutant(
        "the heartbeat of before is forgotten while others still have it",
        "quiet",
        (
            (
                "reconfigure",
                "slow = max(before.heartbeat_ms, timing.heartbeat_ms)",
                "slow = timing.heartbeat_ms",
            ),
            (
                "reconfigure",
                "quick = min(before.heartbeat_ms, timing.heartbeat_ms)",
                "quick = timing.heartbeat_ms",
            ),
        ),
        kinds=("retime",),
    ),
    Mutant(
        "a group that is renamed lets go of its VIPs",
        "seamless",
        (
            (
                "layout",
                "        return vips if vips or now is not None else None",
                "        return vips if now is not None else None",
            ),
        ),
        topology=(*FENCED, ("arbiter", "")),
        timeline=(("rename", "lb1", 0, 400, 900),),
    ),
    Mutant(
        "who does not know a group holds up its takeover",
        "liveness",
        (("taking", "        if theirs is None and around.is_other(peer):", "        if False:"),),
        topology=(*FENCED, ("arbiter", "")),
        timeline=(("rename", "lb1", 0, 400, 9000),),
    ),
    Mutant(
        "a probe counts though no witness vouches for it",
        "quiet",
        (("burst", "        if is_vouched:\n", "        if True:\n"),),
        topology=(*FENCED, ("heartbeat_ms", 50)),
        timeline=(("links", "lb2", 0, 50, 900), ("deafen", "lb2", 30, 60, 450)),
    ),
    Mutant(
        "of two holders neither gives way",
        "safety",
        (("active", "return group.around.settings.node < peer.config.node", "return True"),),
        topology=(*FENCED, ("links", ("svc",))),
        timeline=(("split", "lb1", 0, 50, 1000), ("links", "lb1", 500, 550, 4000)),
    ),
    Mutant(
        "an answer of a director that is heard does not count",
        "safety",
        (
            (
                "frame",
                "        return _begin_anew(group, event.now_ms)\n    if group.role is ACTIVE and",
                "        return False\n    if group.role is ACTIVE and",
            ),
        ),
        topology=(*TWO_GROUPS, ("links", ("svc",))),
        timeline=(("move-vip", "lb1", 0, 200, 600), ("stop", "lb1", 100, 400, 300)),
    ),
    Mutant(
        "who was stopped puts back an address that was taken away meanwhile",
        "safety",
        (
            (
                "group",
                "        if now_ms == self.around.stopped_ms and now_ms >= self.prompt_until_ms:",
                "        if False:",
            ),
        ),
        topology=(*UNFENCED, ("heartbeat_ms", 100), ("arbiter", "")),
        timeline=(("pause", "lb1", 0, 1000, 700), ("remove-address", "lb1", 1000, 1050, 0)),
    ),
    Mutant(
        "an answer does not count when who gave it said before that he has it not",
        "safety",
        (
            (
                "frame",
                "    elif group.burst is not None:\n        # what",
                "    elif group.burst is not None and not says_no:\n        # what",
            ),
        ),
        topology=(*THREE, ("has_fence", True), ("links", ("svc",)), ("arbiter", "")),
        timeline=(
            ("one-way", "lb2", 0, 50, 4000),
            ("links", "lb2", 210, 250, 4000),
            ("switch", "lb1", 250, 260, 0),
        ),
    ),
    Mutant(
        "a fence that is put back is open, though the group is handed over",
        "safety",
        (("node", "is_shut=is_open and group.is_shut)", "is_shut=False)"),),
        topology=(*FENCED, ("heartbeat_ms", 100)),
        timeline=(("switch", "lb1", 100, 100, 0), ("flush", "lb1", 101, 140, 0)),
    ),
    Mutant(
        "hardware addresses of other directors are forgotten",
        "safety",
        (
            (
                "peer",
                "            self.macs.pop(mac, None)\n            self.macs[mac] = None\n",
                "            self.macs.pop(mac, None)\n",
            ),
        ),
        topology=FENCED,
        timeline=(NO_LINKS,),
    ),
)


def copy_core(mutant: Mutant, folder: Path, package: str) -> Any:
    """The core with the mutant's edits, as a package of that name in `folder`."""
    target = folder / package
    target.mkdir()
    for file in Path(drctl.core.__file__).parent.glob("*.py"):
        text = file.read_text().replace("drctl.core", package)
        for module, old, new in mutant.edits:
            if module == file.stem:
                assert text.count(old) == 1, (
                    f"{mutant.name}: {module} has {text.count(old)} of {old}"
                )
                text = text.replace(old, new)
        (target / file.name).write_text(text)
    sys.path.insert(0, str(folder))
    try:
        importlib.invalidate_caches()
        return load_core(package)
    finally:
        sys.path.remove(str(folder))


def schedules(mutant: Mutant) -> Iterator[Schedule]:
    """The histories in which the mutant is to show, without end."""
    for seed in itertools.count():
        schedule = random_schedule(seed, mutant.kinds) if mutant.kinds else Schedule(Topology(), ())
        random = Random(seed)
        topology = replace(schedule.topology, **dict(mutant.topology))
        start_ms = settled_ms(topology)
        faults = tuple(
            Fault(
                round(start_ms + random.uniform(low, high), 1),
                kind,
                node,
                "" if kind in {"links", "one-way"} else "svc",
                for_ms,
            )
            for kind, node, low, high, for_ms in mutant.timeline
        )
        yield Schedule(topology, faults or schedule.faults, seed)


def kill(mutant: Mutant, core: Any, limit: int) -> tuple[Schedule, str] | None:
    """The first history in which the named invariant is broken, with what the judge says."""
    for schedule in itertools.islice(schedules(mutant), limit):
        for violation in run(schedule, core).violations:
            if violation.invariant == mutant.invariant:
                return schedule, str(violation)
    return None
