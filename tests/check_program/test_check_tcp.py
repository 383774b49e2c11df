"""drctl-check by TCP: nanny's rules (exact) and the strict ones, each against a real server."""

from __future__ import annotations

import socket
import time

import pytest
from check_server import (
    LOOPBACK,
    Handler,
    check,
    closed_port,
    closing,
    resetting,
    saying,
    serving,
    silent,
)

STRICT = "--strict"
MODES = pytest.mark.parametrize("mode", [(), (STRICT,)], ids=["exact", "strict"])


def verdict(handler: Handler, *options: str) -> bool:
    with serving(handler) as server:
        return check("tcp", LOOPBACK, str(server.port), *options).is_up


@MODES
def test_tcp_without_texts_needs_a_connection_only(mode: tuple[str, ...]) -> None:
    assert verdict(silent, *mode)


@MODES
def test_tcp_when_nobody_listens_is_down(mode: tuple[str, ...]) -> None:
    with closed_port() as port:
        answer = check("tcp", LOOPBACK, str(port), *mode)
    assert not answer.is_up
    assert "refused" in answer.reason


@MODES
def test_tcp_connection_that_is_not_taken_in_time_is_down(mode: tuple[str, ...]) -> None:
    with socket.create_server((LOOPBACK, 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex((LOOPBACK, port))
        started = time.monotonic()
        answer = check("tcp", LOOPBACK, str(port), "--timeout=1", *mode)
        for client in waiting:
            client.close()
    assert not answer.is_up
    assert "connecting took longer than 1 s" in answer.reason
    assert 1 <= time.monotonic() - started < 4


def test_tcp_to_an_ipv6_address_connects() -> None:
    with serving(saying(b"220 ready"), socket.AF_INET6) as server:
        assert check("tcp", "::1", str(server.port), "--expect=220").is_up


@MODES
def test_send_is_written_once_byte_by_byte_as_given(mode: tuple[str, ...]) -> None:
    with serving(saying(b"HTTP/1.0 200 OK")) as server:
        words = "--send=GET%20/%20HTTP/1.0%0d%0A%0D%0A%00%FF%25", "--expect=HTTP"
        assert check("tcp", LOOPBACK, str(server.port), *words, *mode).is_up
    assert server.received == [b"GET / HTTP/1.0\r\n\r\n\0\xff%"]


@MODES
def test_send_without_expect_waits_for_no_answer(mode: tuple[str, ...]) -> None:
    with serving(silent) as server:
        started = time.monotonic()
        assert check("tcp", LOOPBACK, str(server.port), "--send=QUIT", *mode).is_up
        assert time.monotonic() - started < 5
    assert server.received == [b"QUIT"]


@MODES
@pytest.mark.parametrize(
    ("answer", "is_up"),
    [(b"220 ready", True), (b"220", True), (b"x220 ready", False), (b"22", False), (b"221", False)],
)
def test_expect_is_a_prefix_of_the_answer(
    answer: bytes, mode: tuple[str, ...], is_up: bool
) -> None:
    def handle(client: socket.socket) -> None:
        client.sendall(answer)
        client.shutdown(socket.SHUT_WR)

    assert verdict(handle, "--expect=220", *mode) is is_up


def test_expect_longer_than_one_read_is_compared_as_far_as_nanny_read() -> None:
    text = "a" * 300
    assert verdict(saying(b"a" * 254 + b"b" * 46), f"--expect={text}")
    assert not verdict(saying(b"a" * 253 + b"b" * 47), f"--expect={text}")
    assert verdict(saying(b"a" * 300), f"--expect={text}", STRICT)
    assert not verdict(saying(b"a" * 299 + b"b"), f"--expect={text}", STRICT)


def test_answer_in_pieces_exact_judges_the_first_read() -> None:
    assert not verdict(saying(b"22", b"0 ready"), "--expect=220")


def test_answer_in_pieces_strict_puts_them_together() -> None:
    assert verdict(saying(b"2", b"2", b"0 ready"), "--expect=220", STRICT)


@MODES
def test_expect_that_is_never_answered_is_down_after_the_timeout(mode: tuple[str, ...]) -> None:
    started = time.monotonic()
    assert not verdict(silent, "--expect=220", "--timeout=1", *mode)
    assert 1 <= time.monotonic() - started < 4


def test_answer_that_stays_incomplete_strict_is_down_after_the_timeout() -> None:
    started = time.monotonic()
    assert not verdict(saying(b"22"), "--expect=220", "--timeout=1", STRICT)
    assert 1 <= time.monotonic() - started < 4


@MODES
def test_connection_that_breaks_before_the_answer_is_down(mode: tuple[str, ...]) -> None:
    assert not verdict(resetting, "--expect=220", *mode)


@pytest.mark.parametrize("expect", ["--expect=*", "--expect=%2A"])
def test_star_exact_takes_any_answer_even_the_end(expect: str) -> None:
    assert verdict(saying(b"?"), expect)
    assert verdict(closing, expect)
    assert not verdict(silent, expect, "--timeout=1")
    assert not verdict(resetting, expect)


def test_star_strict_wants_a_byte() -> None:
    assert verdict(saying(b"?"), "--expect=*", STRICT)
    assert not verdict(closing, "--expect=*", STRICT)


def test_star_with_more_text_is_no_wildcard() -> None:
    assert not verdict(saying(b"OK"), "--expect=*OK")
    assert verdict(saying(b"*OK"), "--expect=*OK")


def test_empty_expect_exact_waits_for_any_sign() -> None:
    assert verdict(saying(b"?"), "--expect=")
    assert verdict(closing, "--expect=")
    assert not verdict(silent, "--expect=", "--timeout=1")


def test_empty_expect_strict_wants_a_byte() -> None:
    assert verdict(saying(b"?"), "--expect=", STRICT)
    assert not verdict(closing, "--expect=", STRICT)


@MODES
def test_regex_matches_anywhere_in_the_answer(mode: tuple[str, ...]) -> None:
    page = b"HTTP/1.0 200 OK\r\n\r\nversion 12 is fine"
    assert verdict(saying(page), "--regex=version [0-9]+ is".replace(" ", "%20"), *mode)
    assert not verdict(saying(page), "--regex=^version", "--timeout=1", *mode)


def test_regex_dot_takes_a_line_end() -> None:
    assert verdict(saying(b"a\nb"), "--regex=a.b")


@MODES
def test_regex_sees_the_first_254_bytes_only(mode: tuple[str, ...]) -> None:
    assert verdict(saying(b"." * 252 + b"OK"), "--regex=OK", *mode)
    assert not verdict(saying(b"." * 253 + b"OK"), "--regex=OK", *mode)


def test_regex_ends_its_view_at_a_nul() -> None:
    assert not verdict(saying(b"bad\0OK"), "--regex=OK")


def test_regex_exact_judges_the_first_read_strict_reads_on() -> None:
    assert not verdict(saying(b"O", b"K"), "--regex=OK")
    assert verdict(saying(b"O", b"K"), "--regex=OK", STRICT)


def test_regex_of_an_ended_answer_exact_looks_at_the_empty_text() -> None:
    assert verdict(closing, "--regex=^$".replace("$", "%24"))
    assert not verdict(closing, "--regex=x")


@pytest.mark.parametrize("status", [b"404 Not Found", b"500 Error", b"100 Go", b"abc"])
def test_http_status_exact_takes_any_strict_refuses_bad_ones(status: bytes) -> None:
    assert verdict(saying(b"HTTP/1.1 " + status), "--expect=HTTP")
    assert not verdict(saying(b"HTTP/1.1 " + status), "--expect=HTTP", STRICT)


@pytest.mark.parametrize("pieces", [(b"HTTP/1.0 200 OK",), (b"HTTP", b"/1.1 30", b"2 Found")])
def test_http_status_strict_takes_good_ones(pieces: tuple[bytes, ...]) -> None:
    assert verdict(saying(*pieces), "--expect=HTTP", STRICT)


def test_http_status_named_in_expect_is_what_counts_in_strict_too() -> None:
    assert verdict(saying(b"HTTP/1.1 404 Not Found"), "--expect=HTTP/1.1%20404", STRICT)
