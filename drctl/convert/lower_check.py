"""nanny's checks in keepalived's terms.

nanny (Piranha 0.8.6) connects, writes `send` once, and compares one read with `expect` as a
prefix; one failure removes the server. keepalived's own checkers are used where they ask the same
question; anything else is asked by drctl-check, a program that is installed on the directors.
"""

from __future__ import annotations

from dataclasses import replace

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.lower_http import http_check, wants_any_status, with_good_status
from drctl.convert.options import ConvertOptions
from drctl.convert.probe import (
    DEFAULT_TIMEOUT_MS,
    LONGEST_TIMEOUT_S,
    Job,
    Texts,
    decoded,
    job_of,
    note_reentry_kept,
    note_reentry_lost,
    note_regex_unused,
    program_command,
    send_expect_command,
)
from drctl.model.check import Check, Connect, MiscCheck, SmtpCheck, TcpCheck
from drctl.model.origin import SELF
from drctl.model.service import RealServer, VirtualService

IMPLICIT_SEND = "GET / HTTP/1.0\\r\\n\\r\\n"
IMPLICIT_EXPECT = "HTTP"
SMTP_PORT = 25


def lower_check(
    service: VirtualService, server: RealServer, options: ConvertOptions, ledger: Ledger
) -> Check:
    """The checker of one real server; what it asks differently goes into the ledger."""
    job = job_of(service, server, options, ledger)
    _note_load_monitor(job)
    if not job.nanny.uses_regex:
        job.note("uses_regex", Verdict.EXACT, "off is what holds without the statement")
    connect = _connect(service, server, job)
    if job.nanny.program is not None:
        command = program_command(job)
        if command is None:
            return _tcp(job, connect)
        note_reentry_kept(job)
        return _misc(job, command, ("program", "expect", "reentry_ms"))
    if job.is_udp:
        return _udp(service, job, connect)
    if job.nanny.send is None and job.nanny.expect is None and service.port == 80:
        ledger.choose(
            "check of port 80 without send and expect",
            "GET /, any status",
            "nanny asked for / on port 80 and wanted HTTP",
            "--checks",
        )
        job = replace(job, nanny=replace(job.nanny, send=IMPLICIT_SEND, expect=IMPLICIT_EXPECT))
    texts = decoded(job)
    if texts is None:
        note_regex_unused(job)
        return _tcp(job, connect)
    if options.checks != "exact":
        native = _native(job, texts, connect)
        if native is not None:
            return native
    if options.checks == "strict" and wants_any_status(job, texts):
        job, texts = with_good_status(job, texts)
    return _send_expect(job, texts, connect)


def _note_load_monitor(job: Job) -> None:
    monitor = job.nanny.load_monitor
    if monitor is None:
        return
    if monitor == "none":
        job.note("load_monitor", Verdict.EXACT, "no adaptation, as without the statement")
        return
    why = f"keepalived does not adapt weights to the load; {monitor} is not run"
    todo = "a MISC_CHECK with misc_dynamic can set weights from a program of yours"
    job.note("load_monitor", Verdict.DROPPED, why, todo)


def _connect(service: VirtualService, server: RealServer, job: Job) -> Connect:
    """No second try: one failed check removed the server. A mark's servers have no port of their
    own in keepalived, so the check names it."""
    if (job.nanny.timeout_ms or DEFAULT_TIMEOUT_MS) // 1000 > LONGEST_TIMEOUT_S:
        why = f"keepalived waits {LONGEST_TIMEOUT_S} s at most"
        job.note("timeout_ms", Verdict.APPROXIMATED, why)
    origins = {"timeout_ms": job.nanny.origins.get("timeout_ms", ())}
    if service.mark is not None:
        origins["port"] = server.origins.get("port", ()) or service.origins.get("port", ())
    return Connect(
        port=server.port if service.mark is not None else None,
        timeout_ms=job.timeout_s * 1000,
        retries=0,
        origins=origins,
    )


def _tcp(job: Job, connect: Connect) -> TcpCheck:
    note_reentry_lost(job)
    places = (*job.nanny.origins.get("send", ()), *job.nanny.origins.get("expect", ()))
    return TcpCheck(connect, origins={SELF: places})


def _native(job: Job, texts: Texts, connect: Connect) -> Check | None:
    """keepalived's own checker for send and expect; None when there is no equal one."""
    if texts.expected is None:
        note_regex_unused(job)
        if texts.sent is not None:
            why = "without expect nanny tested connecting and writing only; connecting is tested"
            job.note("send", Verdict.APPROXIMATED, why, "--checks exact sends it all the same")
        return _tcp(job, connect)
    if job.nanny.uses_regex:
        return None
    if texts.sent is None:
        return _smtp(job, texts.expected, connect)
    found = http_check(job, texts, connect)
    return _tcp(job, connect) if found == "connect" else found


def _smtp(job: Job, expected: bytes, connect: Connect) -> SmtpCheck | None:
    if job.port != SMTP_PORT or expected not in {b"220", b"220 "}:
        return None
    why = "SMTP_CHECK wants the greeting 220 too, and an answer to HELO besides"
    job.note("expect", Verdict.APPROXIMATED, why, "--checks exact compares the greeting alone")
    note_reentry_lost(job)
    origins = {SELF: job.nanny.origins.get("expect", ())}
    return SmtpCheck(connect, helo_name="localhost", origins=origins)


def _send_expect(job: Job, texts: Texts, connect: Connect) -> Check:
    if texts.sent is None and texts.expected is None and job.successes == 1 and not job.is_udp:
        note_regex_unused(job)
        return _tcp(job, connect)
    command = send_expect_command(job, texts)
    if command is None:
        note_regex_unused(job)
        return _tcp(job, connect)
    if texts.expected is None:
        note_regex_unused(job)
    elif job.nanny.uses_regex:
        job.note("uses_regex", Verdict.EXACT, "drctl-check matches it as nanny did")
    if texts.expected == b"" and not job.is_udp:
        why = (
            "an empty expect still wants the server to say something, as in nanny: a service that "
            "waits for its client is down"
        )
        job.note("expect", Verdict.EXACT, why, "remove expect when connecting is enough")
    note_reentry_kept(job)
    return _misc(job, command, ("send", "expect", "uses_regex", "reentry_ms"))


def _misc(job: Job, command: str, fields: tuple[str, ...]) -> MiscCheck:
    """The program limits its connection and its answer each, so keepalived waits a second longer
    than both before it kills it."""
    origins = job.nanny.origins
    places = tuple(place for name in fields for place in origins.get(name, ()))
    timeout_s = min(2 * job.timeout_s + 1, LONGEST_TIMEOUT_S)
    return MiscCheck(
        command,
        timeout_ms=timeout_s * 1000,
        origins={SELF: places, "command": places, "timeout_ms": origins.get("timeout_ms", ())},
    )


def _udp(service: VirtualService, job: Job, connect: Connect) -> Check:
    """UDP is asked by drctl-check, also where nanny could not."""
    protocol = service.origins.get("protocol", ())
    if job.nanny.expect is None:
        why = (
            "nanny crashes at the first answer of a UDP service without expect; the server is "
            "taken for up when no port-unreachable comes back"
        )
        job.ledger.note(protocol, Verdict.REPAIRED, why, "add send and expect")
    texts = decoded(job)
    if texts is None:
        texts = Texts(None, None)
        job = replace(job, nanny=replace(job.nanny, uses_regex=False))
    check = _send_expect(job, texts, connect)
    if not isinstance(check, MiscCheck):
        return check
    places = (*check.origins[SELF], *protocol)
    return replace(check, origins={**check.origins, SELF: places, "command": places})
