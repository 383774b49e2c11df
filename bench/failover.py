"""The failover of `drctl run` next to keepalived's, in the same namespaces and the same run.

    python bench/failover.py [--only ROW ...] [--rounds N] [--list]

A client asks for the VIP by ARP every millisecond. A row is an event on the active director, at a
moment between two heartbeats that is another one in each round: the median of the longest times
without an answer, and how many requests both directors answered, in all rounds. Exit code 1 when a
goal is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from failover_pairs import drctl_pair, keepalived_pair, parts
from failover_rows import Row, judged, rows
from measure import keepalived

from drctl.errors import DrctlError
from drctl.lab.pair.stage import end_in_order

ROUNDS = 10
HEAD = ("", "drctl", "range", "keepalived", "ratio", "twice", "goals")


def main() -> int:
    """Measure, and print the table; 1 when a goal is missed."""
    every = {row.name: row for row in rows()}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="ROW", choices=list(every), help="these rows")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"({ROUNDS})")
    parser.add_argument("--list", action="store_true", help="the names of the rows")
    options = parser.parse_args()
    if options.list:
        print("".join(f"{row.name:18} {row.title}\n" for row in every.values()), end="")
        return 0
    program = keepalived()
    if program is None or os.geteuid() != 0:
        print("failover: needs root and keepalived; left out")
        return 0
    end_in_order()
    wanted = [every[name] for name in options.only or every]
    start_s = time.monotonic()
    _measure(wanted, program, max(1, options.rounds))
    minutes = (time.monotonic() - start_s) / 60
    print(
        f"medians of {options.rounds} on {len(os.sched_getaffinity(0))} processors,"
        f" Linux {platform.release()}, load {os.getloadavg()[0]:.1f}; {minutes:.1f} minutes"
    )
    return int(not _print_table(wanted))


def _measure(wanted: list[Row], program: str, rounds: int) -> None:
    """Every row once in each round, both programs in turn, so that all meet the same machine."""
    moments = {row.name: (parts(rounds), parts(rounds)) for row in wanted}
    for number in range(rounds):
        start_s = time.monotonic()
        for row in wanted:
            ours, theirs = (some[number] for some in moments[row.name])
            _progress(f"round {number + 1} of {rounds}: {row.name}")
            with _noted(row, "drctl"), drctl_pair(row.plan) as pair:
                row.ours.append(row.measured(pair, row.plan.heartbeat_ms, ours))
            with (
                _noted(row, "keepalived"),
                keepalived_pair(program, row.theirs_ms, row.plan.vips) as pair,
            ):
                row.theirs.append(row.measured(pair, row.theirs_ms, theirs))
        seconds = time.monotonic() - start_s
        if number == 0:
            _progress("")
            print(
                f"{len(wanted)} rows take {seconds:.0f} s a round,"
                f" {seconds * rounds / 60:.0f} minutes for {rounds}",
                file=sys.stderr,
            )
    _progress("")


@contextmanager
def _noted(row: Row, program: str) -> Iterator[None]:
    """A run that comes to nothing does not end all others; the table tells it."""
    try:
        yield
    except (DrctlError, RuntimeError) as failed:
        row.failures.append(f"{row.name}: a run of {program} failed: {failed}")


def _progress(text: str) -> None:
    """On a terminal, in a line that changes."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _print_table(wanted: list[Row]) -> bool:
    """Whether every goal was reached."""
    others = {row.name: row for row in wanted}
    lines: list[tuple[str, ...]] = [HEAD]
    is_met = True
    for row in wanted:
        found = judged(row, others)
        is_met &= found.is_met and not row.failures
        words = [f"{text}: {'reached' if good else 'MISSED'}" for text, good in found.goals]
        lines.append((row.title, *found.columns, words[0]))
        lines += [("", "", "", "", "", "", word) for word in words[1:]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    for line in lines:
        cells = [
            text.ljust(width) if number in {0, len(HEAD) - 1} else text.rjust(width)
            for number, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    for row in wanted:
        for failure in row.failures:
            print(failure)
    return is_met


if __name__ == "__main__":
    sys.exit(main())
