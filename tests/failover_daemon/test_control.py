"""The control socket: real clients, good and bad, and a server that waits for none of them."""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drctl.daemon.control import (
    MOST_CLIENTS,
    MOST_REQUEST_BYTES,
    ControlServer,
    ControlTaken,
    Request,
)
from drctl.daemon.control_client import NotAnswered, ask
from drctl.errors import FileRefused
from tools import need_root

STATUS = b'{"command": "status"}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "control.sock"


@pytest.fixture
def server(path: Path) -> Iterator[ControlServer]:
    made = ControlServer(path)
    yield made
    made.close()


def wait(server: ControlServer, count: int = 1, within_s: float = 10) -> list[Request]:
    """Requests, as a loop gets them."""
    poll = select.poll()
    poll.register(server.fileno(), select.POLLIN)
    end_s = time.monotonic() + within_s
    found: list[Request] = []
    while len(found) < count:
        assert poll.poll((end_s - time.monotonic()) * 1000), "no request came"
        found += server.requests()
    return found


def settle(server: ControlServer) -> list[Request]:
    """All that there is to do now."""
    poll = select.poll()
    poll.register(server.fileno(), select.POLLIN)
    found: list[Request] = []
    for _ in range(1000):
        if not poll.poll(0):
            return found
        found += server.requests()
    raise AssertionError("the server is never done")


def connect(path: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX)
    channel.settimeout(10)
    channel.connect(str(path))
    return channel


def line(channel: socket.socket) -> dict[str, Any]:
    with channel.makefile("rb") as file:
        answer: dict[str, Any] = json.loads(file.readline())
    return answer


def test_socket_is_its_owners_alone(server: ControlServer, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert server.filenos() == (server.fileno(),)


def test_request_has_all_that_was_asked_and_who_asked(server: ControlServer, path: Path) -> None:
    with connect(path) as client:
        client.sendall(
            b'{"command":"switch","group":"web","target":"lb2","options":{"timeout_ms":5}}\n'
        )
        (found,) = wait(server)
        expected = Request(
            found.client, "switch", "web", "lb2", {"timeout_ms": 5}, os.getpid(), os.geteuid()
        )
        assert found == expected
        server.answer(found.client, {"ok": True})
        assert line(client) == {"ok": True}


def test_request_in_pieces_is_one_request(server: ControlServer, path: Path) -> None:
    with connect(path) as client:
        for at in range(len(STATUS) - 1):
            client.sendall(STATUS[at : at + 1])
            assert settle(server) == []
        client.sendall(STATUS[-1:])
        assert [request.command for request in settle(server)] == ["status"]


def test_client_may_ask_again_when_it_has_its_answer(server: ControlServer, path: Path) -> None:
    with connect(path) as client:
        for number in range(3):
            client.sendall(STATUS)
            (found,) = settle(server)
            server.answer(found.client, {"number": number})
            assert line(client) == {"number": number}


def test_client_that_shuts_its_sending_side_is_answered(server: ControlServer, path: Path) -> None:
    with connect(path) as client:
        client.sendall(STATUS)
        client.shutdown(socket.SHUT_WR)
        (found,) = settle(server)
        assert server.is_waiting(found.client)
        server.answer(found.client, {"ok": True})
        assert line(client) == {"ok": True}


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"status\n", "no JSON"),
        (b"\xff\xfe\n", "no JSON"),
        (b"[" * 60_000 + b"\n", "no JSON"),
        (b"[]\n", "JSON object"),
        (b"{}\n", "without a command"),
        (b'{"command": 1}\n', "are texts"),
        (b'{"command": "status", "options": []}\n', "an object"),
        (STATUS + STATUS, "a second request"),
        (b"x" * (MOST_REQUEST_BYTES + 1), "more than 65536 bytes"),
        (b"x" * (MOST_REQUEST_BYTES + 1) + b"\n", "more than 65536 bytes"),
    ],
)
def test_what_is_no_request_is_refused_and_let_go_of(
    server: ControlServer, path: Path, sent: bytes, text: str
) -> None:
    with connect(path) as client:
        client.sendall(sent)
        assert settle(server) == []
        with client.makefile("rb") as file:
            answer = json.loads(file.readline())
            assert answer["ok"] is False
            assert text in answer["text"]
            assert file.read() == b""


def test_request_of_a_client_that_gave_up_is_not_obeyed_later(
    server: ControlServer, path: Path
) -> None:
    """A daemon that was stopped for a while must not leave its VIPs then because of it."""
    with pytest.raises(NotAnswered, match="no answer on"):
        ask(path, {"command": "leave"}, 0.2)
    assert settle(server) == []


def test_client_that_died_costs_nothing(server: ControlServer, path: Path) -> None:
    with connect(path) as client:
        client.sendall(STATUS)
        (found,) = settle(server)
    assert settle(server) == []
    assert not server.is_waiting(found.client)
    server.answer(found.client, {"ok": True})
    assert settle(server) == []


def test_clients_come_and_go_and_no_descriptor_is_left(server: ControlServer, path: Path) -> None:
    before = open_descriptors()
    for number in range(200):
        with connect(path) as client:
            if number % 2:
                client.sendall(STATUS)
            settle(server)
        for request in settle(server):
            server.answer(request.client, {})
    settle(server)
    assert open_descriptors() == before


def test_slow_reader_delays_nobody_and_gets_all(server: ControlServer, path: Path) -> None:
    large = {"text": "x" * (4 << 20)}
    with connect(path) as slow, connect(path) as quick:
        slow.sendall(STATUS)
        (first,) = settle(server)
        server.answer(first.client, large)
        quick.sendall(STATUS)
        (second,) = settle(server)
        server.answer(second.client, {"ok": True})
        assert line(quick) == {"ok": True}
        serving = threading.Event()

        def serve() -> None:
            while not serving.is_set():
                server.requests()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            assert line(slow) == large
        finally:
            serving.set()
            thread.join()


def test_idle_clients_make_room_for_those_who_ask(server: ControlServer, path: Path) -> None:
    idle = [connect(path) for _ in range(MOST_CLIENTS)]
    settle(server)
    with connect(path) as client:
        client.sendall(STATUS)
        (found,) = settle(server)
        server.answer(found.client, {"ok": True})
        assert line(client) == {"ok": True}
    assert idle[0].recv(1) == b""
    for channel in idle:
        channel.close()


def test_who_comes_when_all_are_asking_is_refused(server: ControlServer, path: Path) -> None:
    asking = []
    for _ in range(MOST_CLIENTS):
        channel = connect(path)
        channel.sendall(STATUS)
        asking.append(channel)
        settle(server)
    with connect(path) as late:
        settle(server)
        assert "others are asking" in line(late)["text"]
    for channel in asking:
        channel.close()


def test_server_without_descriptors_left_does_not_spin(server: ControlServer, path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with connect(path) as client:
        lowest_free = os.open("/dev/null", os.O_RDONLY)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            settle(server)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert client.recv(1) == b""
    with connect(path) as client:
        client.sendall(STATUS)
        assert len(settle(server)) == 1


def test_socket_of_a_living_daemon_is_not_taken(server: ControlServer, path: Path) -> None:
    with pytest.raises(ControlTaken, match=r"another drctl answers on .*control.sock"):
        ControlServer(path)
    with connect(path) as client:
        client.sendall(STATUS)
        assert len(wait(server)) == 1


def test_socket_of_a_killed_daemon_is_replaced(path: Path) -> None:
    code = (
        "import os, signal, sys; from drctl.daemon.control import ControlServer; "
        "ControlServer(sys.argv[1]); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.is_socket()
    server = ControlServer(path)
    with connect(path) as client:
        client.sendall(STATUS)
        assert len(wait(server)) == 1
    server.close()
    assert not path.exists()


def test_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "control.sock").write_text("mine")
    with pytest.raises(FileRefused, match="no socket"):
        ControlServer(tmp_path / "control.sock")
    assert (tmp_path / "control.sock").read_text() == "mine"


def test_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="longer than 107 bytes"):
        ControlServer(tmp_path / ("x" * 120))


def test_close_leaves_the_socket_of_a_successor(path: Path) -> None:
    first = ControlServer(path)
    path.unlink()
    second = ControlServer(path)
    first.close()
    assert path.is_socket()
    second.close()


def test_ask_gets_the_answer(server: ControlServer, path: Path) -> None:
    answers: list[dict[str, Any]] = []
    thread = threading.Thread(
        target=lambda: answers.append(ask(path, {"command": "status"}, 10)),
    )
    thread.start()
    (found,) = wait(server)
    server.answer(found.client, {"text": "é" * 1000})
    thread.join()
    assert answers == [{"text": "é" * 1000}]


def test_ask_without_a_daemon_says_so(path: Path) -> None:
    with pytest.raises(NotAnswered, match=r"does not answer on .*no such socket; start it"):
        ask(path, {"command": "status"}, 1)


def test_ask_beside_a_dead_socket_says_so(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(NotAnswered, match="nobody listens"):
        ask(path, {"command": "status"}, 1)


def test_ask_without_permission_says_so(server: ControlServer, path: Path) -> None:
    need_root()
    os.chown(path, 0, 0)
    os.seteuid(65534)
    try:
        with pytest.raises(NotAnswered, match="no permission for"):
            ask(path, {"command": "status"}, 1)
    finally:
        os.seteuid(0)
    assert settle(server) == []


def test_ask_of_a_hanging_daemon_ends_in_time(server: ControlServer, path: Path) -> None:
    with pytest.raises(NotAnswered, match=r"no answer on .* within 0\.05 s"):
        ask(path, {"command": "status"}, 0.05)
    assert len(settle(server)) <= 1


def test_ask_of_a_daemon_that_ends_says_so(path: Path) -> None:
    server = ControlServer(path)

    def end() -> None:
        wait(server)
        server.close()

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(NotAnswered, match="ended while it was asked"):
        ask(path, {"command": "status"}, 10)
    thread.join()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
