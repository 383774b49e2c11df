"""A link that dies silently, between network namespaces: what is noticed, how soon it is back."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest
from heartbeat_case import End, keyring, keys_of, turn_until
from netns_case import Segment, segment

from drctl.adapters.heartbeat import Heartbeat, LinkDown
from drctl.adapters.heartbeat_socket import HeartbeatLink

CUT_S = float(os.environ.get("DRCTL_CUT_S", "1.2"))
BACK_MS = 300
PORT = 5390


@pytest.fixture
def switch() -> Iterator[Segment]:
    with segment() as made:
        yield made


def _end(made: Segment, own: int, other: int, keys: dict[str, object]) -> End:
    host = made.host(f"lb{own}", f"192.0.2.{own}/24", f"2001:db8::{own}/64")
    link = HeartbeatLink(f"lb{other}", "link0", f"192.0.2.{own}", f"192.0.2.{other}", PORT)
    with host.inside():
        return End(Heartbeat([link], keyring(keys, f"lb{own}")))  # type: ignore[arg-type]


def test_a_silent_cut_ends_the_link_and_it_is_back_soon_with_nothing_old(switch: Segment) -> None:
    keys: dict[str, object] = dict(keys_of(2))
    first, second = _end(switch, 1, 2, keys), _end(switch, 2, 1, keys)
    both = (first, second)
    started = time.monotonic()

    def beat() -> None:
        stamp = b"%d" % int(1000 * (time.monotonic() - started))
        first.heartbeat.send("lb2", stamp)
        second.heartbeat.send("lb1", stamp)

    def has_both() -> bool:
        beat()
        return bool(first.heard) and bool(second.heard)

    try:
        assert turn_until(both, has_both)
        switch.switch.run("bridge", "link", "set", "dev", "lb2", "state", "0")
        cut = time.monotonic()

        def is_over() -> bool:
            beat()
            return time.monotonic() - cut >= CUT_S

        assert turn_until(both, is_over, CUT_S + 1)
        assert LinkDown("lb2", "link0") in first.events
        assert LinkDown("lb1", "link0") in second.events
        first.heard.clear()
        second.heard.clear()
        switch.switch.run("bridge", "link", "set", "dev", "lb2", "state", "3")
        healed = time.monotonic()
        healed_ms = int(1000 * (healed - started))
        assert turn_until(both, has_both, 3)
        back_ms = 1000 * (time.monotonic() - healed)
        print(f"back after {back_ms:.0f} ms, cut {CUT_S} s")
        assert back_ms <= BACK_MS + 200
        for _, _, stamp in (*first.heard, *second.heard):
            assert int(stamp) >= healed_ms - 150, "a stale beat"
    finally:
        first.heartbeat.close()
        second.heartbeat.close()


def test_a_link_over_an_address_that_comes_later_comes_up(switch: Segment) -> None:
    keys: dict[str, object] = dict(keys_of(2))
    first, second = _end(switch, 1, 2, keys), _end(switch, 2, 1, keys)
    host = switch.hosts["lb2"]
    link = HeartbeatLink("lb2", "late", "2001:db8::1", "2001:db8::99", PORT)
    late = HeartbeatLink("lb1", "late", "2001:db8::99", "2001:db8::1", PORT)
    try:
        first.heartbeat.close()
        second.heartbeat.close()
        with switch.hosts["lb1"].inside():
            first = End(Heartbeat([link], keyring(keys, "lb1")))  # type: ignore[arg-type]
        with host.inside():
            second = End(Heartbeat([late], keyring(keys, "lb2")))  # type: ignore[arg-type]
        both = (first, second)
        assert not turn_until(both, lambda: bool(first.events + second.events), 0.3)
        host.ip("address", "add", "2001:db8::99/64", "dev", "eth0", "nodad")

        def has_both() -> bool:
            first.heartbeat.send("lb2", b"beat")
            second.heartbeat.send("lb1", b"beat")
            return bool(first.heard) and bool(second.heard)

        assert turn_until(both, has_both, 4.0)
    finally:
        first.heartbeat.close()
        second.heartbeat.close()


@pytest.mark.parametrize("addresses", [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")])
def test_a_third_machine_of_the_segment_gets_no_connection(
    addresses: tuple[str, str], switch: Segment
) -> None:
    own, other = addresses
    first = switch.host("lb1", f"{own}/64" if ":" in own else f"{own}/24")
    second = switch.host("lb2", f"{other}/64" if ":" in other else f"{other}/24")
    third = switch.host("third", "2001:db8::3/64", "192.0.2.3/24")
    link = HeartbeatLink("lb2", "link0", own, other, PORT)
    with first.inside():
        end = End(Heartbeat([link], keyring(keys_of(2), "lb1")))
    try:
        with third.inside(), pytest.raises(TimeoutError):
            socket.create_connection((own, PORT), timeout=0.5)
        with second.inside():
            socket.create_connection((own, PORT), timeout=2).close()
    finally:
        end.heartbeat.close()
