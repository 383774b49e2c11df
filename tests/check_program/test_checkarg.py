"""Texts on the way from an lvs.cf through keepalived's configuration to the check program."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import shlex
from typing import Any

import pytest
from check_server import LOOPBACK, PROGRAM, check, saying, serving
from hypothesis import given
from hypothesis import strategies as st

from drctl.render import checkarg

OPTIONS: dict[str, Any] = {"timeout_s": 10, "is_strict": False, "reentry": 1}


def load_program() -> Any:
    """The check program as a module, to see how it reads a command line."""
    loader = importlib.machinery.SourceFileLoader("drctl_check", str(PROGRAM))
    spec = importlib.util.spec_from_loader("drctl_check", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


PROGRAM_MODULE = load_program()


def probe_of(command: str) -> Any:
    path, *words = command.split(" ")
    assert path == checkarg.CHECK_PATH
    return PROGRAM_MODULE.Probe(words)


def send_expect(send: bytes | None, expect: bytes | None, **options: Any) -> str:
    given_ = {"is_udp": False, "uses_regex": False, **OPTIONS, **options}
    return checkarg.send_expect("192.0.2.11", 25, send=send, expect=expect, **given_)


@given(st.none() | st.binary(max_size=120), st.none() | st.binary(max_size=120))
def test_any_bytes_arrive_as_they_were(send: bytes | None, expect: bytes | None) -> None:
    probe = probe_of(send_expect(send, expect))
    assert (probe.send, probe.expect) == (send, expect)
    assert (probe.kind, probe.address, probe.port) == ("tcp", "192.0.2.11", 25)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_command_has_no_character_that_keepalived_or_a_shell_would_read(
    send: bytes, expect: bytes
) -> None:
    command = send_expect(send, expect, service="wéb {1}", reentry=2)
    assert re.fullmatch(r"[A-Za-z0-9_./:,+=% -]+", command)
    assert shlex.split(command) == command.split(" ")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters=" "), min_size=1)))
def test_words_of_a_program_arrive_split_at_blanks(words: list[str]) -> None:
    text = "/opt/probe  " + " ".join(words)
    try:
        command = checkarg.program("192.0.2.11", 25, command=text, expect=None, **OPTIONS)
    except checkarg.CommandTooLong:
        return
    known = {"%h": "192.0.2.11", "%p": "25"}
    expected = [known.get(word, word).encode() for word in ["/opt/probe", *words]]
    assert probe_of(command).command == expected


def test_options_are_written_when_they_say_something() -> None:
    plain = send_expect(None, b"220")
    assert plain == "/usr/libexec/drctl/drctl-check tcp 192.0.2.11 25 --expect=220 --timeout=10"
    probe = probe_of(
        send_expect(None, b"2", is_strict=True, reentry=18, service="a b", is_udp=True)
    )
    assert (probe.kind, probe.is_strict, probe.reentry) == ("udp", True, 18)
    assert not probe_of(plain).is_strict
    assert probe_of(plain).reentry == 1


def test_program_without_expect_has_none() -> None:
    command = checkarg.program("192.0.2.11", 25, command="/opt/x %h", expect=b"", **OPTIONS)
    assert probe_of(command).expect == b""
    command = checkarg.program("192.0.2.11", 25, command="/opt/x %h", expect=None, **OPTIONS)
    assert probe_of(command).expect is None


def test_command_longer_than_a_line_is_refused() -> None:
    assert len(send_expect(b"a" * 800, None)) < checkarg.LONGEST_COMMAND_BYTES
    with pytest.raises(checkarg.CommandTooLong, match="shorten send or expect"):
        send_expect(b"\r" * 400, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", b""),
        ("GET / HTTP/1.0\\r\\n\\r\\n", b"GET / HTTP/1.0\r\n\r\n"),
        ("\\t\\'\\\"", b"\t'\""),
        ("a\\\\n", b"a\\n"),
        ("\\\\", b"\\"),
        ("\\\\\\\\", b"\\\\"),
        ("[.]é", "[.]é".encode()),
        ("\\", b"\\"),
        ("#{}!%41", b"#{}!%41"),
    ],
)
def test_escapes_become_what_nanny_sent(text: str, expected: bytes) -> None:
    assert checkarg.pulse_unescape(text) == expected


@pytest.mark.parametrize(
    ("text", "escape"),
    [("\\d", "\\d"), ("a[\\.]", "\\."), ("ab\\", "\\"), ("\\R", "\\R"), ("\\x41", "\\x")],
)
def test_escape_that_nanny_loops_at_is_named(text: str, escape: str) -> None:
    assert checkarg.pulse_unescape(text) == checkarg.BadEscape(escape)


@given(st.text(max_size=30))
def test_escaped_text_comes_back(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    if len(escaped.encode()) > 1:
        assert checkarg.pulse_unescape(escaped) == text.encode()


def test_regex_arrives_in_pythons_words() -> None:
    command = send_expect(None, b"OK [[:digit:]]+", uses_regex=True)
    assert probe_of(command).regex.pattern == b"OK [0-9]+"


def test_command_line_as_written_asks_the_server() -> None:
    with serving(saying(b'"#!{$HOME}" \\ 100% \xff')) as server:
        command = checkarg.send_expect(
            LOOPBACK,
            server.port,
            send=b"a'b\"c\r\n\0\xfe",
            expect=b'"#!{$HOME}" \\ 100% \xff',
            is_udp=False,
            uses_regex=False,
            **OPTIONS,
        )
        assert check(*command.split(" ")[1:]).is_up
    assert server.received == [b"a'b\"c\r\n\0\xfe"]


def test_check_path_is_where_the_program_is_rendered_to() -> None:
    assert os.path.basename(checkarg.CHECK_PATH) == PROGRAM.name  # noqa: PTH119
