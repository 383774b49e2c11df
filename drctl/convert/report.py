"""The account of a conversion as values: one entry per statement, the choices, the drift."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from drctl.convert.drift import Comparison, Drift
from drctl.convert.ledger import Choice, Ledger, Note, Verdict, worst
from drctl.convert.statement import statement_text
from drctl.readers.reading import Reading
from drctl.render.rendered import Loss, RenderedFile, Rendering
from drctl.syntax.tree import Document, ErrorNode, Node, Statement
from drctl.text.diagnostic import Diagnostic
from drctl.text.place import Place, via_of


class Target(NamedTuple):
    """A line of a generated file: host folder, absolute path on that host, line from 1."""

    host: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one statement. `is_loss`: what the statement did is not, or not quite, done
    any more. `others` are verdicts that hold besides the worst one; `why` then says which reason
    belongs to which."""

    place: Place
    statement: str
    verdict: Verdict
    became: tuple[Target, ...]
    why: str
    todo: str
    is_loss: bool = False
    others: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class HostFiles:
    """A host's folder: what the host is, and its files as path on that host and mode; installers
    lie in the folder itself and have no leading slash. `addresses` are those that the configuration
    knows it by."""

    host: str
    role: str
    files: tuple[tuple[str, int], ...]
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The whole account. `source` is the path as given; `findings` are those of reading, `losses`
    what a target cannot express."""

    source: str
    entries: tuple[Entry, ...]
    choices: tuple[Choice, ...]
    hosts: tuple[HostFiles, ...]
    findings: tuple[Diagnostic, ...] = ()
    losses: tuple[tuple[str, Loss], ...] = ()
    drift: tuple[Drift, ...] = ()
    peer: str | None = None

    def count(self, verdict: Verdict) -> int:
        """Statements with this verdict."""
        return sum(entry.verdict is verdict for entry in self.entries)

    @property
    def is_lossy(self) -> bool:
        """Whether anything was lost, changed, or differs between the directors' files."""
        return bool(self.losses or self.drift) or any(entry.is_loss for entry in self.entries)


def build_report(
    readings: tuple[Reading, ...],
    ledger: Ledger,
    renderings: tuple[Rendering, ...],
    compared: Comparison | None = None,
) -> Report:
    """Join the statements of the sources with the lines they became and the notes on them.
    `readings` are of one file, that may have been read as either director reads it."""
    documents = {one.source.path: one for reading in readings for one in reading.documents}
    secrets = {name for one in readings if one.view is not None for name in one.view.secrets}
    targets = _targets(documents, renderings, ledger)
    became = {path: _became(starts) for path, starts in targets.items()}
    return Report(
        source=readings[0].document.source.path,
        entries=tuple(
            _entry(document, node, ledger, became[path], secrets)
            for path, document in documents.items()
            for node in _nodes(document)
        ),
        choices=tuple(ledger.choices),
        hosts=tuple(_host_files(rendering) for rendering in renderings),
        findings=tuple(dict.fromkeys(d for reading in readings for d in reading.diagnostics)),
        losses=_losses(renderings),
        drift=() if compared is None else compared.drift,
        peer=None if compared is None else compared.peer,
    )


def _nodes(document: Document) -> list[Node]:
    nodes: list[Node] = list(document.walk())
    if errors := list(document.errors()):
        nodes = sorted((*nodes, *errors), key=lambda node: node.span.start)
    return nodes


def _host_files(rendering: Rendering) -> HostFiles:
    files = (*rendering.installers, *rendering.files)
    paths = tuple((f.path, f.mode) for f in files)
    return HostFiles(rendering.host, rendering.role, paths, rendering.addresses)


def _losses(renderings: tuple[Rendering, ...]) -> tuple[tuple[str, Loss], ...]:
    """What the targets cannot say, with the host; alike on several hosts, the first one's."""
    found: dict[Loss, str] = {}
    for rendering in renderings:
        for loss in rendering.losses:
            found.setdefault(loss, rendering.host)
    return tuple((host, loss) for loss, host in found.items())


_Starts = dict[tuple[int, int], list[Target]]
"""Targets by line and column of the statement they came from."""


def _targets(
    paths: Iterable[str], renderings: Iterable[Rendering], ledger: Ledger
) -> dict[str, _Starts]:
    found: dict[str, _Starts] = {path: defaultdict(list) for path in paths}
    for rendering in renderings:
        for file in rendering.files:
            _add_targets(found, rendering.host, file)
        for path, line, column in ledger.voided_on.get(rendering.host, ()):
            there = found[path][line, column]
            there[:] = [target for target in there if target.host != rendering.host]
    return found


def _add_targets(found: dict[str, _Starts], host: str, file: RenderedFile) -> None:
    """What came of statements, and of the definitions whose values are on the line."""
    for line, places in file.origins.items():
        target = Target(host, file.path, line)
        for place in places:
            starts = found.get(place.path)
            if starts is not None:
                starts[place.line, place.column].append(target)
            if place.__class__ is Place:
                continue
            for step in via_of(place):
                at = step.place
                if step.kind == "definition" and at.path in found:
                    found[at.path][at.line, at.column].append(target)


_Became = dict[tuple[int, int], tuple[Target, ...]]


def _became(starts: _Starts) -> _Became:
    """The targets of each statement in order. What is alike is one and the same object: a server's
    keyword, address and port became the same line."""
    in_order: dict[tuple[Target, ...], tuple[Target, ...]] = {}
    found: _Became = {}
    for start, targets in starts.items():
        as_found = tuple(targets)
        ordered = in_order.get(as_found)
        if ordered is None:
            ordered = in_order[as_found] = tuple(sorted(set(targets)))
        found[start] = ordered
    return found


def _entry(
    document: Document, node: Node, ledger: Ledger, became: _Became, secrets: Collection[str]
) -> Entry:
    entry = _entry_of(document, node, ledger, became)
    return replace(entry, statement=statement_text(node, secrets)) if secrets else entry


def _entry_of(document: Document, node: Node, ledger: Ledger, became: _Became) -> Entry:
    place = document.place(node)
    if isinstance(node, ErrorNode) and not ledger.at(place):
        why, todo = node.message, "correct the line, then convert again"
        return Entry(place, statement_text(node), Verdict.DROPPED, (), why, todo, is_loss=True)
    targets = became.get((place.line, place.column), ())
    notes = ledger.at(place)
    if targets and not notes and not ledger.is_void(place):
        return Entry(place, statement_text(node), Verdict.EXACT, targets, "", "")
    if ledger.is_void(place):
        targets, notes = (), [note for note in notes if note.verdict is Verdict.DROPPED]
    verdict = _verdict(notes, has_targets=bool(targets))
    if verdict is Verdict.DROPPED:
        # how it would have been carried over is of no interest then
        notes = [note for note in notes if note.verdict is Verdict.DROPPED] or notes
    others = _other_verdicts(notes, verdict, has_targets=bool(targets))
    why = _reasons(notes, has_targets=bool(targets) if others else None)
    todo = "; ".join(dict.fromkeys(note.todo for note in notes if note.todo))
    is_loss = any(note.is_loss for note in notes)
    if verdict is Verdict.DROPPED and not notes and _is_empty(node):
        why = "the block is empty"
    elif verdict is Verdict.DROPPED and not notes:
        why, todo = "nothing that is generated has a place for it", "carry it over by hand"
        is_loss = True
    return Entry(place, statement_text(node), verdict, targets, why, todo, is_loss, others)


def _other_verdicts(
    notes: list[Note], verdict: Verdict, *, has_targets: bool
) -> tuple[Verdict, ...]:
    """What holds besides the worst: a line that pulse rejects can be carried over with a
    difference, too."""
    if len(notes) < 2:
        return ()
    found = dict.fromkeys(_softened(note.verdict, has_targets=has_targets) for note in notes)
    return tuple(v for v in found if v not in {verdict, Verdict.EXACT})


def _reasons(notes: list[Note], *, has_targets: bool | None) -> str:
    """All reasons; each with its verdict when `has_targets` is given."""
    reasons = [note.why for note in notes if note.why]
    if has_targets is not None:
        verdicts = [_softened(n.verdict, has_targets=has_targets) for n in notes if n.why]
        reasons = [f"{verdict}: {why}" for verdict, why in zip(verdicts, reasons, strict=True)]
    return "; ".join(dict.fromkeys(reasons))


def _is_empty(node: Node) -> bool:
    return isinstance(node, Statement) and node.body is not None and not node.body.children


def _verdict(notes: list[Note], *, has_targets: bool) -> Verdict:
    """The worst note; a statement that became nothing and has no note is dropped, whatever it is:
    nothing may disappear in silence. A statement that did become something is not dropped, even
    if one of the places it stands for was; one that became nothing is, unless it said what holds
    anyhow."""
    if not notes:
        return Verdict.EXACT if has_targets else Verdict.DROPPED
    verdicts = {note.verdict for note in notes}
    if not has_targets and Verdict.EXACT not in verdicts:
        return Verdict.DROPPED
    return _softened(worst(verdicts), has_targets=has_targets)


def _softened(verdict: Verdict, *, has_targets: bool) -> Verdict:
    return Verdict.APPROXIMATED if verdict is Verdict.DROPPED and has_targets else verdict
