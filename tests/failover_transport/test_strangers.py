"""Who has no key gets nowhere, and the heartbeat goes on meanwhile."""

from __future__ import annotations

import random
import resource
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import zmq
from heartbeat_case import (
    End,
    address,
    end_of,
    free_port,
    keyring,
    keys_of,
    links_between,
    turn_until,
)

from drctl.adapters.heartbeat_socket import HeartbeatLink
from drctl.adapters.keys import SecretKey, generate

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01CURVE" + bytes(15) + b"\x00" + bytes(31)


@contextmanager
def _target() -> Iterator[tuple[End, End, int, dict[str, SecretKey]]]:
    """A pair that is up; strangers knock at the first one."""
    keys, port = keys_of(2), free_port()
    with (
        end_of(links_between(1, [2], port), keyring(keys, "lb1")) as first,
        end_of(links_between(2, [1], port), keyring(keys, "lb2")) as second,
    ):
        assert turn_until((first, second), lambda: second.heartbeat.is_up("lb1", "link0"))
        assert turn_until((first, second), lambda: first.heartbeat.is_up("lb2", "link0"))
        yield first, second, port, keys


def _still_hears(first: End, second: End) -> bool:
    """Whether a heartbeat of the peer still arrives, and nothing else did."""
    assert [message for message in first.heard if message[0] != "lb2"] == []
    before = len(first.heard)
    second.heartbeat.send("lb1", b"beat")
    arrived = turn_until((first, second), lambda: len(first.heard) > before, 1.0)
    return arrived and all(payload == b"beat" for _, _, payload in first.heard)


def _knock(port: int, source: str) -> socket.socket:
    knocking = socket.socket()
    knocking.bind((source, 0))
    knocking.settimeout(0.3)
    knocking.connect((address(1), port))
    return knocking


def _is_closed(knocking: socket.socket, ends: tuple[End, End], within_s: float) -> bool:
    """Whether the other side ends the connection in time."""
    knocking.setblocking(False)
    found: list[bool] = []

    def look() -> bool:
        poll = select.poll()
        poll.register(knocking.fileno(), select.POLLIN)
        while poll.poll(0):
            try:
                if knocking.recv(4096) == b"":
                    found.append(True)
                    break
            except ConnectionError:
                found.append(True)
                break
        return bool(found)

    return turn_until(ends, look, within_s)


def test_a_machine_that_is_no_peer_gets_no_connection() -> None:
    with _target() as (first, second, port, _keys):
        with pytest.raises(TimeoutError):
            _knock(port, "127.0.0.9")
        assert _still_hears(first, second)


@pytest.mark.parametrize("kind", ["none", "curve"])
def test_a_stranger_on_a_peers_machine_delivers_nothing(kind: str) -> None:
    with _target() as (first, second, port, keys), zmq.Context() as context:
        stranger = context.socket(zmq.PUSH)
        stranger.linger = 0
        if kind == "curve":
            own = generate()
            stranger.setsockopt_string(zmq.CURVE_PUBLICKEY, own.public)
            stranger.setsockopt_string(zmq.CURVE_SECRETKEY, own.secret)
            stranger.setsockopt_string(zmq.CURVE_SERVERKEY, keys["lb1"].public)
        stranger.connect(f"tcp://{address(2)}:0;{address(1)}:{port}")
        stranger.send(b"I am lb2", zmq.NOBLOCK)
        denied = first.heartbeat.refused
        wanted = (lambda: first.heartbeat.refused > denied) if kind == "curve" else (lambda: False)
        assert turn_until((first, second), wanted, 0.3) == (kind == "curve")
        stranger.close()
        assert _still_hears(first, second)


def test_old_versions_of_the_protocol_without_keys_are_refused() -> None:
    with _target() as (first, second, port, _keys):
        for greeting in (b"\x01\x00", b"\x05\x00hello", b"\xff" + bytes(8) + b"\x7f\x01\x08"):
            with _knock(port, address(2)) as knocking:
                knocking.sendall(greeting + b"\x08\x00I am lb2" * 4)
                assert _is_closed(knocking, (first, second), 1.5), greeting
        assert _still_hears(first, second)


def test_garbage_of_all_kinds_delivers_nothing_and_ends() -> None:
    chance = random.Random(20261125)
    with _target() as (first, second, port, _keys):
        for number in range(60):
            noise = chance.randbytes(chance.randrange(1, 600))
            if number % 3:
                command = struct.pack(">BQ", 6, chance.choice([1 << 62, 200, 1 << 20])) + noise
                noise = GREETING + (b"\x04\xc8" + noise if number % 2 else command)
            with _knock(port, address(2)) as knocking:
                try:
                    knocking.sendall(noise)
                except ConnectionError:
                    continue  # refused while it was sent
                if number % 20 == 0:
                    assert _is_closed(knocking, (first, second), 1.5), number
        assert _still_hears(first, second)


def test_a_slow_sender_is_cut_off_after_half_a_second() -> None:
    with _target() as (first, second, port, _keys):
        for sent in (b"", GREETING[:5], GREETING, GREETING + b"\x04\xc8\x05HELLO"):
            with _knock(port, address(2)) as knocking:
                knocking.sendall(sent)
                assert _is_closed(knocking, (first, second), 1.5), sent
        assert _still_hears(first, second)


def test_what_was_recorded_is_not_taken_again() -> None:
    keys, port, seen = keys_of(2), free_port(), free_port()
    recorded: list[bytes] = []
    with ExitStack() as stack:
        first = stack.enter_context(end_of(links_between(1, [2], port), keyring(keys, "lb1")))
        # lb2 calls an address of its own, where somebody listens, records and passes on
        listening = stack.enter_context(socket.create_server((address(9), seen)))
        link = HeartbeatLink("lb1", "link0", address(2), address(9), seen)
        second = stack.enter_context(end_of([link], keyring(keys, "lb2")))
        listening.settimeout(2)
        caller = stack.enter_context(listening.accept()[0])
        onward = stack.enter_context(_knock(port, address(2)))
        caller.setblocking(False)
        onward.setblocking(False)

        def pump() -> bool:
            for source, target, record in ((caller, onward, True), (onward, caller, False)):
                try:
                    read = source.recv(65536)
                except BlockingIOError:
                    continue
                if record:
                    recorded.append(read)
                target.sendall(read)
            return bool(first.heard)

        assert turn_until((first, second), lambda: pump() or second.heartbeat.is_up("lb1", "link0"))
        second.heartbeat.send("lb1", b"beat")
        assert turn_until((first, second), pump)
        assert first.heard == [("lb2", "link0", b"beat")]
        with _knock(port, address(2)) as again:
            again.sendall(b"".join(recorded))
            assert _is_closed(again, (first, second), 1.5)
        assert first.heard == [("lb2", "link0", b"beat")]


def test_a_flood_of_connections_stops_no_heartbeat_and_leaves_nothing() -> None:
    with _target() as (first, second, port, _keys):
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before = _descriptors()
        with ExitStack() as stack:
            for number in range(300):
                flooding = stack.enter_context(socket.socket())
                flooding.bind((address(2), 0))
                flooding.setblocking(False)
                flooding.connect_ex((address(1), port))
                if number % 50 == 0:
                    assert _still_hears(first, second), number
        assert turn_until((first, second), lambda: _descriptors() == before, 3.0)
        assert _still_hears(first, second)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < 32 * 1024, "KiB"


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
