"""What is done to any bytes, and what must be true of the outcome whatever they are.

A target is used by every engine: by hypothesis, by atheris, by the cases that failed once. Its
`work` is what drctl does, its `check` what must hold; both may raise nothing. Bytes are a
configuration; a line `%%%% NAME` in them begins another file that may be included, a line
`%%%% version 2.4.3` says which keepalived is to read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from time import process_time
from typing import Any, NamedTuple

from coverage_of_reading import lost, origin_places
from keepalived_case import as_keepalived_says, difference
from memory_files import MemoryFiles

from drctl.convert.ledger import Ledger
from drctl.convert.lower import lower
from drctl.convert.options import ConvertOptions
from drctl.errors import UnsafeValue
from drctl.lint.engine import check_source
from drctl.lint.suppression import silences
from drctl.model.configuration import Configuration
from drctl.readers import effective, keepalived, lvs_cf
from drctl.readers.reading import Reading
from drctl.render.keepalived import keepalived_file
from drctl.render.options import RenderOptions
from drctl.report.lint import to_concise, to_full, to_json
from drctl.report.show import to_json as shown_json
from drctl.report.show import to_tree
from drctl.report.show_table import to_table
from drctl.schema.composite import LINES, judge, judge_words
from drctl.schema.load import load_dialect
from drctl.schema.table import Argument, Keyword, version_of
from drctl.syntax.detect import DIALECTS, detect
from drctl.syntax.expand_text import split_words
from drctl.syntax.expanded import Expanded, ExpandOptions, Limits, Line, expand
from drctl.syntax.parser import parse, parse_bytes
from drctl.syntax.pulse import judge as pulse_judge
from drctl.syntax.pulse import refusals
from drctl.syntax.tree import Document, LeafKind
from drctl.text.diagnostic import Diagnostic
from drctl.text.place import Place, Span
from drctl.text.source import SourceFile, decode

MAIN = "main.conf"
IDENTITY = "lb1"
SLOWEST_S = 5.0
"""Of the processor, for an input of a few kB; most take a thousandth of it."""
VERSIONS = ("1.3.5", "2.2.7", "2.4.3")
_FEW_LINES = 12
_FILE_MARK = re.compile(rb"^%%%% (version )?([\w.-]{1,20})\n", re.MULTILINE)

Work = Callable[[bytes], Any]
Check = Callable[[bytes, Any], None]


class Target(NamedTuple):
    """One way through drctl. `dialect` is that of the texts that lead far into it."""

    name: str
    work: Work
    check: Check
    dialect: str = "keepalived"


class TooSlow(AssertionError):
    """An input took longer than any may."""


def run(target: Target, raw: bytes, slowest_s: float = SLOWEST_S) -> None:
    """Do it all with one input."""
    start = process_time()
    outcome = target.work(raw)
    spent = process_time() - start
    if spent > slowest_s:
        raise TooSlow(f"{target.name}: {spent:.1f} s for {len(raw)} bytes")
    target.check(raw, outcome)


def files_of(raw: bytes) -> tuple[str, dict[str, bytes]]:
    """The version and the files that an input stands for."""
    version, name, start = "2.2.7", MAIN, 0
    files: dict[str, bytes] = {}
    for found in _FILE_MARK.finditer(raw):
        if found[1]:
            version = found[2].decode() if found[2].decode() in VERSIONS else version
            continue
        files.setdefault(name, raw[start : found.start()])
        name, start = found[2].decode(), found.end()
    files.setdefault(name, raw[start:])
    return version, files


# What must be true of places.


def check_place(place: Place, sources: Mapping[str, SourceFile]) -> None:
    """The place is inside its file."""
    source = sources[place.path]
    lines = source.line_starts()
    assert 1 <= place.line <= place.end_line <= len(lines), place
    for line, column in ((place.line, place.column), (place.end_line, place.end_column)):
        stop = lines[line] if line < len(lines) else len(source.text) + 1
        assert 1 <= column <= stop - lines[line - 1], place
    assert (place.line, place.column) <= (place.end_line, place.end_column), place


def check_findings(found: Iterable[Diagnostic], sources: Iterable[SourceFile]) -> None:
    """Findings say something and stand where something can be found."""
    by_path = {source.path: source for source in sources}
    for one in found:
        assert one.message, one
        assert "\n" not in one.message, one
        check_place(one.place, by_path)
        for other in one.related:
            check_place(other.place, by_path)


# Bytes to text.


def _decode(raw: bytes) -> SourceFile:
    return decode(MAIN, raw)


def _check_decoded(raw: bytes, source: SourceFile) -> None:
    assert source.encode(source.text) == raw
    starts = source.line_starts()
    assert len(starts) == source.text.count("\n") + 1
    for offset in range(0, len(source.text) + 1, max(1, len(source.text) // 50)):
        line, column = source.position(offset)
        assert starts[line - 1] + column - 1 == offset
        assert source.place(Span(offset, offset))[1:] == (line, column, line, column)
    lines = [source.line(number) for number in range(1, len(starts) + 1)]
    assert lines == [line.rstrip("\r\n") for line in source.text.split("\n")]
    check_findings(source.diagnostics, [source])


# Text to tree.


def _parse(raw: bytes) -> list[Document]:
    return [parse_bytes(MAIN, raw, dialect) for dialect in ("auto", *DIALECTS)]


def _check_parsed(raw: bytes, documents: list[Document]) -> None:
    assert documents[0].dialect == detect(documents[0].source.text)
    for document in documents:
        text = document.source.text
        assert document.source.encode(document.to_text()) == raw
        last = 0
        for leaf in document.leaves():
            assert last == leaf.start - len(leaf.prefix)
            assert text[leaf.start : leaf.end] == leaf.text
            assert (leaf.kind is LeafKind.END) == (not leaf.text)
            last = leaf.end
        assert last == len(text)
        check_findings(document.diagnostics, [document.source])


# Text to logical lines.


def _expand(raw: bytes) -> Expanded:
    version, files = files_of(raw)
    return expand(decode(MAIN, files[MAIN]), MemoryFiles(files), _options(version))


def _options(version: str) -> ExpandOptions:
    return ExpandOptions(
        config_id=IDENTITY,
        version=version_of(version),
        environment={"HOME": "/var/empty"},
        limits=Limits(generated_lines=5_000, files=200),
    )


def _check_expanded(raw: bytes, found: Expanded) -> None:
    del raw
    sources = {source.path: source for source in found.files}
    for line in _some(found.lines) + _some(found.parent_lines):
        assert line.words
        for index, text in enumerate(line.words[:6]):
            word = line.word(index)
            assert word.text == text
            check_place(word.place, sources)
            begin, end = word.place.column - 1, word.place.end_column - 1
            assert sources[word.place.path].line(word.place.line)[begin:end] == word.raw
            if not line.is_rewritten:
                assert word.raw == (f'"{text}"' if word.is_quoted else text)
            for step in word.chain:
                check_place(step.place, sources)
        check_place(line.whole, sources)
        assert not {"\n", "\0"} & set(line.text)
    for condition in found.conditions:
        check_place(condition.place, sources)
    check_findings(found.findings, found.files)


def _some(lines: list[Line]) -> list[Line]:
    """A few lines from all over: to say where words stand takes longer than to find them."""
    return lines[:: len(lines) // _FEW_LINES + 1]


# Words behind a keyword.


@cache
def _arguments() -> list[Keyword]:
    """One keyword of each kind of arguments."""
    found: dict[Any, Keyword] = {}
    for block in load_dialect("keepalived").blocks.values():
        for keyword in block.keywords.values():
            shape = keyword.args, keyword.newer, keyword.extra, keyword.longest, keyword.advised
            found.setdefault(shape, keyword)
    return list(found.values())


def _judge(raw: bytes) -> list[tuple[tuple[str, ...], list[Any]]]:
    text = decode(MAIN, raw).text
    found = []
    for line in dict.fromkeys(text.split("\n")[:30]):
        words = split_words(line)
        said: list[Any] = []
        for keyword in _arguments():
            said += judge(keyword, words, (2, 2, 7))
        for kind in LINES:
            said += judge_words((Argument("value", kind),), words)
        found.append((words, said))
    return found


def _check_judged(raw: bytes, found: list[tuple[tuple[str, ...], list[Any]]]) -> None:
    del raw
    for words, said in found:
        for complaint in said:
            assert complaint.text
            # a word that is missing is behind the last one
            assert -1 <= complaint.word <= len(words), (complaint, words)


# Text to model, and back.


def _read_keepalived(raw: bytes) -> tuple[Reading, str | None]:
    reading = keepalived.read(parse_bytes(MAIN, raw, "keepalived"))
    _show(reading)
    return reading, _rendered(reading.configuration)


def _show(reading: Reading) -> None:
    shown_json(reading)
    to_tree(reading)
    to_table(reading)


def _rendered(configuration: Configuration) -> str | None:
    try:
        return keepalived_file(configuration, RenderOptions(MAIN))[0].text
    except UnsafeValue:
        # said to the user: it has no form that keepalived reads
        return None


def _check_read(raw: bytes, outcome: tuple[Reading, str | None]) -> None:
    del raw
    reading, text = outcome
    assert not lost(reading), lost(reading)
    check_findings(reading.diagnostics, [reading.document.source])
    if text is None:
        return
    again = keepalived.read(parse(SourceFile(MAIN, text), "keepalived")).configuration
    _check_same(reading.configuration, again)
    assert _rendered(again) == text


def _read_effective(raw: bytes) -> tuple[Reading, str | None, list[SourceFile]]:
    version, files = files_of(raw)
    document = parse_bytes(MAIN, files[MAIN], "keepalived")
    reading = effective.read(document, MemoryFiles(files), _options(version))
    _show(reading)
    sources = [decode(name, content) for name, content in files.items()]
    return reading, _rendered(reading.configuration), sources


def _check_effective(raw: bytes, outcome: tuple[Reading, str | None, list[SourceFile]]) -> None:
    del raw
    reading, text, sources = outcome
    check_findings(reading.diagnostics, sources)
    by_path = {source.path: source for source in sources}
    for place in origin_places(reading.configuration):
        check_place(place, by_path)
    if text is not None:
        again = keepalived.read(parse(SourceFile(MAIN, text), "keepalived")).configuration
        _check_same(reading.configuration, again)


def _read_lvs_cf(raw: bytes) -> tuple[Reading, list[Configuration]]:
    reading = lvs_cf.read(parse_bytes(MAIN, raw, "lvs.cf"))
    _show(reading)
    pair = lower(reading.configuration, ConvertOptions(), Ledger())
    return reading, [pair.primary] if pair.backup is None else [pair.primary, pair.backup]


def _check_read_lvs_cf(raw: bytes, outcome: tuple[Reading, list[Configuration]]) -> None:
    reading, directors = outcome
    assert reading.verdict == pulse_judge(raw)
    assert not lost(reading), lost(reading)
    check_findings(reading.diagnostics, [reading.document.source])
    for one in directors:
        text = _rendered(one)
        assert text is not None, "what is converted can be written"
        again = keepalived.read(parse(SourceFile(MAIN, text), "keepalived")).configuration
        _check_same(as_keepalived_says(one), replace(again, rank=None))


def _check_same(one: Configuration, other: Configuration) -> None:
    found = difference(one, other)
    assert not found, found


# Findings.


def _lint(raw: bytes) -> tuple[tuple[Diagnostic, ...], tuple[SourceFile, ...]]:
    version, files = files_of(raw)
    source = decode(MAIN, files[MAIN])
    checked = check_source(source, version, MemoryFiles(files), _options(version))
    found = (*source.diagnostics, *checked.diagnostics)
    sources = {one.path: one for one in checked.sources}
    to_full(found, sources)
    to_concise(found)
    to_json(found, len(sources))
    for one in checked.sources:
        silences(one)
    return found, checked.sources


def _check_linted(
    raw: bytes, outcome: tuple[tuple[Diagnostic, ...], tuple[SourceFile, ...]]
) -> None:
    found, sources = outcome
    check_findings(found, sources)
    assert _lint(raw)[0] == found


# What pulse says.


def _judge_by_pulse(raw: bytes) -> tuple[Any, Any]:
    return pulse_judge(raw), refusals(raw)


def _check_judged_by_pulse(raw: bytes, outcome: tuple[Any, Any]) -> None:
    verdict, refused = outcome
    lines = raw.count(b"\n" if b"\n" in raw else b"\r") + 1
    assert (verdict.message is None) == verdict.accepts == (verdict.line is None)
    if not verdict.accepts:
        assert 0 <= verdict.source_line <= lines
        assert verdict.line <= raw.count(b"\n") + raw.count(b"\r") + 1
    for note in verdict.notes:
        assert 1 <= note.source_line <= lines + 1
        assert note.text
    numbers = [one.line for one in refused]
    assert numbers == sorted(numbers)
    assert all(1 <= number <= lines for number in numbers)
    if not {0x0D, 0} & set(raw) and verdict.message not in (None, "Empty configuration"):
        assert refused[0].line == verdict.line


TARGETS = {
    target.name: target
    for target in (
        Target("text", _decode, _check_decoded),
        Target("tree", _parse, _check_parsed),
        Target("expand", _expand, _check_expanded),
        Target("tables", _judge, _check_judged),
        Target("keepalived", _read_keepalived, _check_read),
        Target("effective", _read_effective, _check_effective),
        Target("lvs_cf", _read_lvs_cf, _check_read_lvs_cf, "lvs.cf"),
        Target("lint", _lint, _check_linted),
        Target("pulse", _judge_by_pulse, _check_judged_by_pulse, "lvs.cf"),
    )
}


class Planted(Exception):
    """The crash that is planted."""


def planted(*, is_rare: bool = False) -> Target:
    """The expansion with a fault that engines must find: a negated condition that is met, or
    rather, more rarely, any condition that is met where something was substituted too."""

    def work(raw: bytes) -> Expanded:
        found = _expand(raw)
        if is_rare:
            is_hit = any(one.is_met for one in found.conditions) and any(
                step.kind != "include" for line in _some(found.lines) for step in line.chain
            )
        else:
            is_hit = any(one.is_met and one.is_negated and one.name for one in found.conditions)
        if is_hit:
            raise Planted(raw)
        return found

    return Target("planted", work, _check_expanded)
