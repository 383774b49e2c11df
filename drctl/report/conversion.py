"""A conversion's account as report.json, report.md and the summary on the terminal."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter
from typing import Any

from drctl import __version__
from drctl.convert.drift import Drift
from drctl.convert.ledger import Verdict
from drctl.convert.report import Entry, HostFiles, Report, Target
from drctl.text.diagnostic import Diagnostic
from drctl.text.place import Place

SCHEMA = 1
_SHOWN_HOSTS = 24
_LEGEND = {
    Verdict.EXACT: "means the same in the result",
    Verdict.APPROXIMATED: "carried over with a difference that the entry names",
    Verdict.REPAIRED: "did not work, or not as written, in the original; what was meant is written",
    Verdict.DROPPED: "not in the result",
}


def to_json(report: Report) -> str:
    """report.json: the schema of docs/report.md, version 1. One entry a line: the file of a large
    pair has a hundred thousand of them."""
    head: dict[str, Any] = {
        "schema": SCHEMA,
        "drctl": __version__,
        "source": report.source,
        "peer": report.peer,
        "summary": {verdict.value: report.count(verdict) for verdict in Verdict},
    }
    entries = _Entries()
    lists: dict[str, list[Any]] = {
        "choices": [
            {"what": c.what, "value": c.value, "why": c.why, "option": c.option}
            for c in report.choices
        ],
        "drift": [_drift(drift) for drift in report.drift],
        "findings": [_finding(found) for found in report.findings],
        "losses": [
            {
                "host": host,
                "feature": loss.feature,
                "message": loss.message,
                "places": [_place(place) for place in loss.places],
            }
            for host, loss in report.losses
        ],
    }
    hosts = _Hosts()
    parts = [f"{_json(key)}: {_json(value)}" for key, value in head.items()]
    parts.append(_list("entries", [entries.text(entry) for entry in report.entries]))
    parts += [_list(key, [_json(item) for item in items]) for key, items in lists.items()]
    parts.append(_list("hosts", [hosts.text(host) for host in report.hosts]))
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _list(key: str, rows: list[str]) -> str:
    text = "[\n  " + ",\n  ".join(rows) + "\n ]" if rows else "[]"
    return f"{_json(key)}: {text}"


_json = json.JSONEncoder(ensure_ascii=False).encode


class _Hosts:
    """Hosts as JSON; the list of files that thousands have in common is put into text once."""

    def __init__(self) -> None:
        self._files: dict[tuple[tuple[str, int], ...], str] = {}

    def text(self, host: HostFiles) -> str:
        """One host."""
        files = self._files.get(host.files)
        if files is None:
            files = _json([{"path": path, "mode": f"{mode:04o}"} for path, mode in host.files])
            self._files[host.files] = files
        return (
            f'{{"host": {_json(host.host)}, "role": {_json(host.role)}, '
            f'"addresses": {_json(host.addresses)}, "files": {files}}}'
        )


class _Entries:
    """Entries as JSON; what several statements became, or have in common otherwise, is put into
    text once."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._became: dict[tuple[Target, ...], str] = {}

    def text(self, entry: Entry) -> str:
        """One entry."""
        same = self._text
        return (
            f'{{"path": {same(entry.place.path)}, "line": {entry.place.line}, '
            f'"statement": {_json(entry.statement)}, "verdict": {same(entry.verdict.value)}, '
            f'"became": [{self._targets(entry.became)}], "why": {same(entry.why)}, '
            f'"todo": {same(entry.todo)}}}'
        )

    def _text(self, text: str) -> str:
        found = self._texts.get(text)
        if found is None:
            found = self._texts[text] = _json(text)
        return found

    def _targets(self, targets: tuple[Target, ...]) -> str:
        found = self._became.get(targets)
        if found is None:
            parts = []
            for host, files in groupby(targets, itemgetter(0)):
                for path, lines in groupby(files, itemgetter(1)):
                    file = f'{{"host": {self._text(host)}, "path": {self._text(path)}, "line": '
                    parts += [f"{file}{line}}}" for _, _, line in lines]
            found = self._became[targets] = ", ".join(parts)
        return found


def _place(place: Place) -> dict[str, Any]:
    return {"path": place.path, "line": place.line}


def _drift(drift: Drift) -> dict[str, Any]:
    return {
        "what": drift.what,
        "here": drift.here,
        "there": drift.there,
        "place_here": None if drift.place_here is None else _place(drift.place_here),
        "place_there": None if drift.place_there is None else _place(drift.place_there),
    }


def _finding(found: Diagnostic) -> dict[str, Any]:
    return {
        "path": found.place.path,
        "line": found.place.line,
        "column": found.place.column,
        "code": found.code,
        "name": found.name,
        "severity": found.severity.value,
        "message": found.message,
        "hint": found.hint,
    }


def summary(report: Report) -> str:
    """One line: how many statements went which way."""
    counts = ", ".join(f"{report.count(verdict)} {verdict}" for verdict in Verdict)
    return f"{len(report.entries)} statements: {counts}"


def summary_lines(report: Report) -> list[str]:
    """The last words on the terminal."""
    todos = len(_todos(report)[0])
    lines = [
        summary(report),
        f"{_counted(len(report.choices), 'choice')} made for you, {_counted(todos, 'thing')} to do",
    ]
    if report.peer is not None:
        lines.append(f"{_counted(len(report.drift), 'difference')} from {report.peer}")
    return lines


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def tree_lines(report: Report, folder: str) -> list[str]:
    """The tree of files with what each host is; of very many hosts the first ones."""
    lines = [folder.rstrip("/") + "/"]
    for host in report.hosts[:_SHOWN_HOSTS]:
        lines.append(f"  {host.host}/" + (f"  ({host.role})" if host.role else ""))
        lines += [f"    {path.lstrip('/')}" for path, _ in host.files]
    hidden = len(report.hosts) - _SHOWN_HOSTS
    if hidden > 0:
        lines.append(f"  and {_counted(hidden, 'more host')}")
    return [*lines, "  report.json", "  report.md"]


def loss_lines(report: Report, severity: str) -> list[str]:
    """What was lost or differs, a line each, alike ones together; `severity` is `warn`, `error`."""
    word = "error" if severity == "error" else "warning"
    grouped: dict[tuple[str, str, str], list[Place]] = {}
    for entry in report.entries:
        if entry.is_loss:
            grouped.setdefault((entry.verdict, entry.why, entry.todo), []).append(entry.place)
    lines = []
    for (verdict, why, todo), places in grouped.items():
        more = f" (and {_counted(len(places) - 1, 'more place')})" if len(places) > 1 else ""
        help_ = f"; {todo}" if todo else ""
        lines.append(f"{places[0]}: {word}: {verdict}: {why}{help_}{more}")
    for host, loss in report.losses:
        where = str(loss.places[0]) if loss.places else report.source
        lines.append(f"{where}: {word}: lost on {host}: {loss.message} [{loss.feature}]")
    for drift in report.drift:
        where = str(drift.place_here or drift.place_there or report.source)
        lines.append(f"{where}: {word}: drift: {drift_text(drift)}")
    return ["".join(c if c.isprintable() else "\ufffd" for c in line) for line in lines]


def drift_text(drift: Drift) -> str:
    """A difference in words, with both places."""

    def side(value: str | None, place: Place | None, missing: str) -> str:
        where = f" ({place.path}:{place.line})" if place is not None else ""
        return f"{missing if value is None else value}{where}"

    here = side(drift.here, drift.place_here, "not here")
    there = side(drift.there, drift.place_there, "not on the peer")
    return f"{drift.what}: {here}, {there}"


def to_markdown(report: Report) -> str:
    """report.md."""
    lines = [
        f"# Conversion of {_code(report.source)}",
        "",
        f"drctl {__version__}. {summary(report)}.",
    ]
    lines += ["", *(f"- **{verdict}**: {text}" for verdict, text in _LEGEND.items())]
    todos, ways = _todos(report)
    nothing = ["Nothing: every statement was carried over without a question."]
    lines += ["", "## To do", "", *(todos or nothing)]
    if ways:
        lines += ["", "## Other ways", "", *ways]
    if report.peer is not None:
        lines += ["", f"## Differences from {_code(report.peer)}", "", *_drift_rows(report)]
    lines += ["", "## Hosts", ""]
    lines += [f"- {_code(host.host)}: {_text(host.role)}" for host in report.hosts]
    if report.findings or report.losses:
        lines += ["", "## Findings in the source", ""]
        lines += [
            f"- line {_line(f.place, report.source)}: {_text(f.message)} ({f.code})"
            for f in report.findings
        ]
        lines += [f"- {_text(loss.message)} (on {host})" for host, loss in report.losses]
    lines += ["", "## What was chosen for you", "", "| what | value | why | change it by |"]
    lines += ["|---|---|---|---|"]
    lines += [
        f"| {_cell(c.what)} | {_cell(c.value)} | {_cell(c.why)} | {_code(c.option)} |"
        for c in report.choices
    ]
    lines += ["", "## Every statement", "", "| line | statement | verdict | became | why |"]
    lines += ["|---:|---|---|---|---|"]
    own = report.source
    became: dict[tuple[Target, ...], str] = {}
    for entry in report.entries:
        if entry.became not in became:
            became[entry.became] = _became(entry.became)
        lines.append(_row(entry, became[entry.became], _line(entry.place, own)))
    return "\n".join(lines) + "\n"


def _drift_rows(report: Report) -> list[str]:
    if not report.drift:
        return ["None: the two files mean the same."]
    return [f"- {_text(drift_text(drift))}" for drift in report.drift]


def _todos(report: Report) -> tuple[list[str], list[str]]:
    """What the user has to do, and options that give something else."""
    grouped: dict[tuple[str, str], list[Entry]] = {}
    for entry in report.entries:
        if entry.todo:
            grouped.setdefault((entry.todo, entry.why), []).append(entry)
    todos, ways = [], []
    for (todo, why), entries in grouped.items():
        numbers = ", ".join(_line(entry.place, report.source) for entry in entries[:8])
        more = f" and {len(entries) - 8} more" if len(entries) > 8 else ""
        word = "line" if len(entries) == 1 else "lines"
        text = f"{_text(todo)} ({word} {numbers}{more}: {_text(why)})"
        if todo.startswith("--"):
            ways.append(f"- {text}")
        else:
            todos.append(f"- [ ] {text}")
    return todos, ways


def _line(place: Place, own: str) -> str:
    """The line, with the file's name when it is not the one that was given."""
    if place.path == own:
        return str(place.line)
    return f"{_text(place.path.rpartition('/')[2])}:{place.line}"


def _row(entry: Entry, became: str, line: str) -> str:
    why = entry.why + (f" **To do:** {entry.todo}" if entry.todo else "")
    return (
        f"| {line} | {_code(entry.statement)} | "
        f"{', '.join((entry.verdict, *entry.others))} "
        f"| {became} | {_cell(why)} |"
    )


def _became(targets: tuple[Target, ...]) -> str:
    """Lines by host and file; a file that is alike on many hosts is named once."""
    if not targets:
        return "–"
    if len(targets) == 1:
        (target,) = targets
        return f"{_code(f'{target.path}:{target.line}')} on {target.host}"
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


def _text(text: str) -> str:
    return text.replace("\n", " ").replace("<", "&lt;")


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|").replace("\n", " ")
