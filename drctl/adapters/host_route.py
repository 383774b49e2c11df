"""Default routes of a host, and rules that choose a table by the source: how they are, setting one,
and putting back what was there. By iproute2."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

Run = Callable[..., str]
"""Runs a command and gives what it prints; raises StepFailed."""
_LASTS = frozenset({"dead", "linkdown", "rt_offload", "rt_trap", "offload", "trap"})
"""What the kernel says of a route, and nobody can ask for."""
_PAIRS_TO_LEAVE = frozenset({"expires", "error", "users", "age", "used", "cache"})


def look(run: Run, where: str, gateway: str) -> str:
    """`via GATEWAY` when that is the default route that counts, else all of them, a line each, in
    words that `ip route replace` takes.
    `where` is `-4` or `-6`, or that and `table NUMBER`."""
    lines = _defaults(run, where)
    is_set = bool(lines) and f"{lines[0]} ".startswith(f"default via {gateway} ")
    return goal(gateway) if is_set else "\n".join(lines)


def goal(gateway: str) -> str:
    """What `look` says when it is set."""
    return f"via {gateway}"


def set_default(run: Run, where: str, gateway: str) -> None:
    """Have it lead there. One of another metric stays, and is not asked."""
    family, *table = where.split()
    run("ip", family, "route", "replace", "default", "via", gateway, *table)


def put_back(run: Run, where: str, gateway: str, before: str) -> None:
    """Take it away, where it is still there, and bring back what was `before`."""
    family, *table = where.split()
    if look(run, where, gateway) == goal(gateway) != before:
        run("ip", family, "route", "del", "default", "via", gateway, *table)
    for line in [] if before == goal(gateway) else before.splitlines():
        run("ip", family, "route", "replace", *line.split(), *table)


def _defaults(run: Run, where: str) -> list[str]:
    family, *table = where.split()
    if table and not any(
        str(one.get("table")) == table[1]
        for one in json.loads(run("ip", "-json", family, "route", "show", "table", "all") or "[]")
    ):
        return []  # asked for a table that has nothing, `ip` fails
    told = run("ip", "-oneline", family, "route", "show", "default", *table)
    lines = [" ".join(_words(line)) for line in told.splitlines()]
    return sorted(filter(None, lines), key=_metric)


def _metric(line: str) -> int:
    words = line.split()
    return int(words[words.index("metric") + 1]) if "metric" in words else 0


def _words(line: str) -> Iterator[str]:
    """Those of them that `ip route replace` takes."""
    words = iter(line.replace("\\", " ").split())
    for word in words:
        if word in _PAIRS_TO_LEAVE:
            next(words, "")
        elif word not in _LASTS:
            yield word


def has_rule(run: Run, where: str, rule: str) -> bool:
    """Whether there is this rule; `where` is the family and the preference, `rule` its words."""
    family, preference = where.split()
    wanted = rule.split()
    for line in run("ip", family, "rule", "show").splitlines():
        number, _, words = line.partition(":")
        said = ["table" if word == "lookup" else word for word in words.split()]
        if number == preference and said == wanted:
            return True
    return False


def add_rule(run: Run, where: str, rule: str) -> None:
    """Add it, if it is not there."""
    family, preference = where.split()
    if not has_rule(run, where, rule):
        run("ip", family, "rule", "add", "pref", preference, *rule.split())


def remove_rule(run: Run, where: str, rule: str) -> None:
    """Take it away, if it is there."""
    family, preference = where.split()
    if has_rule(run, where, rule):
        run("ip", family, "rule", "del", "pref", preference, *rule.split())
