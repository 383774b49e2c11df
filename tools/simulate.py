"""Plays random histories of the failover core, and says which seeds break an invariant.

    python tools/simulate.py [--count N] [--first SEED]   many histories
    python tools/simulate.py --seed SEED                  one, with its transcript
    python tools/simulate.py --rewrite                    the transcripts of tests/scenarios anew,
                                                          and docs/roles.svg, which shows them

Exit code 1 when an invariant was broken.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path.insert(0, str(TESTS))

from simulator import role_picture, scenario  # noqa: E402
from simulator.campaign import campaign  # noqa: E402
from simulator.run import random_schedule, run  # noqa: E402
from simulator.world import load_core  # noqa: E402

MILLION = 1_000_000


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=MILLION, help="histories (default: 1000000)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed")
    parser.add_argument("--seed", type=int, help="one history, with its transcript")
    parser.add_argument(
        "--rewrite", action="store_true", help="make the scenarios' transcripts anew"
    )
    options = parser.parse_args()
    if options.rewrite:
        for file in sorted((TESTS / "scenarios").glob("*.txt")):
            scenario.rewrite(file, load_core())
        role_picture.PICTURE.write_text(role_picture.made())
        return 0
    if options.seed is not None:
        return _one(options.seed)
    summary = campaign(options.first, options.count)
    print(summary)
    return int(bool(summary.broken))


def _one(seed: int) -> int:
    schedule = random_schedule(seed)
    print(*schedule.faults, sep="\n")
    result = run(schedule, load_core(), transcript=True)
    print(*result.transcript, sep="\n")
    print(*result.violations, sep="\n")
    return int(bool(result.violations))


if __name__ == "__main__":
    sys.exit(main())
