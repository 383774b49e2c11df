"""Heartbeat messages between nodes, by real sockets."""

from __future__ import annotations

import errno
import socket
from contextlib import closing, suppress
from pathlib import Path

import pytest
from heartbeat_case import (
    End,
    address,
    end_of,
    free_port,
    keyring,
    keys_of,
    links_between,
    pair,
    turn_until,
)

from drctl.adapters.heartbeat import (
    MAX_BYTES,
    Heartbeat,
    LinkDenied,
    LinkDown,
    LinkUp,
    StrangerDenied,
)
from drctl.adapters.heartbeat_listener import LinkRefused
from drctl.adapters.heartbeat_socket import HeartbeatLink
from drctl.adapters.keys import Keyring, generate


def test_a_message_arrives_by_every_link_with_its_sender() -> None:
    with pair(count=2) as (first, second):
        assert first.heartbeat.send("lb2", b"beat") == 2
        assert turn_until((first, second), lambda: len(second.heard) == 2)
        assert sorted(second.heard) == [("lb1", "link0", b"beat"), ("lb1", "link1", b"beat")]
        assert first.heard == []


def test_links_that_come_up_are_told_once() -> None:
    with pair(count=2) as (first, _second):
        assert sorted(first.events, key=repr) == [LinkUp("lb2", "link0"), LinkUp("lb2", "link1")]


def test_a_peer_that_ends_is_told_at_once() -> None:
    with pair() as (first, second):
        second.heartbeat.close()
        assert turn_until([first], lambda: LinkDown("lb2", "link0") in first.events, 1.0)
        assert first.heartbeat.send("lb2", b"beat") == 0


def test_a_peer_that_returns_is_reached_and_hears_nothing_old() -> None:
    keys, port = keys_of(2), free_port()
    with end_of(links_between(1, [2], port), keyring(keys, "lb1")) as first:
        with end_of(links_between(2, [1], port), keyring(keys, "lb2")) as second:
            both = (first, second)
            assert turn_until(both, lambda: first.heartbeat.is_up("lb2", "link0"))
        assert turn_until([first], lambda: not first.heartbeat.is_up("lb2", "link0"))
        for number in range(20):
            assert first.heartbeat.send("lb2", b"old %d" % number) == 0
        with end_of(links_between(2, [1], port), keyring(keys, "lb2")) as second:
            both = (first, second)
            assert turn_until(both, lambda: first.heartbeat.is_up("lb2", "link0"))
            first.heartbeat.send("lb2", b"new")
            assert turn_until(both, lambda: bool(second.heard))
            assert second.heard == [("lb1", "link0", b"new")]


def test_three_nodes_on_one_address_each_are_told_apart() -> None:
    keys, port = keys_of(3), free_port()
    with (
        end_of(links_between(1, [2, 3], port), keyring(keys, "lb1")) as first,
        end_of(links_between(2, [1, 3], port), keyring(keys, "lb2")) as second,
        end_of(links_between(3, [1, 2], port), keyring(keys, "lb3")) as third,
    ):
        ends = (first, second, third)
        assert turn_until(ends, lambda: all(len(end.events) == 2 for end in ends))
        second.heartbeat.send("lb1", b"from two")
        third.heartbeat.send("lb1", b"from three")
        assert turn_until(ends, lambda: len(first.heard) == 2)
        assert sorted(first.heard) == [
            ("lb2", "link0", b"from two"),
            ("lb3", "link0", b"from three"),
        ]


def test_a_peer_that_reads_nothing_never_makes_the_sender_wait() -> None:
    with pair() as (first, _second):
        taken = [first.heartbeat.send("lb2", bytes(8192)) for _ in range(4000)]
        assert 0 in taken, "the queue has no end"


def test_an_address_that_is_not_there_is_no_failure() -> None:
    keys = keys_of(2)
    absent = HeartbeatLink("lb2", "link0", "203.0.113.7", "203.0.113.8", free_port())
    with end_of([absent], keyring(keys, "lb1")) as first:
        assert not turn_until([first], lambda: bool(first.events), 0.3)
        assert first.heartbeat.send("lb2", b"beat") == 0


def test_a_port_in_use_is_refused_with_operation_and_errno() -> None:
    keys, port = keys_of(2), free_port()
    with socket.socket() as other:
        other.bind((address(1), port))
        other.listen()
        with pytest.raises(LinkRefused, match="cannot listen on") as refused:
            Heartbeat(links_between(1, [2], port), keyring(keys, "lb1"))
    assert refused.value.errno == errno.EADDRINUSE


def test_a_message_of_a_peer_over_an_address_that_is_no_link_of_it_is_dropped() -> None:
    keys, port = keys_of(3), free_port()
    other = HeartbeatLink("lb3", "link1", address(1, 1), address(2), port)
    links = [*links_between(1, [2], port), other]
    with (
        end_of(links, keyring(keys, "lb1")) as first,
        end_of(
            [HeartbeatLink("lb1", "link0", address(2), address(1), port)], keyring(keys, "lb3")
        ) as third,
    ):
        both = (first, third)
        assert turn_until(both, lambda: third.heartbeat.is_up("lb1", "link0"))
        third.heartbeat.send("lb1", b"beat")
        assert turn_until(both, lambda: first.heartbeat.dropped == 1)
        assert first.heard == []


def test_a_node_with_a_key_of_nobody_is_denied_and_told() -> None:
    keys, port = keys_of(2), free_port()
    stranger = generate()
    knows_us = Keyring(stranger, {"lb1": (keys["lb1"].public,)})
    with (
        end_of(links_between(1, [2], port), keyring(keys, "lb1")) as first,
        end_of(links_between(2, [1], port), knows_us) as second,
    ):
        both = (first, second)
        expected = StrangerDenied(address(2), stranger.public)
        assert turn_until(both, lambda: expected in first.events)
        assert turn_until(both, lambda: LinkDenied("lb1", "link0") in second.events)
        assert second.heartbeat.send("lb1", b"beat") == 0
        assert first.heard == []
        assert first.events.count(expected) >= 1
        assert second.events.count(LinkDenied("lb1", "link0")) == 1


@pytest.mark.parametrize(("count", "is_denied"), [(1, False), (10_000, True)])
def test_peer_that_dies_in_a_handshake_is_not_taken_for_another_one(
    count: int, is_denied: bool
) -> None:
    """The kernel of one that was killed may have taken a connection for it."""
    keys, port = keys_of(2), free_port()
    with (
        socket.create_server((address(2), port)) as listener,
        end_of(links_between(1, [2], port), keyring(keys, "lb1")) as first,
    ):
        listener.settimeout(0.01)
        taken = 0

        def is_told() -> bool:
            nonlocal taken
            if taken < count:
                with suppress(TimeoutError):
                    listener.accept()[0].close()
                    taken += 1
            else:
                listener.close()
            return LinkDenied("lb2", "link0") in first.events

        assert turn_until((first,), is_told, 2.0) == is_denied
        assert taken


def test_a_node_that_was_denied_is_let_in_after_its_key_is_known() -> None:
    keys, port = keys_of(2), free_port()
    wrong = Keyring(keys["lb1"], {"lb2": (generate().public,)})
    with (
        end_of(links_between(1, [2], port), wrong) as first,
        end_of(links_between(2, [1], port), keyring(keys, "lb2")) as second,
    ):
        both = (first, second)
        assert turn_until(both, lambda: LinkDenied("lb1", "link0") in second.events)
        first.heartbeat.reload(links_between(1, [2], port), keyring(keys, "lb1"))
        assert turn_until(both, lambda: second.heartbeat.is_up("lb1", "link0"))
        assert turn_until(both, lambda: first.heartbeat.is_up("lb2", "link0"))


def test_a_key_of_one_peer_does_not_speak_for_another() -> None:
    keys, port = keys_of(3), free_port()
    with (
        end_of(links_between(1, [2, 3], port), keyring(keys, "lb1")) as first,
        end_of(
            links_between(2, [1], port), Keyring(keys["lb3"], {"lb1": (keys["lb1"].public,)})
        ) as liar,
    ):
        both = (first, liar)
        assert turn_until(both, lambda: liar.heartbeat.is_up("lb1", "link0"))
        liar.heartbeat.send("lb1", b"I am lb2")
        assert turn_until(both, lambda: bool(first.heard))
        assert first.heard == [("lb3", "link0", b"I am lb2")]


def test_the_last_message_leaves_before_the_end() -> None:
    with pair() as (first, second):
        first.heartbeat.send("lb2", b"yield")
        first.heartbeat.close(linger_ms=500)
        assert turn_until([second], lambda: second.heard == [("lb1", "link0", b"yield")])


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_closing_leaves_no_descriptor_open() -> None:
    before = _descriptors()
    with pair(count=2):
        assert _descriptors() > before
    assert _descriptors() == before


def test_a_message_beyond_the_limit_ends_the_connection_and_is_not_taken() -> None:
    keys, port = keys_of(2), free_port()
    links = links_between(2, [1], port)
    with (
        end_of(links_between(1, [2], port), keyring(keys, "lb1")) as first,
        closing(Heartbeat(links, keyring(keys, "lb2"), max_bytes=1 << 20)) as generous,
    ):
        second = End(generous)
        assert turn_until((first, second), lambda: generous.is_up("lb1", "link0"))
        generous.send("lb1", bytes(MAX_BYTES + 100))
        assert turn_until((first, second), lambda: LinkDown("lb1", "link0") in second.events)
        assert turn_until((first, second), lambda: generous.is_up("lb1", "link0"))
        generous.send("lb1", bytes(MAX_BYTES))
        assert turn_until((first, second), lambda: bool(first.heard))
        assert [len(payload) for _, _, payload in first.heard] == [MAX_BYTES]
