"""A result as text, JSON, a monitoring plug-in's line, and Prometheus metrics."""

from __future__ import annotations

from collections import Counter
from typing import Any

from drctl.verify.value import Answer, Finding, How, Passage, Result, Verdict

SCHEMA = 1
OK, WARNING, CRITICAL, UNKNOWN = range(4)
"""Exit codes of a monitoring plug-in."""
_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_WORDS = {"real-server": "real server"}


def as_json(result: Result) -> dict[str, Any]:
    """As docs/verify.md describes it."""
    return {
        "schema": SCHEMA,
        "vips": [
            {
                "vip": one.vip,
                "verdict": one.verdict.value,
                "answers": [_answer(answer) for answer in one.answers],
                "cause": one.cause,
                "hint": one.hint,
            }
            for one in result.findings
        ],
        "through": [
            {
                "vip": one.vip,
                "port": one.port,
                "real_server": one.real_server,
                "verdict": one.verdict.value,
                "cause": one.cause,
            }
            for one in result.through
        ],
        "notes": list(result.notes),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "mac": answer.mac,
        "host": answer.host,
        "role": answer.role,
        "how": "reply" if answer.is_reply else "announcement",
        "ways": [way.value for way in answer.how],
    }


def as_text(result: Result) -> list[str]:
    """Lines for people."""
    width = max((len(one.vip) for one in result.findings), default=0)
    lines = []
    for one in result.findings:
        who = ", ".join(_who(answer) for answer in one.answers) or "nobody"
        lines.append(f"{one.vip:<{width}}  {one.verdict.value:<13}  {who}")
        lines += [f"    {text}" for text in (one.cause, one.hint) if text]
    if result.through:
        lines.append("")
    for through in result.through:
        where = f"{through.vip}:{through.port}" if through.port else through.vip
        if ":" in through.vip and through.port:
            where = f"[{through.vip}]:{through.port}"
        lines.append(f"{where}  {through.real_server}  {through.verdict.value}")
        lines += [f"    {through.cause}"] if through.cause else []
    lines += [f"note: {note}" for note in result.notes]
    return lines


def _who(answer: Answer) -> str:
    role = _WORDS.get(answer.role, answer.role)
    name = answer.host if answer.mac in answer.host else f"{answer.host} {answer.mac}"
    ways = "" if answer.is_reply else ", announcing"
    local = ", this host" if How.LOCAL in answer.how and answer.host != "this host" else ""
    return f"{name} ({role}{ways}{local})"


def as_nagios(result: Result) -> tuple[int, str]:
    """The exit code, and the line: a VIP in trouble is critical, a real server that swallows
    packets a warning."""
    bad = [one for one in result.findings if one.verdict is not Verdict.OK]
    holes = [one for one in result.through if one.verdict is Passage.BLACK_HOLE]
    state = CRITICAL if bad else WARNING if holes else OK
    if bad:
        about = "; ".join(_short(one) for one in bad)
    elif holes:
        about = "; ".join(f"{one.real_server} for {one.vip}: {one.cause}" for one in holes)
    else:
        about = f"{len(result.findings)} VIPs, each answered by one director"
    counted = Counter(one.verdict for one in result.findings)
    numbers = " ".join(f"{verdict.value}={counted[verdict]}" for verdict in Verdict)
    text = f"DRCTL {_STATES[state]} - {about}".replace("|", "/").replace("\n", " ")
    return state, f"{text} | {numbers} black_holes={len(holes)}"


def _short(one: Finding) -> str:
    return f"{one.vip} {one.verdict.value}: {one.cause}"


def as_prometheus(result: Result) -> str:
    """Metrics in Prometheus' text format: a line for each VIP and verdict, 1 where it is so."""
    lines = [
        "# HELP drctl_verify_vip What the segment says of a VIP: 1 at its verdict.",
        "# TYPE drctl_verify_vip gauge",
    ]
    for one in result.findings:
        for verdict in Verdict:
            value = int(one.verdict is verdict)
            labels = f'vip="{one.vip}",verdict="{verdict.value}"'
            lines.append(f"drctl_verify_vip{{{labels}}} {value}")
    if result.through:
        lines += [
            "# HELP drctl_verify_through Whether a real server takes a VIP's packets.",
            "# TYPE drctl_verify_through gauge",
        ]
    for through in result.through:
        if through.verdict is not Passage.UNTRIED:
            pairs = (("vip", through.vip), ("port", through.port), ("host", through.real_server))
            labels = ",".join(f'{key}="{value}"' for key, value in pairs)
            value = int(through.verdict is Passage.OK)
            lines.append(f"drctl_verify_through{{{labels}}} {value}")
    return "\n".join(lines) + "\n"
