"""`drctl show` of a 100-line file, start and end included, against `keepalived -t` and an empty
Python program on the same machine in the same run. Goal: under 150 ms."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measure import best_costs, keepalived, row, verdict

ROUNDS = 15
GOAL_S = 0.15
SERVERS = 8


def configuration() -> str:
    """A keepalived.conf of 100 lines."""
    lines = ["virtual_server 192.0.2.10 80 {", "    delay_loop 6", "    lvs_sched rr"]
    lines += ["    lvs_method DR", "    protocol TCP"]
    for number in range(1, SERVERS + 1):
        lines += [f"    real_server 198.51.100.{number} 80 {{", "        weight 1"]
        lines += ["        HTTP_GET {", "            url {", "                path /"]
        lines += ["                status_code 200", "            }", "            retry 0"]
        lines += ["            connect_timeout 3", "        }", "    }"]
    lines.append("}")
    lines += [f"# line {number}" for number in range(len(lines) + 1, 101)]
    assert len(lines) == 100, len(lines)
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the costs and ratios; 1 when the goal is missed."""
    with tempfile.TemporaryDirectory(prefix="drctl-bench-") as folder:
        file = Path(folder, "keepalived.conf")
        file.write_text(configuration(), encoding="utf-8")
        program = str(Path(sys.executable).parent / "drctl")
        commands = {
            "drctl show": [program, "show", str(file)],
            "python -c pass": [sys.executable, "-c", "pass"],
        }
        peer = keepalived()
        if peer:
            commands["keepalived -t"] = [peer, "-t", "-f", str(file)]
        costs = best_costs(commands, ROUNDS)
    shown = costs.pop("drctl show")
    for name, cost in costs.items():
        print(row("drctl show, 100 lines", shown, name, cost))
    if not peer:
        print("keepalived is not installed: no ratio against it")
    return int(not verdict("drctl show", shown, GOAL_S))


if __name__ == "__main__":
    sys.exit(main())
