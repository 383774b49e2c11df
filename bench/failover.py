"""The failover of `drctl run` next to keepalived's, in the same namespaces and the same run.

A client asks for the VIP by ARP every millisecond. Each line is an event on the active director:
the median of the longest time without an answer, of ROUNDS runs of each program in turn, and how
many requests both directors answered, in all runs. 5 rounds, 10 with DRCTL_FULL=1.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from measure import keepalived

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from live_case import VIP, Plan, Stage, now_ms, pass_time, stage
from netns_case import Host, segment

from drctl.lab.pair.client import Client, Seen

ROUNDS = 10 if os.environ.get("DRCTL_FULL") == "1" else 5
WAIT_S = 2.0
SLOW_WAIT_S = 5.0


class Pair(Protocol):
    """Two directors of either program, one of them active."""

    def active(self) -> str: ...

    def signal(self, name: str, number: signal.Signals) -> None: ...

    def switch(self) -> Host: ...

    def client(self) -> Client: ...


@dataclass
class DrctlPair:
    """Two of ours."""

    live: Stage

    def active(self) -> str:
        return self.live.holder.name

    def signal(self, name: str, number: signal.Signals) -> None:
        self.live.directors[name].signal(number)

    def switch(self) -> Host:
        return self.live.switch

    def client(self) -> Client:
        return self.live.client


@dataclass
class KeepalivedPair:
    """Two of keepalived's; the first is active."""

    at: Host
    probing: Client
    daemons: dict[str, subprocess.Popen[bytes]]
    children: dict[str, Path]

    def active(self) -> str:
        return "lb1"

    def signal(self, name: str, number: signal.Signals) -> None:
        if number is signal.SIGKILL:
            _end(self.daemons[name], self.children[name])
        else:
            self.daemons[name].send_signal(number)

    def switch(self) -> Host:
        return self.at

    def client(self) -> Client:
        return self.probing


@contextmanager
def drctl_pair(heartbeat_ms: int, links: str) -> Iterator[Pair]:
    plan = Plan(heartbeat_ms=heartbeat_ms, links=links)
    with (
        tempfile.TemporaryDirectory(prefix="drctl-bench-") as folder,
        stage(plan, Path(folder)) as live,
    ):
        yield DrctlPair(live)


@contextmanager
def keepalived_pair(program: str, interval_ms: int) -> Iterator[Pair]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drctl-bench-")))
        made = stack.enter_context(segment())
        hosts = {name: made.host(name, f"192.0.2.{name[-1]}/24") for name in ("lb1", "lb2")}
        made.host("rs", "192.0.2.20/24")
        asker = made.host("client", "192.0.2.9/24")
        client = Client(asker, VIP, {host.mac(): name for name, host in hosts.items()})
        stack.callback(client.close)
        daemons = {}
        for name, host in hosts.items():
            daemons[name] = _start_keepalived(program, host, folder, interval_ms)
            stack.callback(_end, daemons[name], folder / f"{name}-vrrp.pid")
        limit_ms = now_ms() + 20_000
        while client.last_holder() != "lb1" and now_ms() < limit_ms:
            pass_time(0.05)
        pass_time(max(1.0, 3 * interval_ms / 1000))
        if client.last_holder() != "lb1":
            raise RuntimeError("keepalived does not get going")
        children = {name: folder / f"{name}-vrrp.pid" for name in daemons}
        yield KeepalivedPair(made.switch, client, daemons, children)


def _start_keepalived(
    program: str, host: Host, folder: Path, interval_ms: int
) -> subprocess.Popen[bytes]:
    file = folder / f"{host.name}.conf"
    file.write_text(
        f"""global_defs {{
    router_id {host.name}
    vrrp_version 3
}}
vrrp_instance web {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {150 if host.name == "lb1" else 100}
    advert_int {interval_ms / 1000:g}
    virtual_ipaddress {{
        {VIP}/24
    }}
}}
""",
        encoding="utf-8",
    )
    pids = (str(folder / f"{host.name}.pid"), str(folder / f"{host.name}-vrrp.pid"))
    options = ["-P", "-n", "-l", "-f", str(file), "-p", pids[0], "-r", pids[1]]
    with (folder / f"{host.name}.log").open("wb") as log:
        return subprocess.Popen(
            ["ip", "netns", "exec", host.namespace, program, *options], stdout=log, stderr=log
        )


def _end(daemon: subprocess.Popen[bytes], child: Path) -> None:
    """Kill the child that does the work, and it before it can start another one."""
    pid = int(child.read_text(encoding="ascii")) if child.exists() else 0
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="ascii") if pid else ""
        if name.startswith("keepalived"):
            os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has ended by itself
    daemon.kill()
    daemon.wait()


def silent(pair: Pair) -> None:
    pair.switch().run("bridge", "link", "set", "dev", pair.active(), "state", "0")


def carrier(pair: Pair) -> None:
    pair.switch().ip("link", "set", pair.active(), "down")


def terminate(pair: Pair) -> None:
    pair.signal(pair.active(), signal.SIGTERM)


def hand_over(pair: Pair) -> None:
    is_ours = isinstance(pair, DrctlPair)
    pair.signal(pair.active(), signal.SIGUSR1 if is_ours else signal.SIGTERM)


def kill(pair: Pair) -> None:
    pair.signal(pair.active(), signal.SIGKILL)


@dataclass
class Row:
    """An event, the intervals of both programs, and the most that the ratio may be."""

    name: str
    event: Callable[[Pair], None]
    ours_ms: int
    theirs_ms: int
    most: float
    links: str = "a"
    ours: list[Seen] = field(default_factory=list)
    theirs: list[Seen] = field(default_factory=list)

    def wait_s(self) -> float:
        return SLOW_WAIT_S if self.theirs_ms >= 1000 else WAIT_S


def rows() -> list[Row]:
    """What is measured."""
    return [
        Row("link dies silently, 100 ms", silent, 100, 100, 0.45),
        Row("link dies silently, 10 ms", silent, 10, 10, 0.8),
        Row("carrier lost, 100 ms, second link", carrier, 100, 100, 0.1, "ab"),
        Row("link dies silently, defaults", silent, 100, 1000, 0.06),
        Row("SIGTERM, 100 ms", terminate, 100, 100, 0.5),
        Row("switch (keepalived: SIGTERM), 100 ms", hand_over, 100, 100, 0.5),
        Row("kill -9, 100 ms", kill, 100, 100, 1e9),
    ]


def measured(pair: Pair, row: Row) -> Seen:
    # the event comes at any moment between two heartbeats
    pass_time(random.uniform(0, row.theirs_ms / 1000))
    since_ms = now_ms()
    row.event(pair)
    pass_time(row.wait_s())
    return pair.client().seen(since_ms)


def main() -> int:
    """Print the table; 1 when a goal is missed."""
    program = keepalived()
    if program is None or os.geteuid() != 0:
        print("failover: needs root and keepalived; left out")
        return 0
    wanted = [row for row in rows() if not sys.argv[1:] or sys.argv[1] in row.name]
    for _ in range(ROUNDS):
        for row in wanted:
            with drctl_pair(row.ours_ms, row.links) as ours:
                row.ours.append(measured(ours, row))
            with keepalived_pair(program, row.theirs_ms) as theirs:
                row.theirs.append(measured(theirs, row))
    title = f"medians of {ROUNDS}"
    print(f"{title:38} {'drctl':>9} {'keepalived':>11} {'ratio':>6} {'goal':>5}  answered twice")
    goals = [judged(row) for row in wanted]
    return int(not all(goals))


def judged(row: Row) -> bool:
    """Print a row; whether its goals are met. Two answers are never allowed."""
    ours, theirs = (
        statistics.median(seen.outage_ms for seen in found) for found in (row.ours, row.theirs)
    )
    twice = [sum(seen.twice for seen in found) for found in (row.ours, row.theirs)]
    ratio = ours / theirs if theirs else float("inf")
    is_met = twice[0] == 0 and (ratio <= row.most or not theirs)
    shown = f"{row.most:5.2f}" if row.most < 1e6 else "    -"
    print(f"{row.name:38} {ours:6.1f} ms {theirs:8.1f} ms {ratio:6.2f} {shown}"
          f"  {twice[0]}, {twice[1]}{'' if is_met else '  MISSED'}")  # fmt: skip
    return is_met


if __name__ == "__main__":
    sys.exit(main())
