"""Bytes to text: decoding without loss, a finding for what is odd about them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drctl.text.place import Span
from drctl.text.secret import masked
from drctl.text.source import LONG_LINE, decode

ODD = {
    "ISO 8859-1": (b"router_id caf\xe9\n", "not-utf8", "latin-1"),
    "byte-order mark": (b"\xef\xbb\xbfprimary = 192.0.2.1\n", "byte-order-mark", "utf-8"),
    "UTF-16 little": ("\ufeffa b\n".encode("utf-16-le"), "utf16-text", "utf-16-le"),
    "UTF-16 big": ("\ufeffa b\n".encode("utf-16-be"), "utf16-text", "utf-16-be"),
    "UTF-16 little without mark": ("a b\n".encode("utf-16-le"), "utf16-text", "utf-16-le"),
    "UTF-16 big without mark": ("a b\n".encode("utf-16-be"), "utf16-text", "utf-16-be"),
    "carriage returns alone": (b"a\rb\r", "carriage-return", "utf-8"),
    "CRLF": (b"a\r\nb\r\n", "carriage-return", "utf-8"),
    "one carriage return": (b"a\rb\n", "carriage-return", "utf-8"),
    "no final line feed": (b"a", "missing-final-newline", "utf-8"),
    "NUL": (b"a\0b\n", "control-character", "utf-8"),
    "escape": (b"a\x1bb\n", "control-character", "utf-8"),
    "long line": (b"a" * LONG_LINE + b"\n", "long-line", "utf-8"),
    "line long in bytes": ("\u00e9".encode() * 600 + b"\n", "long-line", "utf-8"),
}


@pytest.mark.parametrize(("raw", "name", "encoding"), ODD.values(), ids=ODD)
def test_odd_bytes_are_decoded_with_a_finding(raw: bytes, name: str, encoding: str) -> None:
    source = decode("x", raw)
    assert source.encode(source.text) == raw
    assert source.encoding == encoding
    assert name in {found.name for found in source.diagnostics}


def test_ordinary_bytes_give_no_finding() -> None:
    assert decode("x", "a \u00e9\n\tb\n".encode()).diagnostics == ()
    assert decode("x", b"").diagnostics == ()
    assert decode("x", b"a" * (LONG_LINE - 1) + b"\n").diagnostics == ()


def test_finding_of_bad_byte_names_byte_and_line() -> None:
    (found,) = decode("x", b"a\nb \xff\n").diagnostics
    assert found.message.startswith("byte 0xff in line 2")


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_two_byte_characters_are_told_with_the_way_out(name: str) -> None:
    (found,) = decode("x", "backup = lb\u00fc\n".encode(name)).diagnostics
    assert found.hint == f"convert it: iconv -f {name.upper().replace('16-', '16')} -t UTF-8"
    (found,) = decode("x", "\ufeffa b\n".encode(name)).diagnostics[:1]
    assert found.hint == "convert it: iconv -f UTF-16 -t UTF-8"


def test_half_a_character_of_two_bytes_is_told_with_the_way_out() -> None:
    source = decode("x", "primary = 192.0.2.1\n".encode("utf-16-le") + b"\n")
    assert source.encoding == "utf-8"
    assert any("iconv -f UTF-16LE" in found.hint for found in source.diagnostics)


def test_carriage_returns_alone_end_lines() -> None:
    source = decode("x", b"a\rbc\rd")
    assert [source.line(number) for number in (1, 2, 3)] == ["a", "bc", "d"]
    assert source.encode(source.text) == b"a\rbc\rd"
    assert source.encode("x\ny") == b"x\ry"
    assert decode("x", b"a\rb\nc").line_end == "\n"


@given(st.binary())
def test_any_bytes_come_back(raw: bytes) -> None:
    source = decode("x", raw)
    assert source.encode(source.text) == raw


@given(st.text(), st.data())
def test_place_of_any_span_names_its_line_and_column(text: str, data: st.DataObject) -> None:
    source = decode("x", text.encode("utf-8", "surrogatepass"))
    start = data.draw(st.integers(0, len(source.text)))
    place = source.place(Span(start, start))
    before = source.text[:start]
    assert place.line == before.count("\n") + 1
    assert place.column == start - (before.rfind("\n") + 1) + 1


def test_part_of_a_line_is_cut_out_of_it() -> None:
    source = decode("x", b"abc\ndefgh\r\nij")
    assert source.line(2) == "defgh"
    assert source.line(2, 1, 3) == "ef"
    assert source.line(1, 1, 30) == "bc"
    assert source.line(3) == "ij"


SECRETS = {
    "plain": "auth_pass S3cret",
    "quoted": 'auth_pass "S3cret S3cret"',
    "one line": "authentication { auth_type PASS auth_pass S3cret }",
    "condition": "@lb1 auth_pass S3cret",
    "equals": "auth_pass = S3cret",
    "unclosed quote": 'auth_pass "S3cret',
    "definition": "$AUTH_PASS=S3cret",
    "key": "auth_hmac {\n key 1 S3cret\n}",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_password_in_text_is_masked(text: str) -> None:
    assert "S3cret" not in masked(text)
    assert "********" in masked(text)


def test_text_without_password_stays() -> None:
    text = 'auth_type PASS\nnotify_master "/bin/key password-file"\nvirtual_router_id 51\n'
    assert masked(text) == text
