"""A segment that is cut in two, with witnesses on both sides, and somebody who decides."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from live_case import FULL, SERVER, SLACK_MS, VIP, Director, Plan, Stage, now_ms, pass_time, stage
from netns_case import Segment

from drctl.lab.pair.client import Client
from drctl.lab.pair.host import Host
from tools import need

POINT, FAR_SERVER = "192.0.2.254", "192.0.2.21"
FALL, INTERVAL_MS, TIMEOUT_MS = 3, 100, 100
HOLD_MS = FALL * INTERVAL_MS + TIMEOUT_MS
TTL_MS = 3000
GATEWAY: dict[str, Any] = {"kind": "gateway", "addresses": (POINT,)}
ETCD: dict[str, Any] = {
    "kind": "etcd",
    "endpoints": (f"http://{POINT}:2379",),
    "timeout_ms": 1000,
    "ttl_ms": TTL_MS,
}
PLAN = Plan(witnesses=(SERVER, FAR_SERVER))
FIRST = ("lb1", "far")
"""The first director's side of the cut; `far` is a server too, and asks for the VIP."""


@dataclass
class Scene:
    """The stage, and the reference point: on the first director's side of the cut, or not."""

    live: Stage
    far: Client
    point: Host
    is_near: bool = False

    def cut(self) -> None:
        """Nothing passes between the two sides."""
        sides = [list(FIRST), ["lb2", "client", "rs"]]
        sides[0 if self.is_near else 1].append("point")
        one, other = ("{ " + ", ".join(f'"{name}"' for name in side) + " }" for side in sides)
        self.live.drop(
            f"iifname {one} oifname {other}",
            f"iifname {other} oifname {one}",
        )

    def heal(self) -> None:
        self.live.drop()

    def holders(self, since_ms: float) -> list[str]:
        """Who answered, on both sides together, in turn: two that answer at the same time come
        again and again."""
        found = sorted(
            (one.asked_ms, name)
            for client in (self.live.client, self.far)
            for one in client.requests(since_ms)
            for name in one.holders
        )
        names = [name for _, name in found]
        return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]

    def twice(self, since_ms: float) -> int:
        """Requests that two answered."""
        return self.live.client.seen(since_ms).twice + self.far.seen(since_ms).twice


@contextmanager
def scene(arbiter: dict[str, Any], directory: Path, *, is_near: bool = False) -> Iterator[Scene]:
    made: dict[str, Host] = {}

    def build(segment: Segment, stack: ExitStack) -> None:
        made["far"] = segment.host("far", f"{FAR_SERVER}/24")
        made["point"] = segment.host("point", f"{POINT}/24")
        if arbiter["kind"] == "etcd":
            stack.enter_context(etcd(made["point"], directory))

    with stage(replace(PLAN, arbiter=arbiter), directory, build) as live:
        macs = {each.host.mac(): name for name, each in live.directors.items()}
        far = Client(made["far"], VIP, macs)
        try:
            if live.holder.name != "lb1":
                live.holder.signal(signal.SIGUSR1)
                live.await_holder(lambda name: name == "lb1")
                pass_time(1)
            yield Scene(live, far, made["point"], is_near)
        finally:
            far.close()


@contextmanager
def etcd(host: Host, directory: Path) -> Iterator[None]:
    """A cluster of one member, on that host."""
    host.ip("link", "set", "lo", "up")
    program = need("etcd", "etcd-server")
    client, peer = f"http://{POINT}:2379", "http://127.0.0.1:2380"
    command = [
        program,
        *("--name", "one", "--data-dir", str(directory / "etcd"), "--log-level", "error"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        *("--initial-cluster", f"one={peer}", "--unsafe-no-fsync"),
    ]
    with (directory / "etcd.log").open("wb") as log:
        process = subprocess.Popen(host.command(*command), stdout=log, stderr=log)
    try:
        limit_s = time.monotonic() + 20
        while b"leader" not in _health(host):
            assert time.monotonic() < limit_s, (directory / "etcd.log").read_text()
        yield
    finally:
        process.kill()
        process.wait(10)


def _health(host: Host) -> bytes:
    from drctl.adapters.arbiter_etcd import Etcd, EtcdRefused, Tls

    with host.inside():
        asked = Etcd((f"http://{POINT}:2379",), Tls(), 0.5)
        try:
            asked.entries("nothing")
        except EtcdRefused:
            pass_time(0.1)
            return b""
        finally:
            asked.close()
    return b"leader"


KINDS = pytest.mark.parametrize("arbiter", [GATEWAY, ETCD], ids=["gateway", "etcd"])


@KINDS
def test_cut_with_the_arbiter_on_the_other_side_vip_moves_and_never_has_two_holders(
    tmp_path: Path, arbiter: dict[str, Any]
) -> None:
    with scene(arbiter, tmp_path) as on:
        at_ms = now_ms()
        on.cut()
        on.live.await_holder(lambda name: name == "lb2")
        took_ms = now_ms() - at_ms
        pass_time(1)
        print(f"the other one answers after {took_ms:.0f} ms")
        assert on.holders(at_ms) == ["lb1", "lb2"], on.live.logs()
        limit_ms = TTL_MS + 1000 if arbiter is ETCD else HOLD_MS + 400
        assert took_ms < limit_ms + SLACK_MS, on.live.logs()
        healed_ms = now_ms()
        on.heal()
        pass_time(2)
        assert on.holders(healed_ms) == ["lb2"], on.live.logs()
        assert on.twice(at_ms) == 0
        assert on.far.seen(healed_ms + SLACK_MS).outage_ms < SLACK_MS


@FULL
@KINDS
def test_cut_with_the_arbiter_on_the_holder_s_side_nothing_moves(
    tmp_path: Path, arbiter: dict[str, Any]
) -> None:
    with scene(arbiter, tmp_path, is_near=True) as on:
        at_ms = now_ms()
        on.cut()
        pass_time(2.5)
        on.heal()
        pass_time(1.5)
        assert on.holders(at_ms) == ["lb1"], on.live.logs()
        assert on.far.seen(at_ms).outage_ms < SLACK_MS, on.live.logs()


def test_reference_point_that_goes_away_changes_nothing_for_a_pair_that_hears_each_other(
    tmp_path: Path,
) -> None:
    with scene(GATEWAY, tmp_path) as on:
        at_ms = now_ms()
        on.live.silence("point")
        pass_time(2)
        assert on.holders(at_ms) == ["lb1"], on.live.logs()
        assert on.far.seen(at_ms).outage_ms < SLACK_MS
        # who is alone now must not hold anything
        holder, other = on.live.directors["lb1"], on.live.directors["lb2"]
        killed_ms = now_ms()
        other.signal(signal.SIGKILL)
        _await_role(on, holder, "fault")
        pass_time(0.1)
        assert on.holders(now_ms() - 50) == [], on.live.logs()
        assert now_ms() - killed_ms < HOLD_MS + 10 * SLACK_MS
        on.live.heal("point")
        on.live.await_holder(lambda name: name == "lb1")


@FULL
def test_switchover_takes_the_loan_along(tmp_path: Path) -> None:
    with scene(ETCD, tmp_path) as on:
        at_ms = now_ms()
        on.live.directors["lb1"].signal(signal.SIGUSR1)
        on.live.await_holder(lambda name: name == "lb2")
        pass_time(2)
        assert on.holders(at_ms - 200) == ["lb1", "lb2"], on.live.logs()
        assert on.twice(at_ms) == 0
        seen = on.live.client.seen(at_ms)
        print("switchover with a lease:", seen)
        assert seen.outage_ms < SLACK_MS, on.live.logs()


@FULL
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_killed_or_stopped_holder_s_loan_is_given_back(
    tmp_path: Path, number: signal.Signals
) -> None:
    """The process that borrowed it gives it back when the kernel has stopped answering."""
    with scene(ETCD, tmp_path) as on:
        at_ms = now_ms()
        on.live.directors["lb1"].signal(number)
        on.live.await_holder(lambda name: name == "lb2")
        took_ms = now_ms() - at_ms
        print(f"taken after {took_ms:.0f} ms")
        assert took_ms < PLAN.fence_ms + 500 + SLACK_MS, on.live.logs()
        assert on.twice(at_ms) == 0


def _await_role(on: Scene, director: Director, role: str) -> None:
    limit_s = time.monotonic() + 10
    while director.role() != role:
        assert time.monotonic() < limit_s, on.live.logs()
        pass_time(0.02)
