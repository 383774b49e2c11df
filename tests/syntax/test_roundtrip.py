"""The tree loses nothing, whatever the text is; time grows with the size, not with its square."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from corpus import corpus_dir, keepalived_files, piranha_files
from hypothesis import given
from hypothesis import strategies as st

from drctl.readers import keepalived, lvs_cf
from drctl.report.show import to_json, to_tree
from drctl.report.show_table import to_table
from drctl.report.text import to_summary
from drctl.syntax.detect import DIALECTS
from drctl.syntax.parser import MOST_FINDINGS, parse, parse_bytes
from drctl.syntax.tree import Document
from drctl.text.source import SourceFile

PIECES = [
    *("{", "}", '"', "'", "#", "!", "=", "\\", "$", "~", "@", "\n", "\r\n", "\r", "\t", " ", "\0"),
    *("\ufeff", "\u00e9", "\u2028", "\U0001f600", "${A}", "{{ x }}", "{% if %}", "<%= x %>", "{#"),
    *("virtual", "server", "primary = 192.0.2.1", "vrrp_instance", "virtual_ipaddress", "0", "80"),
    *('send = "GET / \\r\\n"', "# comment", "@low state", "include", "$A=", "192.0.2.1 dev eth0"),
]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
needs_corpus = pytest.mark.skipif(corpus_dir() is None, reason="no corpus of real configurations")


def all_spans_inside(document: Document) -> None:
    size, last = len(document.source.text), 0
    for leaf in document.leaves():
        assert last <= leaf.start - len(leaf.prefix) <= leaf.start <= leaf.end <= size
        assert document.source.text[leaf.start : leaf.end] == leaf.text
        last = leaf.end
    for statement in document.walk():
        assert 0 <= statement.span.start < statement.span.end <= size


def everything(document: Document) -> None:
    """Run all that is ever done with a file."""
    reader = lvs_cf.read if document.dialect == "lvs.cf" else keepalived.read
    reading = reader(document)
    to_json(reading)
    to_tree(reading)
    to_table(reading)
    to_summary(reading.diagnostics, document.source)
    lines = document.source.text.count("\n") + 1
    for found in reading.diagnostics:
        assert 1 <= found.place.line <= found.place.end_line <= lines
        assert found.place.column >= 1


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=TEXTS)
def test_tree_of_any_text_gives_it_back(dialect: str, text: str) -> None:
    document = parse(SourceFile("x", text), dialect)
    assert document.to_text() == text
    all_spans_inside(document)


@pytest.mark.parametrize("dialect", ["auto", *DIALECTS])
@given(raw=st.one_of(st.binary(), TEXTS.map(lambda t: t.encode("utf-8", "surrogatepass"))))
def test_any_bytes_are_read_and_given_back(dialect: str, raw: bytes) -> None:
    document = parse_bytes("x", raw, dialect)
    assert document.source.encode(document.to_text()) == raw
    everything(document)


@needs_corpus
@pytest.mark.parametrize("file", [*piranha_files(), *keepalived_files()], ids=lambda f: f.name)
def test_real_file_is_given_back_in_both_dialects(file: Path) -> None:
    raw = file.read_bytes()
    for dialect in DIALECTS:
        document = parse_bytes(file.name, raw, dialect)
        assert document.source.encode(document.to_text()) == raw
        all_spans_inside(document)


N = 60_000
HOSTILE = {
    "quotes": b'"' * N,
    "single quotes": b"'" * N,
    "quotes and blanks": b'" ' * (N // 2),
    "quotes in a value": b"a = " + b'"a' * (N // 2),
    "escaped quotes": b'send = "' + b'\\"' * (N // 2),
    "opening braces": b"{" * N,
    "closing braces": b"}" * N,
    "nested blocks": b"a {\n" * (N // 4),
    "nested instances": b"vrrp_instance A {\n" * (N // 16),
    "nested instances with names": b"".join(b"vrrp_instance %d {\n" % i for i in range(N // 16)),
    "nested virtuals": b"virtual x {\nserver y {\n" * (N // 20),
    "template tags": b"{{" * (N // 2),
    "template comments": b"{#" * (N // 2),
    "template tags with text": b"{{a {%b <%c " * (N // 12),
    "template braces": b"{{{a}" * (N // 5),
    "definitions": b"${" * (N // 2),
    "uses": b"$a=$a\n" * (N // 6),
    "blanks": b" " * N + b"x",
    "line feeds": b"\n" * N,
    "carriage returns": b"\r" * N,
    "NUL": b"\0" * N,
    "one word": b"a" * N,
    "one value": b"a=" + b"b{ " * (N // 3),
    "digits": b"priority " + b"9" * N,
    "hexadecimal": b"keepalive = 0x" + b"f" * N,
    "octal": b"keepalive = 0" + b"7" * N,
    "dots": b"primary = " + b"a." * (N // 2),
    "script": b"vrrp_script a {\n script " + b"'a" * (N // 2) + b"\n}",
    "script with escapes": b'vrrp_script a {\n script "' + b"\\\\'" * (N // 3) + b'"\n}',
    "many hosts": b"primary = a\n" * (N // 12),
    "many words": b"foo bar\n" * (N // 8),
    "many addresses": b"vrrp_instance a {\nvirtual_ipaddress {\n" + b"192.0.2.1\n" * (N // 10),
    "many bad addresses": b"static_ipaddress {\n" + b"x\n" * (N // 2) + b"}",
    "many of the same": b"vrrp_instance a {\n}\n" * (N // 20),
    "many flags": b"virtual_server 192.0.2.1 80 {\n" + b"hashed\n" * (N // 7) + b"}",
    "random": random.Random(1).randbytes(N),
    "random marks": bytes(random.Random(2).choices(b"{}\"' \n#!=$a\\", k=N)),
    "lines of carriage returns": b"primary = a\r" * (N // 12),
    "UTF-16 without mark": b"a\0" * (N // 2),
    "UTF-16": b"\xff\xfe" + b"a\0" * (N // 2),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_read_in_linear_time(raw: bytes, dialect: str) -> None:
    started = time.process_time()
    document = parse_bytes("x", raw, dialect)
    assert document.source.encode(document.to_text()) == raw
    everything(document)
    # a second here; a quadratic step over this much text takes minutes
    assert time.process_time() - started < 20


def test_braces_without_number_are_told_a_limited_number_of_times() -> None:
    document = parse_bytes("x", b"}" * 1000, "keepalived")
    stray = [found for found in document.diagnostics if found.name == "stray-brace"]
    assert len(stray) == MOST_FINDINGS + 1
    assert stray[-1].message == "900 more of the kind from here on"
