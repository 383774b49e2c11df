"""What the lab's servers say satisfies the check that is configured."""

from __future__ import annotations

import re

import pytest

from drctl.lab.answer import answer_to_checks, answer_to_nanny, stand_ins
from drctl.lab.plan import StandIn
from drctl.model.check import HttpCheck, MiscCheck, NannyCheck, SmtpCheck, TcpCheck, Url
from drctl.render.checkarg import pulse_unescape
from drctl.render.posix_regex import to_python


@pytest.mark.parametrize(
    "expect", ["HTTP", "HTTP/1.1 200", "HTTP/1.0 200 OK", "+OK", "220", r"PONG\r\n", "*", ""]
)
def test_answer_begins_with_what_nanny_expects(expect: str) -> None:
    answered = answer_to_nanny(8080, "tcp", NannyCheck(send="x", expect=expect))
    assert answered.problem is None
    raw = pulse_unescape(expect)
    assert isinstance(raw, bytes)
    assert expect == "*" or answered.listener.answer.encode("latin-1").startswith(raw)
    assert answered.listener.answer != ""
    assert not answered.listener.speaks_first


@pytest.mark.parametrize("expect", ["HTTP/1.. 200", "^220.*ready", "[Oo]k", "status: (up|fine)"])
def test_answer_matches_a_regular_expression(expect: str) -> None:
    answered = answer_to_nanny(80, "tcp", NannyCheck(send="x", expect=expect, uses_regex=True))
    pattern = to_python(expect.encode())
    assert isinstance(pattern, bytes)
    has_match = re.search(pattern, answered.listener.answer.encode("latin-1")[:254]) is not None
    assert has_match == (answered.problem is None)


def test_answer_to_a_regular_expression_that_cannot_be_met_is_a_problem() -> None:
    check = NannyCheck(send="x", expect="^(Q{9})[xyz]$", uses_regex=True)
    assert answer_to_nanny(80, "tcp", check).problem is not None


def test_answer_comes_first_when_nothing_is_sent() -> None:
    listener = answer_to_nanny(110, "tcp", NannyCheck(expect="+OK")).listener
    assert listener.speaks_first
    assert listener.answer.startswith("+OK")


def test_answer_of_a_mail_server_continues_in_smtp() -> None:
    assert answer_to_nanny(25, "tcp", NannyCheck(expect="220")).listener.is_smtp
    assert answer_to_checks(25, "tcp", [SmtpCheck()]).listener.is_smtp


def test_answer_has_a_status_that_the_check_accepts() -> None:
    check = HttpCheck(urls=(Url(path="/", status_codes=((301, 302),)),))
    assert answer_to_checks(80, "tcp", [check]).listener.answer.startswith("HTTP/1.0 301 ")
    usual = HttpCheck(urls=(Url(path="/", status_codes=((100, 599),)),))
    assert answer_to_checks(80, "tcp", [usual, TcpCheck()]).listener.answer.startswith(
        "HTTP/1.0 200 "
    )


def test_answer_over_tls_is_a_problem() -> None:
    assert answer_to_checks(443, "tcp", [HttpCheck(uses_tls=True)]).problem is not None


def test_stand_in_prints_what_is_expected() -> None:
    check = NannyCheck(program="/opt/checks/up %h", expect="OK")
    assert stand_ins([check, check], []) == (StandIn("/opt/checks/up", "OK"),)


def test_stand_in_for_a_command_of_a_misc_check_but_not_for_our_own() -> None:
    own = MiscCheck(command="/usr/libexec/drctl/drctl-check tcp 192.0.2.11 80")
    other = MiscCheck(command='"/etc/keepalived/check.sh" 192.0.2.11')
    assert stand_ins([], [own, other, TcpCheck()]) == (StandIn("/etc/keepalived/check.sh", ""),)
