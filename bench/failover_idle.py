"""What a director costs while nothing happens: its controller and guard, on the active one.

Goals: at 100 ms below 1 % of a core with 10 VIPs, 2 % with 1,000; at 10 ms below 5 %; memory below
64 MiB. The client's question every millisecond is not asked meanwhile.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from measure import judged

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from live_case import VIP, Plan, pass_time, stage

SECONDS = 10.0
TICKS = os.sysconf("SC_CLK_TCK")
VIPS = (VIP, *(f"198.18.{number // 250}.{number % 250 + 1}" for number in range(999)))
CASES = ((100, 10, 1.0), (100, 1000, 2.0), (10, 10, 5.0))
"""Heartbeat in ms, VIPs, and the most percent of a core."""
MOST_MIB = 64.0


def used_s(pid: int) -> float:
    """Seconds of processor time, of user and system, so far."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


def memory_mib(pid: int) -> float:
    """Its share of what is in memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def idle(heartbeat_ms: int, vips: int, most: float) -> list[bool]:
    """Run a pair; whether the goals are met."""
    plan = Plan(heartbeat_ms=heartbeat_ms, vips=VIPS[:vips], links="ab")
    with (
        tempfile.TemporaryDirectory(prefix="drctl-bench-") as folder,
        stage(plan, Path(folder)) as live,
    ):
        active = live.holder
        live.client.close()
        # the announcements of the beginning are over
        pass_time(7)
        pids = (active.pid, active.guard)
        before = sum(map(used_s, pids))
        pass_time(SECONDS)
        percent = (sum(map(used_s, pids)) - before) / SECONDS * 100
        name = f"idle at {heartbeat_ms} ms with {vips} VIPs and two links"
        return [
            judged(name, percent, most, " % of a core"),
            judged(f"{name}, memory", sum(map(memory_mib, pids)), MOST_MIB, " MiB"),
        ]


def main() -> int:
    """Print the costs; 1 when a goal is missed."""
    if os.geteuid() != 0:
        print("failover_idle: needs root; left out")
        return 0
    goals = [met for case in CASES for met in idle(*case)]
    return int(not all(goals))


if __name__ == "__main__":
    sys.exit(main())
