"""`drctl lint` of large configurations against `keepalived -t`, and against itself.

Goals: 227,000 lines in at most 3 times keepalived's time; 200 lines, start and end included, in at
most 120 ms; a line of a million costs no more than one of a hundred thousand, start and end not
counted; less than 2 kB of memory a line; a folder of 2,000 files on all processors.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from measure import Cost, best_costs, cost_of, judged, keepalived, row

LINT = [str(Path(sys.executable).parent / "drctl"), "lint"]
SERVERS = 20
LINES_PER_SERVICE = 7 + 11 * SERVERS
SERVICES = 1000
FEWER_SERVICES = (5, 50, 500, 4400)
"""Of about a thousand, ten thousand, a hundred thousand and a million lines."""
FILES = 2000
ROUNDS = 5


def configuration(services: int, servers: int = SERVERS) -> str:
    """A keepalived.conf without a finding: 7 lines a service and 11 a real server."""
    lines: list[str] = []
    for service in range(services):
        high, low = divmod(service, 250)
        lines += [f"virtual_server 198.18.{high}.{low + 1} 80 {{", "    delay_loop 6"]
        lines += ["    lvs_sched wlc", "    lvs_method DR", "    protocol TCP", ""]
        for server in range(servers):
            lines += [f"    real_server 198.19.{high * 12 + server}.{low + 1} 80 {{"]
            lines += ["        weight 1", "        HTTP_GET {", "            url {"]
            lines += ["                path /status", "                status_code 200"]
            lines += ["            }", "            connect_timeout 3", "            retry 2"]
            lines += ["        }", "    }"]
        lines.append("}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the costs and ratios; 1 when a goal is missed."""
    with tempfile.TemporaryDirectory(prefix="drctl-bench-") as folder:
        base = Path(folder)
        goals = [*large(base), *small(base), *growth(base), *many(base)]
    return int(not all(goals))


def written(base: Path, services: int) -> str:
    """Path of a configuration of so many services."""
    file = base / f"{services}.conf"
    file.write_text(configuration(services), encoding="utf-8")
    return str(file)


def large(base: Path) -> list[bool]:
    """The generated file of the goal, next to keepalived."""
    file, peer = written(base, SERVICES), keepalived()
    if peer is None:
        print("keepalived is not installed: no ratio against it")
        return []
    commands = {"drctl lint": [*LINT, file], "keepalived -t": [peer, "-t", "-f", file]}
    costs = best_costs(commands, ROUNDS)
    ours, theirs = costs.values()
    name = f"drctl lint, {SERVICES * LINES_PER_SERVICE:,} lines"
    print(row(name, ours, "keepalived -t", theirs))
    return [judged(f"{name}, to keepalived -t", ours.wall_s / theirs.wall_s, 3, " times")]


def small(base: Path) -> list[bool]:
    """A file as people have them, from a cold start."""
    text = "# as people have them\n" + configuration(4, 4)
    file = base / "small.conf"
    file.write_text(text, encoding="utf-8")
    commands = {"drctl lint": [*LINT, str(file)], "python -c pass": [sys.executable, "-c", "pass"]}
    if peer := keepalived():
        commands["keepalived -t"] = [peer, "-t", "-f", str(file)]
    costs = best_costs(commands, 3 * ROUNDS)
    ours = costs.pop("drctl lint")
    name = f"drctl lint, {text.count(chr(10))} lines"
    for other, cost in costs.items():
        print(row(name, ours, other, cost))
    return [judged(name, 1000 * ours.wall_s, 120, " ms")]


def growth(base: Path) -> list[bool]:
    """Time and memory a line, start and end not counted."""
    file = base / "empty.conf"
    file.write_text("", encoding="utf-8")
    start = best_costs({"": [*LINT, str(file)]}, ROUNDS)[""]
    per_line: list[Cost] = []
    for services in FEWER_SERVICES:
        rounds = max(1, ROUNDS * 50 // services)
        cost = best_costs({"": [*LINT, written(base, services)]}, min(rounds, 3 * ROUNDS))[""]
        lines = services * LINES_PER_SERVICE
        per_line.append(Cost(*((new - old) / lines for new, old in zip(cost, start, strict=True))))
        print(
            f"drctl lint, {lines:,} lines: {cost.wall_s:.3f} s, {1e6 * per_line[-1].cpu_s:.2f} us "
            f"and {per_line[-1].peak_bytes:.0f} bytes a line"
        )
    # of fewer lines, what is measured is mostly the start
    growth = per_line[-1].cpu_s / per_line[-2].cpu_s
    return [
        judged("a line of a million, to one of a hundred thousand", growth, 1.5, " times"),
        judged("memory a line", max(one.peak_bytes for one in per_line[2:]), 2000, " bytes"),
    ]


def many(base: Path) -> list[bool]:
    """A folder of many files, next to the same on one processor."""
    folder = base / "many"
    folder.mkdir()
    text = configuration(2)
    for number in range(FILES):
        (folder / f"{number}.conf").write_text(f"# {number}\n{text}", encoding="utf-8")
    all_of_them = cost_of([*LINT, str(folder)])
    first = min(os.sched_getaffinity(0))
    one = cost_of(["taskset", "-c", str(first), *LINT, str(folder)])
    processors = len(os.sched_getaffinity(0))
    name = f"drctl lint, {FILES} files"
    print(row(f"{name}, {processors} processors", all_of_them, "the same on one", one))
    # half of what would be possible counts: others use the machine too
    goal = 1.01 if processors == 1 else 1 - (1 - 1 / processors) / 2
    return [judged(f"{name}, to one processor", all_of_them.wall_s / one.wall_s, goal, " times")]


if __name__ == "__main__":
    sys.exit(main())
