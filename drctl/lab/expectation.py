"""How requests must be spread over the real servers, by scheduler. Pure.

The client holds its connections open until all are made, and comes from one address. Facts: the
schedulers of Linux 6.1 (net/netfilter/ipvs/ip_vs_*.c).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from drctl.lab.plan import Flow

_EVEN = frozenset({"rr", "lc"})
_WEIGHTED = frozenset({"wrr", "wlc", "sed", "nq"})
_BY_ADDRESS = frozenset({"sh", "dh", "lblc", "mh"})
_EXACT = frozenset({"rr", "wrr"})
_TOLERANCE = 0.2


def spread_problem(flow: Flow, served: Mapping[str, int]) -> str | None:
    """Why this is not how the scheduler spreads requests; None when it is."""
    weights = {name: weight for name, weight in flow.weights if weight > 0}
    strangers = sorted(set(served) - set(weights))
    if strangers:
        return f"{', '.join(strangers)} served, which the service does not have with a weight"
    total = sum(served.values())
    if total == 0:
        return "nobody served a request"
    if flow.is_persistent or flow.scheduler in _BY_ADDRESS:
        count = sum(number > 0 for number in served.values())
        return None if count == 1 else f"{count} real servers served one client, 1 expected"
    if flow.scheduler == "fo":
        best = max(weights.values())
        wrong = sorted(name for name in served if served[name] and weights[name] < best)
        return f"{', '.join(wrong)} served, not the heaviest" if wrong else None
    if flow.scheduler in _EVEN:
        shares = dict.fromkeys(weights, total / len(weights))
    elif flow.scheduler in _WEIGHTED:
        shares = {name: total * weight / sum(weights.values()) for name, weight in weights.items()}
    else:
        return None  # lblcr, ovf, twos: any of them may serve
    return _distance_problem(flow, served, shares)


def expectation_text(flow: Flow) -> str:
    """What is expected, in a few words."""
    if flow.is_persistent:
        return "persistent: one real server for one client"
    if flow.scheduler in _BY_ADDRESS:
        return f"{flow.scheduler}: one real server for one client"
    if flow.scheduler in _EVEN:
        return f"{flow.scheduler}: evenly"
    if flow.scheduler in _WEIGHTED:
        return f"{flow.scheduler}: by weight"
    if flow.scheduler == "fo":
        return "fo: the heaviest"
    return f"{flow.scheduler}: any real server"


def _distance_problem(
    flow: Flow, served: Mapping[str, int], shares: Mapping[str, float]
) -> str | None:
    for name, share in shares.items():
        allowed = 1.0 if flow.scheduler in _EXACT else max(1.0, ceil(share * _TOLERANCE))
        whole = share == int(share)
        if flow.scheduler in _EXACT and whole and flow.requests == sum(served.values()):
            allowed = 0.0
        if abs(served.get(name, 0) - share) > allowed:
            return f"{name} served {served.get(name, 0)}, {share:g} expected ({flow.scheduler})"
    return None
