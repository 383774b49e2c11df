"""nanny's checks in keepalived's terms.

nanny (Piranha 0.8.6) connects, writes `send` once, and compares one read with `expect` as a
prefix; one failure removes the server. keepalived's own checkers are used where they ask the same
question; anything else is asked by drctl-check, a program that is installed on the directors.
"""

from __future__ import annotations

from drctl.convert.http_request import ANY_STATUS, HttpRequest, accepted_statuses, parse_request
from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.options import ConvertOptions
from drctl.model.check import (
    Check,
    Connect,
    HttpCheck,
    MiscCheck,
    NannyCheck,
    SmtpCheck,
    TcpCheck,
    Url,
)
from drctl.model.origin import SELF
from drctl.model.service import RealServer, VirtualService
from drctl.render import checkarg

IMPLICIT_SEND = "GET / HTTP/1.0\\r\\n\\r\\n"
IMPLICIT_EXPECT = "HTTP"
GOOD_STATUSES = (200, 399)
LONGEST_CHECK_TIMEOUT_MS = 4_294_000
TLS_PORTS = frozenset({443, 465, 563, 636, 853, 990, 992, 993, 995, 8443})


def lower_check(
    service: VirtualService, server: RealServer, options: ConvertOptions, ledger: Ledger
) -> Check:
    """The checker of one real server; what it asks differently goes into the ledger."""
    nanny = service.nanny
    assert nanny is not None, "the lvs.cf reader gives every virtual a nanny"
    _note_common(nanny, ledger)
    if nanny.program is not None:
        return _program(service, server, nanny, options, ledger)
    if service.protocol == "udp":
        return _udp(service, server, nanny, options, ledger)
    send, expect = nanny.send, nanny.expect
    if send is None and expect is None:
        if service.port != 80:
            _note_uncompared(nanny, ledger)
            return _tcp(service, server, nanny)
        send, expect = IMPLICIT_SEND, IMPLICIT_EXPECT
    if options.checks != "exact":
        native = _native(service, server, options, ledger, (send, expect))
        if native is not None:
            return native
    return _send_expect(service, server, options, ledger, (send, expect))


def _note_common(nanny: NannyCheck, ledger: Ledger) -> None:
    monitor = nanny.load_monitor
    if monitor is not None and monitor != "none":
        why = f"keepalived does not adapt weights to the load; {monitor} is not run"
        todo = "a MISC_CHECK with misc_dynamic can set weights from a program of yours"
        ledger.field(nanny.origins, "load_monitor", Verdict.DROPPED, why, todo)
    elif monitor is not None:
        ledger.field(nanny.origins, "load_monitor", Verdict.EXACT, "no adaptation, as without it")
    if not nanny.uses_regex:
        ledger.field(nanny.origins, "uses_regex", Verdict.EXACT, "no regex is keepalived's default")


def _note_uncompared(nanny: NannyCheck, ledger: Ledger) -> None:
    if nanny.uses_regex:
        why = "there is no expect that could be a regular expression"
        ledger.field(nanny.origins, "uses_regex", Verdict.DROPPED, why)


def _note_reentry(nanny: NannyCheck, ledger: Ledger) -> None:
    """keepalived's own checkers put a server back at the first good answer."""
    successes = nanny.reentry_ms // nanny.timeout_ms if nanny.timeout_ms else 0
    if successes > 1:
        why = (
            f"nanny put a server back after {successes} good answers in a row, keepalived does so "
            "after the first"
        )
        todo = "--checks exact keeps the waiting time"
        ledger.field(nanny.origins, "reentry_ms", Verdict.APPROXIMATED, why, todo)
    else:
        why = "below two intervals nanny put a server back at the first good answer, as keepalived"
        ledger.field(nanny.origins, "reentry_ms", Verdict.EXACT, why)


def _connect(service: VirtualService, server: RealServer, nanny: NannyCheck) -> Connect:
    """No second try: one failed check removed the server. A mark's servers have no port of their
    own in keepalived, so the check names it."""
    return Connect(
        port=server.port if service.mark is not None else None,
        timeout_ms=min(nanny.timeout_ms or 10_000, LONGEST_CHECK_TIMEOUT_MS),
        retries=0,
        origins={
            "timeout_ms": nanny.origins.get("timeout_ms", ()),
            "port": server.origins.get("port", ()) or service.origins.get("port", ()),
        },
    )


def _tcp(service: VirtualService, server: RealServer, nanny: NannyCheck) -> TcpCheck:
    places = (*nanny.origins.get("send", ()), *nanny.origins.get("expect", ()))
    return TcpCheck(_connect(service, server, nanny), origins={SELF: places})


def _native(
    service: VirtualService,
    server: RealServer,
    options: ConvertOptions,
    ledger: Ledger,
    texts: tuple[str | None, str | None],
) -> Check | None:
    """keepalived's own checker for send and expect; None when there is no equal one."""
    nanny = service.nanny
    assert nanny is not None, "the lvs.cf reader gives every virtual a nanny"
    send, expect = texts
    sent = None if send is None else checkarg.pulse_unescape(send)
    expected = None if expect is None else checkarg.pulse_unescape(expect)
    if isinstance(sent, checkarg.BadEscape) or isinstance(expected, checkarg.BadEscape):
        return None
    if sent is not None and expected is None:
        why = "without expect nanny tested connecting and writing only; connecting is tested"
        ledger.field(nanny.origins, "send", Verdict.APPROXIMATED, why)
        _note_uncompared(nanny, ledger)
        _note_reentry(nanny, ledger)
        return _tcp(service, server, nanny)
    request = None if sent is None else parse_request(sent)
    if request is not None and not nanny.uses_regex and expected is not None:
        return _http(service, server, options, ledger, (request, expected))
    if (
        sent is None
        and service.port == 25
        and expected is not None
        and expected.startswith(b"220"[: len(expected)])
        and not nanny.uses_regex
        and len(expected) in {3, 4}
    ):
        why = "SMTP_CHECK wants the greeting 220 too, and an answer to HELO besides"
        ledger.field(nanny.origins, "expect", Verdict.APPROXIMATED, why)
        _note_reentry(nanny, ledger)
        origins = {SELF: nanny.origins.get("expect", ())}
        return SmtpCheck(_connect(service, server, nanny), helo_name="localhost", origins=origins)
    return None


def _http(
    service: VirtualService,
    server: RealServer,
    options: ConvertOptions,
    ledger: Ledger,
    parts: tuple[HttpRequest, bytes],
) -> Check | None:
    nanny = service.nanny
    assert nanny is not None, "the lvs.cf reader gives every virtual a nanny"
    request, expected = parts
    statuses = accepted_statuses(expected)
    if server.port in TLS_PORTS and statuses == ANY_STATUS:
        why = (
            f"a plain request on port {server.port} tested whether the server answers garbage; "
            "TCP_CHECK tests that it accepts connections"
        )
        places = (*nanny.origins.get("send", ()), *nanny.origins.get("expect", ()))
        ledger.note(places, Verdict.APPROXIMATED, why, "consider SSL_GET")
        _note_reentry(nanny, ledger)
        return _tcp(service, server, nanny)
    if statuses is None or request.version is None:
        return None
    if any(character in request.path for character in '"{}#!'):
        return None
    if options.checks == "strict" and statuses == ANY_STATUS:
        statuses = GOOD_STATUSES
        why = "nanny accepted any status, 404 and 500 included; 200-399 is wanted now"
        ledger.field(nanny.origins, "expect", Verdict.REPAIRED, why)
    elif statuses == ANY_STATUS:
        why = "any status counts as good, 404 and 500 included, as nanny had it"
        todo = "--checks strict wants 200-399"
        ledger.field(nanny.origins, "expect", Verdict.EXACT, why, todo)
    if not request.is_plain:
        why = "keepalived sends its own headers; those of this request other than Host are not sent"
        ledger.field(nanny.origins, "send", Verdict.APPROXIMATED, why)
    if nanny.send is None and nanny.expect is None:
        ledger.choose(
            "check of port 80",
            "HTTP_GET /, any status",
            "without send and expect nanny asked for / on port 80 and wanted HTTP",
            "--checks",
        )
    _note_reentry(nanny, ledger)
    url = Url(
        path=request.path,
        status_codes=(statuses,),
        virtualhost=request.host,
        origins={
            SELF: nanny.origins.get("send", ()),
            "path": nanny.origins.get("send", ()),
            "virtualhost": nanny.origins.get("send", ()),
            "status_codes": nanny.origins.get("expect", ()),
        },
    )
    return HttpCheck(
        _connect(service, server, nanny),
        http_protocol=request.version,
        urls=(url,),
        origins={
            SELF: nanny.origins.get("send", ()),
            "http_protocol": nanny.origins.get("send", ()),
        },
    )


def _reentry(nanny: NannyCheck, ledger: Ledger) -> int:
    """Good answers in a row that drctl-check waits for before it says up again."""
    successes = nanny.reentry_ms // nanny.timeout_ms if nanny.timeout_ms else 0
    why = f"drctl-check waits for {max(successes, 1)} good answers in a row, as nanny did"
    ledger.field(nanny.origins, "reentry_ms", Verdict.EXACT, why)
    return max(successes, 1)


def _misc(nanny: NannyCheck, command: str, fields: tuple[str, ...]) -> MiscCheck:
    """The limit of the program itself is its timeout twice (connect and read), so keepalived waits
    a second longer before it kills it."""
    timeout_ms = nanny.timeout_ms or 10_000
    places = tuple(place for name in fields for place in nanny.origins.get(name, ()))
    return MiscCheck(
        command,
        timeout_ms=min(2 * timeout_ms + 1000, LONGEST_CHECK_TIMEOUT_MS),
        origins={
            SELF: places,
            "command": places,
            "timeout_ms": nanny.origins.get("timeout_ms", ()),
        },
    )


def _send_expect(
    service: VirtualService,
    server: RealServer,
    options: ConvertOptions,
    ledger: Ledger,
    texts: tuple[str | None, str | None],
) -> Check:
    nanny = service.nanny
    assert nanny is not None, "the lvs.cf reader gives every virtual a nanny"
    decoded: list[bytes | None] = []
    for name, text in zip(("send", "expect"), texts, strict=True):
        value = None if text is None else checkarg.pulse_unescape(text)
        if isinstance(value, checkarg.BadEscape):
            why = (
                f"{value.escape} is no escape that nanny knows: it looped for ever and never added "
                "the server; only the connection is tested"
            )
            todo = f"correct {name}: \\\\ \\r \\n \\t \\' and \\\" are the escapes"
            ledger.field(nanny.origins, name, Verdict.REPAIRED, why, todo)
            _note_reentry(nanny, ledger)
            return _tcp(service, server, nanny)
        decoded.append(value)
    sent, expected = decoded
    if nanny.uses_regex and expected is not None:
        problem = checkarg.regex_problem(expected)
        if problem is not None:
            why = f"expect is no regular expression that can be carried over: {problem}"
            todo = "correct expect; only the connection is tested until then"
            ledger.field(nanny.origins, "expect", Verdict.REPAIRED, why, todo)
            ledger.field(nanny.origins, "uses_regex", Verdict.DROPPED, why)
            _note_reentry(nanny, ledger)
            return _tcp(service, server, nanny)
        ledger.field(
            nanny.origins, "uses_regex", Verdict.EXACT, "drctl-check matches it as nanny did"
        )
    command = checkarg.send_expect(
        server.address,
        server.port or 0,
        send=sent,
        expect=expected,
        is_udp=service.protocol == "udp",
        uses_regex=nanny.uses_regex,
        timeout_s=max(nanny.timeout_ms // 1000, 1),
        is_strict=options.checks == "strict",
        reentry=_reentry(nanny, ledger),
    )
    return _misc(nanny, command, ("send", "expect", "uses_regex", "reentry_ms"))


def _program(
    service: VirtualService,
    server: RealServer,
    nanny: NannyCheck,
    options: ConvertOptions,
    ledger: Ledger,
) -> Check:
    """send_program: its output is compared by drctl-check. nanny let it fail open."""
    origins = nanny.origins
    assert nanny.program is not None, "called for send_program only"
    why = "send_program is set, so nanny sent nothing itself"
    ledger.field(origins, "send", Verdict.DROPPED, why)
    if nanny.uses_regex:
        ledger.field(
            origins, "uses_regex", Verdict.DROPPED, "nanny compared a program's output whole"
        )
    words = nanny.program.split()
    if not any(word == "%h" for word in words):
        embedded = "%h" in nanny.program or "%p" in nanny.program
        why = (
            "%h and %p are replaced as whole words only; inside a word they stay as they are"
            if embedded
            else "the program is not told which server to check (no %h)"
        )
        ledger.field(origins, "program", Verdict.EXACT, why, "check the program's arguments")
    expected = checkarg.pulse_unescape(nanny.expect) if nanny.expect is not None else None
    if isinstance(expected, checkarg.BadEscape):
        why = f"{expected.escape} is no escape that nanny knows: it looped for ever"
        ledger.field(origins, "expect", Verdict.REPAIRED, why, "correct expect")
        expected = (nanny.expect or "").encode()
    if expected is None:
        why = "send_program without expect: nanny always took the server for down; its exit status decides now"
        ledger.field(origins, "program", Verdict.REPAIRED, why, "add the expect that is meant")
    elif options.checks == "exact":
        why = "a failing program counts as up, as in nanny"
        ledger.field(origins, "program", Verdict.EXACT, why, "--checks native makes it down")
    else:
        why = "nanny took a failing or missing program for a good answer; now it means down"
        ledger.field(
            origins, "program", Verdict.REPAIRED, why, "test the program on both directors first"
        )
    command = checkarg.program(
        server.address,
        server.port or 0,
        command=nanny.program,
        expect=expected,
        timeout_s=max(nanny.timeout_ms // 1000, 1),
        is_strict=options.checks != "exact",
        reentry=_reentry(nanny, ledger),
    )
    return _misc(nanny, command, ("program", "expect", "reentry_ms"))


def _udp(
    service: VirtualService,
    server: RealServer,
    nanny: NannyCheck,
    options: ConvertOptions,
    ledger: Ledger,
) -> Check:
    if nanny.expect is None:
        why = (
            "nanny crashes at the first answer of a UDP service without expect; the server is "
            "taken for up when no port-unreachable comes back"
        )
        ledger.note(
            service.origins.get("protocol", ()), Verdict.REPAIRED, why, "add send and expect"
        )
    return _send_expect(service, server, options, ledger, (nanny.send, nanny.expect))
