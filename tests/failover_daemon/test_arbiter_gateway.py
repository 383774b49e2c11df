"""A reference point that answers echoes, or does not."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator

import pytest
from netns_case import Segment, segment

from drctl.adapters.arbiter_ping import Pinger, checksum
from drctl.core.event import ArbiterReported
from drctl.core.value import Group, Vip
from drctl.daemon.arbiter import state_of
from drctl.daemon.arbiter_gateway import Gateway
from drctl.daemon.config import ArbiterConfig
from drctl.daemon.host_reading import default_gateways
from drctl.lab.pair.host import Host
from drctl.report.status import to_text
from tools import need_root

POINT, POINT6 = "192.0.2.254", "2001:db8::254"
CONFIG = ArbiterConfig("gateway", interval_ms=100, timeout_ms=100, fall=3, rise=2)
HOLD_MS = 400


@pytest.fixture
def made() -> Iterator[Segment]:
    need_root()
    with segment() as built:
        built.host("lb1", "192.0.2.1/24", "2001:db8::1/64")
        built.host("point", f"{POINT}/24", f"{POINT6}/64")
        yield built


class Clock:
    """A gateway whose time is passed by hand; answers are waited for in real time."""

    def __init__(self, host: Host, *addresses: str) -> None:
        with host.inside():
            self.gateway = Gateway(CONFIG, addresses, 100, 1000)
        self.now_ms = 1000
        self.until: list[int] = []

    def round(self, *, is_answered: bool = True) -> None:
        """One interval, in which there is an answer, or none."""
        self._note(self.gateway.tick(self.now_ms))
        poll = select.poll()
        poll.register(self.gateway.fileno(), select.POLLIN)
        assert bool(poll.poll(5000 if is_answered else 30)) is is_answered
        self._note(self.gateway.events(self.now_ms + 1))
        self.now_ms += 100

    def _note(self, events: list[ArbiterReported]) -> None:
        self.until += [event.until_ms for event in events]


@pytest.mark.parametrize("address", [POINT, POINT6])
def test_point_that_answers_allows_for_a_while(made: Segment, address: str) -> None:
    clock = Clock(made.hosts["lb1"], address)
    for _ in range(3):
        clock.round()
    # not after one answer
    assert clock.until == [1100 + HOLD_MS, 1200 + HOLD_MS]
    assert clock.gateway.trouble(1300) == ""
    clock.gateway.end()


def test_point_that_is_silent_allows_until_its_last_answer_is_too_old(made: Segment) -> None:
    clock = Clock(made.hosts["lb1"], POINT)
    for _ in range(2):
        clock.round()
    made.switch.ip("link", "set", "point", "down")
    for _ in range(5):
        clock.round(is_answered=False)
    assert clock.until == [1500, 0]
    assert clock.gateway.trouble(1600) == f"no answer from {POINT}"
    made.switch.ip("link", "set", "point", "up")
    clock.round()
    assert clock.until == [1500, 0], "one answer is not enough"
    clock.round()
    assert clock.until == [1500, 0, 1800 + HOLD_MS]
    clock.gateway.end()


def test_point_that_never_answers_is_told_once(made: Segment) -> None:
    clock = Clock(made.hosts["lb1"], "192.0.2.77")
    for _ in range(6):
        clock.round(is_answered=False)
    assert clock.until == [0]
    clock.gateway.end()


def test_any_of_several_points_is_enough(made: Segment) -> None:
    clock = Clock(made.hosts["lb1"], "192.0.2.77", POINT6)
    for _ in range(2):
        clock.round()
    assert clock.until == [1500]
    clock.gateway.end()


def test_answer_to_somebody_else_does_not_count(made: Segment) -> None:
    with made.hosts["lb1"].inside():
        mine, other = Pinger(socket.AF_INET), Pinger(socket.AF_INET)
    assert mine.ask(POINT, 7)
    limit_s = time.monotonic() + 5
    while not (found := mine.answers()):
        assert time.monotonic() < limit_s
    assert found == [7]
    assert other.answers() == []
    mine.close()
    other.close()


def test_request_that_cannot_be_sent_is_like_no_answer(made: Segment) -> None:
    with made.hosts["lb1"].inside():
        pinger = Pinger(socket.AF_INET)
        pinger6 = Pinger(socket.AF_INET6)
        assert not pinger.ask("203.0.113.1", 1)
        assert not pinger6.ask("fe80::1%gone0", 2)
    assert (pinger.refusal, pinger6.refusal) == (
        "Network is unreachable",
        "no interface with this name",
    )
    pinger.close()
    pinger6.close()


def test_default_gateways_are_found(made: Segment) -> None:
    host = made.hosts["lb1"]
    host.ip("route", "add", "default", "via", POINT)
    host.ip("route", "add", "203.0.113.0/24", "via", "192.0.2.253")
    host.ip("-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0")
    with host.inside():
        assert default_gateways() == [POINT, "fe80::1%eth0"]


def test_checksum_is_that_of_the_internet() -> None:
    message = bytes.fromhex("0800000012340001") + b"abcdefgh"
    sent = message[:2] + checksum(message).to_bytes(2, "big") + message[4:]
    assert checksum(sent) == 0


GROUPS = tuple(
    Group(name, tuple(Vip(f"192.0.2.{last}", 32, "eth0") for last in lasts), ("eth0",))
    for name, lasts in (("web", (1, 2)), ("mail", (3,)), ("db", (3, 4)))
)


@pytest.mark.parametrize(
    ("grants", "kind", "line"),
    [
        ({"": 5}, "gateway", "gateway  all      -"),
        ({"": 0}, "gateway", "gateway  nothing  no answer"),
        (
            {"192.0.2.1": 5, "192.0.2.2": 5, "192.0.2.3": 5, "192.0.2.4": 0},
            "etcd",
            "etcd     mail, web  -",
        ),
        ({}, "etcd", "etcd     nothing  no answer"),
    ],
)
def test_status_shows_what_the_arbiter_allows(grants: dict[str, int], kind: str, line: str) -> None:
    trouble = "" if any(grants.values()) else "no answer"
    state = state_of(kind, GROUPS, grants, 1, trouble)
    text = to_text(
        {
            "node": "lb1",
            "version": "1",
            "pid": 1,
            "guard_pid": 2,
            "config_digest": "",
            "groups": [],
            "peers": [],
            "witnesses": [],
            "alarms": [],
            "arbiter": state.to_json(),
        },
        0,
    )
    assert line.split() == text.splitlines()[-1].split()
