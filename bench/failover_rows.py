"""What is measured of a pair, and what is to be reached."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from failover_pairs import Pair, await_phase

from drctl.lab.pair.client import Client
from drctl.lab.pair.stage import VIP, Plan, now_ms

IDLE_S = 10.0
SETTLED_S = 7.0
"""The announcements of the beginning are over then."""
_TICKS = os.sysconf("SC_CLK_TCK")


def some_vips(count: int) -> tuple[str, ...]:
    """So many; the client asks for the last one."""
    others = (f"198.18.{number // 250}.{number % 250 + 1}" for number in range(count - 1))
    return (*others, VIP)


@dataclass(frozen=True)
class Found:
    """What one run gave. `second_ms` is the longest outage after a heal, `lost` the packets of a
    stream that nobody answered, `percent` of a core, `mib` of memory."""

    outage_ms: float = 0.0
    second_ms: float = 0.0
    twice: int = 0
    lost: int = 0
    percent: float = 0.0
    mib: float = 0.0


Event = Callable[[Pair, float], Found]
"""Does something to the active director, and measures for so many seconds."""


def _seen(pair: Pair, since_ms: float, seconds: float) -> Found:
    time.sleep(seconds)
    seen = pair.client.seen(since_ms)
    return Found(outage_ms=seen.outage_ms, twice=seen.twice)


def silent(pair: Pair, seconds: float) -> Found:
    """Nothing passes at its port any more."""
    _state(pair, pair.active().name, 0)
    return _seen(pair, now_ms(), seconds)


def healed(pair: Pair, seconds: float) -> Found:
    """The same, until it passes again."""
    name = pair.active().name
    _state(pair, name, 0)
    first = _seen(pair, now_ms(), seconds)
    since_ms = now_ms()
    _state(pair, name, 3)
    second = _seen(pair, since_ms, seconds)
    return Found(first.outage_ms, second.outage_ms, first.twice + second.twice)


def _state(pair: Pair, port: str, state: int) -> None:
    pair.switch.run("bridge", "link", "set", "dev", port, "state", str(state))


def carrier(pair: Pair, seconds: float) -> Found:
    """Its card has no carrier any more."""
    since_ms = now_ms()
    pair.switch.ip("link", "set", pair.active().name, "down")
    return _seen(pair, since_ms, seconds)


def handed_over(pair: Pair, seconds: float) -> Found:
    """A planned change, under a stream of a packet a millisecond."""
    stream = Client(pair.client_host, VIP, {}, is_echo=True)
    try:
        time.sleep(0.3)
        since_ms = now_ms()
        pair.hand_over()
        seen = _seen(pair, since_ms, seconds)
        return Found(seen.outage_ms, twice=seen.twice, lost=stream.losses(since_ms)[0])
    finally:
        stream.close()


def killed(pair: Pair, seconds: float) -> Found:
    """`kill -9` of what serves the VIPs."""
    since_ms = now_ms()
    pair.kill()
    return _seen(pair, since_ms, seconds)


def killed_all(pair: Pair, seconds: float) -> Found:
    """`kill -9` of everything."""
    since_ms = now_ms()
    pair.kill_all()
    return _seen(pair, since_ms, seconds)


def hung(pair: Pair, seconds: float) -> Found:
    """SIGSTOP, and SIGCONT when the time is over."""
    since_ms = now_ms()
    pair.signal(signal.SIGSTOP)
    first = _seen(pair, since_ms, seconds)
    since_ms = now_ms()
    pair.signal(signal.SIGCONT)
    second = _seen(pair, since_ms, 1)
    return Found(first.outage_ms, second.outage_ms, first.twice + second.twice)


def idle(pair: Pair, _: float) -> Found:
    """Nothing happens, and nobody asks."""
    host = pair.active()
    pair.client.close()
    time.sleep(SETTLED_S)
    pids = host.pids()
    before, start_s = sum(map(used_s, pids)), time.monotonic()
    time.sleep(IDLE_S)
    used = sum(map(used_s, pids)) - before
    percent = used / (time.monotonic() - start_s) * 100
    return Found(percent=percent, mib=sum(map(memory_mib, pids)))


def used_s(pid: int) -> float:
    """Seconds of processor time so far, of all threads."""
    threads = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
    if threads:
        return sum(int(file.read_text(encoding="ascii").split()[0]) for file in threads) / 1e9
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / _TICKS


def memory_mib(pid: int) -> float:
    """Its share of what is in memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


@dataclass
class Row:
    """A line of the table. Of the goals, those that are None are none: the ratio of the medians of
    the outage, the median itself, the longest second outage, what it may be above that of the row
    `beside`, packets lost, percent of a core, MiB. No request may be answered twice in any run."""

    name: str
    title: str
    event: Event
    theirs_ms: int = 100
    plan: Plan = field(default_factory=lambda: Plan(links="a"))
    seconds: float = 2.0
    ratio: float | None = None
    within_ms: float | None = None
    second_ms: float | None = None
    beside: str = ""
    more_ms: float = 0.0
    is_lossless: bool = False
    percent: float | None = None
    mib: float | None = None
    ours: list[Found] = field(default_factory=list)
    theirs: list[Found] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Runs of either program that came to nothing, and why."""

    @property
    def is_idle(self) -> bool:
        return self.event is idle

    def measured(self, pair: Pair, interval_ms: int, part: float) -> Found:
        """One run: the event comes at this part of the interval between two heartbeats."""
        if not self.is_idle:
            await_phase(pair, interval_ms, part)
        return self.event(pair, self.seconds)


def rows() -> list[Row]:
    """All of them."""
    second, ten = Plan(links="ab"), Plan(heartbeat_ms=10, links="a")
    lease = Plan(links="a", has_fence=False)
    two, many = (Plan(links="a", vips=some_vips(count)) for count in (2, 1000))
    return [
        Row("silent-100", "link dies silently, 100 ms", silent, ratio=0.45),
        Row("silent-10", "link dies silently, 10 ms", silent, 10, ten, ratio=0.8),
        Row("carrier-100", "carrier lost, 100 ms, second link", carrier, plan=second, ratio=0.1),
        Row("carrier-defaults", "carrier lost, defaults, second link", carrier, 1000, second, 5.0,
            ratio=0.06),
        Row("silent-defaults", "link dies silently, defaults", silent, 1000, seconds=5.0,
            ratio=0.06),
        Row("switch-1", "planned switchover, 1 VIP", handed_over, is_lossless=True),
        Row("switch-1000", "planned switchover, 1,000 VIPs", handed_over, plan=many,
            is_lossless=True),
        Row("kill", "kill -9 of the controller", killed, within_ms=60),
        Row("kill-all", "kill -9 of controller and guard", killed_all, within_ms=600),
        Row("hang", "SIGSTOP, later SIGCONT", hung, within_ms=600, second_ms=20),
        Row("kill-all-lease", "kill -9 of both, no nftables", killed_all, plan=lease, seconds=4.0,
            within_ms=2500),
        Row("hang-lease", "SIGSTOP, no nftables", hung, plan=lease, seconds=4.0, within_ms=2500),
        Row("heal", "silently dead link heals after 3 s", healed, seconds=3.0, second_ms=20),
        Row("vips-2", "link dies silently, 2 VIPs", silent, plan=two),
        Row("vips-1000", "link dies silently, 1,000 VIPs", silent, plan=many, beside="vips-2",
            more_ms=30),
        Row("idle-100-10", "idle, 100 ms, 10 VIPs", idle, 100,
            Plan(vips=some_vips(10)), percent=1, mib=64),
        Row("idle-100-1000", "idle, 100 ms, 1,000 VIPs", idle, 100,
            Plan(vips=some_vips(1000)), percent=2, mib=64),
        Row("idle-10-10", "idle, 10 ms, 10 VIPs", idle, 10,
            Plan(heartbeat_ms=10, vips=some_vips(10)), percent=5, mib=64),
    ]  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A row's words, and whether each of its goals was reached."""

    columns: tuple[str, ...]
    goals: tuple[tuple[str, bool], ...]

    @property
    def is_met(self) -> bool:
        return all(is_met for _, is_met in self.goals)


def judged(row: Row, others: dict[str, Row]) -> Judged:
    """What came of a row; others are those that were measured with it."""
    if not row.ours:
        return Judged(("-",) * 5, (("it could be measured", False),))
    if row.is_idle:
        return _judged_idle(row)
    ours = statistics.median(found.outage_ms for found in row.ours)
    theirs = statistics.median(found.outage_ms for found in row.theirs) if row.theirs else 0.0
    twice = [sum(found.twice for found in some) for some in (row.ours, row.theirs)]
    goals = [("no request answered twice", twice[0] == 0)]
    if row.ratio is not None and theirs:
        goals.append((f"at most {row.ratio:g} x keepalived", ours / theirs <= row.ratio))
    if row.within_ms is not None:
        goals.append((f"at most {row.within_ms:g} ms", ours <= row.within_ms))
    if row.second_ms is not None:
        most = max(found.second_ms for found in row.ours)
        text = f"then at most {row.second_ms:g} ms ({most:.0f})"
        goals.append((text, most <= row.second_ms))
    if row.beside in others and others[row.beside].ours:
        less = statistics.median(found.outage_ms for found in others[row.beside].ours)
        goals.append(
            (f"at most {row.more_ms:g} ms more ({ours - less:+.0f})", ours - less <= row.more_ms)
        )
    if row.is_lossless:
        lost = [sum(found.lost for found in some) for some in (row.ours, row.theirs)]
        goals.append((f"no packet lost ({lost[0]}; keepalived {lost[1]})", lost[0] == 0))
    spread = f"{min(f.outage_ms for f in row.ours):.0f}-{max(f.outage_ms for f in row.ours):.0f}"
    columns = (
        f"{ours:.1f} ms",
        spread,
        f"{theirs:.1f} ms" if row.theirs else "-",
        f"{ours / theirs:.2f}" if theirs else "-",
        f"{twice[0]} / {twice[1]}" if row.theirs else f"{twice[0]}",
    )
    return Judged(columns, tuple(goals))


def _judged_idle(row: Row) -> Judged:
    ours = statistics.median(found.percent for found in row.ours)
    theirs = statistics.median(found.percent for found in row.theirs) if row.theirs else 0.0
    mib = max(found.mib for found in row.ours)
    their_mib = f"; keepalived {max(f.mib for f in row.theirs):.0f}" if row.theirs else ""
    assert row.percent is not None
    assert row.mib is not None
    goals = (
        (f"below {row.percent:g} % of a core", ours < row.percent),
        (f"below {row.mib:g} MiB ({mib:.0f}{their_mib})", mib < row.mib),
    )
    spread = f"{min(f.percent for f in row.ours):.1f}-{max(f.percent for f in row.ours):.1f}"
    columns = (
        f"{ours:.2f} %",
        spread,
        f"{theirs:.2f} %" if row.theirs else "-",
        f"{ours / theirs:.2f}" if theirs else "-",
        "-",
    )
    return Judged(columns, goals)
