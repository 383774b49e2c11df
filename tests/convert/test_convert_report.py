"""Nothing disappears silently: every statement is accounted for, and every one counts."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from convert_case import GLOBAL, SERVICE, all_texts, converted, entry, reading_of
from corpus import keepalived_files, piranha_files

from drctl.cli.common import read_as, read_configuration
from drctl.convert.conversion import Conversion, convert
from drctl.convert.ledger import Verdict
from drctl.convert.options import ConvertOptions
from drctl.errors import DrctlError
from drctl.readers.reading import Reading
from drctl.report.conversion import to_json, to_markdown
from drctl.syntax.parser import parse_bytes
from drctl.syntax.tree import Document, Node, Statement

EVERY_DELETION = os.environ.get("DRCTL_EVERY_DELETION") == "1"
"""Set to delete every statement of every file of the corpus in turn: some minutes."""
SAMPLE = 7
"""Without that, one in so many."""

OWN = GLOBAL + SERVICE


def _files() -> list[Path]:
    return [*piranha_files(), *keepalived_files()]


def _convert(reading: Reading) -> Conversion | str:
    """The conversion; the refusal for a file whose values no generated file can hold."""
    try:
        conversion = convert(reading, ConvertOptions())
        all_texts(conversion)
    except DrctlError as refused:
        return str(refused)
    return conversion


def _refused_with_its_place(refusal: str, document: Document) -> bool:
    """Whether a refusal names a statement of the file and the value in it."""
    found = re.search(r":(\d+):(\d+): '(.*)' cannot be written", refusal)
    return found is not None and found[3] in document.source.line(int(found[1]))


def _places(reading: Reading) -> list[tuple[str, int, int]]:
    found = []
    for document in reading.documents:
        nodes: list[Node] = [*document.walk(), *document.errors()]
        found += sorted(document.place(node)[:3] for node in nodes)
    return found


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.name)
def test_report_has_every_statement_of_a_file_once(path: Path) -> None:
    reading = read_configuration(str(path))
    conversion = _convert(reading)
    if isinstance(conversion, str):
        assert _refused_with_its_place(conversion, reading.document), conversion
        return
    report = conversion.report
    assert [e.place[:3] for e in report.entries] == _places(reading)
    for found in report.entries:
        assert found.became or found.why, found
        assert "has a place for it" not in found.why, found
        assert (found.verdict is Verdict.DROPPED) == (not found.became) or found.why, found
    document = json.loads(to_json(report))
    assert len(document["entries"]) == len(report.entries)
    assert to_markdown(report).count("\n| ") >= len(report.entries)


def test_report_lines_lead_to_lines_that_are_there() -> None:
    conversion = converted()
    texts = all_texts(conversion)
    for found in conversion.report.entries:
        for target in found.became:
            lines = texts[target.host, target.path].split("\n")
            assert 1 <= target.line <= len(lines)
    address = entry(conversion, "address = 192.0.2.21")
    line = next(t.line for t in address.became if t.host == "primary")
    conf = texts["primary", "/etc/keepalived/keepalived.conf"].split("\n")
    assert "real_server 192.0.2.21 80" in conf[line - 1]


def test_own_file_changes_with_every_statement_that_became_something() -> None:
    reading = reading_of(OWN)
    _delete_each(reading, reading.document.source.path, every=True)


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.name)
def test_deleting_a_statement_changes_what_is_written_or_said(path: Path) -> None:
    _delete_each(read_configuration(str(path)), str(path), every=EVERY_DELETION)


def _delete_each(reading: Reading, path: str, *, every: bool) -> None:
    """Without a statement, the generated files change, or the report said that it changes
    nothing; and the report itself is always another one."""
    whole = _convert(reading)
    document = reading.document
    if isinstance(whole, str):
        assert _refused_with_its_place(whole, document), whole
        return
    texts, entries = all_texts(whole), list(whole.report.entries)
    notes = {e.place[:3]: e for e in entries}
    statements = list(document.walk())
    for statement in statements if every else statements[:: SAMPLE if len(statements) > 9 else 2]:
        place = document.place(statement)
        found = notes[place[:3]]
        text = _without(document, statement)
        rest = _convert(_read_again(text, path, document.dialect))
        if isinstance(rest, str):
            continue
        assert _spoken(rest) != _spoken(whole), found
        if all_texts(rest) == texts:
            assert found.why or _is_silent(found.statement), found


def _read_again(text: str, path: str, dialect: str) -> Reading:
    if dialect == "lvs.cf":
        return reading_of(text, path, dialect)
    return read_as(parse_bytes(path, text.encode(), dialect), None)


def _spoken(conversion: Conversion) -> tuple[object, ...]:
    report = conversion.report
    entries = tuple((e.statement, e.verdict, e.why, e.todo) for e in report.entries)
    return entries, report.choices, report.losses


def _without(document: Document, statement: Statement) -> str:
    leaves = list(statement.leaves())
    text = document.source.text
    return text[: leaves[0].start] + text[leaves[-1].end :]


DEFAULTS = frozenset(
    {"port = 80", "port = http", "scheduler = wlc", "protocol = tcp", "network = nat"}
    | {"weight = 1", "timeout = 10", "reentry = 180", "keepalive = 2", "deadtime = 5"}
    | {"use_regex = 0", "syncd_iface = eth0", "syncd_id = 0", "global_defs {"}
    | {"vip_nmask = 255.255.255.255", "nat_nmask = 255.255.255.255"}
)
"""What holds without the statement: it is carried over exactly, and so is its absence."""


def _is_silent(statement: str) -> bool:
    return " ".join(statement.split()) in DEFAULTS or statement.startswith(("port =", "retry"))


def test_passwords_of_a_keepalived_file_are_not_in_the_report() -> None:
    text = """\
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    authentication {
        auth_type PASS
        auth_pass hunter2
    }
    virtual_ipaddress {
        192.0.2.10
    }
}
"""
    conversion = convert(reading_of(text, "a.conf", "keepalived"), ConvertOptions())
    assert any("hunter2" in each for each in all_texts(conversion).values())
    assert "hunter2" not in to_json(conversion.report)
    assert "hunter2" not in to_markdown(conversion.report)


def test_report_is_the_same_on_every_run() -> None:
    one, other = converted(), converted()
    assert to_json(one.report) == to_json(other.report)
    assert all_texts(one) == all_texts(other)


def test_repeated_statement_is_void_and_has_no_line() -> None:
    found = entry(converted("keepalive = 2\n" + OWN), "keepalive = 2")
    assert (found.verdict, found.became) == (Verdict.DROPPED, ())
