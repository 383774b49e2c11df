"""A check of drctl-check's: send, expect and program of nanny as its command line."""

from __future__ import annotations

from dataclasses import dataclass

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.options import ConvertOptions
from drctl.model.check import NannyCheck
from drctl.model.service import RealServer, VirtualService
from drctl.render import checkarg

LONGEST_TIMEOUT_S = 4294
MOST_SUCCESSES = 1_000_000
DEFAULT_TIMEOUT_MS = 10_000
DEFAULT_REENTRY_MS = 180_000
NANNY_PROGRAM_BYTES = 254
"""nanny copied no more of a send_program."""


@dataclass(frozen=True, slots=True)
class Job:
    """One check to lower: of a real server in a service, or of a local service's VIP."""

    nanny: NannyCheck
    address: str
    port: int
    options: ConvertOptions
    ledger: Ledger
    is_udp: bool = False
    service_key: str = ""
    has_reentry: bool = True

    def note(self, name: str, verdict: Verdict, why: str, todo: str = "") -> None:
        """Say something of the statements that set a field of the check."""
        self.ledger.field(self.nanny.origins, name, verdict, why, todo)

    @property
    def timeout_s(self) -> int:
        """nanny's interval and limit, as far as keepalived takes it."""
        timeout_ms = self.nanny.timeout_ms or DEFAULT_TIMEOUT_MS
        return min(max(timeout_ms // 1000, 1), LONGEST_TIMEOUT_S)

    @property
    def successes(self) -> int:
        """Good answers in a row before nanny put a server back; it took a reentry of 0 for none
        given."""
        if self.nanny.timeout_ms == 0 or not self.has_reentry:
            return 1
        reentry_ms = self.nanny.reentry_ms or DEFAULT_REENTRY_MS
        return min(max(reentry_ms // self.nanny.timeout_ms, 1), MOST_SUCCESSES)


@dataclass(frozen=True, slots=True)
class Texts:
    """What is sent and expected as bytes; None when nothing is."""

    sent: bytes | None
    expected: bytes | None


def job_of(
    service: VirtualService, server: RealServer, options: ConvertOptions, ledger: Ledger
) -> Job:
    """The check of one real server."""
    assert service.nanny is not None, "the lvs.cf reader gives every virtual a nanny"
    assert server.port is not None, "the lvs.cf reader gives every server a port"
    key = f"{service.address}:{service.port}" if service.mark is None else f"mark-{service.mark}"
    return Job(
        service.nanny,
        server.address,
        server.port,
        options,
        ledger,
        is_udp=service.protocol == "udp",
        service_key=key,
    )


def decoded(job: Job) -> Texts | None:
    """The texts as nanny used them; None, with notes, when nanny could not have used them."""
    values: dict[str, bytes | None] = {}
    for name, text in (("send", job.nanny.send), ("expect", job.nanny.expect)):
        value = None if text is None else checkarg.pulse_unescape(text)
        if isinstance(value, checkarg.BadEscape):
            why = (
                f"{value.escape} is no escape that nanny knows: it looped for ever and never added "
                "the server; only the connection is tested"
            )
            todo = f"correct {name}: \\\\ \\r \\n \\t \\' and \\\" are the escapes"
            job.note(name, Verdict.REPAIRED, why, todo)
            _note_other_text(job, name)
            return None
        values[name] = value
    texts = Texts(values["send"], values["expect"])
    if job.nanny.uses_regex and texts.expected is not None:
        problem = checkarg.regex_problem(texts.expected)
        if problem is not None:
            why = f"expect is no regular expression that can be carried over: {problem}"
            todo = "correct expect; only the connection is tested until then"
            job.note("expect", Verdict.REPAIRED, why, todo)
            _note_other_text(job, "expect")
            return None
    return texts


def _note_other_text(job: Job, name: str) -> None:
    """The text beside one that cannot be used is not used either."""
    other = "expect" if name == "send" else "send"
    why = f"{name} cannot be carried over, so only the connection is tested"
    job.note(other, Verdict.DROPPED, why, f"correct {name}")


def note_regex_unused(job: Job) -> None:
    """There is nothing that use_regex could apply to."""
    if job.nanny.uses_regex:
        why = "there is no expect that could be a regular expression"
        job.ledger.idle(job.nanny.origins.get("uses_regex", ()), why)


def note_reentry_kept(job: Job) -> None:
    """drctl-check counts good answers as nanny did."""
    if job.has_reentry:
        why = f"drctl-check waits for {_answers(job.successes)}, as nanny did"
        job.note("reentry_ms", Verdict.EXACT, why)


def note_reentry_lost(job: Job) -> None:
    """keepalived's own checkers put a server back at the first good answer."""
    if job.successes > 1:
        why = (
            f"nanny put a server back after {_answers(job.successes)}, keepalived does so after "
            "the first"
        )
        job.note("reentry_ms", Verdict.APPROXIMATED, why, "--checks exact keeps the waiting time")
        if "reentry_ms" not in job.nanny.origins:
            job.ledger.choose(
                "return of a failed server",
                "after one good answer",
                f"{why}; where reentry is missing nanny took 180 s",
                "--checks exact",
            )
    else:
        why = "below two intervals nanny put a server back at the first good answer, as keepalived"
        job.note("reentry_ms", Verdict.EXACT, why)


def _answers(number: int) -> str:
    return "one good answer" if number == 1 else f"{number} good answers in a row"


def send_expect_command(job: Job, texts: Texts) -> str | None:
    """The command that asks as nanny did; None, with a note, when it gets too long."""
    try:
        return checkarg.send_expect(
            job.address,
            job.port,
            send=texts.sent,
            expect=texts.expected,
            is_udp=job.is_udp,
            uses_regex=job.nanny.uses_regex and texts.expected is not None,
            timeout_s=job.timeout_s,
            is_strict=job.options.checks == "strict",
            reentry=job.successes,
            service=job.service_key,
        )
    except checkarg.CommandTooLong as refused:
        for name in ("send", "expect"):
            why = f"{refused}; only the connection is tested"
            job.note(name, Verdict.DROPPED, why, "use a send_program that sends it")
        return None


def program_command(job: Job) -> str | None:
    """The command that runs a send_program as nanny did; None, with a note, when it gets too
    long."""
    nanny = job.nanny
    assert nanny.program is not None, "called for send_program only"
    _note_program_words(job, nanny.program)
    try:
        return checkarg.program(
            job.address,
            job.port,
            command=nanny.program,
            expect=_program_expect(job),
            timeout_s=job.timeout_s,
            is_strict=job.options.checks != "exact",
            reentry=job.successes,
            service=job.service_key,
        )
    except checkarg.CommandTooLong as refused:
        why = f"{refused}; only the connection is tested"
        job.note("program", Verdict.DROPPED, why, "put the command into a script")
        return None


def _note_program_words(job: Job, program: str) -> None:
    job.ledger.idle(
        job.nanny.origins.get("send", ()), "send_program is set, so nanny sent nothing itself"
    )
    if job.nanny.uses_regex:
        why = "nanny compared a program's output whole, never by a regular expression"
        job.ledger.idle(job.nanny.origins.get("uses_regex", ()), why)
    if len(program) > NANNY_PROGRAM_BYTES:
        why = f"nanny looked at the first {NANNY_PROGRAM_BYTES} bytes only"
        job.note("program", Verdict.REPAIRED, why, "check the program's arguments")
    words = program.split()
    if "%h" not in words:
        is_embedded = "%h" in program
        why = (
            "%h and %p are replaced as whole words only; inside a word they stay as they are"
            if is_embedded
            else "the program is not told which server to check (no %h)"
        )
        job.note("program", Verdict.EXACT, why, "check the program's arguments")


def _program_expect(job: Job) -> bytes | None:
    """What the output is compared with; without one the exit status decides."""
    nanny = job.nanny
    expected = None if nanny.expect is None else checkarg.pulse_unescape(nanny.expect)
    if isinstance(expected, checkarg.BadEscape):
        why = (
            f"{expected.escape} is no escape that nanny knows: it looped for ever and never added "
            "the server; the text is compared as it stands"
        )
        job.note("expect", Verdict.REPAIRED, why, "correct expect")
        return (nanny.expect or "").encode()
    if expected is None:
        why = (
            "send_program without expect: nanny always took the server for down; the exit status "
            "decides now"
        )
        job.note("program", Verdict.REPAIRED, why, "add the expect that is meant")
    elif job.options.checks == "exact":
        why = "a failing or missing program counts as up, as in nanny"
        job.note("program", Verdict.EXACT, why, "--checks native makes it down")
    else:
        why = "nanny took a failing or missing program for a good answer; now it means down"
        todo = "test the program on both directors first; --checks exact keeps the old way"
        job.note("program", Verdict.REPAIRED, why, todo)
    return expected
