"""An hour of a pair at a heartbeat of 20 ms, with every processor loaded twice.

    python tools/soak.py [SECONDS]

Before it measures, it warms up for five minutes, or a third of the time if that is shorter. Exit
code 1 when something moved without a fault, or memory or descriptors grow.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from soak_case import HOUR_S, MOST_KIB_PER_HOUR, WARM_UP_S, soak, table

from drctl.errors import DrctlError
from drctl.lab.pair.stage import check_possible, end_in_order


def main() -> int:
    """Do it, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", type=float, nargs="?", default=HOUR_S, help="(3600)")
    parser.add_argument("--heartbeat", type=int, default=20, metavar="MS", help="(20)")
    options = parser.parse_args()
    try:
        check_possible()
    except DrctlError as refused:
        print(f"soak: {refused}", file=sys.stderr)
        return 2
    end_in_order()
    warm_up_s = min(WARM_UP_S, options.seconds / 3)
    print(f"soak: {options.seconds:.0f} s after {warm_up_s:.0f} s of warming up", flush=True)
    found = soak(
        options.seconds,
        warm_up_s=warm_up_s,
        heartbeat_ms=options.heartbeat,
        tell=lambda text: print(text, flush=True),
    )
    print(table(found))
    problems = found.problems(MOST_KIB_PER_HOUR)
    for problem in problems:
        print(f"soak: {problem}", file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
