"""Compares what keepalived says of a configuration with the findings of drctl.

A file agrees when (1) every line that a message of keepalived names has a finding of drctl, an
error where keepalived does not understand, drops or finds out of range, else a warning, and one for
each mistake; (2) what keepalived says after reading, without a line, has a finding of the kind that
such a message stands for, on a statement that causes it; (3) drctl has no error where keepalived
has nothing to say but script security.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agreement.linted import Linted
from agreement.sayings import SAYINGS, is_covered
from agreement.where import Place, Statement

from drctl.text.diagnostic import Diagnostic, Severity

_PLACE = re.compile(r"\((?:(.*): )?Line (\d+)\) (.*)")
_SECURITY = re.compile(r"SECURITY VIOLATION")
_NO_COMPLAINT = re.compile(
    r"Config files missing|^Configuration file |double free|corrupt|^free\(\)|^malloc"
)
"""Said with exit code 0, or by the C library while keepalived dies."""
READ = frozenset({0, 2, 4, 5, 6})
"""Exit codes of a keepalived that did not crash, hang or kill itself."""
AFTER_READING = frozenset(code for saying in SAYINGS for code in saying.codes if code > "DR3")
_NEVER_TOLD = frozenset(
    {
        *("DR010", "DR113"),
        *("DR013", "DR102", "DR103", "DR105", "DR106", "DR120", "DR124", "DR140", "DR209", "DR216"),
        *("DR218", "DR374", "DR375"),
    }
)
"""Codes of findings that no message with a line stands for."""
_ADVICE = re.compile(
    r"deprecated|is called|[Tt]runcating|Please use|[Ww]arning|not supported, using|replacing$"
    r"|[Ss]etting to|- setting$|This is probably not|must be greater than 0"
    r"|ignoring (?:label|scope|broadcast)|specifying peer address - ignoring|outside sensible"
    r"|resetting protocol|should be link-local|cannot be tracked|will always fail|will be discarded"
)
_BRACES = re.compile(r"Unexpected '\{'|Unknown keyword '\}'|Missing '\{'|missing '\}'s|^Extra '\}'")
_JUDGES_MACHINE = re.compile(r"Invalid smtp server|cpu_id|Invalid (?:startup|shutdown) script$")
_SAID_TOO = re.compile(
    r"invalid number|number '.*' outside|negative number|too many decimal|Unexpected '|Unmatched"
    r"|^ +Please use|Unknown keyword '\}'"
)
"""Said beside another message about the same mistake."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What keepalived said: `placed` with file and line, `unplaced` after reading, each once."""

    exit: str
    placed: frozenset[tuple[str, int, str]]
    unplaced: frozenset[str]

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing but script security and what is no complaint."""
        said = [*self.unplaced, *(message for *_, message in self.placed)]
        has_ended = self.exit != "0" and any("Config files missing" in m for m in said)
        is_about_scripts = any(_SECURITY.search(m) for m in said)
        if has_ended and not is_about_scripts:
            # of the kinds of include that must find something
            return False
        return all(_SECURITY.search(m) or _NO_COMPLAINT.search(m) for m in said)

    @property
    def is_broken(self) -> bool:
        """Whether its processes see other blocks than the braces make."""
        said = [*self.unplaced, *(message for *_, message in self.placed)]
        return any(_BRACES.search(message) for message in said)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One reason why a file does not agree; `kind` is what such reasons are counted by."""

    kind: str
    detail: str


def verdict_of(exit_code: str, messages: Iterable[str], main: str) -> Verdict:
    """A verdict from the lines that keepalived printed about the file `main`."""
    placed = set()
    unplaced = set()
    matches = [(message, _PLACE.match(message)) for message in messages]
    told = {(int(found[2]), found[3]) for _, found in matches if found and found[1]}
    for message, found in matches:
        if found:
            line, text = int(found[2]), found[3]
            # of a last line without a line end the parent process tells the line before
            is_one_off = not found[1] and (line + 1, text) in told and (line, text) not in told
            placed.add((found[1] or main, line + is_one_off, text))
        elif message.strip():
            unplaced.add(message)
    return Verdict(exit_code, frozenset(placed), frozenset(unplaced))


def read_verdicts(table: Path) -> dict[str, Verdict]:
    """The verdicts of a table `file exit message`, by file."""
    rows: dict[str, tuple[str, list[str]]] = {}
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row != ["file", "exit", "message"]:
                rows.setdefault(row[0], (row[1], []))[1].append(row[2])
    return {
        name: verdict_of(exit_code, messages, Path(name).name)
        for name, (exit_code, messages) in rows.items()
    }


def disagreements(verdict: Verdict, linted: Linted) -> list[Disagreement]:
    """Why a configuration does not agree with what drctl finds in it."""
    everything = [(name, one) for name, many in linted.found.items() for one in many]
    by_line: defaultdict[Place, list[Diagnostic]] = defaultdict(list)
    for name, one in everything:
        if one.severity is not Severity.INFO:
            by_line[name, one.place.line].append(one)
    reasons = _on_lines(verdict, by_line, linted.statements)
    loud = [(one.code, place) for place, many in by_line.items() for one in many]
    reasons += [
        Disagreement(f"missed after reading: {plain(message)}", message)
        for message in sorted(verdict.unplaced)
        if not _NO_COMPLAINT.search(message)
        and not is_covered(message, loud, linted.statements, is_broken=verdict.is_broken)
    ]
    errors = [one for _, one in everything if one.severity is Severity.ERROR]
    is_read = verdict.exit.isdigit() and int(verdict.exit) in READ
    if is_read and verdict.is_silent:
        reasons += [
            Disagreement(f"too much: {one.code} {one.name}", f"{one.place}: {one.message}")
            for one in errors
        ]
    elif not is_read and not errors:
        reasons.append(Disagreement(f"crash missed: exit {verdict.exit}", "no error found"))
    return reasons


def _on_lines(
    verdict: Verdict,
    by_line: Mapping[Place, Sequence[Diagnostic]],
    statements: Mapping[Place, Sequence[Statement]],
) -> list[Disagreement]:
    """What keepalived names a line for, against the findings on this line."""
    reasons = []
    last = max((*statements, *by_line), default=None)
    said: defaultdict[Place, set[str]] = defaultdict(set)
    for name, line, message in verdict.placed:
        if not _NO_COMPLAINT.search(message):
            # of a last line without a line end the parent process tells the line before
            is_one_off = (name, line) not in by_line and (name, line + 1) == last
            said[name, line + is_one_off].add(message)
    for place, messages in sorted(said.items()):
        found = by_line.get(place, ())
        levels = {one.severity for one in found}
        wanted = {level_of(message) for message in messages}
        if None in wanted:
            wanted = {None}
        first = min(messages)
        if not found:
            kind = "missed"
        elif Severity.ERROR in wanted and Severity.ERROR not in levels:
            kind = "too low"
            first = min(m for m in messages if level_of(m) is Severity.ERROR)
        elif Severity.ERROR in levels and wanted == {Severity.WARNING}:
            kind = "too high"
        elif _count(found) > max(1, len({plain(m) for m in messages if not _SAID_TOO.search(m)})):
            kind = f"told {_count(found)} times"
        else:
            continue
        codes = " ".join(one.code for one in found)
        text = f"line {place[1]}: {first} [{codes}]"
        reasons.append(Disagreement(f"{kind}: {plain(first)}", text))
    return reasons


def _count(found: Sequence[Diagnostic]) -> int:
    """Findings on one line, without those of the kinds that keepalived tells without a line, and of
    those that it does not tell."""
    return sum(one.code not in AFTER_READING and one.code not in _NEVER_TOLD for one in found)


def level_of(message: str) -> Severity | None:
    """The level of the finding that a message with a line calls for; None when it depends on the
    machine."""
    if _JUDGES_MACHINE.search(message):
        return None
    return Severity.WARNING if _ADVICE.search(plain(message)) else Severity.ERROR


def plain(message: str) -> str:
    """A message without the words and numbers of the file it speaks of."""
    text = re.sub(r"'[^']*'|\([^)]*\)|\[[^\]]*\]|`[^`]*`|\S*\d\S*", "*", message)
    return re.sub(r"\s+", " ", text)[:90]
