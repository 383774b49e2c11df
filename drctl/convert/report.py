"""The account of a conversion as values: one entry per statement, and the choices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from drctl.convert.ledger import Choice, Ledger, Note, Verdict, worst
from drctl.render.rendered import Rendering
from drctl.syntax.tree import Document, ErrorNode, LeafKind, Node, Statement
from drctl.text.diagnostic import Diagnostic
from drctl.text.place import Place

SECRET_KEYWORDS = frozenset({"auth_pass", "password", "key"})
_LONGEST_STATEMENT = 120


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A line of a generated file: host folder, absolute path on that host, line from 1."""

    host: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one statement."""

    place: Place
    statement: str
    verdict: Verdict
    became: tuple[Target, ...]
    why: str
    todo: str


@dataclass(frozen=True, slots=True)
class Report:
    """The whole account. `source` is the path as given; `findings` are those of reading."""

    source: str
    entries: tuple[Entry, ...]
    choices: tuple[Choice, ...]
    findings: tuple[Diagnostic, ...]
    losses: tuple[str, ...] = ()

    def count(self, verdict: Verdict) -> int:
        """Statements with this verdict."""
        return sum(entry.verdict is verdict for entry in self.entries)


def build_report(
    document: Document,
    ledger: Ledger,
    renderings: Iterable[Rendering],
    findings: tuple[Diagnostic, ...],
) -> Report:
    """Join the statements of the source with the lines they became and the notes on them."""
    became = _targets(renderings)
    entries = [_entry(document, node, ledger, became) for node in _nodes(document)]
    return Report(document.source.path, tuple(entries), tuple(ledger.choices), findings)


def _nodes(document: Document) -> list[Node]:
    nodes: list[Node] = [*document.walk(), *document.errors()]
    return sorted(nodes, key=lambda node: node.span.start)


def _targets(renderings: Iterable[Rendering]) -> dict[tuple[int, int], list[Target]]:
    found: dict[tuple[int, int], list[Target]] = defaultdict(list)
    for rendering in renderings:
        for file in rendering.files:
            for line, places in file.origins.items():
                target = Target(rendering.host, file.path, line)
                for place in places:
                    found[place.line, place.column].append(target)
    return found


def _entry(
    document: Document,
    node: Node,
    ledger: Ledger,
    became: dict[tuple[int, int], list[Target]],
) -> Entry:
    place = document.place(node)
    if isinstance(node, ErrorNode):
        why, todo = node.message, "correct the line, then convert again"
        return Entry(place, statement_text(node), Verdict.DROPPED, (), why, todo)
    targets = tuple(sorted(became.get((place.line, place.column), ())))
    notes = ledger.at(place)
    verdict = _verdict(notes, has_targets=bool(targets))
    why = "; ".join(dict.fromkeys(note.why for note in notes if note.why))
    todo = "; ".join(dict.fromkeys(note.todo for note in notes if note.todo))
    if verdict is Verdict.DROPPED and not notes:
        why, todo = "nothing that is generated has a place for it", "carry it over by hand"
    return Entry(place, statement_text(node), verdict, targets, why, todo)


def _verdict(notes: list[Note], *, has_targets: bool) -> Verdict:
    """The worst note; a statement that became nothing and has no note is dropped, whatever it is:
    nothing may disappear in silence. A statement that did become something is not dropped, even
    if one of the places it stands for was."""
    if not notes:
        return Verdict.EXACT if has_targets else Verdict.DROPPED
    verdict = worst(note.verdict for note in notes)
    if verdict is Verdict.DROPPED and has_targets:
        return Verdict.APPROXIMATED
    return verdict


def statement_text(node: Node) -> str:
    """A statement on one line, its block left out, passwords masked, long ones cut."""
    if isinstance(node, ErrorNode):
        return node.leaves_[0].text[:_LONGEST_STATEMENT]
    words = [leaf.text for leaf in node.words]
    if is_secret(node):
        words = [words[0], "********"] if len(words) > 1 else words
    text = " ".join(words) + (" {" if node.body is not None else "")
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    if len(text) > _LONGEST_STATEMENT:
        text = text[: _LONGEST_STATEMENT - 1] + "…"
    return text


def is_secret(statement: Statement) -> bool:
    """Whether the statement holds a password."""
    return statement.keyword in SECRET_KEYWORDS and statement.words[0].kind is not LeafKind.ERROR
