"""drctl-check by UDP."""

from __future__ import annotations

import socket
import time

import pytest
from check_server import LOOPBACK, answering_udp, check, closed_port

MODES = pytest.mark.parametrize("mode", [(), ("--strict",)], ids=["exact", "strict"])


@MODES
def test_udp_answer_is_compared_as_a_prefix(mode: tuple[str, ...]) -> None:
    for expect, is_up in (("pon", True), ("pong!", True), ("ong", False), ("pong!!", False)):
        with answering_udp(b"pong!") as server:
            words = "udp", LOOPBACK, str(server.port), "--send=ping", f"--expect={expect}"
            assert check(*words, "--timeout=1", *mode).is_up is is_up, expect
        assert server.received == [b"ping"]


@MODES
def test_udp_answer_is_matched_with_a_regex(mode: tuple[str, ...]) -> None:
    with answering_udp(b"pong!") as server:
        words = "udp", LOOPBACK, str(server.port), "--send=ping", "--regex=n.!"
        assert check(*words, *mode).is_up


@MODES
def test_udp_empty_send_is_an_empty_datagram(mode: tuple[str, ...]) -> None:
    with answering_udp(b"pong") as server:
        words = "udp", LOOPBACK, str(server.port), "--send=", "--expect=pong"
        assert check(*words, *mode).is_up
    assert server.received == [b""]


@MODES
def test_udp_without_an_expected_answer_is_down_after_the_timeout(mode: tuple[str, ...]) -> None:
    started = time.monotonic()
    with answering_udp(None) as server:
        words = "udp", LOOPBACK, str(server.port), "--send=ping", "--expect=pong"
        assert not check(*words, "--timeout=1", *mode).is_up
    assert 1 <= time.monotonic() - started < 4


@MODES
@pytest.mark.parametrize("expect", [(), ("--expect=pong",)])
def test_udp_port_that_is_unreachable_is_down_at_once(
    mode: tuple[str, ...], expect: tuple[str, ...]
) -> None:
    started = time.monotonic()
    with closed_port(socket.SOCK_DGRAM) as port:
        pass
    assert not check("udp", LOOPBACK, str(port), "--send=ping", *expect, *mode).is_up
    assert time.monotonic() - started < 5


@MODES
@pytest.mark.parametrize("answer", [b"anything", None])
def test_udp_without_expect_is_up_unless_unreachable(
    mode: tuple[str, ...], answer: bytes | None
) -> None:
    with answering_udp(answer) as server:
        assert check("udp", LOOPBACK, str(server.port), "--timeout=1", *mode).is_up
    assert server.received == [b""]


@MODES
def test_udp_answer_that_is_too_short_is_down_at_once(mode: tuple[str, ...]) -> None:
    started = time.monotonic()
    with answering_udp(b"po") as server:
        words = "udp", LOOPBACK, str(server.port), "--send=ping", "--expect=pong"
        assert not check(*words, *mode).is_up
    assert time.monotonic() - started < 5
