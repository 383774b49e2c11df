"""What an idle director costs, next to keepalived's, and next to the least that the same messages
cost in Python when nothing is decided (`bare_heartbeat`): how much of it is the language's.

All in namespaces of the same kind, in the same run, one after the other. Needs root.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import zmq
from failover_pairs import drctl_pair, keepalived_pair
from failover_rows import IDLE_S, idle, some_vips
from measure import judged, keepalived

from drctl.lab.pair.host import segment
from drctl.lab.pair.stage import NAMES, NETWORKS, Plan, end_in_order

ROUNDS = 5
VIPS = some_vips(10)
GOALS = {100: 1.0, 10: 5.0}
"""Percent of a processor, by milliseconds between two heartbeats."""
BARE = Path(__file__).with_name("bare_heartbeat.py")


def main() -> int:
    """Measure and print; 1 when a goal is missed."""
    program = keepalived()
    if program is None or os.geteuid() != 0:
        print("idle_floor: needs root and keepalived; left out")
        return 0
    end_in_order()
    is_met = True
    for interval_ms, goal in GOALS.items():
        found: dict[str, list[float]] = {"drctl": [], "bare messages": [], "keepalived": []}
        plan = Plan(heartbeat_ms=interval_ms, links="a", vips=VIPS)
        for _ in range(ROUNDS):
            with drctl_pair(plan) as pair:
                found["drctl"].append(idle(pair, 0).percent)
            found["bare messages"].append(_bare(interval_ms))
            with keepalived_pair(program, interval_ms, VIPS) as pair:
                found["keepalived"].append(idle(pair, 0).percent)
        middle = {name: statistics.median(values) for name, values in found.items()}
        for name, value in middle.items():
            ratio = middle["drctl"] / value
            print(f"idle, {interval_ms:3} ms: {name:14} {value:6.2f} %  drctl's ratio {ratio:7.2f}")
        is_met &= judged(f"idle, {interval_ms} ms", middle["drctl"], goal, " %")
    return int(not is_met)


def _bare(interval_ms: int) -> float:
    """The mean of both ends, in percent."""
    with tempfile.TemporaryDirectory(prefix="drctl-bench-") as folder, segment() as made:
        keys = Path(folder, "keys")
        pairs = {name: [key.decode() for key in zmq.curve_keypair()] for name in NAMES}
        keys.write_text(json.dumps(pairs), encoding="ascii")
        hosts = [made.host(name, f"{NETWORKS['a']}{at}/24") for at, name in enumerate(NAMES, 1)]
        running = []
        for host, peer in zip(hosts, reversed(NAMES), strict=True):
            words = (str(keys), host.name, peer, str(interval_ms), str(IDLE_S))
            command = host.command(sys.executable, "-P", str(BARE), *words)
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        told = [one.communicate()[0] for one in running]
    return statistics.mean(map(float, told))


if __name__ == "__main__":
    sys.exit(main())
