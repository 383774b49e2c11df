"""Two or more ends of a heartbeat in one process, on addresses of the loopback interface."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from drctl.adapters.heartbeat import Heartbeat, LinkEvent
from drctl.adapters.heartbeat_socket import HeartbeatLink
from drctl.adapters.keys import Keyring, SecretKey, generate

Message = tuple[str, str, bytes]


class End:
    """One node: collects what it hears and what happens to its links."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        self.heartbeat = heartbeat
        self.heard: list[Message] = []
        self.events: list[LinkEvent] = []

    def turn(self) -> None:
        """What a poll loop does when the descriptor is readable."""
        self.heard += self.heartbeat.receive()
        self.events += self.heartbeat.events()


def turn_until(ends: Sequence[End], is_done: Callable[[], bool], within_s: float = 5.0) -> bool:
    """Run the poll loops of the ends until something holds; False when it does not in time."""
    poll = select.poll()
    for end in ends:
        poll.register(end.heartbeat.fileno(), select.POLLIN)
    until = time.monotonic() + within_s
    while not is_done():
        if time.monotonic() >= until:
            return False
        poll.poll(10)
        for end in ends:
            end.turn()
    return True


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def address(node: int, link: int = 0) -> str:
    """Node and link number to an address of the loopback network."""
    return f"127.{link}.0.{node}"


def links_between(
    own: int, others: Sequence[int], port: int, count: int = 1
) -> list[HeartbeatLink]:
    """The links of node number `own` to others; nodes are called lb1, lb2 …"""
    return [
        HeartbeatLink(f"lb{other}", f"link{link}", address(own, link), address(other, link), port)
        for other in others
        for link in range(count)
    ]


def keys_of(count: int) -> dict[str, SecretKey]:
    """Keys for lb1, lb2 …"""
    return {f"lb{number}": generate() for number in range(1, count + 1)}


def keyring(keys: dict[str, SecretKey], node: str) -> Keyring:
    """What `node` has: its own keys and the others' public ones."""
    return Keyring(
        keys[node], {other: (one.public,) for other, one in keys.items() if other != node}
    )


@contextmanager
def end_of(links: Sequence[HeartbeatLink], keys: Keyring) -> Iterator[End]:
    """One end; closed afterwards."""
    heartbeat = Heartbeat(links, keys)
    try:
        yield End(heartbeat)
    finally:
        heartbeat.close()


@contextmanager
def pair(count: int = 1) -> Iterator[tuple[End, End]]:
    """Two nodes with links between them, up."""
    keys, port = keys_of(2), free_port()
    with (
        end_of(links_between(1, [2], port, count), keyring(keys, "lb1")) as first,
        end_of(links_between(2, [1], port, count), keyring(keys, "lb2")) as second,
    ):
        names = [f"link{number}" for number in range(count)]

        def is_ready() -> bool:
            up = [first.heartbeat.is_up("lb2", name) for name in names]
            return all(up) and all(second.heartbeat.is_up("lb1", name) for name in names)

        assert turn_until((first, second), is_ready), "the links do not come up"
        yield first, second
