"""The dialect is told from the content alone; templates are recognised."""

from __future__ import annotations

import pytest
from corpus import corpus_dir, keepalived_files, piranha_files

from drctl.syntax.detect import KEEPALIVED, LVS_CF, detect, is_undecided
from drctl.syntax.lexer import find_template_tag
from drctl.syntax.parser import parse_bytes

TEXTS = {
    "globals of an lvs.cf": ("syncdaemon = 1\nsyncd_iface = eth0\n", LVS_CF),
    "without equals": ("primary 192.0.2.1\nbackup 192.0.2.2\n", LVS_CF),
    "glued": ("primary=192.0.2.1\n", LVS_CF),
    "capitals": ("Primary = 192.0.2.1\n", LVS_CF),
    "a server alone": ("server one {\n  weight 1\n}\n", LVS_CF),
    "virtual server of old guides": ("virtual server web {\n}\n", LVS_CF),
    "byte-order mark": ("\ufeffserial_no = 1\n", LVS_CF),
    "an instance": ("vrrp_instance A {\n state MASTER\n}\n", KEEPALIVED),
    "a service": ("virtual_server 192.0.2.10 80 {\n lb_algo rr\n}\n", KEEPALIVED),
    "keepalived behind a serial number": ("serial_no = 7\nglobal_defs {\n}\n", KEEPALIVED),
    "definitions": ("$A=1\n$B=2\nvrrp_script c {\n}\n", KEEPALIVED),
    "a check alone": ("TCP_CHECK {\n connect_timeout 3\n}\n", KEEPALIVED),
    "empty": ("", KEEPALIVED),
}


@pytest.mark.parametrize(("text", "dialect"), TEXTS.values(), ids=TEXTS)
def test_dialect_is_told_from_the_content(text: str, dialect: str) -> None:
    assert detect(text) == dialect


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "foo bar\n"])
def test_text_that_speaks_for_neither_is_undecided(text: str) -> None:
    assert is_undecided(text)


@pytest.mark.skipif(corpus_dir() is None, reason="no corpus of real configurations")
def test_dialect_of_every_real_file() -> None:
    told = {file.name: detect(file.read_text("latin-1")) for file in piranha_files()}
    # keepalived's syntax in a file that is called lvs.cf
    assert {name for name, dialect in told.items() if dialect == KEEPALIVED} == {"035.cf"}
    for file in keepalived_files():
        assert detect(file.read_text("latin-1")) == KEEPALIVED, file.name


TAGS = {
    "{{ a }}": True,
    "{% if a %}": True,
    "<%= a %>": True,
    "a {# comment #} b": True,
    "a {# comment\nb #}": False,
    "vrrp_instance A {# comment": False,
    'send = "100%" <5': False,
    "a { b { c } }": False,
}


@pytest.mark.parametrize(("text", "is_template"), TAGS.items(), ids=TAGS)
def test_template_is_recognised_by_its_tags(text: str, is_template: bool) -> None:
    span = find_template_tag(text)
    assert (span is not None) == is_template
    if span is not None:
        assert text[span.start : span.end] in {"{{", "{%", "<%", "{#"}


def test_template_is_said_to_be_one() -> None:
    document = parse_bytes("x", b"primary = {{ a }}\n", "auto")
    assert document.is_template
    assert [found.name for found in document.diagnostics] == ["template"]
