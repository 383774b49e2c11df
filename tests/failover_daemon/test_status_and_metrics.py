"""What the daemon says of itself: status, Prometheus metrics over HTTP, systemd."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drctl import __version__
from drctl.adapters.metrics_http import MOST_CLIENTS, MetricsRefused, MetricsServer
from drctl.adapters.sd_notify import SdNotify
from drctl.core.action import Action, Ask
from drctl.core.beat import Beat, GroupBeat
from drctl.core.event import BeatHeard, FrameHeard, Outcome, Settled, Started, TimeCame
from drctl.core.node import Node
from drctl.core.role import Role
from drctl.core.value import Group, Interface, Link, Peer, Settings, Vip
from drctl.daemon.metrics import CONTENT_TYPE, Counter, metrics
from drctl.daemon.status import Facts, status

FACTS = Facts(
    100, 101, 1_800_000_000_000, {("lb2", "link-0"): ("198.51.100.1", "198.51.100.2")}, ("x",)
)
SERIES = re.compile(r'drctl_[a-z_]+(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? -?[0-9.e+]+')


def made_node() -> Node:
    group = Group(
        "web", (Vip("192.0.2.10", 24, "eth0"), Vip("2001:db8::10", 64, "eth0")), ("eth0",)
    )
    peer = Peer("lb2", (Link("link-0"), Link("link-1")))
    interface = Interface("eth0", ("02:00:00:00:00:01",), ("192.0.2.20", "192.0.2.21"))
    return Node(Settings("lb1", (group,), (peer,), (interface,), digest="abc"))


def feed_all(node: Node, now_ms: int) -> None:
    """Let time pass, with a kernel that does all that it is asked for and a segment on which only
    one station answers."""
    while node.deadline_ms <= now_ms:
        at_ms = node.deadline_ms
        settle(node, at_ms, node.feed(TimeCame(at_ms)))


def settle(node: Node, at_ms: int, actions: tuple[Action, ...]) -> None:
    for action in actions:
        number = getattr(action, "number", None)
        if number is not None:
            settle(node, at_ms, node.feed(Settled(at_ms, number, Outcome.DONE)))
        if isinstance(action, Ask) and "192.0.2.20" in action.addresses:
            mac = "02:00:00:00:00:99"
            settle(
                node,
                at_ms,
                node.feed(
                    FrameHeard(at_ms, "eth0", "192.0.2.20", mac, "192.0.2.1", is_answer_to_me=True)
                ),
            )


def test_status_of_a_node_that_just_started() -> None:
    node = made_node()
    node.feed(Started(1000, 7, 50))
    assert status(node, 1500, FACTS) == {
        "schema": 1,
        "node": "lb1",
        "pid": 100,
        "guard_pid": 101,
        "version": __version__,
        "config_digest": "abc",
        "peers": [
            {
                "node": "lb2",
                "alive": False,
                "links": [
                    {"local": "198.51.100.1", "peer": "198.51.100.2", "up": False},
                    {"local": "", "peer": "link-1", "up": False},
                ],
            }
        ],
        "witnesses": [{"interface": "eth0", "known": 2, "answering": 0}],
        "groups": [
            {
                "name": "web",
                "role": "standby",
                "epoch": 50,
                "priority": 100,
                "vips": ["192.0.2.10", "2001:db8::10"],
                "since_ms": 1_800_000_000_000 - 500,
                "reason": "started",
            }
        ],
        "alarms": ["x"],
        "arbiter": None,
    }


def test_status_tells_a_link_that_is_heard_and_one_that_went_silent() -> None:
    node = made_node()
    node.feed(Started(1000, 7))
    theirs = (GroupBeat("web", Role.ACTIVE, 9, 100),)
    node.feed(BeatHeard(1010, "lb2", "link-0", Beat("lb2", 5, 1, 7, 1, "abc", (), theirs)))
    (peer,) = status(node, 1020, FACTS)["peers"]
    assert (peer["alive"], [link["up"] for link in peer["links"]]) == (True, [True, False])
    (peer,) = status(node, 1010 + 301, FACTS)["peers"]
    assert (peer["alive"], [link["up"] for link in peer["links"]]) == (False, [False, False])


def test_status_of_a_node_that_took_the_group() -> None:
    node = made_node()
    settle(node, 1000, node.feed(Started(1000, 7, 50)))
    feed_all(node, 3000)
    found = status(node, 3000, FACTS)
    (group,) = found["groups"]
    assert (group["role"], group["epoch"]) == ("active", 51)
    assert found["witnesses"] == [{"interface": "eth0", "known": 2, "answering": 1}]
    json.dumps(found)


def test_metrics_are_in_prometheus_s_format() -> None:
    node = made_node()
    node.feed(Started(1000, 7, 50))
    refused = [Counter("beats_refused", "Bad beats.", n, (("peer", f'a"\\{n}\n'),)) for n in (1, 2)]
    page = metrics(status(node, 1500, FACTS), refused, [Counter("load", "L.", 0.5)])
    lines = page.splitlines()
    assert page.endswith("\n")
    assert [line for line in lines if line[0] != "#" and not SERIES.fullmatch(line)] == []
    assert 'drctl_group_role{group="web",role="standby"} 1' in lines
    assert 'drctl_group_role{group="web",role="active"} 0' in lines
    assert 'drctl_group_since_seconds{group="web"} 1799999999.5' in lines
    assert "drctl_guard_up 1" in lines
    assert "drctl_load 0.5" in lines
    assert lines.count("# TYPE drctl_beats_refused_total counter") == 1
    assert 'drctl_beats_refused_total{peer="a\\"\\\\1\\n"} 1' in lines
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert sorted(names) == sorted(set(names))


@contextmanager
def serving(server: MetricsServer) -> Iterator[MetricsServer]:
    """A loop that does nothing but serve."""
    wake, wakes = os.pipe()

    def run() -> None:
        poll = select.poll()
        poll.register(server.fileno(), select.POLLIN)
        poll.register(wake, select.POLLHUP)
        while not any(descriptor == wake for descriptor, _ in poll.poll()):
            server.serve()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield server
    finally:
        os.close(wakes)
        thread.join()
        os.close(wake)


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    made = MetricsServer("127.0.0.1", 0, lambda: "drctl_x 1\n" * 100_000, CONTENT_TYPE)
    with serving(made):
        yield made
    made.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def connect(server: MetricsServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 10)


def get(server: MetricsServer, method: str = "GET", path: str = "/metrics") -> tuple[int, bytes]:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    client.request(method, path)
    response = client.getresponse()
    text = response.read()
    client.close()
    return response.status, text


def test_metrics_are_served(server: MetricsServer) -> None:
    assert get(server) == (200, b"drctl_x 1\n" * 100_000)
    assert get(server, "HEAD") == (200, b"")
    assert get(server, path="/metrics?x=1")[0] == 200
    assert get(server, path="/")[0] == 404
    assert get(server, "POST")[0] == 405


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET /metrics\r\n\r\n", b"400"),
        (b"\r\n\r\n", b"400"),
        (b"\0\xff\n\n", b"400"),
        (b"x" * 20_000, b"431"),
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" + b"y" * 5000, b"200"),
    ],
)
def test_strange_request_is_answered_and_let_go_of(
    server: MetricsServer, sent: bytes, code: bytes
) -> None:
    with connect(server) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while piece := client.recv(65536):
            received += piece
    assert received.split()[1] == code


def test_client_that_sends_nothing_makes_room(server: MetricsServer) -> None:
    idle = [connect(server) for _ in range(3 * MOST_CLIENTS)]
    assert get(server)[0] == 200
    assert idle[0].recv(1) == b""
    for client in idle:
        client.close()


def test_clients_that_vanish_leave_nothing(server: MetricsServer) -> None:
    get(server)
    before = open_descriptors()
    for number in range(50):
        client = connect(server)
        if number % 2:
            client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        client.close()
    for _ in range(MOST_CLIENTS + 1):
        get(server)
    assert open_descriptors() <= before + MOST_CLIENTS


def test_address_in_use_is_refused(server: MetricsServer) -> None:
    with pytest.raises(MetricsRefused, match=f"cannot listen on 127.0.0.1 port {server.port}"):
        MetricsServer("127.0.0.1", server.port, str, CONTENT_TYPE)


def test_name_in_place_of_an_address_is_refused() -> None:
    with pytest.raises(MetricsRefused, match="cannot listen on lb1"):
        MetricsServer("lb1.example", 9650, str, CONTENT_TYPE)


def test_systemd_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(10)
        environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "3000000"}
        notify = SdNotify(environment | {"WATCHDOG_PID": str(os.getpid())})
        assert notify.is_wanted
        assert notify.watchdog_ms == 1500
        notify.ready("standby\nin web")
        assert systemd.recv(1000) == b"READY=1\nSTATUS=standby in web"
        for _ in range(3):
            notify.watchdog()
        assert systemd.recv(1000) == b"WATCHDOG=1"
        notify.status("active")
        assert systemd.recv(1000) == b"STATUS=active"
        notify.reloading(5)
        assert systemd.recv(1000) == b"RELOADING=1\nMONOTONIC_USEC=5"
        notify.stopping()
        assert systemd.recv(1000) == b"STOPPING=1"
        for number in range(100_000):
            notify.status(f"{number}")
            if notify.problem:
                break
        assert "cannot tell systemd" in notify.problem


def test_systemd_with_an_abstract_socket_is_told() -> None:
    name = f"drctl-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name}")
        systemd.settimeout(10)
        SdNotify({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert systemd.recv(1000) == b"READY=1"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "relative"},
        {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "x"},
    ],
)
def test_without_systemd_nothing_is_told(environment: dict[str, str]) -> None:
    notify = SdNotify(environment)
    notify.ready()
    notify.watchdog()
    assert (notify.is_wanted, notify.watchdog_ms, notify.problem) == (False, 0, "")


def test_variables_of_systemd_are_not_inherited() -> None:
    os.environ["NOTIFY_SOCKET"] = "/nowhere"
    notify = SdNotify()
    assert "NOTIFY_SOCKET" not in os.environ
    notify.ready()
    assert "cannot tell systemd" in notify.problem
