"""Compares what keepalived says of a configuration with the findings of drctl.

A file agrees when (1) every line that a message of keepalived names has a finding of drctl, of
level warning or error; (2) what keepalived says after reading, without a line, has a finding of
the kind that such a message stands for; (3) drctl has no error where keepalived has nothing to say
but script security.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drctl.text.diagnostic import Diagnostic, Severity

_PLACE = re.compile(r"\((?:(.*): )?Line (\d+)\) (.*)")
_SECURITY = re.compile(r"SECURITY VIOLATION")
_NO_COMPLAINT = re.compile(
    r"Config files missing|^Configuration file |double free|corruption|^free\(\)|^malloc"
)
"""Said with exit code 0, or by the C library while keepalived dies."""
READ = frozenset({0, 2, 4, 5, 6})
"""Exit codes of a keepalived that did not crash, hang or kill itself."""

AFTER_READING: tuple[tuple[str, str], ...] = (
    (r"SECURITY VIOLATION", "DR370"),
    (r"Disabling track script", "DR371 DR380"),
    (r"Non-existent interface", "DR379 DR211"),
    (r"virtual router id must be set", "DR320 DR211"),
    (r"Unknown interface!|must have unicast_src_ip or interface", "DR321 DR304 DR211"),
    (r"No VIP specified", "DR322 DR323 DR211 DR301"),
    (r"Number of VIPs", "DR324"),
    (r"uthentication.* [Ii]gnoring|AH authentication with IPv6", "DR326"),
    (r"incompatible with AH", "DR327"),
    (r"nopreempt is incompatible|nopreempt will not work", "DR328"),
    (r"preempt.delay (?:is incompatible|will not work)", "DR329"),
    (r"advertisement interval", "DR330"),
    (r"[Ss]trict mode|with strict|State MASTER must match|accept mode for VRRP", "DR331"),
    (r"must be link local|cannot use IPv6 with VRRP version 2", "DR331"),
    (r"unicast keyword has been specified", "DR332"),
    (r"multicast destination specified with unicast", "DR333"),
    (r"vrf can only be specified", "DR334"),
    (r"promote_secondaries is automatically", "DR335"),
    (r"vmac_xmit_base is only valid", "DR336"),
    (r"ipvlan", "DR337"),
    (r"use_vmac(?:_addr)? specified", "DR338"),
    (r"since own interface", "DR340"),
    (r"track_interface .* is configured on VRRP instance and sync group", "DR348"),
    (r"ignoring .*tracked|ignoring weight from|Cannot have weighted", "DR341"),
    (r"duplicate VRID conflict|both use VRID", "DR342"),
    (r"has no virtual router|no matching virtual router", "DR343"),
    (r"has only 1 virtual router", "DR344"),
    (r"specified in sync group .* doesn't exist", "DR345 DR211"),
    (r"cannot exist in more than one sync group", "DR346"),
    (r"some member\(s\) as address owner", "DR347"),
    (r"has no real servers", "DR352"),
    (r"no (?:protocol|scheduler|forwarding method) set", "DR353"),
    (r"protocol specified for fwmark", "DR354"),
    (r"cannot use ha_suspend", "DR355"),
    (r"one packet scheduling", "DR356"),
    (r"zero port only valid", "DR357"),
    (r"is duplicated - removing", "DR358"),
    (r"ports don't match|has port specified", "DR359"),
    (r"exceeds total weight", "DR360"),
    (r"hysteresis", "DR361"),
    (r"inhibit setting differs", "DR362"),
    (r"missing '}'s", "DR207 DR209 DR206"),
)
"""Message, and the codes of findings that stand for it."""

_SAYINGS = [(re.compile(pattern), codes.split()) for pattern, codes in AFTER_READING]


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
        return all(_SECURITY.search(m) or _NO_COMPLAINT.search(m) for m in said)


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


def disagreements(
    verdict: Verdict, found: Mapping[str, Sequence[Diagnostic]]
) -> list[Disagreement]:
    """Why a configuration does not agree; `found` are drctl's findings by the name of the file
    as keepalived calls it."""
    reasons = []
    loud = {
        (name, one.place.line)
        for name, diagnostics in found.items()
        for one in diagnostics
        if one.severity is not Severity.INFO
    }
    for name, line, message in sorted(verdict.placed):
        if (name, line) not in loud and not _NO_COMPLAINT.search(message):
            reasons.append(Disagreement(f"missed: {plain(message)}", f"line {line}: {message}"))
    everything = [one for diagnostics in found.values() for one in diagnostics]
    codes = {one.code for one in everything if one.severity is not Severity.INFO}
    reasons += [
        Disagreement(f"missed after reading: {plain(message)}", message)
        for message in sorted(verdict.unplaced)
        if not _NO_COMPLAINT.search(message) and not _is_covered(message, codes)
    ]
    errors = [one for one in everything if one.severity is Severity.ERROR]
    is_read = verdict.exit.isdigit() and int(verdict.exit) in READ
    if is_read and verdict.is_silent:
        reasons += [
            Disagreement(f"too much: {one.code} {one.name}", f"{one.place}: {one.message}")
            for one in errors
        ]
    elif not is_read and not errors:
        reasons.append(Disagreement(f"crash missed: exit {verdict.exit}", "no error found"))
    return reasons


def _is_covered(message: str, codes: set[str]) -> bool:
    return any(
        not codes.isdisjoint(expected) for pattern, expected in _SAYINGS if pattern.search(message)
    )


def plain(message: str) -> str:
    """A message without the words and numbers of the file it speaks of."""
    text = re.sub(r"'[^']*'|\([^)]*\)|\[[^\]]*\]|`[^`]*`|\S*\d\S*", "*", message)
    return re.sub(r"\s+", " ", text)[:90]
