"""nanny's HTTP questions as HTTP_GET."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from drctl.convert.http_request import ANY_STATUS, HttpRequest, accepted_statuses, parse_request
from drctl.convert.ledger import Verdict
from drctl.convert.probe import Job, Texts, note_reentry_lost
from drctl.model.check import Connect, HttpCheck, Url
from drctl.model.origin import SELF

GOOD_STATUSES = (200, 399)
_STRICTER = "nanny accepted any status, 404 and 500 included; 200-399 is wanted now"
TLS_PORTS = frozenset({443, 465, 563, 636, 853, 990, 992, 993, 995, 8443})
_PATH = re.compile(r"/[A-Za-z0-9._~:/?&=+,;@%()*|^\[\]-]*")
_ANY_REQUEST = re.compile(rb"[A-Z]+ [^\r\n]+ HTTP/1\.[01]\r?\n")
_GOOD_STATUS = b"^HTTP/1[.][01] [23]"
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")


def http_check(job: Job, texts: Texts, connect: Connect) -> HttpCheck | Literal["connect"] | None:
    """HTTP_GET for a request that keepalived can make; `connect` when a connection is all that can
    be asked natively, None when drctl-check has to ask."""
    assert texts.sent is not None, "an HTTP question is sent"
    assert texts.expected is not None, "an HTTP question expects something"
    request = parse_request(texts.sent)
    if request is None:
        return None
    statuses = accepted_statuses(texts.expected)
    if job.port in TLS_PORTS and statuses is not None:
        _note_tls(job, has_any=statuses == ANY_STATUS)
        return "connect"
    if statuses is None or not _is_writable(request):
        return None
    statuses = _wanted_statuses(job, texts.expected, statuses)
    _note_request(job)
    note_reentry_lost(job)
    send, expect = job.nanny.origins.get("send", ()), job.nanny.origins.get("expect", ())
    url = Url(
        path=request.path,
        status_codes=(statuses,),
        virtualhost=request.host,
        origins={SELF: send, "path": send, "virtualhost": send, "status_codes": expect},
    )
    return HttpCheck(
        connect,
        http_protocol=request.version,
        urls=(url,),
        origins={SELF: send, "http_protocol": send},
    )


def _is_writable(request: HttpRequest) -> bool:
    """Whether HTTP_GET can ask the same. It sends no header but Host, and what others decide, as
    Authorization does, would be answered otherwise."""
    if request.version is None or not request.is_plain:
        return False
    host = request.host
    is_host = host is None or _HOST.fullmatch(host) is not None
    return is_host and _PATH.fullmatch(request.path) is not None


def wants_any_status(job: Job, texts: Texts) -> bool:
    """Whether a request that HTTP_GET cannot make, as HEAD is, was content with any status."""
    return (
        texts.sent is not None
        and texts.expected is not None
        and not job.nanny.uses_regex
        and _ANY_REQUEST.match(texts.sent) is not None
        and accepted_statuses(texts.expected) == ANY_STATUS
    )


def with_good_status(job: Job, texts: Texts) -> tuple[Job, Texts]:
    """The question of such a request for drctl-check, which wants a status from 200 to 399 now."""
    job.note("expect", Verdict.REPAIRED, _STRICTER)
    nanny = replace(job.nanny, uses_regex=True)
    return replace(job, nanny=nanny), Texts(texts.sent, _GOOD_STATUS)


def _note_tls(job: Job, *, has_any: bool) -> None:
    places = (*job.nanny.origins.get("send", ()), *job.nanny.origins.get("expect", ()))
    todo = "SSL_GET asks over TLS; --checks exact asks as before"
    if has_any:
        why = (
            f"a plain request on port {job.port} tested whether the server answers garbage; "
            "TCP_CHECK tests that it accepts connections"
        )
        job.ledger.note(places, Verdict.APPROXIMATED, why, todo)
    else:
        why = (
            f"a plain request on port {job.port} gets no such answer from a server that speaks "
            "TLS, so nanny never added it; TCP_CHECK tests that it accepts connections"
        )
        job.ledger.note(places, Verdict.REPAIRED, why, todo)


def _wanted_statuses(job: Job, expected: bytes, statuses: tuple[int, int]) -> tuple[int, int]:
    if job.options.checks == "strict" and statuses == ANY_STATUS:
        job.note("expect", Verdict.REPAIRED, _STRICTER)
        return GOOD_STATUSES
    if statuses != ANY_STATUS:
        code = f"{statuses[0]}" if statuses[0] == statuses[1] else f"{statuses[0]}-{statuses[1]}"
        why = f"status {code} is wanted; nanny compared the HTTP version and further words too"
        job.note("expect", Verdict.APPROXIMATED, why, "--checks exact compares the whole text")
    elif len(expected) > len(b"HTTP/1."):
        why = "any status counts as good, as nanny had it; nanny compared the HTTP version too"
        job.note("expect", Verdict.APPROXIMATED, why, "--checks strict wants 200-399")
    else:
        why = "any status counts as good, 404 and 500 included, as nanny had it"
        job.note("expect", Verdict.EXACT, why, "--checks strict wants 200-399")
    return statuses


def _note_request(job: Job) -> None:
    why = (
        "keepalived sends Host and User-Agent lines of its own and reads the whole page; nanny "
        "sent the text as it is and read no more than it compared"
    )
    job.note("send", Verdict.APPROXIMATED, why, "--checks exact sends the text as it is")
