"""How many processes count, and when: keepalived's rules (track_process.c)."""

from __future__ import annotations

import pytest

from drctl.daemon.hook_value import TrackProcess
from drctl.daemon.process_count import ProcessCount

COMMAND = b"/usr/sbin/haproxy\0-f\0/etc/haproxy.cfg\0"


@pytest.mark.parametrize(
    ("arguments", "match", "command", "is_meant"),
    [
        ((), "", COMMAND, True),
        ((), "", b"/usr/sbin/haproxy\0", True),
        ((), "", b"haproxy\0", False),
        ((), "", b"/usr/sbin/haproxy-systemd\0", False),
        ((), "", b"", False),
        ((), "exact", COMMAND, False),
        ((), "exact", b"/usr/sbin/haproxy\0", True),
        ((), "partial", COMMAND, True),
        ((), "initial", COMMAND, True),
        (("-f", "/etc/haproxy.cfg"), "exact", COMMAND, True),
        (("-f",), "exact", COMMAND, False),
        (("-f", "/etc/haproxy.cfg", "-D"), "exact", COMMAND, False),
        (("-f", "/etc/haproxy.cf"), "exact", COMMAND, False),
        (("-f",), "partial", COMMAND, True),
        (("-",), "partial", COMMAND, False),
        (("-f", "/etc/haproxy.cf"), "partial", COMMAND, False),
        (("-f", "/etc/haproxy.cf"), "initial", COMMAND, True),
        (("-f",), "initial", COMMAND, True),
        (("-f", "/etc/haproxy.cfg"), "initial", COMMAND, True),
        (("-f", "/etc/other"), "initial", COMMAND, False),
        (("-f", "/etc/haproxy.cfg", "x"), "initial", COMMAND, False),
    ],
)
def test_process_is_told_by_its_command_line(
    arguments: tuple[str, ...], match: str, command: bytes, is_meant: bool
) -> None:
    wanted = TrackProcess("p", "/usr/sbin/haproxy", arguments, match, is_full_command=True)
    count = ProcessCount(wanted)
    assert count.means(b"haproxy", command[: count.command_bytes]) is is_meant


def test_process_is_told_by_its_name() -> None:
    count = ProcessCount(TrackProcess("p", "ssh"))
    assert [count.means(name, b"ssh\0") for name in (b"ssh", b"sshd")] == [True, False]


def played(count: ProcessCount, play: str) -> str:
    """Words of the play: `N+` a fork, `N*` an exec that makes it one, `N-` an end, `N/` an exec
    that makes it none, of process N; `@N` the time. What it is after each: `u` up, `d` down."""
    now_ms, ups = 0, ""
    for word in play.split():
        if word[0] == "@":
            now_ms = int(word[1:])
            count.tick(now_ms)
        elif word[-1] in "+*":
            count.add(int(word[:-1]), now_ms, is_fork=word[-1] == "+")
        else:
            count.remove(int(word[:-1]), now_ms, is_end=word[-1] == "-")
        ups += "u" if count.is_up else "d"
    return ups


@pytest.mark.parametrize(
    ("settings", "play", "expected"),
    [
        ({}, "1* 2+ 1- 2-", "uuud"),
        ({}, "1* 1* 1-", "uud"),
        ({}, "7-", "d"),
        ({"quorum": 2}, "1* 2* 3* 1- 2-", "duuud"),
        ({"quorum": 1, "quorum_max": 2}, "1* 2* 3* 1- 2- 3-", "uuduud"),
        ({"quorum": 0, "quorum_max": 0}, "1* 1-", "du"),
        # a fork counts after its delay, unless it turns into something else
        ({"quorum": 2, "fork_delay_ms": 50}, "1* 2+ @49 @50", "dddu"),
        ({"quorum": 2, "fork_delay_ms": 50}, "1* 2+ @20 2/ @80", "ddddd"),
        ({"quorum": 2, "fork_delay_ms": 50}, "1* 2+ @20 2- @80", "ddddd"),
        ({"quorum": 2, "fork_delay_ms": 50}, "1* 2*", "du"),
        ({"quorum_max": 1, "fork_delay_ms": 50}, "1* 2+ @20 1- @80", "uuuuu"),
        ({"quorum_max": 1, "fork_delay_ms": 50}, "1* 2+ @50", "uud"),
        # an end counts after its delay, unless there is another one in time
        ({"terminate_delay_ms": 50}, "1* 1- @49 @50", "uuud"),
        ({"terminate_delay_ms": 50}, "1* 1- @20 2* @80", "uuuuu"),
        ({"terminate_delay_ms": 50}, "1* 1/", "ud"),
        ({"quorum": 2, "terminate_delay_ms": 50}, "1* 2* 1- @20 3+ @80", "duuuuu"),
        ({"quorum": 2, "terminate_delay_ms": 50}, "1* 2* 1- @20 2- @50", "duuuud"),
        ({"quorum_max": 1, "terminate_delay_ms": 50}, "1* 2* 2- @50", "uddu"),
    ],
)
def test_number_of_processes_counts_as_with_keepalived(
    settings: dict[str, int], play: str, expected: str
) -> None:
    count = ProcessCount(TrackProcess("p", "haproxy", **settings))  # type: ignore[arg-type]
    count.begin(set())
    assert played(count, play) == expected


def test_processes_at_the_start_count_without_a_delay() -> None:
    count = ProcessCount(TrackProcess("p", "haproxy", fork_delay_ms=50))
    assert count.is_up is None
    count.begin({1})
    assert count.is_up


def test_reason_tells_the_number_that_is_wanted() -> None:
    count = ProcessCount(TrackProcess("p", "haproxy", quorum=2, quorum_max=3))
    reasons = []
    for pids in ({1}, {1, 2}, {1, 2, 3, 4}):
        count.begin(pids)
        reasons.append(count.why())
    assert reasons == [
        "1 processes haproxy, at least 2 wanted",
        "",
        "4 processes haproxy, at most 3 wanted",
    ]
