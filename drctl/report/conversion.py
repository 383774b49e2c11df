"""A conversion's account as report.json, report.md and the summary on the terminal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from drctl import __version__
from drctl.convert.ledger import Verdict
from drctl.convert.report import Entry, Report, Target

SCHEMA = 1
_LEGEND = {
    Verdict.EXACT: "means the same in the result",
    Verdict.APPROXIMATED: "carried over with a difference that the entry names",
    Verdict.REPAIRED: "did not work, or not as written, in the original; what was meant is written",
    Verdict.DROPPED: "not in the result",
}


def to_json(report: Report) -> str:
    """report.json: the schema of docs/report.md, version 1."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "drctl": __version__,
        "source": report.source,
        "summary": {verdict.value: report.count(verdict) for verdict in Verdict},
        "entries": [_entry(entry) for entry in report.entries],
        "choices": [
            {"what": c.what, "value": c.value, "why": c.why, "option": c.option}
            for c in report.choices
        ],
        "findings": [
            {
                "path": f.place.path,
                "line": f.place.line,
                "column": f.place.column,
                "code": f.code,
                "name": f.name,
                "severity": f.severity.value,
                "message": f.message,
                "hint": f.hint,
            }
            for f in report.findings
        ],
        "losses": list(report.losses),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "path": entry.place.path,
        "line": entry.place.line,
        "statement": entry.statement,
        "verdict": entry.verdict.value,
        "became": [{"host": t.host, "path": t.path, "line": t.line} for t in entry.became],
        "why": entry.why,
        "todo": entry.todo,
    }


def summary(report: Report) -> str:
    """One line: how many statements went which way."""
    counts = ", ".join(f"{report.count(verdict)} {verdict}" for verdict in Verdict)
    return f"{len(report.entries)} statements: {counts}"


def to_markdown(report: Report, hosts: Sequence[tuple[str, str]]) -> str:
    """report.md. `hosts` are the folders with what each one is."""
    lines = [
        f"# Conversion of {_code(report.source)}",
        "",
        f"drctl {__version__}. {summary(report)}.",
    ]
    lines += ["", *(f"- **{verdict}**: {text}" for verdict, text in _LEGEND.items())]
    lines += ["", "## To do", "", *_todos(report)]
    lines += ["", "## Hosts", "", *(f"- {_code(host)}: {role}" for host, role in hosts)]
    if report.findings or report.losses:
        lines += ["", "## Findings in the source", ""]
        lines += [f"- line {f.place.line}: {_text(f.message)} ({f.code})" for f in report.findings]
        lines += [f"- {_text(loss)}" for loss in report.losses]
    lines += ["", "## What was chosen for you", "", "| what | value | why | change it by |"]
    lines += ["|---|---|---|---|"]
    lines += [
        f"| {_cell(c.what)} | {_cell(c.value)} | {_cell(c.why)} | {_code(c.option)} |"
        for c in report.choices
    ]
    lines += ["", "## Every statement", "", "| line | statement | verdict | became | why |"]
    lines += ["|---:|---|---|---|---|"]
    lines += [_row(entry) for entry in report.entries]
    return "\n".join(lines) + "\n"


def _todos(report: Report) -> list[str]:
    grouped: dict[tuple[str, str], list[Entry]] = {}
    for entry in report.entries:
        if entry.todo:
            grouped.setdefault((entry.todo, entry.why), []).append(entry)
    if not grouped:
        return ["Nothing: every statement was carried over without a question."]
    found = []
    for (todo, why), entries in grouped.items():
        numbers = ", ".join(str(entry.place.line) for entry in entries[:8])
        more = f" and {len(entries) - 8} more" if len(entries) > 8 else ""
        word = "line" if len(entries) == 1 else "lines"
        found.append(f"- [ ] {_text(todo)} ({word} {numbers}{more}: {_text(why)})")
    return found


def _row(entry: Entry) -> str:
    why = entry.why + (f" **To do:** {entry.todo}" if entry.todo else "")
    return (
        f"| {entry.place.line} | {_code(entry.statement)} | {entry.verdict} "
        f"| {_became(entry.became)} | {_cell(why)} |"
    )


def _became(targets: tuple[Target, ...]) -> str:
    """Lines by host and file; a file that is alike on many hosts is named once."""
    if not targets:
        return "–"
    lines: dict[tuple[str, str], list[int]] = {}
    for target in targets:
        lines.setdefault((target.host, target.path), []).append(target.line)
    by_file: dict[tuple[str, str], list[str]] = {}
    for (host, path), numbers in lines.items():
        text = ",".join(str(n) for n in sorted(set(numbers))[:6])
        by_file.setdefault((path, text), []).append(host)
    parts = []
    for (path, text), names in list(by_file.items())[:6]:
        who = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        parts.append(f"{_code(f'{path}:{text}')} on {who}")
    hidden = len(by_file) - 6
    return "; ".join(parts) + (f"; {hidden} more files" if hidden > 0 else "")


def count_by_file(report: Report) -> Counter[str]:
    """How many statements reached each file name, for the terminal."""
    return Counter(path for entry in report.entries for path in {t.path for t in entry.became})


def _text(text: str) -> str:
    return text.replace("\n", " ").replace("<", "&lt;")


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|").replace("\n", " ")
