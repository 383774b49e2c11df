"""What the lab's servers answer, so that the configured checks are content. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from drctl.lab.plan import Listener, StandIn
from drctl.model.check import Check, HttpCheck, MiscCheck, NannyCheck, SmtpCheck, UdpCheck
from drctl.render.checkarg import CHECK_PATH, BadEscape, pulse_unescape
from drctl.render.posix_regex import BadRegex, to_python

_BODY = "\r\nContent-Type: text/plain\r\n\r\nOK\r\n"
_GREETING = "HTTP/1.0 200 OK"
_SMTP_PORT = 25
_REGEX_READ_BYTES = 254
_CANDIDATES = ("OK", "ok", "220 ready", "+OK ready", "* OK ready", "HTTP/1.1 200 OK", "0", "1")
_SYNTAX = re.compile(r"\\(.)|[\^$()|*+?]|\[[^\]]*\]|\{[0-9,]*\}|\.")


@dataclass(frozen=True, slots=True)
class Answered:
    """A listener for one port; `problem` says why a check cannot be satisfied, if so."""

    listener: Listener
    problem: str | None = None


def answer_to_nanny(port: int, protocol: str, nanny: NannyCheck) -> Answered:
    """What an lvs.cf's virtual wants to hear. A check by a program does not ask the server."""
    if nanny.program is not None or nanny.expect is None:
        speaks_first = nanny.program is None and nanny.send is None and port == _SMTP_PORT
        text = "220 ready\r\n" if speaks_first else _GREETING + _BODY
        return Answered(Listener(port, protocol, text, speaks_first, speaks_first))
    text, problem = _wanted(nanny.expect, uses_regex=nanny.uses_regex)
    is_smtp = port == _SMTP_PORT and nanny.send is None
    if is_smtp and text.startswith("220"):
        text = "220 ready\r\n"
    return Answered(Listener(port, protocol, text, nanny.send is None, is_smtp), problem)


def answer_to_checks(port: int, protocol: str, checks: Iterable[Check]) -> Answered:
    """What the checks of a keepalived.conf want to hear from one port."""
    status, problem = 200, None
    for check in checks:
        match check:
            case SmtpCheck():
                return Answered(Listener(port, protocol, "220 ready\r\n", True, True))
            case HttpCheck(uses_tls=True):
                problem = "the lab's servers speak no TLS"
            case HttpCheck(urls=urls):
                for url in urls:
                    if url.status_codes and not _accepts(url.status_codes, status):
                        status = url.status_codes[0][0]
                    if url.digest is not None or url.regex is not None:
                        problem = "the lab's servers do not have the content that is checked"
            case UdpCheck(requires_reply=wanted) if wanted:
                problem = "the lab's servers do not have the reply that is checked"
            case _:
                continue
    text = _GREETING if status == 200 else f"HTTP/1.0 {status} Lab"
    return Answered(Listener(port, protocol, text + _BODY), problem)


def stand_ins(nannies: Iterable[NannyCheck], checks: Iterable[Check]) -> tuple[StandIn, ...]:
    """Programs that checks run and that the lab has to play: they print what is expected."""
    found: dict[str, StandIn] = {}
    for nanny in nannies:
        words = (nanny.program or "").split()
        if words and words[0].startswith("/"):
            raw = pulse_unescape(nanny.expect or "")
            printed = "" if isinstance(raw, BadEscape) else raw.decode("latin-1")
            found.setdefault(words[0], StandIn(words[0], printed))
    for check in checks:
        words = (check.command or "").split() if isinstance(check, MiscCheck) else []
        program = words[0].strip("\"'") if words else ""
        if program.startswith("/") and program != CHECK_PATH:
            found.setdefault(program, StandIn(program, ""))
    return tuple(found.values())


def _accepts(ranges: tuple[tuple[int, int], ...], status: int) -> bool:
    return any(low <= status <= high for low, high in ranges)


def _wanted(expect: str, *, uses_regex: bool) -> tuple[str, str | None]:
    """A text that the expectation accepts, and why there is none."""
    raw = pulse_unescape(expect)
    if isinstance(raw, BadEscape):
        return expect, f"{raw.escape} is an escape that never matched"
    text = raw.decode("latin-1")
    if uses_regex:
        return _sample(raw)
    if text == "*":
        return _GREETING + _BODY, None
    for line in (_GREETING, "HTTP/1.1 200 OK"):
        if (line + _BODY).startswith(text):
            return line + _BODY, None
    return text + ("" if text.endswith("\n") else "\r\n"), None


def _sample(pattern: bytes) -> tuple[str, str | None]:
    """A text that a regular expression finds something in: a greeting, or what remains of the
    expression without its syntax."""
    translated = to_python(pattern)
    if isinstance(translated, BadRegex):
        return "", f"the regular expression is none: {translated.problem}"
    literal = _SYNTAX.sub(lambda found: found[1] or " ", pattern.decode("latin-1"))
    pieces = [literal, literal.strip(), *literal.split()]
    for candidate in (_GREETING + _BODY, *_CANDIDATES, *pieces):
        raw = candidate.encode("latin-1")[:_REGEX_READ_BYTES]
        if re.search(translated, raw, re.DOTALL):
            return candidate, None
    return "", "no text was found that the regular expression accepts"
